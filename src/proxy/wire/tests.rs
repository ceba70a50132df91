use proptest::prelude::*;
use tokio::io::AsyncReadExt as _;

use super::{
    beside_hyper::{compare, ours},
    *,
};
#[cfg(unix)]
use crate::proxy::{
    Address, Backend, ProxyOptions,
    io::Io,
    progress::Haste,
    seats::{Seat, Seats},
};
use crate::samples::samples;

const HEADS: [&str; 18] = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 200 Fine\r\n",
    "HTTP/1.1 200\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 304 Not Modified\r\n",
    "HTTP/1.1 404 Not Found\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
    "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 201 Created\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1 999 What\r\n",
    "HTTP/1.1 099 What\r\n",
    "HTTP/2.0 200 OK\r\n",
    "\r\n\r\nHTTP/1.1 200 OK\r\n",
    "HTTP/1.1  200 OK\r\n",
    "HTTP/1.1 200 OK \x01\r\n",
    "HTTP/1.1 2000 OK\r\n",
    "http/1.1 200 OK\r\n",
];

const FIELDS: [&str; 28] = [
    "",
    "content-length: 5\r\n",
    "Content-Length: 5, 5\r\n",
    "content-length: 5\r\ncontent-length: 5\r\n",
    "content-length: 5\r\ncontent-length: 6\r\n",
    "content-length: +5\r\n",
    "content-length: 5,\r\n",
    "content-length: \r\n",
    "content-length: 0x5\r\n",
    "content-length: 0\r\n",
    "content-length: 18446744073709551615\r\n",
    "content-length: 18446744073709551613\r\n",
    "content-length: 99999999999999999999\r\n",
    "transfer-encoding: chunked\r\n",
    "Transfer-Encoding: CHUNKED\r\n",
    "transfer-encoding: gzip, chunked\r\n",
    "transfer-encoding: chunked, gzip\r\n",
    "transfer-encoding: chunked,\r\n",
    "transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n",
    "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
    "connection: close\r\n",
    "set-cookie: a\r\nSet-Cookie: b\r\n",
    "x-a: 1\r\n folded\r\n",
    "x-a : 1\r\n",
    "x a: 1\r\n",
    "x-a: \u{fc}\r\n",
    "x-a:\r\nx-b:   padded \t \r\n",
    "x-a: 1\nx-b: 2\n",
];

const BODIES: [&str; 24] = [
    "",
    "hello",
    "hell",
    "hello more",
    "5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nx-t: 1\r\nx-u: 2\r\n\r\n",
    "5 \t\r\nhello\r\n0\r\n\r\n",
    "5;a=b\r\nhello\r\n0;c\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "00000005\r\nhello\r\n000\r\n\r\n",
    "A\r\n0123456789\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\n",
    "5\r\nhello\r\n",
    "5\r\nhel",
    "\r\nhello",
    " 5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFFF\r\nhello",
    "5\r\nhello\r\n0\r\nx t: 1\r\n\r\n",
    "5\r\nhello\r\n0\r\nx-t: 1\rx\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
];

#[test]
fn every_head_field_and_body_is_taken_as_hyper_takes_it() {
    let (mut taken, mut refused) = (0, 0);
    let mut tell = |is_taken| *if is_taken { &mut taken } else { &mut refused } += 1;
    for head in HEADS {
        for fields in FIELDS {
            for body in ["hello", "5\r\nhello\r\n0\r\n\r\n"] {
                tell(compare(
                    format!("{head}{fields}\r\n{body}").as_bytes(),
                    4096,
                    false,
                ));
            }
        }
    }
    for fields in [
        "transfer-encoding: chunked\r\n",
        "content-length: 5\r\n",
        "",
    ] {
        for body in BODIES {
            for piece in [1, 3, 4096] {
                let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}");
                tell(compare(answer.as_bytes(), piece, false));
                tell(compare(answer.as_bytes(), piece, true));
            }
        }
    }
    // Both happen, and often.
    assert!(taken > 200 && refused > 200, "{taken} {refused}");
}

