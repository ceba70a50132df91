//! What a head says of the way it takes.

use ancm::proxy::{Proxy, ProxyOptions};

use crate::support::{App, Wire, app_and_front, chain};

async fn with(options: ProxyOptions) -> (App, Wire) {
    let (app, address) = app_and_front(Proxy::with_options(options)).await;
    (app, Wire::connect(address).await)
}

#[tokio::test]
async fn both_ways_are_signed_where_that_is_wanted() {
    let (app, mut client) = with(ProxyOptions::new().via(Some("us"))).await;
    client
        .say("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 before\r\nConnection: via\r\n\r\n")
        .await;
    let mut wire = app.accept().await;
    let head = wire.head().await;
    // What the client said is for its connection alone goes, ours is not the client's to say that of.
    assert_eq!(head.matches("\r\nvia: ").count(), 1, "{head}");
    assert!(head.contains("\r\nvia: 1.1 us\r\n"), "{head}");
    wire.say("HTTP/1.0 200 OK\r\nVia: 1.1 app\r\n\r\n").await;
    drop(wire);
    let head = client.head().await;
    assert!(
        head.contains("\r\nvia: 1.1 app\r\nvia: 1.0 us\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn nobody_signs_unasked() {
    let (app, mut client) = chain().await;
    client
        .say("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 before\r\n\r\n")
        .await;
    let mut wire = app.accept().await;
    assert_eq!(wire.head().await.matches("via: ").count(), 1);
    wire.say("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(!client.head().await.contains("via"));
}

#[tokio::test]
async fn options_counts_its_hops_and_ends_here_with_the_last() {
    let (app, mut client) = chain().await;
    client
        .say("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
        .await;
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
    assert!(app.is_quiet().await);
    client
        .say("OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n")
        .await;
    let head = app.accept().await.head().await;
    assert!(head.contains("\r\nmax-forwards: 2\r\n"), "{head}");
}

#[tokio::test]
async fn other_methods_do_not_count() {
    let (app, mut client) = chain().await;
    client
        .say("GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
        .await;
    let head = app.accept().await.head().await;
    assert!(head.contains("\r\nmax-forwards: 0\r\n"), "{head}");
}

#[tokio::test]
async fn a_trace_is_started_where_there_is_none() {
    const PARENT: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (starts, sent, passes) in [
        (true, PARENT, true),
        (true, "traceparent: 00-x", false),
        (true, "x: y", true),
        (false, "traceparent: 00-x", true),
    ] {
        let (app, mut client) = with(ProxyOptions::new().trace_context(starts)).await;
        client
            .say(format!("GET / HTTP/1.1\r\nHost: a\r\n{sent}\r\n\r\n"))
            .await;
        let head = app.accept().await.head().await;
        assert_eq!(head.matches("traceparent: ").count(), 1, "{head}");
        assert_eq!(head.contains(&format!("\r\n{sent}\r\n")), passes, "{head}");
    }
}

/// Behind a front on hyper alone, whose server has no way to say a 1xx but `100 Continue` and the switch to another protocol.
/// Ours has: `hints.rs`.
#[tokio::test]
async fn early_hints_are_passed_over() {
    let (app, mut client) = chain().await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        .await;
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(!head.contains("link"), "{head}");
    assert_eq!(client.exactly(1).await, b"x");
}
