//! The stock app and its twin, side by side: what one is told, the other is told.

use http::{Method, Request};
use serde_json::{Value, json};

use crate::{
    at::{At, run},
    support::{
        apps::App,
        client::{Answer, Client, Protocol, empty, full},
        module::Start,
    },
};

/// Method, target after the path base, headers, body.
type Asked = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const ASKED: [Asked; 14] = [
    ("GET", "/", &[], ""),
    ("GET", "/echo?a=1&a=2", &[("x-a", "1"), ("x-a", "2")], ""),
    ("POST", "/echo", &[("content-type", "text/plain")], "hello"),
    ("PURGE", "/echo/deep/er", &[("cookie", "a=1; b=2")], ""),
    (
        "GET",
        "/echo",
        &[
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
        ],
        "",
    ),
    (
        "GET",
        "/echo",
        &[("x-original-for", "6.6.6.6"), ("x-original-proto", "https")],
        "",
    ),
    (
        "POST",
        "/iisintegration",
        &[("ms-aspnetcore-event", "shutdown")],
        "",
    ),
    ("GET", "/status/404", &[], ""),
    ("GET", "/status/302", &[], ""),
    ("GET", "/status/204", &[], ""),
    ("GET", "/headers", &[], ""),
    ("HEAD", "/download?bytes=10&length=true", &[], ""),
    ("GET", "/download?bytes=1000", &[], ""),
    ("GET", "/client-cert", &[], ""),
];

async fn ask(at: At, (method, target, headers, body): Asked) -> Value {
    let mut client = at.client().await;
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(at.target(target))
        .header("host", "shop.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if method == "POST" {
        // Kestrel wants to know it, even of nothing.
        request = request.header("content-length", body.len());
    }
    let body = if body.is_empty() { empty() } else { full(body) };
    let answer = client.ask(request.body(body).unwrap()).await;
    normal(at, &answer, client.local().port())
}

/// An answer without what must differ from connection to connection and from app to app.
fn normal(at: At, answer: &Answer, client_port: u16) -> Value {
    let mut headers = answer.head.headers.clone();
    // Said by the server, which differs: when, by whom, and how an unknown length is framed.
    for name in ["date", "server", "transfer-encoding", "content-length"] {
        headers.remove(name);
    }
    let headers: Vec<_> = {
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    };
    let mut body = serde_json::from_slice(&answer.body)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&answer.body)));
    if let Some(report) = body
        .as_object_mut()
        .filter(|report| report.contains_key("rawTarget"))
    {
        assert_eq!(report["remotePort"], client_port);
        report.remove("remotePort");
        let seen = report["headers"].as_object_mut().unwrap();
        // ASP.NET Core's middleware leaves the token in the request; ours takes it out.
        seen.remove("ms-aspnetcore-token");
        // The module's end of its own connection.
        let original = seen.remove("x-original-for");
        if at.app != App::InProcess {
            assert!(
                original.unwrap()[0]
                    .as_str()
                    .unwrap()
                    .starts_with("127.0.0.1:")
            );
        }
    }
    json!({ "status": answer.status().as_u16(), "headers": headers, "body": body })
}

fn compare(base: &'static str, protocol: Protocol) {
    compare_both([App::Stock, App::Twin], base, protocol);
}

fn compare_both(apps: [App; 2], base: &'static str, protocol: Protocol) {
    let [one, other] = apps.map(|app| At::new(app, base, protocol));
    one.module();
    other.module();
    run(async {
        for asked in ASKED {
            let (mut theirs, mut ours) = (ask(one, asked).await, ask(other, asked).await);
            if other.app == App::InProcess {
                forget_the_wire(&mut theirs);
                forget_the_wire(&mut ours);
            }
            assert_eq!(theirs, ours, "{asked:?}");
        }
    });
}

/// Takes out of an answer what differs because there is no connection between the host and an app in process.
fn forget_the_wire(answer: &mut Value) {
    let Some(report) = answer["body"].as_object_mut() else {
        return;
    };
    // The client's own protocol, in process.
    report.remove("protocol");
    if let Some(headers) = report.get_mut("headers").and_then(Value::as_object_mut) {
        // What the module's middleware keeps of what stood there before it.
        headers.remove("x-original-proto");
    }
}

#[test]
fn are_told_the_same_at_the_root() {
    compare("/", Protocol::Http1);
    compare("/", Protocol::Http2);
}

/// The stock app on .NET Core 3.1 and on .NET 9.
#[test]
fn are_told_the_same_on_an_older_framework() {
    for base in ["/", "/base"] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            compare_both([App::Stock, App::Modern], base, protocol);
        }
    }
}

/// The twin in a process of its own, and in the process of its front.
#[test]
fn are_told_the_same_in_both_models() {
    for base in ["/", "/base"] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            compare_both([App::Twin, App::InProcess], base, protocol);
        }
    }
}

#[test]
fn are_told_the_same_at_a_base() {
    compare("/base", Protocol::Http1);
    compare("/base", Protocol::Http2);
}

/// Both find a base whose letters need percent-encoding in a URL, and which the module says without it.
#[test]
fn find_a_base_that_needs_encoding() {
    for app in [App::Stock, App::Modern, App::Twin, App::InProcess] {
        let module = Start::new(app, "/my%20app").run();
        run(async {
            let mut client = Client::connect(module.address(), Protocol::Http1).await;
            let report = client.get("/My%20App/echo%20x").await.json();
            // Kestrel hands both out decoded.
            let (base, path) = match app {
                App::Stock | App::Modern => ("/My App", "/echo x"),
                App::Twin | App::InProcess => ("/My%20App", "/echo%20x"),
            };
            assert_eq!(report["pathBase"], base);
            assert_eq!(report["path"], path);
        });
    }
}