#[test]
fn too_much_is_refused_where_hyper_refuses_it() {
    for count in [99, 100, 101] {
        let fields: String = (0..count)
            .map(|number| format!("x-{number}: 1\r\n"))
            .collect();
        // Of a head's fields we take more: `an_answer_may_have_many_fields_but_not_any_number`.
        if count <= 100 {
            let head = format!("HTTP/1.1 204 OK\r\n{fields}\r\n");
            compare(head.as_bytes(), 4096, false);
        }
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        compare(
            format!("{chunked}0\r\n{fields}\r\n").as_bytes(),
            4096,
            false,
        );
    }
    for length in [16 * 1024 - 10, 16 * 1024, 16 * 1024 + 10] {
        let long = "x".repeat(length);
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        compare(
            format!("{chunked}1;{long}\r\na\r\n0\r\n\r\n").as_bytes(),
            4096,
            false,
        );
        compare(
            format!("{chunked}0\r\nx: {long}\r\n\r\n").as_bytes(),
            4096,
            false,
        );
    }
}

proptest! {
    #![proptest_config(samples(1024))]

    #[test]
    fn what_is_taken_is_taken_as_hyper_takes_it(
        head in 0..HEADS.len(),
        fields in proptest::collection::vec(0..FIELDS.len(), 0..4),
        body in 0..BODIES.len(),
        flaws in proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..3, any::<u8>()), 0..3),
        piece in 1_usize..64,
        to_head in any::<bool>(),
    ) {
        let fields: String = fields.into_iter().map(|index| FIELDS[index]).collect();
        let mut bytes = format!("{}{fields}\r\n{}", HEADS[head], BODIES[body]).into_bytes();
        for (place, kind, byte) in flaws {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => drop(bytes.remove(place)),
            }
        }
        let _ = compare(&bytes, piece, to_head);
    }
}

#[test]
fn only_what_ended_whole_is_used_again() {
    for (answer, want) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP", false),
        ("HTTP/1.1 204 No Content\r\n\r\n", true),
        ("HTTP/1.1 204 No Content\r\n\r\nx", false),
        ("HTTP/1.1 200 OK\r\n\r\nok", false),
        (
            "HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false),
        (
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n\r\n",
            false,
        ),
    ] {
        let (_, reusable) = ours(answer.as_bytes(), 4096, false).unwrap();
        assert_eq!(reusable, want, "{answer:?}");
    }
}

#[test]
fn a_failed_head_leaves_the_requests_fields_alone() {
    let mut fields = HeaderMap::new();
    fields.insert("x-mine", http::HeaderValue::from_static("1"));
    let mut read = BytesMut::from("HTTP/1.1 100 Continue\r\nx: 1\r\n\r\nHTTP/1.1 200 OK\r\nx");
    let mut early = head::Early::default();
    let head = head::parse(&mut read, false, &mut fields, &mut early).unwrap();
    assert!(head.is_none() && early.continues && fields.contains_key("x-mine"));
}

/// What is sent of a request with `body`, written in pieces of at most `piece` bytes.
async fn sent<B>(request: Request<B>, piece: usize) -> Result<String, String>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let (body, upload) = RequestBody::new(body);
    let mut request = Request::from_parts(parts, body);
    let mut outgoing = Outgoing::default();
    outgoing.begin(&request, &[], upload.is_some());
    let (mut near, mut far) = tokio::io::duplex(piece);
    let reading = tokio::spawn(async move {
        let mut all = String::new();
        far.read_to_string(&mut all).await.unwrap();
        all
    });
    let sent = poll_fn(|cx| outgoing.poll(cx, &mut near, request.body_mut())).await;
    drop(near);
    let all = reading.await.unwrap();
    match sent {
        Ok(()) => Ok(all),
        Err(Refusal::Body(error)) => Err(error.to_string()),
        Err(Refusal::Io(error)) => panic!("{error}"),
    }
}

