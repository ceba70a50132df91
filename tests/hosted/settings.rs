//! The `handlerSettings` of in-process hosting.

use std::env;

use serde_json::json;

use crate::{
    run,
    site::{Site, Way, told},
};

#[test]
fn a_stack_is_as_large_as_it_is_said() {
    run(async {
        let mut depths = Vec::new();
        for bytes in [0x4_0000, 0x20_0000, 0x80_0000] {
            let site = Site::new(Way::Direct, |config| config.stack_size(bytes));
            let mut client = site.client(Way::Direct).await;
            let depth = told(&mut client, "/stack").await["depth"].as_u64().unwrap();
            // A call is a little more than a kibibyte, and .NET keeps up to 128 of them in hand.
            let most = bytes as u64 / 1024;
            assert!(
                depth < most && depth > most / 4,
                "{depth} calls in {bytes:#x}"
            );
            depths.push(depth);
            site.close().await;
        }
        assert!(depths.is_sorted(), "{depths:?}");
    });
}

#[test]
fn the_current_directory_is_the_apps_unless_it_is_said() {
    run(async {
        let here = env::current_dir().unwrap();
        for (set, way) in [
            (true, Way::Direct),
            (false, Way::Direct),
            (false, Way::Forwarded),
        ] {
            let site = Site::new(way, |config| config.set_current_directory(set));
            let folder = site.folder.path().canonicalize().unwrap();
            let mut client = site.client(way).await;
            let place = told(&mut client, "/place").await;
            let current = if set { &folder } else { &here };
            assert_eq!(place["currentDirectory"], json!(current), "{place}");
            // The rest of the app is where it is, whatever that is.
            assert_eq!(place["contentRoot"], json!(folder), "{place}");
            assert_eq!(place["webRoot"], json!(folder.join("wwwroot")), "{place}");
            assert_eq!(client.get("/digits.txt").await.status(), 200);
            site.close().await;
        }
    });
}
