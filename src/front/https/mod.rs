//! Clients over to TLS, and that they stay there: a redirect and `Strict-Transport-Security`.
//!
//! Both are tower layers for any front. Which scheme a request came by is what its
//! [`Connection`] says: that of the layer, where there is one for each connection,
//! else the one in the request's extensions.
//!
//! ```
//! use std::convert::Infallible;
//! use ancm::front::https::{HstsLayer, HttpsRedirectLayer};
//! use http::{Request, Response, StatusCode, header::LOCATION};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(HttpsRedirectLayer::new().port(8443))
//!     .layer(HstsLayer::new())
//!     .service(service_fn(|_: Request<()>| async {
//!         Ok::<_, Infallible>(Response::new(String::new()))
//!     }));
//!
//! let request = Request::get("/a%2Fb?c").header("host", "shop.test:8080").body(()).unwrap();
//! let response = service.oneshot(request).await.unwrap();
//! assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
//! assert_eq!(response.headers()[LOCATION], "https://shop.test:8443/a%2Fb?c");
//! # }
//! ```

mod hsts;
mod redirect;

use http::{Request, Uri, header::HOST, uri::Authority};

pub use self::{
    hsts::{Hsts, HstsFuture, HstsLayer},
    redirect::{HttpsRedirect, HttpsRedirectLayer, RedirectFuture},
};
use crate::{Connection, Scheme};

/// How a request came.
fn scheme<B>(known: Option<Scheme>, request: &Request<B>) -> Scheme {
    known.unwrap_or_else(|| Connection::of(request.extensions()).scheme())
}

/// Whom a request is for: the one host that it names, if that is one.
fn host<B>(request: &Request<B>) -> Option<Authority> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let authority = match (request.uri().authority(), hosts.next(), hosts.next()) {
        (Some(authority), _, _) => authority.clone(),
        (None, Some(host), None) => Authority::try_from(host.as_bytes()).ok()?,
        (None, _, _) => return None,
    };
    let valid = !authority.host().is_empty() && !authority.as_str().contains('@');
    valid.then_some(authority)
}

/// The target as it was sent, for a request that is about one.
fn target(uri: &Uri) -> &str {
    match uri.path_and_query().map_or("/", |target| target.as_str()) {
        "*" | "" => "/",
        target => target,
    }
}
