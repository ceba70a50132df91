//! Server-sent events.

use http::Request;
use http_body_util::BodyExt;

use crate::{
    answers::{open_gate, unique},
    at::At,
    bodies,
    support::client::empty,
};

/// Each event is here before the app may write the next one, so nothing on the way holds it back.
pub(crate) async fn come_one_by_one(at: At) {
    let gate = unique();
    let mut client = at.client().await;
    let target = at.target(&format!("/sse?count=4&gate={gate}"));
    let request = Request::get(target).body(empty()).unwrap();
    let response = client.send(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let mut events = response.into_body();
    for id in 0..4 {
        let event = format!("id: {id}\ndata: event {id}\n\n");
        assert_eq!(bodies::read(&mut events, event.len()).await, event);
        if id < 3 {
            open_gate(at, &gate).await;
        }
    }
    assert!(events.collect().await.unwrap().to_bytes().is_empty());
}
