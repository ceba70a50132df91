//! SignalR over both of its transports that stay open, by its own protocol: JSON, each message ended by 0x1E.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::{
    run,
    site::{BOTH, Site, Way},
    support::client::{Client, full},
};

const END: char = '\u{1e}';

/// What a client says: that it speaks JSON, a call, and a call that is answered by a stream.
fn sayings() -> [Value; 3] {
    [
        json!({ "protocol": "json", "version": 1 }),
        json!({ "type": 1, "invocationId": "1", "target": "Echo", "arguments": ["hello"] }),
        json!({ "type": 4, "invocationId": "2", "target": "Count", "arguments": [3] }),
    ]
}

/// What it hears of each of them; the end of an answer is type 3.
fn is_last(number: usize, message: &Value) -> bool {
    number == 0 || message["type"] == 3
}

fn heard() -> [Vec<Value>; 3] {
    [
        vec![json!({})],
        vec![
            json!({ "type": 1, "target": "Heard", "arguments": ["hello"] }),
            json!({ "type": 3, "invocationId": "1", "result": "echo hello" }),
        ],
        vec![
            json!({ "type": 2, "invocationId": "2", "item": 1 }),
            json!({ "type": 2, "invocationId": "2", "item": 2 }),
            json!({ "type": 2, "invocationId": "2", "item": 3 }),
            json!({ "type": 3, "invocationId": "2" }),
        ],
    ]
}

/// Takes whole messages out of `text`, but for the pings.
fn messages(text: &mut String) -> Vec<Value> {
    let Some(end) = text.rfind(END) else {
        return Vec::new();
    };
    let whole: String = text.drain(..end + END.len_utf8()).collect();
    let each = whole.split_terminator(END);
    let each = each.map(|one| serde_json::from_str::<Value>(one).unwrap());
    each.filter(|message| message["type"] != 6).collect()
}

/// The path of a connection that the app agreed to.
async fn negotiate(site: &Site, way: Way) -> String {
    let mut client = site.client(way).await;
    let request = Request::post("/hub/negotiate?negotiateVersion=1").header("content-length", 0);
    let agreed = client.ask(request.body(full("")).unwrap()).await.json();
    let transports = agreed["availableTransports"].as_array().unwrap();
    for transport in ["WebSockets", "ServerSentEvents"] {
        assert!(
            transports.iter().any(|one| one["transport"] == transport),
            "{agreed}"
        );
    }
    let token = agreed["connectionToken"]
        .as_str()
        .or(agreed["connectionId"].as_str());
    format!("/hub?id={}", token.unwrap())
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn hear_in_socket(socket: &mut Socket, number: usize) -> Vec<Value> {
    let (mut text, mut all) = (String::new(), Vec::new());
    while !all.last().is_some_and(|last| is_last(number, last)) {
        if let Message::Text(more) = socket.next().await.unwrap().unwrap() {
            text.push_str(&more);
        }
        all.extend(messages(&mut text));
    }
    all
}

#[test]
fn a_hub_is_reached_by_a_websocket() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let path = negotiate(&site, way).await;
            let url = format!("ws://{}{path}", site.address);
            let (mut socket, _) = connect_async(url).await.unwrap();
            for (number, (saying, want)) in sayings().iter().zip(heard()).enumerate() {
                let message = Message::text(format!("{saying}{END}"));
                socket.send(message).await.unwrap();
                assert_eq!(hear_in_socket(&mut socket, number).await, want, "{way:?}");
            }
            socket.close(None).await.unwrap();
            // Or else the stop would wait for it.
            drop(socket);
            site.close().await;
        }
    });
}

async fn hear_events(body: &mut Incoming, raw: &mut String, number: usize) -> Vec<Value> {
    let mut all = Vec::new();
    while !all.last().is_some_and(|last| is_last(number, last)) {
        let data: Bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
        raw.push_str(std::str::from_utf8(&data).unwrap());
        // An event ends with an empty line; what is not one is a comment. A piece may end anywhere.
        while let Some((event, rest)) = raw.split_once("\r\n") {
            if let Some(text) = event.strip_prefix("data: ") {
                all.extend(messages(&mut text.to_owned()));
            }
            *raw = rest.to_owned();
        }
    }
    all
}

/// A hub's path without an upgrade is no WebSocket, though its client may have one.
#[test]
fn only_who_asks_for_a_websocket_gets_one() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let mut client = site.client(way).await;
            let path = negotiate(&site, way).await;
            let request = Request::get(&path).header("sec-websocket-version", "13");
            let answer = client.send(request.body(full("")).unwrap()).await.unwrap();
            assert_ne!(answer.status(), 101, "{way:?}");
            site.close().await;
        }
    });
}

#[test]
fn a_hub_is_reached_by_server_sent_events() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let path = negotiate(&site, way).await;
            let mut listener: Client = site.client(way).await;
            let request = Request::get(&path).header("accept", "text/event-stream");
            let events = listener
                .send(request.body(full("")).unwrap())
                .await
                .unwrap();
            assert_eq!(events.headers()["content-type"], "text/event-stream");
            let mut events = events.into_body();
            let mut speaker = site.client(way).await;
            let mut text = String::new();
            for (number, (saying, want)) in sayings().iter().zip(heard()).enumerate() {
                let saying = format!("{saying}{END}");
                let answer = speaker.ask(Request::post(&path).body(full(&*saying.leak())).unwrap());
                assert_eq!(answer.await.status(), 200);
                let heard = hear_events(&mut events, &mut text, number).await;
                assert_eq!(heard, want, "{way:?}");
            }
            drop((events, listener));
            site.close().await;
        }
    });
}
