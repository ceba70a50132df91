//! The forms in which an app is published.

use std::{fs, path::Path};

use ancm::config::Config;
use serde_json::json;

use crate::{
    run,
    site::{BOTH, Site, Way, copy_of_the_app, dotnet_root, told},
};

/// A launcher beside its library, as `dotnet publish` makes it; .NET is that of the machine.
#[test]
fn a_launcher_of_the_apps_own_is_run() {
    run(async {
        for way in BOTH {
            let folder = copy_of_the_app();
            let config = Config::builder(folder.path()).program(folder.path().join("FullApp"));
            let site = Site::of(folder, way, config.arguments(["--one", "two words"]));
            let root = site.folder.path().canonicalize().unwrap();
            let mut client = site.client(way).await;
            let place = told(&mut client, "/place").await;
            let arguments = json!([root.join("FullApp.dll"), "--one", "two words"]);
            assert_eq!(place["arguments"], arguments, "{place}");
            let framework = place["framework"].as_str().unwrap();
            let framework = fs::canonicalize(framework).unwrap();
            assert!(framework.starts_with(dotnet_root()), "{place}");
            site.close().await;
        }
    });
}

/// With hostfxr, hostpolicy and both frameworks in its folder, and no word of a framework in its configuration: laid out by
/// hand, because publishing it so takes a runtime pack that the SDK does not bring along.
#[test]
fn a_self_contained_app_runs_on_its_own_framework() {
    run(async {
        let folder = copy_of_the_app();
        contain(folder.path());
        let config = Config::builder(folder.path()).program(folder.path().join("FullApp"));
        let site = Site::of(folder, Way::Direct, config);
        let root = site.folder.path().canonicalize().unwrap();
        let mut client = site.client(Way::Direct).await;
        let place = told(&mut client, "/place").await;
        let framework = fs::canonicalize(place["framework"].as_str().unwrap()).unwrap();
        assert_eq!(framework, root, "{place}");
        assert_eq!(client.get("/digits.txt").await.status(), 200);
        site.close().await;
    });
}

fn contain(folder: &Path) {
    let dotnet = dotnet_root();
    for part in [
        "host/fxr",
        "shared/Microsoft.NETCore.App",
        "shared/Microsoft.AspNetCore.App",
    ] {
        let versions = fs::read_dir(dotnet.join(part)).unwrap();
        let newest = versions.map(|one| one.unwrap().path()).max().unwrap();
        for file in fs::read_dir(newest).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap();
            // Each framework's own list of its files; without one, what lies in the folder counts.
            if !name.ends_with(".json") {
                // Tens of megabytes, which need not be copied where the file system is the same.
                let target = folder.join(name);
                fs::hard_link(&file, &target)
                    .or_else(|_| fs::copy(&file, &target).map(drop))
                    .unwrap();
            }
        }
    }
    let configuration = json!({ "runtimeOptions": { "configProperties": {
        "System.GC.Server": false,
        "System.Globalization.Invariant": true,
    } } });
    fs::write(
        folder.join("FullApp.runtimeconfig.json"),
        configuration.to_string(),
    )
    .unwrap();
    fs::remove_file(folder.join("FullApp.deps.json")).unwrap();
}
