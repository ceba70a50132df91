//! `kill -9` of the app's process.

use std::collections::HashSet;

use http::Method;

use crate::{
    clients::Load,
    run,
    site::{Site, kill},
    support::apps::App,
};

/// So many kills in a row, then a restart: it forgives, else the pauses between the starts would grow to seconds.
const IN_A_ROW: usize = 3;

/// Kills the process that serves, again and again, as soon as a new one does.
async fn lose_no_request(app: App, kills: usize) {
    let site = Site::of(app, |config| config);
    let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=2");
    let mut killed = HashSet::new();
    for count in 1..=kills {
        load.everybody().await;
        let victim = site.victim(1, &mut killed).await;
        kill(&victim);
        if count % IN_A_ROW == 0 {
            site.supervisor().restart().await.unwrap();
        }
    }
    load.everybody().await;
    load.end().await.assert_only(&[200]);
    site.close().await;
}

#[test]
fn of_the_twin_lose_no_idempotent_request() {
    run(lose_no_request(
        App::Twin,
        if cfg!(windows) { 20 } else { 100 },
    ));
}

#[cfg(unix)]
#[test]
fn of_the_stock_app_lose_no_idempotent_request() {
    run(lose_no_request(App::Stock, 15));
}

#[cfg(unix)]
#[test]
#[ignore = "takes minutes: the stock app starts slowly; the run above is a part of it"]
fn of_the_stock_app_100_times_lose_no_idempotent_request() {
    run(lose_no_request(App::Stock, 100));
}

/// Lets nothing go on in it.
#[cfg(unix)]
fn stop(process: &ancm::supervisor::ProcessStatus) {
    use rustix::process::{Pid, Signal, kill_process};

    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), Signal::STOP).unwrap();
}

/// Stops one of two processes in the middle of its requests, and then kills it: those requests, and no others, may fail.
#[cfg(unix)]
async fn cost_at_most_what_was_in_flight(method: Method) {
    let site = Site::of(App::Twin, |config| {
        config.processes_per_application(2).retry(false)
    });
    site.supervisor().lease().await.unwrap();
    let mut load = Load::begin(site.address, &method, "/slow?ms=2");
    let (mut in_flight, mut killed) = (0, HashSet::new());
    for count in 1..=20 {
        load.everybody().await;
        let victim = site.victim(2, &mut killed).await;
        stop(&victim);
        // The other one goes on, and each has its half in the end.
        while in_flight_on(&site, victim.pid) < crate::clients::CLIENTS / 2 {
            load.go_on(1).await;
        }
        in_flight += in_flight_on(&site, victim.pid);
        kill(&victim);
        if count % IN_A_ROW == 0 {
            site.supervisor().restart().await.unwrap();
        }
    }
    let tally = load.end().await;
    tally.assert_only(&[200, 502]);
    assert!(tally.of(502) <= in_flight, "{in_flight}: {tally:?}");
    site.close().await;
}

#[cfg(unix)]
fn in_flight_on(site: &Site, pid: u32) -> usize {
    let processes = site.supervisor().status().processes;
    let victim = processes.into_iter().find(|process| process.pid == pid);
    victim.map_or(0, |victim| victim.in_flight)
}

#[cfg(unix)]
#[test]
fn cost_at_most_the_gets_in_flight_without_retry() {
    run(cost_at_most_what_was_in_flight(Method::GET));
}

#[cfg(unix)]
#[test]
fn cost_at_most_the_posts_in_flight() {
    run(cost_at_most_what_was_in_flight(Method::POST));
}
