//! What the app sees of a request's headers.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use crate::{
    at::At,
    support::{
        apps::App,
        client::{Body, BoxError, empty, full},
    },
};

/// The headers that the module itself, or the app's own middleware, puts in.
const OURS: [&str; 3] = ["ms-aspnetcore-token", "x-original-for", "x-original-proto"];

/// Name to values, as an app reports them.
pub(crate) type Seen = BTreeMap<String, Vec<String>>;

pub(crate) fn seen(report: &Value, part: &str) -> Seen {
    serde_json::from_value(report[part].clone()).unwrap()
}

pub(crate) async fn arrive_unchanged(at: At) {
    let mut client = at.client().await;
    let sent = [
        ("accept", "text/html, */*;q=0.1"),
        ("accept-encoding", "gzip, br"),
        ("authorization", "Bearer a.b.c"),
        ("cookie", "a=1; b=\"2\""),
        ("content-type", "text/plain; charset=utf-8"),
        ("if-none-match", "W/\"x\", \"y\""),
        ("max-forwards", "3"),
        ("origin", "http://elsewhere.example"),
        ("range", "bytes=0-9,20-"),
        ("user-agent", "scenario/1.0 (test)"),
        ("via", "1.0 fred"),
        ("x-request-id", "0123"),
        ("x-empty", ""),
        ("x_underscore", "kept"),
        ("x-repeated", "one"),
        ("x-repeated", "two, three"),
        ("x-repeated", "one"),
    ];
    let mut request = Request::post(at.target("/echo"));
    for (name, value) in sent {
        request = request.header(name, value);
    }
    let report = client.ask(request.body(full("body")).unwrap()).await.json();

    let mut expected = Seen::new();
    for (name, value) in sent {
        expected.entry(name.into()).or_default().push(value.into());
    }
    expected.insert("host".into(), vec![at.module().address().to_string()]);
    expected.insert("content-length".into(), vec!["4".into()]);
    let mut arrived = seen(&report, "headers");
    arrived.retain(|name, _| !OURS.contains(&name.as_str()));
    assert_eq!(arrived, expected);
    assert_eq!(report["contentLength"], 4);
    assert_eq!(report["bodyLength"], 4);
}

pub(crate) async fn that_are_long_or_not_ascii_arrive(at: At) {
    let mut client = at.client().await;
    let long = "l".repeat(8000);
    let request = Request::get(at.target("/echo"))
        .header("x-long", &long)
        .header(
            "x-utf8",
            HeaderValue::from_bytes("naïve 你".as_bytes()).unwrap(),
        );
    let report = client.ask(request.body(empty()).unwrap()).await.json();
    assert_eq!(report["headers"]["x-long"], json!([long]));
    assert_eq!(report["headers"]["x-utf8"], json!(["naïve 你"]));
}

/// A client's attempts, whatever the writing: none of them may reach the app.
const FORGED: [(&str, &str); 14] = [
    ("ms-aspnetcore-token", "forged"),
    ("ms-aspnetcore-token", "forged again"),
    ("ms_aspnetcore_token", "forged"),
    ("ms-aspnetcore_token", "forged"),
    ("ms-aspnetcore-clientcert", "Zm9yZ2Vk"),
    ("ms-aspnetcore-winauthtoken", "2a4"),
    ("ms-aspnetcore-anything", "forged"),
    ("x-forwarded-for", "6.6.6.6:666"),
    ("x_forwarded_for", "6.6.6.6:666"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "forged.example"),
    ("x_forwarded-host", "forged.example"),
    ("x-forwarded-prefix", "/forged"),
    ("forwarded", "for=6.6.6.6;proto=https"),
];

fn assert_nothing_forged(seen: &Seen) {
    for (name, _) in FORGED {
        let ours = seen.get(name).filter(|_| name == "ms-aspnetcore-token");
        match ours {
            // The stock app's middleware leaves it where it was.
            Some(values) => assert!(!values.iter().any(|value| value.contains("forged"))),
            None => assert!(!seen.contains_key(name), "{name} in {seen:?}"),
        }
    }
}

pub(crate) async fn of_the_module_can_not_be_forged(at: At) {
    let mut client = at.client().await;
    let mut request = Request::get(at.target("/echo"));
    for (name, value) in FORGED {
        request = request.header(name, value);
    }
    let report = client.ask(request.body(empty()).unwrap()).await.json();
    assert_nothing_forged(&seen(&report, "headers"));
    assert_eq!(report["remoteAddress"], client.local().ip().to_string());
    assert_eq!(report["remotePort"], client.local().port());
    assert_eq!(report["scheme"], "http");
    assert_eq!(report["pathBase"], at.prefix());

    // What ours became: the address of the module's end of its connection to the app.
    let headers = seen(&report, "headers");
    match at.app {
        App::Stock | App::Modern | App::Twin => {
            assert_eq!(headers["x-original-proto"], ["http"]);
            let original = headers["x-original-for"].concat();
            assert!(original.starts_with("127.0.0.1:"), "{original}");
        }
        // There is no such connection.
        App::InProcess => assert!(!headers.keys().any(|name| name.starts_with("x-original"))),
    }
    let certificate = client.get(&at.target("/client-cert")).await.json();
    assert_eq!(certificate["present"], false);
}

