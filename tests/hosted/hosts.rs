//! The ways in which an app of a newer framework makes its host.

use std::path::Path;

use ancm::config::{Builder, Config};
use http::{Request, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    published, run,
    site::{BOTH, Site, Way, variables},
    support::client::{Client, Protocol, full},
};

/// `FULL_HOST`, and whether hosting startups are prevented: the oldest host knows no other way.
const HOSTS: [(&str, bool); 9] = [
    ("application", false),
    ("application", true),
    ("generic", false),
    ("generic", true),
    ("slim", false),
    ("slim", true),
    ("empty", false),
    ("empty", true),
    ("web", false),
];

#[test]
fn every_kind_of_host_gets_our_server() {
    run(async {
        for (host, prevents) in HOSTS {
            let site = Site::new(Way::Direct, |config| {
                let config = config.environment("FULL_HOST", host);
                config.environment("ASPNETCORE_PREVENTHOSTINGSTARTUP", prevents.to_string())
            });
            let mut client = site.client(Way::Direct).await;
            let place = client.get("/place").await.json();
            let root = site.folder.path().canonicalize().unwrap();
            assert_eq!(place["contentRoot"], json!(root), "{host} {prevents}");
            let read = Request::post("/faults/read").body(full("12345"));
            assert_eq!(
                client.ask(read.unwrap()).await.status(),
                200,
                "{host} {prevents}"
            );
            site.close().await;
        }
    });
}

/// The oldest kind does not say when it is built.
#[test]
fn the_oldest_host_is_told_of_where_it_can_not_be_replaced() {
    run(async {
        let site = Site::new(Way::Direct, |config| {
            let config = config.environment("FULL_HOST", "web");
            let config = config.environment("ASPNETCORE_ENVIRONMENT", "Development");
            config.environment("ASPNETCORE_PREVENTHOSTINGSTARTUP", "true")
        });
        let mut client = Client::connect(site.address, Protocol::Http1).await;
        let page = client.get("/place").await;
        assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let text = page.text();
        assert!(text.contains("500.30"), "{text}");
        assert!(text.contains("could not be replaced"), "{text}");
        site.close().await;
    });
}

/// The app that was built for .NET Core 3.1.
fn older() -> (TempDir, Builder) {
    let folder = published().copy_of("older");
    let dotnet = Path::new(&variables()["DOTNET_ROOT"]).join("dotnet");
    let config = Config::builder(folder.path()).program(dotnet);
    let config = config.arguments(["FullApp.dll"]);
    (folder, config)
}

/// On a machine that has .NET 9 alone.
#[test]
fn an_app_of_an_older_framework_rolls_forward() {
    run(async {
        for way in BOTH {
            let (folder, config) = older();
            let config = config.environment("DOTNET_ROLL_FORWARD", "Major");
            let site = Site::of(folder, way, config);
            let mut client = site.client(way).await;
            let place = client.get("/place").await.json();
            let framework = place["framework"].as_str().unwrap();
            assert!(framework.contains("/9."), "{framework}");
            assert_eq!(client.get("/digits.txt").await.status(), 200);
            site.close().await;
        }
    });
}

/// Without that variable.
#[test]
fn an_app_of_a_framework_that_is_not_there_is_told_of() {
    run(async {
        let (folder, config) = older();
        let config = config.environment("ASPNETCORE_ENVIRONMENT", "Development");
        let site = Site::of(folder, Way::Direct, config);
        let mut client = Client::connect(site.address, Protocol::Http1).await;
        let page = client.get("/place").await;
        assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let text = page.text();
        assert!(text.contains("500.31"), "{text}");
        assert!(text.contains("Microsoft.AspNetCore.App"), "{text}");
        site.close().await;
    });
}
