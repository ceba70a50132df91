//! What the client sees of the app's answers.

use std::sync::atomic::{AtomicU32, Ordering};

use http::{Request, StatusCode, header};
use http_body_util::BodyExt;

use crate::{
    at::At,
    bodies,
    support::{
        apps::App,
        client::{Answer, empty},
    },
};

pub(crate) async fn keep_their_status(at: At) {
    let mut client = at.client().await;
    for code in [
        200, 201, 202, 203, 206, 207, 226, 299, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404,
        405, 406, 409, 410, 411, 412, 413, 415, 418, 421, 422, 429, 431, 451, 499, 500, 501, 502,
        503, 504, 505, 511, 599,
    ] {
        let answer = client.get(&at.target(&format!("/status/{code}"))).await;
        assert_eq!(answer.status(), code);
        assert_eq!(answer.text(), format!("status {code}"));
        let location = answer.values("location");
        match code {
            300..400 => assert_eq!(location, ["/somewhere?else=%20"]),
            _ => assert!(location.is_empty()),
        }
    }
}

pub(crate) async fn keep_their_headers(at: At) {
    let mut client = at.client().await;
    let answer = client.get(&at.target("/headers")).await;
    assert_eq!(
        answer.values("set-cookie"),
        [
            "a=1; path=/",
            "b=2; expires=Wed, 21 Oct 2065 07:28:00 GMT",
            "c=3"
        ]
    );
    assert_eq!(answer.values("x-repeated"), ["one", "two"]);
    assert_eq!(answer.values("x-custom"), ["with, comma; and \"quotes\""]);
    assert_eq!(answer.values("x-empty"), [""]);
    assert_eq!(answer.values("cache-control"), ["no-store"]);
    assert_eq!(answer.values("date").len(), 1);
    for name in answer.head.headers.keys() {
        assert!(!name.as_str().starts_with("ms-aspnetcore"), "{name}");
    }
    assert_eq!(answer.text(), "headers");
}

pub(crate) async fn to_head_have_no_body(at: At) {
    let mut client = at.client().await;
    for _ in 0..2 {
        let target = at.target("/download?bytes=1000&length=true");
        let answer = client
            .ask(Request::head(target).body(empty()).unwrap())
            .await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.values("content-length"), ["1000"]);
        assert!(answer.body.is_empty());
    }
    assert_eq!(client.get(&at.target("/headers")).await.text(), "headers");
}

pub(crate) async fn without_a_body_have_none(at: At) {
    let mut client = at.client().await;
    for code in [204, 304, 204] {
        let answer = client.get(&at.target(&format!("/status/{code}"))).await;
        assert_eq!(answer.status(), code);
        assert!(answer.body.is_empty());
        assert!(answer.values("transfer-encoding").is_empty());
    }
    assert_eq!(client.get(&at.target("/headers")).await.text(), "headers");
}

pub(crate) async fn that_are_compressed_pass_unchanged(at: At) {
    let mut client = at.client().await;
    let request = Request::get(at.target("/gzip")).header(header::ACCEPT_ENCODING, "gzip");
    let answer = client.ask(request.body(empty()).unwrap()).await;
    assert_eq!(answer.values("content-encoding"), ["gzip"]);
    assert_eq!(answer.values("vary"), ["Accept-Encoding"]);
    assert_eq!(answer.body[..3], [0x1f, 0x8b, 8], "gzip's own first bytes");
    assert_eq!(
        answer.body[answer.body.len() - 4..],
        10_000_u32.to_le_bytes()
    );
}

/// An answer that does not wait for the request's end arrives before it.
pub(crate) async fn are_not_held_back_by_an_upload(at: At) {
    let mut client = at.client().await;
    let (sender, body) = bodies::channel();
    let request = Request::post(at.target("/status/413")).body(body).unwrap();
    let response = client.send(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let answer = Answer::read(response).await.unwrap();
    assert_eq!(answer.text(), "status 413");
    drop(sender);
}

/// Many clients at once, each of which gets what it asked for.
pub(crate) async fn do_not_get_mixed_up(at: At) {
    let mut asking = Vec::new();
    for number in 0..64 {
        asking.push(tokio::spawn(async move {
            let mut client = at.client().await;
            for turn in 0..4 {
                let request = Request::get(at.target(&format!("/echo?{number}.{turn}")));
                let report = client.ask(request.body(empty()).unwrap()).await.json();
                assert_eq!(report["query"], format!("?{number}.{turn}"));
                assert_eq!(report["remotePort"], client.local().port());
            }
        }));
    }
    for asked in asking {
        asked.await.unwrap();
    }
}

/// The client can tell a broken answer from a complete one.
pub(crate) async fn that_break_off_are_broken_off(at: At) {
    let gate = unique();
    let mut client = at.client().await;
    let request = Request::get(at.target(&format!("/abort?gate={gate}")));
    let response = client.send(request.body(empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    assert_eq!(bodies::read(&mut body, 20).await, "the rest never comes");
    open_gate(at, &gate).await;
    body.collect().await.expect_err("980 bytes are missing");
}

pub(crate) async fn that_never_begin_are_a_bad_gateway(at: At) {
    let mut client = at.client().await;
    let asked = Request::get(at.target("/abort")).body(empty()).unwrap();
    match (client.send(asked).await, at.app) {
        (Ok(answer), App::Stock | App::Modern | App::Twin) => {
            assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        }
        // Nobody stands between the app's connection and its client.
        (Ok(answer), App::InProcess) => assert!(Answer::read(answer).await.is_err()),
        (Err(error), app) => assert_eq!(app, App::InProcess, "{error}"),
    }
    let mut client = at.client().await;
    // The app itself is well.
    assert_eq!(
        client.get(&at.target("/headers")).await.status(),
        StatusCode::OK
    );
}

pub(crate) async fn are_not_waited_for_when_the_client_is_gone(at: At) {
    let name = unique();
    let mut client = at.client().await;
    let hang = Request::get(at.target(&format!("/hang/{name}")))
        .body(empty())
        .unwrap();
    let waiting = tokio::spawn(async move { client.send(hang).await.map(drop) });
    began(at, &name).await;
    waiting.abort();
    ended(at, &name).await;
}

pub(crate) async fn are_not_sent_on_when_the_client_is_gone(at: At) {
    let name = unique();
    let mut client = at.client().await;
    let hang = Request::get(at.target(&format!("/hang/{name}?start"))).body(empty());
    let response = client.send(hang.unwrap()).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(bodies::read(&mut body, 7).await, "started");
    drop((body, client));
    ended(at, &name).await;
}

/// Until the hanging request `name` is in the app's hands.
async fn began(at: At, name: &str) {
    let answer = watch(at, name, "began").await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

/// Until the app has noticed that the client of the hanging request `name` is gone.
async fn ended(at: At, name: &str) {
    let answer = watch(at, name, "ended").await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

async fn watch(at: At, name: &str, what: &str) -> Answer {
    let target = at.target(&format!("/hang/{name}/{what}"));
    at.client().await.get(&target).await
}

/// Lets what waits at the gate `name` go on, once.
pub(crate) async fn open_gate(at: At, name: &str) {
    let target = at.target(&format!("/gate/{name}"));
    let opened = at.client().await.get(&target).await;
    assert_eq!(opened.status(), StatusCode::NO_CONTENT);
}

/// A name that no other scenario uses.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("n{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
