//! What an app does that ends its process, or keeps it from its end: the answer, the log, the recovery.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep};

use crate::{
    run,
    site::{BOTH, LOOK, Site, Way, pid, told},
    support::{
        client::{Client, Protocol, empty},
        process::runs,
    },
};

/// What ends the process, and what it leaves in the log.
const FATAL: [(&str, &str); 4] = [
    ("/faults/exit", ""),
    ("/faults/fail-fast", "asked to fail fast"),
    ("/faults/stack-overflow", "Stack overflow"),
    ("/faults/thread", "nobody catches this"),
];

#[test]
fn a_fault_that_ends_the_process_ends_nothing_else() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config.stdout_log("logs/out"));
            let mut ended = Vec::new();
            for (target, text) in FATAL {
                let mut client = site.client(way).await;
                let process = pid(&mut client).await;
                assert!(!ended.contains(&process), "{target}: a new one");
                // What is safe to repeat would be tried once more, and end the next one too.
                let request = Request::post(target).header("content-length", 0);
                let answer = client.send(request.body(empty()).unwrap()).await;
                match (way, answer) {
                    // Nobody is left to answer.
                    (Way::Direct, answer) => assert!(answer.is_err(), "{target}: {answer:?}"),
                    (Way::Forwarded, answer) => {
                        assert_eq!(
                            answer.unwrap().status(),
                            StatusCode::BAD_GATEWAY,
                            "{target}"
                        );
                    }
                }
                while runs(process) {
                    sleep(LOOK).await;
                }
                ended.push(process);
                // Whoever comes now is served by the next one, and is not told of the last.
                let mut next = site.client(way).await;
                assert_ne!(pid(&mut next).await, process);
                while !site.output().contains(text) {
                    sleep(LOOK).await;
                }
            }
            assert_eq!(site.supervisor().status().restarts, FATAL.len() as u64);
            site.close().await;
        }
    });
}

/// A signal of the processor, which is CoreCLR's to make an exception of.
#[test]
fn an_exception_of_the_processor_is_the_requests_alone() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let mut client = site.client(way).await;
            let process = pid(&mut client).await;
            for _ in 0..20 {
                let answer = client.get("/faults/null").await;
                assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
                assert!(answer.body.is_empty());
            }
            assert_eq!(pid(&mut client).await, process);
            site.close().await;
        }
    });
}

#[test]
fn a_handler_that_never_ends_is_cut_off_at_the_limit() {
    run(async {
        for way in BOTH {
            let limit = Duration::from_secs(2);
            let site = Site::new(way, |config| {
                let config = config.shutdown_time_limit(limit);
                config.drain_timeout(Duration::from_secs(1))
            });
            let mut client = site.client(way).await;
            let process = pid(&mut client).await;
            let mut other = Client::connect(site.address, Protocol::Http1).await;
            let never = Request::get("/faults/never").body(empty()).unwrap();
            let mut body = other.send(never).await.unwrap().into_body();
            assert_eq!(
                body.frame().await.unwrap().unwrap().into_data().unwrap(),
                "begun"
            );
            // Others are served meanwhile, by the same process.
            assert_eq!(pid(&mut client).await, process);
            let begin = Instant::now();
            site.supervisor().restart().await.unwrap();
            // The next process serves, whatever becomes of the last one, which may take a connection until it hears of it.
            while pid(&mut site.client(way).await).await == process {
                sleep(LOOK).await;
            }
            assert!(body.frame().await.is_none_or(|frame| frame.is_err()));
            while runs(process) {
                sleep(LOOK).await;
            }
            assert!(begin.elapsed() >= limit, "it was given its time");
            site.close().await;
        }
    });
}

/// An app that is never asked to end has its handler for as long as it likes.
#[test]
fn a_client_may_leave_a_handler_that_never_ends() {
    run(async {
        let site = Site::new(Way::Direct, |config| {
            config.shutdown_time_limit(Duration::from_secs(1))
        });
        let mut client = site.client(Way::Direct).await;
        for _ in 0..20 {
            let mut other = Client::connect(site.address, Protocol::Http1).await;
            let never = Request::get("/faults/never").body(empty()).unwrap();
            let mut body = other.send(never).await.unwrap().into_body();
            assert!(body.frame().await.is_some());
        }
        let flooded = told(&mut client, "/faults/flood?told").await;
        assert_eq!(flooded["under"], 0);
        site.close().await;
    });
}
