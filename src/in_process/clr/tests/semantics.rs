//! What passes the boundary, call by call.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio_test::{assert_pending, assert_ready};
use tower::ServiceExt;

use super::{
    super::{ResponseBody, abi, native::Native, service::Service},
    mock::{self, Call},
};
use crate::{Connection, Identity, TlsFacts, error::BoxError};

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).body(Empty::new()).unwrap()
}

async fn ask<B>(service: Service, request: Request<B>) -> Response<ResponseBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    service.oneshot(request).await.unwrap()
}

async fn text(response: Response<ResponseBody>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Waits until the app is through with all requests.
async fn settled(native: &Native) {
    while native.open_requests() > 0 {
        tokio::task::yield_now().await;
    }
}

/// A body in pieces, with trailers at its end.
fn pieces(
    pieces: &[&'static str],
    trailers: HeaderMap,
) -> impl Body<Data = Bytes, Error = Infallible> + Send + 'static {
    let frames: Vec<_> = pieces
        .iter()
        .map(|piece| Frame::data(Bytes::from_static(piece.as_bytes())))
        .chain((!trailers.is_empty()).then(|| Frame::trailers(trailers)))
        .map(Ok)
        .collect();
    StreamBody::new(futures_util::stream::iter(frames))
}

#[tokio::test]
async fn the_head_crosses_as_it_came() {
    let (_, service) = mock::app("/shop/a%2Fb", |call| {
        assert_eq!(
            (&*call.method, &*call.target),
            ("PROPFIND", "/shop/a%2Fb?x=%20")
        );
        assert_eq!((&*call.query, &*call.authority), ("x=%20", "me:80"));
        let lines: Vec<_> = call
            .fields
            .iter()
            .filter(|(name, _)| name == "x-twice")
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (call.content_length, call.flags, call.peer_port),
            (-1, 0, 4711)
        );
        call.answer("seen");
    });
    let request = Request::builder()
        .method("PROPFIND")
        .uri("/shop/a%2Fb?x=%20")
        .header("Host", "me:80")
        .header("X-Twice", "1")
        .header("x-twice", "2")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let connection = Connection::new("192.0.2.7:4711".parse().unwrap());
    assert_eq!(
        text(ask(service.for_connection(connection), request).await).await,
        "seen"
    );
}

#[tokio::test]
async fn user_and_handshake_cross() {
    let (_, service) = mock::app("/who", |call| {
        let user = call.user.as_ref().map(|(name, kind, groups)| {
            assert_eq!(groups, &["staff", "admins"]);
            format!("{name} by {kind}")
        });
        let (version, suite, name) = &call.tls;
        let user = user.unwrap_or_default();
        call.answer(&format!(
            "{user} {version:x} {suite:x} {name} {}",
            call.certificate
        ));
    });
    let tls = TlsFacts::new(0x0304, 0x1302).with_server_name("site.test");
    let secure = Connection::unknown()
        .with_tls(tls)
        .with_certificate(Bytes::from_static(b"der"));
    let alice = Identity::new("Negotiate", "alice").with_realm("TEST");
    let alice = alice.with_groups(["staff", "admins"]);
    for (connection, user, want) in [
        (
            secure.clone(),
            Some(&alice),
            "alice@TEST by Negotiate 304 1302 site.test der",
        ),
        (secure, None, " 304 1302 site.test der"),
        (
            Connection::unknown(),
            Some(&alice),
            "alice@TEST by Negotiate 0 0  ",
        ),
        // In the same slot, nothing of it is left.
        (Connection::unknown(), None, " 0 0  "),
    ] {
        let mut request = get("/who");
        if let Some(user) = user {
            request.extensions_mut().insert(user.clone());
        }
        let answer = ask(service.for_connection(connection), request).await;
        assert_eq!(text(answer).await, want);
    }
}

#[tokio::test]
async fn a_small_answer_is_one_call_and_its_length_is_known() {
    let (native, service) = mock::app("/small", |call| {
        let fields = [
            ("Content-Type", "text/plain"),
            ("Set-Cookie", "a"),
            ("set-cookie", "b"),
        ];
        assert_eq!(call.start(201, &fields, b"small", true), abi::OK);
    });
    let response = ask(service, get("/small")).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.body().size_hint().exact(), Some(5));
    assert_eq!(text(response).await, "small");
    settled(native).await;
}

