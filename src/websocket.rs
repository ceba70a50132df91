//! A WebSocket over HTTP/2 (RFC 8441), as the upgrade of HTTP/1.1 that apps know.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    request, response,
};
use hyper::ext::Protocol;
use sha1::{Digest as _, Sha1};
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// What every answer to a key is made with (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request that was an extended CONNECT, and what its answer has to prove.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    accept: String,
    cut: Cut,
}

/// Marks a request of HTTP/2 that asks for a WebSocket, among its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extended;

/// Breaks the client's stream off, which else ends as if all had been said (RFC 8441, 5).
///
/// Our front puts one among an extended CONNECT's extensions; nobody hears one of another front.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut {
    token: CancellationToken,
}

impl Cut {
    /// To be said before the stream is dropped.
    pub(crate) fn cut(&self) {
        self.token.cancel();
    }

    /// Waits for it. Cancel safe.
    #[cfg(feature = "front")]
    pub(crate) async fn heard(&self) {
        self.token.cancelled().await;
    }
}

impl Handshake {
    /// Makes of an extended CONNECT the GET with which HTTP/1.1 asks for a WebSocket, with a key of its own; any other
    /// request is `None` and stays as it is. The version stays too, and says what else is to be done about it.
    ///
    /// # Errors
    ///
    /// For a protocol that is not WebSocket (RFC 8441, 4), or when the system gives no random bytes.
    pub(crate) fn begin(parts: &mut request::Parts) -> Result<Option<Self>, Error> {
        if parts.method != Method::CONNECT {
            return Ok(None);
        }
        let Some(protocol) = parts.extensions.remove::<Protocol>() else {
            return Ok(None);
        };
        if !protocol.as_str().eq_ignore_ascii_case("websocket") {
            return Err(Error::protocol_refused());
        }
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)
            .map_err(|error| Error::app(format!("no random bytes: {error}")))?;
        let key = STANDARD.encode(nonce);
        let accept = accept(&key);
        let key = HeaderValue::try_from(key).map_err(Error::app)?;
        let headers = &mut parts.headers;
        headers.insert(SEC_WEBSOCKET_KEY, key);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        parts.method = Method::GET;
        parts.extensions.insert(Extended);
        let cut = parts.extensions.remove::<Cut>().unwrap_or_default();
        Ok(Some(Self { accept, cut }))
    }

    pub(crate) const fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Makes of the answer of HTTP/1.1 that of HTTP/2: of a 101 with the right proof a 200 (RFC 8441, 5), and any other as it
    /// is.
    ///
    /// # Errors
    ///
    /// For a proof that is none, and for a success that is no switch: the client would take it for one.
    pub(crate) fn finish(&self, parts: &mut response::Parts) -> Result<(), &'static str> {
        if parts.status != StatusCode::SWITCHING_PROTOCOLS {
            return if parts.status.is_success() {
                Err("it answers with success, and does not switch to the WebSocket")
            } else {
                Ok(())
            };
        }
        let headers = &mut parts.headers;
        let mut proofs = headers.get_all(SEC_WEBSOCKET_ACCEPT).iter();
        let proved = proofs.next().is_some_and(|proof| *proof == *self.accept);
        if !proved || proofs.next().is_some() {
            return Err("it switches without the proof that it understood");
        }
        for name in [SEC_WEBSOCKET_ACCEPT, CONNECTION, UPGRADE] {
            headers.remove(name);
        }
        parts.status = StatusCode::OK;
        Ok(())
    }
}

/// What proves to a client of HTTP/1.1 that its request for a WebSocket was understood, where the app can't say so because
/// it was asked by HTTP/2.
///
/// # Errors
///
/// Without the one key of 16 bytes in base64 that a request has (RFC 6455, 4.1).
pub(crate) fn proof(headers: &HeaderMap) -> Result<HeaderValue, &'static str> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err("a request for a WebSocket has one Sec-WebSocket-Key");
    };
    let key = key.to_str().unwrap_or_default();
    let is_sound = STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16);
    HeaderValue::try_from(accept(key))
        .ok()
        .filter(|_| is_sound)
        .ok_or("the Sec-WebSocket-Key is none")
}

/// What proves that `key` was understood (RFC 6455, 4.2.2).
fn accept(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    STANDARD.encode(digest)
}

