//! Tunnels: what a request becomes when the app agrees to speak WebSocket.
//!
//! Bytes pass as they are, so that extensions, fragments, pings and closes stay between client and app.
//!
//! Differs from ANCM: it relays messages, and so takes `Sec-WebSocket-Extensions` away.

use std::io;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional_with_sizes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, Span, debug};

use super::backend::Lease;
use crate::error::BoxError;

/// What is read at once from either side of a tunnel.
const BUFFER: usize = 8 * 1024;

/// The tunnels of a proxy, which no server's own graceful stop knows of.
#[derive(Clone, Debug, Default)]
pub struct Tunnels {
    tracker: TaskTracker,
    close: CancellationToken,
}

impl Tunnels {
    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tracker.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracker.is_empty()
    }

    /// Closes all, and from now on each as soon as it opens.
    pub fn close(&self) {
        self.close.cancel();
    }

    /// Waits until none is open. Cancel safe.
    pub async fn closed(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Opens one. It ends when both sides have ended or one has failed, and `lease` with it.
    pub(super) fn open(&self, client: OnUpgrade, app: OnUpgrade, lease: Lease) {
        let close = self.close.clone();
        let tunnel = async move {
            tokio::select! {
                biased;
                () = close.cancelled() => debug!("Tunnel closed"),
                ended = relay(client, app) => match ended {
                    Ok((up, down)) => debug!(bytes.up = up, bytes.down = down, "Tunnel ended"),
                    Err(error) => debug!(%error, "Tunnel broke off"),
                },
            }
            drop(lease);
        };
        self.tracker.spawn(tunnel.instrument(Span::current()));
    }
}

async fn relay(client: OnUpgrade, app: OnUpgrade) -> Result<(u64, u64), BoxError> {
    let (client, app) = tokio::try_join!(client, app)?;
    let (mut client, mut app) = (TokioIo::new(client), TokioIo::new(app));
    let copied: io::Result<_> =
        copy_bidirectional_with_sizes(&mut client, &mut app, BUFFER, BUFFER).await;
    copied.map_err(Into::into)
}
