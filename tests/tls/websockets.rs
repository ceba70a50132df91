//! WebSockets over HTTP/2 and TLS (RFC 8441) by programs that people use: Chromium, and node's client.

use std::{
    fs,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use ancm::{
    Connection, Host,
    front::{Front, Listen},
    proxy::Address,
};
use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Html,
    routing::get,
};
use http::{Method, Request, Version};
use hyper::body::Incoming;
use tokio::{net::TcpListener, sync::Semaphore};
use tower::{Service as _, service_fn};

use crate::{
    clients::{browse, program, said},
    support::{Ca, within},
};

/// Shows how many messages went round, and lets the browser finish then.
const PAGE: &str = r#"<!doctype html><body>nothing yet<img src="/shown"><script>
const socket = new WebSocket(`wss://${location.host}/ws`, ["chat", "superchat"]);
const messages = ["hello", "w\u00f6rld", "x".repeat(65536)];
let seen = 0;
const show = (text) => { document.body.firstChild.data = text; fetch("/seen"); };
socket.onopen = () => messages.forEach((message) => socket.send(message));
socket.onmessage = (event) => {
    if (event.data !== messages[seen]) { show(`other: ${event.data}`); }
    seen += 1;
    if (seen === messages.length) { socket.close(4001, "enough"); }
};
socket.onclose = (event) => show(`${seen} messages by ${socket.protocol}, closed ${event.code} ${event.wasClean}`);
</script>"#;

/// An app that knows HTTP/1.1 alone.
async fn app() -> SocketAddr {
    let seen = Arc::new(Semaphore::new(0));
    let routes = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route(
            "/seen",
            get(async |State(seen): State<Arc<Semaphore>>| seen.add_permits(1)),
        )
        .route(
            "/shown",
            get(async |State(seen): State<Arc<Semaphore>>| drop(seen.acquire().await)),
        )
        .route(
            "/ws",
            get(async |upgrade: WebSocketUpgrade| upgrade.protocols(["chat"]).on_upgrade(echo)),
        )
        .with_state(seen);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, routes).await });
    address
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        // A close is answered by what reads on.
        let closes = matches!(message, Message::Close(_));
        if !closes && socket.send(message).await.is_err() {
            return;
        }
    }
}

type Asked = Arc<Mutex<Vec<(Method, Version, String)>>>;

/// The module before it, which notes what it is asked.
async fn site(ca: &Ca) -> (SocketAddr, Asked) {
    let pair = ca.site("site", &["localhost", "127.0.0.1"]);
    let parts = [&pair.chain, &ca.pem()].map(|path| fs::read_to_string(path).unwrap());
    fs::write(&pair.chain, parts.concat()).unwrap();
    let listen = Listen::tcp("127.0.0.1:0".parse().unwrap()).tls(pair.tls().build().unwrap());
    let front = Front::new()
        .threads(NonZeroUsize::MIN)
        .extended_connect(true);
    let bound = front.listen([listen]).unwrap();
    let address = bound.local_addresses()[0];
    let (host, asked) = (Host::to(Address::Tcp(app().await)), Asked::default());
    let noted = asked.clone();
    let make = move |connection: Connection| {
        let (mut host, noted) = (host.for_connection(connection), noted.clone());
        service_fn(move |request: Request<Incoming>| {
            let asked = (request.method(), request.version(), request.uri().path());
            let asked = (asked.0.clone(), asked.1, asked.2.to_owned());
            noted.lock().unwrap().push(asked);
            host.call(request)
        })
    };
    tokio::spawn(bound.serve(make, std::future::pending()));
    (address, asked)
}

fn took_a_stream(asked: &Asked) -> bool {
    let stream = (Method::CONNECT, Version::HTTP_2, "/ws".to_owned());
    asked.lock().unwrap().contains(&stream)
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn chromium_opens_one_on_a_stream() {
    let ca = Ca::new();
    let (address, asked) = site(&ca).await;
    let Some(page) = within(async { browse(&ca, address, true) }).await else {
        return;
    };
    let want = "3 messages by chat, closed 4001 true";
    assert!(page.contains(want), "{page}");
    let all = asked.lock().unwrap().clone();
    assert!(took_a_stream(&asked), "{all:?}");
}

/// Asks for a stream, sends one message of 64 KiB and one to close, and says what came back.
const NODE: &str = r#"
const http2 = require("node:http2");
const client = http2.connect(`https://localhost:${process.argv[1]}`, {
    ca: require("node:fs").readFileSync(process.env.NODE_EXTRA_CA_CERTS),
});
const frame = (opcode, data) => {
    const head = data.length < 126 ? Buffer.from([0x80 | opcode, 0x80 | data.length, 0, 0, 0, 0])
        : Buffer.from([0x80 | opcode, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    return Buffer.concat([head, data]);
};
client.on("remoteSettings", (settings) => {
    if (!settings.enableConnectProtocol) { console.log("not offered"); return client.close(); }
    const stream = client.request({
        ":method": "CONNECT", ":protocol": "websocket", ":path": "/ws", "sec-websocket-version": "13",
    });
    let heard = Buffer.alloc(0);
    stream.on("response", (head) => {
        console.log(head[":status"]);
        stream.write(frame(2, Buffer.alloc(65536, 7)));
        stream.write(frame(8, Buffer.from([0x03, 0xe8])));
    });
    stream.on("data", (data) => { heard = Buffer.concat([heard, data]); });
    stream.on("error", (error) => console.log(error));
    stream.on("end", () => {
        const body = heard.subarray(10, 10 + 65536).every((byte) => byte === 7);
        console.log(heard.length, heard[0], heard[1], body, heard.subarray(-4).toString("hex"));
        stream.end();
        client.close();
    });
});
client.on("error", (error) => console.log(error));
"#;

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn node_opens_one_on_a_stream() {
    let ca = Ca::new();
    let (address, asked) = site(&ca).await;
    let Some(mut node) = program("node") else {
        return;
    };
    node.env("NODE_EXTRA_CA_CERTS", ca.pem());
    let text = said(node.args(["-e", NODE, &address.port().to_string()]));
    // A frame of 64 KiB with a head of 10 bytes, and a close with its code.
    assert_eq!(text, "200\n65550 130 127 true 880203e8\n");
    assert!(took_a_stream(&asked));
}
