//! Apps that speak HTTP/2 without TLS: what they and a client see of each other.

use std::{future::poll_fn, net::SocketAddr, time::Duration};

use ancm::{
    PairingToken,
    proxy::{Address, Backend, Protocol, Proxy, ProxyOptions},
};
use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
    server::{self, Connection, SendResponse},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::support::{Wire, front, soon};

/// An app: whoever accepts speaks for it.
pub(crate) struct App(TcpListener);

impl App {
    pub(crate) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn backend(&self) -> Backend {
        let address = Address::Tcp(self.0.local_addr().unwrap());
        let token = PairingToken::new("secret").unwrap();
        Backend::paired(address, token, None).speaking(Protocol::H2c)
    }

    /// The next connection, driven from here on.
    pub(crate) async fn accept(&self) -> Link {
        self.accept_with(&mut server::Builder::new()).await
    }

    pub(crate) async fn accept_with(&self, builder: &mut server::Builder) -> Link {
        let (stream, _) = soon(self.0.accept()).await.unwrap();
        let connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
        Link::drive(connection)
    }

    /// Whether nobody has dialled that was not accepted.
    pub(crate) async fn is_quiet(&self) -> bool {
        tokio::time::timeout(Duration::from_millis(50), self.0.accept())
            .await
            .is_err()
    }
}

pub(crate) type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// A connection on the app's side.
pub(crate) struct Link {
    asked: mpsc::Receiver<Asked>,
    orders: mpsc::Sender<Order>,
}

enum Order {
    /// No more streams but those that it has seen.
    GoAway,
    /// Close the socket.
    Die,
}

impl Link {
    fn drive(mut connection: Connection<TcpStream, Bytes>) -> Self {
        let (teller, asked) = mpsc::channel(100);
        let (orders, mut told) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    order = told.recv() => match order {
                        Some(Order::GoAway) => connection.graceful_shutdown(),
                        Some(Order::Die) | None => return,
                    },
                    request = connection.accept() => match request {
                        Some(Ok(request)) => drop(teller.send(request).await),
                        Some(Err(_)) | None => return,
                    },
                }
            }
        });
        Self { asked, orders }
    }

    pub(crate) async fn request(&mut self) -> Asked {
        soon(self.asked.recv()).await.expect("a request comes")
    }

    async fn order(&self, order: Order) {
        self.orders.send(order).await.unwrap();
    }
}

/// A front before `app`, and an HTTP/2 client of it.
async fn chain(app: &App) -> SendRequest<Bytes> {
    client(front(Proxy::new(), app.backend()).await).await
}

pub(crate) async fn client(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(
    client: &SendRequest<Bytes>,
    request: Request<()>,
    ends: bool,
) -> (ResponseFuture, SendStream<Bytes>) {
    let mut client = soon(client.clone().ready()).await.unwrap();
    client.send_request(request, ends).unwrap()
}

fn post() -> Request<()> {
    Request::post("http://example.com/pkg.Service/Method")
        .body(())
        .unwrap()
}

fn get() -> Request<()> {
    Request::get("http://example.com/").body(()).unwrap()
}

/// The next data of a body.
pub(crate) async fn data(body: &mut RecvStream) -> Bytes {
    let data = soon(body.data()).await.expect("there is more").unwrap();
    body.flow_control().release_capacity(data.len()).unwrap();
    data
}

/// Waits for the end of a body that has no more data.
pub(crate) async fn ended(body: &mut RecvStream) {
    while let Some(data) = soon(body.data()).await {
        assert_eq!(data.unwrap(), "");
    }
}

/// How a body ends that is not whole.
pub(crate) async fn broken(body: &mut RecvStream) -> Option<Reason> {
    loop {
        match soon(body.data()).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return error.reason(),
            None => {
                let trailers = soon(body.trailers()).await;
                return trailers.expect_err("it is not whole").reason();
            }
        }
    }
}

fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let lines = lines.iter();
    lines
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

pub(crate) fn ok() -> Response<()> {
    Response::new(())
}

