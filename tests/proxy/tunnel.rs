//! WebSockets of an app that is spoken to in HTTP/2 (RFC 8441), and what it says before its answers.

use ancm::{front::Front, proxy::ProxyOptions};
use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{self, SendRequest},
    ext::Protocol,
    server,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio::{io::AsyncWriteExt as _, task::yield_now};

use crate::{
    h2c::{App, Link, broken, client, data, ended, ok},
    site,
    support::{Wire, soon, until},
};

const UPGRADE: &str = "GET /ws?a=%20b HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\nContent-Length: 0\r\n\r\n";

type Site = site::Site<App>;

async fn site() -> Site {
    let app = App::bind().await;
    let backend = app.backend();
    let front = Front::new().extended_connect(true);
    Site::before(app, backend, ProxyOptions::new(), front).await
}

impl Site {
    /// The next connection, whose app offers WebSockets.
    async fn accept(&self) -> Link {
        let mut builder = server::Builder::new();
        self.app
            .accept_with(builder.enable_connect_protocol())
            .await
    }

    /// A client of HTTP/2 that was told that it may ask for WebSockets.
    async fn h2_client(&self) -> SendRequest<Bytes> {
        let client = client(self.address).await;
        soon(async {
            while !client.is_extended_connect_protocol_enabled() {
                yield_now().await;
            }
        })
        .await;
        client
    }
}

fn connect(client: &mut SendRequest<Bytes>) -> (client::ResponseFuture, SendStream<Bytes>) {
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://example.com/ws?a=%20b")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat")
        .extension(Protocol::from_static("websocket"))
        .body(())
        .unwrap();
    client.send_request(request, false).unwrap()
}

/// What every app sees of it, whatever the client speaks.
fn is_a_connect(asked: &Request<RecvStream>) {
    assert_eq!(asked.method(), Method::CONNECT);
    assert_eq!(asked.uri(), "http://example.com/ws?a=%20b");
    let protocol = asked.extensions().get::<Protocol>();
    assert_eq!(protocol.map(Protocol::as_str), Some("websocket"));
    let fields = asked.headers();
    assert_eq!(fields["sec-websocket-version"], "13");
    assert_eq!(fields["sec-websocket-protocol"], "chat");
    assert_eq!(fields["ms-aspnetcore-token"], "secret");
    for gone in [
        "sec-websocket-key",
        "connection",
        "upgrade",
        "host",
        "content-length",
        "transfer-encoding",
    ] {
        assert!(!fields.contains_key(gone), "{gone}");
    }
}

fn switched() -> Response<()> {
    Response::builder()
        .header("sec-websocket-protocol", "chat")
        .header("sec-websocket-accept", "nonsense")
        .body(())
        .unwrap()
}

/// A client of HTTP/1.1 in a tunnel with the app.
async fn tunnel(site: &Site) -> (Wire, SendStream<Bytes>, RecvStream, Link) {
    let mut client = Wire::connect(site.address).await;
    client.say(UPGRADE).await;
    let mut link = site.accept().await;
    let (asked, mut reply) = link.request().await;
    is_a_connect(&asked);
    let down = reply.send_response(switched(), false).unwrap();
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    for line in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
        "sec-websocket-protocol: chat",
    ] {
        let found = head.matches(&format!("\r\n{line}\r\n")).count();
        assert_eq!(found, 1, "{line} in {head}");
    }
    assert!(!head.contains("content-length"), "{head}");
    (client, down, asked.into_body(), link)
}

/// A client of HTTP/2 in a tunnel with the app.
async fn tunnel_of_http_2(
    site: &Site,
    client: &mut SendRequest<Bytes>,
    link: &mut Option<Link>,
) -> (
    (SendStream<Bytes>, RecvStream),
    (SendStream<Bytes>, RecvStream),
) {
    let (answer, up) = connect(client);
    let link = match link {
        Some(link) => link,
        None => link.insert(site.accept().await),
    };
    let (asked, mut reply) = link.request().await;
    is_a_connect(&asked);
    let down = reply.send_response(switched(), false).unwrap();
    let answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), 200);
    let fields = answer.headers();
    assert_eq!(fields["sec-websocket-protocol"], "chat");
    for gone in ["sec-websocket-accept", "upgrade", "connection"] {
        assert!(!fields.contains_key(gone), "{gone}");
    }
    ((up, answer.into_body()), (down, asked.into_body()))
}

