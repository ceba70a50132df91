use std::sync::atomic::Ordering;

use tokio::time::{Duration, sleep};

use super::fakes::{Fakes, Plan, builder, config, run, settle};
use crate::{config::Config, supervisor::StartMode};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn an_app_that_nobody_uses_is_stopped_and_comes_back() {
    let fakes = Fakes::new(&[]);
    let supervisor = run(builder(config()).idle_limit(MINUTE), &fakes);
    drop(supervisor.lease().await.unwrap());
    // Used every now and then: it stays.
    for _ in 0..5 {
        sleep(MINUTE / 2).await;
        drop(supervisor.try_lease().unwrap());
    }
    // One long request: it stays.
    let lease = supervisor.try_lease().unwrap();
    sleep(MINUTE * 10).await;
    assert_eq!((fakes.count(), fakes.alive()), (1, 1));
    drop(lease);
    sleep(MINUTE + Duration::from_secs(3)).await;
    assert_eq!(
        (fakes.alive(), supervisor.status().states),
        (0, vec!["idle"])
    );
    assert_eq!(fakes.get(0).kills(), 0);
    drop(supervisor.lease().await.unwrap());
    assert_eq!((fakes.count(), fakes.alive()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_it_runs_for_ever() {
    let fakes = Fakes::new(&[]);
    let supervisor = run(builder(config()), &fakes);
    drop(supervisor.lease().await.unwrap());
    sleep(MINUTE * 60 * 24).await;
    assert_eq!((fakes.count(), fakes.alive()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_old_process_is_replaced_without_a_gap() {
    let fakes = Fakes::new(&[Plan::Listen(0), Plan::Listen(500)]);
    let supervisor = run(builder(config()).age_limit(MINUTE), &fakes);
    drop(supervisor.lease().await.unwrap());
    for _ in 0..100 {
        sleep(MINUTE / 50).await;
        assert!(supervisor.try_lease().is_some());
    }
    settle().await;
    assert_eq!((fakes.count(), fakes.alive()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_old_process_whose_successor_fails_stays_and_is_tried_once_in_a_while() {
    let fakes = Fakes::new(&[Plan::Listen(0), Plan::Refuse]);
    let supervisor = run(builder(config()).age_limit(MINUTE), &fakes);
    drop(supervisor.lease().await.unwrap());
    sleep(MINUTE * 5 / 2).await;
    assert!(fakes.get(0).is_alive() && supervisor.try_lease().is_some());
    // Two tries of two attempts each.
    assert_eq!(fakes.count(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_has_served_enough_is_replaced_without_a_gap() {
    let fakes = Fakes::new(&[Plan::Listen(0), Plan::Listen(500)]);
    let supervisor = run(builder(config()).request_limit(10), &fakes);
    drop(supervisor.lease().await.unwrap());
    for _ in 0..8 {
        drop(supervisor.try_lease().unwrap());
    }
    sleep(MINUTE).await;
    assert_eq!(fakes.count(), 1, "nine are not ten");
    drop(supervisor.try_lease().unwrap());
    for _ in 0..30 {
        sleep(MINUTE / 600).await;
        assert!(supervisor.try_lease().is_some());
    }
    assert_eq!((fakes.count(), fakes.alive()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn several_processes_are_replaced_one_at_a_time() {
    let fakes = Fakes::new(&[Plan::Listen(3_000)]);
    let mut config = config();
    config.processes_per_application = 3;
    let supervisor = run(builder(config).request_limit(1_000), &fakes);
    drop(supervisor.lease().await.unwrap());
    fakes.reach(3).await;
    while supervisor.status().restarts < 3 {
        // All of them get as many.
        let leases: Vec<_> = (0..300).map(|_| supervisor.try_lease().unwrap()).collect();
        drop(leases);
        let states = supervisor.status().states;
        let replacing = states.iter().filter(|&&state| state == "replacing");
        assert!(replacing.count() <= 1, "{states:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_says_is_done() {
    let fakes = Fakes::new(&[]);
    let config = Config::builder(std::env::temp_dir())
        .program("app")
        .start_mode(StartMode::Eager)
        .recycle_requests(2)
        .idle_timeout(MINUTE)
        .queue_limit(0)
        .queue_overflow_status(http::StatusCode::TOO_MANY_REQUESTS);
    let supervisor = run(builder(config.build().unwrap()), &fakes);
    assert_eq!(supervisor.lease().await.unwrap_err().status(), 429);
    fakes.reach(1).await;
    settle().await;
    for _ in 0..2 {
        drop(supervisor.try_lease().unwrap());
    }
    sleep(Duration::from_secs(3)).await;
    assert_eq!(fakes.count(), 2);
    sleep(MINUTE * 2).await;
    assert_eq!(fakes.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_large_process_is_replaced_but_not_in_its_first_minute() {
    let fakes = Fakes::new(&[]);
    let supervisor = run(builder(config()).memory_limit(1_000), &fakes);
    drop(supervisor.lease().await.unwrap());
    fakes.get(0).memory.store(1_000, Ordering::SeqCst);
    sleep(MINUTE * 5).await;
    assert_eq!(fakes.count(), 1);
    fakes.get(0).memory.store(1_001, Ordering::SeqCst);
    sleep(Duration::from_secs(4)).await;
    assert_eq!((fakes.count(), fakes.alive()), (2, 1));
    fakes.get(1).memory.store(1_001, Ordering::SeqCst);
    sleep(MINUTE - Duration::from_secs(5)).await;
    assert_eq!(fakes.count(), 2);
    sleep(Duration::from_secs(8)).await;
    assert_eq!((fakes.count(), fakes.alive()), (3, 1));
    assert!(supervisor.try_lease().is_some());
}
