//! Probe and warm-up against a real listener, in real time.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
};

use super::fakes::{Fakes, Plan, builder, config, run};
use crate::{error::Stage, supervisor::Supervisor};

fn ask(supervisor: &Supervisor) -> tokio::task::JoinHandle<Result<(), crate::error::Error>> {
    let supervisor = supervisor.clone();
    tokio::spawn(async move { supervisor.lease().await.map(drop) })
}

/// Listens where the process should; gives each request's line and whether it had the token.
async fn serve(fakes: &Fakes, statuses: &'static [u16]) -> mpsc::Receiver<(String, bool)> {
    fakes.reach(1).await;
    let fake = fakes.get(0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, fake.port)).await;
    let listener = listener.unwrap();
    let (lines, receiver) = mpsc::channel(100);
    tokio::spawn(async move {
        for index in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let line = head.lines().next().unwrap().to_owned();
            let _ = lines.send((line, head.contains(&*fake.token))).await;
            let status = statuses.get(index).or(statuses.last()).unwrap();
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    receiver
}

#[tokio::test]
async fn a_process_serves_only_when_it_is_well_and_warm() {
    let fakes = Fakes::new(&[]);
    let mut config = config();
    config.path_base = "/shop".parse().unwrap();
    let builder = builder(config).probe("/health").warm_up(["/", "/a?b"]);
    let supervisor = run(builder, &fakes);
    let client = ask(&supervisor);
    let mut lines = serve(&fakes, &[503, 500, 204, 404, 200]).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        assert!(!client.is_finished() && supervisor.try_lease().is_none());
        let (line, paired) = lines.recv().await.unwrap();
        assert!(paired);
        seen.push(line);
    }
    client.await.unwrap().unwrap();
    let health = "GET /shop/health HTTP/1.1";
    let warm = ["GET /shop/ HTTP/1.1", "GET /shop/a?b HTTP/1.1"];
    assert_eq!(seen, [health, health, health, warm[0], warm[1]]);
}

#[tokio::test]
async fn a_process_that_is_never_well_does_not_serve() {
    let fakes = Fakes::new(&[]);
    let mut config = config();
    config.startup_time_limit = Duration::from_millis(300);
    let supervisor = run(builder(config).probe("/health"), &fakes);
    let client = ask(&supervisor);
    let _lines = serve(&fakes, &[503]).await;
    let error = client.await.unwrap().unwrap_err();
    assert_eq!(error.start_failure().unwrap().stage, Stage::Probe);
    assert!(!fakes.get(0).is_alive());
}

#[tokio::test]
async fn a_process_that_ends_at_its_probe_is_noticed_at_once() {
    let fakes = Fakes::new(&[Plan::Listen(0), Plan::Exit(0)]);
    let supervisor = run(builder(config()).probe("/health"), &fakes);
    let client = ask(&supervisor);
    let mut lines = serve(&fakes, &[503]).await;
    lines.recv().await.unwrap();
    fakes.get(0).exit(1);
    let error = client.await.unwrap().unwrap_err();
    assert_eq!(error.start_failure().unwrap().stage, Stage::Exited);
}
