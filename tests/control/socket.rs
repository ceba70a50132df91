//! The socket, and strangers on it.

use std::fs;

use serde_json::Value;

use self::os::{connect, say};
use crate::site::{Site, web_config};

#[cfg(unix)]
#[path = "socket_unix.rs"]
mod os;
#[cfg(windows)]
#[path = "socket_windows.rs"]
mod os;

#[tokio::test]
async fn garbage_is_refused_and_harms_nobody() {
    let site = Site::new();
    let pid = site.pid().await;
    let endless = vec![b'x'; 1 << 20];
    let nested = "[".repeat(10_000) + "\n";
    for garbage in [
        &b""[..],
        b"\n",
        b"status\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\xff\xfe\n",
        b"{\"command\":\"status\"",
        b"{\"command\":\"explode\"}\n",
        b"{\"command\":\"logs\",\"after\":[{\"generation\":1e99,\"bytes\":0}]}\n",
        nested.as_bytes(),
        &endless,
    ] {
        let answer = say(&site, garbage);
        if garbage.len() < 1 << 20 && (os::TELLS_THE_END || garbage.ends_with(b"\n")) {
            let reply: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(reply["reply"], "failed", "{answer}");
        }
    }
    // Who says nothing keeps nobody from being heard.
    let silent: Vec<_> = (0..8).map(|_| connect(&site.socket())).collect();
    let answer = say(&site, b"{\"command\":\"status\"}\n");
    let reply: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(reply["status"]["state"], "ready", "{answer}");
    drop(silent);
    assert_eq!(site.pid().await, pid);
}

#[tokio::test]
async fn it_is_removed_at_the_end() {
    let mut site = Site::new();
    let path = site.socket();
    assert!(site.stop().success());
    assert!(!os::is_there(&path));
    let path = path.to_str().unwrap();
    let (code, _, stderr) = site.ancm(&["status", "--control", path]).await;
    assert_eq!(code, 1, "{stderr}");
}

#[tokio::test]
async fn a_place_that_is_taken_is_not_stolen() {
    let site = Site::new();
    let path = site.socket();
    let arguments = ["run", "app", "--listen", "127.0.0.1:0", "--control"];
    let arguments = [&arguments[..], &[path.to_str().unwrap()]].concat();
    let (code, _, stderr) = site.ancm(&arguments).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("somebody listens there"), "{stderr}");
    site.operate(&["status", "app"]).await;
}

#[tokio::test]
async fn a_file_is_not_taken_for_one() {
    let site = Site::new();
    let arguments = ["run", "app", "--listen", "127.0.0.1:0", "--control"];
    fs::write(site.path("file"), "precious").unwrap();
    let file = site.path("file");
    let arguments = [&arguments[..], &[file.to_str().unwrap()]].concat();
    let (code, _, stderr) = site.ancm(&arguments).await;
    assert_eq!(code, 1, "{stderr}");
    // Nor is anything written to it.
    let arguments = ["stop", "--control", file.to_str().unwrap()];
    let (code, _, stderr) = site.ancm(&arguments).await;
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(fs::read_to_string(file).unwrap(), "precious");
}

#[tokio::test]
async fn no_control_makes_none() {
    let site = Site::with_options(&web_config("", "", ""), &["--no-control"]);
    #[cfg(unix)]
    assert_eq!(
        fs::read_dir(site.folder.path().join("run"))
            .unwrap()
            .count(),
        0
    );
    let (code, _, _) = site.ancm(&["status", "app"]).await;
    assert_eq!(code, 1);
    site.pid().await;
}
