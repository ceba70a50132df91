//! The channel, with a worker that is only a socket.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
};

use super::{
    Channel,
    protocol::{Assignment, Failed, LONGEST, Load, Order, Report, VERSION, line, parse},
};

fn assignment() -> Assignment {
    Assignment {
        version: VERSION,
        program: "/usr/bin/dotnet".into(),
        arguments: vec!["App.dll".to_owned()],
        content_root: "/srv/app".into(),
        path_base: "/shop".to_owned(),
        token: "top-secret".to_owned(),
        startup_limit_ms: 1,
        shutdown_limit_ms: 2,
        detailed_errors: false,
        websockets: true,
        stack_size: Some(0x20_0000),
        call_startup_hook: true,
        max_request_body: None,
        listener: 7,
        log: None,
        front: vec![vec![8, 9], vec![10, 11]],
    }
}

/// The parent's end, and the worker's.
fn pair() -> (Channel, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let first = Order::Host(Box::new(assignment()));
    (Channel::open(ours, first).unwrap(), theirs)
}

fn say(worker: &mut UnixStream, report: &Report) {
    worker.write_all(&line(report).unwrap()).unwrap();
}

#[test]
fn every_message_is_one_line_and_is_understood() {
    let told = line(&Order::Host(Box::new(assignment()))).unwrap();
    assert_eq!(told.iter().filter(|&&byte| byte == b'\n').count(), 1);
    let Order::Host(heard) = parse(&told).unwrap() else {
        panic!("another order");
    };
    assert_eq!(heard.front, [[8, 9], [10, 11]]);
    assert_eq!(heard.token, "top-secret");
    for order in [
        Order::Accept,
        Order::Drain,
        Order::Stop { limit_ms: 10_000 },
    ] {
        let again: Order = parse(&line(&order).unwrap()).unwrap();
        assert_eq!(format!("{again:?}"), format!("{order:?}"));
    }
    assert!(parse::<Order>(b"{\"dance\":1}\n").is_err());
    assert!(parse::<Order>(b"").is_err());
}

#[test]
fn no_debug_shows_the_token() {
    let order = Order::Host(Box::new(assignment()));
    assert!(!format!("{order:?}").contains("top-secret"));
}

#[tokio::test]
async fn a_worker_hears_what_to_host_and_then_its_orders() {
    let (channel, worker) = pair();
    assert!(channel.order(Order::Accept) && channel.order(Order::Stop { limit_ms: 5 }));
    let heard = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(worker).lines().take(3);
        lines.map(Result::unwrap).collect::<Vec<_>>()
    });
    let heard = heard.await.unwrap();
    assert!(
        heard[0].starts_with(&format!("{{\"host\":{{\"version\":{VERSION},")),
        "{heard:?}"
    );
    assert_eq!(heard[1..], ["\"accept\"", "{\"stop\":{\"limitMs\":5}}"]);
}

#[tokio::test]
async fn the_outcome_of_a_start_is_what_the_worker_says_first() {
    let (channel, mut worker) = pair();
    say(&mut worker, &Report::Ready { version: VERSION });
    assert_eq!(channel.outcome().await, Some(Ok(())));

    let (channel, mut worker) = pair();
    let failed = Failed {
        sub_status: 30,
        reason: "Main threw".to_owned(),
        detail: Some("at\nMain".to_owned()),
    };
    say(&mut worker, &Report::Failed(failed.clone()));
    // What was said counts, though its end comes with it.
    drop(worker);
    assert_eq!(channel.outcome().await, Some(Err(failed)));

    let (channel, worker) = pair();
    drop(worker);
    assert_eq!(channel.outcome().await, None, "it ended");
}

#[tokio::test]
async fn a_worker_of_another_version_or_none_at_all_is_no_worker() {
    let (channel, mut worker) = pair();
    let version = VERSION + 1;
    say(&mut worker, &Report::Ready { version });
    let failed = channel.outcome().await.unwrap().unwrap_err();
    let told = format!("speaks version {version} ");
    assert!(failed.reason.contains(&told), "{failed:?}");

    let (channel, mut worker) = pair();
    worker.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
    assert_eq!(channel.outcome().await, None);

    let (channel, mut worker) = pair();
    worker.set_nonblocking(true).unwrap();
    let long = vec![b'x'; LONGEST as usize + 1];
    let mut sent = 0;
    let outcome = tokio::spawn(async move { channel.outcome().await });
    while sent < long.len() && !outcome.is_finished() {
        sent += worker.write(&long[sent..]).unwrap_or_default();
        tokio::task::yield_now().await;
    }
    assert_eq!(outcome.await.unwrap(), None, "more than anybody has to say");
}

#[tokio::test]
async fn what_is_under_way_is_known_and_its_end_is_waited_for() {
    let (channel, mut worker) = pair();
    let load = |in_flight, requests| {
        Report::Load(Load {
            in_flight,
            requests,
        })
    };
    say(&mut worker, &load(3, 10));
    while channel.load().in_flight() != 3 {
        tokio::task::yield_now().await;
    }
    assert!(channel.load().take_used(), "3 are under way");
    say(&mut worker, &load(0, 11));
    while channel.load().requests() != 11 {
        tokio::task::yield_now().await;
    }
    assert!(channel.load().take_used(), "there was one more");
    assert!(!channel.load().take_used());
    let mut drained = tokio_test::task::spawn(channel.drained());
    tokio_test::assert_pending!(drained.poll());
    say(&mut worker, &Report::Drained);
    drained.await;
}

#[tokio::test]
async fn the_end_of_the_parent_s_side_is_the_end_of_the_channel() {
    let (channel, worker) = pair();
    drop(channel);
    let heard = tokio::task::spawn_blocking(move || BufReader::new(worker).lines().count());
    assert!(heard.await.unwrap() <= 1);
}
