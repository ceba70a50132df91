//! Apps in workers: the same twin, hosted in process.

use std::{collections::HashSet, fs, path::Path, time::Duration};

use ancm::{
    config::{Builder, HostingModel},
    proxy::Address,
};
use http::{Method, Request};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    clients::Load,
    run,
    site::{Site, kill},
    support::client::{Client, Protocol, empty},
};

/// The twin, in a worker of the twin's own program.
fn hosted(change: impl FnOnce(Builder) -> Builder) -> Site {
    Site::of_worker(|config| change(config.hosting_model(HostingModel::InProcess)))
}

async fn client(site: &Site) -> Client {
    Client::connect(site.address, Protocol::Http1).await
}

/// Status and body of the answer to `GET path`.
async fn get(site: &Site, path: &str) -> (u16, String) {
    let answer = client(site).await.get(path).await;
    (answer.status().as_u16(), answer.text().to_owned())
}

#[test]
fn an_app_in_a_worker_sees_its_client_and_no_module() {
    run(async {
        let site = hosted(|config| {
            config
                .path_base("/shop".parse().unwrap())
                .environment("ASPNETCORE_FROM_CONFIG", "yes")
                .environment("ASPNETCORE_PORT", "5000")
        });
        let mut client = client(&site).await;
        let request = Request::get("/Shop/a%2Fb?c=d").header("x-forwarded-for", "203.0.113.9");
        let seen = client.ask(request.body(empty()).unwrap()).await.json();
        assert_eq!(seen["pathBase"], "/Shop", "{seen}");
        assert_eq!(seen["path"], "/a%2Fb", "{seen}");
        assert_eq!(seen["remoteAddress"], "127.0.0.1", "{seen}");
        assert_eq!(seen["remotePort"], client.local().port(), "{seen}");
        let headers = seen["headers"].as_object().unwrap();
        assert!(
            headers.keys().all(|name| !name.starts_with("ms-")),
            "{seen}"
        );
        assert!(!headers.contains_key("x-original-for"), "{seen}");

        let told = client.get("/shop/env").await.json();
        assert_eq!(
            told["contentRoot"],
            *site.folder.path().canonicalize().unwrap().to_str().unwrap()
        );
        let told = told["variables"].as_object().unwrap();
        for name in [
            "ASPNETCORE_PORT",
            "ASPNETCORE_TOKEN",
            "ASPNETCORE_APPL_PATH",
        ] {
            assert!(!told.contains_key(name), "{told:?}");
        }
        assert!(!told.contains_key("ANCM_LISTEN_FD"), "{told:?}");
        assert_eq!(told["ASPNETCORE_FROM_CONFIG"], "yes");
        assert_eq!(told["ASPNETCORE_IIS_HTTPAUTH"], "anonymous;");
        let root = told["ASPNETCORE_IIS_PHYSICAL_PATH"].as_str().unwrap();
        assert_eq!(Path::new(root), site.folder.path());
        site.close().await;
    });
}

#[test]
fn a_failed_start_is_told_by_the_module_s_number() {
    run(async {
        for (status, title) in [
            (30, "500.30 - ANCM In-Process Start Failure"),
            (31, "500.31 - ANCM Failed to Find Native Dependencies"),
            (38, "500.38 - ANCM Application DLL Not Found"),
        ] {
            let site =
                hosted(|config| config.environment("STARTUP_SUB_STATUS", status.to_string()));
            let (seen, page) = get(&site, "/").await;
            assert_eq!(seen, 500);
            assert!(
                page.contains(title) && page.contains("<b>hosting</b>"),
                "{page}"
            );
            assert!(!page.contains("database"), "only in Development: {page}");
            // Once: what a worker says, another one would say too.
            let failure = site.supervisor().last_failure().unwrap();
            assert_eq!(site.supervisor().status().failures, 1, "{failure:?}");
            assert!(failure.detail.as_ref().unwrap().contains("at Main()"));
            site.close().await;
        }
        let site = hosted(|config| {
            config
                .environment("STARTUP_SUB_STATUS", "30")
                .environment("ASPNETCORE_ENVIRONMENT", "Development")
        });
        let (_, page) = get(&site, "/").await;
        assert!(
            page.contains("System.Exception: &lt;no&gt; database"),
            "{page}"
        );
        site.close().await;
    });
}

