//! How many connections there may be to an app, and who waits for one.

use std::{
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Barrier},
    time::Duration,
};

use ancm::{
    Connection,
    error::Error,
    proxy::{Backend, Body, Forward, Proxy, ProxyOptions},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use tokio::task::{JoinHandle, spawn};

use crate::{
    h2c,
    support::{App, Wire, front, soon},
    upgrade::{SWITCH, UPGRADE},
};

type Answer = Result<Response<Body>, Error>;

fn options(connections: usize) -> ProxyOptions {
    ProxyOptions::new().app_connections(NonZeroUsize::new(connections))
}

/// A request that has its place in the queue, or whatever it gets, when this returns.
async fn ask(proxy: &Proxy, backend: &Backend, path: &str) -> JoinHandle<Answer> {
    let request = Request::get(path).header("host", "a");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let forward = Forward::new(backend.lease(), Connection::default(), request);
    let mut answer: Pin<Box<dyn Future<Output = Answer> + Send>> = Box::pin(proxy.forward(forward));
    let first = futures_util::poll!(&mut answer);
    spawn(async move {
        match first {
            std::task::Poll::Ready(answer) => answer,
            std::task::Poll::Pending => answer.await,
        }
    })
}

async fn whole(answer: JoinHandle<Answer>) -> Bytes {
    let answer = soon(answer).await.unwrap().unwrap();
    soon(answer.into_body().collect()).await.unwrap().to_bytes()
}

async fn refused(answer: JoinHandle<Answer>) -> Error {
    soon(answer).await.unwrap().unwrap_err()
}

/// Answers a request for `path` with its name.
async fn answer(wire: &mut Wire, path: &str) {
    let head = wire.head().await;
    assert!(head.starts_with(&format!("get {path} ")), "{head}");
    let length = path.len();
    wire.say(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{path}"
    ))
    .await;
}

#[tokio::test]
async fn requests_beyond_the_limit_go_one_after_the_other_on_the_connections_there_are() {
    let app = App::bind().await;
    let (proxy, backend) = (Proxy::with_options(options(2)), app.backend());
    let one = ask(&proxy, &backend, "/1").await;
    let mut first = app.accept().await;
    let two = ask(&proxy, &backend, "/2").await;
    let mut second = app.accept().await;
    let others = [
        ask(&proxy, &backend, "/3").await,
        ask(&proxy, &backend, "/4").await,
        ask(&proxy, &backend, "/5").await,
    ];
    assert!(app.is_quiet().await, "no third connection");
    let [three, four, five] = others;
    answer(&mut first, "/1").await;
    assert_eq!(whole(one).await, "/1");
    answer(&mut first, "/3").await;
    assert_eq!(whole(three).await, "/3");
    answer(&mut second, "/2").await;
    assert_eq!(whole(two).await, "/2");
    // Whoever of them is served first has its connection.
    answer(&mut first, "/4").await;
    answer(&mut second, "/5").await;
    assert_eq!(whole(four).await, "/4");
    assert_eq!(whole(five).await, "/5");
    assert!(app.is_quiet().await);
}

#[tokio::test]
async fn an_app_that_closes_makes_room_for_the_next_connection() {
    let app = App::bind().await;
    let (proxy, backend) = (Proxy::with_options(options(1)), app.backend());
    let one = ask(&proxy, &backend, "/1").await;
    let mut wire = app.accept().await;
    let two = ask(&proxy, &backend, "/2").await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n/1")
        .await;
    assert_eq!(whole(one).await, "/1");
    let mut wire = app.accept().await;
    answer(&mut wire, "/2").await;
    assert_eq!(whole(two).await, "/2");
    // One that breaks off, too.
    let three = ask(&proxy, &backend, "/3").await;
    let four = ask(&proxy, &backend, "/4").await;
    wire.head().await;
    wire.say("HTTP/1.1 ???\r\n\r\n").await;
    assert_eq!(refused(three).await.status(), StatusCode::BAD_GATEWAY);
    answer(&mut app.accept().await, "/4").await;
    assert_eq!(whole(four).await, "/4");
}

