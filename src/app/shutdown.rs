//! Ends the app when the module asks for it.

use std::ops::ControlFlow;

use http::{HeaderMap, Request, StatusCode};
use tower_layer::Layer;
use tracing::info;

use super::stage::{Guard, Guarded};
use crate::{Shutdown, headers::MS_ASPNETCORE_EVENT};

/// Where the module posts its event to, below the path base.
const PATH: &str = "/iisintegration";
const EVENT: &[u8] = b"shutdown";

/// Answers the module's shutdown event with 202 and gives the signal.
///
/// It believes who asks: it belongs behind a [`PairingLayer`](super::PairingLayer), and inside of a
/// [`PathBaseLayer`](super::PathBaseLayer), because the module posts below the path base.
///
/// ```
/// # use std::convert::Infallible;
/// use ancm::{app::{Shutdown, ShutdownLayer}, headers::MS_ASPNETCORE_EVENT};
/// use http::{Request, Response, StatusCode};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shutdown = Shutdown::new();
/// let app = ShutdownLayer::new(shutdown.clone()).layer(service_fn(|_: Request<()>| async {
///     Ok::<_, Infallible>(Response::new(String::from("the app")))
/// }));
/// let event = Request::post("/iisintegration").header(MS_ASPNETCORE_EVENT, "shutdown").body(())?;
///
/// assert_eq!(app.oneshot(event).await?.status(), StatusCode::ACCEPTED);
/// assert!(shutdown.is_requested());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ShutdownLayer {
    shutdown: Shutdown,
}

impl ShutdownLayer {
    /// Gives `shutdown` when the module asks for it.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown }
    }

    /// The signal that this layer gives.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

impl Guard for ShutdownLayer {
    /// ANCM: method, path and event in any case; what does not match is the app's.
    fn admit<B>(&self, request: &mut Request<B>) -> ControlFlow<StatusCode> {
        let asked = request.method().as_str().eq_ignore_ascii_case("POST")
            && request.uri().path().eq_ignore_ascii_case(PATH)
            && is_shutdown(request.headers());
        if !asked {
            return ControlFlow::Continue(());
        }
        info!("Shutdown requested by the module");
        self.shutdown.request();
        ControlFlow::Break(StatusCode::ACCEPTED)
    }
}

/// ANCM: sends `shutdown` with a space behind it, which some servers leave there.
fn is_shutdown(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(MS_ASPNETCORE_EVENT).iter();
    match (values.next(), values.next()) {
        (Some(event), None) => event.as_bytes().trim_ascii().eq_ignore_ascii_case(EVENT),
        (None | Some(_), _) => false,
    }
}

impl<S> Layer<S> for ShutdownLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(inner, self.clone())
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn admit(method: &str, path: &str, events: &[&str]) -> (ControlFlow<StatusCode>, bool) {
        let layer = ShutdownLayer::new(Shutdown::new());
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path);
        for event in events {
            request = request.header(MS_ASPNETCORE_EVENT, *event);
        }
        let verdict = layer.admit(&mut request.body(()).unwrap());
        (verdict, layer.shutdown.is_requested())
    }

    #[test]
    fn the_event_ends_the_app() {
        for (method, path, event) in [
            ("POST", "/iisintegration", "shutdown"),
            ("post", "/iisintegration", "Shutdown"),
            ("POST", "/IISIntegration", "SHUTDOWN"),
            ("POST", "/iisintegration?x", "shutdown "),
        ] {
            let want = (ControlFlow::Break(StatusCode::ACCEPTED), true);
            assert_eq!(admit(method, path, &[event]), want, "{method} {path}");
        }
    }

    #[test]
    fn anything_else_is_the_apps() {
        let shutdown: &[&str] = &["shutdown"];
        let cases: [(&str, &str, &[&str]); 9] = [
            ("PUT", "/iisintegration", shutdown),
            ("GET", "/iisintegration", shutdown),
            ("POST", "/iisintegration/", shutdown),
            ("POST", "/path/iisintegration", shutdown),
            ("POST", "/iisintegrations", shutdown),
            ("POST", "/%69isintegration", shutdown),
            ("POST", "/iisintegration", &[]),
            ("POST", "/iisintegration", &["shutdown now"]),
            ("POST", "/iisintegration", &["shutdown", "shutdown"]),
        ];
        for (method, path, events) in cases {
            let want = (ControlFlow::Continue(()), false);
            assert_eq!(admit(method, path, events), want, "{method} {path}");
        }
    }
}
