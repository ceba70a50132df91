//! How an app of this process comes into being, and how that fails.

use std::{future::pending, time::Duration};

use ancm::config::StartMode;
use axum::{Router, routing::get};
use http::StatusCode;
use tokio::sync::watch;

use crate::site::{Count, Site, numbers, within};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn one_start_serves_all_who_wait() {
    let (starts, open) = (Count::default(), watch::Sender::new(false));
    let (counted, gate) = (starts.clone(), open.clone());
    let site = Site::new(move |_| {
        counted.add();
        let mut opened = gate.subscribe();
        async move {
            opened.wait_for(|open| *open).await?;
            Ok(hello())
        }
    });
    assert_eq!(starts.get(), 0, "nothing runs before the first request");
    let asked = futures_util::future::join_all((0..50).map(|_| site.get("/")));
    let opened = async {
        starts.reaches(1).await;
        while site.host.supervisor().unwrap().status().waiting < 50 {
            tokio::task::yield_now().await;
        }
        open.send_replace(true);
    };
    let (answers, ()) = tokio::join!(asked, opened);
    for answer in answers {
        assert_eq!(answer, (StatusCode::OK, "hello".to_owned()));
    }
    assert_eq!(starts.get(), 1);
}

#[tokio::test]
async fn an_eager_app_starts_without_a_request() {
    let starts = Count::default();
    let counted = starts.clone();
    let _site = Site::with(
        |config| config.start_mode(StartMode::Eager),
        move |_| {
            counted.add();
            async { Ok(hello()) }
        },
    );
    starts.reaches(1).await;
}

#[tokio::test]
async fn a_factory_that_errs_is_a_500_30_and_is_asked_again() {
    let next = numbers();
    let site = Site::with(
        |config| config.environment("ASPNETCORE_ENVIRONMENT", "Development"),
        move |_| {
            let number = next();
            async move {
                match number {
                    1 => Err("no <database>".into()),
                    _ => Ok(hello()),
                }
            }
        },
    );
    let (status, page) = site.get("/").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.contains("500.30"), "{page}");
    assert!(page.contains("no &lt;database&gt;"), "{page}");
    assert!(page.contains("Correlation id"), "{page}");
    // Backs off, and then starts without anybody's asking; who comes meanwhile waits.
    assert_eq!(site.get("/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn why_it_failed_is_for_development_only() {
    let site = Site::new(|_| async { Err("the password is wrong".into()) });
    let (status, page) = site.get("/").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        page.contains("500.30") && !page.contains("password"),
        "{page}"
    );
}

#[tokio::test]
async fn a_factory_that_panics_is_a_500_30() {
    let site = Site::with(
        |config| config.environment("ASPNETCORE_ENVIRONMENT", "Development"),
        |_| async { panic!("out of luck") },
    );
    let (status, page) = site.get("/").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.contains("the app panicked: out of luck"), "{page}");
}

#[tokio::test]
async fn a_factory_that_takes_too_long_is_a_500_37_and_is_given_up() {
    let (given_up, kept) = (Count::default(), Count::default());
    let counted = given_up.clone();
    let site = Site::with(
        |config| config.startup_time_limit(Duration::from_millis(50)),
        move |_| {
            let life = crate::site::Lives::begin(1, &counted);
            let kept = kept.clone();
            async move {
                let () = pending().await;
                kept.add();
                drop(life);
                Ok(hello())
            }
        },
    );
    let (status, page) = site.get("/").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.contains("500.37"), "{page}");
    given_up.reaches(1).await;
}

#[tokio::test]
async fn one_that_fails_too_often_is_refused() {
    let starts = Count::default();
    let counted = starts.clone();
    let site = Site::with(
        |config| config.rapid_fails_per_minute(1),
        move |_| {
            counted.add();
            async { Err("never".into()) }
        },
    );
    while site.host.supervisor().unwrap().status().states != ["refused"] {
        let (status, page) = site.get("/").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{page}");
    }
    let begun = starts.get();
    let (_, page) = site.get("/").await;
    assert!(page.contains("rapid-fail"), "{page}");
    assert_eq!(starts.get(), begun, "it is not tried any more");
}

#[tokio::test]
async fn a_probe_keeps_requests_back_until_the_app_is_well() {
    let (asked, opened) = (Count::default(), watch::Sender::new(false));
    let (probes, gate) = (asked.clone(), opened.clone());
    let site = Site::with(
        |config| config.probe_path("/health"),
        move |_| {
            let (probes, gate) = (probes.clone(), gate.clone());
            let health = move || {
                probes.add();
                let well = *gate.borrow();
                async move {
                    if well {
                        StatusCode::OK
                    } else {
                        StatusCode::SERVICE_UNAVAILABLE
                    }
                }
            };
            async move { Ok(hello().route("/health", get(health))) }
        },
    );
    let open = async {
        asked.reaches(2).await;
        opened.send_replace(true);
    };
    let (answer, ()) = within(async { tokio::join!(site.get("/"), open) }).await;
    assert_eq!(answer, (StatusCode::OK, "hello".to_owned()));
}

#[tokio::test]
async fn the_status_shows_it_as_a_process_of_this_one() {
    let site = Site::new(|_| async { Ok(hello()) });
    assert_eq!(site.get("/").await.0, StatusCode::OK);
    let status = site.host.supervisor().unwrap().status();
    assert_eq!(status.states, ["ready"]);
    let [process] = &*status.processes else {
        panic!("{status:?}");
    };
    assert_eq!((process.pid, process.port), (std::process::id(), None));
    let report = serde_json::to_value(site.host.operator().unwrap().report()).unwrap();
    assert_eq!(report["processes"][0]["state"], "ready", "{report}");
}

#[test]
fn outside_of_a_runtime_there_is_none() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = ancm::config::Config::builder(folder.path()).program("app");
    let make = |_| async { Ok::<_, std::convert::Infallible>(hello()) };
    assert!(ancm::Host::in_process(config.build().unwrap(), make).is_err());
}
