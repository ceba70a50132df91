//! A Unix socket.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
};

use crate::site::{PATIENCE, Site, web_config};

/// A client can say that it has said everything.
pub(super) const TELLS_THE_END: bool = true;

pub(super) fn connect(socket: &Path) -> UnixStream {
    UnixStream::connect(socket).unwrap()
}

pub(super) fn is_there(socket: &Path) -> bool {
    socket.exists()
}

/// What the socket answers to these bytes.
pub(super) fn say(site: &Site, bytes: &[u8]) -> String {
    let mut stream = connect(&site.socket());
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
#[cfg(target_os = "linux")]
#[tokio::test]
async fn somebody_else_gets_no_answer() {
    use rustix::process::Uid;

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

/// What a killed one leaves behind does not keep the next one from its place.
#[tokio::test]
async fn a_stale_one_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let path = path.to_str().unwrap();
    let site = Site::with_options(&web_config("", "", ""), &["--control", path]);
    site.operate(&["status", "--control", path]).await;
}
