use std::sync::Arc;

use tokio::time::{Duration, Instant, sleep};

use super::fakes::{Fakes, Plan, builder, config, run, settle, supervise};
use crate::config::Config;

#[tokio::test(start_paused = true)]
async fn a_restart_overlaps() {
    let fakes = Fakes::new(&[Plan::Listen(0), Plan::Listen(5_000)]);
    let supervisor = supervise(&fakes);
    let old = supervisor.lease().await.unwrap();
    let restart = tokio::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.restart().await }
    });
    // At every moment there is somebody to serve.
    while !restart.is_finished() {
        assert!(supervisor.try_lease().is_some());
        assert!(fakes.get(0).is_alive());
        sleep(Duration::from_millis(7)).await;
    }
    restart.await.unwrap().unwrap();
    let new = supervisor.try_lease().unwrap();
    assert_ne!(new.backend().address(), old.backend().address());
    // The old one lives as long as its request.
    sleep(Duration::from_secs(20)).await;
    assert!(fakes.get(0).is_alive());
    assert_eq!(supervisor.status().processes[1].state, "draining");
    drop(old);
    settle().await;
    assert!(!fakes.get(0).is_alive());
    assert_eq!(fakes.alive(), 1);
}

#[tokio::test(start_paused = true)]
async fn where_the_new_one_fails_the_old_one_stays() {
    let fakes = Fakes::new(&[Plan::Listen(0), Plan::Exit(100)]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    let failure = supervisor.restart().await.unwrap_err();
    assert_eq!(failure.exit.as_deref(), Some("exit code 1"));
    assert_eq!((fakes.count(), fakes.alive()), (3, 1));
    assert!(supervisor.try_lease().is_some());
    assert_eq!(supervisor.status().states, ["ready"]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_has_an_end() {
    let fakes = Fakes::new(&[]);
    let supervisor = run(
        builder(config()).drain_limit(Duration::from_secs(4)),
        &fakes,
    );
    let _tunnel = supervisor.lease().await.unwrap();
    supervisor.restart().await.unwrap();
    sleep(Duration::from_millis(3_900)).await;
    assert!(fakes.get(0).is_alive());
    sleep(Duration::from_millis(200)).await;
    assert!(!fakes.get(0).is_alive());
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_drain() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    let _tunnel = supervisor.lease().await.unwrap();
    supervisor.restart().await.unwrap();
    let begin = Instant::now();
    supervisor.stop().await;
    assert!(begin.elapsed() < Duration::from_millis(100));
    assert_eq!(fakes.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_runs_there_is_nothing_to_restart() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    supervisor.restart().await.unwrap();
    assert_eq!(fakes.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_restart_gives_up_a_start_that_may_have_seen_the_old_app() {
    let fakes = Fakes::new(&[Plan::Hang, Plan::Listen(10)]);
    let supervisor = supervise(&fakes);
    let waiting = tokio::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.lease().await }
    });
    fakes.reach(1).await;
    settle().await;
    supervisor.restart().await.unwrap();
    assert!(waiting.await.unwrap().is_ok());
    assert_eq!((fakes.count(), fakes.alive()), (2, 1));
    assert_eq!(supervisor.status().processes[0].attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn restarts_that_meet_end_together() {
    let fakes = Fakes::new(&[Plan::Listen(0), Plan::Listen(100)]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    let (one, other) = tokio::join!(supervisor.restart(), supervisor.restart());
    assert!(one.is_ok() && other.is_ok());
    settle().await;
    assert_eq!(fakes.alive(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_old_one_may_crash_meanwhile() {
    let fakes = Fakes::new(&[Plan::Listen(0), Plan::Listen(1_000)]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    let restart = tokio::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.restart().await }
    });
    fakes.reach(2).await;
    fakes.get(0).exit(1);
    settle().await;
    assert!(supervisor.try_lease().is_none());
    // Requests wait for the one that is on its way; no third one is started.
    supervisor.lease().await.unwrap();
    restart.await.unwrap().unwrap();
    assert_eq!((fakes.count(), fakes.alive()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_restart_heals_a_refused_app_at_once() {
    let mut config = config();
    config.rapid_fails_per_minute = 0;
    let fakes = Fakes::new(&[Plan::Exit(0)]);
    let supervisor = run(builder(config), &fakes);
    supervisor.lease().await.unwrap_err();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(supervisor.status().states, ["refused"]);
    fakes.plan(&[Plan::Listen(0)]);
    supervisor.restart().await.unwrap();
    assert!(supervisor.try_lease().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stop_answers_a_restart_under_way() {
    let fakes = Fakes::new(&[Plan::Listen(0), Plan::Hang]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    let restart = tokio::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.restart().await }
    });
    fakes.reach(2).await;
    supervisor.stop().await;
    assert!(restart.await.unwrap().is_err());
    assert_eq!(fakes.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_restarts_and_crashes_leave_one_process() {
    let fakes = Fakes::new(&[Plan::Listen(3)]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    for _ in 0..50 {
        supervisor.restart().await.unwrap();
        let last = fakes.count() - 1;
        fakes.get(last).exit(1);
        fakes.reach(last + 2).await;
        supervisor.lease().await.unwrap();
        assert_eq!(supervisor.status().states, ["ready"]);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!((fakes.count(), fakes.alive()), (101, 1));
}

#[tokio::test(start_paused = true)]
async fn a_new_configuration_comes_with_its_process() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    let other = |token: &str| {
        let builder = Config::builder(std::env::temp_dir()).program("other");
        let builder = builder.environment("ASPNETCORE_TOKEN", token);
        Arc::new(builder.build().unwrap())
    };
    supervisor.reconfigure(other("good")).await.unwrap();
    assert_eq!(&*fakes.get(1).token, "good");
    // One that fails goes, and its configuration with it.
    fakes.plan(&[Plan::Refuse, Plan::Refuse, Plan::Listen(0)]);
    let failure = supervisor.reconfigure(other("bad")).await.unwrap_err();
    assert_eq!(failure.command, "other");
    assert_eq!(&*fakes.get(3).token, "bad");
    fakes.get(1).exit(1);
    fakes.reach(5).await;
    assert_eq!(&*fakes.get(4).token, "good");
}

#[tokio::test(start_paused = true)]
async fn a_new_configuration_waits_for_the_next_start_where_nothing_runs() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    let builder = Config::builder(std::env::temp_dir()).program("other");
    let config = builder.environment("ASPNETCORE_TOKEN", "new").build();
    supervisor
        .reconfigure(Arc::new(config.unwrap()))
        .await
        .unwrap();
    supervisor.lease().await.unwrap();
    assert_eq!(&*fakes.get(0).token, "new");
}

#[tokio::test(start_paused = true)]
async fn an_app_with_one_port_cannot_overlap_but_nobody_is_turned_away() {
    let builder = Config::builder(std::env::temp_dir()).program("app");
    let config = builder
        .environment("ASPNETCORE_PORT", "5000")
        .processes_per_application(4);
    let fakes = Fakes::new(&[Plan::Listen(100)]);
    let supervisor = run(super::fakes::builder(config.build().unwrap()), &fakes);
    drop(supervisor.lease().await.unwrap());
    let restart = tokio::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.restart().await }
    });
    while !restart.is_finished() {
        assert!(fakes.alive() <= 1);
        supervisor.lease().await.unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    restart.await.unwrap().unwrap();
    assert_eq!((fakes.count(), fakes.get(1).port), (2, 5_000));
}

#[tokio::test(start_paused = true)]
async fn several_processes_restart_one_after_the_other() {
    let mut config = config();
    config.processes_per_application = 3;
    let fakes = Fakes::new(&[Plan::Listen(10)]);
    let supervisor = run(builder(config), &fakes);
    supervisor.lease().await.unwrap();
    fakes.reach(3).await;
    sleep(Duration::from_millis(20)).await;
    let restart = tokio::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.restart().await }
    });
    while !restart.is_finished() {
        let states = supervisor.status().states;
        let ready = states.iter().filter(|state| **state == "ready").count();
        assert!(ready >= 2, "{states:?}");
        sleep(Duration::from_millis(1)).await;
    }
    restart.await.unwrap().unwrap();
    settle().await;
    assert_eq!((fakes.count(), fakes.alive()), (6, 3));
    assert!((0..3).all(|index| !fakes.get(index).is_alive()));
}
