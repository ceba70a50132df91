//! Sends clients of cleartext to the same place by TLS.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, StatusCode, header::LOCATION};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{host, scheme, target};
use crate::{Connection, ResponseBody, Scheme};

/// Answers requests that came in cleartext with a redirect; see the [module](super).
///
/// The redirect keeps the host and the target, byte for byte. A request that names no host gets 400.
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpsRedirectLayer {
    port: u16,
    status: StatusCode,
    enabled: bool,
    scheme: Option<Scheme>,
}

impl HttpsRedirectLayer {
    /// A redirect to port 443, with 308.
    pub fn new() -> Self {
        Self {
            port: 443,
            status: StatusCode::PERMANENT_REDIRECT,
            enabled: true,
            scheme: None,
        }
    }

    /// Sets the port where TLS is spoken. Defaults to 443, which needs not be said to clients.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets whether clients may remember it: 307 where not, which is also what ASP.NET Core's own
    /// redirect answers. Defaults to 308. Either keeps the method (RFC 9110, 15.4.8 and 15.4.9).
    pub fn temporary(mut self, temporary: bool) -> Self {
        self.status = if temporary {
            StatusCode::TEMPORARY_REDIRECT
        } else {
            StatusCode::PERMANENT_REDIRECT
        };
        self
    }

    /// Sets whether it does anything, for a stack whose type is not to depend on that. Defaults to yes.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// The same layer for the requests of one connection.
    pub fn for_connection(&self, connection: &Connection) -> Self {
        Self {
            scheme: Some(connection.scheme()),
            ..self.clone()
        }
    }

    /// The answer to a request in cleartext.
    fn answer<B, R>(&self, request: &Request<B>) -> Response<ResponseBody<R>> {
        let mut response = Response::new(ResponseBody::empty());
        match self.location(request) {
            Some(location) => {
                *response.status_mut() = self.status;
                response.headers_mut().insert(LOCATION, location);
            }
            None => *response.status_mut() = StatusCode::BAD_REQUEST,
        }
        response
    }

    fn location<B>(&self, request: &Request<B>) -> Option<HeaderValue> {
        let authority = host(request)?;
        let (host, target) = (authority.host(), target(request.uri()));
        let location = match self.port {
            443 => format!("https://{host}{target}"),
            port => format!("https://{host}:{port}{target}"),
        };
        HeaderValue::try_from(location).ok()
    }
}

impl Default for HttpsRedirectLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for HttpsRedirectLayer {
    type Service = HttpsRedirect<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpsRedirect {
            inner,
            redirect: self.clone(),
        }
    }
}

/// The service of [`HttpsRedirectLayer`].
#[derive(Clone, Debug)]
pub struct HttpsRedirect<S> {
    inner: S,
    redirect: HttpsRedirectLayer,
}

impl<S, B, R> Service<Request<B>> for HttpsRedirect<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = RedirectFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let redirect = &self.redirect;
        let state = if redirect.enabled && scheme(redirect.scheme, &request) == Scheme::Http {
            State::Redirect {
                response: Some(redirect.answer(&request)),
            }
        } else {
            State::Forward {
                future: self.inner.call(request),
            }
        };
        RedirectFuture { state }
    }
}

pin_project! {
    /// The future of [`HttpsRedirect`].
    pub struct RedirectFuture<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, R> {
        Forward { #[pin] future: F },
        Redirect { response: Option<Response<ResponseBody<R>>> },
    }
}

impl<F, R, E> Future for RedirectFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project().state.project() {
            StateProj::Forward { future } => ready!(future.poll(cx))?.map(ResponseBody::inner),
            StateProj::Redirect { response } => {
                response.take().expect("not polled after completion")
            }
        }))
    }
}

impl<F, R> std::fmt::Debug for RedirectFuture<F, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedirectFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::header::HOST;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    async fn ask(layer: HttpsRedirectLayer, request: Request<()>) -> (u16, Option<String>) {
        let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
        let response = layer.layer(inner).oneshot(request).await.unwrap();
        let location = response.headers().get(LOCATION);
        let location = location.map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), location)
    }

    fn request(host: &str, target: &str) -> Request<()> {
        Request::post(target).header(HOST, host).body(()).unwrap()
    }

    #[tokio::test]
    async fn keeps_host_and_target_and_knows_the_port() {
        let plain = HttpsRedirectLayer::new;
        for (layer, request, status, want) in [
            (plain(), request("a.test", "/"), 308, "https://a.test/"),
            (plain(), request("a.test:80", "/x"), 308, "https://a.test/x"),
            (
                plain(),
                request("A.test:8080", "/%2e%2E/%3f?q=%20&"),
                308,
                "https://A.test/%2e%2E/%3f?q=%20&",
            ),
            (plain(), request("[::1]:80", "//x"), 308, "https://[::1]//x"),
            (plain(), request("a.test", "*"), 308, "https://a.test/"),
            (
                plain().port(8443),
                request("a.test:80", "/x"),
                308,
                "https://a.test:8443/x",
            ),
            (
                plain().port(8443),
                request("[::1]", "/x"),
                308,
                "https://[::1]:8443/x",
            ),
            (
                plain().temporary(true),
                request("a.test", "/"),
                307,
                "https://a.test/",
            ),
            (
                plain(),
                request("ignored.test", "http://b.test:80/x?y"),
                308,
                "https://b.test/x?y",
            ),
        ] {
            let said = format!("{request:?}");
            assert_eq!(
                ask(layer, request).await,
                (status, Some(want.to_owned())),
                "{said}"
            );
        }
    }

    #[tokio::test]
    async fn whoever_names_no_host_is_sent_nowhere() {
        let twice = Request::get("/")
            .header(HOST, "a.test")
            .header(HOST, "b.test");
        for request in [
            Request::get("/").body(()).unwrap(),
            twice.body(()).unwrap(),
            request("", "/"),
            request("user@a.test", "/"),
            request("a test", "/"),
            request("a.test/evil", "/"),
            request(":80", "/"),
        ] {
            let said = format!("{request:?}");
            assert_eq!(
                ask(HttpsRedirectLayer::new(), request).await,
                (400, None),
                "{said}"
            );
        }
    }

    #[tokio::test]
    async fn whoever_came_by_tls_stays() {
        let secure = Connection::unknown().with_scheme(Scheme::Https);
        let mut known = request("a.test", "/");
        known.extensions_mut().insert(secure.clone());
        assert_eq!(ask(HttpsRedirectLayer::new(), known).await.0, 200);
        let layer = HttpsRedirectLayer::new().for_connection(&secure);
        assert_eq!(ask(layer, request("a.test", "/")).await.0, 200);
        let plain = HttpsRedirectLayer::new().for_connection(&Connection::unknown());
        assert_eq!(ask(plain.clone(), request("a.test", "/")).await.0, 308);
        let off = plain.enabled(false);
        assert_eq!(ask(off, request("a.test", "/")).await.0, 200);
    }
}
