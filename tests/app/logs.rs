//! What a stranger can cause in the log.

#![allow(
    clippy::unwrap_used,
    reason = "what a test's helper does not expect fails the test"
)]

use std::{cell::RefCell, convert::Infallible, io, sync::Once};

use ancm::{
    Connection,
    app::{AncmLayer, ForwardedLayer, ModuleEnvironment},
};
use http::{Request, Response, request::Builder};
use tower::{Layer, Service, ServiceExt, service_fn};

thread_local! {
    /// What was logged on this thread, which is one test's.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every test calls it first: an event that is met before anybody listens is not heard later either.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter("ancm=trace")
            .with_ansi(false)
            .with_writer(|| Log)
            .init();
    });
    // Where another test was first, the making of this one's runtime was heard already.
    LOG.take();
}

fn logged() -> String {
    String::from_utf8(LOG.take()).unwrap()
}

fn module() -> ModuleEnvironment {
    let var = |name: &str| match name {
        "ASPNETCORE_PORT" => Some("12345".to_owned()),
        "ASPNETCORE_APPL_PATH" => Some("/".to_owned()),
        "ASPNETCORE_TOKEN" => Some("TestToken".to_owned()),
        _ => None,
    };
    ModuleEnvironment::from_vars(var).unwrap().unwrap()
}

async fn send<L>(layer: &L, request: Builder)
where
    L: Layer<
        tower::util::ServiceFn<
            fn(Request<()>) -> std::future::Ready<Result<Response<()>, Infallible>>,
        >,
    >,
    L::Service: Service<Request<()>, Error = Infallible>,
{
    fn app(_: Request<()>) -> std::future::Ready<Result<Response<()>, Infallible>> {
        std::future::ready(Ok(Response::default()))
    }
    let app = layer.layer(service_fn(app as fn(_) -> _));
    let _ = app.oneshot(request.body(()).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_rejection_is_explained_once_and_shows_no_token() {
    listen();
    let layer = AncmLayer::new(module());
    for _ in 0..50 {
        let request = Request::get("/?secret=1").header("ms-aspnetcore-token", "Guess");
        send(&layer, request).await;
    }
    let right = Request::get("/?secret=1").header("ms-aspnetcore-token", "TestToken");
    send(&layer, right).await;
    let text = logged();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("did not come through the front end"),
        "{text}"
    );
    for secret in ["TestToken", "Guess", "secret"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(layer.rejected(), 50);
}

#[tokio::test]
async fn the_first_hop_that_is_not_trusted_is_named_and_nothing_else() {
    listen();
    let layer = ForwardedLayer::new();
    for _ in 0..50 {
        let request = Request::get("/")
            .extension(Connection::new("192.0.2.9:1".parse().unwrap()))
            .header("x-forwarded-for", "203.0.113.66");
        send(&layer, request).await;
    }
    let text = logged();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("192.0.2.9"), "{text}");
    assert!(!text.contains("203.0.113.66"), "{text}");
}

#[tokio::test]
async fn a_certificate_that_is_none_is_said_and_not_shown() {
    listen();
    let request = Request::get("/").header("ms-aspnetcore-clientcert", "rubbish!");
    let app = ancm::app::IdentityLayer::new().layer(service_fn(|request: Request<()>| {
        let certificate: &ancm::app::ClientCertificate = request.extensions().get().unwrap();
        let twice = [certificate.der().is_none(), certificate.der().is_none()];
        std::future::ready(Ok::<_, Infallible>(Response::new(twice)))
    }));
    let response = app.oneshot(request.body(()).unwrap()).await.unwrap();
    assert_eq!(response.into_body(), [true; 2]);
    let text = logged();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("not base64"), "{text}");
    assert!(!text.contains("rubbish"), "{text}");
}

#[test]
fn nothing_that_is_shown_shows_the_token() {
    let module = module();
    let layer = AncmLayer::new(module.clone());
    let app = layer.layer(());
    let shown = format!("{module:?} {layer:?} {app:?}");
    assert!(!shown.contains("TestToken"), "{shown}");
}
