//! What is refused, and what is for others to judge.

use super::*;

/// Bytes, and the status they get: `None` for the end of the connection and no more.
const BAD: &[(&str, &[u8], Option<u16>)] = &[
    ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", Some(400)),
    ("no version", b"GET /\r\n\r\n", Some(400)),
    ("HTTP/0.9", b"GET /\n\n", Some(400)),
    ("HTTP/2.0 in text", b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", Some(400)),
    ("NUL in a value", b"GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", Some(400)),
    ("NUL in a name", b"GET / HTTP/1.1\r\nhost: a\r\nx\0: a\r\n\r\n", Some(400)),
    ("space before the colon", b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", Some(400)),
    ("no colon", b"GET / HTTP/1.1\r\nhost a\r\n\r\n", Some(400)),
    ("empty name", b"GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n", Some(400)),
    ("obs-fold", b"GET / HTTP/1.1\r\nhost: a\r\nx: b\r\n c\r\n\r\n", Some(400)),
    ("leading space", b"GET / HTTP/1.1\r\n host: a\r\n\r\n", Some(400)),
    ("bare CR", b"GET / HTTP/1.1\r\nhost: a\r\nx: b\rc\r\n\r\n", Some(400)),
    ("two spaces", b"GET  / HTTP/1.1\r\nhost: a\r\n\r\n", Some(400)),
    ("length twice", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", Some(400)),
    ("length list", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 2\r\n\r\nab", Some(400)),
    ("length +1", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na", Some(400)),
    ("length -1", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\na", Some(400)),
    ("length hex", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n\r\na", Some(400)),
    ("length empty", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\na", Some(400)),
    ("length too long", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\na", Some(400)),
    ("unknown coding", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", Some(400)),
    ("chunked not last", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n", Some(400)),
    ("chunked not last, two lines", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n", Some(400)),
    ("coding in HTTP/1.0", b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Some(400)),
];

#[tokio::test]
async fn refuses_what_is_not_http_and_forwards_nothing() {
    let server = start(one());
    for (what, bytes, want) in BAD {
        let said = server.exchange(bytes).await;
        let status = said.get(9..12).and_then(|status| status.parse().ok());
        assert_eq!(status, *want, "{what}: {said}");
        assert_eq!(said.matches("HTTP/1.").count(), 1, "{what}: {said}");
        assert_eq!(server.app.requests(), 0, "{what} was forwarded");
    }
    server.ends_clean().await;
}

#[tokio::test]
async fn heads_have_a_size() {
    let server = start(one().max_head_size(4096));
    let head = |filler: String| format!("GET / HTTP/1.1\r\nhost: a\r\n{filler}\r\n");
    for (what, bytes, want) in [
        ("fits", head(format!("x: {}\r\n", "x".repeat(3000))), "200"),
        (
            "too big",
            head(format!("x: {}\r\n", "x".repeat(5000))),
            "431",
        ),
        (
            "never ends",
            "GET / HTTP/1.1\r\nx: ".to_owned() + &"x".repeat(5000),
            "431",
        ),
        ("100 lines", head("x: y\r\n".repeat(99)), "200"),
        ("101 lines", head("x: y\r\n".repeat(100)), "431"),
    ] {
        let mut raw = server.connect().await;
        raw.send(bytes).await;
        let said = raw.response(0).await;
        assert_eq!(said.get(9..12), Some(want), "{what}: {said}");
    }
    assert_eq!(server.app.requests(), 2);

    let server = start(one().max_headers(2));
    let said = server.exchange(head("x: y\r\n".repeat(2))).await;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    let server = start(one().max_head_size(128 * 1024));
    let long = "x".repeat(70_000);
    let said = server
        .exchange(format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"))
        .await;
    assert!(said.starts_with("HTTP/1.1 414"), "{said}");
    assert_eq!(server.app.requests(), 0);
}

/// The client still sends while it is answered: closing at once would reset it before it reads.
#[tokio::test]
async fn an_early_answer_is_readable_while_the_client_still_sends() {
    let server = start(one().max_head_size(4096));
    for (head, want) in [
        ("", "HTTP/1.1 431 "),
        (
            "POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 524288\r\n\r\n",
            "HTTP/1.1 200 ",
        ),
    ] {
        for _ in 0..20 {
            let mut raw = server.connect().await;
            raw.send(head).await;
            let (mut read, mut write) = raw.0.get_mut().split();
            let sending = async {
                for _ in 0..32 {
                    if write.write_all(&[b'x'; 16 * 1024]).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
                let _ = write.shutdown().await;
            };
            let reading = async {
                let mut said = Vec::new();
                read.read_to_end(&mut said).await.map(|_| said)
            };
            let ((), said) = within(async { tokio::join!(sending, reading) }).await;
            let said = String::from_utf8(said.unwrap()).unwrap();
            assert!(said.starts_with(want), "{said}");
        }
    }
}

#[tokio::test]
async fn a_body_with_bad_chunks_fails_and_ends_the_connection() {
    for (what, chunks) in [
        ("no hex", "x\r\na\r\n0\r\n\r\n"),
        ("sign", "+1\r\na\r\n0\r\n\r\n"),
        ("prefix", "0x1\r\na\r\n0\r\n\r\n"),
        ("empty", "\r\na\r\n0\r\n\r\n"),
        ("overflow", "10000000000000001\r\na\r\n0\r\n\r\n"),
        ("longer than said", "1\r\nab\r\n0\r\n\r\n"),
        ("bare LF after the size", "1\na\r\n0\r\n\r\n"),
        ("bare LF in an extension", "1;x\na\r\n0\r\n\r\n"),
        ("bare CR in an extension", "1;x\ra\r\na\r\n0\r\n\r\n"),
        ("bare LF after the data", "1\r\na\n0\r\n\r\n"),
    ] {
        let server = start(one());
        let said = server
            .exchange(format!(
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{GET}"
            ))
            .await;
        assert!(!said.contains(" 200 "), "{what}: {said}");
        assert_eq!(server.app.requests(), 1, "{what}");
    }
}

/// What is odd but HTTP reaches the service as it is: whose business it is decides there.
#[tokio::test]
async fn passes_on_what_is_for_others_to_judge() {
    for request in [
        "get / HTTP/1.1\r\nhost: a\r\n",
        "GET / HTTP/1.1\nhost: a\n",
        "GET http://b/ HTTP/1.1\r\nhost: a\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\n",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 0\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n",
    ] {
        let server = start(one());
        let said = server
            .exchange(format!("{request}connection: close\r\n\r\n"))
            .await;
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{request}: {said}");
        assert_eq!(server.app.requests(), 1, "{request}");
    }
}
