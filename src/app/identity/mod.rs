//! Who the client is, as the front end found out: its certificate, and its Windows user.
//!
//! Where IIS authenticates its users (`windowsAuthentication`), the module copies the user's token into the app's
//! process, once for each request, and says the copy's number in a header. Whoever gets such a request must close the
//! copy, whether or not it cares for users: [`IdentityLayer`] does, and gives the app a [`WindowsIdentity`] meanwhile.
//!
//! All of this compiles on every operating system. Outside of Windows nobody is ever a Windows user: the header is
//! dropped unread, an `Option<WindowsIdentity>` is `None`, and [`RequireWindowsUserLayer`] answers 401.
//!
//! ```
//! # use std::convert::Infallible;
//! use ancm::app::{IdentityLayer, RequireWindowsUserLayer, WindowsIdentity};
//! use http::{Request, Response, StatusCode};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = ServiceBuilder::new()
//!     .layer(IdentityLayer::new()) // part of `AncmLayer`
//!     .layer(RequireWindowsUserLayer::new().in_group(r"BUILTIN\Administrators"))
//!     .service(service_fn(|request: Request<()>| async move {
//!         let user: &WindowsIdentity = request.extensions().get().expect("it is required");
//!         Ok::<_, Infallible>(Response::new(user.name().unwrap_or_default().to_owned()))
//!     }));
//! let response = app.oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! ```

#[cfg(not(windows))]
mod elsewhere;
#[cfg(feature = "axum")]
mod extract;
mod layer;
#[cfg(any(windows, test))]
mod number;
mod require;
#[cfg(any(windows, test))]
mod sid;
mod user;
#[cfg(windows)]
mod windows;

#[cfg(feature = "axum")]
pub use self::extract::MissingWindowsUser;
pub use self::{layer::IdentityLayer, require::RequireWindowsUserLayer, user::WindowsIdentity};

/// Gives the app the Windows user of a connection that ends in this process.
#[cfg(all(windows, feature = "host"))]
pub(super) fn introduce(extensions: &mut http::Extensions) {
    let connection = extensions.get::<crate::Connection>();
    if let Some(user) = connection.and_then(WindowsIdentity::of_connection) {
        extensions.insert(user);
    }
}

#[cfg(not(windows))]
use self::elsewhere as os;
#[cfg(windows)]
use self::windows as os;
