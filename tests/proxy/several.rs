//! An app at several addresses, or behind a name.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ancm::{
    Connection, Host,
    proxy::{
        Address, Backends, BalancedLayer, Destination, Forward, HealthCheck, Protocol, Proxy,
        ProxyOptions,
    },
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};
use tower::{Layer, ServiceExt};

use crate::support::{soon, until};

/// An app that answers with its own number, and `/health` as it is told.
struct App {
    address: SocketAddr,
    well: Arc<AtomicBool>,
    checks: Arc<AtomicUsize>,
    serving: JoinSet<()>,
}

impl App {
    async fn start() -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn at(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let (well, checks) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let mut serving = JoinSet::new();
        let told = (Arc::clone(&well), Arc::clone(&checks));
        serving.spawn(serve(listener, told));
        Self {
            address,
            well,
            checks,
            serving,
        }
    }

    /// Stops listening, and cuts every connection.
    async fn stop(&mut self) {
        self.serving.shutdown().await;
    }

    /// Listens again at the same address.
    async fn resume(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let told = (Arc::clone(&self.well), Arc::clone(&self.checks));
        self.serving.spawn(serve(listener, told));
    }

    fn destination(&self) -> Destination {
        Destination::Tcp(self.address)
    }
}

async fn serve(listener: TcpListener, told: (Arc<AtomicBool>, Arc<AtomicUsize>)) {
    let port = listener.local_addr().unwrap().port();
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let told = told.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let (well, checks) = told.clone();
            async move {
                let status = match request.uri().path() {
                    "/health" => {
                        checks.fetch_add(1, Ordering::SeqCst);
                        match well.load(Ordering::SeqCst) {
                            true => StatusCode::NO_CONTENT,
                            false => StatusCode::SERVICE_UNAVAILABLE,
                        }
                    }
                    _ => StatusCode::OK,
                };
                let body = Full::<Bytes>::from(port.to_string());
                Response::builder().status(status).body(body)
            }
        });
        connections.spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

fn group(apps: &[&App], check: HealthCheck) -> Backends {
    let to = apps.iter().map(|app| app.destination());
    Backends::builder(to).health_check(check).build().unwrap()
}

fn often() -> HealthCheck {
    HealthCheck::new()
        .path("/health")
        .interval(Duration::from_millis(5))
        .rise(1)
        .fall(2)
}

/// The status and text of an answer.
async fn get(host: &Host) -> (StatusCode, String) {
    let request = Request::get("/").header("host", "a");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let answer = soon(host.clone().oneshot(request)).await.unwrap();
    let status = answer.status();
    let body = soon(answer.into_body().collect()).await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// How many of `count` requests each port answered.
async fn shares(host: &Host, count: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..count {
        let (status, port) = get(host).await;
        assert_eq!(status, 200, "{port}");
        *shares.entry(port).or_default() += 1;
    }
    shares
}

fn state(backends: &Backends, app: &App) -> &'static str {
    let address = app.address.to_string();
    let all = backends.status();
    let one = all
        .iter()
        .find(|one| one.address.as_deref() == Some(&address));
    one.map_or("unknown", |one| one.state)
}

#[tokio::test]
async fn every_address_gets_its_share() {
    let apps = [App::start().await, App::start().await, App::start().await];
    let backends = group(&apps.each_ref(), HealthCheck::new());
    let host = Host::to_backends(backends.clone(), ProxyOptions::new());
    let shares = shares(&host, 300).await;
    assert_eq!(shares.len(), 3, "{shares:?}");
    assert!(shares.values().all(|share| *share > 50), "{shares:?}");
    let total: u32 = backends.status().iter().map(|one| one.requests).sum();
    assert_eq!((total, backends.in_flight()), (300, 0));
}

#[tokio::test]
async fn who_has_requests_gets_fewer() {
    let apps = [App::start().await, App::start().await];
    let backends = group(&apps.each_ref(), HealthCheck::new());
    let busy = backends.try_lease().unwrap();
    for _ in 0..20 {
        let other = backends.try_lease().unwrap();
        assert_ne!(other.backend().address(), busy.backend().address());
    }
}

