//! Listens where the module says, and ends when it says.
//!
//! An app that is hosted must listen on the port it was given and end in time when it is asked to, by the module's
//! event or by a signal. It must also not let a slow client hold a connection for ever, which a bare hyper server
//! does.

mod connection;
mod connections;
mod host;
mod inherited;
mod listener;
mod server;
mod signal;
mod socket;

pub use self::server::Server;

use std::{error::Error, io};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tower_service::Service;

/// Serves `app` with the app half before it: an axum `Router`, or any service over hyper's requests.
///
/// Behind the module it listens where the module says, else on `127.0.0.1:5000`. It ends on the module's shutdown
/// event, on SIGINT and on SIGTERM (on Windows: Ctrl-C and Ctrl-Break), once the requests under way have ended, at the
/// latest after 8 seconds. [`Server`] is the same with its settings.
///
/// The app half answers some requests itself, without a body: with the response body's `Default`. A body that has none
/// does when it is boxed (`BodyExt::boxed` of `http-body-util`).
///
/// ```no_run
/// # async fn run() -> std::io::Result<()> {
/// use axum::{Router, routing::get};
///
/// let router: Router = Router::new().route("/", get(|| async { "hello" }));
/// ancm::app::serve(router).await
/// # }
/// ```
///
/// # Errors
///
/// When the environment makes no sense, or the address can't be listened on. Dropping the future breaks all
/// connections off.
pub async fn serve<S, B>(app: S) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    Server::new(app).run().await
}
