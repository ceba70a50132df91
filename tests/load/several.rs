//! Several processes of one app.

use std::collections::HashSet;

use http::{Method, Request};

use crate::{
    clients::{Load, all_at_once},
    run,
    site::{Site, kill},
    support::client::{Client, Protocol, empty},
};

/// Starts at once, but where a file says that it is slow.
const SLOW: &str = r#"while [ -e slow ]; do sleep 0.02; done; exec "$0""#;

/// The first start is quick, every other one waits for a file to go.
const ALL_BUT_ONE_SLOW: &str =
    r#"mkdir first 2>/dev/null || while [ -e slow ]; do sleep 0.02; done; exec "$0""#;

#[test]
fn go_on_at_once_when_one_of_them_dies() {
    run(async {
        let site = Site::of_script(SLOW, |config| config.processes_per_application(3));
        let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=2");
        load.until(200, 50).await;
        let mut killed = HashSet::new();
        for _ in 0..5 {
            load.everybody().await;
            let victim = site.victim(3, &mut killed).await;
            site.write("slow", "");
            kill(&victim);
            // Nobody waits for the one that takes its time.
            load.until(200, 300).await;
            assert_eq!(site.ready().len(), 2);
            site.remove("slow");
            site.ready_at_least(3).await;
            site.supervisor().restart().await.unwrap();
        }
        let tally = load.end().await;
        tally.assert_only(&[200]);
        site.close().await;
    });
}

#[test]
fn do_not_wait_for_each_other() {
    run(async {
        let site = Site::of_script(ALL_BUT_ONE_SLOW, |config| {
            config.processes_per_application(3)
        });
        site.write("slow", "");
        let tally = all_at_once(site.address, 100, "/slow?ms=2").await;
        tally.assert_only(&[200]);
        assert_eq!(site.ready().len(), 1, "the others have not even started");
        site.remove("slow");
        site.ready_at_least(3).await;
        site.close().await;
    });
}

/// The process that answers a client with this cookie, and the cookie that comes with the answer.
async fn asked_with(site: &Site, cookie: Option<&str>) -> (u64, Option<String>) {
    let mut client = Client::connect(site.address, Protocol::Http1).await;
    let mut request = Request::get("/shop/env");
    if let Some(cookie) = cookie {
        request = request.header("cookie", format!("theme=dark; {cookie}"));
    }
    let answer = client.ask(request.body(empty()).unwrap()).await;
    let cookie = answer.values("set-cookie").first().map(|cookie| {
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/shop; HttpOnly; SameSite=Lax");
        pair.to_owned()
    });
    (answer.json()["pid"].as_u64().unwrap(), cookie)
}

#[test]
fn keep_a_client_that_has_their_cookie() {
    run(async {
        let site = Site::of_script(SLOW, |config| {
            config
                .processes_per_application(3)
                .path_base("/shop".parse().unwrap())
                .affinity_cookie("shop-process")
        });
        site.supervisor().lease().await.unwrap();
        site.ready_at_least(3).await;
        let (first, cookie) = asked_with(&site, None).await;
        let cookie = cookie.unwrap();
        // Whoever has fewer requests, it stays.
        let lease = site.supervisor().lease().await.unwrap();
        for _ in 0..10 {
            assert_eq!(asked_with(&site, Some(&cookie)).await, (first, None));
        }
        drop(lease);
        for unknown in ["shop-process=0123456789abcdef", "shop-process=x"] {
            assert!(asked_with(&site, Some(unknown)).await.1.is_some());
        }
        let ready = site.ready().into_iter();
        let mut ready = ready.filter(|process| u64::from(process.pid) == first);
        kill(&ready.next().unwrap());
        // Another one takes it in, and keeps it.
        let (second, renewed) = asked_with(&site, Some(&cookie)).await;
        let renewed = renewed.unwrap();
        assert!(second != first && renewed != cookie);
        assert_eq!(asked_with(&site, Some(&renewed)).await, (second, None));
        site.close().await;
    });
}

#[test]
fn share_the_requests() {
    run(async {
        let site = Site::of_script(SLOW, |config| config.processes_per_application(3));
        site.supervisor().lease().await.unwrap();
        site.ready_at_least(3).await;
        let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=20");
        loop {
            load.go_on(1).await;
            if site.ready().iter().all(|process| process.in_flight >= 4) {
                break;
            }
        }
        load.end().await.assert_only(&[200]);
        site.close().await;
    });
}
