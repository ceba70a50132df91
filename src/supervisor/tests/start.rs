use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::fakes::{Fakes, Plan, builder, config, run, settle, supervise};
use crate::{
    error::{Stage, StartFailure},
    supervisor::{StartMode, Supervisor},
};

async fn failure(supervisor: &Supervisor) -> StartFailure {
    let error = supervisor.lease().await.unwrap_err();
    error.start_failure().expect("a failed start").clone()
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_before_the_first_request() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    settle().await;
    assert!(supervisor.try_lease().is_none());
    assert_eq!(fakes.count(), 0);
    assert_eq!(supervisor.status().states, ["idle"]);
}

#[tokio::test(start_paused = true)]
async fn eager_starts_without_a_request() {
    let fakes = Fakes::new(&[]);
    let supervisor = run(builder(config()).start_mode(StartMode::Eager), &fakes);
    settle().await;
    assert!(supervisor.try_lease().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_until_the_process_listens() {
    let fakes = Fakes::new(&[Plan::Listen(700)]);
    let supervisor = supervise(&fakes);
    let begin = Instant::now();
    let lease = supervisor.lease().await.unwrap();
    // Looked at every 2 ms, so hardly later.
    assert!((700..=703).contains(&begin.elapsed().as_millis()));
    let address = lease.backend().address().to_string();
    assert_eq!(address, format!("127.0.0.1:{}", fakes.get(0).port));
    assert!(
        lease
            .backend()
            .token()
            .unwrap()
            .matches(fakes.get(0).token.as_bytes())
    );
    assert_eq!(supervisor.status().processes[0].in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_followed_by_a_second_one_on_another_port() {
    let fakes = Fakes::new(&[Plan::Exit(10), Plan::Listen(10)]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    assert_eq!(fakes.count(), 2);
    assert_ne!(fakes.get(0).token, fakes.get(1).token);
    assert_eq!(supervisor.status().processes[0].attempt, 2);
}

#[tokio::test(start_paused = true)]
async fn every_way_to_fail_has_its_stage_after_two_attempts() {
    for (plan, stage) in [
        (Plan::Exit(10), Stage::Exited),
        (Plan::Exit(0), Stage::Exited),
        (Plan::Hang, Stage::NotListening),
        (Plan::Stranger, Stage::WrongOwner),
        (Plan::Refuse, Stage::Spawn),
    ] {
        let fakes = Fakes::new(&[plan]);
        let supervisor = supervise(&fakes);
        let failure = failure(&supervisor).await;
        assert_eq!(failure.stage, stage);
        assert_eq!(failure.command, "app --quiet");
        assert_eq!(failure.limit, Duration::from_secs(120));
        assert_eq!(failure.port, Some(fakes.get(1).port), "{stage}");
        assert_eq!((fakes.count(), fakes.alive()), (2, 0), "{stage}");
        let exit = (stage == Stage::Exited).then(|| "exit code 1".to_owned());
        assert_eq!(failure.exit, exit, "{stage}");
    }
}

#[tokio::test(start_paused = true)]
async fn startup_time_limit_holds_for_each_attempt() {
    let mut config = config();
    config.startup_time_limit = Duration::from_secs(5);
    let fakes = Fakes::new(&[Plan::Hang]);
    let supervisor = run(builder(config), &fakes);
    let begin = Instant::now();
    let failure = failure(&supervisor).await;
    assert_eq!(begin.elapsed().as_secs(), 10);
    assert_eq!(failure.elapsed.as_secs(), 5);
    assert_eq!(fakes.get(0).kills(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_looks_once() {
    let mut config = config();
    config.startup_time_limit = Duration::ZERO;
    let fakes = Fakes::new(&[Plan::Listen(0)]);
    run(builder(config.clone()), &fakes).lease().await.unwrap();
    let fakes = Fakes::new(&[Plan::Listen(1)]);
    let failure = failure(&run(builder(config), &fakes)).await;
    assert_eq!(failure.stage, Stage::NotListening);
}

#[tokio::test(start_paused = true)]
async fn a_descendant_may_be_the_one_that_listens() {
    let fakes = Fakes::new(&[Plan::Launcher]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    // The launcher ends: the app lives on.
    fakes.get(0).leave_descendant();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(supervisor.try_lease().is_some());
    assert_eq!(fakes.count(), 1);
    // The descendant ends: nobody tells us, and still it is noticed.
    fakes.get(0).deafen();
    fakes.reach(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_descendant_that_ends_under_a_living_launcher_is_noticed() {
    let fakes = Fakes::new(&[Plan::Launcher]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    fakes.get(0).deafen();
    fakes.reach(2).await;
    settle().await;
    assert!(!fakes.get(0).is_alive());
    assert!(supervisor.try_lease().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_crash_restarts_at_once_without_a_request() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap();
    let begin = Instant::now();
    fakes.get(0).exit(1);
    fakes.reach(2).await;
    assert!(begin.elapsed() < Duration::from_millis(5));
    settle().await;
    assert!(supervisor.try_lease().is_some());
    assert_eq!(supervisor.status().restarts, 1);
}

#[tokio::test(start_paused = true)]
async fn crashes_in_a_row_back_off_until_one_has_run_for_a_minute() {
    let mut config = config();
    config.rapid_fails_per_minute = 100;
    let fakes = Fakes::new(&[]);
    let supervisor = run(builder(config), &fakes);
    supervisor.lease().await.unwrap();
    let mut pauses = Vec::new();
    for index in 0..9 {
        let begin = Instant::now();
        fakes.get(index).exit(1);
        fakes.reach(index + 2).await;
        pauses.push(begin.elapsed().as_millis() / 10 * 10);
        settle().await;
    }
    assert_eq!(pauses, [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let begin = Instant::now();
    fakes.get(9).exit(1);
    fakes.reach(11).await;
    assert!(begin.elapsed() < Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn too_many_crashes_refuse_until_the_minute_is_over() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    let begin = Instant::now();
    supervisor.lease().await.unwrap();
    // ANCM: a limit of 10 allows 11 crashes and refuses the 12th start.
    for index in 0..11 {
        fakes.reach(index + 1).await;
        settle().await;
        fakes.get(index).exit(7);
        settle().await;
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(
        (fakes.count(), supervisor.status().states),
        (11, vec!["refused"])
    );
    let asked = Instant::now();
    let failure = failure(&supervisor).await;
    assert_eq!(
        asked.elapsed(),
        Duration::ZERO,
        "nobody waits for a refused app"
    );
    assert_eq!(failure.stage, Stage::RapidFail);
    assert_eq!(failure.exit.as_deref(), Some("exit code 7"));
    // It heals by itself.
    fakes.reach(12).await;
    assert_eq!(begin.elapsed().as_secs(), 60);
    supervisor.lease().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn starts_that_fail_count_as_failures() {
    let mut config = config();
    config.rapid_fails_per_minute = 0;
    let fakes = Fakes::new(&[Plan::Exit(0)]);
    let supervisor = run(builder(config), &fakes);
    assert_eq!(failure(&supervisor).await.stage, Stage::Exited);
    settle().await;
    assert_eq!(failure(&supervisor).await.stage, Stage::RapidFail);
    assert_eq!(fakes.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_crashing_app_is_not_started_for_each_request() {
    let fakes = Fakes::new(&[Plan::Exit(3)]);
    let supervisor = supervise(&fakes);
    let deadline = Instant::now() + Duration::from_secs(59);
    let (mut asked, mut refused) = (0, 0);
    while Instant::now() < deadline {
        let clients = (0..100).map(|_| {
            let supervisor = supervisor.clone();
            tokio::spawn(async move { supervisor.lease().await.map(drop) })
        });
        for client in clients.collect::<Vec<_>>() {
            let error = client.await.unwrap().unwrap_err();
            let stage = error.start_failure().unwrap().stage;
            (asked, refused) = (asked + 1, refused + u32::from(stage == Stage::RapidFail));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(asked > 5_000 && refused > 1_000, "{asked} {refused}");
    // Eleven failed starts of two attempts each.
    assert_eq!(fakes.count(), 22);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_mended_comes_back() {
    let fakes = Fakes::new(&[Plan::Exit(0)]);
    let supervisor = supervise(&fakes);
    failure(&supervisor).await;
    fakes.plan(&[Plan::Listen(0)]);
    supervisor.lease().await.unwrap();
    assert_eq!(supervisor.status().last_failure.unwrap().stage, "exited");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_made_does_not_keep_the_app_from_starting() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut config = config();
    config.stdout_log = Some(file.join("stdout"));
    let fakes = Fakes::new(&[]);
    run(builder(config), &fakes).lease().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_status_is_for_programs_too() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    let _lease = supervisor.lease().await.unwrap();
    let status = serde_json::to_value(supervisor.status()).unwrap();
    assert_eq!(status["states"], serde_json::json!(["ready"]));
    assert_eq!(status["processes"][0]["pid"], 1_000);
    assert_eq!(status["processes"][0]["state"], "ready");
    assert_eq!(status["processes"][0]["in_flight"], 1);
    assert!(!status.to_string().contains(&*fakes.get(0).token));
    assert!(!format!("{supervisor:?}").contains(&*fakes.get(0).token));
}

#[tokio::test(start_paused = true)]
async fn several_processes_share_the_requests() {
    let mut config = config();
    config.processes_per_application = 3;
    let fakes = Fakes::new(&[]);
    let supervisor = run(builder(config), &fakes);
    let mut leases = vec![supervisor.lease().await.unwrap()];
    fakes.reach(3).await;
    settle().await;
    leases.extend((0..8).map(|_| supervisor.try_lease().unwrap()));
    let loads = supervisor.status().processes.into_iter();
    assert_eq!(
        loads.map(|process| process.in_flight).collect::<Vec<_>>(),
        [3, 3, 3]
    );
    // One of them crashes: the others go on, nobody waits.
    fakes.get(1).exit(1);
    settle().await;
    assert!(supervisor.try_lease().is_some());
}

/// Errors are shared by those who waited, so they are cheap to tell.
#[test]
fn a_failure_is_told_by_reference() {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<StartFailure>>();
    shared::<Supervisor>();
}
