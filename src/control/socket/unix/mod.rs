//! A Unix socket.

use std::{
    fmt,
    fs::{self, Permissions},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::UnixStream as Blocking,
    },
    path::Path,
    sync::Arc,
};

use rustix::fs::Mode;
use serde_json::Value;
use tokio::{
    net::{UnixListener, UnixSocket, UnixStream},
    sync::Semaphore,
    task::JoinSet,
    time::sleep,
};
use tracing::{Instrument, debug, debug_span, warn};

pub use self::path::socket_path;
use super::exchange::{self, CONNECTIONS, LONGEST_REPLY, PATIENCE, PAUSE};
use crate::{
    control::{Operated, Request, report::Facts},
    files::{SocketName, own_uid},
};

mod path;

/// How many more may wait to be accepted.
const BACKLOG: u32 = 128;
/// The socket's mode.
const MODE: u32 = 0o600;

/// Lets other programs of the same user operate an app.
///
/// Dropping it removes the socket.
pub struct Socket {
    listener: UnixListener,
    name: SocketName,
}

impl Socket {
    /// Makes the socket, of mode 0600. One that nobody listens on any more is replaced.
    ///
    /// # Errors
    ///
    /// When somebody listens there, something else is there, or it can't be made. Outside of a tokio
    /// runtime, too.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let (listener, name) = SocketName::take(path, private)?;
        let metadata = fs::symlink_metadata(path)?;
        if metadata.mode() & 0o777 != MODE {
            fs::set_permissions(path, Permissions::from_mode(MODE))?;
        }
        Ok(Self { listener, name })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.name.path()
    }

    /// Does what it is asked to, until it is dropped.
    pub async fn serve(self, operated: impl Into<Operated>) {
        let operated = Arc::new((operated.into(), Facts::now()));
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let operated = Arc::clone(&operated);
                    let exchange = async move {
                        let _place = place;
                        if let Err(error) = exchange(stream, &operated).await {
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
}

/// A socket that nobody else could open at any time, where the system lets its mode be set before it
/// has a name: Linux does. Elsewhere it is the folder that keeps others out until the mode is set,
/// and in any case the question who they are.
fn private(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    let _ = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    socket.bind(path)?;
    socket.listen(BACKLOG)
}

/// One line, and the answer.
async fn exchange(mut stream: UnixStream, operated: &(Operated, Facts)) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    // The super-user can do all this without us.
    if uid != own_uid() && uid != 0 {
        warn!(uid, "Control connection of another user refused");
        return Ok(());
    }
    exchange::exchange(&mut stream, operated, Some(uid)).await
}

/// Asks the program that listens on the socket at `path`, and waits for its reply: see [`Reply`](crate::control::Reply).
///
/// Blocks, and where a process is to start or to stop, for as long as that takes.
///
/// # Errors
///
/// When nobody listens there, or what it says is no reply.
pub fn ask(path: &Path, request: &Request) -> io::Result<Value> {
    let mut stream = Blocking::connect(path)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(exchange::limit(request))?;
    stream.write_all(&exchange::line(request)?)?;
    let mut reply = Vec::new();
    BufReader::new(stream.take(LONGEST_REPLY)).read_until(b'\n', &mut reply)?;
    exchange::reply(&reply)
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
