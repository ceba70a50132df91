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
    if let Some(error) = ended {
        debug!(%error, "Connection to the app ended");
    }
}

/// Lets go of a connection that is not used; why one has to end that is.
async fn look_after(
    mut ping: Option<PingPong>,
    state: &Arc<State>,
    links: &Weak<Links>,
) -> &'static str {
    let (mut idle, mut silent) = (0, 0);
    let mut asked: Option<Instant> = None;
    loop {
        let doubted = tokio::select! {
            biased;
            () = state.doubt.notified() => true,
            () = sleep(LOOK) => false,
        };
        idle = match state.is_idle() && !state.take_used() {
            true => idle + 1,
            false => 0,
        };
        silent = match state.take_heard() || state.is_idle() {
            true => 0,
            false => silent + 1,
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
            if !is_there(&mut ping).await {
                return "the app is silent";
            }
            state.trust();
        }
    }
}

/// Whether the app answers.
async fn is_there(ping: &mut Option<PingPong>) -> bool {
    let Some(ping) = ping else {
        return true;
    };
    matches!(
        timeout(PONG_LIMIT, ping.ping(Ping::opaque())).await,
        Ok(Ok(_))
    )
}
