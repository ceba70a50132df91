//! How it ends, and what of the app ends with it.

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};

use super::*;

pub(super) fn pidfd(pid: u32) -> rustix::fd::OwnedFd {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    pidfd_open(pid, PidfdFlags::empty()).unwrap()
}

/// Waits until the process of `pidfd` has ended.
pub(super) fn gone(pidfd: &rustix::fd::OwnedFd) {
    let patience = Timespec::try_from(PATIENCE).unwrap();
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    assert_eq!(poll(&mut fds, Some(&patience)).unwrap(), 1, "it still runs");
}

/// Kills a process and waits until it has ended.
pub(super) fn kill(pid: u32) {
    let fd = pidfd(pid);
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    gone(&fd);
}

/// A shell or a service manager may allow as few as 1024.
#[test]
fn as_many_files_may_be_open_as_connections_need() {
    let dir = tempfile::tempdir().unwrap();
    let script =
        r#"ulimit -Sn 64 && exec "$0" --log-format json run --listen 127.0.0.1:0 --to 127.0.0.1:9"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, ANCM]).current_dir(dir.path());
    let mut run = Running::of(shell);
    run.listening();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", run.child.id())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers = line.unwrap().split_ascii_whitespace().skip(3);
    let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    assert_eq!(numbers[0], numbers[1].min(65_536), "{limits}");
}

/// A connection that is accepted needs another one to the app: whoever finds no room waits outside.
#[test]
fn who_finds_no_room_waits_and_is_answered() {
    const TOGETHER: usize = 50;
    let app = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = app.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut waiting = Vec::new();
        let mut come = 0;
        for stream in app.incoming() {
            let mut stream = stream.unwrap();
            head(&mut stream);
            come += 1;
            waiting.push(stream);
            if come >= TOGETHER {
                for mut stream in waiting.drain(..) {
                    let answer =
                        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                    // Who waits for it is the test's to see.
                    let _ = stream.write_all(answer);
                }
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let script =
        r#"ulimit -n 256 && exec "$0" --log-format json run --listen 127.0.0.1:0 --to "$1""#;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, ANCM, &to])
        .current_dir(dir.path());
    let mut run = Running::of(shell);
    let address = run.listening();
    let clients: Vec<_> = (0..200)
        .map(|_| {
            let mut client = TcpStream::connect(address).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            client.write_all(request).unwrap();
            client
        })
        .collect();
    for mut client in clients {
        let head = head(&mut client);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
}

/// The terminal went away.
#[test]
fn hangup_stops_it_in_peace() {
    let dir = tempfile::tempdir().unwrap();
    // Whoever runs the tests may outlive a hangup, and what they start with them.
    let mut env = Command::new("env");
    env.args(["--default-signal=HUP", ANCM, "--log-format", "json", "run"])
        .args(["--listen", "127.0.0.1:0", "--to", "127.0.0.1:9"])
        .current_dir(dir.path());
    let mut run = Running::of(env);
    run.listening();
    run.signal(Signal::HUP);
    assert_eq!(run.ended().code(), Some(0), "{:?}", run.seen);
}

#[test]
fn with_nohup_it_outlives_a_hangup() {
    let dir = tempfile::tempdir().unwrap();
    let script =
        r#"trap '' HUP; exec "$0" --log-format json run --listen 127.0.0.1:0 --to 127.0.0.1:9"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, ANCM]).current_dir(dir.path());
    let mut run = Running::of(shell);
    run.listening();
    run.signal(Signal::HUP);
    run.signal(Signal::TERM);
    assert_eq!(
        run.logged("Stopping; a second signal stops at once")["signal"],
        "SIGTERM"
    );
    assert_eq!(run.ended().code(), Some(0), "{:?}", run.seen);
}

#[test]
fn a_signal_stops_the_app_and_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = tempfile::tempdir().unwrap();
        let mut demo = Running::start(dir.path(), &["demo", "--listen", "127.0.0.1:0"]);
        let app = pidfd(pid(demo.listening()));
        demo.signal(signal);
        assert_eq!(demo.ended().code(), Some(0), "{:?}", demo.seen);
        gone(&app);
    }
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (app, mut run, address) = Running::before_an_app(dir.path(), &[]);
    let client = thread::spawn(move || ask(address, "GET /", "*/*"));
    let (mut stream, _) = app.accept().unwrap();
    head(&mut stream);
    run.signal(Signal::TERM);
    run.logged("Stopping; a second signal stops at once");
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").unwrap();
    assert!(client.join().unwrap().1.ends_with("late"));
    assert_eq!(run.ended().code(), Some(0), "{:?}", run.seen);
}

/// As `timeout` sends it: to its command, and to the group that it is in.
#[test]
fn a_signal_that_comes_twice_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let app = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = app.local_addr().unwrap().to_string();
    let mut run = Running::start(dir.path(), &["run", "--to", &to, "--listen", "127.0.0.1:0"]);
    let address = run.listening();
    let client = thread::spawn(move || ask(address, "GET /", "*/*"));
    let (mut stream, _) = app.accept().unwrap();
    head(&mut stream);
    run.signal(Signal::TERM);
    run.signal(Signal::HUP);
    run.logged("Stopping; a second signal stops at once");
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").unwrap();
    assert!(client.join().unwrap().1.ends_with("late"));
    assert_eq!(run.ended().code(), Some(0), "{:?}", run.seen);
}

#[test]
fn a_second_signal_ends_at_once_with_1() {
    let dir = tempfile::tempdir().unwrap();
    let (app, mut run, address) = Running::before_an_app(dir.path(), &[]);
    let mut client = TcpStream::connect(address).unwrap();
    write!(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (mut never_answered, _) = app.accept().unwrap();
    head(&mut never_answered);
    run.signal(Signal::TERM);
    run.logged("Stopping; a second signal stops at once");
    // One that comes too soon is taken for the first.
    while run.is_running() {
        run.signal(Signal::TERM);
        let line = run.log.recv_timeout(Duration::from_millis(50));
        run.seen.extend(line);
    }
    assert_eq!(run.ended().code(), Some(1), "{:?}", run.seen);
}
