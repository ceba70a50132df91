//! What one end reads as one request, the other must not read as two.

use crate::support::chain;

const EVIL: &str = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";

/// Says `request` and hears what the client gets: either a refusal, or the answer to one request of the app.
///
/// The app's end is read until the proxy closes it, so that nothing can hide behind the request.
async fn heard_by_the_app(request: &str) -> Option<String> {
    let (app, mut client) = chain().await;
    client.say(request).await;
    tokio::select! {
        answer = client.head() => {
            assert!(answer.starts_with("http/1.1 400"), "{request:?}: {answer}");
            None
        }
        mut wire = app.accept() => {
            let mut heard = wire.head().await;
            wire.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
            heard += &wire.rest().await.to_ascii_lowercase();
            Some(heard)
        }
    }
}

#[tokio::test]
async fn what_is_framed_in_two_ways_is_refused_or_framed_in_one() {
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: -1\r\n",
        "Transfer_Encoding: chunked\r\n",
        "Content_Length: 5\r\n",
        "Connection: content-length\r\nContent-Length: 5\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n0\r\n\r\n{EVIL}");
        let Some(heard) = heard_by_the_app(&request).await else {
            continue;
        };
        let (head, body) = heard.split_once("\r\n\r\n").unwrap();
        let framings: Vec<_> = head
            .lines()
            .filter(|line| line.contains("content") || line.contains("encoding"))
            .collect();
        assert_eq!(framings.len(), 1, "{framing:?}: {heard}");
        let whole = match *framings.first().unwrap() {
            "transfer-encoding: chunked" => body == "0\r\n\r\n",
            "content-length: 0" => body.is_empty(),
            "content-length: 5" => body.len() == 5,
            _ => false,
        };
        assert!(whole, "{framing:?}: {heard:?}");
    }
}

#[tokio::test]
async fn chunks_are_cut_anew() {
    for (chunks, want) in [
        (
            "3;ext=\"x\"\r\nabc\r\n0;y\r\n\r\n",
            Some("3\r\nabc\r\n0\r\n\r\n"),
        ),
        ("3;a\nabc\r\n0\r\n\r\n", None),
        ("3\nabc\n0\n\n", None),
        ("3\r\nabcd\r\n0\r\n\r\n", None),
        ("fffffffffffffffff\r\nabc\r\n0\r\n\r\n", None),
        ("3 x\r\nabc\r\n0\r\n\r\n", None),
    ] {
        let request =
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let (app, mut client) = chain().await;
        client.say(&request).await;
        let mut wire = app.accept().await;
        match want {
            Some(want) => {
                wire.head().await;
                assert_eq!(wire.hear("0\r\n\r\n").await, want, "{chunks:?}");
            }
            // Whatever was right in it may have passed, but never an end.
            None => {
                let heard = wire.rest().await;
                assert!(!heard.contains("0\r\n\r\n"), "{chunks:?}: {heard:?}");
            }
        }
    }
}
