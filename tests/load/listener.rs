//! Apps that take their connections where this module's own `listener` says.

use std::{collections::HashSet, fs, path::Path, time::Duration};

use ancm::{config::Listener, proxy::Address};
use http::Method;
use serde_json::Value;

use crate::{
    clients::Load,
    run,
    site::{Site, kill},
    support::{
        apps::App,
        client::{Client, Protocol},
    },
};

/// Where the process that serves is dialled.
async fn address(site: &Site) -> Address {
    let lease = site.supervisor().lease().await.unwrap();
    lease.backend().address().clone()
}

/// Kills and restarts cost no request; what is left of a socket is nothing.
async fn lose_no_request(app: App, listener: Listener, rounds: usize) {
    let site = Site::of(app, |config| config.listener(listener));
    let first = address(&site).await;
    let port = site.ready()[0].port;
    match (&first, listener) {
        (Address::Tcp(address), Listener::Inherited) => assert_eq!(port, Some(address.port())),
        (Address::Unix(path), _) => {
            assert!(path.exists() && port.is_none());
            let folder = fs::metadata(path.parent().unwrap()).unwrap();
            let mode = std::os::unix::fs::MetadataExt::mode(&folder);
            assert_eq!(mode & 0o777, 0o700, "nobody else gets there");
        }
        other => panic!("{other:?}"),
    }
    let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=2");
    let mut killed = HashSet::new();
    for _ in 0..rounds {
        load.everybody().await;
        kill(&site.victim(1, &mut killed).await);
        load.everybody().await;
        site.supervisor().restart().await.unwrap();
    }
    load.end().await.assert_only(&[200]);
    let last = address(&site).await;
    assert_ne!(first, last, "each process has its own");
    site.close().await;
    for address in [first, last] {
        if let Address::Unix(path) = address {
            assert!(!path.exists(), "{path:?}");
        }
    }
}

#[test]
fn a_twin_that_inherits_a_port_loses_no_request() {
    run(lose_no_request(App::Twin, Listener::Inherited, 5));
}

#[test]
fn a_twin_that_inherits_a_unix_socket_loses_no_request() {
    run(lose_no_request(App::Twin, Listener::InheritedUnix, 5));
}

#[test]
fn a_twin_that_opens_a_unix_socket_loses_no_request() {
    run(lose_no_request(App::Twin, Listener::Unix, 5));
}

#[test]
fn a_stock_app_that_opens_a_unix_socket_loses_no_request() {
    run(lose_no_request(App::Stock, Listener::Unix, 3));
}

/// It knows nothing of this module then, but for the headers.
#[test]
fn a_stock_app_at_a_unix_socket_knows_its_client() {
    run(async {
        let site = Site::of(App::Stock, |config| config.listener(Listener::Unix));
        let mut client = Client::connect(site.address, Protocol::Http1).await;
        let seen = client.get("/echo").await.json();
        assert_eq!(seen["remoteAddress"], "127.0.0.1", "{seen}");
        assert_eq!(seen["remotePort"], client.local().port(), "{seen}");
        site.close().await;
    });
}

/// The twin's app half is on, by whichever way it is reached, and lets nobody in past the module.
#[test]
fn the_twin_is_paired_wherever_it_listens() {
    run(async {
        for listener in [Listener::Inherited, Listener::InheritedUnix, Listener::Unix] {
            let site = Site::of(App::Twin, |config| {
                config
                    .listener(listener)
                    .path_base("/shop".parse().unwrap())
            });
            let mut client = Client::connect(site.address, Protocol::Http1).await;
            let seen = client.get("/shop/x").await.json();
            assert_eq!(seen["pathBase"], "/shop", "{seen}");
            assert_eq!(seen["remotePort"], client.local().port(), "{seen}");
            assert_eq!(seen["headers"].get("ms-aspnetcore-token"), None, "{seen}");
            let told = told_by(&mut client).await;
            let has = |name: &str| told.get(name).is_some();
            assert_eq!(has("ASPNETCORE_PORT"), listener == Listener::Inherited);
            assert_eq!(has("ANCM_LISTEN_FD"), listener != Listener::Unix);
            assert_eq!(has("ASPNETCORE_URLS"), listener == Listener::Unix);
            assert_eq!(past_the_module(&address(&site).await), 400, "{listener:?}");
            site.close().await;
        }
    });
}

/// The variables of a process of the twin.
async fn told_by(client: &mut Client) -> Value {
    client.get("/shop/env").await.json()["variables"].clone()
}

/// The status that somebody gets who goes around the module.
fn past_the_module(address: &Address) -> u16 {
    use std::{io::Read, io::Write, net::TcpStream, os::unix::net::UnixStream};

    fn ask(mut stream: impl Read + Write) -> u16 {
        stream
            .write_all(b"GET /shop/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.get(9..12).unwrap().parse().unwrap()
    }
    match address {
        Address::Tcp(address) => ask(TcpStream::connect(address).unwrap()),
        Address::Unix(path) => ask(UnixStream::connect(path).unwrap()),
        Address::InProcess(_) | _ => panic!("{address:?}"),
    }
}

/// Connections to a listener that was handed over succeed while nobody has taken it: that is not enough.
#[test]
fn a_process_that_leaves_its_listener_alone_is_not_ready() {
    run(async {
        for (listener, undone) in [
            (Listener::Inherited, "ANCM_LISTEN_FD"),
            (Listener::InheritedUnix, "ANCM_LISTEN_FD"),
            (Listener::Unix, "ASPNETCORE_URLS"),
        ] {
            let site = Site::of_script("exec sleep 100", |config| {
                config
                    .listener(listener)
                    .startup_time_limit(Duration::from_millis(300))
            });
            let error = site.supervisor().lease().await.unwrap_err();
            let failure = error.start_failure().unwrap();
            assert_eq!(failure.stage.as_str(), "not-listening", "{failure:?}");
            assert!(failure.reason.contains(undone), "{failure:?}");
            let pid = failure.pid.unwrap().to_string();
            assert!(!Path::new("/proc").join(pid).exists());
            site.close().await;
        }
    });
}

/// A launcher hands the descriptor on, and may go.
#[test]
fn a_descendant_may_take_the_listener() {
    run(async {
        for listener in [Listener::Inherited, Listener::InheritedUnix] {
            let script = r#""$0" & exit 0"#;
            let site = Site::of_script(script, |config| config.listener(listener));
            let mut client = Client::connect(site.address, Protocol::Http1).await;
            assert_eq!(client.get("/x").await.status(), 200, "{listener:?}");
            site.close().await;
        }
    });
}

#[test]
fn a_port_that_is_set_is_one_that_can_be_inherited() {
    run(async {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port().min(48_000).to_string();
        drop(free);
        let preset = |listener| {
            let port = port.clone();
            move |config: ancm::config::Builder| {
                config
                    .listener(listener)
                    .environment("ASPNETCORE_PORT", port)
            }
        };
        let site = Site::of(App::Twin, preset(Listener::Inherited));
        let told = address(&site).await.to_string();
        assert!(told.ends_with(&port), "{told}");
        site.close().await;
        let site = Site::of(App::Twin, preset(Listener::Unix));
        let error = site.supervisor().lease().await.unwrap_err();
        let failure = error.start_failure().unwrap();
        assert_eq!(failure.stage.as_str(), "prepare", "{failure:?}");
        site.close().await;
    });
}
