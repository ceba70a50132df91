//! Runs what an HTTP/2 connection begins: its requests, and what became tunnels of them.

use std::sync::Arc;

use super::pulse::Pulse;

/// Spawns for one connection of HTTP/2.
///
/// hyper keeps a tunnel going by a task, which it spawns right behind the answer that opened it, in the same poll. So whatever
/// the app does with a tunnel, its connection knows of it: that it is not idle, and how many are cut in the end.
#[derive(Clone, Debug)]
pub(super) struct Spawner {
    pulse: Arc<Pulse>,
}

impl Spawner {
    pub(super) fn new(pulse: &Arc<Pulse>) -> Self {
        Self {
            pulse: pulse.clone(),
        }
    }
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        let Some(cut) = self.pulse.take_switched() else {
            tokio::spawn(task);
            return;
        };
        let open = Open::begin(&self.pulse);
        tokio::spawn(async move {
            // Dropped before its end, the stream is reset.
            tokio::select! {
                biased;
                () = cut.heard() => {}
                _ = task => {}
            }
            drop(open);
        });
    }
}

/// A tunnel on a stream, until it ends or is dropped.
struct Open {
    pulse: Arc<Pulse>,
}

impl Open {
    fn begin(pulse: &Arc<Pulse>) -> Self {
        pulse.tunnel_began();
        Self {
            pulse: pulse.clone(),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.pulse.tunnel_ended();
    }
}

#[cfg(test)]
mod tests {
    use hyper::rt::Executor as _;
    use tokio::task::yield_now;

    use super::*;
    use crate::{front::pulse::Phase, websocket::Cut};

    async fn until(mut condition: impl FnMut() -> bool) {
        while !condition() {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_connection_with_a_tunnel_is_not_idle() {
        let pulse = Arc::new(Pulse::default());
        let spawner = Spawner::new(&pulse);
        pulse.set_http2();
        pulse.request_began();
        let (cut, (end, ended)) = (Cut::default(), tokio::sync::oneshot::channel::<()>());
        pulse.set_stream_switched(cut);
        spawner.execute(async { ended.await.is_ok() });
        pulse.request_ended();
        assert_eq!((pulse.phase(), pulse.tunnels()), (Phase::Busy, 1));
        // What is spawned next is a request.
        spawner.execute(std::future::pending::<()>());
        assert_eq!(pulse.tunnels(), 1);
        end.send(()).unwrap();
        until(|| pulse.tunnels() == 0).await;
        assert!(matches!(pulse.phase(), Phase::Idle(_)));
    }

    #[tokio::test]
    async fn what_is_cut_is_dropped_before_its_end() {
        let pulse = Arc::new(Pulse::default());
        let (cut, held) = (Cut::default(), Arc::new(()));
        pulse.set_stream_switched(cut.clone());
        let task = held.clone();
        Spawner::new(&pulse).execute(async move {
            std::future::pending::<()>().await;
            drop(task);
        });
        yield_now().await;
        assert_eq!(Arc::strong_count(&held), 2);
        cut.cut();
        until(|| Arc::strong_count(&held) == 1).await;
        until(|| pulse.tunnels() == 0).await;
    }
}
