//! WebSockets over HTTP/2 (RFC 8441): what app and client see of each other, to the byte.

use std::time::Duration;

use ancm::{
    front::{Drained, Front},
    proxy::ProxyOptions,
};
use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{Builder, SendRequest},
    ext::Protocol,
};
use http::{Method, Request, Response};
use tokio::{
    net::TcpStream,
    task::{JoinHandle, yield_now},
};

use crate::{
    site::Site,
    support::{Wire, soon, until},
};

impl Site {
    async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        // More than a stream's, so that one that is not read leaves room for others.
        let builder = Builder::new()
            .initial_connection_window_size(1 << 20)
            .clone();
        let (sender, connection) = builder.handshake(stream).await.unwrap();
        let driver = tokio::spawn(async {
            let _ = connection.await;
        });
        Client {
            sender: sender.ready().await.unwrap(),
            driver,
        }
    }

    /// A tunnel, with what the app was asked.
    async fn tunnel(&self, client: &mut Client) -> (SendStream<Bytes>, RecvStream, Wire, String) {
        let (answer, up) = client.ask("websocket", &[]);
        let (mut wire, head) = self.app_switches("").await;
        let response = soon(answer).await.unwrap();
        assert_eq!(response.status(), 200);
        wire.say("").await;
        (up, response.into_body(), wire, head)
    }

    /// The app reads a request and says 101 with the proof that is due, and `more`.
    async fn app_switches(&self, more: &str) -> (Wire, String) {
        let mut wire = self.app.accept().await;
        let head = wire.hear("\r\n\r\n").await;
        let proof = proof(&head);
        wire.say(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {proof}\r\n{more}\r\n"
        ))
        .await;
        (wire, head.to_ascii_lowercase())
    }
}

struct Client {
    sender: SendRequest<Bytes>,
    /// Whoever ends it vanishes.
    driver: JoinHandle<()>,
}

type Answer = h2::client::ResponseFuture;

impl Client {
    fn ask(
        &mut self,
        protocol: &'static str,
        fields: &[(&'static str, &'static str)],
    ) -> (Answer, SendStream<Bytes>) {
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri("http://example.com/chat?a=%20b")
            .header("sec-websocket-version", "13")
            .extension(Protocol::from_static(protocol));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        self.sender.send_request(request, false).unwrap()
    }
}

/// What answers the key of this head.
fn proof(head: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-key: "))
        .unwrap_or_else(|| panic!("no key in {head}"));
    tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes())
}

/// What comes next, of which the client makes room for more.
async fn next(down: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    let data = soon(down.data()).await;
    if let Some(Ok(data)) = &data {
        down.flow_control().release_capacity(data.len()).unwrap();
    }
    data
}

async fn hear(down: &mut RecvStream, length: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < length {
        heard.extend(next(down).await.unwrap().unwrap());
    }
    heard
}

/// The stream ends in order.
async fn ends(down: &mut RecvStream) {
    while let Some(more) = next(down).await {
        assert!(matches!(&more, Ok(data) if data.is_empty()), "{more:?}");
    }
}

