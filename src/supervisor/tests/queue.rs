use std::sync::Arc;

use http::StatusCode;
use tokio::time::{Duration, Instant};

use super::fakes::{Boxed, Fakes, Plan, builder, config, run, settle, supervise};
use crate::{error::Error, proxy::Lease, supervisor::Supervisor};

fn ask(supervisor: &Supervisor) -> tokio::task::JoinHandle<Result<Lease, Error>> {
    let supervisor = supervisor.clone();
    tokio::spawn(async move { supervisor.lease().await })
}

fn asking(supervisor: &Supervisor) -> Boxed<Result<Lease, Error>> {
    let supervisor = supervisor.clone();
    Box::pin(async move { supervisor.lease().await })
}

#[tokio::test(start_paused = true)]
async fn one_start_serves_all_who_wait() {
    let fakes = Fakes::new(&[Plan::Listen(1_000)]);
    let supervisor = supervise(&fakes);
    let clients: Vec<_> = (0..200).map(|_| ask(&supervisor)).collect();
    settle().await;
    assert_eq!(supervisor.status().waiting, 200);
    let mut leases = Vec::new();
    for client in clients {
        leases.push(client.await.unwrap().unwrap());
    }
    assert_eq!(fakes.count(), 1);
    assert_eq!(supervisor.status().waiting, 0);
    assert_eq!(supervisor.status().processes[0].in_flight, 200);
    drop(leases);
    assert_eq!(supervisor.status().processes[0].in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn its_failure_answers_all_who_waited() {
    let fakes = Fakes::new(&[Plan::Exit(500), Plan::Exit(500), Plan::Listen(0)]);
    let supervisor = supervise(&fakes);
    let clients: Vec<_> = (0..200).map(|_| ask(&supervisor)).collect();
    let mut failures = Vec::new();
    for client in clients {
        let error = client.await.unwrap().unwrap_err();
        assert_eq!(error.status(), StatusCode::BAD_GATEWAY);
        failures.push(error.start_failure().unwrap().port);
    }
    assert!(failures.iter().all(|port| *port == Some(fakes.get(1).port)));
    // Who comes later waits for the next start and not for the one that failed.
    supervisor.lease().await.unwrap();
    assert_eq!(fakes.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_it_backs_off_waits_for_the_next_start() {
    let fakes = Fakes::new(&[Plan::Exit(0)]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap_err();
    settle().await;
    assert_eq!(supervisor.status().states, ["backing-off"]);
    fakes.plan(&[Plan::Listen(0)]);
    let begin = Instant::now();
    supervisor.lease().await.unwrap();
    assert!((90..=100).contains(&begin.elapsed().as_millis()));
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_and_a_client_that_leaves_frees_its_place() {
    let fakes = Fakes::new(&[Plan::Hang]);
    let supervisor = run(builder(config()).queue_limit(2), &fakes);
    let (one, other) = (ask(&supervisor), ask(&supervisor));
    settle().await;
    let full = supervisor.lease().await.unwrap_err();
    assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(full.is_transient());
    one.abort();
    let _ = one.await;
    assert_eq!(supervisor.status().waiting, 1);
    let third = ask(&supervisor);
    settle().await;
    assert_eq!(supervisor.status().waiting, 2);
    fakes.get(0).listen(1);
    assert!(other.await.unwrap().is_ok() && third.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn thousands_who_come_and_leave_cause_one_start() {
    let fakes = Fakes::new(&[Plan::Listen(500)]);
    let supervisor = supervise(&fakes);
    for _ in 0..100 {
        let clients: Vec<_> = (0..100).map(|_| ask(&supervisor)).collect();
        settle().await;
        clients.iter().for_each(tokio::task::JoinHandle::abort);
    }
    settle().await;
    assert_eq!(supervisor.status().waiting, 0);
    supervisor.lease().await.unwrap();
    assert_eq!(fakes.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_an_end() {
    let fakes = Fakes::new(&[Plan::Hang]);
    let limited = builder(config()).queue_time(Duration::from_secs(3));
    let supervisor = run(limited, &fakes);
    let begin = Instant::now();
    let error = supervisor.lease().await.unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), 3);
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    // The start goes on, for whoever comes next.
    fakes.get(0).listen(1);
    supervisor.lease().await.unwrap();
    assert_eq!(fakes.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_default_wait_outlasts_both_attempts() {
    let mut config = config();
    config.startup_time_limit = Duration::from_secs(7);
    let fakes = Fakes::new(&[Plan::Hang]);
    let error = run(builder(config), &fakes).lease().await.unwrap_err();
    assert!(error.start_failure().is_some(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_turns_away_who_waits_but_not_who_comes_later() {
    let fakes = Fakes::new(&[Plan::Hang]);
    let supervisor = supervise(&fakes);
    let mut client = asking(&supervisor);
    tokio::select! {
        biased;
        _ = &mut client => panic!("nothing listens"),
        () = settle() => {}
    }
    supervisor.stop().await;
    let error = client.await.unwrap_err();
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(error.start_failure().is_none());
    assert_eq!((fakes.count(), fakes.alive()), (1, 0));
    settle().await;
    assert_eq!(supervisor.status().states, ["idle"]);
    fakes.plan(&[Plan::Listen(0)]);
    supervisor.lease().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_demand_from_before_a_stop_starts_the_app_after_it() {
    let fakes = Fakes::new(&[Plan::Listen(50)]);
    let supervisor = supervise(&fakes);
    // Hundreds of requests whose demands stand in the channel before and after the stop.
    let clients: Vec<_> = (0..300).map(|_| ask(&supervisor)).collect();
    tokio::task::yield_now().await;
    supervisor.stop().await;
    for client in clients {
        let _ = client.await.unwrap();
    }
    let started = fakes.count();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((fakes.count(), fakes.alive()), (started, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_turns_away_everybody_for_good() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    drop(supervisor.lease().await.unwrap());
    supervisor.shutdown().await;
    assert_eq!(fakes.alive(), 0);
    assert!(supervisor.try_lease().is_none());
    let error = supervisor.lease().await.unwrap_err();
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    supervisor.restart().await.unwrap_err();
    supervisor.stop().await;
    supervisor.shutdown().await;
    assert_eq!(fakes.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_stops_the_app_and_ends_the_task() {
    let fakes = Fakes::new(&[]);
    let (supervisor, task) = builder(config()).parts(fakes.clone());
    let task = tokio::spawn(task.run());
    let other = supervisor.clone();
    drop(supervisor.lease().await.unwrap());
    drop(supervisor);
    settle().await;
    assert_eq!(fakes.alive(), 1);
    drop(other);
    task.await.unwrap();
    assert_eq!(fakes.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_task_kills_what_runs() {
    let fakes = Fakes::new(&[]);
    let (supervisor, task) = builder(config()).parts(fakes.clone());
    let task = tokio::spawn(task.run());
    let supervisor = Arc::new(supervisor);
    supervisor.lease().await.unwrap();
    task.abort();
    let _ = task.await;
    settle().await;
    assert_eq!(fakes.alive(), 0);
    assert!(supervisor.lease().await.is_err() || supervisor.try_lease().is_some());
}