#[tokio::test]
async fn what_frames_the_connection_is_not_the_apps_to_say() {
    let (_, service) = mock::app("/frames", |call| {
        let fields = [
            ("Connection", "close, keep-alive"),
            ("Transfer-Encoding", "chunked"),
            ("Keep-Alive", "5"),
            ("Upgrade", "h2c"),
        ];
        call.start(200, &fields, b"0\r\n\r\n", true);
    });
    let response = ask(service, get("/frames")).await;
    assert_eq!(response.headers().len(), 1);
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn chunks_of_the_apps_own_are_not_framed_twice() {
    let (native, service) = mock::app("/own-chunks", |call| {
        let fields = [("Transfer-Encoding", "Chunked"), ("Content-Length", "15")];
        let whole = b"5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n";
        let split = if call.query == "at-once" {
            whole.len()
        } else {
            6
        };
        let (first, rest) = whole.split_at(split);
        assert_eq!(call.start(200, &fields, first, rest.is_empty()), abi::OK);
        if !rest.is_empty() {
            assert_eq!(call.write(rest, false), abi::OK);
            assert_eq!(call.write(b"HTTP/1.1 200 OK\r\n\r\n", false), abi::OK);
            assert_eq!(call.write(b"", true), abi::OK);
        }
    });
    for target in ["/own-chunks", "/own-chunks?at-once"] {
        let response = ask(service.clone(), get(target)).await;
        assert!(response.headers().is_empty(), "{:?}", response.headers());
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["x-sum"], "7", "{target}");
        assert_eq!(body.to_bytes(), "hello", "{target}");
    }
    settled(native).await;
}

#[tokio::test]
async fn chunks_of_the_apps_own_that_are_none_break_the_answer_off() {
    let (_, service) = mock::app("/no-chunks", |call| {
        let fields = [("Transfer-Encoding", "chunked")];
        match &*call.query {
            "flaw" => drop(call.start(200, &fields, b"1\r\nahello", false)),
            "unfinished" => drop(call.start(200, &fields, b"1\r\na\r\n", true)),
            _ => drop(call.start(200, &fields, b"1\r\na\r\n", false)),
        }
    });
    for query in ["flaw", "unfinished", "left"] {
        let response = ask(service.clone(), get(&format!("/no-chunks?{query}"))).await;
        let mut body = response.into_body();
        let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(data, "a", "{query}");
        assert!(body.frame().await.unwrap().is_err(), "{query}");
    }
}

