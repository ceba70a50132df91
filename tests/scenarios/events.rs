//! Server-sent events.

use http::{Request, StatusCode};
use http_body_util::BodyExt;

use crate::{answers::unique, at::At, bodies, support::client::empty};

/// Each event is here before the app may write the next one, so nothing on the way holds it back.
pub(crate) async fn come_one_by_one(at: At) {
    let gate = unique();
    let (mut listener, mut opener) = (at.client().await, at.client().await);
    let target = at.target(&format!("/sse?count=4&gate={gate}"));
    let request = Request::get(target).body(empty()).unwrap();
    let response = listener.send(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let mut events = response.into_body();
    for id in 0..4 {
        let event = format!("id: {id}\ndata: event {id}\n\n");
        assert_eq!(bodies::read(&mut events, event.len()).await, event);
        if id < 3 {
            let opened = opener.get(&at.target(&format!("/gate/{gate}"))).await;
            assert_eq!(opened.status(), StatusCode::NO_CONTENT);
        }
    }
    assert!(events.collect().await.unwrap().to_bytes().is_empty());
}