#[test]
fn a_worker_that_ends_or_takes_too_long_at_its_start_is_told_so() {
    run(async {
        let site = hosted(|config| config.environment("STARTUP_EXIT_CODE", "7"));
        let (status, page) = get(&site, "/").await;
        assert!(status == 500 && page.contains("500.30"), "{page}");
        let failure = site.supervisor().last_failure().unwrap();
        assert_eq!(failure.exit.as_deref(), Some("exit code 7"));
        assert!(failure.output.contains("exiting at start"), "{failure:?}");
        site.close().await;

        let site = hosted(|config| {
            config
                .environment("STARTUP_DELAY_MS", "60000")
                .startup_time_limit(Duration::from_secs(1))
        });
        let (status, page) = get(&site, "/").await;
        assert!(status == 500 && page.contains("500.37"), "{page}");
        let pid = site.supervisor().last_failure().unwrap().pid.unwrap();
        assert!(!Path::new("/proc").join(pid.to_string()).exists());
        site.close().await;
    });
}

#[test]
fn a_start_that_failed_is_tried_again_by_the_next_request() {
    run(async {
        let site = hosted(|config| config.environment("STARTUP_SUB_STATUS", "30"));
        for failures in 1..=3 {
            assert_eq!(get(&site, "/").await.0, 500);
            assert_eq!(site.supervisor().status().failures, failures);
        }
        site.close().await;
    });
}

#[test]
fn restarts_and_kills_of_a_worker_lose_no_request() {
    run(async {
        let site = hosted(|config| config);
        let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=2");
        load.until(200, 50).await;
        let mut killed = HashSet::new();
        for _ in 0..7 {
            site.supervisor().restart().await.unwrap();
            load.everybody().await;
            kill(&site.victim(1, &mut killed).await);
            load.everybody().await;
        }
        load.end().await.assert_only(&[200]);
        site.close().await;
    });
}

/// As a runtime does that returns from `Main`, or is told to by the app.
#[test]
fn an_app_that_ends_by_itself_is_replaced() {
    run(async {
        let site = hosted(|config| config.environment("ENDS_AFTER_MS", "300"));
        let first = get(&site, "/env").await;
        while site.supervisor().status().restarts == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let second = get(&site, "/env").await;
        assert_eq!((first.0, second.0), (200, 200));
        assert_ne!(first.1, second.1, "another process");
        site.close().await;
    });
}

/// ANCM: `requestTimeout` is for apps out of process.
#[test]
fn a_worker_may_take_longer_than_the_request_timeout() {
    run(async {
        let limit = Duration::from_millis(100);
        let site = hosted(|config| config.request_timeout(Some(limit)));
        assert_eq!(get(&site, "/slow?ms=1000").await.0, 200);
        site.close().await;
    });
}

#[test]
fn signals_stop_a_worker_in_good_order_and_the_parent_brings_the_next() {
    run(async {
        let site = hosted(|config| config.stdout_log("logs/out"));
        let (_, _) = get(&site, "/env").await;
        for name in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP] {
            let worker = site.ready_at_least(1).await.remove(0);
            let mut slow = client(&site).await;
            let slow = tokio::spawn(async move { slow.get("/slow?ms=300").await.status() });
            while site.ready().iter().all(|one| one.in_flight == 0) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let pid = i32::try_from(worker.pid).ok().and_then(Pid::from_raw);
            kill_process(pid.unwrap(), name).unwrap();
            assert_eq!(slow.await.unwrap(), 200, "{name:?}");
            while site.ready().iter().all(|one| one.pid == worker.pid) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            site.supervisor().restart().await.unwrap();
        }
        site.close().await;
    });
}

