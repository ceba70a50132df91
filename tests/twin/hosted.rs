//! The twin in process: what a worker hosts.

use std::{env, process::ExitCode, time::Duration};

use ancm::{
    error::SubStatus,
    in_process::{App, Failure, Running, Settings, Worker},
};
use axum::{Router, body::Body};
use tokio::sync::watch;

use crate::{number, routes};

/// Hosts the twin, if somebody started this program for that.
pub(crate) fn worker() -> Option<ExitCode> {
    match Worker::inherit(env::args_os()) {
        Ok(worker) => worker.map(|worker| worker.run(Twin)),
        Err(error) => panic!("not started as a worker: {error}"),
    }
}

struct Twin;

struct Hosted {
    ended: watch::Sender<Option<i32>>,
}

impl App for Twin {
    type Running = Hosted;

    async fn start(self, settings: &Settings) -> Result<Hosted, Failure> {
        assert_eq!(env::current_dir().unwrap(), settings.content_root());
        if let Some(code) = number("STARTUP_EXIT_CODE") {
            eprintln!("exiting at start, as STARTUP_EXIT_CODE says");
            std::process::exit(code);
        }
        if let Some(milliseconds) = number("STARTUP_DELAY_MS") {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        if let Some(status) = number("STARTUP_SUB_STATUS") {
            let failure = Failure::new(SubStatus::of(status), "Main threw");
            return Err(failure.detail("System.Exception: <no> database\n   at Main()"));
        }
        let ended = watch::Sender::new(None);
        if let Some(milliseconds) = number("ENDS_AFTER_MS") {
            let ended = ended.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                ended.send_replace(Some(42));
            });
        }
        Ok(Hosted { ended })
    }
}

impl Running for Hosted {
    type Service = Router;
    type Body = Body;

    fn service(&self) -> Router {
        routes()
    }

    async fn ended(&mut self) -> i32 {
        let mut ended = self.ended.subscribe();
        let code = ended.wait_for(Option::is_some).await.unwrap();
        code.unwrap()
    }

    fn stop(&mut self, _: Duration) {
        // One that does not want to end is killed in the end.
        if env::var_os("IGNORES_STOP").is_none() {
            self.ended.send_replace(Some(0));
        }
    }
}
