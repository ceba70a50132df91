//! What the app sees of a request's line, of its host and of the client.

use http::{Method, Request, StatusCode, header};
use serde_json::Value;

use crate::{
    at::At,
    support::{
        apps::App,
        client::{Client, Protocol, empty},
    },
};

/// What the app reports about a request for `target` of the site.
async fn report(client: &mut Client, target: &str) -> Value {
    client.get(target).await.json()
}

pub(crate) async fn comes_from_the_clients_socket(at: At) {
    for _ in 0..2 {
        let mut client = at.client().await;
        let seen = report(&mut client, &at.target("/echo")).await;
        assert_eq!(seen["remoteAddress"], client.local().ip().to_string());
        assert_eq!(seen["remotePort"], client.local().port());
        assert_eq!(seen["scheme"], "http");
        let protocol = match (at.app, at.protocol) {
            (App::InProcess, Protocol::Http2) => "HTTP/2.0",
            (App::Stock | App::Modern, Protocol::Http2) if at.in_process => "HTTP/2",
            // Between the module and the app.
            _ if at.h2c => "HTTP/2",
            _ => "HTTP/1.1",
        };
        assert_eq!(seen["protocol"], protocol);
    }
}

/// Target after the path base, then its path as ASP.NET Core decodes it, then its query.
const TARGETS: [(&str, &str, &str); 11] = [
    ("/", "/", ""),
    ("/a%2Fb/%41?x=%20&y", "/a%2Fb/A", "?x=%20&y"),
    ("/%2541", "/%41", ""),
    ("/%e4%bd%a0", "/你", ""),
    ("/a//b///", "/a//b///", ""),
    ("/a/./b/../c", "/a/c", ""),
    ("/%3F%23", "/?#", ""),
    ("/a;p=1,2:@!$&'()*+~", "/a;p=1,2:@!$&'()*+~", ""),
    ("/x?", "/x", "?"),
    ("/x?a=b?c/../d&&", "/x", "?a=b?c/../d&&"),
    ("/x?a=%C3%A9&a=%zz", "/x", "?a=%C3%A9&a=%zz"),
];

pub(crate) async fn keeps_its_raw_target(at: At) {
    let mut client = at.client().await;
    for (target, decoded, query) in TARGETS {
        let seen = report(&mut client, &at.target(target)).await;
        assert_eq!(seen["rawTarget"], at.target(target));
        assert_eq!(seen["pathBase"], at.prefix(), "{target}");
        assert_eq!(seen["query"], query, "{target}");
        // ASP.NET Core decodes what hyper leaves as it is.
        let path = match at.app {
            App::Stock | App::Modern => decoded,
            App::Twin | App::InProcess => target.split('?').next().unwrap(),
        };
        assert_eq!(seen["path"], path, "{target}");
    }
}

pub(crate) async fn keeps_its_host(at: At) {
    let mut client = at.client().await;
    for host in [
        "shop.example",
        "shop.example:8080",
        "192.0.2.1:81",
        "[2001:db8::1]:82",
    ] {
        let request = Request::get(at.target("/echo")).header(header::HOST, host);
        let seen = client.ask(request.body(empty()).unwrap()).await.json();
        assert_eq!(seen["host"], host);
        assert_eq!(seen["headers"]["host"], serde_json::json!([host]));
    }
}

pub(crate) async fn keeps_its_query(at: At) {
    let mut client = at.client().await;
    let long = format!("?{}", "k=v&".repeat(1500));
    for query in ["", "?", "?a", "?a=1&a=2&b=", "?%00%20+%2B", "??/?", &long] {
        let seen = report(&mut client, &at.target(&format!("/echo{query}"))).await;
        // ASP.NET Core tells no empty query from none.
        assert_eq!(seen["rawTarget"], at.target(&format!("/echo{query}")));
        assert_eq!(seen["query"], query);
    }
}

pub(crate) async fn keeps_its_method(at: At) {
    let mut client = at.client().await;
    for method in [
        "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE", "M-SEARCH", "get",
    ] {
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(at.target("/echo"))
            // Kestrel wants to know a POST's length.
            .header(header::CONTENT_LENGTH, 0);
        let answer = client.ask(request.body(empty()).unwrap()).await;
        assert_eq!(answer.json()["method"], method);
        assert_eq!(answer.values("x-echo-method"), [method]);
    }
}

/// An app that answers `TRACE` tells what it got: the token too (RFC 9110, 9.3.8).
pub(crate) async fn for_a_trace_is_refused(at: At) {
    let mut client = at.client().await;
    let request = Request::builder()
        .method(Method::TRACE)
        .uri(at.target("/echo"));
    let answer = client.ask(request.body(empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(!answer.text().contains("token"));
}

pub(crate) async fn matches_the_path_base_in_any_case(at: At) {
    let mut client = at.client().await;
    let upper = at.prefix().to_uppercase();
    let seen = report(&mut client, &format!("{upper}/echo")).await;
    assert_eq!(seen["pathBase"], upper);
    assert_eq!(seen["path"], "/echo");
    // Two slashes, or a slash in disguise, are part of the path.
    let seen = report(&mut client, &at.target("//echo")).await;
    assert_eq!(seen["pathBase"], at.prefix());
    assert_eq!(seen["path"], "//echo");
}