#[tokio::test]
async fn the_queue_has_an_end_and_a_wait_too() {
    let app = App::bind().await;
    let options = options(1).connection_queue_limit(1);
    let proxy = Proxy::with_options(options.clone());
    let hasty = options.connection_queue_time(Some(Duration::from_millis(50)));
    let hasty = Proxy::with_options(hasty);
    let backend = app.backend();
    let one = ask(&proxy, &backend, "/1").await;
    let mut wire = app.accept().await;
    let late = ask(&hasty, &backend, "/late").await;
    let full = refused(ask(&proxy, &backend, "/full").await).await;
    let late = refused(late).await;
    for (error, why) in [(full, "too many"), (late, "none became free")] {
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(error.is_transient(), "there is a Retry-After");
        assert!(error.to_string().contains(why), "{error}");
    }
    // A client that leaves makes room in the queue, and is not asked for.
    ask(&proxy, &backend, "/left").await.abort();
    tokio::task::yield_now().await;
    let two = ask(&proxy, &backend, "/2").await;
    answer(&mut wire, "/1").await;
    assert_eq!(whole(one).await, "/1");
    answer(&mut wire, "/2").await;
    assert_eq!(whole(two).await, "/2");
}

#[tokio::test]
async fn a_tunnel_holds_a_connection_until_it_ends() {
    let app = App::bind().await;
    let (proxy, backend) = (Proxy::with_options(options(1)), app.backend());
    let mut client = Wire::connect(front(proxy.clone(), backend.clone()).await).await;
    client.say(UPGRADE).await;
    let mut tunnel = app.accept().await;
    tunnel.head().await;
    tunnel.say(SWITCH).await;
    client.head().await;
    let waits = ask(&proxy, &backend, "/waits").await;
    assert!(app.is_quiet().await);
    client.say("x").await;
    assert_eq!(tunnel.exactly(1).await, b"x");
    drop((client, tunnel));
    answer(&mut app.accept().await, "/waits").await;
    assert_eq!(whole(waits).await, "/waits");
}

/// A connection that another thread left idle is used, even where that thread is gone. Where it can't be taken over, it is
/// closed for another one.
#[tokio::test]
async fn what_another_thread_left_idle_takes_no_room() {
    for stays in [true, false] {
        let app = App::bind().await;
        let (proxy, backend) = (Proxy::with_options(options(1)), app.backend());
        let (end, until) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn({
            let (proxy, backend) = (proxy.clone(), backend.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.enable_all().build().unwrap();
                runtime.block_on(async {
                    let answer = ask(&proxy, &backend, "/there").await;
                    assert_eq!(whole(answer).await, "/there");
                    if stays {
                        let _ = until.await;
                    }
                });
            }
        });
        let mut wire = app.accept().await;
        answer(&mut wire, "/there").await;
        if stays {
            // The answer is with the other thread when it has come there.
            soon(backend.drained()).await;
        } else {
            tokio::task::spawn_blocking(|| thread.join().unwrap())
                .await
                .unwrap();
        }
        let here = ask(&proxy, &backend, "/here").await;
        if cfg!(unix) {
            answer(&mut wire, "/here").await;
        } else {
            answer(&mut app.accept().await, "/here").await;
        }
        assert_eq!(whole(here).await, "/here");
        drop(end);
    }
}

/// Whoever waits for a process that is gone hears so, and not only when its time is over.
#[tokio::test]
async fn nobody_waits_for_an_app_that_takes_no_connections() {
    let app = App::bind().await;
    let (proxy, backend) = (Proxy::with_options(options(1)), app.backend());
    let one = ask(&proxy, &backend, "/1").await;
    let waits = [
        ask(&proxy, &backend, "/2").await,
        ask(&proxy, &backend, "/3").await,
    ];
    let wire = app.accept().await;
    drop(app);
    drop(wire);
    assert_eq!(refused(one).await.status(), StatusCode::BAD_GATEWAY);
    for one in waits {
        assert_eq!(refused(one).await.status(), StatusCode::BAD_GATEWAY);
    }
}

/// Each thread has connections of its own, but for where there may be no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_share_the_only_connection_of_http2() {
    let app = h2c::App::bind().await;
    let (proxy, backend) = (Proxy::with_options(options(1)), app.backend());
    let all_are_here = Arc::new(Barrier::new(4));
    let asked: Vec<_> = (0..4)
        .map(|_| {
            let (proxy, backend, all) = (proxy.clone(), backend.clone(), all_are_here.clone());
            spawn(async move {
                // Keeps its thread, so that each is another's.
                all.wait();
                ask(&proxy, &backend, "/").await.await.unwrap()
            })
        })
        .collect();
    let mut link = app.accept().await;
    for _ in 0..4 {
        let (_, mut respond) = link.request().await;
        respond.send_response(Response::new(()), true).unwrap();
    }
    for answer in asked {
        assert_eq!(soon(answer).await.unwrap().unwrap().status(), 200);
    }
    assert!(app.is_quiet().await, "no second connection");
}
