//! The whole program, killed.

use std::{fs, path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    clients::all_at_once,
    run,
    support::{
        apps::App,
        module::{Module, Start},
    },
};

const KILLS: u32 = 50;
/// The kill comes at a random moment before this: the app is started, starts, listens, serves.
const LATEST_MS: u64 = 120;
/// By when nothing may be left.
const GONE: Duration = Duration::from_secs(1);

/// Marks the processes of one run, whichever way they are related.
const MARK: &str = "SCENARIO_MARK";

/// The processes that carry `mark`.
fn marked(mark: &str) -> Vec<PathBuf> {
    let entry = format!("{MARK}={mark}");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .map(|process| process.path())
        .filter(|process| {
            // One that has ended and that nobody has waited for yet has no environment any more.
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            let mut variables = environment.split(|&byte| byte == 0);
            variables.any(|variable| variable == entry.as_bytes())
        })
        .collect()
}

#[test]
fn killed_at_any_moment_leaves_no_process() {
    run(async {
        for kill in 0..KILLS {
            let mark = format!("{}-{kill}", std::process::id());
            let module: Module = Start::new(App::Twin, "/").variable(MARK, &mark).run();
            let asking = tokio::spawn(all_at_once(module.address(), 4, "/slow?ms=5"));
            let moment = getrandom::u64().unwrap() % LATEST_MS;
            sleep(Duration::from_millis(moment)).await;
            assert!(!marked(&mark).is_empty(), "the mark is not to be seen");
            // As `kill -9` does.
            drop(module);
            let killed = Instant::now();
            while let left @ [_, ..] = &*marked(&mark) {
                assert!(killed.elapsed() < GONE, "after {moment} ms: {left:?}");
                tokio::task::yield_now().await;
            }
            // Cut off, most of them.
            asking.await.unwrap();
        }
    });
}