#[tokio::test]
async fn a_head_comes_as_http_2_has_it() {
    let app = App::bind().await;
    let client = chain(&app).await;
    let request = Request::post("http://example.com:81/a%2Fb?c=%41")
        .header("te", "trailers")
        .header("grpc-timeout", "20S")
        .header("x-forwarded-for", "203.0.113.9")
        .header("ms-aspnetcore-token", "forged")
        .body(())
        .unwrap();
    let (answer, _body) = ask(&client, request, false).await;
    let mut link = app.accept().await;
    let (asked, mut reply) = link.request().await;
    assert_eq!(asked.method(), Method::POST);
    assert_eq!(asked.uri(), "http://example.com:81/a%2Fb?c=%41");
    let headers = asked.headers();
    let said = |name: &str| headers.get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(said("te"), ["trailers"]);
    assert_eq!(said("grpc-timeout"), ["20S"]);
    assert_eq!(said("ms-aspnetcore-token"), ["secret"]);
    assert_eq!(said("x-forwarded-proto"), ["http"]);
    let from = said("x-forwarded-for");
    assert!(from.len() == 1 && from[0].to_str().unwrap().starts_with("127.0.0.1:"));
    for gone in ["host", "connection", "transfer-encoding"] {
        assert!(said(gone).is_empty(), "{gone}");
    }
    let head = Response::builder()
        .status(207)
        .header("x-a", "1")
        .header("x-a", "2")
        .header("ms-aspnetcore-token", "leak");
    reply.send_response(head.body(()).unwrap(), true).unwrap();
    let answer = soon(answer).await.unwrap();
    assert_eq!(answer.status(), 207);
    let values: Vec<_> = answer.headers().get_all("x-a").iter().collect();
    assert_eq!(values, ["1", "2"]);
    assert!(!answer.headers().contains_key("ms-aspnetcore-token"));
    assert!(answer.body().is_end_stream());
}

#[tokio::test]
async fn messages_pass_both_ways_at_once_and_trailers_after_them() {
    let app = App::bind().await;
    let client = chain(&app).await;
    let (answer, mut body) = ask(&client, post(), false).await;
    let mut link = app.accept().await;
    let (mut asked, mut reply) = link.request().await;
    // The answer begins before anything of the request's body.
    let mut send = reply.send_response(ok(), false).unwrap();
    let mut answer = soon(answer).await.unwrap();
    for turn in 0..5u8 {
        body.send_data(vec![turn; 3].into(), false).unwrap();
        assert_eq!(data(asked.body_mut()).await, vec![turn; 3]);
        send.send_data(vec![turn; 4].into(), false).unwrap();
        assert_eq!(data(answer.body_mut()).await, vec![turn; 4]);
    }
    body.send_trailers(fields(&[("x-sum", "1"), ("ms-aspnetcore-token", "forged")]))
        .unwrap();
    ended(asked.body_mut()).await;
    let trailers = soon(asked.body_mut().trailers()).await.unwrap().unwrap();
    assert_eq!(trailers, fields(&[("x-sum", "1")]));
    send.send_trailers(fields(&[("grpc-status", "0"), ("grpc-message", "fine")]))
        .unwrap();
    assert!(soon(answer.body_mut().data()).await.is_none());
    let trailers = soon(answer.body_mut().trailers()).await.unwrap().unwrap();
    let want = fields(&[("grpc-status", "0"), ("grpc-message", "fine")]);
    assert_eq!(trailers, want);
}

#[tokio::test]
async fn requests_share_a_connection_as_far_as_the_app_allows() {
    let app = App::bind().await;
    let client = chain(&app).await;
    let (_first, _) = ask(&client, get(), true).await;
    let mut builder = server::Builder::new();
    let mut link = app.accept_with(builder.max_concurrent_streams(2)).await;
    let one = link.request().await;
    // The app's settings are known by now, as an answer has come over the same connection.
    let (second, _) = ask(&client, get(), true).await;
    let (_, mut reply) = link.request().await;
    reply.send_response(ok(), true).unwrap();
    soon(second).await.unwrap();
    let (_third, _) = ask(&client, get(), true).await;
    let two = link.request().await;
    assert!(app.is_quiet().await, "two requests, one connection");
    let (fourth, _) = ask(&client, get(), true).await;
    let mut another = app.accept().await;
    let (_, mut reply) = another.request().await;
    reply.send_response(ok(), true).unwrap();
    assert_eq!(soon(fourth).await.unwrap().status(), 200);
    drop((one, two));
}

