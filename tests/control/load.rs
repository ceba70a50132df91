//! Clients that never stop asking.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::task::JoinSet;

use crate::{
    site::{Site, pid_in},
    support::client::{Client, Protocol},
};

/// Constant load, until it is finished.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Asked>,
}

/// What clients saw.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) answers: usize,
    pub(crate) pids: BTreeSet<u32>,
    pub(crate) failures: Vec<String>,
}

impl Load {
    pub(crate) fn on(site: &Site, clients: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let client = |_| ask(site.address, Arc::clone(&stop));
        let clients = (0..clients).map(client).collect();
        Self { stop, clients }
    }

    pub(crate) async fn finish(self) -> Asked {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Asked::default();
        for one in self.clients.join_all().await {
            all.answers += one.answers;
            all.pids.extend(one.pids);
            all.failures.extend(one.failures);
        }
        all
    }
}

/// Every other request on a new connection.
async fn ask(address: SocketAddr, stop: Arc<AtomicBool>) -> Asked {
    let mut asked = Asked::default();
    while !stop.load(Ordering::Relaxed) {
        let mut client = Client::connect(address, Protocol::Http1).await;
        for _ in 0..2 {
            let answer = client.get("/").await;
            asked.answers += 1;
            if answer.status() == 200 {
                asked.pids.insert(pid_in(answer.text()));
            } else {
                let failure = format!("{}: {}", answer.status(), answer.text());
                asked.failures.push(failure);
            }
        }
    }
    asked
}

#[tokio::test]
async fn twenty_restarts_under_load_lose_no_request() {
    let site = Site::new();
    site.pid().await;
    let load = Load::on(&site, 4);
    for _ in 0..20 {
        site.operate(&["restart", "app"]).await;
    }
    let asked = load.finish().await;
    assert!(asked.failures.is_empty(), "{:?}", asked.failures);
    assert!(asked.answers > 100, "{} answers are no load", asked.answers);
    assert!(asked.pids.len() > 10, "hardly anything restarted");
    let status = site.status().await;
    assert_eq!(status["restarts"], 20, "{status:#}");
    assert_eq!(status["failures"], 0, "{status:#}");
}

#[tokio::test]
async fn a_touched_configuration_restarts_and_loses_no_request() {
    let site = Site::new();
    let old = site.pid().await;
    let load = Load::on(&site, 2);
    site.touch("web.config", 10);
    site.status_once(|status| status["restarts"] == 1).await;
    let new = site.pid().await;
    let asked = load.finish().await;
    assert!(asked.failures.is_empty(), "{:?}", asked.failures);
    assert_ne!(new, old);
    assert_eq!(asked.pids, [old, new].into());
}
