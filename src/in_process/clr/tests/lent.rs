//! The boundary behind a front of one thread, which it lends: whoever blocks it must not hold the others.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Condvar, Mutex},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

use super::{
    super::{abi, service::Service},
    mock,
};
use crate::front::Front;

/// How long anything may take here before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A front of `service`, until the sender is dropped.
fn front(service: Service) -> (SocketAddr, oneshot::Sender<()>) {
    let front = Front::new().threads(NonZeroUsize::MIN).lend_threads(true);
    let bound = front.bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    let address = bound.local_addresses()[0];
    let (stop, stopped) = oneshot::channel();
    let make = move |connection| service.for_connection(connection);
    tokio::spawn(bound.serve(make, async { drop(stopped.await) }));
    (address, stop)
}

/// Says `text` on a connection of its own, and hears all that is answered.
async fn ask(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    hear(&mut stream).await
}

async fn hear(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let heard = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, heard)
        .await
        .unwrap()
        .unwrap();
    String::from_utf8(answer).unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: me\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn the_app_runs_on_the_thread_that_read_its_request() {
    let (_, service) = mock::app("/where", |call| {
        let here = thread::current().name() == Some("ancm-lent");
        assert_eq!(call.flags, if here { abi::RUN_HERE } else { 0 });
        call.answer(if here { "here" } else { "elsewhere" });
    });
    let (address, _stop) = front(service);
    // On a machine that is busy, a thread may look like one that is kept, and is not lent for a while.
    let asked = async { while !ask(address, &get("/where")).await.ends_with("\r\n\r\nhere") {} };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
}

#[tokio::test]
async fn an_app_that_blocks_holds_no_other_connection() {
    static ASKED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
    let (_, service) = mock::app("/waits", |call| {
        let (asked, changed) = &ASKED;
        let all = changed.wait_timeout_while(asked.lock().unwrap(), PATIENCE, |asked| !*asked);
        call.answer(if all.unwrap().1.timed_out() {
            "alone"
        } else {
            "asked"
        });
    });
    let (_, other) = mock::app("/asks", |call| {
        *ASKED.0.lock().unwrap() = true;
        ASKED.1.notify_all();
        call.answer("so");
    });
    drop(other);
    let (address, _stop) = front(service);
    let waits = tokio::spawn(async move { ask(address, &get("/waits")).await });
    while !ask(address, &get("/asks")).await.ends_with("so") {}
    assert!(waits.await.unwrap().ends_with("asked"));
}

#[tokio::test]
async fn an_app_may_wait_on_its_thread_for_what_that_has_to_bring() {
    let (_, service) = mock::app("/echo-here", |call| {
        let body = call.read_to_end().unwrap();
        assert_eq!(call.start(200, &[], b"", false), abi::OK);
        for _ in 0..100 {
            assert_eq!(call.write_all(&body), abi::OK);
        }
        assert_eq!(call.write(b"end", true), abi::OK);
    });
    let (address, _stop) = front(service);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /echo-here HTTP/1.0\r\nContent-Length: 20000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // Only once the app waits for it.
    tokio::time::sleep(Duration::from_millis(20)).await;
    stream.write_all(&[b'x'; 20_000]).await.unwrap();
    let answer = hear(&mut stream).await;
    assert_eq!(answer.matches('x').count(), 2_000_000);
    assert!(answer.ends_with("end"));
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_though_the_app_keeps_the_thread() {
    static NOTICED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
    let (native, service) = mock::app("/keeps", |call| {
        call.aborted();
        *NOTICED.0.lock().unwrap() = true;
        NOTICED.1.notify_all();
    });
    let (address, _stop) = front(service);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(get("/keeps").as_bytes()).await.unwrap();
    while native.open_requests() == 0 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let noticed = tokio::task::spawn_blocking(|| {
        let (noticed, changed) = &NOTICED;
        let all =
            changed.wait_timeout_while(noticed.lock().unwrap(), PATIENCE, |noticed| !*noticed);
        !all.unwrap().1.timed_out()
    });
    assert!(noticed.await.unwrap());
}
