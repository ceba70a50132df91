//! The stop protocol against a real listener, in real time.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
    time::{Instant, timeout},
};

use super::fakes::{Fake, Fakes, Plan, builder, config, run};
use crate::{config::Config, supervisor::Supervisor};

/// Long enough for a slow machine, where nothing is to wait for it.
const PLENTY: Duration = Duration::from_secs(20);

fn limited(limit: Duration) -> Config {
    let mut config = config();
    config.shutdown_time_limit = limit;
    config
}

/// A running app, whose listener gives what it reads to the test.
async fn running(config: Config) -> (Supervisor, Fake, TcpListener) {
    let fakes = Fakes::new(&[]);
    let supervisor = run(builder(config), &fakes);
    drop(supervisor.lease().await.unwrap());
    let fake = fakes.get(0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, fake.port)).await;
    (supervisor, fake, listener.unwrap())
}

/// Answers each request with `answer`, then does what `then` says; gives the requests' heads.
fn serve(
    listener: TcpListener,
    answer: &'static str,
    then: impl Fn() + Send + 'static,
) -> mpsc::Receiver<String> {
    let (heads, receiver) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            heads.send(String::from_utf8(head).unwrap()).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            then();
        }
    });
    receiver
}

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn the_app_is_asked_with_its_token_and_gets_no_signal() {
    let mut config = limited(PLENTY);
    config.path_base = "/shop".parse().unwrap();
    let (supervisor, fake, listener) = running(config).await;
    let app = fake.clone();
    let mut heads = serve(listener, ACCEPTED, move || app.exit(0));
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    let head = heads.recv().await.unwrap().to_ascii_lowercase();
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    lines.sort_unstable();
    let mut want = [
        "post /shop/iisintegration http/1.1".to_owned(),
        format!("host: 127.0.0.1:{}", fake.port),
        "content-length: 0".to_owned(),
        "ms-aspnetcore-event: shutdown".to_owned(),
        format!("ms-aspnetcore-token: {}", fake.token),
    ];
    want.sort();
    assert_eq!(lines, want);
    assert_eq!((fake.terminations(), fake.kills()), (0, 0));
}

#[tokio::test]
async fn an_app_whose_launcher_is_gone_is_asked_too() {
    let fakes = Fakes::new(&[Plan::Launcher]);
    let supervisor = run(builder(limited(PLENTY)), &fakes);
    drop(supervisor.lease().await.unwrap());
    let fake = fakes.get(0);
    fake.leave_descendant();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, fake.port)).await;
    let app = fake.clone();
    let mut heads = serve(listener.unwrap(), ACCEPTED, move || app.deafen());
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert!(heads.recv().await.unwrap().starts_with("POST "));
    assert_eq!(fake.kills(), 0);
}

#[tokio::test]
async fn no_limit_is_too_long() {
    let config = limited(Duration::MAX);
    let fakes = Fakes::new(&[]);
    let endless = builder(config)
        .drain_limit(Duration::MAX)
        .queue_time(Duration::MAX);
    let supervisor = run(endless.queue_limit(usize::MAX), &fakes);
    drop(supervisor.lease().await.unwrap());
    timeout(PLENTY, supervisor.restart())
        .await
        .unwrap()
        .unwrap();
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert_eq!(fakes.alive(), 0);
}

#[tokio::test]
async fn an_app_that_does_not_know_the_event_gets_the_signal() {
    let (supervisor, fake, listener) = running(limited(PLENTY)).await;
    let _heads = serve(listener, NOT_FOUND, || {});
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert_eq!((fake.terminations(), fake.kills()), (1, 0));
}

#[tokio::test]
async fn an_app_that_answers_no_http_gets_the_signal() {
    let (supervisor, fake, listener) = running(limited(PLENTY)).await;
    let _heads = serve(listener, "nonsense\r\n\r\n", || {});
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert_eq!((fake.terminations(), fake.kills()), (1, 0));
}

#[tokio::test]
async fn an_app_whose_port_is_closed_gets_the_signal() {
    let (supervisor, fake, listener) = running(limited(PLENTY)).await;
    drop(listener);
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert_eq!((fake.terminations(), fake.kills()), (1, 0));
}

#[tokio::test]
async fn an_app_that_does_not_answer_gets_the_signal_after_half_of_its_time() {
    let (supervisor, fake, _listener) = running(limited(Duration::from_millis(600))).await;
    let begin = Instant::now();
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!((fake.terminations(), fake.kills()), (1, 0));
}

#[tokio::test]
async fn an_app_that_accepts_and_stays_is_killed_at_its_limit() {
    let (supervisor, fake, listener) = running(limited(Duration::from_millis(400))).await;
    let _heads = serve(listener, ACCEPTED, || {});
    let begin = Instant::now();
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(400));
    assert_eq!((fake.terminations(), fake.kills()), (0, 1));
}

#[tokio::test]
async fn an_app_that_ignores_the_signal_is_killed_at_its_limit() {
    let (supervisor, fake, listener) = running(limited(Duration::from_millis(400))).await;
    drop(listener);
    fake.disobey();
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert_eq!((fake.terminations(), fake.kills()), (1, 1));
}

#[tokio::test]
async fn a_limit_of_zero_kills_at_once() {
    let (supervisor, fake, listener) = running(limited(Duration::ZERO)).await;
    let mut heads = serve(listener, ACCEPTED, || {});
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert_eq!((fake.terminations(), fake.kills()), (0, 1));
    assert!(heads.try_recv().is_err());
}

#[tokio::test]
async fn a_stranger_on_the_port_never_sees_the_token() {
    let (supervisor, fake, listener) = running(limited(PLENTY)).await;
    let mut heads = serve(listener, ACCEPTED, || {});
    // The app closed its port, and somebody else took it.
    fake.deafen();
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert_eq!((fake.terminations(), fake.kills()), (1, 0));
    assert_eq!(heads.recv().await.unwrap(), "");
}

#[tokio::test]
async fn requests_under_way_do_not_keep_a_stop_from_being_told() {
    let (supervisor, fake, listener) = running(limited(PLENTY)).await;
    let lease = Arc::new(supervisor.try_lease().unwrap());
    let app = fake.clone();
    let held = Arc::clone(&lease);
    let mut heads = serve(listener, ACCEPTED, move || {
        assert_eq!(held.backend().in_flight(), 1);
        app.exit(0);
    });
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert!(heads.recv().await.is_some());
    assert!(supervisor.try_lease().is_none());
}

#[tokio::test]
async fn an_app_that_crashes_while_it_stops_is_not_started_again() {
    let (supervisor, fake, listener) = running(limited(PLENTY)).await;
    let app = fake.clone();
    let _heads = serve(listener, NOT_FOUND, move || app.exit(139));
    timeout(PLENTY, supervisor.stop()).await.unwrap();
    assert_eq!(supervisor.status().states, ["idle"]);
    assert_eq!(supervisor.status().failures, 0);
}
