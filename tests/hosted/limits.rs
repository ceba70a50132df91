//! `maxAllowedContentLength` of `web.config`, as the stock app keeps to it.

use std::{fs, path::Path};

use ancm::config::Config;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::{
    published, run,
    site::{Site, Way, variables},
    support::client::{Answer, Body, Client, Protocol, full},
};

/// The stock app as its `web.config` has it: with this limit of bodies, or none.
fn site(way: Way, model: &str, limit: Option<u32>) -> Site {
    let folder = published().copy_of(model);
    let dotnet = Path::new(&variables()["DOTNET_ROOT"]).join("dotnet");
    let limit = limit.map_or_else(String::new, |bytes| {
        format!(
            r#"<security><requestFiltering><requestLimits maxAllowedContentLength="{bytes}" /></requestFiltering></security>"#
        )
    });
    let text = format!(
        r#"<configuration><location path="." inheritInChildApplications="false"><system.webServer>
          <aspNetCore processPath="{}" arguments=".\StockApp.dll" hostingModel="{model}" />{limit}
        </system.webServer></location></configuration>"#,
        dotnet.display()
    );
    fs::write(folder.path().join("web.config"), text).unwrap();
    let loaded = Config::load(folder.path(), None, &variables()).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    Site::configured(folder, way, loaded.config)
}

/// What the app says to so many bytes, by a connection of their own.
async fn upload(site: &Site, body: Body) -> Answer {
    let mut client = Client::connect(site.address, Protocol::Http1).await;
    let request = Request::post("/upload").body(body);
    client.ask(request.unwrap()).await
}

/// The same without a length before.
fn chunked(bytes: usize) -> Body {
    let pieces = [bytes / 2, bytes - bytes / 2].map(|size| vec![b'z'; size]);
    let frames =
        pieces.map(|piece| Ok::<_, std::convert::Infallible>(http_body::Frame::data(piece.into())));
    let stream = futures_util::stream::iter(frames);
    let body = http_body_util::StreamBody::new(stream);
    body.map_err(|never| match never {}).boxed_unsync()
}

#[test]
fn in_process_it_is_what_the_app_may_read() {
    run(async {
        for (way, limit, want) in [
            (Way::Direct, Some(1000), 1000),
            (Way::Forwarded, Some(1000), 1000),
            (Way::Direct, Some(u32::MAX), u64::from(u32::MAX)),
            (Way::Direct, None, 30_000_000),
        ] {
            let site = site(way, "inprocess", limit);
            let report = upload(&site, full("x".repeat(1000))).await.json();
            assert_eq!(report["bodyLimit"], json!(want), "{way:?}");
            assert_eq!(report["bytes"], 1000);
            for body in [full("x".repeat(1001)), chunked(1001)] {
                let answer = upload(&site, body).await;
                let refused = want == 1000;
                let status = if refused { 413 } else { 200 };
                assert_eq!(answer.status(), status, "{way:?} {limit:?}");
            }
            site.close().await;
        }
    });
}

#[test]
fn out_of_process_a_longer_body_never_reaches_the_app() {
    run(async {
        let limited = site(Way::Forwarded, "outofprocess", Some(1000));
        // The app has no limit of its own.
        let report = upload(&limited, full("x".repeat(1000))).await.json();
        assert_eq!(report["bodyLimit"], json!(null));
        for body in [full("x".repeat(1001)), chunked(1001)] {
            let answer = upload(&limited, body).await;
            assert_eq!(answer.status(), 413);
            assert!(answer.text().contains("413"), "{}", answer.text());
        }
        limited.close().await;
        // Nothing said is no limit, where IIS has one.
        let unlimited = site(Way::Forwarded, "outofprocess", None);
        let bytes = vec![b'z'; 30_000_001];
        let report = upload(&unlimited, full(bytes)).await.json();
        assert_eq!(report["bytes"], 30_000_001);
        unlimited.close().await;
    });
}
