//! What the parent makes of a request before it comes by it, and what it refuses, for one that comes straight from its client: a
//! WebSocket of HTTP/2 as the app knows it, an upgrade of HTTP/1.1, and nothing without one valid host.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{
    HeaderValue, Request, Response, Version,
    header::{CONNECTION, HOST},
    request::Parts,
};
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::debug;

use crate::{
    error::Error,
    proxy::judge,
    websocket::{Extended, Handshake},
};

/// An app that hears of no extended CONNECT.
#[derive(Clone, Debug)]
pub(super) struct Upgrades<S> {
    inner: S,
}

impl<S> Upgrades<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, B, R> Service<Request<B>> for Upgrades<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = UpgradeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let http1 = parts.version <= Version::HTTP_11;
        match admit(&mut parts) {
            Ok(handshake) => UpgradeFuture::Called {
                inner: self.inner.call(Request::from_parts(parts, body)),
                handshake: handshake.map(Box::new),
            },
            Err(error) => UpgradeFuture::Refused { error, http1 },
        }
    }
}

/// The app gets what the client sent, so that only what the parent would refuse is refused.
fn admit(parts: &mut Parts) -> Result<Option<Handshake>, Error> {
    let handshake = Handshake::begin(parts)?;
    if handshake.is_some() {
        settle(parts);
    }
    judge(parts)?;
    Ok(handshake)
}

/// HTTP/1.1 names the host in a field.
fn settle(parts: &mut Parts) {
    parts.version = Version::HTTP_11;
    parts.extensions.remove::<Extended>();
    if let Some(host) = parts.uri.host()
        && !parts.headers.contains_key(HOST)
    {
        let authority = parts.uri.authority().map_or(host, |whole| whole.as_str());
        if let Ok(host) = HeaderValue::from_str(authority) {
            parts.headers.insert(HOST, host);
        }
    }
}

pin_project! {
    /// The app's answer. Cancel safe if the app's is.
    #[project = UpgradeProj]
    pub(super) enum UpgradeFuture<F> {
        Called {
            #[pin]
            inner: F,
            handshake: Option<Box<Handshake>>,
        },
        Refused {
            error: Error,
            http1: bool,
        },
    }
}

impl<F, R, E> Future for UpgradeFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (inner, handshake) = match self.project() {
            UpgradeProj::Called { inner, handshake } => (inner, handshake),
            UpgradeProj::Refused { error, http1 } => {
                let mut response = refusal(error);
                if *http1 && error.ends_connection() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                return Poll::Ready(Ok(response));
            }
        };
        let response = ready!(inner.poll(cx))?;
        let Some(handshake) = handshake else {
            return Poll::Ready(Ok(response));
        };
        let (mut parts, body) = response.into_parts();
        Poll::Ready(Ok(match handshake.finish(&mut parts) {
            Ok(()) => Response::from_parts(parts, body),
            Err(why) => refusal(&Error::app(why)),
        }))
    }
}

fn refusal<R: Default>(error: &Error) -> Response<R> {
    debug!(%error, "Request refused");
    let mut response = Response::new(R::default());
    *response.status_mut() = error.status();
    response
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Method, StatusCode};
    use hyper::ext::Protocol;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    fn connect(protocol: &'static str) -> Request<()> {
        Request::connect("https://example.com:8443/chat")
            .version(Version::HTTP_2)
            .extension(Protocol::from_static(protocol))
            .body(())
            .unwrap()
    }

    async fn status(request: Request<()>, answer: u16) -> StatusCode {
        let app = service_fn(move |request: Request<()>| async move {
            assert_eq!(request.method(), Method::GET);
            assert_eq!(request.version(), Version::HTTP_11);
            assert_eq!(request.headers()["host"], "example.com:8443");
            assert!(request.extensions().get::<Extended>().is_none());
            let response = Response::builder().status(answer).body("rest").unwrap();
            Ok::<_, Infallible>(response)
        });
        let answer = Upgrades::new(app).oneshot(request).await.unwrap();
        answer.status()
    }

    #[tokio::test]
    async fn the_app_sees_an_upgrade_and_its_refusal_passes() {
        assert_eq!(status(connect("websocket"), 403).await, 403);
        // A success is the beginning of a tunnel, and this is none.
        assert_eq!(status(connect("websocket"), 200).await, 500);
        assert_eq!(status(connect("websocket"), 101).await, 500, "no proof");
        assert_eq!(status(connect("connect-udp"), 200).await, 501);
    }

    /// The status of a request over HTTP/1.1 that asks for `target`, and whether its connection ends.
    async fn asked(method: &str, target: &str, hosts: &[&str]) -> (StatusCode, bool) {
        let mut request = Request::builder().method(method).uri(target);
        for host in hosts {
            request = request.header("host", *host);
        }
        let app = service_fn(|_| async { Ok::<_, Infallible>(Response::new("app")) });
        let request = request.body(()).unwrap();
        let answer = Upgrades::new(app).oneshot(request).await.unwrap();
        let closes = answer.headers().contains_key(CONNECTION);
        assert_eq!(closes, *answer.body() != "app", "{method} {target}");
        (answer.status(), closes)
    }

    #[tokio::test]
    async fn what_has_no_single_valid_host_does_not_reach_the_app() {
        for hosts in [
            &[][..],
            &["a", "a"],
            &["a", "b"],
            &["a b"],
            &["a/b"],
            &["u@a"],
            &["a:b"],
        ] {
            assert_eq!(
                asked("GET", "/", hosts).await,
                (StatusCode::BAD_REQUEST, true),
                "{hosts:?}"
            );
        }
        for target in ["*", "other", "http://other/"] {
            assert_eq!(
                asked("GET", target, &["a"]).await,
                (StatusCode::BAD_REQUEST, true),
                "{target}"
            );
        }
        for method in ["TRACE", "CONNECT"] {
            assert_eq!(asked(method, "/", &["a"]).await.0, 405, "{method}");
        }
        for (method, target, host) in [
            ("GET", "/", "a:80"),
            ("OPTIONS", "*", "[::1]"),
            ("GET", "http://A/x", "a"),
            ("GET", "/", ""),
        ] {
            assert_eq!(
                asked(method, target, &[host]).await.0,
                200,
                "{method} {target}"
            );
        }
    }
}
