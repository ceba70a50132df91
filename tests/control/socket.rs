//! The socket, and strangers on it.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
};

use rustix::process::Uid;
use serde_json::Value;

use crate::site::{PATIENCE, Site, web_config};

/// What the socket answers to these bytes.
fn say(site: &Site, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(site.socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may have heard enough before the end.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn only_its_user_gets_at_it() {
    let site = Site::new();
    let socket = site.socket();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&*socket), 0o600);
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
}

/// Needs the right to become somebody else, which only the super-user has.
#[tokio::test]
async fn somebody_else_gets_no_answer() {
    const NOBODY: u32 = 65534;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(folder.path(), 0o777);
    let socket = folder.path().join("s");
    let path = socket.to_str().unwrap();
    let site = Site::with_options(&web_config("", "", ""), &["--control", path]);
    // Even if somebody lets everybody in.
    open(&socket, 0o777);
    let to = socket.clone();
    let thread = std::thread::spawn(move || {
        // Makes only this thread somebody else.
        let (root, nobody) = (rustix::process::getuid(), Uid::from_raw(NOBODY));
        rustix::thread::set_thread_res_uid(root, nobody, root).unwrap();
        let mut stream = UnixStream::connect(to).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(b"{\"command\":\"stop\"}\n");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    });
    assert_eq!(thread.join().unwrap(), b"");
    let logged = site.logged("Control connection of another user refused");
    assert_eq!(logged["uid"], NOBODY);
    site.operate(&["status", "--control", path]).await;
}

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
        if garbage.len() < 1 << 20 {
            let reply: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(reply["reply"], "failed", "{answer}");
        }
    }
    // Who says nothing keeps nobody from being heard.
    let silent: Vec<_> = (0..8)
        .map(|_| UnixStream::connect(site.socket()).unwrap())
        .collect();
    let answer = say(&site, b"{\"command\":\"status\"}\n");
    let reply: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(reply["status"]["state"], "ready", "{answer}");
    drop(silent);
    assert_eq!(site.pid().await, pid);
}

#[tokio::test]
async fn it_is_removed_at_the_end_and_replaced_when_stale() {
    let mut site = Site::new();
    let socket = site.socket();
    site.signal(rustix::process::Signal::TERM);
    assert!(site.ended().success());
    assert!(!socket.exists());

    // What a killed one leaves behind does not keep the next one from its place.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let path = path.to_str().unwrap();
    let site = Site::with_options(&web_config("", "", ""), &["--control", path]);
    site.operate(&["status", "--control", path]).await;
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
    fs::write(site.path("file"), "precious").unwrap();
    let file = site.path("file");
    let arguments = [&arguments[..5], &[file.to_str().unwrap()]].concat();
    let (code, _, stderr) = site.ancm(&arguments).await;
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(fs::read_to_string(file).unwrap(), "precious");
    site.operate(&["status", "app"]).await;
}

#[tokio::test]
async fn no_control_makes_none() {
    let site = Site::with_options(&web_config("", "", ""), &["--no-control"]);
    let run = site.folder.path().join("run");
    assert_eq!(fs::read_dir(run).unwrap().count(), 0);
    let (code, _, _) = site.ancm(&["status", "app"]).await;
    assert_eq!(code, 1);
    site.pid().await;
}
