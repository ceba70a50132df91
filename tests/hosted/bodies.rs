//! Bodies in many small pieces, and bodies that the app frames itself: on the wire.

use std::fmt::Write as _;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    run,
    site::{BOTH, Site, Way},
    support::client::{Client, Protocol},
};

/// All that comes back for `sent`.
async fn exchange(site: &Site, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset was broken off as well.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[test]
fn chunks_of_the_apps_own_are_framed_once() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            drop(site.client(way).await);
            let get = |target: &str, version: &str| {
                format!("GET {target} HTTP/{version}\r\nhost: a\r\nconnection: close\r\n\r\n")
            };
            let whole = exchange(&site, get("/bodies/chunks", "1.1").as_bytes()).await;
            let (head, body) = whole.split_once("\r\n\r\n").unwrap();
            let head = head.to_lowercase();
            let expected = match head.contains("transfer-encoding: chunked") {
                true => "5\r\nhello\r\n0\r\n\r\n",
                false => "hello",
            };
            assert_eq!(body, expected, "{way:?} {head}");
            let older = exchange(&site, get("/bodies/chunks", "1.0").as_bytes()).await;
            let (head, body) = older.split_once("\r\n\r\n").unwrap();
            assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
            assert_eq!(body, "hello", "{way:?} {head}");
            let cut = exchange(&site, get("/bodies/chunks?unfinished", "1.1").as_bytes()).await;
            assert!(!cut.contains("0\r\n\r\n"), "{way:?} {cut}");
            let mut client = Client::connect(site.address, Protocol::Http2).await;
            let answer = client.get("/bodies/chunks").await;
            assert_eq!(answer.text(), "hello", "{way:?}");
            site.close().await;
        }
    });
}

#[test]
fn many_short_chunks_cross_together() {
    const CHUNKS: usize = 200_000;
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            drop(site.client(way).await);
            let mut sent = String::from(
                "POST /bodies/reads HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
            );
            for _ in 0..CHUNKS {
                write!(sent, "1\r\nx\r\n").unwrap();
            }
            sent.push_str("0\r\n\r\n");
            let answer = exchange(&site, sent.as_bytes()).await;
            // There may be chunks around it.
            let json = &answer[answer.find('{').unwrap()..=answer.rfind('}').unwrap()];
            let said: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(said["bytes"], CHUNKS, "{way:?}");
            let reads = said["reads"].as_u64().unwrap();
            // Some 15 on an idle machine. A parent sends each on as it comes: its worker may find one at a time.
            if way == Way::Direct {
                assert!(reads < CHUNKS as u64 / 2, "{reads} reads");
            }
            let mut client = site.client(way).await;
            let written = client.get(&format!("/bodies/writes?count={CHUNKS}")).await;
            assert_eq!(written.body.len(), CHUNKS, "{way:?}");
            site.close().await;
        }
    });
}

#[test]
fn a_short_chunk_alone_reaches_the_app_at_once() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            drop(site.client(way).await);
            let mut stream = TcpStream::connect(site.address).await.unwrap();
            let head =
                "POST /bodies/echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            for number in 0..50 {
                let letter = b'a' + (number % 20);
                let chunk = [b'1', b'\r', b'\n', letter, b'\r', b'\n'];
                stream.write_all(&chunk).await.unwrap();
                // Each comes back before the next is sent.
                let echo = [b"1\r\n".as_slice(), &[letter], b"\r\n"].concat();
                while !answer.ends_with(&echo) {
                    assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
                }
                answer.clear();
            }
            drop(stream);
            site.close().await;
        }
    });
}