#[tokio::test]
async fn a_request_whose_address_is_gone_goes_to_another_one() {
    let mut gone = App::start().await;
    let stays = App::start().await;
    let backends = group(&[&gone, &stays], HealthCheck::new());
    gone.stop().await;
    let host = Host::to_backends(backends.clone(), ProxyOptions::new());
    let port = stays.address.port().to_string();
    assert_eq!(shares(&host, 50).await, BTreeMap::from([(port, 50)]));
    assert_eq!(state(&backends, &gone), "down");
    // It comes back by itself, without a request that would find out.
    gone.resume().await;
    until("it is up", || state(&backends, &gone) == "up").await;
    assert_eq!(shares(&host, 100).await.len(), 2);
}

/// Elsewhere, a full queue refuses.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_hangs_is_left_alone() {
    // A full queue of connections takes no more of them, and says nothing.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let hangs = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = tokio::time::timeout(
        Duration::from_millis(200),
        tokio::net::TcpStream::connect(hangs),
    )
    .await
    {
        queued.push(connected.unwrap());
        assert!(queued.len() < 100, "the queue is full at some time");
    }
    let well = App::start().await;
    let to = [Destination::Tcp(hangs), well.destination()];
    let check = HealthCheck::new().timeout(Duration::from_millis(100));
    let backends = Backends::builder(to).health_check(check).build().unwrap();
    let options = ProxyOptions::new().connect_timeout(Duration::from_millis(100));
    let host = Host::to_backends(backends.clone(), options);
    let port = well.address.port().to_string();
    assert_eq!(shares(&host, 30).await, BTreeMap::from([(port, 30)]));
}

#[tokio::test]
async fn where_all_are_down_requests_are_told_so_until_one_is_up() {
    let mut apps = [App::start().await, App::start().await];
    let backends = group(&apps.each_ref(), HealthCheck::new());
    let host = Host::to_backends(backends.clone(), ProxyOptions::new());
    for app in &mut apps {
        app.stop().await;
    }
    // The first to find out have tried every one.
    assert_eq!(get(&host).await.0, 502);
    let error = backends.lease().await.unwrap_err();
    assert_eq!(error.status(), 503);
    let told = ancm::error::chain(&error);
    for app in &apps {
        assert!(told.contains(&app.address.to_string()), "{told}");
    }
    assert!(told.contains("refused"), "{told}");
    let request = Request::get("/").header("host", "a");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let answer = host.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    apps[1].resume().await;
    until("it is up", || state(&backends, &apps[1]) == "up").await;
    assert_eq!(get(&host).await.0, 200);
}

#[tokio::test]
async fn the_first_check_is_made_at_once() {
    let apps = [App::start().await, App::start().await];
    let check = HealthCheck::new()
        .interval(Duration::from_secs(3600))
        .path("/health");
    let backends = group(&[&apps[0]], check.clone());
    until("the first is checked", || count(&apps[0]) == 1).await;
    reconfigured(&backends, &apps.each_ref(), &check);
    until("the second, too", || count(&apps[1]) == 1).await;
}

fn count(app: &App) -> usize {
    app.checks.load(Ordering::Relaxed)
}

#[tokio::test]
async fn an_address_that_fails_its_checks_gets_no_requests() {
    for protocol in [Protocol::Http1, Protocol::H2c] {
        let (ill, well) = (App::start().await, App::start().await);
        let to = [ill.destination(), well.destination()];
        let backends = Backends::builder(to)
            .protocol(protocol)
            .health_check(often())
            .build()
            .unwrap();
        let host = Host::to_backends(backends.clone(), ProxyOptions::new());
        until("it was checked", || ill.checks.load(Ordering::SeqCst) > 2).await;
        assert_eq!(state(&backends, &ill), "up");
        ill.well.store(false, Ordering::SeqCst);
        until("it is down", || state(&backends, &ill) == "down").await;
        let status = backends.status();
        let cause = status.iter().find_map(|one| one.cause.clone());
        assert_eq!(
            cause.as_deref(),
            Some("it answered the health check with 503")
        );
        let port = well.address.port().to_string();
        assert_eq!(shares(&host, 30).await, BTreeMap::from([(port, 30)]));
        ill.well.store(true, Ordering::SeqCst);
        until("it is up", || state(&backends, &ill) == "up").await;
        assert_eq!(shares(&host, 100).await.len(), 2);
    }
}

