//! Restarts, one after the other.

use http::Method;

use crate::{clients::Load, run, site::Site, support::apps::App};

/// Fewer where each of them takes its time: under Wine.
const RESTARTS: u64 = if cfg!(windows) { 5 } else { 20 };

async fn lose_no_request(app: App, processes: u32) {
    let site = Site::of(app, |config| config.processes_per_application(processes));
    let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=2");
    load.until(200, 50).await;
    for _ in 0..RESTARTS {
        site.supervisor().restart().await.unwrap();
        load.go_on(50).await;
    }
    let tally = load.end().await;
    tally.assert_only(&[200]);
    let restarts = site.supervisor().status().restarts;
    assert!(restarts >= RESTARTS * u64::from(processes), "{restarts}");
    site.close().await;
}

#[test]
fn of_the_twin_lose_no_request() {
    run(lose_no_request(App::Twin, 1));
}

#[test]
fn of_two_twins_lose_no_request() {
    run(lose_no_request(App::Twin, 2));
}

#[cfg(unix)]
#[test]
fn of_the_stock_app_lose_no_request() {
    run(lose_no_request(App::Stock, 1));
}

/// Requests that may not be sent twice, too: nobody has to.
#[test]
fn lose_no_post() {
    run(async {
        let site = Site::of(App::Twin, |config| config);
        let mut load = Load::begin(site.address, &Method::POST, "/slow?ms=2");
        load.until(200, 50).await;
        for _ in 0..RESTARTS {
            site.supervisor().restart().await.unwrap();
            load.go_on(50).await;
        }
        load.end().await.assert_only(&[200]);
        site.close().await;
    });
}