#[tokio::test]
async fn a_client_of_http_1_gets_what_it_asked_for() {
    let site = site().await;
    let (mut client, mut down, mut up, _link) = tunnel(&site).await;
    client.say(b"\xc1\x05\xff\x00no frame").await;
    assert_eq!(data(&mut up).await, &b"\xc1\x05\xff\x00no frame"[..]);
    down.send_data(Bytes::from_static(b"\x00\xffnor this"), false)
        .unwrap();
    assert_eq!(client.exactly(10).await, b"\x00\xffnor this");
    assert_eq!(
        (site.backend.in_flight(), site.proxy.tunnels().len()),
        (1, 1)
    );
    // Each side may end before the other.
    client.stream.shutdown().await.unwrap();
    ended(&mut up).await;
    down.send_data(Bytes::from_static(b"a last word"), true)
        .unwrap();
    assert_eq!(client.rest().await, "a last word");
    until("the lease ends", || site.backend.in_flight() == 0).await;
    soon(site.proxy.tunnels().closed()).await;
}

#[tokio::test]
async fn a_client_of_http_2_does_too() {
    let site = site().await;
    let (mut client, mut link) = (site.h2_client().await, None);
    let ((mut up, mut down), (mut app_down, mut app_up)) =
        tunnel_of_http_2(&site, &mut client, &mut link).await;
    up.send_data(Bytes::from_static(b"\xc1\x05\xff\x00no frame"), false)
        .unwrap();
    assert_eq!(data(&mut app_up).await, &b"\xc1\x05\xff\x00no frame"[..]);
    app_down
        .send_data(Bytes::from_static(b"\x00\xffnor this"), false)
        .unwrap();
    assert_eq!(data(&mut down).await, &b"\x00\xffnor this"[..]);
    up.send_data(Bytes::new(), true).unwrap();
    ended(&mut app_up).await;
    app_down
        .send_data(Bytes::from_static(b"a last word"), true)
        .unwrap();
    assert_eq!(data(&mut down).await, "a last word");
    ended(&mut down).await;
    until("the lease ends", || site.backend.in_flight() == 0).await;
    // The next one shares the connection.
    drop(tunnel_of_http_2(&site, &mut client, &mut link).await);
    assert!(site.app.is_quiet().await);
}

#[tokio::test]
async fn a_reset_of_either_side_ends_both_and_looks_like_no_end() {
    let site = site().await;
    let (mut client, mut link) = (site.h2_client().await, None);
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR] {
        let ((_up, mut down), (mut app_down, _app_up)) =
            tunnel_of_http_2(&site, &mut client, &mut link).await;
        app_down.send_reset(reason);
        assert_eq!(broken(&mut down).await, Some(Reason::CANCEL), "{reason:?}");
        until("the lease ends", || site.backend.in_flight() == 0).await;

        let ((mut up, _down), (_app_down, mut app_up)) =
            tunnel_of_http_2(&site, &mut client, &mut link).await;
        up.send_reset(reason);
        assert_eq!(broken(&mut app_up).await, Some(Reason::CANCEL));
        until("the lease ends", || site.backend.in_flight() == 0).await;
    }
}

/// A reset of HTTP/1.1 is one of its connection.
#[tokio::test]
async fn a_reset_ends_a_tunnel_of_http_1_too() {
    let site = self::site().await;
    let (client, _down, mut up, _link) = tunnel(&site).await;
    client.reset();
    assert_eq!(broken(&mut up).await, Some(Reason::CANCEL));
    until("the lease ends", || site.backend.in_flight() == 0).await;

    let site = self::site().await;
    let (mut client, mut down, _up, _link) = tunnel(&site).await;
    down.send_reset(Reason::CANCEL);
    assert_eq!(client.rest().await, "");
    until("the lease ends", || site.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn who_does_not_read_is_waited_for() {
    const WHOLE: usize = 16 << 20;
    let site = site().await;
    let (client, mut down, mut up, _link) = tunnel(&site).await;
    let (mut read, mut write) = client.stream.into_split();
    let writing = tokio::spawn(async move {
        let chunk = vec![b'x'; 64 << 10];
        for _ in 0..WHOLE / chunk.len() {
            write.write_all(&chunk).await.unwrap();
        }
        write.shutdown().await.unwrap();
    });
    let mut heard = 0;
    while let Some(data) = soon(up.data()).await {
        let data = data.unwrap();
        up.flow_control().release_capacity(data.len()).unwrap();
        heard += data.len();
    }
    assert_eq!(heard, WHOLE);
    soon(writing).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut read, &mut all)
            .await
            .unwrap();
        all.len()
    });
    let mut left = WHOLE;
    while left > 0 {
        down.reserve_capacity(left);
        let room = soon(std::future::poll_fn(|cx| down.poll_capacity(cx)))
            .await
            .unwrap()
            .unwrap();
        left -= room;
        down.send_data(vec![b'y'; room].into(), left == 0).unwrap();
    }
    assert_eq!(soon(reading).await.unwrap(), WHOLE);
}

