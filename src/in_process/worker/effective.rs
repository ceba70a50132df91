//! Makes a request that was forwarded look like one that came from its client.

use std::task::{Context, Poll};

use http::{HeaderName, Request};
use tower_service::Service;

use crate::{
    Connection,
    app::{ClientCertificate, Forwarded},
    headers::{MS_ASPNETCORE_CONNECTION, X_ORIGINAL_FOR, X_ORIGINAL_PROTO},
};

/// What the app half leaves of its work in the headers, which a client did not send.
const TRACES: [HeaderName; 2] = [X_ORIGINAL_FOR, X_ORIGINAL_PROTO];

/// An app behind the app half, that is to see clients.
#[derive(Clone, Debug)]
pub(super) struct Effective<S> {
    inner: S,
}

impl<S> Effective<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, B> Service<Request<B>> for Effective<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let extensions = request.extensions_mut();
        let forwarded = Forwarded::of(extensions);
        let certificate = extensions.remove::<ClientCertificate>();
        extensions.remove::<Forwarded>();
        let mut connection = connection(&forwarded, certificate.as_ref());
        if let Some(told) = request.headers_mut().remove(MS_ASPNETCORE_CONNECTION) {
            connection = connection.with_told(&told);
        }
        request.extensions_mut().insert(connection);
        for name in TRACES {
            request.headers_mut().remove(name);
        }
        self.inner.call(request)
    }
}

/// The client's connection to the front, as far as a proxy tells.
fn connection(forwarded: &Forwarded, certificate: Option<&ClientCertificate>) -> Connection {
    let client = forwarded.client_address();
    let connection = client.map_or_else(Connection::unknown, Connection::new);
    let connection = connection.with_scheme(forwarded.scheme());
    match certificate.and_then(ClientCertificate::der) {
        Some(der) => connection.with_certificate(der.clone()),
        None => connection,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Response;
    use tower::{Layer as _, ServiceExt as _, service_fn};

    use super::*;
    use crate::{
        Identity, PathBase, Scheme, TlsFacts,
        app::{AncmLayer, ModuleEnvironment},
    };

    #[tokio::test]
    async fn the_app_sees_the_client_and_nothing_of_the_way() {
        let module = ModuleEnvironment::from_vars(|name| match name {
            "ANCM_LISTEN_FD" => Some("3".to_owned()),
            "ASPNETCORE_APPL_PATH" => Some("/shop".to_owned()),
            "ASPNETCORE_TOKEN" => Some("secret".to_owned()),
            _ => None,
        });
        let app = service_fn(|request: Request<()>| async move {
            let connection = Connection::of(request.extensions());
            assert_eq!(connection.peer(), Some("192.0.2.7:4711".parse().unwrap()));
            assert_eq!(connection.scheme(), Scheme::Https);
            assert_eq!(connection.certificate().unwrap().len(), 5);
            assert_eq!(connection.local(), Some("192.0.2.8:443".parse().unwrap()));
            let tls = TlsFacts::new(0x0304, 0x1301).with_server_name("example.com");
            assert_eq!(connection.tls(), Some(&tls));
            let user: &Identity = request.extensions().get().unwrap();
            assert_eq!(user.name(), "alice");
            let base = request.extensions().get::<PathBase>().unwrap();
            assert_eq!((base.as_str(), request.uri().path()), ("/shop", "/x"));
            assert_eq!(request.headers().len(), 1, "{:?}", request.headers());
            Ok::<_, Infallible>(Response::new(()))
        });
        let module = module.unwrap();
        let minute = std::time::Duration::from_secs(60);
        let sealed = Identity::new("Negotiate", "alice")
            .seal(
                module.as_ref().unwrap().token(),
                std::time::SystemTime::now(),
                minute,
            )
            .unwrap();
        let client = Connection::unknown()
            .with_local("192.0.2.8:443".parse().unwrap())
            .with_tls(TlsFacts::new(0x0304, 0x1301).with_server_name("example.com"));
        let app = AncmLayer::new(module).layer(Effective::new(app));
        let request = Request::get("/shop/x")
            .header("host", "example.com")
            .header("ms-aspnetcore-token", "secret")
            .header("ms-aspnetcore-clientcert", "MAMCAQE=")
            .header("x-forwarded-for", "192.0.2.7:4711")
            .header("x-forwarded-proto", "https")
            .header("ms-aspnetcore-identity", sealed)
            .header("ms-aspnetcore-connection", client.told_value().unwrap())
            .extension(Connection::unknown())
            .body(())
            .unwrap();
        assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
    }
}
