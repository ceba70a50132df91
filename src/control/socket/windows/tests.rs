//! Real pipes, with names that nothing else has.

use std::time::Duration;

use tokio::time::timeout;

use super::{private::tests::anonymous, *};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A path that nobody had before.
fn unique(prefix: &str) -> PathBuf {
    let number = getrandom::u64().unwrap();
    format!("{PIPES}{prefix}{number:016x}").into()
}

#[test]
fn a_path_that_is_none_of_a_pipe_is_not_opened() {
    for path in [r"\\.\pipe\ancm", r"\\.\PIPE\a.b c", r"\\.\pipe\..."] {
        assert!(check(Path::new(path)).is_ok(), "{path}");
    }
    for path in [
        "",
        "ancm",
        r"\\.\pipe\",
        r"\\.\pipe\.",
        r"\\.\pipe\..",
        r"\\.\pipe\..\C:\file",
        r"\\.\pipe\a\b",
        r"\\.\pipe\../C:/file",
        r"\\.\PhysicalDrive0",
        r"\\server\pipe\ancm",
        "//./pipe/ancm",
        r"\\?\pipe\ancm",
    ] {
        assert!(check(Path::new(path)).is_err(), "{path}");
    }
}

#[test]
fn what_is_no_pipe_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let error = ask(&file, &Request::Status {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let error = Socket::bind(&file).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "precious");
}

#[test]
fn the_usual_name_says_whose_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = socket_path(folder.path()).unwrap();
    check(&path).unwrap();
    assert_eq!(owner(&path), Some(&*private::own_user().unwrap()));
    for path in [r"\\.\pipe\other", r"\\.\pipe\ancm-", r"\\.\pipe\ancm-x-y"] {
        assert_eq!(owner(Path::new(path)), None, "{path}");
    }
}

#[tokio::test]
async fn a_place_is_taken_once() {
    let path = unique("ancm-test-");
    let socket = Socket::bind(&path).unwrap();
    assert_eq!(socket.path(), path);
    let error = Socket::bind(&path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
    drop(socket);
    let error = ask(&path, &Request::Status {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    Socket::bind(&path).unwrap();
}

#[tokio::test]
async fn only_its_user_and_administrators_are_on_its_list() {
    let socket = Socket::bind(&unique("ancm-test-")).unwrap();
    let user = private::own_user().unwrap();
    let list = private::tests::list_of(&socket.next);
    let expected = format!("O:{user}D:P(A;;FA;;;{user})(A;;FA;;;BA)(A;;FA;;;SY)");
    assert_eq!(private::tests::long(&list), private::tests::long(&expected));
}

/// The list is not only there.
#[tokio::test]
async fn somebody_else_does_not_get_in() {
    let path = unique("ancm-test-");
    let socket = Socket::bind(&path).unwrap();
    let opened = anonymous(|| std::fs::File::options().read(true).write(true).open(&path));
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    drop(socket);
}

/// Who knows the name may be there first. Nothing is said to them.
#[tokio::test]
async fn nothing_is_said_to_somebody_else() {
    let path = unique("ancm-S-1-5-21-1-2-3-1001-");
    let mut socket = Socket::bind(&path).unwrap();
    let asked = path.clone();
    let asked = tokio::task::spawn_blocking(move || ask(&asked, &Request::Stop {}));
    let mut stream = timeout(PATIENCE, socket.accept()).await.unwrap().unwrap();
    let mut heard = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut heard))
        .await
        .unwrap();
    assert!(heard.is_empty(), "{heard:?}");
    let error = asked.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
}

/// More than are let in at once, all of whom come before anybody is served.
#[tokio::test]
async fn who_comes_while_all_are_busy_waits() {
    let path = unique("ancm-test-");
    let mut socket = Socket::bind(&path).unwrap();
    let ask = |path: PathBuf| move || ask(&path, &Request::Status {});
    let asking: Vec<_> = (0..8)
        .map(|_| tokio::task::spawn_blocking(ask(path.clone())))
        .collect();
    for _ in &asking {
        let mut stream = timeout(PATIENCE, socket.accept()).await.unwrap().unwrap();
        let request = read_line(&mut stream).await;
        assert_eq!(request, "{\"command\":\"status\"}\n");
        stream.write_all(b"{\"reply\":\"done\"}\n").await.unwrap();
    }
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap()["reply"], "done");
    }
}

async fn read_line(stream: &mut NamedPipeServer) -> String {
    let mut line = String::new();
    let mut stream = BufReader::new(stream);
    let read = stream.read_line(&mut line);
    timeout(PATIENCE, read).await.unwrap().unwrap();
    line
}

#[tokio::test]
async fn it_may_be_asked_within_a_runtime() {
    let path = unique("ancm-test-");
    let error = ask(&path, &Request::Status {}).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
}
