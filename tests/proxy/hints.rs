//! What an app says before its answer, `103 Early Hints` and its like, behind our front: to the byte.

use std::{
    convert::Infallible,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use ancm::{Connection, Informational, front::Front, proxy::ProxyOptions};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::{net::TcpSocket, sync::Notify};
use tower::service_fn;

use crate::{
    site::Site,
    support::{Wire, soon, until},
};

const GET: &str = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone";

/// The answer, without what our front adds to it.
async fn answered(client: &mut Wire) {
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    assert!(head.contains("content-length: 4\r\n"), "{head}");
    assert_eq!(client.exactly(4).await, b"done");
}

#[tokio::test]
async fn come_before_the_answer_as_they_are_said() {
    let site = Site::new().await;
    let mut client = Wire::connect(site.address).await;
    for _ in 0..2 {
        client.say(GET).await;
        let mut wire = site.app.accept().await;
        wire.head().await;
        wire.say(HINT).await;
        assert_eq!(client.hear("\r\n\r\n").await, HINT);
        wire.say(HINT).await;
        assert_eq!(client.hear("\r\n\r\n").await, HINT);
        // In one piece with the answer, from which they are not to be told by when they come.
        wire.say(format!("{HINT}HTTP/1.1 102 Processing\r\n\r\n{ANSWER}"))
            .await;
        assert_eq!(client.hear("\r\n\r\n").await, HINT);
        let second = client.hear("\r\n\r\n").await;
        assert_eq!(second, "HTTP/1.1 102 Processing\r\n\r\n");
        answered(&mut client).await;
    }
}

#[tokio::test]
async fn leave_behind_what_is_for_one_hop() {
    let site = Site::with(ProxyOptions::new().via(Some("us")), Front::new()).await;
    let mut client = Wire::connect(site.address).await;
    client.say(GET).await;
    let mut wire = site.app.accept().await;
    wire.head().await;
    wire.say(
        "HTTP/1.1 103 Early Hints\r\nConnection: x-hop, close\r\nx-hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Content-Length: 9\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nMS-ASPNETCORE-TOKEN: secret\r\n\
         Link: </a>\r\nLink: </b>\r\nSet-Cookie: a=1\r\n\r\n",
    )
    .await;
    let head = client.hear("\r\n\r\n").await;
    let want = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\nset-cookie: a=1\r\nvia: 1.1 us\r\n\r\n";
    assert_eq!(head, want);
    wire.say(ANSWER).await;
    answered(&mut client).await;
}

#[tokio::test]
async fn may_be_followed_by_a_failure_of_ours() {
    let site = Site::new().await;
    let mut client = Wire::connect(site.address).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        .await;
    let mut wire = site.app.accept().await;
    wire.head().await;
    wire.say(HINT).await;
    assert_eq!(client.hear("\r\n\r\n").await, HINT);
    wire.say(format!("{HINT}HTTP/1.1 103 Bro")).await;
    assert_eq!(client.hear("\r\n\r\n").await, HINT);
    drop(wire);
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 502"), "{head}");
}

#[tokio::test]
async fn belong_to_their_request_when_those_are_pipelined() {
    let site = Site::new().await;
    let mut client = Wire::connect(site.address).await;
    client.say([GET, GET, GET].concat()).await;
    let mut wire = site.app.accept().await;
    for n in 0..3 {
        wire.head().await;
        let hint = format!("HTTP/1.1 103 Early Hints\r\nx-number: {n}\r\n\r\n");
        wire.say(format!("{hint}{ANSWER}")).await;
        assert_eq!(client.hear("\r\n\r\n").await, hint);
        answered(&mut client).await;
    }
}

#[tokio::test]
async fn come_while_the_client_still_uploads() {
    let site = Site::new().await;
    let mut client = Wire::connect(site.address).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let mut wire = site.app.accept().await;
    wire.head().await;
    wire.say(HINT).await;
    assert_eq!(client.hear("\r\n\r\n").await, HINT);
    wire.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(
        client.hear("\r\n\r\n").await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    client.say("1\r\na\r\n").await;
    wire.hear("1\r\na\r\n").await;
    wire.say(HINT).await;
    assert_eq!(client.hear("\r\n\r\n").await, HINT);
    client.say("0\r\n\r\n").await;
    wire.hear("0\r\n\r\n").await;
    wire.say(ANSWER).await;
    answered(&mut client).await;
}

#[tokio::test]
async fn are_not_for_clients_that_can_not_be_told() {
    let site = Site::new().await;
    let mut old = Wire::connect(site.address).await;
    old.say("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    let mut wire = site.app.accept().await;
    wire.head().await;
    wire.say(format!("{HINT}{ANSWER}")).await;
    let all = old.rest().await;
    assert!(
        all.starts_with("HTTP/1.0 200") && !all.contains("link"),
        "{all}"
    );

    let stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/").body(()).unwrap();
    let (answer, _) = sender
        .ready()
        .await
        .unwrap()
        .send_request(request, true)
        .unwrap();
    wire.head().await;
    wire.say(format!("{HINT}{ANSWER}")).await;
    let response = soon(answer).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("link"));
}

/// However slowly it reads, what it gets is each head whole and in its place; and others don't wait for it.
#[tokio::test]
async fn that_a_client_does_not_take_wait_and_keep_nobody_else_waiting() {
    const REQUESTS: usize = 60;
    let site = Site::new().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(32 << 10).unwrap();
    let mut slow = Wire::new(socket.connect(site.address).await.unwrap());
    slow.say(GET.repeat(REQUESTS)).await;
    let mut wire = site.app.accept().await;
    let long = format!(
        "HTTP/1.1 103 Early Hints\r\nlink: <{}>\r\n\r\n",
        "x".repeat(30_000)
    );
    let answered_so_far = Arc::new(AtomicUsize::new(0));
    let (count, both) = (answered_so_far.clone(), format!("{long}{ANSWER}"));
    let app = tokio::spawn(async move {
        for _ in 0..REQUESTS {
            wire.head().await;
            wire.say(&both).await;
            count.fetch_add(1, Relaxed);
        }
    });
    until("some are answered", || answered_so_far.load(Relaxed) > 1).await;
    for _ in 0..3 {
        let mut other = Wire::connect(site.address).await;
        other.say(GET).await;
        let mut wire = site.app.accept().await;
        wire.head().await;
        wire.say(format!("{HINT}{ANSWER}")).await;
        assert_eq!(other.hear("\r\n\r\n").await, HINT);
        answered(&mut other).await;
    }
    let so_far = answered_so_far.load(Relaxed);
    assert!(so_far < REQUESTS, "nobody waits for the slow one");
    for n in 0..REQUESTS {
        assert!(slow.hear("\r\n\r\n").await == long, "{n}");
        answered(&mut slow).await;
    }
    soon(app).await.unwrap();
}

/// A service of ours that says what it is told to.
#[tokio::test]
async fn can_be_said_by_a_service_in_front_or_in_process() {
    let (go_on, late) = (
        Arc::new(Notify::new()),
        Arc::new(std::sync::Mutex::new(None)),
    );
    let parts = (go_on.clone(), late.clone());
    let make = move |connection: Connection| {
        let parts = parts.clone();
        service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            let (go_on, late) = parts.clone();
            async move {
                let client = Informational::of(&request).unwrap();
                // From another thread, as from a pool of its own.
                let other = client.clone();
                let link = HeaderMap::from_iter([(
                    http::header::LINK,
                    HeaderValue::from_static("</a.css>; rel=preload"),
                )]);
                let said = std::thread::spawn(move || other.send(StatusCode::EARLY_HINTS, link));
                assert!(said.join().unwrap());
                go_on.notified().await;
                *late.lock().unwrap() = Some(client);
                Ok::<_, Infallible>(Response::new("done".to_owned()))
            }
        })
    };
    let front = Front::new().threads(NonZeroUsize::MIN);
    let bound = front.bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    let address = *bound.local_addresses().first().unwrap();
    tokio::spawn(bound.serve(make, std::future::pending()));
    let mut client = Wire::connect(address).await;
    for _ in 0..3 {
        client.say(GET).await;
        // Before the answer: that waits for us.
        assert_eq!(client.hear("\r\n\r\n").await, HINT);
        go_on.notify_one();
        answered(&mut client).await;
        let late = late.lock().unwrap().take().unwrap();
        assert!(!late.send(StatusCode::EARLY_HINTS, HeaderMap::new()));
    }
}
