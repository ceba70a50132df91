//! Real processes: this test program, started again.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    config::{self, Config},
    error::Stage,
    proxy::{Address, Lease},
    supervisor::Supervisor,
};

/// Tells this program, started again, what to be.
const ROLE: &str = "ANCM_TEST_ROLE";

fn this_program(role: &str) -> config::Builder {
    Config::builder(std::env::temp_dir())
        .program(std::env::current_exe().unwrap())
        .arguments(["--exact", "supervisor::tests::real::role", "--nocapture"])
        .environment(ROLE, role)
        .startup_time_limit(Duration::from_secs(30))
}

fn supervise(config: config::Builder) -> Supervisor {
    let vars = BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]);
    Supervisor::new(Arc::new(config.build().unwrap()), Arc::new(vars)).unwrap()
}

async fn get(lease: &Lease, path: &str) -> String {
    let Address::Tcp(address) = lease.backend().address() else {
        panic!("TCP only");
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[tokio::test]
async fn serves_crashes_comes_back_restarts_and_stops() {
    let root = tempfile::tempdir().unwrap();
    let supervisor = supervise(this_program("app").stdout_log(root.path().join("logs/stdout")));
    let lease = supervisor.lease().await.unwrap();
    let first = supervisor.status().processes[0].clone();
    assert!(get(&lease, "/").await.ends_with("hello"));
    get(&lease, "/crash").await;
    drop(lease);
    while supervisor.status().restarts == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let lease = supervisor.lease().await.unwrap();
    assert!(get(&lease, "/").await.ends_with("hello"));
    drop(lease);
    supervisor.restart().await.unwrap();
    let third = supervisor.status().processes[0].clone();
    assert_eq!((third.generation, third.state), (3, "ready"));
    supervisor.shutdown().await;
    assert!(!is_alive(first.pid) && !is_alive(third.pid));

    let folder = fs::read_dir(root.path().join("logs")).unwrap();
    let logs = folder.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let logs: Vec<String> = logs.collect();
    assert_eq!(logs.len(), 3);
    // The one that crashed did not; the other two were asked, by a `POST` with their token.
    let asked = logs.iter().filter(|log| log.contains("asked to stop"));
    assert_eq!(asked.count(), 2, "{logs:?}");
}

#[tokio::test]
async fn a_start_that_fails_tells_its_exit_and_its_last_words() {
    let supervisor = supervise(this_program("fail"));
    let error = supervisor.lease().await.unwrap_err();
    let failure = error.start_failure().unwrap();
    assert_eq!(failure.stage, Stage::Exited);
    assert_eq!(failure.exit.as_deref(), Some("exit code 3"));
    assert!(failure.output.contains("no database\n"), "{failure:?}");
    assert!(!is_alive(failure.pid.unwrap()));
    supervisor.shutdown().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_fails_at_spawn() {
    let supervisor = supervise(Config::builder(std::env::temp_dir()).program("ancm-no-such"));
    let error = supervisor.lease().await.unwrap_err();
    let failure = error.start_failure().unwrap();
    assert_eq!(failure.stage, Stage::Spawn);
    assert!(failure.reason.contains("ancm-no-such"), "{failure:?}");
}

#[tokio::test]
async fn a_process_that_listens_elsewhere_is_killed() {
    let config = this_program("elsewhere").startup_time_limit(Duration::from_secs(1));
    let supervisor = supervise(config);
    let error = supervisor.lease().await.unwrap_err();
    let failure = error.start_failure().unwrap();
    assert_eq!(failure.stage, Stage::NotListening);
    assert!(!is_alive(failure.pid.unwrap()));
    supervisor.shutdown().await;
}

/// As a program does that listens at `localhost` where that is `::1`.
#[tokio::test]
async fn a_process_may_listen_by_ipv6_alone() {
    let supervisor = supervise(this_program("app6"));
    let lease = supervisor.lease().await.unwrap();
    let port = supervisor.status().processes[0].port.unwrap();
    assert_eq!(
        lease.backend().address().to_string(),
        format!("[::1]:{port}")
    );
    drop(lease);
    supervisor.shutdown().await;
    let text = supervisor.status();
    assert!(text.processes.is_empty(), "{text:?}");
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_process() {
    let supervisor = supervise(this_program("app"));
    drop(supervisor.lease().await.unwrap());
    let pid = supervisor.status().processes[0].pid;
    assert!(is_alive(pid));
    drop(supervisor);
    while is_alive(pid) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Not a test of its own: what this program is when a test starts it again.
#[test]
fn role() {
    match std::env::var(ROLE).as_deref() {
        Ok("app") => app(Ipv4Addr::LOCALHOST.into()),
        Ok("app6") => app(Ipv6Addr::LOCALHOST.into()),
        Ok("fail") => {
            eprintln!("no database");
            std::process::exit(3);
        }
        Ok("elsewhere") => {
            let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            std::thread::park();
        }
        Ok(_) | Err(_) => {}
    }
}

fn app(ip: IpAddr) {
    let variable = |name: &str| std::env::var(name).unwrap();
    let port: u16 = variable("ASPNETCORE_PORT").parse().unwrap();
    let listener = TcpListener::bind((ip, port)).unwrap();
    let token = format!("ms-aspnetcore-token: {}", variable("ASPNETCORE_TOKEN"));
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        if head.starts_with("GET /crash ") {
            std::process::exit(4);
        }
        if head.starts_with("POST /iisintegration ") && head.contains(&token) {
            println!("asked to stop");
            let _ = stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
            std::process::exit(0);
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
    }
}
