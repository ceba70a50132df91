//! How a process is stopped: asked over HTTP, told by signal, killed.

use tokio::time::{Duration, Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

#[cfg(all(unix, feature = "in-process"))]
use super::worker::protocol::{Order, milliseconds};
use super::{
    exchange::Peer, generation::Generation, owner::ListenerOwner, process::Process, ready,
};
use crate::PathBase;

/// How long a process that was killed may take to be gone.
const REAP: Duration = Duration::from_secs(5);

/// What a stop has to know.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) path_base: PathBase,
    /// How long requests under way may go on before the process is told; zero: not at all.
    pub(super) drain: Duration,
    /// `shutdownTimeLimit`: from the moment the process is told to the moment it is killed.
    pub(super) limit: Duration,
    /// Ends the drain early.
    pub(super) hurry: CancellationToken,
}

impl Stop {
    /// Stops `generation`, which takes no requests any more; it and its descendants are gone after.
    ///
    /// ANCM: it asks with a `POST`; if that is not answered with 202, the process gets the signal;
    /// after `shutdownTimeLimit` it is killed, descendants in any case. A process that said 202 is
    /// given its time, and no signal.
    pub(super) async fn run<P: Process>(self, generation: &Generation<P>) {
        let begin = Instant::now();
        let label = generation.label();
        let (pid, number) = (label.pid, label.generation);
        tokio::select! {
            biased;
            _ = gone(generation) => {}
            () = self.drain(generation) => {}
        }
        let drained = begin.elapsed();
        let deadline = after(self.limit);
        let graceful =
            !self.limit.is_zero() && timeout_at(deadline, self.ask(generation)).await.is_ok();
        if !graceful {
            // ANCM: event 1005.
            warn!(process.pid = pid, generation = number, limit = ?self.limit, "Process did not stop in time and is killed");
        }
        end(generation).await;
        let (elapsed, in_flight) = (begin.elapsed(), generation.in_flight());
        info!(
            process.pid = pid,
            generation = number,
            graceful,
            in_flight,
            ?drained,
            ?elapsed,
            "Process stopped"
        );
    }

    /// Waits until no request is under way.
    async fn drain<P: Process>(&self, generation: &Generation<P>) {
        if self.drain.is_zero() {
            return;
        }
        tokio::select! {
            biased;
            () = drained(generation) => {}
            () = self.hurry.cancelled() => {}
            () = sleep(self.drain) => {
                let pid = generation.label().pid;
                let in_flight = generation.in_flight();
                warn!(process.pid = pid, in_flight, "Process still has requests and is stopped nevertheless");
            }
        }
    }

    /// Asks the process to stop and waits until it and who listens for it are gone.
    async fn ask<P: Process>(&self, generation: &Generation<P>) {
        let process = generation.process();
        if generation.is_here() {
            process.terminate();
            return generation.backend().drained().await;
        }
        let accepted = tokio::select! {
            biased;
            _ = gone(generation) => true,
            accepted = self.tell(generation) => accepted,
        };
        if !accepted {
            debug!(
                process.pid = generation.label().pid,
                "Process gets the stop signal"
            );
            process.terminate();
        }
        // ANCM: it waits for the process that it started. Differs: for the one that listens, too.
        // That one stops listening first and then finishes its requests.
        gone(generation).await;
        process.exited().await;
        if generation.listening().pid != process.id() {
            generation.backend().drained().await;
        }
    }

    /// Whether the process knows that it is to stop: a worker by its channel, every other by the shutdown event.
    async fn tell<P: Process>(&self, generation: &Generation<P>) -> bool {
        #[cfg(all(unix, feature = "in-process"))]
        if let Some(channel) = generation.place().channel() {
            let limit_ms = milliseconds(self.limit);
            return channel.order(Order::Stop { limit_ms });
        }
        self.post(generation).await
    }

    /// Whether the process took the shutdown event. It may have half of the time to answer, so that
    /// one that hangs still has the other half after the signal.
    async fn post<P: Process>(&self, generation: &Generation<P>) -> bool {
        let pid = generation.label().pid;
        let address = &generation.listening().address;
        let peer = Peer {
            address: address.clone(),
            token: generation.backend().token(),
            owner: ListenerOwner::new(generation.process().clone(), address.clone()),
            path_base: &self.path_base,
            protocol: generation.backend().protocol(),
        };
        match timeout(self.limit / 2, peer.shutdown()).await {
            // ANCM: event 1006.
            Ok(Ok(status)) => {
                info!(
                    process.pid = pid,
                    status = status.as_u16(),
                    "Process was asked to stop"
                );
                status == http::StatusCode::ACCEPTED
            }
            Ok(Err(error)) => {
                info!(process.pid = pid, %error, "Process could not be asked to stop");
                false
            }
            Err(_) => {
                info!(
                    process.pid = pid,
                    "Process did not answer when asked to stop"
                );
                false
            }
        }
    }
}

/// Waits until the process has no request, be it one that did not come by us.
async fn drained<P: Process>(generation: &Generation<P>) {
    #[cfg(all(unix, feature = "in-process"))]
    if let Some(channel) = generation.place().channel() {
        channel.order(Order::Drain);
        channel.drained().await;
    }
    generation.backend().drained().await;
}

/// Waits until nobody of the process's own listens.
async fn gone<P: Process>(generation: &Generation<P>) {
    ready::gone(generation.process(), generation.listening()).await;
}

/// The moment after so long a time, however long that is.
fn after(time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    Instant::now() + time.min(FAR)
}

/// Cleans up after a process that ended by itself, or whose listener did.
pub(super) async fn bury<P: Process>(generation: &Generation<P>, limit: Duration) {
    let process = generation.process();
    process.terminate();
    let _ = timeout(limit, process.exited()).await;
    end(generation).await;
}

/// Kills what is left and waits until it is gone and its output is read.
async fn end<P: Process>(generation: &Generation<P>) {
    generation.process().kill();
    if timeout(REAP, generation.process().exited()).await.is_err() {
        warn!(
            process.pid = generation.label().pid,
            "Process was killed and is not gone"
        );
    }
    generation.output().finish().await;
}
