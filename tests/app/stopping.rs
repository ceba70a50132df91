//! How a server ends.

use std::{sync::Arc, time::Duration};

use ancm::app::Shutdown;
use axum::{
    Router,
    extract::{
        WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    routing::{any, get},
};
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::Instant,
};
use tokio_tungstenite::{connect_async, tungstenite};

use super::{
    layer,
    serving::{fetch, off, start},
};

const SHUTDOWN: &str = "POST /app/iisintegration HTTP/1.1\r\nMS-ASPNETCORE-TOKEN: TestToken\r\n\
                        MS-ASPNETCORE-EVENT: shutdown \r\nContent-Length: 0\r\n";

/// `/slow` says when it is called, and answers when it is told to.
fn slow() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (called, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (called2, go_on2) = (Arc::clone(&called), Arc::clone(&go_on));
    let handler = move || async move {
        called2.notify_one();
        go_on2.notified().await;
        "done"
    };
    (Router::new().route("/slow", get(handler)), called, go_on)
}

#[tokio::test]
async fn the_modules_event_is_answered_and_ends_the_server() {
    let (address, server) = start(Router::new(), layer("/app"), |server| server).await;
    let got = fetch(address, SHUTDOWN).await;
    assert_eq!(got, (StatusCode::ACCEPTED, String::new()));
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stranger_does_not_end_it() {
    let (address, server) = start(Router::new(), layer("/app"), |server| server).await;
    let forged = SHUTDOWN.replace("TestToken", "Guess");
    assert_eq!(fetch(address, &forged).await.0, StatusCode::BAD_REQUEST);
    // Still there: it answers, and ends when it should.
    assert_eq!(fetch(address, SHUTDOWN).await.0, StatusCode::ACCEPTED);
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_under_way_ends_first() {
    let (router, called, go_on) = slow();
    let shutdown = Shutdown::new();
    let (address, server) = start(router, off(), |server| server.stop_on(&shutdown)).await;
    let request = tokio::spawn(fetch(address, "GET /slow HTTP/1.1\r\n"));
    called.notified().await;
    shutdown.request();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!server.is_finished());
    go_on.notify_one();
    assert_eq!(request.await.unwrap(), (StatusCode::OK, "done".to_owned()));
    server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_broken_off_at_the_deadline() {
    let (router, called, _go_on) = slow();
    let shutdown = Shutdown::new();
    let (address, server) = start(router, off(), |server| server.stop_on(&shutdown)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /slow HTTP/1.1\r\nHost: test\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    called.notified().await;
    let before = Instant::now();
    shutdown.request();
    server.await.unwrap().unwrap();
    let took = before.elapsed();
    assert!(took >= Duration::from_secs(8), "{took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_does_not_hold_it_up() {
    let shutdown = Shutdown::new();
    let router = Router::new().route("/", get(|| async { "hello" }));
    let (address, server) = start(router, off(), |server| server.stop_on(&shutdown)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    let before = Instant::now();
    shutdown.request();
    server.await.unwrap().unwrap();
    assert!(before.elapsed() < Duration::from_secs(1));
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_works_and_is_broken_off_at_the_deadline() {
    let ended = Arc::new(Notify::new());
    let tell = Arc::clone(&ended);
    let handler = |ws: WebSocketUpgrade| async move {
        ws.on_upgrade(|socket| async move {
            echo(socket).await;
            tell.notify_one();
        })
    };
    let shutdown = Shutdown::new();
    let router = Router::new().route("/ws", any(handler));
    let (address, server) = start(router, off(), |server| server.stop_on(&shutdown)).await;
    let (mut socket, _) = connect_async(format!("ws://{address}/ws")).await.unwrap();
    socket.send("one".into()).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), "one".into());

    let before = Instant::now();
    shutdown.request();
    server.await.unwrap().unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), ended.notified());
    ended.await.unwrap();
    let took = before.elapsed();
    assert!(took >= Duration::from_secs(8), "{took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!matches!(socket.next().await, Some(Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_listens_says_goodbye_in_time() {
    let shutdown = Shutdown::new();
    let listen = shutdown.clone();
    let handler = move |ws: WebSocketUpgrade| async move {
        ws.on_upgrade(move |mut socket: WebSocket| async move {
            socket.send("hello".into()).await.unwrap();
            listen.requested().await;
            let _ = socket.send(Message::Close(None)).await;
            let _ = socket.recv().await;
        })
    };
    let router = Router::new().route("/ws", any(handler));
    let (address, server) = start(router, off(), |server| server.stop_on(&shutdown)).await;
    let (mut socket, _) = connect_async(format!("ws://{address}/ws")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), "hello".into());
    let before = Instant::now();
    shutdown.request();
    let goodbye = socket.next().await.unwrap().unwrap();
    assert!(matches!(goodbye, tungstenite::Message::Close(_)));
    drop(socket);
    server.await.unwrap().unwrap();
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn dropping_it_breaks_everything_off() {
    let (router, called, _go_on) = slow();
    let (address, server) = start(router, off(), |server| server).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /slow HTTP/1.1\r\nHost: test\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    called.notified().await;
    server.abort();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

/// Signals reach the whole process, so that all of this is one test, and no other listens to them.
#[cfg(unix)]
#[tokio::test]
async fn signals_end_it_and_a_second_one_at_once() {
    async fn kill(signal: &str) {
        let pid = std::process::id().to_string();
        let status = tokio::process::Command::new("kill")
            .args([signal, &pid])
            .status();
        assert!(status.await.unwrap().success());
    }
    for signal in ["-TERM", "-INT"] {
        let (router, called, _go_on) = slow();
        let shutdown = Shutdown::new();
        let (address, server) = start(router, off(), |server| {
            server
                .stop_on(&shutdown)
                .signals(true)
                .drain_timeout(Duration::from_secs(3600))
        })
        .await;
        let request = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = "GET /slow HTTP/1.1\r\nHost: test\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await
        });
        called.notified().await;
        kill(signal).await;
        shutdown.requested().await;
        assert!(!server.is_finished());
        kill(signal).await;
        server.await.unwrap().unwrap();
        let _ = request.await.unwrap();
    }
}
