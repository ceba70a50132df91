//! Who the client is and what it asked for, as the proxies in front say it.
//!
//! Behind a proxy every request comes from the proxy's address, in cleartext. What it was before is in headers that
//! anybody can send, so they count only as far as they come from somebody trusted: the walk starts at the
//! connection's peer, takes the entry that this peer added (the last one), goes on with the address in it, and ends
//! at the first that is not trusted, or at a limit. Rules and defaults are those of ASP.NET Core.
//!
//! Useful without the module too, in any tower stack:
//!
//! ```
//! # use std::convert::Infallible;
//! use ancm::{Connection, Scheme, app::{Forwarded, ForwardedLayer}};
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = ForwardedLayer::new().trust("10.0.0.0/8".parse::<ipnet::IpNet>()?);
//! let app = layer.layer(service_fn(|request: Request<()>| async move {
//!     let forwarded = Forwarded::of(request.extensions());
//!     assert_eq!(forwarded.client_address(), Some("192.0.2.7:4711".parse().unwrap()));
//!     assert_eq!(forwarded.peer(), Some("10.1.2.3:80".parse().unwrap()));
//!     assert_eq!(forwarded.scheme(), Scheme::Https);
//!     Ok::<_, Infallible>(Response::new(()))
//! }));
//! let request = Request::get("/")
//!     .extension(Connection::new("10.1.2.3:80".parse()?))
//!     .header("x-forwarded-for", "203.0.113.66, 192.0.2.7:4711") // the client made the first one up
//!     .header("x-forwarded-proto", "https");
//! app.oneshot(request.body(())?).await?;
//! # Ok(()) }
//! ```

mod apply;
mod extension;
mod host;
mod layer;
mod lists;
mod node;
mod rfc7239;
mod rules;
mod walk;

pub(in crate::app) use self::apply::set_connect_info;
pub use self::{extension::Forwarded, layer::ForwardedLayer};
