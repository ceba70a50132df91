//! What keeps a connection going, and ends it when it is of no more use.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use h2::{Ping, PingPong, client::Connection};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::{link::State, links::Links, opening::Opening};
use crate::proxy::seats::Seat;

/// How often is looked after a connection.
const LOOK: Duration = Duration::from_secs(10);

/// After how many looks a connection without a request is let go: after a minute, as one of HTTP/1.1.
const IDLE_LOOKS: u8 = 6;

/// After how many looks without any part of an answer, while there are requests, the app is asked whether it is there.
const SILENT_LOOKS: u8 = 3;

/// How long it may take to say so.
const PONG_LIMIT: Duration = Duration::from_secs(10);

/// The least time from one such question to the next. Servers of gRPC close a connection that asks more than twice
/// within five minutes in which they had nothing to say.
const PING_PAUSE: Duration = Duration::from_secs(310);

/// Drives a connection to its end.
pub(super) async fn drive(
    mut connection: Connection<Opening, Bytes>,
    seat: Seat,
    state: Arc<State>,
    links: Weak<Links>,
) {
    let ping = connection.ping_pong();
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended.err().map(|error| error.to_string()),
        why = look_after(ping, &state, &links) => Some(why.to_owned()),
    };
    state.retire();
    if let Some(links) = links.upgrade() {
        links.forget(&state);
    }
    drop((connection, seat));
    if let Some(error) = ended {
        debug!(%error, "Connection to the app ended");
    }
}

/// Lets go of a connection that is not used; why one has to end that is.
async fn look_after(mut app: impl Ask, state: &Arc<State>, links: &Weak<Links>) -> &'static str {
    let (mut idle, mut silent) = (0_u8, 0_u8);
    let mut asked: Option<Instant> = None;
    loop {
        let doubted = tokio::select! {
            biased;
            () = state.doubt.notified() => true,
            () = sleep(LOOK) => false,
        };
        idle = match state.is_idle() && !state.take_used() {
            true => idle.saturating_add(1),
            false => 0,
        };
        silent = match state.take_heard() || state.is_idle() {
            true => 0,
            false => silent.saturating_add(1),
        };
        if idle >= IDLE_LOOKS {
            state.retire();
            // It ends by itself once nobody can send on it.
            if let Some(links) = links.upgrade() {
                links.forget(state);
            }
        }
        let rested = asked.is_none_or(|asked| asked.elapsed() >= PING_PAUSE);
        if doubted || (silent >= SILENT_LOOKS && rested) {
            asked = Some(Instant::now());
            if !app.is_there().await {
                return "the app is silent";
            }
            state.trust();
        }
    }
}

/// Whether somebody is there.
trait Ask: Send {
    fn is_there(&mut self) -> impl Future<Output = bool> + Send;
}

/// Whether the app answers a ping.
impl Ask for Option<PingPong> {
    async fn is_there(&mut self) -> bool {
        let Some(ping) = self else {
            return true;
        };
        let answered = timeout(PONG_LIMIT, ping.ping(Ping::opaque())).await;
        matches!(answered, Ok(Ok(_)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// An app that notes when it was asked, in seconds, and says so or is silent.
    struct App<'a> {
        begin: Instant,
        asked: &'a Mutex<Vec<u64>>,
        answers: bool,
    }

    impl Ask for App<'_> {
        async fn is_there(&mut self) -> bool {
            let asked = self.begin.elapsed().as_secs();
            self.asked.lock().unwrap().push(asked);
            self.answers
        }
    }

    /// When the app was asked while `live` goes on with a connection; and how that ended.
    async fn asked(
        state: &Arc<State>,
        answers: bool,
        live: impl Future<Output = ()>,
    ) -> (Vec<u64>, Option<&'static str>) {
        let (asked, nobody) = (Mutex::default(), Weak::new());
        let app = App {
            begin: Instant::now(),
            asked: &asked,
            answers,
        };
        let ended = tokio::select! {
            biased;
            ended = look_after(app, state, &nobody) => Some(ended),
            () = live => None,
        };
        (asked.into_inner().unwrap(), ended)
    }

    fn link() -> Arc<State> {
        Arc::default()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_used_for_a_minute_is_let_go() {
        let state = link();
        let live = sleep(Duration::from_secs(59));
        assert_eq!(asked(&state, true, live).await, (vec![], None));
        assert!(!state.is_retired());
        let live = sleep(Duration::from_secs(61));
        asked(&state, true, live).await;
        assert!(state.is_retired());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_used_stays() {
        let state = link();
        let live = async {
            for _ in 0..60 {
                drop(state.place());
                sleep(Duration::from_secs(10)).await;
            }
        };
        assert_eq!(asked(&state, false, live).await, (vec![], None));
        assert!(!state.is_retired());
    }

    #[tokio::test(start_paused = true)]
    async fn an_app_that_is_silent_is_asked_seldom() {
        let state = link();
        let _request = state.place();
        let live = sleep(Duration::from_secs(700));
        assert_eq!(asked(&state, true, live).await, (vec![30, 340, 650], None));
    }

    #[tokio::test(start_paused = true)]
    async fn an_app_that_says_something_is_not_asked() {
        let state = link();
        let _request = state.place();
        let live = async {
            for _ in 0..20 {
                sleep(Duration::from_secs(25)).await;
                state.hear();
            }
        };
        assert_eq!(asked(&state, true, live).await, (vec![], None));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_doubted_is_asked_at_once_and_trusted_again_or_ended() {
        for (answers, ended) in [(true, None), (false, Some("the app is silent"))] {
            let state = link();
            let _request = state.place();
            let live = async {
                state.doubt();
                state.doubt();
                sleep(Duration::from_secs(5)).await;
            };
            let live = async {
                tokio::task::yield_now().await;
                live.await;
            };
            assert_eq!(asked(&state, answers, live).await, (vec![0], ended));
            assert_eq!(state.is_doubted(), !answers);
        }
    }
}
