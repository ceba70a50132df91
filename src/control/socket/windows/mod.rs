//! A named pipe.

use std::{
    fmt, io, mem,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{Instrument, debug, debug_span, warn};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY};

use self::private::Descriptor;
use super::{
    exchange::{self, CONNECTIONS, LONGEST_REPLY, PATIENCE, PAUSE, exchange},
    name,
};
use crate::control::{Operated, Request, report::Facts};

mod private;

/// Where all pipes of this machine lie.
const PIPES: &str = r"\\.\pipe\";
/// What ours begin with; the user's security identifier and the app's name follow.
const OURS: &str = "ancm-";

/// The pipe of the app in `content_root`: `\\.\pipe\ancm-<the user's security identifier>-<name>`.
///
/// The name comes from that of the content root, as it is reached; where the content root is a link, the
/// name stays when the link is swapped. Case makes no difference.
///
/// # Errors
///
/// When the content root is not there, or the system does not say who we are.
pub fn socket_path(content_root: &Path) -> io::Result<PathBuf> {
    let (user, name) = (private::own_user()?, name::of(content_root)?);
    Ok(format!("{PIPES}{OURS}{user}-{name}").into())
}

/// Lets other programs of the same user, and administrators, operate an app.
///
/// Dropping it removes the pipe.
pub struct Socket {
    /// The instance that the next client gets.
    next: NamedPipeServer,
    path: PathBuf,
    descriptor: Descriptor,
}

impl Socket {
    /// Makes the pipe, which nobody else can open, nor anybody from another machine.
    ///
    /// # Errors
    ///
    /// When the path is not one of a pipe, somebody listens there, or it can't be made. Outside of a tokio
    /// runtime, too.
    pub fn bind(path: &Path) -> io::Result<Self> {
        check(path)?;
        let descriptor = Descriptor::of_own_user()?;
        let next = private::create(path, &descriptor, true).map_err(|error| {
            // That is how the system says that it would not be the first instance.
            match is(&error, ERROR_ACCESS_DENIED) || is(&error, ERROR_PIPE_BUSY) {
                true => io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there"),
                false => error,
            }
        })?;
        Ok(Self {
            next,
            path: path.to_owned(),
            descriptor,
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does what it is asked to, until it is dropped.
    pub async fn serve(mut self, operated: impl Into<Operated>) {
        let operated = Arc::new((operated.into(), Facts::now()));
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match self.accept().await {
                Ok(mut stream) => {
                    let operated = Arc::clone(&operated);
                    let exchange = async move {
                        let _place = place;
                        let peer = private::client(&stream);
                        if let Err(error) = exchange(&mut stream, &operated, peer).await {
                            debug!(%error, "Control connection broke off");
                        }
                    };
                    connections.spawn(exchange.instrument(debug_span!("control")));
                }
                Err(error) => {
                    warn!(%error, "Control connection could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn accept(&mut self) -> io::Result<NamedPipeServer> {
        if let Err(error) = self.next.connect().await {
            // Who came is gone already. The instance is good for another one.
            self.next.disconnect()?;
            return Err(error);
        }
        // Made while this one is there, so that the name is never free to be taken.
        let next = private::create(&self.path, &self.descriptor, false)?;
        Ok(mem::replace(&mut self.next, next))
    }
}

/// Refuses what is no pipe: to open a path is to write to whatever it leads to.
fn check(path: &Path) -> io::Result<()> {
    let text = path.to_str().unwrap_or_default();
    let name = match text.split_at_checked(PIPES.len()) {
        Some((pipes, name)) if pipes.eq_ignore_ascii_case(PIPES) => name,
        _ => "",
    };
    if matches!(name, "" | "." | "..") || name.contains(['\\', '/']) {
        let message = format!("expected a named pipe, {PIPES}NAME");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

/// The user whose pipe it is, where the name says so.
fn owner(path: &Path) -> Option<&str> {
    let (_, name) = path.to_str()?.split_at_checked(PIPES.len())?;
    let (user, _) = name.strip_prefix(OURS)?.rsplit_once('-')?;
    user.starts_with("S-").then_some(user)
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

/// Asks the program that listens on the pipe at `path`, and waits for its reply: see [`Reply`](crate::control::Reply).
///
/// Blocks, and where a process is to start or to stop, for as long as that takes. Whoever listens learns who asks, and can't
/// act as them.
///
/// # Errors
///
/// When nobody listens there, somebody else than the name says does, or what they say is no reply.
pub fn ask(path: &Path, request: &Request) -> io::Result<Value> {
    check(path)?;
    let converse = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime
            .enable_all()
            .build()?
            .block_on(converse(path, request))
    };
    // On a thread of its own: that of the caller may be of another runtime, which can't wait for this one.
    thread::scope(|scope| scope.spawn(converse).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn converse(path: &Path, request: &Request) -> io::Result<Value> {
    let mut stream = timeout(PATIENCE, connect(path)).await??;
    let line = exchange::line(request)?;
    timeout(PATIENCE, stream.write_all(&line)).await??;
    let mut reply = Vec::new();
    let mut limited = BufReader::new(stream.take(LONGEST_REPLY));
    let read = limited.read_until(b'\n', &mut reply);
    match exchange::limit(request) {
        Some(limit) => timeout(limit, read).await??,
        None => read.await?,
    };
    exchange::reply(&reply)
}

async fn connect(path: &Path) -> io::Result<NamedPipeClient> {
    loop {
        // By default it lets the other side know who we are, and not act as us.
        match ClientOptions::new().open(path) {
            // There is none for us yet.
            Err(error) if is(&error, ERROR_PIPE_BUSY) => sleep(PAUSE / 10).await,
            opened => {
                let stream = opened?;
                if let Some(user) = owner(path) {
                    private::check_owner(&stream, user)?;
                }
                return Ok(stream);
            }
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
