//! Who the client is, as the front end found out.

use http::Request;
use tower_layer::Layer;

use super::{
    certificate::ClientCertificate,
    stage::{Rewrite, Rewriting},
};
use crate::headers::{MS_ASPNETCORE_WINAUTHTOKEN, is_reserved};

/// Takes the client's certificate and the Windows user out of the headers.
///
/// The certificate reaches the app as a [`ClientCertificate`] in the request's extensions. It believes the headers:
/// it belongs behind a [`PairingLayer`](super::PairingLayer).
///
/// The Windows user is not read yet: its header is dropped on every operating system. Windows itself copies a
/// handle into this process for each such request, which nobody closes then: have the module not send it
/// (`forwardWindowsAuthToken="false"`).
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
#[derive(Clone, Debug, Default)]
pub struct IdentityLayer {
    _private: (),
}

impl IdentityLayer {
    /// Takes both out.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Rewrite for IdentityLayer {
    fn rewrite<B>(&self, request: &mut Request<B>) {
        // Most requests carry neither.
        if !request.headers().keys().any(is_reserved) {
            return;
        }
        // Differs from ANCM: the number in it means nothing outside of Windows, and is not taken for a user yet there.
        request.headers_mut().remove(MS_ASPNETCORE_WINAUTHTOKEN);
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
    use crate::headers::MS_ASPNETCORE_CLIENTCERT;

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
