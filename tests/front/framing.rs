//! Requests whose end could be seen at two places get 400, and nothing else is touched.

use super::*;

/// Is refused anywhere but in a body, in a value or in a tunnel.
const BOTH: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";

/// Counts the answers with each status.
fn answers(said: &str, status: &str) -> usize {
    said.matches(&format!("HTTP/1.1 {status} ")).count()
}

#[tokio::test]
async fn a_request_framed_twice_is_refused_and_nothing_is_forwarded() {
    let server = start(one());
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 40\r\ntransfer-encoding: chunked\r\ncontent-length: 40",
        "Content-Length: 5\r\nx: y\r\nTransfer-Encoding: chunked",
        "tRANSFER-eNCODING:chunked\r\ncONTENT-lENGTH:5",
        "content-length: 5\ntransfer-encoding: chunked",
        "content-length: 0\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: x",
        "content-length: 5\r\nconnection: transfer-encoding\r\ntransfer-encoding: chunked",
        "connection: upgrade\r\nupgrade: echo\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        "expect: 100-continue\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        // One framing, but not one that this server can undo.
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: identity, chunked",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding: chunked;q=1",
        "transfer-encoding: , chunked",
        "transfer-encoding: xchunked",
        "transfer-encoding:",
        "content-length: 5, 5",
        "content-length: 5\r\ncontent-length: 05, 5",
    ] {
        let request = format!("POST /tunnel HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n0\r\n\r\n{GET}");
        let said = server.exchange(request).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{fields}: {said}");
        assert!(said.contains("connection: close\r\n"), "{fields}: {said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{fields}: {said}");
        assert_eq!(server.app.requests(), 0, "{fields}");
    }
    server.ends_clean().await;
}

/// The guard has to find the end of whatever came before.
#[tokio::test]
async fn it_is_refused_behind_any_other_request() {
    let chunk = format!("{:x};ext=\"1\"\r\n{BOTH}\r\n", BOTH.len());
    for (what, before, requests) in [
        ("empty lines", "\r\n\n\r\n".to_owned(), 0),
        ("one without a body", GET.to_owned(), 1),
        ("several", GET.repeat(5), 5),
        (
            "a body of no bytes",
            "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n".to_owned(),
            1,
        ),
        (
            "a body that looks like one",
            format!(
                "POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{BOTH}",
                BOTH.len()
            ),
            1,
        ),
        (
            "chunks that look like one, and trailers",
            format!(
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0 ;x\r\n\
                 content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
            ),
            1,
        ),
        (
            "bare LFs",
            "POST / HTTP/1.1\ncontent-length: 2\n\n\r\n\r\n".to_owned(),
            1,
        ),
        ("an upgrade that was not granted", upgrade("/", "", ""), 1),
        (
            "one with a body",
            upgrade("/", "content-length: 3\r\n", "\r\n\r"),
            1,
        ),
        (
            "one with chunks",
            upgrade("/", "transfer-encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n"),
            1,
        ),
        (
            "two of them",
            upgrade("/", "", "") + &upgrade("/", "", ""),
            2,
        ),
    ] {
        let server = start(one());
        let said = server.exchange(format!("{before}{BOTH}{GET}")).await;
        assert_eq!(answers(&said, "200"), requests, "{what}: {said}");
        assert_eq!(answers(&said, "400"), 1, "{what}: {said}");
        assert_eq!(
            said.matches("connection: close\r\n").count(),
            1,
            "{what}: {said}"
        );
        assert_eq!(server.app.requests(), requests, "{what}");
        server.ends_clean().await;
    }
}

fn upgrade(path: &str, fields: &str, body: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n{fields}\r\n{body}"
    )
}

