//! Our app half beside ASP.NET Core's own: both apps are asked at their own ports, with the module's headers written
//! by hand, and must understand the same.

use http::{Method, Request};
use serde_json::{Value, json};

use crate::{
    at::{At, run},
    life::env,
    support::{
        apps::App,
        client::{Client, Protocol, empty},
    },
};

/// A request as the module would send it, or as somebody would who knows the token.
#[derive(Clone, Copy, Debug)]
struct Asked {
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
}

const fn get(target: &'static str, headers: &'static [(&'static str, &'static str)]) -> Asked {
    Asked {
        method: "GET",
        target,
        headers,
    }
}

const fn post(target: &'static str, headers: &'static [(&'static str, &'static str)]) -> Asked {
    Asked {
        method: "POST",
        target,
        headers,
    }
}

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const EVENT: &str = "ms-aspnetcore-event";

const SAME: &[Asked] = &[
    get("/base/x", &[]),
    // Addresses.
    get("/base/x", &[(FOR, "192.0.2.1:80")]),
    get("/base/x", &[(FOR, "192.0.2.1")]),
    get("/base/x", &[(FOR, "[2001:db8::1]:443")]),
    get("/base/x", &[(FOR, "2001:db8::1")]),
    get("/base/x", &[(FOR, "[2001:db8::1]")]),
    get("/base/x", &[(FOR, "  192.0.2.1:80  ")]),
    get("/base/x", &[(FOR, "\"192.0.2.1:80\"")]),
    get("/base/x", &[(FOR, "192.0.2.1:99999")]),
    get("/base/x", &[(FOR, "192.0.2.1:-1")]),
    get("/base/x", &[(FOR, "256.0.2.1:80")]),
    get("/base/x", &[(FOR, "unknown")]),
    get("/base/x", &[(FOR, "_hidden:80")]),
    get("/base/x", &[(FOR, "")]),
    // Several entries: only the last one is the module's.
    get("/base/x", &[(FOR, "198.51.100.1, 192.0.2.1:80")]),
    get("/base/x", &[(FOR, "198.51.100.1:1"), (FOR, "192.0.2.1:80")]),
    get("/base/x", &[(FOR, "198.51.100.1:1, junk")]),
    get("/base/x", &[(FOR, "127.0.0.1:1, 127.0.0.1:2")]),
    // Schemes.
    get("/base/x", &[(PROTO, "ht tp")]),
    get("/base/x", &[(PROTO, "https, junk!")]),
    get("/base/x", &[(PROTO, "https")]),
    get("/base/x", &[(PROTO, "http, https")]),
    get("/base/x", &[(PROTO, "")]),
    // Both, also where one has more entries than the other.
    get("/base/x", &[(FOR, "192.0.2.1:80"), (PROTO, "https")]),
    get(
        "/base/x",
        &[(FOR, "198.51.100.1:1, 192.0.2.1:80"), (PROTO, "https")],
    ),
    get("/base/x", &[(FOR, "192.0.2.1:80"), (PROTO, "http, https")]),
    get("/base/x", &[(FOR, "junk"), (PROTO, "https")]),
    get(
        "/base/x",
        &[
            ("x-forwarded-host", "other.example"),
            ("x-forwarded-prefix", "/p"),
        ],
    ),
    get(
        "/base/x",
        &[(FOR, "192.0.2.1:80"), ("x-original-for", "198.51.100.1:1")],
    ),
    // The path base.
    get("/Base/x?y", &[]),
    get("/BASE/", &[]),
    get("/basement", &[]),
    get("/other/base/x", &[]),
    get("/", &[]),
    get("/base//x", &[]),
    get("/base%2Fx", &[]),
    // What is not a shutdown.
    get("/base/iisintegration", &[(EVENT, "shutdown")]),
    post("/base/iisintegration", &[(EVENT, "shut down")]),
    post("/base/iisintegration", &[(EVENT, "")]),
    post("/base/iisintegration", &[]),
    post("/base/iisintegration/", &[(EVENT, "shutdown")]),
    post("/base/x/iisintegration", &[(EVENT, "shutdown")]),
];