/// Frames, and how long they say to be together.
struct Frames(Vec<Frame<Bytes>>, SizeHint);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready((!self.0.is_empty()).then(|| Ok(self.0.remove(0))))
    }

    fn size_hint(&self) -> SizeHint {
        self.1
    }
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn a_body_is_framed_by_what_is_known_of_its_length() {
    let trailers: HeaderMap = [("x-sum", "5"), ("x-other", "6"), ("set-cookie", "7")]
        .into_iter()
        .map(|(name, value)| {
            (
                name.parse::<http::HeaderName>().unwrap(),
                value.parse().unwrap(),
            )
        })
        .collect();
    let exact = SizeHint::with_exact;
    let head = "POST /a?b HTTP/1.1\r\ntrailer: X-Sum, set-cookie\r\n\r\n";
    for (frames, hint, want) in [
        (vec![data("abc"), data("de")], exact(5), Ok("abcde")),
        (vec![data("abc"), data("")], exact(3), Ok("abc")),
        (
            vec![data("abc")],
            exact(4),
            Err("the body is shorter than it said"),
        ),
        (
            vec![data("abc")],
            exact(2),
            Err("the body is longer than it said"),
        ),
        (
            vec![data("abc"), data(""), data("0123456789")],
            SizeHint::default(),
            Ok("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"),
        ),
        (
            vec![data("a"), Frame::trailers(trailers)],
            SizeHint::default(),
            Ok("1\r\na\r\n0\r\nx-sum: 5\r\n\r\n"),
        ),
        (vec![], SizeHint::default(), Ok("0\r\n\r\n")),
    ] {
        for piece in [1, 7, 4096] {
            let body = Frames(frames.iter().map(copy).collect(), hint);
            let request = Request::post("/a?b").header("trailer", "X-Sum, set-cookie");
            let sent = sent(request.body(body).unwrap(), piece).await;
            let want = want
                .map(|body| format!("{head}{body}"))
                .map_err(str::to_owned);
            assert_eq!(sent, want);
        }
    }
}

fn copy(frame: &Frame<Bytes>) -> Frame<Bytes> {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(data), _) => Frame::data(data.clone()),
        (None, Some(fields)) => Frame::trailers(fields.clone()),
        (None, None) => unreachable!("a frame is one of these"),
    }
}

/// As both ways take a head: the quick one, and the one that is for all.
fn both_ways(text: &str) -> (Option<HeaderMap>, Option<HeaderMap>) {
    let quick = usual::parse(&mut text.into(), false, &mut HeaderMap::new());
    let quick = quick.map(|head| head.unwrap().response.into_parts().0.headers);
    // What is no answer yet before it is nothing to the general way, but ends the quick one.
    let mut general = BytesMut::from(format!("HTTP/1.1 103 Early Hints\r\n\r\n{text}").as_str());
    let mut early = head::Early::default();
    let head = head::parse(&mut general, false, &mut HeaderMap::new(), &mut early);
    assert!(!early.continues && early.hints.len() == 1);
    let general = head.ok().flatten();
    (
        quick,
        general.map(|head| head.response.into_parts().0.headers),
    )
}

#[test]
fn a_usual_head_is_taken_at_once_and_as_any_other() {
    for fields in [
        "Content-Length: 5\r\n",
        "content-length:5\r\n",
        "Date: now\r\nServer: Kestrel\r\nContent-Type: a/b; c=d\r\nContent-Length: 0\r\n",
        "Set-Cookie: a\r\nSet-Cookie: b\r\nTransfer-Encoding: chunked\r\n",
        "Vary: \u{fc}\r\nETag: \"\t\"\r\nContent-Length: 18446744073709551613\r\n",
        "Location:\r\nContent-Length: 5\r\n",
    ] {
        let (quick, general) = both_ways(&format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello"));
        assert!(quick.is_some(), "{fields:?}");
        assert_eq!(quick, general, "{fields:?}");
    }
}

#[test]
fn a_head_that_is_not_usual_is_left_to_the_general_way() {
    let long = "Vary: a\r\n".repeat(16);
    for (line, fields) in [
        ("HTTP/1.0 200 OK", "Content-Length: 5"),
        ("HTTP/1.1 200 Fine", "Content-Length: 5"),
        ("HTTP/1.1 200", "Content-Length: 5"),
        ("HTTP/1.1 204 No Content", "Content-Length: 5"),
        ("HTTP/1.1 304 Not Modified", "Content-Length: 5"),
        ("HTTP/1.1 103 Early Hints", "Content-Length: 5"),
        ("HTTP/1.1 200 OK\r\n", "Content-Length: 5"),
        ("HTTP/1.1 200 OK", "Server: a"),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nContent-Length: 5"),
        ("HTTP/1.1 200 OK", "Content-Length: 5, 5"),
        ("HTTP/1.1 200 OK", "Content-Length: 18446744073709551614"),
        (
            "HTTP/1.1 200 OK",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
        ),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: Chunked"),
        (
            "HTTP/1.1 200 OK",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        ),
        ("HTTP/1.1 200 OK", "Connection: close\r\nContent-Length: 5"),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nx-a: 1"),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nVary : a"),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\n Vary: a"),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nVary:  a"),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nVary: a "),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nVary: a\nVary: b"),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nVary"),
        ("HTTP/1.1 200 OK", &format!("{long}Content-Length: 5")),
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nVary: a\r"),
    ] {
        let text = format!("{line}\r\n{fields}\r\n\r\nhello");
        let mut bytes = BytesMut::from(text.as_str());
        let mut spare = HeaderMap::from_iter([(http::header::TE, "kept".parse().unwrap())]);
        assert!(
            usual::parse(&mut bytes, false, &mut spare).is_none(),
            "{text:?}"
        );
        assert_eq!((&bytes[..], spare.len()), (text.as_bytes(), 1), "{text:?}");
    }
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    for end in 0..whole.len() {
        let part = usual::parse(&mut whole[..end].into(), false, &mut HeaderMap::new());
        assert!(part.is_none(), "{end}");
    }
    assert!(usual::parse(&mut whole.into(), true, &mut HeaderMap::new()).is_none());
    let refused = whole.replacen("Content", "Vary: \u{1}\r\nContent", 1);
    let refused = usual::parse(&mut refused.as_str().into(), false, &mut HeaderMap::new());
    assert!(refused.is_some_and(|head| head.is_err()));
}

