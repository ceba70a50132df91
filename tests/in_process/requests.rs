//! What an app of this process sees of a request, and what becomes of its answer.

use std::{convert::Infallible, io, net::SocketAddr};

use ancm::{
    Connection, Host, InProcess, PathBase, ResponseBody, Scheme,
    app::{ClientAddress, ClientCertificate, ModuleEnvironment, Shutdown},
    config::Config,
    in_process::RequestBody,
};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, OriginalUri, Request},
    routing::{any, get},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Response, StatusCode, Version, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tower::{ServiceExt as _, service_fn};

use crate::site::{self, Site, read};

fn site(routes: fn() -> Router) -> Site {
    Site::new(move |_| async move { Ok(routes()) })
}

#[tokio::test]
async fn the_app_finds_what_it_finds_behind_the_module() {
    #[allow(clippy::too_many_arguments, reason = "one for each thing to find")]
    async fn show(
        OriginalUri(original): OriginalUri,
        base: PathBase,
        scheme: Scheme,
        (ClientAddress(client), ConnectInfo(peer)): (ClientAddress, ConnectInfo<SocketAddr>),
        certificate: ClientCertificate,
        (module, shutdown): (Option<ModuleEnvironment>, Shutdown),
        request: Request,
    ) -> String {
        assert!(module.is_none() && !shutdown.is_requested());
        assert!(request.extensions().get::<InProcess>().is_some());
        let length = certificate.der().unwrap().len();
        let path = request.uri();
        format!("{original} {base} {path} {scheme} {client} {peer} {length}")
    }
    let site = Site::with(
        |config| config.path_base("/shop".parse().unwrap()),
        |_| async { Ok(Router::new().route("/who", get(show))) },
    );
    let mut request = site::get("/Shop/who?x");
    let peer = "[::ffff:192.0.2.7]:4711".parse().unwrap();
    let connection = Connection::new(peer)
        .with_scheme(Scheme::Https)
        .with_certificate(Bytes::from_static(b"0\x03\x02\x01\x01"));
    request.extensions_mut().insert(connection.clone());
    let want = "/Shop/who?x /Shop /who?x https 192.0.2.7:4711 192.0.2.7:4711 5";
    assert_eq!(read(site.ask(request).await).await.1, want);
    // A front that makes a service for each connection says it once.
    let host = site.host.for_connection(connection);
    let mut request = site::get("/Shop/who?x");
    request.extensions_mut().clear();
    let answer = host.oneshot(request).await.unwrap();
    assert_eq!(read(answer).await.1, want);
}

#[tokio::test]
async fn nothing_of_the_client_passes_for_the_hosts() {
    async fn names(headers: HeaderMap) -> String {
        let mut names: Vec<_> = headers
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect();
        names.sort_unstable();
        names.join(" ")
    }
    let site = site(|| Router::new().fallback(names));
    let mut request = site::get("/");
    for name in [
        "ms-aspnetcore-token",
        "ms_aspnetcore_clientcert",
        "ms-aspnetcore-winauthtoken",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x_forwarded_host",
        "forwarded",
        "keep-alive",
        "x-nominated",
        "x-custom",
    ] {
        request.headers_mut().insert(name, "x".parse().unwrap());
    }
    let nominating = "close, x-nominated".parse().unwrap();
    request.headers_mut().insert("connection", nominating);
    assert_eq!(read(site.ask(request).await).await.1, "host x-custom");
}

#[tokio::test]
async fn what_no_gateway_takes_is_refused() {
    let site = site(|| Router::new().fallback(|| async { "here" }));
    for (method, target, host, want) in [
        ("GET", "/", Some("a"), StatusCode::OK),
        ("TRACE", "/", Some("a"), StatusCode::METHOD_NOT_ALLOWED),
        ("CONNECT", "a:1", Some("a"), StatusCode::METHOD_NOT_ALLOWED),
        ("GET", "/", None, StatusCode::BAD_REQUEST),
        ("GET", "/", Some("a,b"), StatusCode::BAD_REQUEST),
        ("GET", "*", Some("a"), StatusCode::BAD_REQUEST),
    ] {
        let mut request = http::Request::builder().method(method).uri(target);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let answer = site.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), want, "{method} {target} {host:?}");
    }
}

