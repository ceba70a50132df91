//! Whether a process has taken the place that was made for it.
//!
//! Behind a listener that it inherited, the system takes connections before the process runs. So it is ready when it
//! *answers*: `OPTIONS *`, which is there to be asked without a consequence (RFC 9110, 9.3.7), with whatever status. A
//! socket that it has to open by itself is there when it takes a connection.

use tokio::time::{Duration, Instant, sleep, timeout_at};
use tracing::debug;

use super::is_listening;
use crate::{
    error::chain,
    proxy::{Address, Owner},
    supervisor::{
        exchange::Peer,
        process::{Exit, Listener, Process},
        ready::{self, Listening, NotReady},
    },
};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until the process at `peer` answers there, or listens where it has to open the socket itself (`opens`).
pub(in crate::supervisor) async fn taken<P: Process, O: Owner>(
    process: &P,
    peer: &Peer<'_, O>,
    opens: bool,
    limit: Duration,
) -> Result<Listening, NotReady> {
    let deadline = Instant::now() + limit;
    let look = async {
        while !is_there(peer, opens).await {
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        biased;
        exit = gone(process, &peer.address) => return Err(NotReady::Exited(exit)),
        looked = timeout_at(deadline, look) => looked.map_err(|_| NotReady::TimedOut(None))?,
    }
    Ok(Listening {
        pid: owner(process, &peer.address),
        address: peer.address.clone(),
    })
}

async fn is_there<O: Owner>(peer: &Peer<'_, O>, opens: bool) -> bool {
    if opens && let Address::Unix(path) = &peer.address {
        return is_listening(path).await;
    }
    let answer = peer.ping().await;
    answer
        .inspect_err(|error| debug!(error = %chain(error), "Process does not answer yet"))
        .is_ok()
}

/// Waits until the process ends and leaves nobody of its own behind the listener: a launcher may.
async fn gone<P: Process>(process: &P, address: &Address) -> Exit {
    let exit = process.exited().await;
    while ready::owns(process, address).await == Some(true) {
        sleep(ready::WATCH).await;
    }
    exit
}

/// Who listens; where that is not known, the process that was started.
fn owner<P: Process>(process: &P, address: &Address) -> u32 {
    let Address::Tcp(address) = address else {
        return process.id();
    };
    match process.listener(*address) {
        Ok(Listener::Own(pid)) => pid,
        Ok(Listener::None | Listener::Stranger(_)) | Err(_) => process.id(),
    }
}
