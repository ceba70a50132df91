//! Takes who the client is out of the headers.

use http::Request;
use tower_layer::Layer;

use super::{
    super::{
        certificate::ClientCertificate,
        stage::{Rewrite, Rewriting},
    },
    user::WindowsIdentity,
};
use crate::headers::is_reserved;

/// Takes the client's certificate and the Windows user out of the headers.
///
/// They reach the app as a [`ClientCertificate`] and a [`WindowsIdentity`] in the request's extensions. It believes
/// the headers: it belongs behind a [`PairingLayer`](crate::app::PairingLayer), before which no header may name a handle.
///
/// ```
/// # use std::convert::Infallible;
/// use ancm::{app::{ClientCertificate, IdentityLayer}, headers::MS_ASPNETCORE_CLIENTCERT};
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = IdentityLayer::new().layer(service_fn(|request: Request<()>| async move {
///     let certificate = request.extensions().get::<ClientCertificate>().expect("it was sent");
///     assert_eq!(certificate.der().expect("it was DER").len(), 5);
///     Ok::<_, Infallible>(Response::new(()))
/// }));
/// let request = Request::get("/").header(MS_ASPNETCORE_CLIENTCERT, "MAMCAQE=");
/// app.oneshot(request.body(())?).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct IdentityLayer {
    windows_user: bool,
}

impl IdentityLayer {
    /// Takes both out, and hands both to the app.
    pub fn new() -> Self {
        Self { windows_user: true }
    }

    /// Whether the app gets to see the Windows user. Defaults to `true`; [`AncmLayer`](crate::app::AncmLayer) has it as
    /// [`ModuleEnvironment::is_authentication_enabled`](crate::app::ModuleEnvironment::is_authentication_enabled) says.
    ///
    /// Either way the user's handle is closed, here or when the request is done with.
    pub fn windows_user(mut self, wanted: bool) -> Self {
        self.windows_user = wanted;
        self
    }
}

impl Default for IdentityLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Rewrite for IdentityLayer {
    fn rewrite<B>(&self, request: &mut Request<B>) {
        // Most requests carry neither.
        if !request.headers().keys().any(is_reserved) {
            return;
        }
        // ANCM: the original is closed here and a copy lives on. Differs: the original does, and there is no copy.
        let user = WindowsIdentity::take_from(request.headers_mut());
        if let Some(user) = user.filter(|_| self.windows_user) {
            request.extensions_mut().insert(user);
        }
        if let Some(certificate) = ClientCertificate::take_from(request.headers_mut()) {
            request.extensions_mut().insert(certificate);
        }
    }
}

impl<S> Layer<S> for IdentityLayer {
    type Service = Rewriting<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Rewriting::new(inner, self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::{MS_ASPNETCORE_CLIENTCERT, MS_ASPNETCORE_WINAUTHTOKEN};

    #[test]
    fn the_app_sees_neither_header() {
        let mut request = Request::builder()
            .header(MS_ASPNETCORE_WINAUTHTOKEN, "3a4")
            .header(MS_ASPNETCORE_CLIENTCERT, "MAMCAQE=")
            .header("x-other", "stays")
            .body(())
            .unwrap();
        IdentityLayer::new().rewrite(&mut request);
        assert_eq!(request.headers().len(), 1);
        assert!(request.extensions().get::<ClientCertificate>().is_some());
    }

    #[test]
    fn a_request_without_them_gets_no_extension() {
        let mut request = Request::new(());
        IdentityLayer::new().rewrite(&mut request);
        assert!(request.extensions().is_empty());
    }
}
