//! Clients that leave, that stop reading, and that send what nobody wants.

use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use http::Request;
use http_body_util::{BodyExt as _, Channel};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    run,
    site::{BOTH, LOOK, Site, pid, told},
    support::client::{Client, Protocol, empty, full},
};

/// What a client may have sent, and how much of the answer it may have read, when it leaves.
const STAGES: [(&str, usize); 6] = [
    ("", 0),
    ("GET /faults/flood HT", 0),
    ("GET /text HTTP/1.1\r\nhost: a\r\n\r\n", 0),
    (
        "POST /faults/read HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nbegun",
        0,
    ),
    (
        "POST /faults/read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbe",
        0,
    ),
    ("GET /faults/flood HTTP/1.1\r\nhost: a\r\n\r\n", 100_000),
];

/// Waits until the app has nothing to do any more.
async fn idle(site: &Site, client: &mut Client) {
    loop {
        let under = told(client, "/faults/flood?told").await["under"].clone();
        let status = site.supervisor().status();
        // What the worker says of itself comes four times a second.
        if under == 0 && status.processes.iter().all(|one| one.in_flight == 0) {
            return;
        }
        sleep(LOOK).await;
    }
}

#[test]
fn a_client_may_leave_at_every_stage() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let mut client = site.client(way).await;
            let process = pid(&mut client).await;
            for _ in 0..20 {
                for (sent, read) in STAGES {
                    let mut stream = TcpStream::connect(site.address).await.unwrap();
                    stream.write_all(sent.as_bytes()).await.unwrap();
                    let mut left = read;
                    let mut buffer = vec![0; 64 * 1024];
                    while left > 0 {
                        let count = stream.read(&mut buffer).await.unwrap();
                        assert!(count > 0, "{sent}");
                        left = left.saturating_sub(count);
                    }
                }
                let url = format!("ws://{}/hub", site.address);
                // A hub that nobody agreed with says goodbye, or not: its client is gone.
                if let Ok((mut socket, _)) = connect_async(url).await {
                    let half = Message::text(r#"{"protocol""#);
                    let _ = socket.send(half).await;
                }
                let mut http2 = Client::connect(site.address, Protocol::Http2).await;
                let flood = Request::get("/faults/flood").body(empty()).unwrap();
                let mut body = http2.send(flood).await.unwrap().into_body();
                assert!(body.frame().await.is_some());
            }
            idle(&site, &mut client).await;
            assert_eq!(pid(&mut client).await, process, "{way:?}");
            site.close().await;
        }
    });
}

#[test]
fn a_body_that_is_never_read_is_no_harm() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let mut client = site.client(way).await;
            let process = pid(&mut client).await;
            for (protocol, length) in [
                (Protocol::Http1, 10),
                (Protocol::Http1, 4 * 1024 * 1024),
                (Protocol::Http2, 10),
                (Protocol::Http2, 4 * 1024 * 1024),
            ] {
                let mut other = Client::connect(site.address, protocol).await;
                let body = full(vec![b'x'; length]);
                let answer = other
                    .ask(Request::post("/faults/unread").body(body).unwrap())
                    .await;
                assert_eq!(answer.text(), "not interested", "{protocol:?} {length}");
                // One that never comes to its end.
                let mut other = Client::connect(site.address, protocol).await;
                let (_sender, body) = Channel::new(1);
                let request = Request::post("/faults/unread").body(body.boxed_unsync());
                let answer = other.ask(request.unwrap()).await;
                assert_eq!(answer.text(), "not interested", "{protocol:?}");
            }
            idle(&site, &mut client).await;
            assert_eq!(pid(&mut client).await, process, "{way:?}");
            site.close().await;
        }
    });
}

#[test]
fn a_writer_that_is_faster_than_its_client_waits() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let mut client = site.client(way).await;
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let before = told(&mut client, "/memory").await;
                let sent_before = told(&mut client, "/faults/flood?told").await["bytes"].clone();
                let mut slow = Client::connect(site.address, protocol).await;
                let flood = Request::get("/faults/flood").body(empty()).unwrap();
                let mut body = slow.send(flood).await.unwrap().into_body();
                assert!(body.frame().await.is_some());
                let mut sent = told(&mut client, "/faults/flood?told").await["bytes"].clone();
                loop {
                    sleep(Duration::from_millis(300)).await;
                    let now = told(&mut client, "/faults/flood?told").await["bytes"].clone();
                    if now == sent {
                        break;
                    }
                    sent = now;
                }
                let held = sent.as_u64().unwrap() - sent_before.as_u64().unwrap();
                // Buffers of sockets, most of all.
                assert!(held < 16 * 1024 * 1024, "{way:?} {protocol:?}: {held}");
                let after = told(&mut client, "/memory").await;
                let resident = |memory: &serde_json::Value| memory["resident"].as_u64().unwrap();
                let grown = resident(&after).saturating_sub(resident(&before));
                assert!(grown < 48 * 1024 * 1024, "{way:?} {protocol:?}: {grown}");
                // It goes on where the client does.
                let mut more = 0;
                while more < 2 * held {
                    let frame = body.frame().await.unwrap().unwrap();
                    more += frame.into_data().map_or(0, |data: Bytes| data.len() as u64);
                }
                drop((slow, body));
                idle(&site, &mut client).await;
            }
            site.close().await;
        }
    });
}

#[test]
fn an_upload_that_pauses_is_waited_for() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let mut client = site.client(way).await;
            let (mut sender, body) = Channel::<Bytes, crate::support::client::BoxError>::new(1);
            let request = Request::post("/faults/read")
                .body(body.boxed_unsync())
                .unwrap();
            let asked = tokio::spawn(async move { client.ask(request).await });
            for _ in 0..3 {
                sender
                    .send_data(Bytes::from(vec![b'x'; 100_000]))
                    .await
                    .unwrap();
                assert!(!asked.is_finished());
            }
            drop(sender);
            assert_eq!(asked.await.unwrap().text(), "300000", "{way:?}");
            site.close().await;
        }
    });
}
