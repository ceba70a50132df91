//! What a well-behaved HTTP client does not send, byte by byte.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::at::At;

/// A connection on which a test writes HTTP/1 itself.
struct Wire {
    stream: TcpStream,
    /// Read, and not yet looked at.
    read: Vec<u8>,
}

impl Wire {
    async fn connect(at: At) -> Self {
        let stream = TcpStream::connect(at.module().address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything up to and with `end`.
    async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|part| part == end.as_bytes());
            if let Some(start) = found {
                let text = self.read.drain(..start + end.len()).collect();
                return String::from_utf8(text).unwrap();
            }
            let read = self.stream.read_buf(&mut self.read).await.unwrap();
            assert_ne!(
                read,
                0,
                "no {end:?} in {:?}",
                String::from_utf8_lossy(&self.read)
            );
        }
    }

    /// Everything up to the end of the connection.
    async fn rest(&mut self) -> String {
        self.stream.read_to_end(&mut self.read).await.unwrap();
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }
}

/// The report in an answer of which nothing is known but that the report is in it, in one piece.
fn report(answer: &str) -> Value {
    let (start, end) = (answer.find('{').unwrap(), answer.rfind('}').unwrap());
    serde_json::from_str(&answer[start..=end]).unwrap()
}

pub(crate) async fn http10_is_answered_and_closed(at: At) {
    let mut wire = Wire::connect(at).await;
    let target = at.target("/echo?old");
    wire.write(&format!(
        "GET {target} HTTP/1.0\r\nHost: shop.example\r\n\r\n"
    ))
    .await;
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    // HTTP/1.0 has no chunks.
    assert!(
        !answer.to_lowercase().contains("transfer-encoding"),
        "{answer}"
    );
    assert_eq!(report(&answer)["rawTarget"], target);
}

/// The target's authority counts, whatever `Host` says (RFC 9112, 3.2.2).
pub(crate) async fn absolute_form_is_understood(at: At) {
    let mut wire = Wire::connect(at).await;
    let target = at.target("/echo/a%2Fb?x=%20");
    wire.write(&format!(
        "GET http://shop.example:81{target} HTTP/1.1\r\nHost: shop.example:81\r\nConnection: close\r\n\r\n"
    ))
    .await;
    let seen = report(&wire.rest().await);
    assert_eq!(seen["host"], "shop.example:81");
    assert_eq!(seen["pathBase"], at.prefix());
    assert_eq!(seen["query"], "?x=%20");
}

pub(crate) async fn asterisk_form_reaches_the_app(at: At) {
    let mut wire = Wire::connect(at).await;
    wire.write("OPTIONS * HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
        .await;
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let seen = report(&answer);
    assert_eq!(seen["rawTarget"], "*");
    assert_eq!(seen["method"], "OPTIONS");
}

pub(crate) async fn a_hundred_is_said_when_the_app_reads(at: At) {
    let mut wire = Wire::connect(at).await;
    let target = at.target("/upload");
    wire.write(&format!(
        "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\
         Connection: close\r\n\r\n"
    ))
    .await;
    assert_eq!(
        wire.until("\r\n\r\n").await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    wire.write("hello").await;
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(report(&answer)["bytes"], 5);
}

pub(crate) async fn requests_in_one_go_are_answered_in_order(at: At) {
    let mut wire = Wire::connect(at).await;
    let mut requests = String::new();
    for number in 0..5 {
        let target = at.target(&format!("/echo?{number}"));
        let close = if number == 4 {
            "Connection: close\r\n"
        } else {
            ""
        };
        requests.push_str(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{close}\r\n"));
    }
    wire.write(&requests).await;
    let answers = wire.rest().await;
    let queries: Vec<_> = answers
        .split("\"query\":\"?")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(queries, ["0", "1", "2", "3", "4"]);
}