#[tokio::test]
async fn what_is_under_way_goes_on_when_its_address_is_down() {
    let (release, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (let_go, tell) = (Arc::clone(&release), Arc::clone(&begun));
    tokio::spawn(async move {
        // One request; nobody listens after it.
        let (stream, _) = listener.accept().await.unwrap();
        drop(listener);
        let answer = service_fn(move |_: Request<Incoming>| {
            let (let_go, tell) = (Arc::clone(&let_go), Arc::clone(&tell));
            async move {
                tell.notify_one();
                let_go.notified().await;
                Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("late")))
            }
        });
        let server = auto::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), answer).await;
    });
    let check = HealthCheck::new();
    let to = [Destination::Tcp(address)];
    let backends = Backends::builder(to).health_check(check).build().unwrap();
    let host = Host::to_backends(backends.clone(), ProxyOptions::new());
    let slow = host.clone();
    let slow = tokio::spawn(async move { get(&slow).await });
    soon(begun.notified()).await;
    assert_eq!(get(&host).await.0, 502);
    until("it is down", || backends.status()[0].state == "down").await;
    assert_eq!(backends.in_flight(), 1);
    release.notify_one();
    assert_eq!(
        soon(slow).await.unwrap(),
        (StatusCode::OK, "late".to_owned())
    );
}

#[tokio::test]
async fn a_name_is_all_of_its_addresses() {
    let app = App::start().await;
    // `localhost.` has a point, so that it is looked up as any name; both of its addresses may be there.
    let to = Destination::Name {
        host: "localhost".to_owned(),
        port: app.address.port(),
    };
    let backends = Backends::builder([to]).build().unwrap();
    let host = Host::to_backends(backends.clone(), ProxyOptions::new());
    // The first request waits for the name.
    let port = app.address.port().to_string();
    assert_eq!(get(&host).await, (StatusCode::OK, port));
    let status = backends.status();
    assert!(status.iter().all(|one| one.name.starts_with("localhost:")));
    let address = app.address.to_string();
    assert!(
        status
            .iter()
            .any(|one| one.address.as_deref() == Some(&address))
    );
}

#[tokio::test]
async fn a_name_that_can_not_be_resolved_is_told_and_no_error() {
    let name = Destination::Name {
        // RFC 6761, 6.4: nobody has it.
        host: "app.invalid".to_owned(),
        port: 80,
    };
    let app = App::start().await;
    let only = Backends::builder([name.clone()]).build().unwrap();
    let error = soon(only.lease()).await.unwrap_err();
    assert_eq!(error.status(), 503);
    assert!(ancm::error::chain(&error).contains("app.invalid:80"));
    let status = only.status();
    assert_eq!(status.len(), 1);
    assert_eq!((status[0].state, &status[0].address), ("unresolved", &None));
    assert!(status[0].cause.is_some());
    // With another one beside it, nobody waits for it.
    let both = Backends::builder([name, app.destination()])
        .build()
        .unwrap();
    let host = Host::to_backends(both, ProxyOptions::new());
    assert_eq!(get(&host).await.0, 200);
}

#[tokio::test]
async fn an_address_of_ipv6_is_one_like_others() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        eprintln!("not shown: this machine has no IPv6");
        return;
    };
    let app = App::at(listener);
    let backends = group(&[&app], often());
    let host = Host::to_backends(backends, ProxyOptions::new());
    assert_eq!(get(&host).await.0, 200);
}

