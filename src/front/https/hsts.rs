//! `Strict-Transport-Security` (RFC 6797).

use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderValue, Request, Response, header::STRICT_TRANSPORT_SECURITY};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{host, scheme};
use crate::{Connection, Scheme};

/// Tells clients to come by TLS alone from now on; see the [module](super).
///
/// Said only where TLS is spoken (RFC 6797, 7.2), not to whoever asks for this machine itself, as in
/// ASP.NET Core, and not where the answer says it already.
#[derive(Clone, Debug)]
#[must_use]
pub struct HstsLayer {
    max_age: Duration,
    subdomains: bool,
    preload: bool,
    enabled: bool,
    scheme: Option<Scheme>,
}

impl HstsLayer {
    /// For 30 days, ASP.NET Core's own default, and for the host alone.
    pub fn new() -> Self {
        Self {
            max_age: Duration::from_secs(30 * 24 * 60 * 60),
            subdomains: false,
            preload: false,
            enabled: true,
            scheme: None,
        }
    }

    /// Sets how long clients remember it, in whole seconds; zero has them forget. Defaults to 30 days.
    pub fn max_age(mut self, time: Duration) -> Self {
        self.max_age = time;
        self
    }

    /// Sets whether it is said of all hosts below, too. Defaults to no.
    pub fn include_subdomains(mut self, subdomains: bool) -> Self {
        self.subdomains = subdomains;
        self
    }

    /// Sets whether browsers may know of it before they ever came. Defaults to no.
    pub fn preload(mut self, preload: bool) -> Self {
        self.preload = preload;
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

    fn value(&self) -> HeaderValue {
        let mut value = format!("max-age={}", self.max_age.as_secs());
        if self.subdomains {
            value.push_str("; includeSubDomains");
        }
        if self.preload {
            value.push_str("; preload");
        }
        HeaderValue::try_from(value).expect("words and a number are plain ASCII")
    }
}

impl Default for HstsLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for HstsLayer {
    type Service = Hsts<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Hsts {
            inner,
            value: self.enabled.then(|| self.value()),
            scheme: self.scheme,
        }
    }
}

/// The service of [`HstsLayer`].
#[derive(Clone, Debug)]
pub struct Hsts<S> {
    inner: S,
    value: Option<HeaderValue>,
    scheme: Option<Scheme>,
}

/// Whether a request is for this machine by a name that every machine has.
fn is_local<B>(request: &Request<B>) -> bool {
    host(request).is_some_and(|authority| {
        let name = authority.host();
        let ip = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

impl<S, B, R> Service<Request<B>> for Hsts<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = HstsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let said = |_: &&HeaderValue| {
            scheme(self.scheme, &request) == Scheme::Https && !is_local(&request)
        };
        HstsFuture {
            value: self.value.as_ref().filter(said).cloned(),
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The future of [`Hsts`].
    #[derive(Debug)]
    pub struct HstsFuture<F> {
        #[pin]
        inner: F,
        value: Option<HeaderValue>,
    }
}

impl<F, R, E> Future for HstsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if let Some(value) = this.value.take() {
            let headers = response.headers_mut();
            headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(value);
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::header::HOST;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    async fn said(layer: &HstsLayer, scheme: Scheme, host: &str, own: Option<&str>) -> Vec<String> {
        let connection = Connection::unknown().with_scheme(scheme);
        let inner = service_fn(|_: Request<()>| async move {
            let mut response = Response::new(());
            if let Some(own) = own {
                let own = HeaderValue::from_str(own).unwrap();
                response
                    .headers_mut()
                    .insert(STRICT_TRANSPORT_SECURITY, own);
            }
            Ok::<_, Infallible>(response)
        });
        let request = Request::get("/").header(HOST, host).body(()).unwrap();
        let service = layer.for_connection(&connection).layer(inner);
        let response = service.oneshot(request).await.unwrap();
        let values = response.headers().get_all(STRICT_TRANSPORT_SECURITY);
        values
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    #[tokio::test]
    async fn is_said_over_tls_alone_and_not_of_this_machine() {
        let layer = HstsLayer::new();
        for (scheme, host, want) in [
            (Scheme::Https, "a.test", true),
            (Scheme::Https, "a.test:8443", true),
            (Scheme::Https, "192.0.2.1", true),
            (Scheme::Http, "a.test", false),
            (Scheme::Https, "localhost", false),
            (Scheme::Https, "LOCALHOST:8443", false),
            (Scheme::Https, "127.0.0.1:8443", false),
            (Scheme::Https, "[::1]", false),
        ] {
            let values = said(&layer, scheme, host, None).await;
            assert_eq!(
                values,
                ["max-age=2592000"][..usize::from(want)],
                "{scheme} {host}"
            );
        }
    }

    #[tokio::test]
    async fn says_what_it_is_told_to_and_not_over_the_app_s_own() {
        let layer = HstsLayer::new()
            .max_age(Duration::from_secs(60))
            .include_subdomains(true);
        let values = said(&layer, Scheme::Https, "a.test", None).await;
        assert_eq!(values, ["max-age=60; includeSubDomains"]);
        let values = said(&layer.clone().preload(true), Scheme::Https, "a.test", None).await;
        assert_eq!(values, ["max-age=60; includeSubDomains; preload"]);
        let values = said(&layer, Scheme::Https, "a.test", Some("max-age=0")).await;
        assert_eq!(values, ["max-age=0"]);
        let off = layer.enabled(false);
        assert!(said(&off, Scheme::Https, "a.test", None).await.is_empty());
    }
}
