//! Heads, framing and the reuse of connections.

use std::time::Duration;

use ancm::{
    Connection,
    proxy::{Forward, Proxy, ProxyOptions},
};
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use tower::ServiceExt;

use crate::support::{App, Wire, app_and_front, chain, until};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn an_app_sees_what_the_client_sent_and_who_it_is() {
    let (app, mut client) = chain().await;
    let peer = client.stream.local_addr().unwrap();
    client
        .say("GET /a%2Fb?x=%20 HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 1.2.3.4\r\nMS-ASPNETCORE-TOKEN: forged\r\nConnection: MS-ASPNETCORE-TOKEN, keep-alive\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n")
        .await;
    let mut app = app.accept().await;
    let head = app.head().await;
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "get /a%2fb?x=%20 http/1.1");
    lines.sort_unstable();
    let forwarded = format!("x-forwarded-for: {peer}");
    let want = [
        "host: a.example",
        "ms-aspnetcore-token: secret",
        &forwarded,
        "x-forwarded-proto: http",
        "x-two: 1",
        "x-two: 2",
    ];
    assert_eq!(lines, want);

    app.say("HTTP/1.1 203 Fine\r\nDate: then\r\nServer: app\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nKeep-Alive: timeout=9\r\nMS-ASPNETCORE-X: y\r\nContent-Length: 2\r\n\r\nok").await;
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 203 fine\r\n"), "{head}");
    for line in [
        "date: then\r\n",
        "server: app\r\n",
        "set-cookie: a\r\n",
        "set-cookie: b\r\n",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(
        !head.contains("keep-alive") && !head.contains("ms-aspnetcore"),
        "{head}"
    );
    assert_eq!(client.exactly(2).await, b"ok");
}

#[tokio::test]
async fn bodies_are_framed_anew() {
    for (request, want) in [
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "content-length: 3\r\n\r\nabc",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "content-length: 0\r\n\r\n",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "content-length: 0\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
    ] {
        let (app, mut client) = chain().await;
        client.say(request).await;
        let mut app = app.accept().await;
        let end = want.rsplit_once("\r\n\r\n").map_or("", |(_, end)| end);
        let mut heard = app.head().await;
        if want.ends_with("0\r\n\r\n") && want.contains("chunked") {
            heard += &app.hear("\r\n0\r\n\r\n").await;
        } else if !end.is_empty() {
            heard += &app.hear(end).await;
        }
        let (head, body) = heard.split_once("\r\n\r\n").unwrap();
        let (framing, want_body) = want.split_once("\r\n\r\n").unwrap();
        let framings = head
            .lines()
            .filter(|l| l.starts_with("content-length") || l.starts_with("transfer-encoding"));
        assert_eq!(framings.collect::<Vec<_>>(), [framing], "{request}");
        assert_eq!(body, want_body, "{request}");
        app.say(OK).await;
        assert!(client.head().await.starts_with("http/1.1 200"), "{request}");
    }
}

#[tokio::test]
async fn a_get_without_a_body_is_sent_without_framing() {
    let (app, mut client) = chain().await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = app.accept().await.head().await;
    assert!(
        !head.contains("content-length") && !head.contains("transfer-encoding"),
        "{head}"
    );
}

