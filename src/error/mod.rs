//! Why a request got no answer from the app: typed inside, mapped to a status in one place.

mod correlation_id;
mod format;
mod grpc;
mod html;
mod layer;
mod page;
mod start;
mod sub_status;

use std::{error::Error as StdError, fmt, sync::Arc};

use http::StatusCode;

pub(crate) use self::grpc::is_call;
pub use self::{
    correlation_id::CorrelationId,
    format::Format,
    layer::{ErrorPageLayer, ErrorPages, ResponseFuture},
    page::ErrorPage,
    start::{Stage, StartFailure},
    sub_status::SubStatus,
};

/// An error of another crate.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// `error` and its causes in one line.
#[must_use]
pub fn chain(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

/// Why the host half could not get an answer from the app.
///
/// Its `Display` is what the log says, its [`status`](Self::status) what the client gets.
pub struct Error {
    kind: Kind,
    source: Option<BoxError>,
}

#[derive(Clone, Debug)]
enum Kind {
    Start(Arc<StartFailure>),
    QueueFull(StatusCode),
    QueueTimeout,
    Stopping,
    Busy(&'static str),
    BadRequest(&'static str),
    MethodRefused,
    ProtocolRefused,
    TooLarge,
    ClientSlow,
    ClientGone,
    Connect,
    Unreachable,
    NotOwner,
    Backend,
    App,
    Timeout(&'static str),
}

impl Error {
    /// The app's process could not be started: 502, the module's 502.5; in process 500, its 500.30 and the like.
    #[must_use]
    pub fn start(failure: Arc<StartFailure>) -> Self {
        Self::of(Kind::Start(failure))
    }

    /// Too many requests wait for the app to start: 503.
    #[must_use]
    pub fn queue_full() -> Self {
        Self::overflow(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// As [`queue_full`](Self::queue_full), where another status was chosen for it, such as 429.
    #[must_use]
    pub fn overflow(status: StatusCode) -> Self {
        Self::of(Kind::QueueFull(status))
    }

    /// The app did not become ready in the time that a request may wait: 503.
    #[must_use]
    pub fn queue_timeout() -> Self {
        Self::of(Kind::QueueTimeout)
    }

    /// The app is being stopped: 503.
    #[must_use]
    pub fn stopping() -> Self {
        Self::of(Kind::Stopping)
    }

    /// Every connection to the app that there may be is in use, and `why` the request does not wait for one: 503.
    #[must_use]
    pub fn busy(why: &'static str) -> Self {
        Self::of(Kind::Busy(why))
    }

    /// The request itself can't be forwarded: 400. `why` names the rule, not the client's text.
    #[must_use]
    pub fn bad_request(why: &'static str) -> Self {
        Self::of(Kind::BadRequest(why))
    }

    /// A method that a gateway does not forward, such as `CONNECT`: 405.
    #[must_use]
    pub fn method_refused() -> Self {
        Self::of(Kind::MethodRefused)
    }

    /// A protocol other than WebSocket, or a WebSocket where none is passed on, that was asked for by an extended CONNECT
    /// (RFC 8441): 501.
    #[must_use]
    pub fn protocol_refused() -> Self {
        Self::of(Kind::ProtocolRefused)
    }

    /// A WebSocket for an app that is spoken to in HTTP/2 and does not offer any there (RFC 8441, 3): 501.
    #[must_use]
    pub fn no_tunnel() -> Self {
        let why = "the app is spoken to in HTTP/2 and offers no WebSockets there (RFC 8441, 3: \
                   SETTINGS_ENABLE_CONNECT_PROTOCOL)";
        Self::because(Kind::ProtocolRefused, why)
    }

    /// The body of the request is longer than it may be: 413.
    #[must_use]
    pub fn too_large() -> Self {
        Self::of(Kind::TooLarge)
    }

    /// The client took too long for the body of its request: 408.
    #[must_use]
    pub fn client_slow() -> Self {
        Self::of(Kind::ClientSlow)
    }

    /// The client left, or broke its request off: 400, which nobody sees.
    #[must_use]
    pub fn client_gone(source: impl Into<BoxError>) -> Self {
        Self::because(Kind::ClientGone, source)
    }

    /// No connection to the app: 502, the module's 502.3.
    #[must_use]
    pub fn connect(source: impl Into<BoxError>) -> Self {
        Self::because(Kind::Connect, source)
    }

    /// None of the app's addresses is up: 503.
    #[must_use]
    pub fn unreachable(source: impl Into<BoxError>) -> Self {
        Self::because(Kind::Unreachable, source)
    }

    /// A process that is not the app's listens on its port: 502.
    #[must_use]
    pub fn not_owner() -> Self {
        Self::of(Kind::NotOwner)
    }

    /// The app broke off, or its answer is not HTTP: 502, the module's 502.3.
    #[must_use]
    pub fn backend(source: impl Into<BoxError>) -> Self {
        Self::because(Kind::Backend, source)
    }

    /// An app of this process failed to answer: by an error, or by a panic. 500, as of an exception that an app of its own
    /// process does not catch.
    #[must_use]
    pub fn app(source: impl Into<BoxError>) -> Self {
        Self::because(Kind::App, source)
    }

    /// The app took longer than it may for `what`: 504.
    ///
    /// Differs from ANCM: 502.3 there, which does not tell a slow app from a dead one.
    #[must_use]
    pub fn timeout(what: &'static str) -> Self {
        Self::of(Kind::Timeout(what))
    }

    const fn of(kind: Kind) -> Self {
        Self { kind, source: None }
    }

    fn because(kind: Kind, source: impl Into<BoxError>) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// What the client gets. The one table from error to status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            Kind::BadRequest(_) | Kind::ClientGone => StatusCode::BAD_REQUEST,
            Kind::MethodRefused => StatusCode::METHOD_NOT_ALLOWED,
            Kind::ProtocolRefused => StatusCode::NOT_IMPLEMENTED,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::ClientSlow => StatusCode::REQUEST_TIMEOUT,
            Kind::App => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::Start(ref failure) if failure.sub_status.is_some() => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Kind::Start(_) | Kind::Connect | Kind::NotOwner | Kind::Backend => {
                StatusCode::BAD_GATEWAY
            }
            Kind::QueueFull(status) => status,
            Kind::QueueTimeout | Kind::Stopping | Kind::Busy(_) | Kind::Unreachable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Kind::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The failed start, where that is the reason.
    #[must_use]
    pub fn start_failure(&self) -> Option<&StartFailure> {
        if let Kind::Start(failure) = &self.kind {
            Some(failure)
        } else {
            None
        }
    }

    /// Whether it was the client that broke off, so that nobody waits for an answer.
    #[must_use]
    pub fn is_client_gone(&self) -> bool {
        matches!(self.kind, Kind::ClientGone)
    }

    /// Whether what else comes on the client's connection is better not listened to: whoever wrote that head may mean
    /// another end of it than we do, and the rest of that body would have to be read first.
    pub(crate) fn ends_connection(&self) -> bool {
        matches!(
            self.kind,
            Kind::BadRequest(_) | Kind::MethodRefused | Kind::TooLarge | Kind::ClientSlow
        )
    }

    /// Whether the app's process took no connection, so that it saw nothing of the request.
    pub(crate) fn is_unconnected(&self) -> bool {
        matches!(self.kind, Kind::Connect | Kind::NotOwner)
    }

    /// Whether trying again later may help, so that the answer says `Retry-After`.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            Kind::QueueFull(_)
                | Kind::QueueTimeout
                | Kind::Stopping
                | Kind::Busy(_)
                | Kind::Unreachable
        )
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Start(failure) => write!(f, "{failure}"),
            Kind::QueueFull(_) => f.write_str("too many requests wait for the app to start"),
            Kind::QueueTimeout => {
                f.write_str("the app did not become ready while the request waited")
            }
            Kind::Stopping => f.write_str("the app is being stopped"),
            Kind::Busy(why) => write!(f, "all connections to the app are in use, and {why}"),
            Kind::BadRequest(why) => write!(f, "the request can't be forwarded: {why}"),
            Kind::MethodRefused => f.write_str("this method is not forwarded"),
            Kind::ProtocolRefused => f.write_str("this protocol is not forwarded"),
            Kind::TooLarge => f.write_str("the body of the request is too long"),
            Kind::ClientSlow => f.write_str("the client took too long to send its request"),
            Kind::ClientGone => f.write_str("the client broke its request off"),
            Kind::Connect => f.write_str("can't connect to the app"),
            Kind::Unreachable => f.write_str("no address of the app is up"),
            Kind::NotOwner => f.write_str("another process listens on the app's port"),
            Kind::Backend => f.write_str("the app broke the exchange off"),
            Kind::App => f.write_str("the app failed to answer"),
            Kind::Timeout(what) => write!(f, "the app took too long to {what}"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_cause_once() {
        let inner = std::io::Error::other("no route");
        let outer = Error::connect(Error::backend(inner));
        assert_eq!(
            chain(&outer),
            "can't connect to the app: the app broke the exchange off: no route"
        );
        assert_eq!(chain(&Error::stopping()), "the app is being stopped");
    }
}
