//! How long an exchange may take, each part of it, and how long the body of its request may be.

use std::time::Duration;

use ancm::proxy::{Proxy, ProxyOptions};
use http::Request;

use crate::{
    h2c::client,
    support::{App, Wire, app_and_front, soon},
};

const SHORT: Duration = Duration::from_millis(100);
const LONG: Option<Duration> = Some(Duration::from_secs(60));

async fn with(options: ProxyOptions) -> (App, Wire) {
    let (app, address) = app_and_front(Proxy::with_options(options)).await;
    (app, Wire::connect(address).await)
}

fn options() -> ProxyOptions {
    ProxyOptions::new().request_timeout(LONG)
}

#[tokio::test]
async fn the_head_of_an_answer_has_a_limit_of_its_own() {
    let (app, mut client) = with(options().head_timeout(Some(SHORT))).await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    assert!(client.head().await.starts_with("http/1.1 504"));
    wire.rest().await;

    // The body has another one.
    let (app, mut client) = with(options().head_timeout(Some(SHORT))).await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        .await;
    client.head().await;
    tokio::time::sleep(SHORT * 3).await;
    wire.say("b").await;
    assert_eq!(client.exactly(2).await, b"ab");
}

#[tokio::test]
async fn a_pause_within_an_answer_has_a_limit_of_its_own() {
    let (app, mut client) = with(options().body_timeout(Some(SHORT))).await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    // The head has another one.
    tokio::time::sleep(SHORT * 3).await;
    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        .await;
    assert!(client.head().await.starts_with("http/1.1 200"));
    assert_eq!(client.rest().await, "a", "broken off");
    wire.rest().await;
}

#[tokio::test]
async fn the_whole_has_a_limit_however_much_moves() {
    let (app, mut client) = with(options().total_timeout(Some(SHORT * 3))).await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    assert!(client.head().await.starts_with("http/1.1 504"));
    wire.rest().await;

    let (app, address) = app_and_front(Proxy::with_options(
        options().total_timeout(Some(SHORT * 3)),
    ))
    .await;
    let mut client = Wire::connect(address).await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let talking = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while wire.stream.write_all(b"1\r\na\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(client.head().await.starts_with("http/1.1 200"));
    let rest = client.rest().await;
    assert!(!rest.is_empty() && !rest.contains("0\r\n\r\n"), "{rest}");
    talking.await.unwrap();

    // What ends in time is whole.
    let mut client = Wire::connect(address).await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")
        .await;
    client.head().await;
    assert_eq!(client.exactly(2).await, b"ab");
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_refused_unread() {
    let (app, mut client) = with(options().max_body_size(Some(3))).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("http/1.1 413"));
    assert!(app.is_quiet().await);

    let (app, mut client) = with(options().max_body_size(Some(3))).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("http/1.1 413"));
    assert!(app.is_quiet().await);
}

#[tokio::test]
async fn a_body_that_becomes_too_long_is_broken_off() {
    let (app, mut client) = with(options().max_body_size(Some(3))).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    assert_eq!(wire.hear("abc\r\n").await, "3\r\nabc\r\n");
    client.say("1\r\nd\r\n0\r\n\r\n").await;
    assert!(client.head().await.starts_with("http/1.1 413"));
    assert_eq!(wire.rest().await, "", "no end, and no more of it");
}

#[tokio::test]
async fn a_body_of_just_the_size_passes() {
    for framed in [
        "Content-Length: 3\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
    ] {
        let (app, mut client) = with(options().max_body_size(Some(3))).await;
        client
            .say(format!("POST / HTTP/1.1\r\nHost: a\r\n{framed}"))
            .await;
        let mut wire = app.accept().await;
        wire.head().await;
        wire.hear(if framed.contains("chunked") {
            "0\r\n\r\n"
        } else {
            "abc"
        })
        .await;
        wire.say("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(client.head().await.starts_with("http/1.1 204"));
    }
}

#[tokio::test]
async fn a_client_that_pauses_within_its_body_is_told_so() {
    let (app, mut client) = with(options().upload_timeout(Some(SHORT))).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    assert!(client.head().await.starts_with("http/1.1 408"));
    assert_eq!(wire.rest().await, "a", "broken off");
}

/// Though it never pauses for long.
#[tokio::test]
async fn a_client_that_drips_its_body_is_told_so() {
    let drips = || {
        let rate = std::num::NonZeroU32::new(240);
        options().min_upload_rate(rate).upload_grace(SHORT)
    };
    let (app, mut client) = with(drips()).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    let (mut hears, mut says) = client.stream.into_split();
    let dripping = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while says.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 5).await;
        }
    });
    let mut said = Vec::new();
    let answer = tokio::io::AsyncReadExt::read_to_end(&mut hears, &mut said);
    crate::support::soon(answer).await.unwrap_or_default();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(wire.rest().await.len() < 100, "broken off");
    dripping.await.unwrap();

    // What tells of what happens is let alone.
    let (app, mut client) = with(drips()).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 2\r\n\r\nx")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    tokio::time::sleep(SHORT * 3).await;
    client.say("y").await;
    assert_eq!(wire.exactly(2).await, b"xy");
    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("http/1.1 200"));
}

/// What keeps one upload of a client of HTTP/2 from coming may be another one, which the app has not asked for more of.
#[tokio::test]
async fn an_upload_by_http2_may_be_slow() {
    let rate = std::num::NonZeroU32::new(240);
    let slow = options().min_upload_rate(rate).upload_grace(SHORT);
    let (app, address) = app_and_front(Proxy::with_options(slow)).await;
    let mut client = client(address).await;
    let request = Request::post("http://a/").body(()).unwrap();
    let (answer, mut body) = client.send_request(request, false).unwrap();
    body.send_data("x".into(), false).unwrap();
    let mut wire = app.accept().await;
    wire.head().await;
    tokio::time::sleep(SHORT * 3).await;
    body.send_data("y".into(), true).unwrap();
    assert!(wire.hear("0\r\n\r\n").await.contains('y'));
    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(soon(answer).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_that_goes_on_in_time_or_was_answered_may_take_long() {
    let (app, mut client) = with(options().upload_timeout(Some(SHORT * 3))).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    // Longer than the limit as a whole, but no pause is.
    for piece in ["a", "b", "c", "d", "e"] {
        tokio::time::sleep(SHORT).await;
        client.say(piece).await;
    }
    assert_eq!(wire.exactly(5).await, b"abcde");
    wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("http/1.1 200"));
    tokio::time::sleep(SHORT * 5).await;
    client.say("f").await;
    assert_eq!(wire.exactly(1).await, b"f");
    wire.say("0\r\n\r\n").await;
    assert_eq!(client.hear("0\r\n\r\n").await, "0\r\n\r\n");
}