#[tokio::test]
async fn answers_without_a_body_keep_their_length() {
    for (method, answer, want) in [
        (
            "HEAD",
            "200 OK\r\nContent-Length: 1000",
            Some("content-length: 1000"),
        ),
        (
            "GET",
            "304 Not Modified\r\nContent-Length: 1000\r\nETag: x",
            None,
        ),
        ("GET", "204 No Content", None),
    ] {
        let (app, mut client) = chain().await;
        client
            .say(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        let mut wire = app.accept().await;
        wire.head().await;
        wire.say(format!("HTTP/1.1 {answer}\r\n\r\n")).await;
        let head = client.head().await;
        let length = head.lines().find(|line| line.starts_with("content-length"));
        assert_eq!(length, want, "{method} {answer}");
        // Both connections are good for another.
        client.say("GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(
            wire.head().await.starts_with("get /next"),
            "{method} {answer}"
        );
        wire.say(OK).await;
        assert!(
            client.head().await.starts_with("http/1.1 200"),
            "{method} {answer}"
        );
    }
}

#[tokio::test]
async fn trailers_pass_both_ways_but_not_the_modules() {
    let (app, mut client) = chain().await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum, ms-aspnetcore-token, x-forwarded-for, ms_aspnetcore_x\r\n\r\n1\r\na\r\n0\r\nx-sum: 5\r\nms-aspnetcore-token: forged\r\nx-forwarded-for: forged\r\nms_aspnetcore_x: forged\r\n\r\n")
        .await;
    let mut app = app.accept().await;
    assert!(app.head().await.contains("\r\nte: trailers\r\n"));
    assert_eq!(app.hear("0\r\n").await, "1\r\na\r\n0\r\n");
    assert_eq!(app.hear("\r\n\r\n").await, "x-sum: 5\r\n\r\n");
    app.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-end, ms-aspnetcore-y\r\n\r\n1\r\nb\r\n0\r\nx-end: 6\r\nms-aspnetcore-y: z\r\n\r\n").await;
    client.head().await;
    assert_eq!(client.hear("0\r\n").await, "1\r\nb\r\n0\r\n");
    assert_eq!(client.hear("\r\n\r\n").await, "x-end: 6\r\n\r\n");
}

#[tokio::test]
async fn an_answer_in_chunks_is_whole_whatever_length_it_claims() {
    let (app, mut client) = chain().await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut app = app.accept().await;
    app.head().await;
    app.say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").await;
    let head = client.head().await;
    assert!(!head.contains("content-length"), "{head}");
    assert_eq!(client.hear("0\r\n\r\n").await, "5\r\nhello\r\n0\r\n\r\n");
}

#[tokio::test]
async fn connections_are_used_again() {
    let (app, mut client) = chain().await;
    client.say("GET /0 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    for n in 1..5 {
        wire.head().await;
        wire.exactly(usize::from(n > 1)).await;
        wire.say(OK).await;
        client.hear("ok").await;
        client
            .say(format!(
                "POST /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
            ))
            .await;
    }
    assert!(wire.head().await.starts_with("post /4"));
    assert!(app.is_quiet().await);
}

#[tokio::test]
async fn a_chunked_upload_leaves_its_connection_free_too() {
    let (app, mut client) = chain().await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .await;
    let mut wire = app.accept().await;
    wire.hear("\r\na\r\n").await;
    client.say("0\r\n\r\n").await;
    wire.hear("0\r\n\r\n").await;
    wire.say(OK).await;
    client.hear("ok").await;
    client.say("GET /again HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(wire.head().await.starts_with("get /again"));
}

#[tokio::test]
async fn connections_grow_old() {
    for (seconds, kept) in [(59, true), (60, false)] {
        let (app, mut client) = chain().await;
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut wire = app.accept().await;
        wire.head().await;
        wire.say(OK).await;
        client.hear("ok").await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        client.say("GET /again HTTP/1.1\r\nHost: a\r\n\r\n").await;
        if kept {
            assert!(wire.head().await.starts_with("get /again"));
        } else {
            assert!(app.accept().await.head().await.starts_with("get /again"));
            assert_eq!(wire.rest().await, "");
        }
    }
}

#[tokio::test]
async fn a_connection_that_the_app_closed_is_replaced_even_for_a_post() {
    let (app, mut client) = chain().await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say(OK).await;
    client.hear("ok").await;
    drop(wire);
    client
        .say("POST /again HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        .await;
    let mut wire = app.accept().await;
    assert!(wire.head().await.starts_with("post /again"));
    assert_eq!(wire.exactly(1).await, b"x");
    wire.say(OK).await;
    assert!(client.head().await.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn an_app_that_says_close_is_not_asked_again_on_that_connection() {
    let (app, mut client) = chain().await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        .await;
    let head = client.head().await;
    assert!(!head.contains("connection"), "{head}");
    client.hear("ok").await;
    assert_eq!(wire.rest().await, "");
    client.say("GET /again HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(app.accept().await.head().await.starts_with("get /again"));
}

#[tokio::test]
async fn close_reaches_the_client_where_asked_for() {
    let options = ProxyOptions::new().forward_response_connection_header(true);
    let (app, address) = app_and_front(Proxy::with_options(options)).await;
    let mut client = Wire::connect(address).await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert!(client.head().await.contains("\r\nconnection: close\r\n"));
    assert_eq!(client.rest().await, "ok");
}

#[tokio::test]
async fn http_2_clients_speak_http_1_to_the_app() {
    let (app, address) = app_and_front(Proxy::new()).await;
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("https://a.example/p?q")
        .version(Version::HTTP_2)
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("ms-aspnetcore-token", "forged")
        .header("ms_aspnetcore_token", "forged")
        .header("x-forwarded-for", "1.2.3.4")
        .header("te", "trailers")
        .header("trailer", "x-sum")
        .body(())
        .unwrap();
    let (answer, mut body) = client
        .ready()
        .await
        .unwrap()
        .send_request(request, false)
        .unwrap();
    body.send_data(Bytes::from_static(b"abc"), false).unwrap();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "3".parse().unwrap());
    trailers.insert("ms-aspnetcore-token", "forged".parse().unwrap());
    body.send_trailers(trailers).unwrap();

    let mut wire = app.accept().await;
    let head = wire.head().await;
    assert!(head.starts_with("post /p?q http/1.1\r\n"), "{head}");
    for line in [
        "host: a.example",
        "cookie: a=1; b=2",
        "ms-aspnetcore-token: secret",
        "transfer-encoding: chunked",
    ] {
        assert!(
            head.contains(&format!("\r\n{line}\r\n")),
            "{line} in {head}"
        );
    }
    assert!(
        !head.contains("forged") && !head.contains("1.2.3.4"),
        "{head}"
    );
    assert_eq!(wire.hear("0\r\n").await, "3\r\nabc\r\n0\r\n");
    assert_eq!(wire.hear("\r\n\r\n").await, "x-sum: 3\r\n\r\n");
    wire.say("HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-end: 1\r\n\r\n").await;

    let answer = answer.await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, Version::HTTP_2)
    );
    for name in ["connection", "x-hop", "transfer-encoding"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    let mut body = answer.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "ok");
    assert_eq!(body.trailers().await.unwrap().unwrap()["x-end"], "1");
}

#[tokio::test]
async fn expect_goes_end_to_end() {
    let (app, mut client) = chain().await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .await;
    let mut wire = app.accept().await;
    assert!(wire.head().await.contains("\r\nexpect: 100-continue\r\n"));
    wire.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(client.head().await, "http/1.1 100 continue\r\n\r\n");
    client.say("abc").await;
    assert_eq!(wire.exactly(3).await, b"abc");
    wire.say(OK).await;
    assert!(client.head().await.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn an_app_that_refuses_what_is_expected_gets_no_body() {
    let options = ProxyOptions::new().continue_timeout(Duration::from_secs(3600));
    let (app, address) = app_and_front(Proxy::with_options(options)).await;
    let mut client = Wire::connect(address).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("http/1.1 413"));
    assert_eq!(wire.rest().await, "", "not a byte of the body, and an end");
}

#[tokio::test]
async fn leases_end_with_the_body() {
    let app = App::bind().await;
    let backend = app.backend();
    let request = Request::get("/")
        .header("host", "a")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let forward = Forward::new(backend.lease(), Connection::unknown(), request);
    let answer = tokio::spawn(Proxy::new().oneshot(forward));
    let mut wire = app.accept().await;
    wire.head().await;
    assert_eq!(backend.in_flight(), 1);
    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        .await;
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(backend.in_flight(), 1);
    wire.say("ok").await;
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    assert_eq!(backend.in_flight(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn an_app_may_listen_on_a_unix_socket() {
    use ancm::proxy::{Address, Backend};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use crate::support::front;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let address = front(Proxy::new(), Backend::fixed(Address::Unix(path))).await;
    let mut client = Wire::connect(address).await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut read = [0; 14];
    stream.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"GET / HTTP/1.1");
    stream.write_all(OK.as_bytes()).await.unwrap();
    client.hear("ok").await;
}

#[tokio::test]
async fn idle_connections_are_closed_with_their_backend() {
    let app = App::bind().await;
    let backend = app.backend();
    let request = Request::get("/")
        .header("host", "a")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let forward = Forward::new(backend.lease(), Connection::unknown(), request);
    let answer = tokio::spawn(Proxy::new().oneshot(forward));
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say(OK).await;
    answer
        .await
        .unwrap()
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    until("the lease ends", || backend.in_flight() == 0).await;
    drop(backend);
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn an_answer_may_have_many_fields_but_not_any_number() {
    for (count, want) in [(101, "204"), (990, "204"), (1001, "502")] {
        let (app, mut client) = chain().await;
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut wire = app.accept().await;
        wire.head().await;
        let cookies: String = (0..count)
            .map(|n| format!("Set-Cookie: c{n}=1\r\n"))
            .collect();
        wire.say(format!("HTTP/1.1 204 No Content\r\nX: y\r\n{cookies}"))
            .await;
        wire.say("\r\n").await;
        let head = client.head().await;
        assert!(head.starts_with(&format!("http/1.1 {want}")), "{head}");
        if want == "204" {
            assert_eq!(head.matches("set-cookie: c").count(), count);
            assert!(head.contains(&format!("set-cookie: c{}=1\r\n", count - 1)));
        }
    }
}
