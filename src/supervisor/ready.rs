//! Whether a process listens: at its start, and for as long as it serves.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use tokio::{
    net::TcpStream,
    time::{Duration, Instant, sleep, timeout},
};

#[cfg(unix)]
use super::place::is_listening;
use super::{
    probe::Unhealthy,
    process::{Exit, Listener, Process},
};
use crate::proxy::Address;

/// Where a process may listen, the likely one first.
///
/// ANCM: IPv4 alone. Differs from ANCM: where `localhost` is `::1`, a program that listens there does so by IPv6 alone.
const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// How often to look at first. One look takes about 0.2 ms.
///
/// Differs from ANCM: 250 ms, which is most of the start of a small app.
const EAGER: Duration = Duration::from_millis(2);
/// For how long to look so often.
const EAGER_FOR: Duration = Duration::from_secs(2);
/// How often to look at a process that takes its time.
const PATIENT: Duration = Duration::from_millis(20);
/// How often to look whether a descendant still listens, whose end nobody tells us.
pub(super) const WATCH: Duration = Duration::from_millis(250);

/// A process that listens, and where.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    /// The process that was started, or a descendant of it.
    pub(super) pid: u32,
    pub(super) address: Address,
}

impl Listening {
    const fn tcp(pid: u32, address: SocketAddr) -> Self {
        let address = Address::Tcp(address);
        Self { pid, address }
    }
}

/// Why a process will not serve.
#[derive(Debug)]
pub(super) enum NotReady {
    /// It ended.
    Exited(Exit),
    /// It did not listen in time; the error is why we could not look.
    TimedOut(Option<io::Error>),
    /// Another process listens on its port.
    Stranger(Option<u32>),
    /// It listens, but did not pass its probe.
    Unhealthy(Unhealthy),
    /// It ended, or stopped listening, at its probe.
    Gone(Option<Exit>),
    /// An app of this process could not be made.
    Failed(Arc<str>),
    /// It is a worker, and could not host the app.
    #[cfg(all(unix, feature = "in-process"))]
    Unhosted(super::worker::protocol::Failed),
}

/// Waits until `process`, or a descendant, listens on `port`; gives the one that does.
///
/// ANCM: it looks at least once, so with a `limit` of 0 exactly once; a process that ends before it
/// listens has failed; any descendant may be the one that listens (`dotnet run`, a script).
pub(super) async fn listening<P: Process>(
    process: &P,
    port: u16,
    limit: Duration,
) -> Result<Listening, NotReady> {
    let begin = Instant::now();
    loop {
        let blind = match look(process, port).await {
            Ok((Listener::Own(pid), address)) => return Ok(Listening::tcp(pid, address)),
            Ok((Listener::Stranger(pid), _)) => return Err(NotReady::Stranger(pid)),
            Ok((Listener::None, _)) => None,
            Err(error) => Some(error),
        };
        let elapsed = begin.elapsed();
        let Some(left) = limit.checked_sub(elapsed).filter(|left| !left.is_zero()) else {
            return Err(NotReady::TimedOut(blind));
        };
        let eager = elapsed < EAGER_FOR;
        let pause = if eager { EAGER } else { PATIENT };
        tokio::select! {
            biased;
            exit = process.exited() => return last_look(process, port, exit),
            () = sleep(left.min(pause)) => {}
        }
    }
}

/// Waits until an app of this process is made.
pub(super) async fn made<P: Process>(process: &P, limit: Duration) -> Result<Listening, NotReady> {
    match timeout(limit, process.instance()).await {
        Ok(Ok(instance)) => Ok(Listening {
            pid: process.id(),
            address: Address::InProcess(instance),
        }),
        Ok(Err(reason)) => Err(NotReady::Failed(reason)),
        Err(_) => Err(NotReady::TimedOut(None)),
    }
}

/// A launcher may end as soon as its child listens.
fn last_look<P: Process>(process: &P, port: u16, exit: Exit) -> Result<Listening, NotReady> {
    let addresses = LOOPBACK.map(|ip| SocketAddr::new(ip, port)).into_iter();
    let mut own = addresses.filter_map(|address| match process.listener(address) {
        Ok(Listener::Own(pid)) => Some(Listening::tcp(pid, address)),
        Ok(Listener::None | Listener::Stranger(_)) | Err(_) => None,
    });
    own.next().ok_or(NotReady::Exited(exit))
}

/// Who listens, and where: by IPv6 only if it is one of ours, for there a stranger is in nobody's way.
async fn look<P: Process>(process: &P, port: u16) -> io::Result<(Listener, SocketAddr)> {
    let [v4, v6] = LOOPBACK.map(|ip| SocketAddr::new(ip, port));
    match look_at(process, v4).await? {
        Listener::None => {}
        seen @ (Listener::Own(_) | Listener::Stranger(_)) => return Ok((seen, v4)),
    }
    Ok(match look_at(process, v6).await? {
        own @ Listener::Own(_) => (own, v6),
        Listener::None | Listener::Stranger(_) => (Listener::None, v4),
    })
}

/// Who listens. Where the system does not tell, somebody who takes connections counts as ours.
///
/// ANCM: its older version did so where it could not see the owners of ports.
async fn look_at<P: Process>(process: &P, address: SocketAddr) -> io::Result<Listener> {
    match process.listener(address) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            Ok(match TcpStream::connect(address).await {
                Ok(_) => Listener::Own(process.id()),
                Err(_) => Listener::None,
            })
        }
        seen => seen,
    }
}

/// Waits until nobody of the process's own listens any more; gives how it ended, if it did.
///
/// ANCM: the end of a launcher is not the end of the app while a descendant of it listens.
///
/// Differs from ANCM: the end of that descendant is noticed too, whether its launcher lives or not,
/// and so is a port that a stranger took over.
pub(super) async fn gone<P: Process>(process: &P, listening: &Listening) -> Option<Exit> {
    let Listening { pid, address } = listening;
    if *pid == process.id() {
        let exit = process.exited().await;
        while owns(process, address).await == Some(true) {
            sleep(WATCH).await;
        }
        return Some(exit);
    }
    let mut exit = None;
    loop {
        tokio::select! {
            biased;
            ended = process.exited(), if exit.is_none() => exit = Some(ended),
            () = sleep(WATCH) => {}
        }
        match owns(process, address).await {
            Some(true) => {}
            None if exit.is_none() => {}
            Some(false) | None => return exit,
        }
    }
}

/// Whether the listener is the process's own; `None` where nobody can tell. At a Unix socket of ours, nobody else listens.
pub(super) async fn owns<P: Process>(process: &P, address: &Address) -> Option<bool> {
    match address {
        Address::Tcp(address) => match process.listener(*address) {
            Ok(Listener::Own(_)) => Some(true),
            Ok(Listener::None | Listener::Stranger(_)) => Some(false),
            Err(_) => None,
        },
        #[cfg(unix)]
        Address::Unix(path) => Some(is_listening(path).await),
        Address::InProcess(_) => Some(false),
    }
}
