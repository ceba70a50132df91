//! Each layer of the app half by itself, in a stack of somebody else's.

use std::convert::Infallible;

use ancm::{
    Connection, InProcess, PairingToken, PathBase, Scheme, Shutdown,
    app::{
        AncmLayer, ClientCertificate, Forwarded, ForwardedLayer, IdentityLayer, PairingLayer,
        PathBaseLayer, RequireWindowsUserLayer, ShutdownLayer, WindowsIdentity,
    },
};
use http::{Request, Response, StatusCode, header};
use tower::{Layer, Service, ServiceExt, service_fn};

/// What the app sees of `request` behind `layer`; the layer's own answer, where it gives one.
async fn seen<L, S>(layer: L, request: http::request::Builder) -> Result<Request<()>, StatusCode>
where
    L: Layer<App, Service = S>,
    S: Service<Request<()>, Response = Response<Option<Request<()>>>, Error = Infallible>,
{
    let app = layer.layer(service_fn(echo as fn(_) -> _));
    let answer = app.oneshot(request.body(()).unwrap()).await.unwrap();
    let status = answer.status();
    answer.into_body().ok_or(status)
}

type App = tower::util::ServiceFn<fn(Request<()>) -> std::future::Ready<Answer>>;
type Answer = Result<Response<Option<Request<()>>>, Infallible>;

fn echo(request: Request<()>) -> std::future::Ready<Answer> {
    std::future::ready(Ok(Response::new(Some(request))))
}

fn get(uri: &str) -> http::request::Builder {
    Request::get(uri)
}

#[tokio::test]
async fn the_pairing_layer() {
    let layer = PairingLayer::new(PairingToken::new("secret").unwrap());
    let refused = seen(layer.clone(), get("/")).await;
    assert_eq!(refused.unwrap_err(), StatusCode::BAD_REQUEST);
    let right = get("/").header("ms-aspnetcore-token", "secret");
    let request = seen(layer, right).await.unwrap();
    assert!(request.headers().is_empty());
}

#[tokio::test]
async fn the_forwarded_layer() {
    let from = |peer: &str| {
        let peer = Connection::new(peer.parse().unwrap());
        let request = get("/")
            .extension(peer)
            .header("x-forwarded-proto", "https");
        request.header("x-forwarded-for", "192.0.2.7:80")
    };
    let trusted = seen(ForwardedLayer::new(), from("127.0.0.1:1"))
        .await
        .unwrap();
    let forwarded = Forwarded::of(trusted.extensions());
    assert_eq!(forwarded.client_address(), "192.0.2.7:80".parse().ok());
    assert_eq!(forwarded.scheme(), Scheme::Https);
    let stranger = seen(ForwardedLayer::new(), from("203.0.113.1:1")).await;
    let forwarded = Forwarded::of(stranger.unwrap().extensions());
    assert_eq!(forwarded.client_address(), "203.0.113.1:1".parse().ok());
    assert_eq!(forwarded.scheme(), Scheme::Http);
}

#[tokio::test]
async fn the_path_base_layer() {
    let layer = PathBaseLayer::new("/shop".parse().unwrap());
    let below = seen(layer.clone(), get("/Shop/cart?x")).await.unwrap();
    assert_eq!(below.uri(), "/cart?x");
    assert_eq!(
        below.extensions().get::<PathBase>().unwrap().as_str(),
        "/Shop"
    );
    let beside = seen(layer, get("/shopping")).await.unwrap();
    assert_eq!(beside.uri(), "/shopping");
    assert!(beside.extensions().get::<PathBase>().is_none());
}

#[tokio::test]
async fn the_identity_layer() {
    let request = get("/")
        .header("ms-aspnetcore-clientcert", "MAMCAQE=")
        .header("ms-aspnetcore-winauthtoken", "3a4");
    let request = seen(IdentityLayer::new(), request).await.unwrap();
    assert!(request.headers().is_empty());
    let certificate = request.extensions().get::<ClientCertificate>().unwrap();
    assert_eq!(certificate.der().unwrap().len(), 5);
    assert!(request.extensions().get::<WindowsIdentity>().is_none());
}

#[tokio::test]
async fn the_layer_that_requires_a_windows_user() {
    let refused = seen(RequireWindowsUserLayer::new(), get("/")).await;
    assert_eq!(refused.unwrap_err(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_shutdown_layer() {
    let shutdown = Shutdown::new();
    let layer = ShutdownLayer::new(shutdown.clone());
    assert!(seen(layer.clone(), get("/iisintegration")).await.is_ok());
    assert!(!shutdown.is_requested());
    let event = Request::post("/iisintegration").header("ms-aspnetcore-event", "shutdown");
    assert_eq!(seen(layer, event).await.unwrap_err(), StatusCode::ACCEPTED);
    assert!(shutdown.is_requested());
}

#[cfg(feature = "sealed")]
#[tokio::test]
async fn the_layers_of_a_sealed_user() {
    use std::time::{Duration, SystemTime};

    use ancm::{
        Identity,
        app::{RequireUserLayer, SealedIdentityLayer},
    };
    let token = PairingToken::generate();
    let layer = SealedIdentityLayer::new(token.clone());
    let bob = Identity::new("Basic", "bob").with_groups(["staff"]);
    let sealed = bob
        .seal(&token, SystemTime::now(), Duration::from_secs(9))
        .unwrap();
    let request = get("/").header("ms-aspnetcore-identity", &sealed);
    let request = seen(layer.clone(), request).await.unwrap();
    assert!(request.headers().is_empty());
    assert_eq!(
        request.extensions().get::<Identity>().unwrap().name(),
        "bob"
    );
    let forged = get("/").header("ms-aspnetcore-identity", "bob");
    let forged = seen(layer, forged).await.unwrap();
    assert!(forged.extensions().get::<Identity>().is_none());

    let staff = RequireUserLayer::new().in_group("staff");
    assert!(seen(staff.clone(), get("/").extension(bob)).await.is_ok());
    assert_eq!(
        seen(staff, get("/")).await.unwrap_err(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn all_of_them_switched_off() {
    let request = get("/shop/cart")
        .header("ms-aspnetcore-token", "x")
        .header(header::UPGRADE, "websocket");
    let request = seen(AncmLayer::new(None), request).await.unwrap();
    assert_eq!(
        (request.uri().path(), request.headers().len()),
        ("/shop/cart", 2)
    );
}

#[tokio::test]
async fn all_of_them_in_process() {
    let hosted = InProcess::new("/shop".parse().unwrap(), Shutdown::new());
    let request = get("/shop/cart").extension(hosted);
    // Once, however often it stands there, and whether it is switched on or off.
    let layers = tower::ServiceBuilder::new()
        .layer(super::layer("/shop"))
        .layer(AncmLayer::new(None))
        .into_inner();
    let request = seen(layers, request).await.unwrap();
    assert_eq!(request.uri(), "/cart");
}
