//! What a stranger can cause in the log.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, http::Request};
use tower::{Layer, ServiceExt};
use tracing_subscriber::fmt::MakeWriter;

use super::{get, layer, module};
use ancm::app::{AncmLayer, ModuleEnvironment};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_rejection_is_explained_once_and_shows_no_token() {
    let log = Log::default();
    let _guard = log.listen();
    let layer = layer("/");
    let app = layer.layer(Router::new());
    for _ in 0..50 {
        let request = Request::get("/?secret=1").header("ms-aspnetcore-token", "Guess");
        let request = request.body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    app.oneshot(get("/")).await.unwrap();
    let text = log.text();
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
    let log = Log::default();
    let _guard = log.listen();
    let app = ancm::app::ForwardedLayer::new().layer(Router::new());
    for _ in 0..50 {
        let request = Request::get("/")
            .extension(ancm::Connection::new("192.0.2.9:1".parse().unwrap()))
            .header("x-forwarded-for", "203.0.113.66");
        app.clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
    }
    let text = log.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("192.0.2.9"), "{text}");
    assert!(!text.contains("203.0.113.66"), "{text}");
}

#[test]
fn nothing_that_is_shown_shows_the_token() {
    let module = module("/", &[]);
    let layer = AncmLayer::new(module.clone());
    let app = layer.layer(());
    let error = ModuleEnvironment::from_vars(|_| Some("TestToken\n".to_owned())).unwrap_err();
    let text = format!("{module:?} {layer:?} {app:?} {:?}", error.name());
    assert!(!text.contains("TestToken"), "{text}");
}
