//! Processes on Unix, each behind a guardian.
#![allow(unsafe_code, reason = "pre_exec has no safe interface")]

use std::{
    fmt,
    future::Future,
    io::{self, PipeReader, Read},
    net::{Shutdown, SocketAddr},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    pin::Pin,
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use rustix::io::fcntl_dupfd_cloexec;
use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    net::unix::pipe,
    sync::watch,
};

use super::{Exit, Launch, Listener, Output, Process, guardian};

/// A running process and its guardian.
#[derive(Clone)]
pub(crate) struct Child {
    inner: Arc<Inner>,
}

struct Inner {
    id: u32,
    guardian: u32,
    /// Our end of the guardian's socket: its end is the end of the tree.
    orders: UnixStream,
    exit: watch::Receiver<Option<Exit>>,
    output: Mutex<Option<PipeReader>>,
    #[cfg(target_os = "linux")]
    belongings: super::linux::Belongings,
}

impl Child {
    pub(super) fn spawn(launch: &Launch) -> io::Result<Self> {
        // Asked before anything is started: without it, nothing could be watched.
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let (mut ours, theirs) = UnixStream::pair()?;
        let theirs = out_of_the_way(theirs)?;
        let (mut command, output) = command(launch)?;
        let socket = theirs.as_raw_fd();
        let inherited: Vec<_> = launch.descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        // SAFETY: `interpose` keeps to what may be called between fork and exec; the descriptors are open until after the spawn.
        unsafe { command.pre_exec(move || guardian::interpose(socket, &inherited)) };
        let guardian = command.spawn()?;
        // The guardian's alone from now on, so that its end is seen. The command holds the pipe's writing ends.
        drop((theirs, command));
        let id = read_number(&mut ours)?.cast_unsigned();
        ours.set_nonblocking(true)?;
        let reports = tokio::net::UnixStream::from_std(ours.try_clone()?)?;
        let (sender, exit) = watch::channel(None);
        let inner = Inner {
            id,
            guardian: guardian.id(),
            orders: ours,
            exit,
            output: Mutex::new(output),
            #[cfg(target_os = "linux")]
            belongings: super::linux::Belongings::new(guardian.id(), id),
        };
        runtime.spawn(watch_over(guardian, reports, sender));
        let inner = Arc::new(inner);
        Ok(Self { inner })
    }

    fn order(&self, order: u8) {
        // A guardian that is gone has nothing left to do.
        let _ = send(&self.inner.orders, &[order]);
    }
}

/// The command, and the reading end of the pipe that it writes to.
fn command(launch: &Launch) -> io::Result<(Command, Option<PipeReader>)> {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .current_dir(&launch.directory)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    let output = match &launch.output {
        Output::Null => {
            command.stdout(Stdio::null()).stderr(Stdio::null());
            None
        }
        Output::Pipe => {
            let (reader, writer) = io::pipe()?;
            command.stdout(writer.try_clone()?).stderr(writer);
            Some(reader)
        }
    };
    Ok((command, output))
}

/// Away from the numbers of the standard streams, which the child's are put on before the guardian is forked off.
fn out_of_the_way(socket: UnixStream) -> io::Result<OwnedFd> {
    Ok(fcntl_dupfd_cloexec(OwnedFd::from(socket), 3)?)
}

fn read_number(socket: &mut UnixStream) -> io::Result<i32> {
    let mut number = [0; 4];
    socket.read_exact(&mut number)?;
    Ok(i32::from_ne_bytes(number))
}

#[cfg(not(target_vendor = "apple"))]
fn send(socket: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(
        socket,
        bytes,
        rustix::net::SendFlags::NOSIGNAL,
    )?)
}

#[cfg(target_vendor = "apple")]
fn send(mut socket: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    // No such flag there: it is an option of the socket.
    rustix::net::sockopt::set_socket_nosigpipe(socket, true)?;
    io::Write::write(&mut socket, bytes)
}

/// Tells how the program ended, then waits for the guardian's end, so that it leaves no zombie.
async fn watch_over(
    mut guardian: std::process::Child,
    mut reports: tokio::net::UnixStream,
    exit: watch::Sender<Option<Exit>>,
) {
    let mut status = [0; 4];
    let ended = match reports.read_exact(&mut status).await {
        Ok(_) => ExitStatus::from_raw(i32::from_ne_bytes(status)).into(),
        // Somebody killed the guardian: its program was killed with it.
        Err(_) => Exit::signal(libc::SIGKILL),
    };
    exit.send_replace(Some(ended));
    let _ = reports.read_u8().await;
    // Its socket is closed by its end: this takes microseconds.
    let _ = guardian.wait();
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        let (code, signal) = (status.code(), status.signal());
        Self { code, signal }
    }
}

impl Process for Child {
    fn id(&self) -> u32 {
        self.inner.id
    }

    fn exited(&self) -> impl Future<Output = Exit> + Send {
        let mut exit = self.inner.exit.clone();
        async move {
            match exit.wait_for(Option::is_some).await {
                Ok(exit) => exit.unwrap_or(Exit::signal(libc::SIGKILL)),
                // The runtime that watched is gone, and with it the tree.
                Err(_) => Exit::signal(libc::SIGKILL),
            }
        }
    }

    fn take_output(&self) -> Option<OutputPipe> {
        let mut output = self
            .inner
            .output
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let inner = pipe::Receiver::from_owned_fd(output.take()?.into()).ok()?;
        Some(OutputPipe { inner })
    }

    fn terminate(&self) {
        self.order(guardian::TERMINATE);
    }

    fn kill(&self) {
        self.order(guardian::KILL);
    }

    #[cfg(target_os = "linux")]
    fn listener(&self, address: SocketAddr) -> io::Result<Listener> {
        self.inner.belongings.listener(address)
    }

    #[cfg(target_os = "linux")]
    fn memory(&self) -> io::Result<u64> {
        Ok(self.inner.belongings.memory())
    }

    /// Nothing here tells who listens: whoever accepts a connection is taken for the process.
    #[cfg(not(target_os = "linux"))]
    fn listener(&self, address: SocketAddr) -> io::Result<Listener> {
        let listening = std::net::TcpStream::connect(address).is_ok();
        Ok(match listening {
            true => Listener::Own(self.inner.id),
            false => Listener::None,
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The watching task holds the socket too, until the tree is gone: closing would not be seen.
        let _ = self.orders.shutdown(Shutdown::Write);
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.inner.id)
            .field("guardian", &self.inner.guardian)
            .field("exit", &*self.inner.exit.borrow())
            .finish_non_exhaustive()
    }
}

/// What a process writes: both its streams, as they come.
#[derive(Debug)]
pub(crate) struct OutputPipe {
    inner: pipe::Receiver,
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
