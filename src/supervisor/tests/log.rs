use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use super::fakes::{Fakes, Plan, supervise};

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
struct Log {
    text: Arc<Mutex<Vec<u8>>>,
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// In a process of its own: what is logged is filtered for all threads at once, and the threads of
/// other tests have no log.
#[test]
fn the_log_tells_a_life_and_never_the_token() {
    let test = "supervisor::tests::log::of_this_process_alone";
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program)
        .args(["--exact", test, "--ignored"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
#[ignore = "run by the_log_tells_a_life_and_never_the_token"]
async fn of_this_process_alone() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let fakes = Fakes::new(&[Plan::Exit(5), Plan::Exit(5), Plan::Listen(0)]);
    let supervisor = supervise(&fakes);
    supervisor.lease().await.unwrap_err();
    drop(supervisor.lease().await.unwrap());
    supervisor.restart().await.unwrap();
    fakes.get(3).exit(9);
    fakes.reach(5).await;
    drop(supervisor.lease().await.unwrap());
    supervisor.shutdown().await;
    let text = log.text();
    for want in [
        "Process started process.pid=1000 process.attempt=1 generation=1",
        "Start attempt failed",
        "App could not be started stage=exited reason=the process ended with exit code 1 command=app",
        "Process is ready process.pid=1002",
        "Process takes no more requests process.pid=1002",
        "Process stopped process.pid=1002",
        "Process ended by itself process.pid=1003",
        "the process ended with exit code 9",
    ] {
        assert!(text.contains(want), "{want}\n{text}");
    }
    for index in 0..fakes.count() {
        assert!(!text.contains(&*fakes.get(index).token), "{text}");
    }
}