#[test]
fn a_worker_that_does_not_stop_is_killed() {
    run(async {
        let site = hosted(|config| {
            config
                .environment("IGNORES_STOP", "1")
                .shutdown_time_limit(Duration::from_secs(1))
        });
        assert_eq!(get(&site, "/x").await.0, 200);
        let worker = site.ready()[0].clone();
        let begin = tokio::time::Instant::now();
        site.supervisor().stop().await;
        assert!(!Path::new("/proc").join(worker.pid.to_string()).exists());
        assert!(begin.elapsed() >= Duration::from_secs(1));
        site.close().await;
    });
}

#[test]
fn nobody_gets_to_the_app_past_the_parent_and_no_secret_shows() {
    run(async {
        let site = hosted(|config| config);
        let lease = site.supervisor().lease().await.unwrap();
        let Address::Unix(path) = lease.backend().address().clone() else {
            panic!("a worker listens on a Unix socket");
        };
        let token = lease.backend().token().unwrap().header_value().clone();
        let token = token.to_str().unwrap();
        let pid = site.ready()[0].pid;
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{pid}/{file}")).unwrap();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains(token), "{file}");
        }
        let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let request = b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        std::io::Write::write_all(&mut stream, request).unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        drop(lease);
        site.close().await;
        assert!(!path.exists());
    });
}

#[test]
fn without_a_worker_program_an_app_is_hosted_out_of_process() {
    run(async {
        let site = Site::of(crate::support::apps::App::Twin, |config| {
            config.hosting_model(HostingModel::InProcess)
        });
        let (status, told) = get(&site, "/env").await;
        assert!(status == 200 && told.contains("ASPNETCORE_PORT"), "{told}");
        site.close().await;
    });
}

/// The twin, in a worker that accepts connections itself.
fn direct(change: impl FnOnce(Builder) -> Builder) -> Site {
    Site::of_direct_worker(|config| change(config.hosting_model(HostingModel::InProcess)))
}

/// How many sockets a process has.
fn sockets(pid: u32) -> usize {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = open.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    links
        .filter(|link| {
            link.to_str()
                .is_some_and(|link| link.starts_with("socket:"))
        })
        .count()
}

#[test]
fn clients_of_a_direct_worker_are_its_own() {
    run(async {
        let site = direct(|config| config.path_base("/shop".parse().unwrap()));
        // The first one finds no worker: the parent accepts it, and it goes when it has its answer.
        let mut first = client(&site).await;
        let mut answer = first.get("/shop/env").await;
        assert_eq!(answer.status(), 200);
        let pid = site.ready()[0].pid;
        let before = sockets(pid);
        let mut clients = Vec::new();
        for _ in 0..40 {
            let mut client = client(&site).await;
            let seen = client.get("/shop/x?y").await.json();
            assert_eq!(seen["pathBase"], "/shop", "{seen}");
            assert_eq!(seen["remotePort"], client.local().port(), "{seen}");
            clients.push(client);
        }
        let own = sockets(pid).saturating_sub(before);
        assert!(own >= 40, "{own}");
        assert_eq!(site.ready()[0].in_flight, 0);
        // Both protocols, and what the parent kept open goes with its next answer.
        let mut http2 = Client::connect(site.address, Protocol::Http2).await;
        assert_eq!(http2.get("/shop/x").await.json()["protocol"], "HTTP/2.0");
        if answer.values("connection").is_empty() {
            // It came before the parent stood by.
            answer = first.get("/shop/x").await;
        }
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.values("connection"), ["close"]);
        let slow = tokio::spawn(async move {
            let mut client = clients.remove(0);
            client.get("/shop/slow?ms=1000").await.status()
        });
        while site.ready()[0].in_flight == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(slow.await.unwrap(), 200);
        site.close().await;
    });
}

#[test]
fn twenty_restarts_of_a_direct_worker_lose_no_request() {
    run(async {
        for (method, processes) in [(Method::GET, 1), (Method::POST, 2)] {
            let site = direct(|config| config.processes_per_application(processes));
            let mut load = Load::begin(site.address, &method, "/slow?ms=2");
            load.until(200, 50).await;
            for _ in 0..20 {
                site.supervisor().restart().await.unwrap();
                load.everybody().await;
            }
            load.end().await.assert_only(&[200]);
            let status = site.supervisor().status();
            assert!(status.restarts >= 20 * u64::from(processes), "{status:?}");
            site.close().await;
        }
    });
}

