//! Tunnels: what a request becomes when the app agrees to speak WebSocket.
//!
//! Bytes pass as they are, so that extensions, fragments, pings and closes stay between client and app.
//!
//! Differs from ANCM: it relays messages, and so takes `Sec-WebSocket-Extensions` away.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, Span, debug};

use super::{h2c, lease::Lease, seats::Seat};
use crate::{error::BoxError, websocket::Cut};

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

    /// Opens one. It ends when both sides have ended or one has failed, and `lease` with it. The client's side is a stream of
    /// HTTP/2 where it has a `cut`.
    pub(super) fn open(&self, client: OnUpgrade, cut: Option<Cut>, app: AppSide, lease: Lease) {
        let close = self.close.clone();
        let tunnel = async move {
            tokio::select! {
                biased;
                () = close.cancelled() => debug!("Tunnel closed"),
                ended = relay(client, cut, app) => match ended {
                    Ok((up, down)) => debug!(bytes.up = up, bytes.down = down, "Tunnel ended"),
                    Err(error) => debug!(%error, "Tunnel broke off"),
                },
            }
            drop(lease);
        };
        self.tracker.spawn(tunnel.instrument(Span::current()));
    }
}

/// The app's side of a tunnel.
pub(super) enum AppSide {
    /// A connection of HTTP/1.1, which becomes one.
    Upgrade(OnUpgrade, Seat),
    /// A stream of HTTP/2, which is one.
    Stream(h2c::Tunnel),
}

async fn relay(client: OnUpgrade, cut: Option<Cut>, app: AppSide) -> Result<(u64, u64), BoxError> {
    match app {
        AppSide::Upgrade(app, _seat) => {
            let (client, app) = tokio::try_join!(client, app)?;
            copy(client, cut, TokioIo::new(app)).await
        }
        AppSide::Stream(app) => copy(client.await?, cut, app).await,
    }
}

async fn copy(
    client: Upgraded,
    cut: Option<Cut>,
    mut app: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<(u64, u64), BoxError> {
    let mut client = TokioIo::new(client);
    let copied: io::Result<_> = if let Some(cut) = cut {
        let mut client = Multiplexed::new(client, cut);
        let copied = copy_bidirectional_with_sizes(&mut client, &mut app, BUFFER, BUFFER).await;
        client.whole = copied.is_ok();
        copied
    } else {
        copy_bidirectional_with_sizes(&mut client, &mut app, BUFFER, BUFFER).await
    };
    copied.map_err(Into::into)
}

/// How often what reads lets others run until it asks what writes: that is woken by the same reset.
const TURNS: u8 = 3;

/// The client's side of a tunnel that is a stream of HTTP/2.
///
/// Whoever reads hears of a stream that was reset (RFC 8441, 5) what it hears of one that has ended: hyper tells only whoever
/// writes. A tunnel that ends by a reset is not to look like one whose client may still listen.
struct Multiplexed {
    io: TokioIo<Upgraded>,
    cut: Cut,
    /// Whether both sides have ended, so that the stream may.
    whole: bool,
    /// How many turns are left once the client has ended.
    ended: Option<u8>,
}

impl Multiplexed {
    const fn new(io: TokioIo<Upgraded>, cut: Cut) -> Self {
        Self {
            io,
            cut,
            whole: false,
            ended: None,
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let turns = self.ended.unwrap_or(TURNS);
        self.ended = Some(turns.saturating_sub(1));
        if turns > 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Multiplexed {
    fn drop(&mut self) {
        if !self.whole {
            self.cut.cut();
        }
    }
}

impl AsyncRead for Multiplexed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.ended.is_none() {
            ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        }
        if buf.filled().len() > before || buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.poll_end(cx)
    }
}

impl AsyncWrite for Multiplexed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
