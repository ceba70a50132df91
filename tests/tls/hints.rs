//! What is said before an answer, through TLS.

use std::{convert::Infallible, num::NonZeroUsize};

use ancm::{
    Connection, Informational,
    front::{Front, Listen},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::LINK};
use hyper::body::Incoming;
use tower::service_fn;

use crate::{
    clients::{program, said},
    support::Ca,
};

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn curl_shows_early_hints_and_then_the_answer() {
    let ca = Ca::new();
    let pair = ca.site("site", &["localhost"]);
    let listen = Listen::tcp("127.0.0.1:0".parse().unwrap()).tls(pair.tls().build().unwrap());
    let front = Front::new().threads(NonZeroUsize::MIN);
    let bound = front.listen([listen]).unwrap();
    let port = bound.local_addresses()[0].port();
    let make = |connection: Connection| {
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            if let Some(client) = Informational::of(&request) {
                for style in ["</a.css>", "</b.css>"] {
                    let link = HeaderMap::from_iter([(LINK, HeaderValue::from_static(style))]);
                    assert!(client.send(StatusCode::EARLY_HINTS, link));
                }
            }
            async { Ok::<_, Infallible>(Response::new("done".to_owned())) }
        })
    };
    tokio::spawn(bound.serve(make, std::future::pending()));
    for (version, hints) in [("--http1.1", 2), ("--http2", 0), ("--http1.0", 0)] {
        let Some(mut curl) = program("curl") else {
            return;
        };
        let url = format!("https://localhost:{port}/");
        curl.args(["--silent", "--show-error", "--max-time", "30", "--include"])
            .args(["--cacert", ca.pem().to_str().unwrap(), version])
            .args((version == "--http1.0").then_some("--no-alpn"))
            // Twice, on one connection.
            .args([&url, &url]);
        let all = said(&mut curl);
        assert_eq!(all.matches(" 200").count(), 2, "{version}: {all}");
        let both = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </b.css>\r\n\r\nHTTP/1.1 200 OK\r\n";
        assert_eq!(all.matches(both).count(), hints, "{version}: {all}");
        assert_eq!(all.matches(" 103").count(), hints * 2, "{version}: {all}");
    }
}
