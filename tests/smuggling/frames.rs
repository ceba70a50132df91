//! HTTP/2 frames as bytes (RFC 9113, 4), written without asking whether they make sense.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::site::soon;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let [_, length @ ..] = length;
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A HEADERS frame, whose fields all stand in it as they are.
pub(crate) fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags, stream, &block(fields))
}

pub(crate) fn data(stream: u32, flags: u8, data: &str) -> Vec<u8> {
    frame(DATA, flags, stream, data.as_bytes())
}

/// Literal fields that are not indexed (RFC 7541, 6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(text.len(), &mut block);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// With a prefix of seven bits (RFC 7541, 5.1), the eighth of which says that nothing is compressed.
fn integer(mut value: usize, to: &mut Vec<u8>) {
    if value < 127 {
        return to.push(u8::try_from(value).unwrap());
    }
    to.push(127);
    value -= 127;
    while value >= 128 {
        to.push(u8::try_from(value % 128).unwrap() | 128);
        value /= 128;
    }
    to.push(u8::try_from(value).unwrap());
}

/// What became of the requests of a connection.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// The statuses of the answers on a stream: `Some` where it is one that has a number of its own in HPACK.
    pub(crate) answers: Vec<(u32, Option<u16>)>,
    pub(crate) resets: Vec<u32>,
    /// The streams that the other end brought to their end.
    pub(crate) ended: Vec<u32>,
    pub(crate) goaway: bool,
}

impl Outcome {
    pub(crate) fn answer(&self, stream: u32) -> Option<Option<u16>> {
        let found = self.answers.iter().find(|(on, _)| *on == stream);
        found.map(|(_, status)| *status)
    }
}

/// Says `bytes` on a new connection, and listens until stream `last` was answered or the connection ends.
pub(crate) async fn exchange(stream: TcpStream, bytes: &[u8], last: u32) -> Outcome {
    exchange_until(
        stream,
        bytes,
        |outcome| outcome.answer(last).is_some(),
        last,
    )
    .await
}

/// Says `bytes` on a new connection, and listens until stream `last` has come to its end or the connection has.
pub(crate) async fn exchange_whole(stream: TcpStream, bytes: &[u8], last: u32) -> Outcome {
    exchange_until(stream, bytes, |outcome| outcome.ended.contains(&last), last).await
}

async fn exchange_until(
    mut stream: TcpStream,
    bytes: &[u8],
    enough: impl Fn(&Outcome) -> bool,
    last: u32,
) -> Outcome {
    let said = [PREFACE, &frame(SETTINGS, 0, 0, &[]), bytes].concat();
    // The other end may have closed before it took all of it.
    let _ = soon(stream.write_all(&said)).await;
    let mut outcome = Outcome::default();
    while let Some((kind, flags, on, payload)) = soon(next(&mut stream)).await {
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            outcome.ended.push(on);
        }
        match kind {
            HEADERS => outcome.answers.push((on, status(&payload))),
            RESET => outcome.resets.push(on),
            GOAWAY => outcome.goaway = true,
            _ => {}
        }
        if enough(&outcome) || outcome.resets.contains(&last) {
            break;
        }
    }
    outcome
}

async fn next(stream: &mut TcpStream) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, on @ ..] = head;
    let length = u32::from_be_bytes([0, a, b, c]);
    let mut payload = vec![0; usize::try_from(length).ok()?];
    stream.read_exact(&mut payload).await.ok()?;
    Some((kind, flags, u32::from_be_bytes(on), payload))
}

/// The status that a header block begins with, if it is one of the static table (RFC 7541, appendix A).
fn status(block: &[u8]) -> Option<u16> {
    let known = [200, 204, 206, 304, 400, 404, 500];
    // A change of the table's size may come first.
    let first = block.iter().find(|byte| **byte >= 0x40)?;
    let index = usize::from(first.checked_sub(0x80 + 8)?);
    known.get(index).copied()
}
