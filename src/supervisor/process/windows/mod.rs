//! Processes on Windows, each in a job object of its own.
#![allow(unsafe_code, reason = "the Windows API has no safe interface")]

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::watch,
};
use windows_sys::Win32::System::{
    Console::{AttachConsole, CTRL_BREAK_EVENT, FreeConsole, GenerateConsoleCtrlEvent},
    Threading::{GetExitCodeProcess, INFINITE, WaitForSingleObject},
};

use self::{job::Job, start::Started};
use super::{Exit, Launch, Listener, Process};

mod job;
mod start;
mod token;

/// A running process and its job.
#[derive(Clone)]
pub(crate) struct Child {
    inner: Arc<Inner>,
}

struct Inner {
    id: u32,
    /// Keeps the number from being reused.
    process: Arc<OwnedHandle>,
    /// The only handle of it: closed with the last clone, which ends all its processes.
    job: Job,
    shares_our_console: bool,
    exit: watch::Receiver<Option<Exit>>,
    output: Mutex<Option<std::fs::File>>,
}

impl Child {
    pub(super) fn spawn(launch: &Launch) -> io::Result<Self> {
        let job = Job::new()?;
        let started = start::start(launch, &job)?;
        let Started {
            id,
            process,
            output,
            shares_our_console,
        } = started;
        let process = Arc::new(process);
        let (sender, exit) = watch::channel(None);
        let waited_for = process.clone();
        std::thread::Builder::new()
            .name(format!("wait for {id}"))
            .spawn(move || sender.send_replace(Some(wait(&waited_for))))?;
        let inner = Inner {
            id,
            process,
            job,
            shares_our_console,
            exit,
            output: Mutex::new(output),
        };
        let inner = Arc::new(inner);
        Ok(Self { inner })
    }
}

fn wait(process: &OwnedHandle) -> Exit {
    let mut code = 0;
    // SAFETY: the handle is open, the pointer is a local's.
    unsafe {
        WaitForSingleObject(process.as_raw_handle(), INFINITE);
        GetExitCodeProcess(process.as_raw_handle(), &mut code);
    }
    // Differs from ANCM: the wait tells that it has ended, so that the code 259 is one like any other.
    Exit::code(code.cast_signed())
}

/// What a process is killed with. ANCM: 0 or 1, depending on who kills.
const KILLED: u32 = 1;

/// One at a time may leave our console for another's: it is the whole process's.
static CONSOLE: Mutex<()> = Mutex::new(());

impl Process for Child {
    fn id(&self) -> u32 {
        self.inner.id
    }

    fn exited(&self) -> impl Future<Output = Exit> + Send {
        let mut exit = self.inner.exit.clone();
        async move {
            let ended = exit.wait_for(Option::is_some).await;
            let ended = ended.ok().and_then(|exit| *exit);
            ended.unwrap_or(Exit::code(KILLED.cast_signed()))
        }
    }

    fn take_output(&self) -> Option<OutputPipe> {
        let mut output = self
            .inner
            .output
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let inner = tokio::fs::File::from_std(output.take()?);
        Some(OutputPipe { inner })
    }

    // ANCM: Ctrl-Break and not Ctrl-C, which the leader of a new process group ignores.
    fn terminate(&self) {
        let _guard = CONSOLE.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &self.inner;
        if inner.exit.borrow().is_some() {
            return;
        }
        // SAFETY: plain values; we hold the process's handle, so that its number, which is its group's too, is its own.
        unsafe {
            if inner.shares_our_console {
                GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, inner.id);
            } else if AttachConsole(inner.id) != 0 {
                GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, inner.id);
                FreeConsole();
            }
        }
    }

    fn kill(&self) {
        self.inner.job.terminate(KILLED);
    }

    fn give_token(&self, id: u32, token: BorrowedHandle<'_>) -> io::Result<u32> {
        token::give(&self.inner.job, id, token)
    }

    fn listener(&self, address: SocketAddr) -> io::Result<Listener> {
        let receivers = crate::supervisor::port::receivers(address)?;
        if receivers.is_empty() {
            return Ok(Listener::None);
        }
        let ours = self.inner.job.processes()?;
        let owners = receivers
            .iter()
            .map(|socket| u32::try_from(socket.owner).unwrap_or(0));
        let mut own = Listener::None;
        for owner in owners {
            if !ours.contains(&owner) {
                return Ok(Listener::Stranger((owner != 0).then_some(owner)));
            }
            own = Listener::Own(owner);
        }
        Ok(own)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.inner.id)
            .field("process", &self.inner.process)
            .field("exit", &*self.inner.exit.borrow())
            .finish_non_exhaustive()
    }
}

/// What a process writes: both its streams, as they come.
///
/// An anonymous pipe can't be waited for: a thread of tokio's blocking pool reads it.
#[derive(Debug)]
pub(crate) struct OutputPipe {
    inner: tokio::fs::File,
}

impl AsyncRead for OutputPipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests;
