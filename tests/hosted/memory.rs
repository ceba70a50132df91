//! Memory stays as it is, however many requests there were.

use std::env;

use futures_util::future::join_all;
use http::Request;
use serde_json::Value;

use crate::{
    run,
    site::{Site, Way, told},
    support::client::{Client, Protocol, full},
};

/// How many requests there are; `HOSTED_REQUESTS` says another number.
const REQUESTS: u64 = 20_000;
const CLIENTS: u64 = 8;

/// What may come on top, in bytes: what is not let go at once, and what a heap that is not full is made of.
const MANAGED: u64 = 1024 * 1024;
const RESIDENT: u64 = 24 * 1024 * 1024;

/// So many requests of all kinds.
async fn ask(site: &Site, requests: u64) {
    let clients = (0..CLIENTS).map(|number| async move {
        let protocol = match number % 2 {
            0 => Protocol::Http1,
            _ => Protocol::Http2,
        };
        let mut client = Client::connect(site.address, protocol).await;
        for request in 0..requests / CLIENTS {
            let answer = match request % 4 {
                0 => client.get("/text").await,
                1 => client.get("/digits.txt").await,
                2 => client.get("/connection").await,
                _ => {
                    let body = Request::post("/faults/read").body(full(vec![b'x'; 10_000]));
                    client.ask(body.unwrap()).await
                }
            };
            assert_eq!(answer.status(), 200);
        }
    });
    join_all(clients).await;
}

fn bytes(memory: &Value, kind: &str) -> u64 {
    memory[kind].as_u64().unwrap()
}

#[test]
fn stays_flat_over_many_requests() {
    let requests = env::var("HOSTED_REQUESTS").map_or(REQUESTS, |text| text.parse().unwrap());
    run(async {
        // The server's collector lets hundreds of megabytes come together before it collects.
        let site = Site::new(Way::Direct, |config| {
            config.environment("COMPlus_gcServer", "0")
        });
        drop(site.client(Way::Direct).await);
        // Code is compiled, pools are filled.
        ask(&site, 6_000).await;
        // Not one connection for both: it would be idle meanwhile, and so be closed.
        let before = told(&mut site.client(Way::Direct).await, "/memory").await;
        ask(&site, requests).await;
        let after = told(&mut site.client(Way::Direct).await, "/memory").await;
        println!("{requests} requests: {before} before, {after} after");
        for (kind, more) in [("managed", MANAGED), ("resident", RESIDENT)] {
            let (before, after) = (bytes(&before, kind), bytes(&after, kind));
            assert!(
                after < before + more,
                "{kind}: {before} before, {after} after"
            );
        }
        let process = &site.supervisor().status().processes[0];
        assert_eq!(process.state, "ready");
        site.close().await;
    });
}
