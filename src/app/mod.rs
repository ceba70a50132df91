//! The app half: what stands inside an app that is hosted behind the module.
//!
//! The module starts the app's process, tells it by environment variables where to listen, and forwards requests to
//! it. The app then sees the module as its client: every request comes from the loopback, in cleartext, below a path
//! base, with a secret in a header. [`AncmLayer`] undoes that, and lets nobody in who does not know the secret. Under
//! a normal start it is switched off, so the same binary runs with and without the module.
//!
//! ```
//! # use std::convert::Infallible;
//! use ancm::{Scheme, app::{AncmLayer, Forwarded, ModuleEnvironment}};
//! use http::{Request, Response, StatusCode};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let module = ModuleEnvironment::from_vars(|name| match name {
//!     "ASPNETCORE_PORT" => Some("12345".to_owned()),
//!     "ASPNETCORE_APPL_PATH" => Some("/shop".to_owned()),
//!     "ASPNETCORE_TOKEN" => Some("secret".to_owned()),
//!     _ => None, // a real program calls `AncmLayer::from_env()`
//! })?;
//! let app = AncmLayer::new(module).layer(service_fn(|request: Request<()>| async move {
//!     assert_eq!(request.uri(), "/cart");
//!     assert_eq!(Forwarded::of(request.extensions()).scheme(), Scheme::Https);
//!     Ok::<_, Infallible>(Response::new(String::from("hello")))
//! }));
//!
//! let forwarded = Request::get("/shop/cart")
//!     .header("ms-aspnetcore-token", "secret")
//!     .header("x-forwarded-for", "192.0.2.7:4711")
//!     .header("x-forwarded-proto", "https");
//! let response = app.clone().oneshot(forwarded.body(())?).await?;
//! assert_eq!(response.body(), "hello");
//!
//! let around_the_module = Request::get("/shop/cart").body(())?;
//! assert_eq!(app.oneshot(around_the_module).await?.status(), StatusCode::BAD_REQUEST);
//! # Ok(()) }
//! ```
//!
//! # With axum
//!
//! `Router::layer` runs its layers after the route was chosen, when it is too late to take a path base off and to
//! hear of a shutdown. Put the layer around the router: `AncmLayer::from_env()?.layer(router)`, which
//! `axum::serve(listener, axum::ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(app))`
//! takes, or leave both to `ancm::app::serve`, which listens where the module says and ends when it says.
//!
//! # In the host's own process
//!
//! An app that a `Host` runs in its own process (`Host::in_process`) gets its requests by a call, with an
//! [`InProcess`](crate::InProcess) among their extensions. The layer recognises them whether it is switched on or not, and gives the
//! app the same path, extensions and extractors as behind a module; there is nothing to be checked or believed then.
//! `Host::in_process` puts the layer around the app by itself.
//!
//! # What it costs
//!
//! Without the module: one branch. Behind it, one look over the names of the headers tells which stages have something
//! to do. Nothing is allocated for the token check, for the shutdown check and for what a request does not carry. Forwarded headers that are believed put one [`Forwarded`] into the request's
//! extensions, and one `X-Original-For` into its headers; a path base that is taken off allocates the shorter path.
//! `benches/app_half.rs` counts.

/// The examples of the page about IIS.
#[cfg(all(doctest, feature = "axum", feature = "serve"))]
#[doc = include_str!("../../docs/iis.md")]
mod iis_page {}

mod certificate;
mod environment;
#[cfg(feature = "axum")]
mod extract;
pub mod forwarded;
mod hosting;
mod identity;
mod in_process;
mod layer;
mod names;
mod pairing;
mod path_base;
#[cfg(feature = "sealed")]
mod sealed;
#[cfg(feature = "serve")]
mod serve;
mod shutdown;
mod stage;
mod websockets;

#[cfg(feature = "x509")]
pub use self::certificate::{CertificateDetails, CertificateError, CertificateName};
#[cfg(all(feature = "axum", feature = "sealed"))]
pub use self::extract::MissingUser;
#[cfg(feature = "sealed")]
pub use self::sealed::{RequireUserLayer, SealedIdentityLayer};
#[cfg(feature = "serve")]
pub use self::serve::{Server, serve};
pub use self::{
    certificate::ClientCertificate,
    environment::{EnvironmentError, Iis, ModuleEnvironment},
    forwarded::{Forwarded, ForwardedLayer},
    identity::{IdentityLayer, RequireWindowsUserLayer, WindowsIdentity},
    layer::{Ancm, AncmLayer},
    pairing::PairingLayer,
    path_base::PathBaseLayer,
    shutdown::ShutdownLayer,
    stage::{Guarded, ResponseFuture, Rewriting},
};
#[cfg(feature = "axum")]
pub use self::{
    extract::{ClientAddress, MissingCertificate, NotHosted, UnknownClient},
    identity::MissingWindowsUser,
};
pub use crate::Shutdown;

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::{Request, StatusCode};

use self::{
    names::Names,
    stage::{Guard, Rewrite},
};

/// Every stage of the app half.
#[derive(Clone, Debug)]
struct Pipeline {
    pairing: PairingLayer,
    forwarded: ForwardedLayer,
    path_base: PathBaseLayer,
    identity: IdentityLayer,
    #[cfg(feature = "sealed")]
    sealed: SealedIdentityLayer,
    websockets: bool,
    shutdown: ShutdownLayer,
}

/// How many services this process has put the pipeline before. Only grows.
///
/// A second one may stand inside of the first, which takes the token out: then requests are marked. With one, the usual
/// number, that would be a fifth of the pipeline's cost for nothing.
static LAYERS: AtomicUsize = AtomicUsize::new(0);

/// In a request that has passed the pipeline, where there may be another. Has no size: among other extensions, it takes
/// no memory of its own.
#[derive(Clone, Copy, Debug)]
struct Admitted;

impl Guard for Pipeline {
    /// The app half from top to bottom: what happens to a request before the app sees it.
    fn admit<B>(&self, request: &mut Request<B>) -> ControlFlow<StatusCode> {
        // ANCM: switched on twice is switched on once.
        let may_meet_another = LAYERS.load(Ordering::Relaxed) > 1;
        if may_meet_another && request.extensions().get::<Admitted>().is_some() {
            return ControlFlow::Continue(());
        }
        // Differs from ANCM: the real middleware takes the path base off and believes the forwarded headers before
        // it asks for the token. Nobody can tell, because who has no token gets the same answer for every path.
        self.pairing.admit(request)?; // 400: not from the module
        let names = Names::of(request.headers());
        if names.forwarded {
            self.forwarded.rewrite(request);
        }
        self.path_base.rewrite(request);
        if names.reserved {
            self.identity.rewrite(request);
            #[cfg(feature = "sealed")]
            self.sealed.rewrite(request);
            // ANCM: after the path base, below which the module posts its event.
            self.shutdown.admit(request)?; // 202: the module wants the app to end
        }
        // ANCM: a `DEBUG` request is answered there while a debugger is attached. There is none here, so it is the
        // app's, as any other; and no limit on bodies has to be lifted, because none is set.
        if !self.websockets {
            websockets::refuse(request);
        }
        if may_meet_another {
            request.extensions_mut().insert(Admitted);
        }
        ControlFlow::Continue(())
    }
}
