//! What this codec makes of an answer beside what hyper makes of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is tested with and fuzzed"
)]

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{decode::Step, head};

/// An answer as whoever reads it takes it.
#[derive(Debug, PartialEq)]
pub(super) struct Taken {
    status: u16,
    version: http::Version,
    reason: Option<Vec<u8>>,
    fields: HeaderMap,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

/// What is left of `bytes`, which come in pieces of `piece` bytes before the connection ends.
pub(super) fn ours(bytes: &[u8], piece: usize, to_head: bool) -> Result<(Taken, bool), String> {
    let mut pieces = bytes.chunks(piece.max(1));
    let (mut read, mut spare) = (BytesMut::new(), HeaderMap::new());
    let head = loop {
        let more = pieces.next().ok_or("breaks off")?;
        read.extend_from_slice(more);
        if let Some(head) =
            head::parse(&mut read, to_head, &mut spare, &mut head::Early::default())?
        {
            break head;
        }
    };
    let (parts, ()) = head.response.into_parts();
    let mut taken = Taken {
        status: parts.status.as_u16(),
        version: parts.version,
        reason: reason(&parts.extensions),
        fields: parts.headers,
        body: Vec::new(),
        trailers: None,
    };
    let mut body = head.body;
    loop {
        match body.step(&mut read)? {
            Step::Data(data) => taken.body.extend_from_slice(&data),
            Step::Trailers(fields) => taken.trailers = Some(fields),
            Step::End => return Ok((taken, head.keeps_alive && read.is_empty())),
            Step::More => match pieces.next() {
                Some(more) => read.extend_from_slice(more),
                None => return body.close().map(|()| (taken, false)).map_err(Into::into),
            },
        }
    }
}

fn reason(extensions: &http::Extensions) -> Option<Vec<u8>> {
    let reason = extensions.get::<hyper::ext::ReasonPhrase>();
    reason.map(|reason| reason.as_bytes().to_vec())
}

/// The same by hyper.
fn hypers(bytes: &[u8], to_head: bool) -> Result<Taken, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let (near, mut far) = tokio::io::duplex(1024 * 1024);
        let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
        tokio::spawn(connection);
        let method = if to_head { Method::HEAD } else { Method::GET };
        let request = Request::builder().method(method).uri("/");
        let request = request.body(http_body_util::Empty::<Bytes>::new()).unwrap();
        let answer = tokio::spawn(sender.send_request(request));
        let _ = far.read(&mut [0; 1024]).await;
        let _ = far.write_all(bytes).await;
        drop(far);
        let answer = answer.await.unwrap().map_err(|error| error.to_string())?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok(Taken {
            status: parts.status.as_u16(),
            version: parts.version,
            reason: reason(&parts.extensions),
            fields: parts.headers,
            trailers: body.trailers().cloned(),
            body: body.to_bytes().to_vec(),
        })
    })
}

/// Whether we are known to refuse what hyper takes.
fn is_stricter(error: &str) -> bool {
    matches!(
        error,
        "it switches protocols, which nobody asked for"
            | "the trailers have a bare line feed in them"
            | "it has a transfer coding other than chunked"
    )
}

/// Whether both take the answer; they take it alike.
pub(in crate::proxy) fn compare(bytes: &[u8], piece: usize, to_head: bool) -> bool {
    let (ours, hypers) = (ours(bytes, piece, to_head), hypers(bytes, to_head));
    let text = String::from_utf8_lossy(bytes);
    match (ours, hypers) {
        (Ok((ours, _)), Ok(hypers)) => {
            assert_eq!(ours, hypers, "{text:?}");
            true
        }
        (Ok((ours, _)), Err(error)) => panic!("hyper says {error}, we take {ours:?} of {text:?}"),
        (Err(error), Ok(_)) => {
            assert!(is_stricter(&error), "{error}: hyper takes {text:?}");
            false
        }
        (Err(_), Err(_)) => false,
    }
}
