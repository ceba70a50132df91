//! `app_offline.htm`, dropped and taken away.

use http::Method;

use crate::{clients::Load, run, site::Site, support::apps::App};

const FILE: &str = "app_offline.htm";

async fn is_all_that_anybody_sees(app: App, drops: usize) {
    let site = Site::of(app, |config| config);
    let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=2");
    for _ in 0..drops {
        load.until(200, 50).await;
        site.write(FILE, "<p>back soon</p>");
        load.until(503, 50).await;
        site.remove(FILE);
    }
    load.until(200, 50).await;
    let tally = load.end().await;
    tally.assert_only(&[200, 503]);
    assert_eq!(tally.bodies[&503], "<p>back soon</p>");
    site.close().await;
}

#[test]
fn is_all_that_anybody_sees_of_the_twin() {
    run(is_all_that_anybody_sees(
        App::Twin,
        if cfg!(windows) { 4 } else { 10 },
    ));
}

#[cfg(unix)]
#[test]
fn is_all_that_anybody_sees_of_the_stock_app() {
    run(is_all_that_anybody_sees(App::Stock, 10));
}
