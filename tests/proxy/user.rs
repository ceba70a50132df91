//! What the app hears of a client's Windows user.

use std::{
    fs::File,
    io,
    os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use ancm::{
    Connection, PairingToken,
    proxy::{Backend, Forward, Owner, Proxy, ProxyOptions},
};
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use tower::ServiceExt;

use crate::support::App;

/// Gives each token the next number, or refuses all of them.
struct Giver {
    next: Option<AtomicU32>,
    user: usize,
}

impl Owner for Giver {
    fn owns_listener(&self) -> bool {
        true
    }

    fn give_token(&self, token: BorrowedHandle<'_>) -> io::Result<u32> {
        assert_eq!(token.as_raw_handle().addr(), self.user, "another's token");
        let next = self.next.as_ref().ok_or(io::ErrorKind::PermissionDenied)?;
        Ok(next.fetch_add(4, Ordering::Relaxed))
    }
}

/// Any handle will do: nobody here looks at what it is of.
fn user() -> File {
    File::open("NUL").unwrap()
}

fn backend(app: &App, user: &File, next: Option<u32>) -> Backend {
    let next = next.map(AtomicU32::new);
    let user = user.as_handle().as_raw_handle().addr();
    let token = PairingToken::new("secret").unwrap();
    Backend::paired(app.address(), token, Some(Arc::new(Giver { next, user })))
}

fn forward(backend: &Backend, connection: &Connection) -> Forward<Empty<Bytes>> {
    let request = Request::get("/")
        .header("host", "a")
        // Nobody but us says who the user is.
        .header("ms-aspnetcore-winauthtoken", "44")
        .body(Empty::new());
    Forward::new(backend.lease(), connection.clone(), request.unwrap())
}

#[tokio::test]
async fn each_request_carries_a_copy_of_its_own() {
    let (app, user) = (App::bind().await, user());
    let backend = backend(&app, &user, Some(0x3a4));
    let connection = Connection::unknown().with_windows_user(user.into());
    for want in ["3a4", "3a8", "3ac"] {
        let answer = tokio::spawn(Proxy::new().oneshot(forward(&backend, &connection)));
        let mut wire = app.accept().await;
        let head = wire.head().await;
        let header = format!("\r\nms-aspnetcore-winauthtoken: {want}\r\n");
        assert!(head.contains(&header), "{head}");
        assert_eq!(head.matches("winauthtoken").count(), 1, "{head}");
        wire.say("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .await;
        assert_eq!(answer.await.unwrap().unwrap().status(), 204);
    }
}

#[tokio::test]
async fn nobody_is_introduced_where_that_is_off_or_there_is_nobody() {
    let known = user();
    let app = App::bind().await;
    let backend = backend(&app, &known, None);
    let known = Connection::unknown().with_windows_user(known.into());
    for (proxy, connection) in [
        (
            Proxy::with_options(ProxyOptions::new().windows_user(false)),
            known,
        ),
        (Proxy::new(), Connection::unknown()),
    ] {
        let answer = tokio::spawn(proxy.oneshot(forward(&backend, &connection)));
        let mut wire = app.accept().await;
        let head = wire.head().await;
        assert!(!head.contains("winauthtoken"), "{head}");
        wire.say("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .await;
        assert_eq!(answer.await.unwrap().unwrap().status(), 204);
    }
}

#[tokio::test]
async fn who_can_t_be_introduced_is_not_served() {
    let (app, user) = (App::bind().await, user());
    let backend = backend(&app, &user, None);
    let connection = Connection::unknown().with_windows_user(user.into());
    let answer = Proxy::new().oneshot(forward(&backend, &connection)).await;
    assert_eq!(answer.unwrap_err().status(), 502);
    let mut wire = app.accept().await;
    assert_eq!(wire.rest().await, "", "the app heard of it");
}