async fn text(response: Response<RecvStream>) -> String {
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(data) = next(&mut body).await {
        text.extend(data.unwrap());
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn the_app_sees_an_upgrade_and_bytes_pass() {
    let site = Site::new().await;
    let mut client = site.client().await;
    let (answer, mut up) = client.ask(
        "websocket",
        &[
            ("sec-websocket-protocol", "chat, superchat"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("sec-websocket-key", "the client's own"),
            ("origin", "http://example.com"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ],
    );
    let more = "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    let (mut wire, head) = site.app_switches(more).await;
    assert!(head.starts_with("get /chat?a=%20b http/1.1\r\n"), "{head}");
    for line in [
        "host: example.com",
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-protocol: chat, superchat",
        "sec-websocket-extensions: permessage-deflate",
        "origin: http://example.com",
        "cookie: a=1; b=2",
        "ms-aspnetcore-token: secret",
    ] {
        let found = head.matches(&format!("\r\n{line}\r\n")).count();
        assert_eq!(found, 1, "{line} in {head}");
    }
    assert!(!head.contains("the client's own"), "{head}");
    let response = soon(answer).await.unwrap();
    assert_eq!(response.status(), 200);
    let fields = response.headers();
    assert_eq!(fields["sec-websocket-protocol"], "chat");
    assert_eq!(fields["sec-websocket-extensions"], "permessage-deflate");
    for gone in ["sec-websocket-accept", "upgrade", "connection"] {
        assert!(!fields.contains_key(gone), "{gone}");
    }
    let mut down = response.into_body();
    up.send_data(Bytes::from_static(b"\xc1\x05\xff\x00no frame"), false)
        .unwrap();
    assert_eq!(wire.exactly(12).await, b"\xc1\x05\xff\x00no frame");
    wire.say(b"\x00\xffnor this").await;
    assert_eq!(hear(&mut down, 10).await, b"\x00\xffnor this");
    assert_eq!(
        (site.backend.in_flight(), site.proxy.tunnels().len()),
        (1, 1)
    );
}

#[tokio::test]
async fn each_side_may_end_before_the_other() {
    let site = Site::new().await;
    let mut client = site.client().await;
    let (mut up, mut down, mut wire, _) = site.tunnel(&mut client).await;
    up.send_data(Bytes::from_static(b"bye"), true).unwrap();
    assert_eq!(wire.rest().await, "bye");
    wire.say("a last word").await;
    assert_eq!(hear(&mut down, 11).await, b"a last word");
    drop(wire);
    ends(&mut down).await;

    let (mut up, mut down, mut wire, _) = site.tunnel(&mut client).await;
    wire.say("bye").await;
    tokio::io::AsyncWriteExt::shutdown(&mut wire.stream)
        .await
        .unwrap();
    assert_eq!(hear(&mut down, 3).await, b"bye");
    ends(&mut down).await;
    up.send_data(Bytes::from_static(b"a last word"), true)
        .unwrap();
    assert_eq!(wire.rest().await, "a last word");
    until("the leases end", || site.backend.in_flight() == 0).await;
    soon(site.proxy.tunnels().closed()).await;
}

#[tokio::test]
async fn a_reset_of_either_side_ends_both() {
    let site = Site::new().await;
    let mut client = site.client().await;
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR, Reason::NO_ERROR] {
        let (mut up, down, mut wire, _) = site.tunnel(&mut client).await;
        up.send_reset(reason);
        // The app says nothing, and does not end by itself.
        assert_eq!(wire.rest().await, "", "{reason:?}");
        until("the lease ends", || site.backend.in_flight() == 0).await;
        drop((down, wire));
    }
    let (up, mut down, wire, _) = site.tunnel(&mut client).await;
    wire.reset();
    let last = next(&mut down).await;
    assert!(
        matches!(&last, Some(Err(error)) if error.reason() == Some(Reason::CANCEL)),
        "it does not look like an end: {last:?}"
    );
    until("the lease ends", || site.backend.in_flight() == 0).await;
    drop(up);
}

#[tokio::test]
async fn a_client_that_vanishes_ends_its_tunnels() {
    let site = Site::new().await;
    let mut client = site.client().await;
    let (_up, _down, mut first, _) = site.tunnel(&mut client).await;
    let (_up2, _down2, mut second, _) = site.tunnel(&mut client).await;
    client.driver.abort();
    drop(client.sender);
    assert_eq!(
        (first.rest().await, second.rest().await),
        (String::new(), String::new())
    );
    until("the leases end", || site.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn any_other_answer_is_an_ordinary_one() {
    let site = Site::new().await;
    let mut client = site.client().await;
    for (said, status, body) in [
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            403,
            Some("no"),
        ),
        (
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            426,
            Some("no"),
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
            302,
            Some(""),
        ),
        // To the client each of these would be an open tunnel.
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", 502, None),
        ("HTTP/1.1 204 No Content\r\n\r\n", 502, None),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            502,
            None,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            502,
            None,
        ),
    ] {
        let (answer, mut up) = client.ask("websocket", &[]);
        up.send_data(Bytes::from_static(b"GET /early HTTP/1.1\r\n\r\n"), false)
            .unwrap();
        let mut wire = site.app.accept().await;
        wire.head().await;
        wire.say(said).await;
        let response = soon(answer).await.unwrap();
        assert_eq!(response.status(), status, "{said}");
        let text = text(response).await;
        assert!(body.is_none_or(|body| text == body), "{said}: {text}");
        assert_eq!(wire.rest().await, "", "nothing of the tunnel that is none");
        until("the lease ends", || site.backend.in_flight() == 0).await;
    }
    assert!(site.proxy.tunnels().is_empty());
}

#[tokio::test]
async fn what_asks_for_no_websocket_is_refused_here() {
    let site = Site::new().await;
    let mut client = site.client().await;
    for protocol in ["connect-udp", "webtransport", "websocket2"] {
        let (answer, _up) = client.ask(protocol, &[]);
        assert_eq!(soon(answer).await.unwrap().status(), 501, "{protocol}");
    }
    let plain = Request::connect("example.com:443").body(()).unwrap();
    let (answer, _up) = client.sender.send_request(plain, false).unwrap();
    assert_eq!(soon(answer).await.unwrap().status(), 405);

    let off = Site::with(
        ProxyOptions::new().websockets(false),
        Front::new().extended_connect(true),
    )
    .await;
    let mut client = off.client().await;
    let (answer, _up) = client.ask("websocket", &[]);
    assert_eq!(soon(answer).await.unwrap().status(), 501);
    assert!(site.app.is_quiet().await && off.app.is_quiet().await);
}

#[tokio::test]
async fn is_offered_only_where_it_is_taken() {
    let site = Site::new().await;
    let client = site.client().await;
    soon(async {
        while !client.sender.is_extended_connect_protocol_enabled() {
            yield_now().await;
        }
    })
    .await;
    let off = Site::with(ProxyOptions::new(), Front::new()).await;
    let mut client = off.client().await;
    let (answer, _up) = client.ask("websocket", &[]);
    let error = soon(answer).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::PROTOCOL_ERROR));
    assert!(!client.sender.is_extended_connect_protocol_enabled());
    assert!(off.app.is_quiet().await);
}

#[tokio::test]
async fn who_does_not_read_is_waited_for_and_keeps_nobody_else_waiting() {
    const WHOLE: usize = 32 << 20;
    let site = Site::new().await;
    let mut client = site.client().await;
    let (_up, mut down, wire, _) = site.tunnel(&mut client).await;
    let (_, mut write) = wire.stream.into_split();
    let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = written.clone();
    let writing = tokio::spawn(async move {
        let chunk = vec![b'x'; 64 << 10];
        for _ in 0..WHOLE / chunk.len() {
            tokio::io::AsyncWriteExt::write_all(&mut write, &chunk)
                .await
                .unwrap();
            count.fetch_add(chunk.len(), std::sync::atomic::Ordering::Relaxed);
        }
    });
    // Others get through meanwhile, again and again.
    for _ in 0..20 {
        let (mut up, mut down, mut wire, _) = site.tunnel(&mut client).await;
        up.send_data(Bytes::from_static(b"ping"), false).unwrap();
        assert_eq!(wire.exactly(4).await, b"ping");
        wire.say("pong").await;
        assert_eq!(hear(&mut down, 4).await, b"pong");
    }
    let so_far = written.load(std::sync::atomic::Ordering::Relaxed);
    assert!(so_far < WHOLE, "{so_far} bytes lie somewhere");
    let mut heard = 0;
    while heard < WHOLE {
        heard += next(&mut down).await.unwrap().unwrap().len();
    }
    soon(writing).await.unwrap();
    ends(&mut down).await;
}

#[tokio::test]
async fn a_drain_waits_for_tunnels_and_then_cuts_them() {
    let site = Site::new().await;
    let mut client = site.client().await;
    let (_up, mut down, mut wire, _) = site.tunnel(&mut client).await;
    site.stop.send(()).unwrap();
    let drained = soon(site.ended).await.unwrap();
    assert_eq!(drained.cut_tunnels, 1);
    assert!(!matches!(next(&mut down).await, Some(Ok(_))));
    assert_eq!(wire.rest().await, "");

    // One that ends in time is not cut.
    let front = Front::new()
        .extended_connect(true)
        .drain_timeout(Duration::from_secs(15));
    let site = Site::with(ProxyOptions::new(), front).await;
    let mut client = site.client().await;
    let (mut up, mut down, mut wire, _) = site.tunnel(&mut client).await;
    site.stop.send(()).unwrap();
    wire.say("still there").await;
    assert_eq!(hear(&mut down, 11).await, b"still there");
    up.send_data(Bytes::new(), true).unwrap();
    assert_eq!(wire.rest().await, "");
    drop(wire);
    ends(&mut down).await;
    assert_eq!(soon(site.ended).await.unwrap(), Drained::default());
}