pub(crate) async fn of_the_module_can_not_be_forged_in_trailers(at: At) {
    let mut client = at.client().await;
    let mut trailers = HeaderMap::new();
    for (name, value) in FORGED {
        trailers.append(name, HeaderValue::from_static(value));
    }
    trailers.insert("x-checksum", HeaderValue::from_static("19"));
    let request = Request::post(at.target("/echo"))
        .header(header::TRAILER, names(&trailers))
        .body(with_trailers("data", trailers))
        .unwrap();
    let report = client.ask(request).await.json();
    assert_nothing_forged(&seen(&report, "headers"));
    assert_nothing_forged(&seen(&report, "trailers"));
    assert_eq!(report["trailers"], json!({ "x-checksum": ["19"] }));
    assert_eq!(report["bodyLength"], 4);
}

/// The value of a `Trailer` header.
fn names(trailers: &HeaderMap) -> String {
    let names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
    names.join(", ")
}

fn with_trailers(data: &'static str, trailers: HeaderMap) -> Body {
    let frames = [
        Ok::<_, BoxError>(Frame::data(Bytes::from_static(data.as_bytes()))),
        Ok(Frame::trailers(trailers)),
    ];
    StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync()
}

pub(crate) async fn of_a_shutdown_can_not_be_forged(at: At) {
    let mut client = at.client().await;
    let before = client.get(&at.target("/env")).await.json()["pid"].clone();
    let request = Request::post(at.target("/iisintegration"))
        .header("ms-aspnetcore-event", "shutdown")
        .header(header::CONTENT_LENGTH, 0);
    let answer = client.ask(request.body(empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::OK, "the app itself answered");
    assert_eq!(answer.json()["path"], "/iisintegration");
    let after = client.get(&at.target("/env")).await.json()["pid"].clone();
    assert_eq!(before, after);
}

/// HTTP/2 may send a cookie in pieces; towards HTTP/1.1 they are one again (RFC 9113, 8.2.3).
pub(crate) async fn that_are_crumbs_of_a_cookie_arrive_as_one(at: At) {
    let mut client = at.client().await;
    let request = Request::get(at.target("/echo"))
        .header(header::COOKIE, "a=1")
        .header(header::COOKIE, "b=2")
        .header(header::COOKIE, "c=3");
    let report = client.ask(request.body(empty()).unwrap()).await.json();
    let cookies = seen(&report, "headers")["cookie"].join("; ");
    assert_eq!(cookies, "a=1; b=2; c=3");
}

pub(crate) async fn of_one_hop_stay_on_it(at: At) {
    let mut client = at.client().await;
    let request = Request::get(at.target("/echo"))
        .header(header::CONNECTION, "x-nominated, keep-alive")
        .header(header::CONNECTION, "X-Nominated-Too")
        .header("x-nominated", "1")
        .header("x-nominated-too", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-connection", "keep-alive")
        .header(header::UPGRADE, "h2c")
        .header("http2-settings", "AAMAAABkAAQAAP__")
        .header("x-not-nominated", "1");
    let report = client.ask(request.body(empty()).unwrap()).await.json();
    let arrived = seen(&report, "headers");
    for name in [
        "connection",
        "x-nominated",
        "x-nominated-too",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "transfer-encoding",
    ] {
        assert!(!arrived.contains_key(name), "{name} in {arrived:?}");
    }
    assert!(arrived.contains_key("x-not-nominated"));
}

/// Nor can a client take away what the module adds.
pub(crate) async fn of_the_module_can_not_be_nominated(at: At) {
    let mut client = at.client().await;
    let request = Request::get(at.target("/echo")).header(
        header::CONNECTION,
        "MS-ASPNETCORE-TOKEN, X-Forwarded-For, x-forwarded-proto, host",
    );
    let report = client.ask(request.body(empty()).unwrap()).await.json();
    assert_eq!(report["remotePort"], client.local().port());
    assert_eq!(report["host"], at.module().address().to_string());
    let token = seen(&report, "headers").contains_key("ms-aspnetcore-token");
    assert_eq!(token, at.app != App::Twin);
}
