//! Somebody else on the app's port.

use std::{collections::HashSet, net::Ipv4Addr, sync::Arc};

use http::Method;
use tokio::{
    io::AsyncReadExt,
    net::TcpListener,
    sync::Mutex,
    task::{JoinHandle, JoinSet},
};

use crate::{
    clients::Load,
    run,
    site::{Site, kill},
    support::apps::App,
};

/// Takes connections on a port and keeps all that it is sent.
struct Thief {
    loot: Arc<Mutex<Vec<u8>>>,
    accepting: JoinHandle<()>,
}

impl Thief {
    fn at(listener: TcpListener) -> Self {
        let loot = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&loot);
        let accepting = tokio::spawn(async move {
            let mut victims = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                victims.spawn(async move {
                    let mut bytes = [0; 1024];
                    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                        kept.lock().await.extend(&bytes[..length]);
                    }
                });
            }
        });
        Self { loot, accepting }
    }

    async fn assert_empty_handed(self) {
        self.accepting.abort();
        let loot = self.loot.lock().await;
        assert!(loot.is_empty(), "{}", String::from_utf8_lossy(&loot));
    }
}

/// Takes `port` as soon as it is free; nobody of ours asks for it again.
async fn steal(port: u16) -> TcpListener {
    loop {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            return listener;
        }
        tokio::task::yield_now().await;
    }
}

/// The port is chosen, and then somebody else is faster than the app.
#[cfg(unix)]
#[test]
fn who_is_faster_than_the_app_gets_nothing() {
    run(async {
        // Each attempt tells its port, and lives on without it.
        let script = r#"echo "$ASPNETCORE_PORT" > port.new; mv port.new port; while :; do read -r never < fifo; done"#;
        let site = Site::of_script(script, |config| config);
        let fifo = site.folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        let asking = tokio::spawn(crate::clients::all_at_once(site.address, 50, "/"));
        let mut thieves = Vec::new();
        for _attempt in 0..2 {
            let port = site.folder.path().join("port");
            let port: u16 = loop {
                if let Ok(port) = std::fs::read_to_string(&port) {
                    break port.trim().parse().unwrap();
                }
                tokio::task::yield_now().await;
            };
            site.remove("port");
            thieves.push(Thief::at(steal(port).await));
        }
        let tally = asking.await.unwrap();
        tally.assert_only(&[502]);
        for thief in thieves {
            thief.assert_empty_handed().await;
        }
        let failure = site.supervisor().status().last_failure.unwrap();
        assert_eq!(failure.stage, "wrong-owner");
        site.close().await;
    });
}

/// The app dies while it serves, and its port is taken before anybody has noticed.
#[test]
fn who_takes_the_place_of_a_dead_app_gets_nothing() {
    run(async {
        let site = Site::of(App::Twin, |config| config);
        let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=2");
        let (mut thieves, mut killed) = (Vec::new(), HashSet::new());
        for _ in 0..if cfg!(windows) { 5 } else { 20 } {
            load.everybody().await;
            let victim = site.victim(1, &mut killed).await;
            kill(&victim);
            thieves.push(Thief::at(steal(victim.port.unwrap()).await));
            load.everybody().await;
            site.supervisor().restart().await.unwrap();
        }
        load.end().await.assert_only(&[200]);
        for thief in thieves {
            thief.assert_empty_handed().await;
        }
        site.close().await;
    });
}
