//! One thread of the front: a runtime, its listeners, its connections.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    runtime,
    task::JoinSet,
    time::{self, Instant},
};

use super::{
    Drained,
    accept::{Acceptor, Begin, Room, Stop},
    clients::Clients,
    listen::Endpoint,
    memory,
    options::Limits,
    socket::{Listener, Listening},
    standby::Standby,
};

/// What a thread is started with.
pub(super) struct Worker {
    pub(super) listeners: Vec<(Listening, Arc<Endpoint>)>,
    pub(super) limits: Arc<Limits>,
    pub(super) room: Arc<Room>,
    pub(super) begin: Begin,
    pub(super) stop: Stop,
    pub(super) standby: Standby,
    pub(super) adopted: bool,
    pub(super) lends: bool,
}

impl Worker {
    /// Runs the thread until the front has stopped and its connections have ended or were cut.
    pub(super) fn run(self) -> io::Result<Drained> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        #[cfg(all(unix, feature = "in-process"))]
        if self.lends {
            return super::lend::run(runtime, self.serve());
        }
        let drained = runtime.block_on(self.serve());
        // Cuts what is left, and does not wait for what blocks.
        runtime.shutdown_background();
        drained
    }

    async fn serve(mut self) -> io::Result<Drained> {
        let clients = Clients::new();
        let mut accepting = self.accept(&clients)?;
        let drain = async {
            let deadline = self.stop.wait_for(Option::is_some).await.map(|at| *at);
            while accepting.join_next().await.is_some() {}
            clients.finish();
            if let Ok(Some(deadline)) = deadline {
                let _ = time::timeout_at(deadline, clients.gone()).await;
            }
        };
        tokio::select! {
            biased;
            () = drain => {}
            () = sweep(&clients, &self.room, &self.limits) => {}
        }
        let (cut_connections, cut_tunnels) = clients.count();
        Ok(Drained {
            cut_connections,
            cut_tunnels,
        })
    }

    fn accept(&mut self, clients: &Clients) -> io::Result<JoinSet<()>> {
        let mut accepting = JoinSet::new();
        for (listening, endpoint) in std::mem::take(&mut self.listeners) {
            let acceptor = Acceptor {
                endpoint,
                clients: clients.clone(),
                room: self.room.clone(),
                begin: self.begin.clone(),
                stop: self.stop.clone(),
                turn: self.standby.turn(),
                adopted: self.adopted,
            };
            accepting.spawn(acceptor.run(Listener::adopt(listening)?));
        }
        Ok(accepting)
    }
}

/// How long until the next look at connections of which one did something.
const SOON: Duration = Duration::from_millis(50);

/// So many connections that came to rest leave memory behind that is worth to be given back, where this can be done
/// without haste or was not done for so long.
const WORTH_GIVING_BACK: usize = 64;
const GIVE_BACK_AFTER: Duration = Duration::from_secs(10);

/// Looks at every connection from time to time, for ever.
async fn sweep(clients: &Clients, room: &Room, limits: &Limits) {
    let period = period(limits);
    let (mut rested, mut given_back) = (0, Instant::now());
    loop {
        let now = Instant::now();
        let found = clients.sweep(now, limits);
        if room.is_wanted() {
            clients.close_longest_idle();
        }
        rested += found.rested;
        let calm = !found.restless || now.duration_since(given_back) >= GIVE_BACK_AFTER;
        if rested >= WORTH_GIVING_BACK && calm {
            memory::give_back();
            (rested, given_back) = (0, now);
        }
        if found.restless {
            time::sleep(period.min(SOON)).await;
        } else {
            // Nothing changes by itself but the time, and soon enough.
            let _ = time::timeout(period, clients.entered()).await;
        }
    }
}

/// How often to look: a quarter of the shortest limit, so that none is exceeded by more.
fn period(limits: &Limits) -> Duration {
    let shortest = limits
        .header_timeout
        .min(limits.idle_timeout)
        .min(limits.write_timeout);
    (shortest / 4).clamp(Duration::from_millis(1), Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::Front;

    #[test]
    fn looks_often_enough_and_not_too_often() {
        let limits = |time| Front::new().header_timeout(time).limits;
        assert_eq!(
            period(&limits(Duration::from_secs(30))),
            Duration::from_secs(1)
        );
        assert_eq!(
            period(&limits(Duration::from_millis(40))),
            Duration::from_millis(10)
        );
        assert_eq!(period(&limits(Duration::ZERO)), Duration::from_millis(1));
    }
}