#[tokio::test]
async fn bodies_and_trailers_pass_both_ways() {
    async fn echo(request: Request) -> Body {
        Body::new(request.into_body())
    }
    let site = site(|| Router::new().fallback(any(echo)));
    let frames = [
        Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(b"one "))),
        Ok(http_body::Frame::data(Bytes::from_static(b"two"))),
        Ok(http_body::Frame::trailers(
            [
                (header::ETAG, "three".parse().unwrap()),
                ("ms-aspnetcore-token".parse().unwrap(), "x".parse().unwrap()),
            ]
            .into_iter()
            .collect(),
        )),
    ];
    let mut request =
        site::get("/").map(|_| Body::new(http_body_util::StreamBody::new(stream::iter(frames))));
    *request.method_mut() = Method::POST;
    let body = site.ask(request).await.into_body().collect().await.unwrap();
    let trailers = body.trailers().unwrap();
    assert_eq!(
        (trailers.len(), &trailers[header::ETAG]),
        (1, &"three".parse().unwrap())
    );
    assert_eq!(body.to_bytes(), "one two");
}

#[tokio::test]
async fn the_version_is_the_clients() {
    let site = site(|| {
        Router::new().fallback(|request: Request| async move { format!("{:?}", request.version()) })
    });
    let mut request = site::get("/");
    *request.version_mut() = Version::HTTP_2;
    assert_eq!(read(site.ask(request).await).await.1, "HTTP/2.0");
}

#[tokio::test]
async fn a_panic_is_a_500_for_its_own_request_alone() {
    async fn unlucky() -> &'static str {
        panic!("the secret recipe")
    }
    let site = site(|| {
        Router::new()
            .route("/", get(|| async { "fine" }))
            .route("/panic", get(unlucky))
    });
    let (status, page) = site.get("/panic").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        page.contains("Correlation id") && !page.contains("recipe"),
        "{page}"
    );
    assert_eq!(site.get("/").await, (StatusCode::OK, "fine".to_owned()));
    assert_eq!(site.host.in_flight(), 0);
    assert_eq!(site.host.supervisor().unwrap().status().restarts, 0);
}

#[tokio::test]
async fn an_error_of_the_service_is_a_500() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = Config::builder(folder.path())
        .program("app")
        .build()
        .unwrap();
    let host = Host::in_process(config, |_| async {
        Ok::<_, Infallible>(service_fn(|_: http::Request<RequestBody>| async {
            Err::<Response<ResponseBody<Body>>, _>(io::Error::other("the disk is full"))
        }))
    });
    let answer = host.unwrap().oneshot(site::get("/")).await.unwrap();
    let (status, page) = read(answer).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!page.contains("disk"), "{page}");
}

#[tokio::test]
async fn a_body_that_fails_is_not_taken_for_whole() {
    fn broken(how: &'static str) -> Body {
        let first = stream::iter([Ok(Bytes::from_static(b"beginning"))]);
        let rest = stream::once(async move {
            match how {
                "panic" => panic!("halfway"),
                _ => Err(io::Error::other("halfway")),
            }
        });
        Body::from_stream(futures_util::StreamExt::chain(first, rest))
    }
    let site = site(|| {
        let how = |axum::extract::Path(how): axum::extract::Path<String>| async move {
            broken(if how == "panic" { "panic" } else { "error" })
        };
        Router::new().route("/{how}", get(how))
    });
    for how in ["/panic", "/error"] {
        let mut body = site.ask(site::get(how)).await.into_body();
        assert!(!body.is_end_stream());
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            "beginning"
        );
        assert!(body.frame().await.unwrap().is_err(), "{how}");
    }
}

#[cfg(feature = "sealed")]
#[tokio::test]
async fn a_user_whom_a_layer_in_front_knows_is_the_apps() {
    use ancm::Identity;
    let site =
        site(|| Router::new().fallback(|user: Identity| async move { user.name().to_owned() }));
    let mut request = site::get("/");
    request
        .extensions_mut()
        .insert(Identity::new("Basic", "bob"));
    assert_eq!(read(site.ask(request).await).await.1, "bob");
}
