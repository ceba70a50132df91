//! Listening after the last word, so that it arrives.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

#[cfg(feature = "tls")]
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time,
};

/// How long, and for how many bytes, a client is listened to after the last word to it, so that
/// what it still sends does not reset the connection before it read that word (RFC 9112, 9.6).
const LINGER: Duration = Duration::from_secs(5);
const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// One that says nothing for so long has no more to say.
const SILENCE: Duration = Duration::from_secs(1);

/// Reads off what the client still sends. Without `expected` only if something is there.
pub(super) async fn linger(stream: &mut (impl AsyncRead + Unpin), expected: bool) {
    let first = poll_fn(|cx| Poll::Ready(poll_discard(stream, cx))).await;
    match first {
        Poll::Ready(Ok(0) | Err(_)) => return,
        Poll::Pending if !expected => return,
        Poll::Ready(Ok(_)) | Poll::Pending => {}
    }
    let _ = time::timeout(LINGER, async {
        let mut discarded = 0;
        while discarded < LINGER_BYTES {
            match time::timeout(SILENCE, poll_fn(|cx| poll_discard(stream, cx))).await {
                Ok(Ok(0) | Err(_)) | Err(_) => return,
                Ok(Ok(read)) => discarded += read,
            }
        }
    })
    .await;
}

/// Says no more, and listens until the client has heard it.
#[cfg(feature = "tls")]
pub(super) async fn close(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.shutdown().await.is_ok() {
        linger(&mut stream, true).await;
    }
}

/// Not part of a future, so that the buffer is not part of every connection.
fn poll_discard(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut scratch = [0; 4096];
    let mut buf = ReadBuf::new(&mut scratch);
    ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
    Poll::Ready(Ok(buf.filled().len()))
}
