//! What is said on a connection, whatever it is made of.

use std::{io, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};
use tracing::info;

use crate::control::{Operated, Reply, Request, report::Facts};

/// The longest request, in bytes.
const LONGEST_REQUEST: u64 = 16 * 1024;
/// The longest reply, in bytes: some hundred processes' last output.
pub(super) const LONGEST_REPLY: u64 = 64 * 1024 * 1024;
/// How long each side may take to say its line; what is done in between takes its own time.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How many may be connected. More wait for their turn.
pub(super) const CONNECTIONS: usize = 32;
/// The pause after a connection that could not be accepted, most often for want of descriptors.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// One line of `peer`, and the answer.
pub(super) async fn exchange<S>(
    stream: &mut S,
    (operated, facts): &(Operated, Facts),
    peer: Option<u32>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let reply = match timeout(PATIENCE, read(stream)).await?? {
        Ok(request) => {
            info!(?request, peer, "Control command");
            operated.answer(request, facts).await
        }
        Err(error) => Reply::Failed {
            error: format!("not a request: {error}"),
            output: None,
        },
    };
    let line = line(&reply)?;
    timeout(PATIENCE, stream.write_all(&line)).await??;
    stream.shutdown().await
}

async fn read<S>(stream: &mut S) -> io::Result<Result<Request, serde_json::Error>>
where
    S: AsyncRead + Unpin,
{
    let mut line = Vec::new();
    let limited = stream.take(LONGEST_REQUEST);
    tokio::io::BufReader::new(limited)
        .read_until(b'\n', &mut line)
        .await?;
    Ok(serde_json::from_slice(&line))
}

/// What is sent, with its end.
pub(super) fn line<T: serde::Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// The reply that a line is.
pub(super) fn reply(line: &[u8]) -> io::Result<Value> {
    if line.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no reply"));
    }
    Ok(serde_json::from_slice(line)?)
}

/// How long the reply to `request` may take: no limit where processes start or stop before it.
pub(super) fn limit(request: &Request) -> Option<Duration> {
    let quick = matches!(
        request,
        Request::Status {} | Request::Online {} | Request::Logs { .. }
    );
    quick.then_some(PATIENCE)
}