/// The client's word for it reaches the app, before the answer and amid it.
#[tokio::test]
async fn a_client_that_resets_its_stream_resets_the_apps() {
    for (said, heard) in [
        (Reason::CANCEL, Reason::CANCEL),
        (Reason::NO_ERROR, Reason::CANCEL),
        (Reason::INTERNAL_ERROR, Reason::INTERNAL_ERROR),
        (Reason::ENHANCE_YOUR_CALM, Reason::ENHANCE_YOUR_CALM),
        (Reason::from(4711), Reason::from(4711)),
        (Reason::PROTOCOL_ERROR, Reason::CANCEL),
        (Reason::REFUSED_STREAM, Reason::CANCEL),
    ] {
        for answered in [false, true] {
            let app = App::bind().await;
            let client = chain(&app).await;
            let (answer, mut body) = ask(&client, post(), false).await;
            body.send_data("abc".into(), false).unwrap();
            let mut link = app.accept().await;
            let (mut asked, mut reply) = link.request().await;
            assert_eq!(data(asked.body_mut()).await, "abc");
            let mut answer = Some(answer);
            let sent = answered.then(|| reply.send_response(ok(), false).unwrap());
            if sent.is_some() {
                soon(answer.take().unwrap()).await.unwrap();
            }
            body.send_reset(said);
            let end = broken(asked.body_mut()).await;
            assert_eq!(end, Some(heard), "{said:?}, answered: {answered}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_streams_and_no_others() {
    let app = App::bind().await;
    let address = front(Proxy::new(), app.backend()).await;
    let stays = client(address).await;
    let mut leaves = Wire::connect(address).await;
    let (stayed, _) = ask(&stays, get(), true).await;
    let mut link = app.accept().await;
    let (_, mut to_stay) = link.request().await;
    leaves.say("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (_asked, mut to_leave) = link.request().await;
    leaves.reset();
    let reset = soon(poll_fn(|cx| to_leave.poll_reset(cx))).await.unwrap();
    assert_eq!(reset, Reason::CANCEL);
    to_stay.send_response(ok(), true).unwrap();
    assert_eq!(soon(stayed).await.unwrap().status(), 200);
}

/// The app's word for it reaches the client, unless it would say that all is well or nothing was done.
#[tokio::test]
async fn an_answer_that_is_reset_never_looks_complete() {
    for (said, heard) in [
        (Reason::INTERNAL_ERROR, Reason::INTERNAL_ERROR),
        (Reason::CANCEL, Reason::CANCEL),
        (Reason::ENHANCE_YOUR_CALM, Reason::ENHANCE_YOUR_CALM),
        (Reason::from(4711), Reason::from(4711)),
        (Reason::NO_ERROR, Reason::INTERNAL_ERROR),
        (Reason::REFUSED_STREAM, Reason::INTERNAL_ERROR),
        (Reason::PROTOCOL_ERROR, Reason::INTERNAL_ERROR),
        (Reason::HTTP_1_1_REQUIRED, Reason::INTERNAL_ERROR),
    ] {
        let app = App::bind().await;
        let address = front(Proxy::new(), app.backend()).await;
        let client = client(address).await;
        let (answer, _) = ask(&client, get(), true).await;
        let mut link = app.accept().await;
        let (_asked, mut reply) = link.request().await;
        let mut send = reply.send_response(ok(), false).unwrap();
        let mut answer = soon(answer).await.unwrap();
        send.send_data("half".into(), false).unwrap();
        assert_eq!(data(answer.body_mut()).await, "half");
        send.send_reset(said);
        assert_eq!(broken(answer.body_mut()).await, Some(heard), "{said:?}");

        let mut old = Wire::connect(address).await;
        old.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let (_asked, mut reply) = link.request().await;
        let mut send = reply.send_response(ok(), false).unwrap();
        send.send_data("half".into(), false).unwrap();
        old.hear("half\r\n").await;
        send.send_reset(said);
        assert_eq!(old.rest().await, "", "{said:?}");
    }
}

#[tokio::test]
async fn an_answer_whose_connection_ends_never_looks_complete() {
    let app = App::bind().await;
    let client = chain(&app).await;
    let (answer, _) = ask(&client, get(), true).await;
    let mut link = app.accept().await;
    let (_asked, mut reply) = link.request().await;
    let mut send = reply.send_response(ok(), false).unwrap();
    let mut answer = soon(answer).await.unwrap();
    send.send_data("half".into(), false).unwrap();
    assert_eq!(data(answer.body_mut()).await, "half");
    link.order(Order::Die).await;
    let end = broken(answer.body_mut()).await;
    assert_eq!(end, Some(Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn a_reset_before_the_answer_is_a_bad_gateway() {
    let app = App::bind().await;
    let client = chain(&app).await;
    let (answer, _) = ask(&client, get(), true).await;
    let mut link = app.accept().await;
    let (_asked, mut reply) = link.request().await;
    reply.send_reset(Reason::INTERNAL_ERROR);
    assert_eq!(soon(answer).await.unwrap().status(), 502);
}

#[tokio::test]
async fn what_the_app_refused_is_sent_once_more_and_not_twice() {
    for (refusals, status) in [(1, StatusCode::OK), (2, StatusCode::BAD_GATEWAY)] {
        // Even what is not idempotent: it was not done (RFC 9113, 8.7).
        let app = App::bind().await;
        let client = chain(&app).await;
        let (answer, _) = ask(&client, post(), true).await;
        let mut link = app.accept().await;
        for _ in 0..refusals {
            let (_asked, mut reply) = link.request().await;
            reply.send_reset(Reason::REFUSED_STREAM);
        }
        if refusals == 1 {
            let (_asked, mut reply) = link.request().await;
            reply.send_response(ok(), true).unwrap();
        }
        assert_eq!(soon(answer).await.unwrap().status(), status);
        assert!(app.is_quiet().await);
    }
}

/// As long as all of the body is remembered.
#[tokio::test]
async fn what_the_app_refused_after_its_body_went_out_is_sent_again_whole() {
    for (length, status) in [
        (3, StatusCode::OK),
        (60_000, StatusCode::OK),
        (70_000, StatusCode::BAD_GATEWAY),
    ] {
        let app = App::bind().await;
        let client = chain(&app).await;
        let (answer, mut body) = ask(&client, post(), false).await;
        let text = Bytes::from("x".repeat(length));
        body.send_data(text.clone(), true).unwrap();
        let mut link = app.accept().await;
        let (mut asked, mut reply) = link.request().await;
        let mut heard = 0;
        while heard < length {
            heard += data(asked.body_mut()).await.len();
        }
        reply.send_reset(Reason::REFUSED_STREAM);
        if status == StatusCode::OK {
            let (mut asked, mut reply) = link.request().await;
            let mut again = Vec::new();
            while let Some(data) = soon(asked.body_mut().data()).await {
                let data = data.unwrap();
                let flow = asked.body_mut().flow_control();
                flow.release_capacity(data.len()).unwrap();
                again.extend(data);
            }
            assert_eq!(again, text);
            reply.send_response(ok(), true).unwrap();
        }
        assert_eq!(soon(answer).await.unwrap().status(), status, "{length}");
    }
}

#[tokio::test]
async fn a_connection_that_goes_away_ends_its_requests_and_takes_no_more() {
    let app = App::bind().await;
    let client = chain(&app).await;
    let (old, _) = ask(&client, get(), true).await;
    let mut link = app.accept().await;
    let (_asked, mut reply) = link.request().await;
    let mut send = reply.send_response(ok(), false).unwrap();
    let mut old = soon(old).await.unwrap();
    link.order(Order::GoAway).await;
    send.send_data("half".into(), false).unwrap();
    assert_eq!(data(old.body_mut()).await, "half");
    // The connection said so before it said this.
    let (new, _) = ask(&client, post(), true).await;
    let mut another = app.accept().await;
    let (_asked, mut reply) = another.request().await;
    reply.send_response(ok(), true).unwrap();
    assert_eq!(soon(new).await.unwrap().status(), 200);
    send.send_data("whole".into(), true).unwrap();
    assert_eq!(data(old.body_mut()).await, "whole");
    assert!(soon(old.body_mut().data()).await.is_none());
    assert!(old.body().is_end_stream());
}

/// Though it has brought no answer yet.
#[tokio::test]
async fn a_young_connection_that_goes_away_is_replaced() {
    const HEADERS_OF_STREAM_1: &[u8] = b"\x01\x05\0\0\0\x01";
    let app = App::bind().await;
    let client = chain(&app).await;
    let (old, _) = ask(&client, get(), true).await;
    let (mut stream, _) = soon(app.0.accept()).await.unwrap();
    let mut heard = Vec::new();
    while !heard
        .windows(HEADERS_OF_STREAM_1.len())
        .any(|part| part == HEADERS_OF_STREAM_1)
    {
        let read = soon(stream.read_buf(&mut heard)).await.unwrap();
        assert_ne!(read, 0);
    }
    // SETTINGS, then GOAWAY with last stream 1 and NO_ERROR.
    let said = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    stream.write_all(said).await.unwrap();
    // Whether that is known before this is sent or after it.
    let (new, _) = ask(&client, post(), true).await;
    let mut another = app.accept().await;
    let (_asked, mut reply) = another.request().await;
    reply.send_response(ok(), true).unwrap();
    assert_eq!(soon(new).await.unwrap().status(), 200);
    // HEADERS with `:status: 200` and END_STREAM.
    stream
        .write_all(b"\0\0\x01\x01\x05\0\0\0\x01\x88")
        .await
        .unwrap();
    assert_eq!(soon(old).await.unwrap().status(), 200);
}

/// What comes after the last stream that a `GOAWAY` names was not seen: it goes elsewhere, as often as that may be.
#[tokio::test]
async fn what_went_away_unseen_is_sent_once_more() {
    for (times, status) in [
        (1, StatusCode::OK),
        (5, StatusCode::OK),
        (17, StatusCode::BAD_GATEWAY),
    ] {
        let app = App::bind().await;
        let client = chain(&app).await;
        let (answer, mut body) = ask(&client, post(), false).await;
        body.send_data("abc".into(), true).unwrap();
        let mut gone = Vec::new();
        for _ in 0..times {
            let (mut stream, _) = soon(app.0.accept()).await.unwrap();
            // SETTINGS, then GOAWAY with last stream 0 and NO_ERROR.
            let said = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
            stream.write_all(said).await.unwrap();
            gone.push(stream);
        }
        let mut another = None;
        if status == StatusCode::OK {
            let another = another.insert(app.accept().await);
            let (mut asked, mut reply) = another.request().await;
            assert_eq!(data(asked.body_mut()).await, "abc");
            reply.send_response(ok(), true).unwrap();
        }
        assert_eq!(soon(answer).await.unwrap().status(), status, "{times}");
    }
}

/// What it names goes on; what comes after that was not done, whatever its method, and goes elsewhere.
#[tokio::test]
async fn a_connection_that_goes_away_keeps_what_it_has_seen() {
    const HEADERS: [&[u8]; 2] = [b"\x01\x04\0\0\0\x01", b"\x01\x04\0\0\0\x03"];
    let app = App::bind().await;
    let client = chain(&app).await;
    let (seen, mut body) = ask(&client, post(), false).await;
    body.send_data("seen".into(), true).unwrap();
    let (mut stream, _) = soon(app.0.accept()).await.unwrap();
    let (unseen, mut body) = ask(&client, post(), false).await;
    body.send_data("unseen".into(), true).unwrap();
    let mut heard = Vec::new();
    let has = |heard: &[u8], part: &[u8]| heard.windows(part.len()).any(|there| there == part);
    while !HEADERS.iter().all(|part| has(&heard, part)) || !has(&heard, b"unseen") {
        let read = soon(stream.read_buf(&mut heard)).await.unwrap();
        assert_ne!(read, 0);
    }
    // SETTINGS, then GOAWAY with last stream 1 and NO_ERROR.
    let said = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    stream.write_all(said).await.unwrap();
    let mut another = app.accept().await;
    let (mut asked, mut reply) = another.request().await;
    assert_eq!(data(asked.body_mut()).await, "unseen");
    reply.send_response(ok(), true).unwrap();
    assert_eq!(soon(unseen).await.unwrap().status(), 200);
    // HEADERS with `:status: 200` and END_STREAM.
    let answer = b"\0\0\x01\x01\x05\0\0\0\x01\x88";
    stream.write_all(answer).await.unwrap();
    assert_eq!(soon(seen).await.unwrap().status(), 200);
    assert!(app.is_quiet().await);
}

#[tokio::test]
async fn a_connection_that_closed_while_it_was_idle_is_replaced() {
    let app = App::bind().await;
    let client = chain(&app).await;
    for _ in 0..3 {
        let (answer, _) = ask(&client, get(), true).await;
        let mut link = app.accept().await;
        let (_asked, mut reply) = link.request().await;
        reply.send_response(ok(), true).unwrap();
        assert_eq!(soon(answer).await.unwrap().status(), 200);
        link.order(Order::Die).await;
        link.orders.closed().await;
    }
}

/// What may have been done is sent again only if twice is as good as once.
#[tokio::test]
async fn a_connection_that_closes_on_a_request_is_replaced_where_that_is_safe() {
    for (request, status) in [(get(), StatusCode::OK), (post(), StatusCode::BAD_GATEWAY)] {
        let app = App::bind().await;
        let client = chain(&app).await;
        let (first, _) = ask(&client, get(), true).await;
        let mut link = app.accept().await;
        let (_asked, mut reply) = link.request().await;
        reply.send_response(ok(), true).unwrap();
        assert_eq!(soon(first).await.unwrap().status(), 200);
        let (second, _) = ask(&client, request, true).await;
        let _unanswered = link.request().await;
        link.order(Order::Die).await;
        let mut another = None;
        if status == StatusCode::OK {
            let another = another.insert(app.accept().await);
            let (_asked, mut reply) = another.request().await;
            reply.send_response(ok(), true).unwrap();
        }
        assert_eq!(soon(second).await.unwrap().status(), status);
        drop(another);
        assert!(app.is_quiet().await);
    }
}

#[tokio::test]
async fn an_app_of_http_1_is_told_from_one_of_http_2() {
    for (said, told) in [
        (
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            "it speaks HTTP/1.1 where HTTP/2 without TLS was expected",
        ),
        ("SSH-2.0-OpenSSH_9.9\r\n", "it speaks something else"),
        ("", "it said nothing"),
    ] {
        let app = App::bind().await;
        let request = Request::get("/").header("host", "a");
        let request = request.body(http_body_util::Empty::<Bytes>::new()).unwrap();
        let forward =
            ancm::proxy::Forward::new(app.backend().lease(), ancm::Connection::unknown(), request);
        let proxy = Proxy::new();
        let answer = tokio::spawn(async move { proxy.forward(forward).await });
        let mut wire = Wire::new(soon(app.0.accept()).await.unwrap().0);
        wire.hear("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        wire.say(said).await;
        drop(wire);
        let error = soon(answer).await.unwrap().unwrap_err();
        assert_eq!(error.status(), 502);
        let text = ancm::error::chain(&error);
        assert!(text.contains(told), "{said:?}: {text}");
        assert!(text.contains("set `protocol` to \"http/1.1\""), "{text}");
    }
}

#[tokio::test]
async fn an_app_that_does_not_answer_in_time_is_told_that_nobody_waits() {
    let app = App::bind().await;
    let options = ProxyOptions::new().request_timeout(Some(Duration::from_millis(100)));
    let proxy = Proxy::with_options(options);
    let client = client(front(proxy, app.backend()).await).await;
    let (answer, _) = ask(&client, get(), true).await;
    let mut link = app.accept().await;
    let (_asked, mut reply) = link.request().await;
    assert_eq!(soon(answer).await.unwrap().status(), 504);
    let reset = soon(poll_fn(|cx| reply.poll_reset(cx))).await.unwrap();
    assert_eq!(reset, Reason::CANCEL);
    // Within the answer it is broken off. The connection, which answers pings, goes on.
    let (answer, _) = ask(&client, get(), true).await;
    let (_asked, mut reply) = link.request().await;
    let mut send = reply.send_response(ok(), false).unwrap();
    let mut answer = soon(answer).await.unwrap();
    send.send_data("half".into(), false).unwrap();
    assert_eq!(data(answer.body_mut()).await, "half");
    let end = broken(answer.body_mut()).await;
    assert_eq!(end, Some(Reason::INTERNAL_ERROR));
}

/// Neither side is read from faster than the other one takes.
#[tokio::test]
async fn who_does_not_read_is_not_sent_to() {
    const CHUNK: usize = 16 * 1024;
    const MOST: usize = 64 * 1024 * 1024;
    let app = App::bind().await;
    let client = chain(&app).await;
    let (answer, mut up) = ask(&client, post(), false).await;
    let mut link = app.accept().await;
    let (asked, mut reply) = link.request().await;
    let mut down = reply.send_response(ok(), false).unwrap();
    let answer = soon(answer).await.unwrap();
    for stream in [&mut up, &mut down] {
        let mut sent = 0;
        loop {
            stream.reserve_capacity(CHUNK);
            let taken = poll_fn(|cx| stream.poll_capacity(cx));
            match tokio::time::timeout(Duration::from_millis(300), taken).await {
                Ok(capacity) => {
                    let capacity = capacity.unwrap().unwrap();
                    stream.send_data(vec![0; capacity].into(), false).unwrap();
                    sent += capacity;
                }
                Err(_) => break,
            }
            assert!(sent < MOST, "somebody holds {sent} bytes");
        }
        assert!(sent >= CHUNK);
    }
    drop((asked, answer));
}

#[tokio::test]
async fn a_client_of_http_1_gets_what_http_1_has() {
    let app = App::bind().await;
    let mut client = Wire::connect(front(Proxy::new(), app.backend()).await).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        .await;
    let mut link = app.accept().await;
    let (mut asked, mut reply) = link.request().await;
    assert_eq!(data(asked.body_mut()).await, "abc");
    ended(asked.body_mut()).await;
    let head = Response::builder().header("trailer", "x-sum");
    let mut send = reply.send_response(head.body(()).unwrap(), false).unwrap();
    send.send_data("out".into(), false).unwrap();
    send.send_trailers(fields(&[("x-sum", "1")])).unwrap();
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    client.hear("3\r\nout\r\n0\r\nx-sum: 1\r\n\r\n").await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        .await;
    let (mut asked, mut reply) = link.request().await;
    assert_eq!(asked.headers()["content-length"], "2");
    assert_eq!(data(asked.body_mut()).await, "hi");
    let head = Response::builder().header("content-length", "5");
    let mut send = reply.send_response(head.body(()).unwrap(), false).unwrap();
    send.send_data("hello".into(), true).unwrap();
    assert!(client.head().await.contains("content-length: 5"));
    client.hear("hello").await;
}

#[tokio::test]
async fn a_body_waits_for_the_apps_word() {
    let app = App::bind().await;
    let options = ProxyOptions::new().continue_timeout(Duration::from_secs(20));
    let address = front(Proxy::with_options(options), app.backend()).await;
    let mut client = Wire::connect(address).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await;
    let mut link = app.accept().await;
    let (mut asked, mut reply) = link.request().await;
    assert_eq!(asked.headers()["expect"], "100-continue");
    let mut interim = ok();
    *interim.status_mut() = StatusCode::CONTINUE;
    reply.send_informational(interim).unwrap();
    assert!(client.head().await.starts_with("http/1.1 100"));
    client.say("hi").await;
    assert_eq!(data(asked.body_mut()).await, "hi");
    reply.send_response(ok(), true).unwrap();
    assert!(client.head().await.starts_with("http/1.1 200"));
}
