//! What the app half found out, as axum extractors.

use std::{convert::Infallible, net::SocketAddr};

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use super::{ClientCertificate, Forwarded, ModuleEnvironment, Shutdown, hosting::Hosting};
use crate::{InProcess, PathBase, Scheme};

/// The client's address, beyond the proxies in front; its port is 0 where nobody said it.
///
/// ```
/// # use axum::{Router, routing::get};
/// use ancm::app::ClientAddress;
///
/// async fn whoami(ClientAddress(address): ClientAddress) -> String {
///     address.ip().to_string()
/// }
/// # let _: Router = Router::new().route("/", get(whoami));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "an extractor is one value")]
pub struct ClientAddress(pub SocketAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = UnknownClient;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, UnknownClient> {
        let address = Forwarded::of(&parts.extensions).client_address();
        address.map(Self).ok_or(UnknownClient)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Forwarded::of(&parts.extensions).client_address().map(Self))
    }
}

/// Nobody put the peer's address into the request: 500.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct UnknownClient;

impl IntoResponse for UnknownClient {
    fn into_response(self) -> Response {
        let hint = "The client's address is not known: serve with `ancm::app::serve`, or with \
                    `into_make_service_with_connect_info::<SocketAddr>`, or behind a `ForwardedLayer`.";
        (StatusCode::INTERNAL_SERVER_ERROR, hint).into_response()
    }
}

/// The scheme that the client speaks to the front end.
impl<S: Sync> FromRequestParts<S> for Scheme {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Forwarded::of(&parts.extensions).scheme())
    }
}

/// Where the app is mounted, as the client wrote it; the root where nothing was taken off the path.
impl<S: Sync> FromRequestParts<S> for PathBase {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

impl<S: Sync> FromRequestParts<S> for Forwarded {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The client's certificate, decoded; a request without one is refused. `Option<ClientCertificate>` takes both.
impl<S: Sync> FromRequestParts<S> for ClientCertificate {
    type Rejection = MissingCertificate;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingCertificate> {
        certificate(parts).ok_or(MissingCertificate)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for ClientCertificate {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(certificate(parts))
    }
}

fn certificate(parts: &Parts) -> Option<ClientCertificate> {
    let certificate: &ClientCertificate = parts.extensions.get()?;
    certificate.der().is_some().then(|| certificate.clone())
}

/// The client did not prove itself with a certificate: 403, as IIS says it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MissingCertificate;

impl IntoResponse for MissingCertificate {
    fn into_response(self) -> Response {
        (StatusCode::FORBIDDEN, "A client certificate is required.").into_response()
    }
}

/// The signal that ends the app: WebSockets should say goodbye then, and work in the background should stop.
///
/// ```
/// # use axum::{Router, routing::get};
/// use ancm::app::Shutdown;
///
/// async fn events(shutdown: Shutdown) -> &'static str {
///     shutdown.requested().await;
///     "goodbye"
/// }
/// # let _: Router = Router::new().route("/", get(events));
/// ```
impl<S: Sync> FromRequestParts<S> for Shutdown {
    type Rejection = NotHosted;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotHosted> {
        if let Some(hosted) = parts.extensions.get::<InProcess>() {
            return Ok(hosted.shutdown().clone());
        }
        let hosting = hosting(parts).ok_or(NotHosted { announced: false })?;
        Ok(hosting.0.0.clone())
    }
}

/// What the module said when it started this process; under a normal start the request is refused, which
/// `Option<ModuleEnvironment>` avoids.
impl<S: Sync> FromRequestParts<S> for ModuleEnvironment {
    type Rejection = NotHosted;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotHosted> {
        let hosting = hosting(parts).ok_or(NotHosted {
            announced: parts.extensions.get::<InProcess>().is_some(),
        })?;
        let module = hosting.0.1.clone();
        module.ok_or(NotHosted { announced: true })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for ModuleEnvironment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(hosting(parts).and_then(|hosting| hosting.0.1.clone()))
    }
}

fn hosting(parts: &Parts) -> Option<&Hosting> {
    parts.extensions.get()
}

/// Nobody said how the app is hosted, or no module hosts it: 500.
#[derive(Clone, Copy, Debug)]
pub struct NotHosted {
    announced: bool,
}

impl IntoResponse for NotHosted {
    fn into_response(self) -> Response {
        let hint = match self.announced {
            true => "No module started this process.",
            false => {
                "How the app is hosted is not known: serve with `ancm::app::serve`, or behind an `AncmLayer` with \
                 `announce(true)`."
            }
        };
        (StatusCode::INTERNAL_SERVER_ERROR, hint).into_response()
    }
}

/// The user whom our own host half authenticated; a request without one is refused. `Option<Identity>` takes both.
#[cfg(feature = "sealed")]
impl<S: Sync> FromRequestParts<S> for crate::Identity {
    type Rejection = MissingUser;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingUser> {
        parts.extensions.get().cloned().ok_or(MissingUser)
    }
}

#[cfg(feature = "sealed")]
impl<S: Sync> OptionalFromRequestParts<S> for crate::Identity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// Nobody authenticated the client: 401.
#[cfg(feature = "sealed")]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MissingUser;

#[cfg(feature = "sealed")]
impl IntoResponse for MissingUser {
    fn into_response(self) -> Response {
        (StatusCode::UNAUTHORIZED, "A user is required.").into_response()
    }
}
