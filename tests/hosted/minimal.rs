//! What came after .NET Core 3.1: minimal APIs, middleware of newer frameworks, and the features that they ask the server for. In
//! both models alike.

use ancm::config::{Config, HostingModel};
use http::{Method, Request};
use serde_json::json;

use crate::{
    published, run,
    site::{Site, Way, variables},
    support::client::{Answer, Client, Protocol, empty, full},
};

/// In process by both ways, and out of process.
fn sites() -> [(Site, Way, HostingModel); 3] {
    let forwarded = || {
        let folder = published().copy_of("full");
        let dotnet = std::path::Path::new(&variables()["DOTNET_ROOT"]).join("dotnet");
        let config = Config::builder(folder.path()).program(dotnet);
        let config = config.hosting_model(HostingModel::OutOfProcess);
        let config = config.arguments(["FullApp.dll"]).build().unwrap();
        Site::configured(folder, Way::Forwarded, config)
    };
    let in_process = HostingModel::InProcess;
    [
        (
            Site::new(Way::Direct, |config| config),
            Way::Direct,
            in_process,
        ),
        (
            Site::new(Way::Forwarded, |config| config),
            Way::Forwarded,
            in_process,
        ),
        (forwarded(), Way::Forwarded, HostingModel::OutOfProcess),
    ]
}

async fn ask(
    client: &mut Client,
    method: Method,
    target: &str,
    body: Option<(&str, String)>,
) -> Answer {
    let target = format!("/minimal{target}");
    let mut request = Request::builder().method(method).uri(target);
    if let Some((kind, _)) = body {
        request = request.header("content-type", kind);
    }
    let body = body.map_or_else(empty, |(_, text)| full(text));
    client.ask(request.body(body).unwrap()).await
}

async fn get(client: &mut Client, target: &str) -> Answer {
    ask(client, Method::GET, target, None).await
}

#[test]
fn parameters_are_read_from_everywhere() {
    run(async {
        for (site, way, model) in sites() {
            site.client(way).await;
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let at = format!("{way:?} {model:?} {protocol:?}");
                let mut client = Client::connect(site.address, protocol).await;
                let item = get(&mut client, "/item/7?name=%C3%A9").await.json();
                assert_eq!(item, json!({ "id": 7, "name": "é" }), "{at}");
                assert_eq!(get(&mut client, "/item/x").await.status(), 404, "{at}");

                // Whether there is a body is what the feature of its detection says.
                let order = || Some(("application/json", r#"{"name":"tea","count":3}"#.to_owned()));
                let told = ask(&mut client, Method::POST, "/order", order()).await;
                assert_eq!(told.json(), json!({ "name": "tea", "count": 3 }), "{at}");
                for (target, body, status, text) in [
                    ("/order", None, 400, ""),
                    (
                        "/order",
                        Some(("application/json", "{".to_owned())),
                        400,
                        "",
                    ),
                    ("/order", Some(("text/plain", "x".to_owned())), 415, ""),
                    ("/optional", order(), 200, "tea"),
                    ("/optional", None, 200, "nothing"),
                ] {
                    let told = ask(&mut client, Method::POST, target, body).await;
                    assert_eq!(
                        (told.status().as_u16(), told.text()),
                        (status, text),
                        "{at} {target}"
                    );
                }

                let file = "x".repeat(100_000);
                let parts = format!(
                    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
                     Content-Type: text/plain\r\n\r\n{file}\r\n--b--\r\n"
                );
                let parts = Some(("multipart/form-data; boundary=b", parts));
                let told = ask(&mut client, Method::POST, "/file", parts).await.json();
                assert_eq!(
                    (&told["fileName"], &told["length"]),
                    (&json!("a.txt"), &json!(file.len())),
                    "{at}"
                );
            }
            site.close().await;
        }
    });
}

#[test]
fn newer_middleware_works() {
    run(async {
        for (site, way, model) in sites() {
            let at = format!("{way:?} {model:?}");
            let mut client = site.client(way).await;
            let part = Request::get("/minimal/bytes").header("range", "bytes=1-3");
            let part = client.ask(part.body(empty()).unwrap()).await;
            assert_eq!((part.status().as_u16(), part.text()), (206, "123"), "{at}");

            let first = get(&mut client, "/cached").await.text().to_owned();
            let second = get(&mut client, "/cached").await;
            assert_eq!(second.text(), first, "{at}");
            assert_eq!(second.values("age").len(), 1, "{at}");

            assert_eq!(get(&mut client, "/once").await.text(), "once", "{at}");
            assert_eq!(get(&mut client, "/once").await.status(), 429, "{at}");

            // It takes the place of the feature by which a request is told that its client has gone.
            assert_eq!(get(&mut client, "/late").await.status(), 504, "{at}");

            let goodbye = get(&mut client, "/close").await;
            assert_eq!(goodbye.text(), "goodbye", "{at}");
            if way == Way::Direct {
                assert_eq!(goodbye.values("connection"), ["close"], "{at}");
            }
            site.close().await;
        }
    });
}

#[test]
fn features_of_newer_frameworks_are_there() {
    run(async {
        let (http1, http2) = (Protocol::Http1, Protocol::Http2);
        for (site, way, model) in sites() {
            site.client(way).await;
            let in_process = model == HostingModel::InProcess;
            for (protocol, method, can_have_body) in [
                (http1, Method::GET, false),
                (http1, Method::POST, true),
                (http2, Method::GET, false),
                (http2, Method::POST, true),
            ] {
                let mut client = Client::connect(site.address, protocol).await;
                let body = (method == Method::POST).then(|| ("text/plain", "x".to_owned()));
                let told = ask(&mut client, method.clone(), "/features", body)
                    .await
                    .json();
                // A parent that forwards speaks HTTP/1.1 with its worker.
                let over_http2 = way == Way::Direct && protocol == http2;
                let want = json!({
                    "canHaveBody": can_have_body,
                    "isExtendedConnect": false,
                    "suite": null,
                    "serverName": null,
                    "activity": true,
                    "trailers": over_http2,
                    "reset": over_http2,
                    "server": if in_process { "NativeServer" } else { "KestrelServerImpl" },
                });
                assert_eq!(told, want, "{way:?} {model:?} {protocol:?} {method}");
            }
            if in_process && way == Way::Forwarded {
                let mut client = site.secure(site.ca.trusting(), http1).await;
                let told = get(&mut client, "/features").await.json();
                assert_eq!(told["serverName"], crate::site::NAME);
                assert!(
                    told["suite"].as_str().unwrap().starts_with("TLS_"),
                    "{told}"
                );
            }
            site.close().await;
        }
    });
}