#[cfg(test)]
mod tests {
    use http::{Request, Response, Version};

    use super::*;

    fn connect(protocol: Option<&'static str>) -> request::Parts {
        let mut request = Request::connect("https://example.com/chat?a=b").version(Version::HTTP_2);
        if let Some(protocol) = protocol {
            request = request.extension(Protocol::from_static(protocol));
        }
        request
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "the client's")
            .body(())
            .unwrap()
            .into_parts()
            .0
    }

    fn answer(status: u16, proofs: &[&str]) -> response::Parts {
        let mut response = Response::builder()
            .status(status)
            .header("upgrade", "websocket")
            .header("connection", "Upgrade")
            .header("sec-websocket-protocol", "chat");
        for proof in proofs {
            response = response.header("sec-websocket-accept", *proof);
        }
        response.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_proof_is_that_of_the_rfc() {
        let example = "dGhlIHNhbXBsZSBub25jZQ==";
        assert_eq!(accept(example), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_proof_is_for_one_sound_key() {
        let example = "dGhlIHNhbXBsZSBub25jZQ==";
        for (keys, want) in [
            (&[example][..], Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
            (&[], None),
            (&[""], None),
            (&["x"], None),
            (&["dGhlIHNhbXBsZQ=="], None),
            (&[example, example], None),
        ] {
            let key = |key: &&'static str| (SEC_WEBSOCKET_KEY, HeaderValue::from_static(key));
            let headers: HeaderMap = keys.iter().map(key).collect();
            let proof = proof(&headers).ok();
            assert_eq!(proof.as_ref().map(|proof| proof.to_str().unwrap()), want);
        }
    }

    #[test]
    fn becomes_an_upgrade_with_a_key_of_its_own() {
        let mut keys = Vec::new();
        for protocol in ["websocket", "WebSocket"] {
            let mut parts = connect(Some(protocol));
            assert!(Handshake::begin(&mut parts).unwrap().is_some());
            assert_eq!(parts.method, Method::GET);
            assert_eq!(parts.uri, "https://example.com/chat?a=b");
            assert_eq!(parts.headers["connection"], "Upgrade");
            assert_eq!(parts.headers["upgrade"], "websocket");
            assert!(parts.extensions.get::<Protocol>().is_none());
            let key = parts.headers[SEC_WEBSOCKET_KEY].clone();
            assert_eq!(STANDARD.decode(&key).unwrap().len(), 16);
            assert!(!keys.contains(&key), "a new one each time");
            keys.push(key);
        }
    }

    #[test]
    fn what_is_no_extended_connect_stays_as_it_is() {
        let mut plain = connect(None);
        assert!(Handshake::begin(&mut plain).unwrap().is_none());
        assert_eq!(plain.method, Method::CONNECT);
        let mut get = connect(Some("websocket"));
        get.method = Method::GET;
        assert!(Handshake::begin(&mut get).unwrap().is_none());
        assert_eq!(get.headers[SEC_WEBSOCKET_KEY], "the client's");
    }

    #[test]
    fn other_protocols_are_refused() {
        for protocol in ["connect-udp", "webtransport", "websocket, h2c", ""] {
            let error = Handshake::begin(&mut connect(Some(protocol))).unwrap_err();
            assert_eq!(error.status(), 501, "{protocol}");
        }
    }

    #[test]
    fn only_a_101_with_its_proof_is_success() {
        let mut parts = connect(Some("websocket"));
        let handshake = Handshake::begin(&mut parts).unwrap().unwrap();
        let right = handshake.accept.clone();
        let mut opened = answer(101, &[&right]);
        handshake.finish(&mut opened).unwrap();
        assert_eq!(opened.status, 200);
        assert_eq!(opened.headers.len(), 1, "{:?}", opened.headers);
        assert_eq!(opened.headers["sec-websocket-protocol"], "chat");
        for (status, proofs) in [
            (101, &[][..]),
            (101, &["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]),
            (101, &[&*right, &*right]),
            (200, &[&*right]),
            (204, &[]),
        ] {
            let mut parts = answer(status, proofs);
            handshake.finish(&mut parts).unwrap_err();
        }
        let mut refused = answer(426, &[]);
        handshake.finish(&mut refused).unwrap();
        assert_eq!((refused.status.as_u16(), refused.headers.len()), (426, 3));
    }
}