#[tokio::test]
async fn a_body_is_read_to_its_end_and_its_trailers() {
    let (_, service) = mock::app("/echo", |call| {
        assert_eq!(call.flags, abi::HAS_BODY);
        assert_eq!(call.request_trailers(), Err(abi::INVALID));
        let body = call.read_to_end().unwrap();
        assert_eq!(call.set_max_body(1), abi::INVALID);
        assert_eq!(
            call.request_trailers().unwrap(),
            [("x-sum".to_owned(), "7".to_owned())]
        );
        call.start(200, &[], &body, true);
    });
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    let request = Request::post("/echo")
        .body(pieces(&["one ", "two"], trailers))
        .unwrap();
    assert_eq!(text(ask(service, request).await).await, "one two");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_declared_or_not() {
    let (_, service) = mock::app("/limit", |call| {
        if call.query == "more" {
            assert_eq!(call.set_max_body(-1), abi::OK);
        }
        let code = call.read_to_end().map(|body| body.len());
        call.answer(&format!("{code:?}"));
    });
    let long = vec![b'x'; 100_001];
    let whole = Request::post("/limit")
        .header("content-length", long.len())
        .body(Full::from(long.clone()))
        .unwrap();
    assert_eq!(text(ask(service.clone(), whole).await).await, "Err(-2)");
    let streamed = Request::post("/limit")
        .body(Full::from(long.clone()))
        .unwrap();
    assert_eq!(text(ask(service.clone(), streamed).await).await, "Err(-2)");
    let raised = Request::post("/limit?more").body(Full::from(long)).unwrap();
    assert_eq!(text(ask(service, raised).await).await, "Ok(100001)");
}

#[tokio::test]
async fn nothing_of_a_body_is_asked_for_before_it_is_read() {
    static GO: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);
    let (go, going) = mpsc::channel();
    *GO.lock().unwrap() = Some(going);
    let (_, service) = mock::app("/lazy", |call| {
        GO.lock().unwrap().take().unwrap().recv().unwrap();
        assert_eq!(call.read_to_end().unwrap(), b"late");
        call.answer("");
    });
    let asked = Arc::new(AtomicBool::new(false));
    let was_asked = asked.clone();
    let body = StreamBody::new(futures_util::stream::once(async move {
        asked.store(true, Ordering::SeqCst);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"late")))
    }));
    let request = Request::post("/lazy").body(body).unwrap();
    let mut future = tokio_test::task::spawn(service.oneshot(request));
    assert_pending!(future.poll());
    assert!(!was_asked.load(Ordering::SeqCst));
    go.send(()).unwrap();
    assert_eq!(future.await.unwrap().status(), 200);
    assert!(was_asked.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_stream_arrives_piece_by_piece_and_ends_with_trailers() {
    let (_, service) = mock::app("/stream", |call| {
        assert_eq!(call.write(b"early", false), abi::INVALID);
        assert_eq!(call.start(200, &[], b"one", false), abi::OK);
        assert_eq!(call.start(200, &[], b"", false), abi::INVALID);
        assert_eq!(call.write(b"two", false), abi::OK);
        assert_eq!(
            call.trailers(&[("X-Sum", "6"), ("Content-Length", "1")]),
            abi::OK
        );
        assert_eq!(call.write(b"late", false), abi::INVALID);
    });
    let response = ask(service, get("/stream")).await;
    assert_eq!(response.body().size_hint().exact(), None);
    let all = response.into_body().collect().await.unwrap();
    assert_eq!(all.trailers().unwrap().len(), 1);
    assert_eq!(all.trailers().unwrap()["x-sum"], "6");
    assert_eq!(all.to_bytes(), "onetwo");
}

#[tokio::test]
async fn a_writer_waits_for_its_client() {
    static WRITTEN: Mutex<usize> = Mutex::new(0);
    const PIECE: usize = 10_000;
    let (_, service) = mock::app("/flood", |call| {
        call.start(200, &[], b"", false);
        for _ in 0..100 {
            assert_eq!(call.write_all(&[b'x'; PIECE]), abi::OK);
            *WRITTEN.lock().unwrap() += PIECE;
        }
        call.write(b"", true);
    });
    let mut body = ask(service, get("/flood")).await.into_body();
    // The writer is stopped by its own call, not by time: what it says it wrote can't pass the mark.
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.len() <= 64 * 1024 + PIECE);
    assert!(*WRITTEN.lock().unwrap() <= first.len() + 64 * 1024 + PIECE);
    let rest = body.collect().await.unwrap().to_bytes();
    assert_eq!(first.len() + rest.len(), 100 * PIECE);
}