/// As one that was just taken.
#[cfg(unix)]
fn seat() -> Seat {
    let limits = ProxyOptions::new().connections();
    let seats = Seats::new();
    seats.try_take(limits).unwrap()
}

/// It takes no more of the request, and says why a while later.
#[cfg(unix)]
#[tokio::test]
async fn an_answer_counts_that_comes_after_the_rest_was_refused() {
    use std::io::Write as _;

    use tokio::io::Interest;

    let (near, far) = tokio::net::UnixStream::pair().unwrap();
    let (mut sender, body) = http_body_util::channel::Channel::<Bytes, BoxError>::new(1);
    let (body, upload) = RequestBody::new(body);
    let mut request = Request::post("/").body(body).unwrap();
    let mut wire = Wire::new(Io::Unix(near), seat());
    let hints = Hints::new(crate::Connection::default(), http::Version::HTTP_10);
    let (listener, patience) = (
        Listener {
            opener: None,
            hints: &hints,
            via: None,
        },
        Patience {
            app: None,
            client: Haste {
                pause: None,
                rate: None,
                grace: Duration::ZERO,
            },
        },
    );
    let app = async {
        far.ready(Interest::READABLE).await.unwrap();
        let mut far = far.into_std().unwrap();
        far.shutdown(std::net::Shutdown::Read).unwrap();
        // The other side meets its error.
        sender.send_data("more".into()).await.unwrap();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        far.write_all(b"HTTP/1.1 413 Too Much\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        far
    };
    let asked = Asked {
        request: &mut request,
        told: b"",
    };
    let asked = wire.ask(asked, upload.as_ref(), listener, patience);
    let (answer, _far) = tokio::join!(asked, app);
    assert_eq!(answer.unwrap().status(), 413);
}

/// As many as are used again soonest are ready for it, and the others hold no more than their socket.
#[cfg(unix)]
#[tokio::test]
async fn what_lies_deep_in_the_pool_holds_no_buffer() {
    let backend = Backend::fixed(Address::Tcp("127.0.0.1:9".parse().unwrap()));
    let mut far = Vec::new();
    for _ in 0..66 {
        let (near, other) = tokio::net::UnixStream::pair().unwrap();
        far.push(other);
        let mut wire = Wire::new(Io::Unix(near), seat());
        wire.read.reserve(FIRST_READ);
        wire.recycle(&backend);
    }
    let taken = std::iter::from_fn(|| Wire::reuse(&backend));
    let ready: Vec<_> = taken.map(|wire| wire.read.capacity() > 0).collect();
    assert_eq!(ready, [vec![true; 64], vec![false; 2]].concat());
}
