//! How it ends.

use super::*;

#[tokio::test]
async fn drains_requests_in_flight_and_closes_the_idle_at_once() {
    let server = start(one());
    let address = server.address;
    let mut idle = server.connect().await;
    idle.send(GET).await;
    idle.response(0).await;
    let mut fresh = server.connect().await;
    let mut busy = server.connect().await;
    busy.send(WAIT).await;
    within(server.app.arrived.notified()).await;

    let app = server.app.clone();
    let ended = server.shut();
    assert_eq!(idle.rest().await, "");
    assert_eq!(fresh.rest().await, "");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    assert!(!ended.is_finished());

    app.go.notify_one();
    let said = busy.response(6).await;
    assert!(said.contains("connection: close"), "{said}");
    assert_eq!(busy.rest().await, "");
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
}

#[tokio::test]
async fn drains_http2_with_goaway() {
    let server = start(one());
    let mut h2 = server.h2().await;
    let waiting = Request::get("http://a/wait").body(Full::default()).unwrap();
    let waiting = tokio::spawn(h2.send_request(waiting));
    within(server.app.arrived.notified()).await;
    let app = server.app.clone();
    let ended = server.shut();
    // What comes after the GOAWAY is not taken any more.
    let more = || Request::get("http://a/").body(Full::default()).unwrap();
    within(async { while h2.send_request(more()).await.is_ok() {} }).await;
    assert!(!ended.is_finished());
    app.go.notify_one();
    let response = within(waiting).await.unwrap().unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "waited");
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
}

#[tokio::test]
async fn the_drain_timeout_cuts_what_is_left() {
    let server = start(one().drain_timeout(SHORT));
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    let mut tunnel = server.connect().await;
    tunnel
        .send("GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await;
    tunnel.response(0).await;
    let drained = within(server.shut()).await.unwrap().unwrap();
    assert_eq!((drained.cut_connections, drained.cut_tunnels), (1, 1));
    assert_eq!(raw.rest().await, "");
    assert_eq!(tunnel.rest().await, "");
}

#[tokio::test]
async fn a_tunnel_outlives_the_limits_and_is_waited_for() {
    let server = start(one().idle_timeout(SHORT).header_timeout(SHORT));
    let mut tunnel = server.connect().await;
    tunnel
        .send(
            "GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly",
        )
        .await;
    let said = tunnel.response(5).await;
    assert!(
        said.starts_with("HTTP/1.1 101 ") && said.ends_with("early"),
        "{said}"
    );
    tokio::time::sleep(SHORT * 3).await;
    let ended = server.shut();
    tunnel.send("late").await;
    let mut late = [0; 4];
    within(tunnel.0.read_exact(&mut late)).await.unwrap();
    assert_eq!(&late, b"late");
    assert!(!ended.is_finished());
    drop(tunnel);
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
}

/// Who connected before the end is served, though nobody had accepted it yet.
#[tokio::test]
async fn nobody_in_the_queue_is_reset() {
    for _ in 0..20 {
        let server = start(Front::new().threads(NonZeroUsize::new(2).unwrap()));
        let mut raws = Vec::new();
        for _ in 0..50 {
            let mut raw = server.connect().await;
            raw.send(GET).await;
            raws.push(raw);
        }
        let ended = server.shut();
        for raw in &mut raws {
            assert!(raw.response(0).await.starts_with("HTTP/1.1 200 "));
        }
        assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
    }
}

#[tokio::test]
async fn dropping_the_server_cuts_everything() {
    let server = start(one());
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    server.ended.abort();
    assert_eq!(raw.rest().await, "");
    within(server.app.dropped.notified()).await;
}

/// A service that is ready only when told to.
#[derive(Clone)]
struct Late {
    ready: tokio::sync::watch::Receiver<Option<Result<(), &'static str>>>,
    asked: Arc<Notify>,
}

impl tower::Service<Request<Incoming>> for Late {
    type Response = Response<Body>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = std::future::Ready<Result<Response<Body>, Self::Error>>;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.asked.notify_one();
        let mut ready = self.ready.clone();
        let told = std::pin::pin!(ready.wait_for(Option::is_some)).poll(cx);
        // The waker is kept by nobody but this future, so ask again.
        cx.waker().wake_by_ref();
        told.map(|told| Ok((*told?).unwrap()?))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        std::future::ready(Ok(text("late")))
    }
}

#[tokio::test]
async fn waits_for_a_service_that_is_not_ready() {
    for (told, want) in [(Ok(()), "late"), (Err("no"), "")] {
        for early in [false, true] {
            let (tell, ready) = tokio::sync::watch::channel(None);
            let asked = Arc::new(Notify::new());
            let late = Late {
                ready,
                asked: asked.clone(),
            };
            let bound = one().bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
            let address = bound.local_addresses()[0];
            let (_stop, stopped) = oneshot::channel::<()>();
            tokio::spawn(bound.serve(move |_| late.clone(), async { stopped.await.unwrap() }));
            if early {
                tell.send(Some(told)).unwrap();
            }
            let mut raw = Raw::to(address).await;
            raw.send("GET / HTTP/1.0\r\n\r\n").await;
            within(asked.notified()).await;
            if !early {
                within(asked.notified()).await;
                tell.send(Some(told)).unwrap();
            }
            assert!(raw.rest().await.ends_with(want));
        }
    }
}