#[tokio::test]
async fn an_answer_without_a_body_drops_what_is_written() {
    let (_, service) = mock::app("/none", |call| {
        let status = call.query.parse().unwrap();
        assert_eq!(
            call.start(status, &[("Content-Length", "4")], b"ab", false),
            abi::OK
        );
        assert_eq!(call.write(b"cd", true), abi::OK);
        assert_eq!(call.write(b"ef", true), abi::INVALID);
    });
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let request = Request::builder()
            .method(method)
            .uri(format!("/none?{status}"));
        let response = ask(
            service.clone(),
            request.body(Empty::<Bytes>::new()).unwrap(),
        )
        .await;
        assert_eq!(response.status(), status);
        assert!(response.body().is_end_stream());
        assert_eq!(response.headers()["content-length"], "4");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_invalid_and_changes_nothing() {
    let (_, service) = mock::app("/bad", |call| {
        for (status, fields) in [
            (99, &[][..]),
            (1000, &[]),
            (101, &[]),
            (103, &[]),
            (200, &[("bad name", "")]),
            (200, &[("a", "line\nbreak")]),
        ] {
            assert_eq!(
                call.start(status, fields, b"", true),
                abi::INVALID,
                "{status}"
            );
        }
        assert_eq!(call.informational(103), abi::OK);
        assert_eq!(call.informational(101), abi::INVALID);
        assert_eq!(call.answer("good"), abi::OK);
    });
    assert_eq!(text(ask(service, get("/bad")).await).await, "good");
}

#[tokio::test]
async fn a_request_that_is_left_unanswered_gets_500() {
    let (_, service) = mock::app("/nothing", |_| {});
    let response = ask(service, get("/nothing")).await;
    assert_eq!(response.status(), 500);
    assert!(response.body().is_end_stream());
}

#[tokio::test]
async fn an_answer_that_is_not_finished_never_looks_whole() {
    let (_, service) = mock::app("/cut", |call| {
        call.start(200, &[], b"part", false);
    });
    let response = ask(service, get("/cut")).await;
    let error = response.into_body().collect().await.unwrap_err();
    assert_eq!(error.code(), abi::INTERNAL_ERROR);
}

#[tokio::test]
async fn what_was_given_before_a_break_goes_out_first() {
    let (native, service) = mock::app("/break", |call| {
        call.start(
            200,
            &[("Content-Length", "10")],
            b"first",
            call.query == "end",
        );
        assert_eq!(call.reset(8), abi::OK);
        let over = if call.query == "end" {
            abi::INVALID
        } else {
            abi::GONE
        };
        assert!([over, abi::GONE].contains(&call.write(b"more", false)));
    });
    let mut body = ask(service, get("/break")).await.into_body();
    settled(native).await;
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first");
    let mut next = tokio_test::task::spawn(body.frame());
    assert_pending!(next.poll(), "a moment to send it");
    assert!(next.is_woken());
    assert_eq!(assert_ready!(next.poll()).unwrap().unwrap_err().code(), 8);
}

#[tokio::test]
async fn a_status_without_a_usual_reason_has_none() {
    let (_, service) = mock::app("/reason", |call| {
        call.start(call.query.parse().unwrap(), &[], b"", true);
    });
    let reason = async |status: u16| {
        let response = ask(service.clone(), get(&format!("/reason?{status}"))).await;
        let reason = response.extensions().get::<hyper::ext::ReasonPhrase>();
        reason.map(|reason| reason.as_bytes().to_owned())
    };
    assert_eq!(reason(599).await.as_deref(), Some(&b""[..]));
    assert_eq!(reason(404).await, None);
}

#[tokio::test]
async fn a_reset_says_its_code_and_nothing_after_it_counts() {
    let (_, service) = mock::app("/reset", |call| {
        assert_eq!(call.reset(13), abi::OK);
        assert_eq!(call.answer("late"), abi::GONE);
        assert_eq!(call.try_read(&mut [0]), Err(abi::GONE));
    });
    let response = ask(service, get("/reset")).await;
    let error = response.into_body().collect().await.unwrap_err();
    assert_eq!(error.code(), 13);
}

fn wait_for_abort(call: &Arc<Call>) {
    match &*call.query {
        "reading" => assert_eq!(call.read_to_end(), Err(abi::GONE)),
        "writing" => {
            call.start(200, &[], b"", false);
            while call.write_all(&[0; 50_000]) == abi::OK {}
        }
        _ => {}
    }
    call.aborted();
    assert_eq!(call.aborts(), 1);
    assert_eq!(call.write(b"", true), abi::GONE);
    LEFT.lock().unwrap().as_ref().unwrap().send(()).unwrap();
}

static LEFT: Mutex<Option<mpsc::Sender<()>>> = Mutex::new(None);

#[tokio::test]
async fn a_client_that_leaves_is_noticed_once_wherever_the_app_stands() {
    let (left, leaving) = mpsc::channel();
    *LEFT.lock().unwrap() = Some(left);
    let (native, service) = mock::app("/leave", wait_for_abort);
    for at in ["", "?reading", "?writing"] {
        let never = StreamBody::new(futures_util::stream::pending::<
            Result<Frame<Bytes>, Infallible>,
        >());
        let request = Request::post(format!("/leave{at}")).body(never).unwrap();
        let mut future = tokio_test::task::spawn(service.clone().oneshot(request));
        if at == "?writing" {
            let response = future.await.unwrap();
            let mut body = response.into_body();
            body.frame().await.unwrap().unwrap();
            drop(body);
        } else {
            assert_pending!(future.poll());
            drop(future);
        }
        leaving.recv().unwrap();
    }
    settled(native).await;
}

#[tokio::test]
async fn a_number_that_is_over_counts_for_nothing() {
    let (native, service) = mock::app("/over", |call| {
        call.answer("once");
        call.complete();
        // The mock completes it once more when this returns.
        assert_eq!(call.answer("again"), abi::GONE);
        assert_eq!(call.write(b"", true), abi::GONE);
        assert_eq!(call.reset(1), abi::GONE);
        assert_eq!(call.try_read(&mut [0]), Err(abi::GONE));
        assert_eq!(call.request_trailers(), Err(abi::GONE));
        assert_eq!(call.informational(103), abi::GONE);
    });
    for _ in 0..50 {
        assert_eq!(text(ask(service.clone(), get("/over")).await).await, "once");
    }
    settled(native).await;
}

#[tokio::test]
async fn connect_without_a_protocol_is_refused() {
    let (native, service) = mock::app("/connect", |_| unreachable!());
    let request = Request::connect("me:80")
        .version(Version::HTTP_11)
        .body(Empty::<Bytes>::new())
        .unwrap();
    let mut future = tokio_test::task::spawn(service.oneshot(request));
    assert_eq!(assert_ready!(future.poll()).unwrap().status(), 405);
    assert_eq!(native.open_requests(), 0);
}

/// A body of which one piece is there at a time, as hyper has it: the next comes once the one before was taken.
fn one_at_a_time(count: usize, last: usize) -> impl Body<Data = Bytes, Error = Infallible> + Send {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        for number in 0..count {
            let length = if number + 1 == count { last } else { 1 };
            send.send(Bytes::from(vec![b'x'; length])).await.unwrap();
        }
    });
    let receive = std::sync::Mutex::new(receive);
    StreamBody::new(futures_util::stream::poll_fn(move |cx| {
        let next = receive.lock().unwrap().poll_recv(cx);
        next.map(|data| data.map(|data| Ok(Frame::data(data))))
    }))
}