/// A field of the reports, what ASP.NET Core says there, and what we say, as JSON.
type Difference = (&'static str, &'static str, &'static str);

/// Ours does not note an original address where nothing was believed.
const NO_ORIGINAL: Difference = ("headers/x-original-for", r#""the client's own""#, "null");

const DIFFERENT: &[(Asked, &[Difference])] = &[
    // A scheme is http or https to us, whatever letters others allow in one.
    (
        get("/base/x", &[(PROTO, "a+b-c.1")]),
        &[
            NO_ORIGINAL,
            ("headers/x-original-proto", r#"["http"]"#, "null"),
            ("headers/x-forwarded-proto", "null", r#"["a+b-c.1"]"#),
            ("scheme", r#""a+b-c.1""#, r#""http""#),
        ],
    ),
    // ASP.NET Core looks for the base in the decoded path; we compare the bytes that the client sent.
    (
        get("/b%61se/x", &[]),
        &[
            ("pathBase", r#""/base""#, r#""""#),
            ("path", r#""/x""#, r#""/b%61se/x""#),
        ],
    ),
    // The path of the base itself is empty there; HTTP has no empty path.
    (get("/base", &[]), &[("path", r#""""#, r#""/""#)]),
];

/// A certificate as the module sends it: for `CN=alice`.
const CERTIFICATE: &str = "MIIBeDCCAR2gAwIBAgIUTKLEm3wHzGpzuecmFx2QCqfzxoswCgYIKoZIzj0EAwIwEDEOMAwGA1UEAwwFYWxpY2UwIBcNMjYxMTIy\
     MDg1MTAxWhgPMjEyNjEwMjkwODUxMDFaMBAxDjAMBgNVBAMMBWFsaWNlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENFY4N6pY\
     MBZfL1nBRWCq7AkwiDrIeh1X6fUVFLRD2dPgZjGmOvbcpVmPF6JfKBOZ7fQlKo++KBgEr/uSNI3OFaNTMFEwHQYDVR0OBBYEFKga\
     BBRchNKkQe72FRwaTNsIjKuPMB8GA1UdIwQYMBaAFKgaBBRchNKkQe72FRwaTNsIjKuPMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI\
     zj0EAwIDSQAwRgIhAJgTPnIVRhLVEUgzg0z5ta1srQ0dc5wBexgkghTKa+1eAiEAoCz8BvwXGgysZ3jFoM+JH4op+gC6OJwdMWW4\
     qnqbGZo=";

const CERTIFICATES: &[Asked] = &[
    get("/base/client-cert", &[]),
    get(
        "/base/client-cert",
        &[("ms-aspnetcore-clientcert", CERTIFICATE)],
    ),
    get(
        "/base/client-cert",
        &[("ms-aspnetcore-clientcert", "bm8gY2VydGlmaWNhdGU=")],
    ),
    get(
        "/base/client-cert",
        &[("ms-aspnetcore-clientcert", "not base64!")],
    ),
    get("/base/client-cert", &[("ms-aspnetcore-clientcert", "")]),
];

/// Asked of the app itself, at its own port.
async fn ask(client: &mut Client, token: &str, asked: Asked) -> Value {
    let mut request = Request::builder()
        .method(Method::from_bytes(asked.method.as_bytes()).unwrap())
        .uri(asked.target)
        .header("host", "shop.example")
        .header("content-length", 0)
        .header("ms-aspnetcore-token", token);
    for (name, value) in asked.headers {
        request = request.header(*name, *value);
    }
    let answer = client.ask(request.body(empty()).unwrap()).await;
    let mut body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if let Some(report) = body
        .as_object_mut()
        .filter(|report| report.contains_key("headers"))
    {
        normalise(report, client.local().port());
    }
    json!({ "status": answer.status().as_u16(), "report": body })
}

/// Takes out what must differ: which socket it was, and that ours takes the module's headers away.
fn normalise(report: &mut serde_json::Map<String, Value>, port: u16) {
    if report["remotePort"] == port {
        report["remotePort"] = json!("the client's own");
    }
    let headers = report["headers"].as_object_mut().unwrap();
    headers.retain(|name, _| !name.starts_with("ms-aspnetcore"));
    let own = json!([format!("127.0.0.1:{port}")]);
    if let Some(original) = headers
        .get_mut("x-original-for")
        .filter(|value| **value == own)
    {
        *original = json!("the client's own");
    }
}

/// A connection to the app's own port, and the token that goes with it.
async fn around_the_module(at: At) -> (Client, String) {
    let env = env(&mut at.client().await, at.prefix()).await;
    let variable = |name: &str| env["variables"][name].as_str().unwrap().to_owned();
    let port: u16 = variable("ASPNETCORE_PORT").parse().unwrap();
    let client = Client::connect(([127, 0, 0, 1], port).into(), Protocol::Http1).await;
    (client, variable("ASPNETCORE_TOKEN"))
}

/// Both apps, each asked at its own port.
struct Both {
    stock: (Client, String),
    twin: (Client, String),
}

impl Both {
    async fn ask(&mut self, asked: Asked) -> (Value, Value) {
        let (stock, token) = &mut self.stock;
        let theirs = ask(stock, token, asked).await;
        let (twin, token) = &mut self.twin;
        (theirs, ask(twin, token, asked).await)
    }
}

fn with_both(test: impl AsyncFnOnce(Both)) {
    let at = |app| At::new(app, "/base", Protocol::Http1);
    at(App::Stock).module();
    at(App::Twin).module();
    run(async {
        let stock = around_the_module(at(App::Stock)).await;
        let twin = around_the_module(at(App::Twin)).await;
        test(Both { stock, twin }).await;
    });
}

#[test]
fn both_app_halves_understand_the_same() {
    with_both(async |mut both: Both| {
        let mut differences = Vec::new();
        for &asked in SAME {
            let (theirs, ours) = both.ask(asked).await;
            if theirs != ours {
                differences.push(format!("{asked:?}\ntheirs: {theirs}\nours:   {ours}"));
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    });
}

#[test]
fn both_app_halves_find_the_certificate() {
    with_both(async |mut both: Both| {
        for &asked in CERTIFICATES {
            let (theirs, ours) = both.ask(asked).await;
            assert_eq!(theirs, ours, "{asked:?}");
            let valid = asked.headers.iter().any(|(_, value)| *value == CERTIFICATE);
            assert_eq!(ours["report"]["present"], valid, "{asked:?}");
        }
    });
}

#[test]
fn both_app_halves_differ_where_it_is_meant() {
    with_both(async |mut both: Both| {
        for (asked, differences) in DIFFERENT {
            let (mut theirs, mut ours) = both.ask(*asked).await;
            for (field, they, we) in *differences {
                let said = (take(&mut theirs, field), take(&mut ours, field));
                assert_eq!(
                    said,
                    ((*they).to_owned(), (*we).to_owned()),
                    "{field} of {asked:?}"
                );
            }
            assert_eq!(theirs, ours, "{asked:?}");
        }
    });
}

/// Takes a field out of a report, as JSON; `null` where it is not there.
fn take(answer: &mut Value, field: &str) -> String {
    let (group, name) = field.rsplit_once('/').unwrap_or(("", field));
    let report = &mut answer["report"];
    let group = if group.is_empty() {
        report
    } else {
        &mut report[group]
    };
    let taken = group.as_object_mut().unwrap().remove(name);
    taken.unwrap_or(Value::Null).to_string()
}
