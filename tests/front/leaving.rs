//! Who left, who half left, who panics.

use super::*;

#[tokio::test]
async fn a_client_that_leaves_ends_its_request() {
    let server = start(one());
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    drop(raw);
    within(server.app.dropped.notified()).await;

    // The same for half a client, unless it is wanted.
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    raw.0.shutdown().await.unwrap();
    within(server.app.dropped.notified()).await;
    assert_eq!(raw.rest().await, "");
    server.ends_clean().await;
}

#[tokio::test]
async fn half_a_client_gets_its_answer_where_that_is_wanted() {
    let server = start(one().half_close(true));
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    raw.0.shutdown().await.unwrap();
    server.app.go.notify_one();
    assert!(raw.rest().await.ends_with("waited"));
}

#[tokio::test]
async fn a_reset_stream_ends_its_request_alone() {
    let server = start(one());
    let mut h2 = server.h2().await;
    let request = |path| {
        Request::get(format!("http://a{path}"))
            .body(Full::default())
            .unwrap()
    };
    let waiting = h2.send_request(request("/wait"));
    within(server.app.arrived.notified()).await;
    drop(waiting);
    within(server.app.dropped.notified()).await;
    assert_eq!(
        within(h2.send_request(request("/")))
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_panic_ends_its_connection_alone() {
    let server = start(one());
    let mut other = server.connect().await;
    other.send(GET).await;
    other.response(0).await;
    assert_eq!(
        server
            .exchange("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n")
            .await,
        ""
    );
    let mut h2 = server.h2().await;
    let panic = Request::get("http://a/panic")
        .body(Full::default())
        .unwrap();
    within(h2.send_request(panic)).await.unwrap_err();
    other.send(GET).await;
    other.response(0).await;
    drop((other, h2));
    server.ends_clean().await;
}