#[tokio::test]
async fn short_pieces_that_are_here_cross_together() {
    let (_, service) = mock::app("/short", |call| {
        let (mut reads, mut bytes) = (0, 0);
        while let Ok(count @ 1..) = call.read(&mut [0; 100_000]) {
            reads += 1;
            bytes += count;
        }
        call.answer(&format!("{bytes} in {reads}"));
    });
    for (count, last) in [(50_000, 1), (5, 1), (1, 1), (300, 5_000)] {
        let request = Request::post("/short").body(one_at_a_time(count, last));
        let told = text(ask(service.clone(), request.unwrap()).await).await;
        let (bytes, reads) = told.split_once(" in ").unwrap();
        assert_eq!(bytes, (count - 1 + last).to_string());
        // A machine that is busy lets the one who sends wait now and then.
        let reads: usize = reads.parse().unwrap();
        assert!(reads <= 10 + count / 50, "{count}: {told}");
    }
}

#[tokio::test]
async fn a_short_piece_alone_does_not_wait_for_another() {
    let (_, service) = mock::app("/alone", |call| {
        call.start(200, &[], b"", false);
        let mut piece = [0; 10];
        while let Ok(count @ 1..) = call.read(&mut piece) {
            call.write(&piece[..count], false);
        }
        call.write(b"", true);
    });
    let (send, mut receive) = tokio::sync::mpsc::channel::<Bytes>(1);
    let stream = futures_util::stream::poll_fn(move |cx| {
        let next = receive.poll_recv(cx);
        next.map(|data| data.map(|data| Ok::<_, Infallible>(Frame::data(data))))
    });
    let request = Request::post("/alone").body(StreamBody::new(stream));
    let mut body = ask(service, request.unwrap()).await.into_body();
    // More than it takes to be known for one who sends short pieces.
    for _ in 0..50 {
        send.send(Bytes::from_static(b"x")).await.unwrap();
        let echo = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(echo, "x");
    }
    drop(send);
    assert!(body.frame().await.is_none());
}