#[tokio::test]
async fn it_is_refused_wherever_the_packets_end() {
    let server = start(one());
    for at in 1..BOTH.len() {
        let mut raw = server.connect().await;
        raw.0.get_ref().set_nodelay(true).unwrap();
        raw.send(&BOTH[..at]).await;
        tokio::task::yield_now().await;
        raw.send(&BOTH[at..]).await;
        let said = raw.rest().await;
        assert!(said.starts_with("HTTP/1.1 400 "), "at {at}: {said}");
    }
    let mut raw = server.connect().await;
    raw.0.get_ref().set_nodelay(true).unwrap();
    raw.send(GET).await;
    raw.response(0).await;
    let head = BOTH.find("0\r\n\r\n").unwrap();
    for byte in BOTH[..head].bytes() {
        raw.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(raw.rest().await.starts_with("HTTP/1.1 400 "));
    assert_eq!(server.app.requests(), 1);
    server.ends_clean().await;
}

#[tokio::test]
async fn bodies_and_values_that_say_such_things_pass_as_they_are() {
    let server = start(one());
    let mut raw = server.connect().await;
    let long = BOTH.repeat(2000);
    for body in [BOTH, &*long] {
        let length = body.len();
        raw.send(format!(
            "POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
        assert!(raw.response(length).await.ends_with(body));
        raw.send(format!(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\n.\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        ))
        .await;
        assert!(
            raw.response(length + 1)
                .await
                .ends_with(&format!(".{body}"))
        );
    }
    let request = "GET /headers?content-length:&transfer-encoding: HTTP/1.1\r\n\
         x: content-length: 5\r\nx: transfer-encoding: chunked\r\nx-content-length: 5\r\n\
         x-transfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    raw.send(request).await;
    let said = raw.rest().await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    assert!(
        said.contains("\"x-transfer-encoding\": \"chunked\""),
        "{said}"
    );
    server.ends_clean().await;
}

#[tokio::test]
async fn an_http2_body_that_says_such_things_passes_as_it_is() {
    let server = start(one());
    let mut h2 = server.h2().await;
    let request = Request::post(format!("http://{}/", server.address))
        .body(Full::new(Bytes::from_static(BOTH.as_bytes())))
        .unwrap();
    let response = within(h2.send_request(request)).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, BOTH);
}

/// What a client sends before it knows of the tunnel, and after.
#[tokio::test]
async fn a_tunnel_carries_such_things_as_they_are() {
    let early = format!("{BOTH}{GET}");
    for request in [
        upgrade("/tunnel", "", ""),
        format!("{GET}{}", upgrade("/tunnel", "", "")),
        format!("{}{}", upgrade("/", "", ""), upgrade("/tunnel", "", "")),
        "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n".to_owned(),
    ] {
        let requests = request.matches("HTTP/1.1").count();
        let server = start(one());
        let mut raw = server.connect().await;
        raw.send(format!("{request}{early}")).await;
        for _ in 1..requests {
            assert!(raw.response(0).await.starts_with("HTTP/1.1 200 "));
        }
        let said = raw.response(early.len()).await;
        assert!(said.ends_with(&early), "{request}: {said}");
        for byte in early.bytes() {
            raw.send([byte]).await;
        }
        raw.send(&early).await;
        let mut echo = vec![0; early.len() * 2];
        within(raw.0.read_exact(&mut echo)).await.unwrap();
        assert_eq!(String::from_utf8(echo).unwrap(), early.repeat(2));
        assert_eq!(server.app.requests(), requests);
        drop(raw);
        server.ends_clean().await;
    }
}

/// What stands behind a possible upgrade is looked at only after the answer, but then it is.
#[tokio::test]
async fn what_was_held_back_is_served_once_the_upgrade_was_not_granted() {
    let server = start(one());
    let mut raw = server.connect().await;
    let post = "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi";
    raw.send(format!("{}{post}{post}", upgrade("/wait", "", "")))
        .await;
    within(server.app.arrived.notified()).await;
    raw.send(format!("{post}{}", upgrade("/wait", "", "")))
        .await;
    server.app.go.notify_one();
    assert!(raw.response(6).await.ends_with("waited"));
    for _ in 0..3 {
        assert!(raw.response(2).await.ends_with("\r\n\r\nhi"));
    }
    within(server.app.arrived.notified()).await;
    raw.send(BOTH).await;
    server.app.go.notify_one();
    assert!(raw.response(6).await.ends_with("waited"));
    assert!(raw.rest().await.starts_with("HTTP/1.1 400 "));
    assert_eq!(server.app.requests(), 5);
    server.ends_clean().await;
}

#[tokio::test]
async fn a_client_that_asked_for_an_upgrade_and_leaves_ends_its_request() {
    let server = start(one());
    let mut raw = server.connect().await;
    raw.send(upgrade("/wait", "", "")).await;
    within(server.app.arrived.notified()).await;
    drop(raw);
    within(server.app.dropped.notified()).await;
    server.ends_clean().await;
}