/// Kills a worker that accepts connections itself. At most what was in flight there is lost: a request of each client.
async fn kill_one(site: &Site, load: &mut Load, killed: &mut HashSet<u32>) {
    let before = load.so_far().broken.len();
    kill(&site.victim(1, killed).await);
    load.everybody().await;
    let lost = load.so_far().broken.len() - before;
    assert!(lost <= crate::clients::CLIENTS, "{lost}");
}

/// Whatever was answered was answered by the app.
async fn end(load: Load) {
    let tally = load.end().await;
    assert!(
        tally.statuses.keys().all(|status| *status == 200),
        "{tally:?}"
    );
}

#[test]
fn twenty_kills_of_a_direct_worker_cost_what_was_in_flight() {
    run(async {
        let site = direct(|config| config);
        let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=2");
        load.until(200, 50).await;
        let mut killed = HashSet::new();
        for round in 1..=20 {
            load.everybody().await;
            kill_one(&site, &mut load, &mut killed).await;
            if round % 3 == 0 {
                site.supervisor().restart().await.unwrap();
            }
        }
        end(load).await;
        site.close().await;
    });
}

#[test]
fn a_direct_app_goes_offline_and_comes_back() {
    run(async {
        let site = direct(|config| config);
        assert_eq!(get(&site, "/x").await.0, 200);
        for _ in 0..3 {
            site.write("app_offline.htm", "gone fishing");
            while get(&site, "/x").await != (503, "gone fishing".to_owned()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            site.remove("app_offline.htm");
            while get(&site, "/x").await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        site.close().await;
    });
}

/// Nothing of it comes by the parent, who stops what nobody uses nevertheless, and nothing else.
#[test]
fn a_direct_app_that_nobody_uses_is_stopped() {
    run(async {
        let site = direct(|config| config.idle_timeout(Duration::from_secs(1)));
        let mut client = client(&site).await;
        assert_eq!(client.get("/x").await.status(), 200);
        let mut client = Client::connect(site.address, Protocol::Http1).await;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            assert_eq!(client.get("/x").await.status(), 200);
        }
        assert_eq!(site.supervisor().status().restarts, 0);
        while !site.ready().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(get(&site, "/x").await.0, 200);
        site.close().await;
    });
}

/// An ASP.NET Core app in process, under all that can happen to it: `ancm worker` and CoreCLR, unmodified.
#[test]
fn a_stock_app_in_process_survives_restarts_and_kills() {
    run(async {
        let site = Site::of_stock_worker(|config| config);
        let mut load = Load::begin(site.address, &Method::GET, "/slow?ms=2");
        load.until(200, 50).await;
        for _ in 0..5 {
            site.supervisor().restart().await.unwrap();
            load.everybody().await;
        }
        // Not one request was lost so far.
        load.so_far().assert_only(&[200]);
        let mut killed = HashSet::new();
        for _ in 0..3 {
            kill_one(&site, &mut load, &mut killed).await;
        }
        end(load).await;
        site.close().await;
    });
}

#[test]
fn a_stock_app_in_process_that_fails_is_told_by_its_number() {
    run(async {
        let site = Site::of_stock_worker(|config| {
            config
                .environment("STARTUP_EXIT_CODE", "9")
                .environment("ASPNETCORE_ENVIRONMENT", "Development")
        });
        let (status, page) = get(&site, "/").await;
        assert!(status == 500 && page.contains("500.30"), "{page}");
        assert!(page.contains("Main returned 9"), "{page}");
        site.close().await;

        let site = Site::of_stock_worker(|config| config.arguments(["NoSuch.dll"]));
        let (status, page) = get(&site, "/").await;
        assert!(status == 500 && page.contains("HTTP Error 500.3"), "{page}");
        site.close().await;
    });
}