#[tokio::test]
async fn any_other_answer_is_an_ordinary_one() {
    let site = site().await;
    let refused = || {
        let head = Response::builder().status(403).header("content-length", 2);
        head.body(()).unwrap()
    };
    let mut wire = Wire::connect(site.address).await;
    wire.say(UPGRADE).await;
    let mut link = site.accept().await;
    let (_asked, mut reply) = link.request().await;
    let mut down = reply.send_response(refused(), false).unwrap();
    down.send_data("no".into(), true).unwrap();
    let head = wire.head().await;
    assert!(head.starts_with("http/1.1 403 "), "{head}");
    assert_eq!(wire.exactly(2).await, b"no");

    let mut client = site.h2_client().await;
    let (answer, _up) = connect(&mut client);
    let (_asked, mut reply) = link.request().await;
    let mut down = reply.send_response(refused(), false).unwrap();
    down.send_data("no".into(), true).unwrap();
    let answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), 403);
    let mut body = answer.into_body();
    assert_eq!(data(&mut body).await, "no");
    ended(&mut body).await;
    until("the lease ends", || site.backend.in_flight() == 0).await;
    assert!(site.proxy.tunnels().is_empty());
}

#[tokio::test]
async fn an_app_that_offers_none_is_asked_for_none() {
    let site = site().await;
    let mut wire = Wire::connect(site.address).await;
    wire.say(UPGRADE).await;
    let mut link = site.app.accept().await;
    let head = wire.head().await;
    assert!(head.starts_with("http/1.1 501 "), "{head}");
    let mut client = site.h2_client().await;
    let (answer, _up) = connect(&mut client);
    assert_eq!(soon(answer).await.unwrap().status(), 501);
    // The first that it hears of is something else.
    let get = Request::get("http://example.com/").body(()).unwrap();
    let (answer, _) = client.send_request(get, true).unwrap();
    let (asked, mut reply) = link.request().await;
    assert_eq!(asked.method(), Method::GET);
    reply.send_response(ok(), true).unwrap();
    soon(answer).await.unwrap();
    assert!(site.app.is_quiet().await, "one connection is enough");
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_here() {
    let site = site().await;
    for line in [
        "",
        "Sec-WebSocket-Key: x\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    ] {
        let mut wire = Wire::connect(site.address).await;
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        wire.say(UPGRADE.replace(key, line)).await;
        let head = wire.head().await;
        assert!(head.starts_with("http/1.1 400 "), "{line}: {head}");
    }
    assert!(site.app.is_quiet().await);
}

#[tokio::test]
async fn another_protocol_than_websocket_is_an_ordinary_request() {
    let site = site().await;
    let mut wire = Wire::connect(site.address).await;
    wire.say(UPGRADE.replace("Upgrade: websocket", "Upgrade: h2c"))
        .await;
    let mut link = site.accept().await;
    let (asked, mut reply) = link.request().await;
    assert_eq!(asked.method(), Method::GET);
    assert!(!asked.headers().contains_key("upgrade"));
    reply.send_response(ok(), true).unwrap();
    let head = wire.head().await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
}

#[tokio::test]
async fn what_it_says_before_its_answer_reaches_a_client_of_http_1() {
    let site = site().await;
    let mut wire = Wire::connect(site.address).await;
    wire.say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .await;
    let mut link = site.app.accept().await;
    let (mut asked, mut reply) = link.request().await;
    let hint = |status: u16| {
        let mut hint = Response::new(());
        *hint.status_mut() = StatusCode::from_u16(status).unwrap();
        let style = HeaderValue::from_static("</a.css>; rel=preload");
        hint.headers_mut().insert("link", style);
        let secret = HeaderValue::from_static("secret");
        hint.headers_mut().insert("ms-aspnetcore-token", secret);
        hint
    };
    reply.send_informational(hint(103)).unwrap();
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";
    assert_eq!(wire.hear("\r\n\r\n").await, early);
    let continues = Response::builder().status(100).body(()).unwrap();
    reply.send_informational(continues).unwrap();
    let head = wire.hear("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 100 "), "{head}");
    wire.say("abc").await;
    assert_eq!(data(asked.body_mut()).await, "abc");
    reply.send_informational(hint(103)).unwrap();
    assert_eq!(wire.hear("\r\n\r\n").await, early);
    reply.send_response(ok(), true).unwrap();
    let head = wire.head().await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");

    // hyper has no way for one to a client of HTTP/2: it gets its answer, and nothing else.
    let mut client = site.h2_client().await;
    let get = Request::get("http://example.com/").body(()).unwrap();
    let (answer, _) = client.send_request(get, true).unwrap();
    let (_, mut reply) = link.request().await;
    reply.send_informational(hint(103)).unwrap();
    reply.send_response(ok(), true).unwrap();
    assert_eq!(soon(answer).await.unwrap().status(), 200);
}