#[tokio::test]
async fn it_is_a_layer_like_others() {
    let app = App::start().await;
    let backends = group(&[&app], HealthCheck::new());
    let service = BalancedLayer::new(backends.clone()).layer(Proxy::new());
    let service = service.for_connection(Connection::unknown());
    let request = Request::get("/").header("host", "a");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let answer = soon(service.oneshot(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    // Or by hand.
    let lease = backends.lease().await.unwrap();
    assert_eq!(*lease.backend().address(), Address::Tcp(app.address));
    let request = Request::get("/").header("host", "a");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let forward = Forward::new(lease, Connection::unknown(), request);
    assert_eq!(
        soon(Proxy::new().forward(forward)).await.unwrap().status(),
        200
    );
}

/// What looks after the addresses ends with the last handle.
#[tokio::test]
async fn nobody_is_asked_any_more_when_all_are_gone() {
    let app = App::start().await;
    let backends = group(&[&app], often());
    until("it is checked", || app.checks.load(Ordering::SeqCst) > 2).await;
    drop(backends);
    let mut before = usize::MAX;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        let now = app.checks.load(Ordering::SeqCst);
        if now == before {
            return;
        }
        before = now;
    }
    panic!("it is still checked");
}

fn reconfigured(backends: &Backends, apps: &[&App], check: &HealthCheck) {
    let to: Vec<_> = apps.iter().map(|app| app.destination()).collect();
    backends
        .reconfigure(&to, check, Protocol::Http1)
        .expect("within a runtime");
}

#[tokio::test]
async fn other_addresses_are_taken_while_the_old_ones_finish() {
    let (goes, stays, comes) = (App::start().await, App::start().await, App::start().await);
    let check = HealthCheck::new();
    let backends = group(&[&goes, &stays], check.clone());
    let host = Host::to_backends(backends.clone(), ProxyOptions::new());
    shares(&host, 20).await;
    let before = backends.status();
    let mut late = Vec::new();
    while !late
        .iter()
        .any(|lease: &ancm::proxy::Lease| *lease.backend().address() == Address::Tcp(goes.address))
    {
        late.push(backends.try_lease().unwrap());
    }
    reconfigured(&backends, &[&stays, &comes], &check);
    // What had begun goes on where it was.
    let lease = late.pop().unwrap();
    let request = Request::get("/").header("host", "a");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let forward = Forward::new(lease, Connection::unknown(), request);
    let answer = soon(Proxy::new().forward(forward)).await.unwrap();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, goes.address.port().to_string());
    drop(late);
    // What comes now goes to the new ones, of which one is an old one and known as such.
    let ports = shares(&host, 100).await;
    let new: Vec<_> = [&stays, &comes]
        .map(|app| app.address.port().to_string())
        .into();
    assert!(ports.len() == 2 && new.iter().all(|port| ports.contains_key(port)));
    assert_eq!(state(&backends, &goes), "unknown");
    let requests = |status: &[ancm::proxy::BackendStatus]| {
        let address = stays.address.to_string();
        let mut all = status.iter();
        let one = all.find(|one| one.address.as_deref() == Some(&address));
        one.unwrap().requests
    };
    let share = u32::try_from(ports[&stays.address.port().to_string()]).unwrap();
    assert!(requests(&backends.status()) >= requests(&before) + share);
}

#[tokio::test]
async fn no_request_is_lost_over_other_addresses() {
    let apps = [App::start().await, App::start().await, App::start().await];
    let [a, b, c] = apps.each_ref();
    let check = HealthCheck::new();
    let backends = group(&[a], check.clone());
    let host = Host::to_backends(backends.clone(), ProxyOptions::new());
    let (answered, done) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let (host, answered, done) = (host.clone(), Arc::clone(&answered), Arc::clone(&done));
        clients.spawn(async move {
            while !done.load(Ordering::SeqCst) {
                let (status, why) = get(&host).await;
                assert_eq!(status, 200, "{why}");
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for to in [&[b][..], &[a, b], &[c], &[a], &[b, c], &[c, a, b]].repeat(5) {
        reconfigured(&backends, to, &check);
        let before = answered.load(Ordering::SeqCst);
        until("requests pass", || {
            answered.load(Ordering::SeqCst) >= before + 8
        })
        .await;
    }
    // A name has no address yet when it is taken, and is waited for.
    let name = Destination::Name {
        host: "localhost".to_owned(),
        port: a.address.port(),
    };
    backends
        .reconfigure(&[name], &check, Protocol::Http1)
        .unwrap();
    let before = answered.load(Ordering::SeqCst);
    until("requests pass", || {
        answered.load(Ordering::SeqCst) >= before + 8
    })
    .await;
    reconfigured(&backends, &[b], &check);
    assert_eq!(backends.status().len(), 1);
    done.store(true, Ordering::SeqCst);
    while let Some(client) = soon(clients.join_next()).await {
        client.unwrap();
    }
}

#[tokio::test]
async fn other_checks_and_another_protocol_are_taken() {
    let (ill, well) = (App::start().await, App::start().await);
    ill.well.store(false, Ordering::SeqCst);
    let backends = group(&[&ill, &well], HealthCheck::new());
    let host = Host::to_backends(backends.clone(), ProxyOptions::new());
    assert_eq!(shares(&host, 100).await.len(), 2);
    reconfigured(&backends, &[&ill, &well], &often());
    until("it is down", || state(&backends, &ill) == "down").await;
    let to = [ill.destination(), well.destination()];
    backends
        .reconfigure(&to, &HealthCheck::new(), Protocol::H2c)
        .unwrap();
    assert_eq!(
        backends.lease().await.unwrap().backend().protocol(),
        Protocol::H2c
    );
    assert_eq!(shares(&host, 100).await.len(), 2);
}
