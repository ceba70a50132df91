//! Asks an app for a WebSocket by an extended CONNECT (RFC 8441).

use bytes::Bytes;
use h2::ext::Protocol;
use http::{
    HeaderName, Method, Request, Response,
    header::{CONTENT_LENGTH, SEC_WEBSOCKET_KEY, UPGRADE},
};
use tokio::time::timeout;
use tracing::debug;

use super::{
    ask::Exchange,
    failure::Failure,
    head::head,
    link::{Link, Place},
    links::Taken,
    send::{AWAYS, take},
    tunnel::Tunnel,
};
use crate::{
    error::Error,
    proxy::{options::ProxyOptions, send::Errand},
};

/// What the upgrade of HTTP/1.1 says and a CONNECT does not (RFC 8441, 5).
const OF_HTTP_1: [HeaderName; 3] = [UPGRADE, SEC_WEBSOCKET_KEY, CONTENT_LENGTH];

/// What the app made of it.
pub(in crate::proxy) enum Opened {
    /// A tunnel.
    Tunnel(Tunnel),
    /// An ordinary answer.
    Refused(Exchange),
}

/// Asks for a tunnel, in place of the upgrade that `errand` asks for, on a connection that has room for one more stream.
///
/// What was never sent is sent on the next connection, and what the app refused is sent once more (RFC 9113, 8.7).
///
/// # Errors
///
/// [`Error::no_tunnel`] where the app's settings do not offer it (RFC 8441, 3): then nothing is sent.
pub(in crate::proxy) async fn connect(
    errand: &mut Errand,
    options: &ProxyOptions,
) -> Result<(Response<()>, Opened), Error> {
    let (mut refused, mut aways) = (false, 0_u8);
    loop {
        let Taken {
            link,
            place,
            is_new,
        } = take(errand, options).await?;
        let asked = ask(&link, place, extended(&errand.request));
        let asked = match options.head_limit() {
            Some(limit) => timeout(limit, asked).await.map_err(|_| {
                link.state.doubt();
                Error::timeout("answer")
            })?,
            None => asked.await,
        };
        let explain = |error| link.state.explain(error);
        match asked {
            Ok(Some(answered)) => return Ok(answered),
            Ok(None) => return Err(Error::no_tunnel()),
            Err(Failure::Unsent(error)) => {
                link.state.retire();
                if is_new && link.state.is_understood() && aways < AWAYS {
                    aways += 1;
                } else if is_new {
                    let error = Error::backend(explain(error));
                    errand.go_elsewhere(error, options).await?;
                }
            }
            Err(Failure::Away(error)) if aways < AWAYS => {
                debug!(%error, "Request sent again");
                link.state.retire();
                aways += 1;
            }
            Err(Failure::Refused(error)) if !refused => {
                debug!(%error, "Request sent again");
                refused = true;
            }
            Err(
                Failure::Refused(error)
                | Failure::Away(error)
                | Failure::Closed(error)
                | Failure::Broken(error)
                | Failure::Body(error),
            ) => return Err(errand.failed(explain(error))),
            Err(Failure::Stalled) => return Err(Error::timeout("answer")),
            Err(Failure::Slow) => return Err(Error::client_slow()),
        }
    }
}

/// `None` where the app does not take it.
async fn ask(
    link: &Link,
    place: Place,
    request: Request<()>,
) -> Result<Option<(Response<()>, Opened)>, Failure> {
    let mut sender = link.sender.clone();
    if !sender.is_extended_connect_protocol_enabled() {
        link.state.settled().await;
    }
    if link.is_retired() {
        return Err(Failure::Unsent("the connection ended".into()));
    }
    if !sender.is_extended_connect_protocol_enabled() {
        return Ok(None);
    }
    let sent = sender.send_request(request, false);
    let (answer, mut up) = sent.map_err(|error| Failure::Unsent(error.into()))?;
    let answered = answer.await.map_err(|error| Failure::of(&error))?;
    place.state().prove();
    let (parts, down) = answered.into_parts();
    let opened = if parts.status.is_success() {
        Opened::Tunnel(Tunnel::new(up, down, place))
    } else {
        // Nothing follows; an app that does not want to hear even that has said so already.
        let _ = up.send_data(Bytes::new(), true);
        Opened::Refused(Exchange {
            stream: down,
            rest: None,
            place,
        })
    };
    Ok(Some((Response::from_parts(parts, ()), opened)))
}

/// The extended CONNECT that means what the upgrade `request` does.
fn extended<B>(request: &Request<B>) -> Request<()> {
    let mut head = head(request);
    *head.method_mut() = Method::CONNECT;
    head.extensions_mut()
        .insert(Protocol::from_static("websocket"));
    for name in OF_HTTP_1 {
        head.headers_mut().remove(name);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_becomes_a_connect_without_what_is_http_1s() {
        let request = Request::get("/chat?a=%20b")
            .header("host", "example.com:81")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("content-length", "0")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "chat")
            .body(())
            .unwrap();
        let head = extended(&request);
        assert_eq!(head.method(), Method::CONNECT);
        assert_eq!(head.uri(), "http://example.com:81/chat?a=%20b");
        let protocol = head.extensions().get::<Protocol>();
        assert_eq!(protocol.map(Protocol::as_str), Some("websocket"));
        let mut names: Vec<_> = head.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["sec-websocket-protocol", "sec-websocket-version"]);
    }
}
