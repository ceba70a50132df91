//! Whatever happens, in whatever order: the task as a whole, with everybody who waits for it.

use proptest::prelude::*;
use tokio::{
    task::JoinHandle,
    time::{Duration, sleep, timeout},
};

use super::fakes::{Fakes, Plan, builder, config, run};

/// Longer than any wait may be: everything in here has a shorter limit.
const FOR_EVER: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask,
    /// One of those who asked loses patience, or has its answer and ends its request.
    Leave(usize),
    /// One of the processes ends.
    Crash(usize),
    Restart,
    Stop,
    Wait(u64),
}

fn plan() -> impl Strategy<Value = Plan> {
    prop_oneof![
        4 => (0_u64..500).prop_map(Plan::Listen),
        2 => (0_u64..500).prop_map(Plan::Exit),
        1 => Just(Plan::Hang),
        1 => Just(Plan::Stranger),
        1 => Just(Plan::Refuse),
        1 => Just(Plan::Launcher),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Ask),
        4 => any::<usize>().prop_map(Step::Leave),
        3 => any::<usize>().prop_map(Step::Crash),
        2 => Just(Step::Restart),
        1 => Just(Step::Stop),
        4 => (0_u64..2_000).prop_map(Step::Wait),
    ]
}

/// Nobody waits for ever, nobody who left keeps a place, no process is left.
async fn play(plans: Vec<Plan>, processes: u32, steps: Vec<Step>) {
    let fakes = Fakes::new(&plans);
    let mut config = config();
    config.processes_per_application = processes;
    config.rapid_fails_per_minute = 3;
    config.startup_time_limit = Duration::from_secs(1);
    let supervisor = run(builder(config), &fakes);
    let mut asking: Vec<JoinHandle<()>> = Vec::new();
    let mut orders: Vec<JoinHandle<()>> = Vec::new();
    for step in steps {
        let handle = supervisor.clone();
        match step {
            Step::Ask => asking.push(tokio::spawn(async move {
                if let Ok(lease) = handle.lease().await {
                    sleep(Duration::from_millis(300)).await;
                    drop(lease);
                }
            })),
            Step::Leave(index) if !asking.is_empty() => {
                let leaves = asking.swap_remove(index % asking.len());
                leaves.abort();
                // Who was told to go has gone once it had its turn.
                let _ = leaves.await;
            }
            Step::Crash(index) if fakes.count() > 0 => fakes.get(index % fakes.count()).exit(1),
            Step::Restart => orders.push(tokio::spawn(async move {
                let _ = handle.restart().await;
            })),
            Step::Stop => orders.push(tokio::spawn(async move { handle.stop().await })),
            Step::Wait(time) => sleep(Duration::from_millis(time)).await,
            Step::Leave(_) | Step::Crash(_) => {}
        }
        // Each slot: one that serves, one that starts, and those that drain.
        let status = supervisor.status();
        let active = status.processes.iter();
        let active = active.filter(|process| process.state != "draining");
        assert!(active.count() <= 2 * processes as usize, "{status:?}");
    }
    for waiter in asking.into_iter().chain(orders) {
        timeout(FOR_EVER, waiter)
            .await
            .expect("somebody waits for ever")
            .unwrap();
    }
    assert_eq!(supervisor.status().waiting, 0);
    timeout(FOR_EVER, supervisor.shutdown())
        .await
        .expect("it does not end");
    assert_eq!(fakes.alive(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nobody_waits_for_ever_and_nothing_is_left(
        plans in proptest::collection::vec(plan(), 1..8),
        processes in 1_u32..4,
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(plans, processes, steps));
    }
}
