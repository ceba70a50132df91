//! With real children: `sh`, and this test program itself where a child must listen or be a host.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, Ipv6Addr, TcpListener, ToSocketAddrs},
    os::fd::OwnedFd,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use tokio::io::AsyncReadExt;

use super::*;

/// Tells this program, started again, what to be.
const ROLE: &str = "ANCM_TEST_ROLE";

fn shell(script: &str) -> Launch {
    Launch {
        program: "sh".into(),
        arguments: vec!["-c".into(), script.into()],
        directory: "/".into(),
        environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        output: Output::Pipe,
        descriptors: Vec::new(),
    }
}

/// This program, being `role`.
fn again(role: &str) -> Launch {
    let mut launch = shell("");
    launch.program = std::env::current_exe().unwrap();
    launch.arguments = role_arguments().map(Into::into).to_vec();
    launch.environment.push((ROLE.into(), role.into()));
    launch
}

fn role_arguments() -> [&'static str; 3] {
    ["--exact", "supervisor::process::tests::role", "--nocapture"]
}

/// The text up to the end of the stream, or to `end`.
async fn read_until(child: &Child, end: &str) -> String {
    let mut output = child.take_output().unwrap();
    let mut text = String::new();
    loop {
        let mut buffer = [0; 256];
        let length = output.read(&mut buffer).await.unwrap();
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        if length == 0 || !end.is_empty() && text.contains(end) {
            // Dropped later, it would be a broken pipe for the child.
            std::mem::forget(output);
            return text;
        }
    }
}

async fn read_line(child: &Child) -> String {
    read_until(child, "\n").await.trim().to_owned()
}

/// Processes to wait for, by handles that no reuse of their numbers can fool.
struct Watched(Vec<OwnedFd>);

impl Watched {
    /// The processes that `numbers` names.
    fn new(numbers: &str) -> Self {
        let open = |number: &str| {
            let pid = Pid::from_raw(number.parse().unwrap()).unwrap();
            pidfd_open(pid, PidfdFlags::empty()).unwrap()
        };
        Self(numbers.split_whitespace().map(open).collect())
    }

    fn all_ended_within(&self, limit: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + limit;
        self.0.iter().all(|fd| {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let left = left.try_into().unwrap();
            poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&left)).unwrap() == 1
        })
    }
}

const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn tells_how_a_process_ended() {
    let cases = [
        ("exit 0", Exit::code(0)),
        ("exit 3", Exit::code(3)),
        ("kill -9 $$", Exit::signal(9)),
        ("kill -TERM $$", Exit::signal(15)),
    ];
    for (script, want) in cases {
        let child = Os.spawn(&shell(script)).unwrap();
        let clone = child.clone();
        assert_eq!(child.exited().await, want, "{script}");
        assert_eq!(clone.exited().await, want, "a second time: {script}");
    }
}

#[tokio::test]
async fn both_streams_come_through_one_pipe_in_order() {
    let launch = shell("echo one; echo two >&2; echo three; cat; pwd; echo $$");
    let child = Os.spawn(&launch).unwrap();
    let text = read_until(&child, "").await;
    assert_eq!(text, format!("one\ntwo\nthree\n/\n{}\n", child.id()));
    assert!(child.take_output().is_none(), "only once");
}

#[tokio::test]
async fn output_may_go_nowhere() {
    let mut launch = shell("echo out; echo err >&2");
    launch.output = Output::Null;
    let child = Os.spawn(&launch).unwrap();
    assert!(child.take_output().is_none());
    assert_eq!(child.exited().await, Exit::code(0));
}

#[tokio::test]
async fn nothing_but_what_is_given_is_inherited() {
    let script = "env | grep -v ^PATH= | grep -v ^_= | grep -v ^PWD= | grep -v ^OLDPWD= | grep -v ^SHLVL=; \
                  ls /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status";
    let mut launch = shell(script);
    launch.environment.push(("A".into(), "b c".into()));
    let forgotten = std::fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&forgotten, rustix::io::FdFlags::empty()).unwrap();
    #[expect(unsafe_code, reason = "ignores a signal that nobody here uses")]
    // SAFETY: no handler.
    unsafe {
        libc::signal(libc::SIGUSR2, libc::SIG_IGN);
    }
    let child = Os.spawn(&launch).unwrap();
    let text = read_until(&child, "").await;
    // The three streams, and the directory that `ls` reads.
    let (text, ignored) = text.split_once("SigIgn:\t").unwrap();
    assert_eq!(text, "A=b c\n4\nSigBlk:\t0000000000000000\n");
    // The C library does not let its own two real-time signals, 32 and 33, be changed.
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0, "{ignored:x}");
}

/// Under its own number, and of the program alone: the guardian must not keep a listener open.
#[tokio::test]
async fn what_is_handed_over_is_inherited_and_kept_by_nobody_else() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut launch = shell("");
    let writer = OwnedFd::from(writer);
    let number = std::os::fd::AsRawFd::as_raw_fd(&writer);
    // The shell of this system takes no number above 9 in a redirection.
    let script = format!("echo handed over > /proc/self/fd/{number}; kill -9 $$");
    launch.arguments = vec!["-c".into(), script.into()];
    launch.descriptors = vec![writer];
    let child = Os.spawn(&launch).unwrap();
    drop(launch);
    let read = tokio::task::spawn_blocking(move || std::io::read_to_string(reader).unwrap());
    let text = tokio::time::timeout(SOON, read).await;
    let text = text.expect("nobody keeps it open").unwrap();
    assert_eq!(text, "handed over\n");
    child.exited().await;
}

#[tokio::test]
async fn what_can_not_be_started_says_why() {
    let cases = [
        (
            Launch {
                program: "no-such-program".into(),
                ..shell("")
            },
            "program `no-such-program`",
        ),
        (
            Launch {
                program: "/etc/passwd".into(),
                ..shell("")
            },
            "program `/etc/passwd`",
        ),
        (
            Launch {
                directory: "/no/such".into(),
                ..shell("")
            },
            "directory `/no/such`",
        ),
        (
            Launch {
                directory: "/etc/passwd".into(),
                ..shell("")
            },
            "directory `/etc/passwd`",
        ),
    ];
    for (launch, want) in cases {
        let error = Os.spawn(&launch).unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
        assert_ne!(error.kind(), std::io::ErrorKind::Other, "{error}");
    }
}

#[test]
fn without_a_runtime_nothing_is_started() {
    assert!(Os.spawn(&shell("exit 0")).is_err());
}

#[test]
fn the_environment_is_not_shown() {
    let mut launch = shell("");
    launch.environment = vec![("ASPNETCORE_TOKEN".into(), "secret".into())];
    let text = format!("{launch:?}");
    assert!(
        text.contains("ASPNETCORE_TOKEN") && !text.contains("secret"),
        "{text}"
    );
}

#[tokio::test]
async fn terminate_asks_the_group() {
    let script = "trap 'echo asked; exit 5' TERM; echo ready; sleep 1000 & wait";
    let child = Os.spawn(&shell(script)).unwrap();
    assert_eq!(read_line(&child).await, "ready");
    child.terminate();
    assert_eq!(child.exited().await, Exit::code(5));
}

#[tokio::test]
async fn who_ignores_terminate_is_killed() {
    let script = "trap '' TERM; echo ready; while :; do sleep 1000; done";
    let child = Os.spawn(&shell(script)).unwrap();
    assert_eq!(read_line(&child).await, "ready");
    child.terminate();
    child.kill();
    assert_eq!(child.exited().await, Exit::signal(9));
    child.kill();
    child.terminate();
}

/// In the group, in another group (which `timeout` makes), in another session, and orphaned in another session.
const FAMILY: &str = "sleep 1000 & a=$!; timeout 1000 sleep 1000 & b=$!; setsid sleep 1000 & c=$!; \
    d=$(setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!'); echo $$ $a $b $c $d; wait";

#[tokio::test]
async fn kill_reaches_the_whole_tree() {
    let child = Os.spawn(&shell(FAMILY)).unwrap();
    let all = Watched::new(&read_line(&child).await);
    assert_eq!(all.0.len(), 5);
    child.kill();
    assert_eq!(child.exited().await, Exit::signal(9));
    assert!(all.all_ended_within(SOON));
}

#[tokio::test]
async fn dropping_the_last_handle_kills_the_whole_tree() {
    let child = Os.spawn(&shell(FAMILY)).unwrap();
    let clone = child.clone();
    let all = Watched::new(&read_line(&child).await);
    drop(child);
    assert!(!all.all_ended_within(Duration::from_millis(50)));
    drop(clone);
    assert!(all.all_ended_within(SOON));
}

#[tokio::test]
async fn what_the_program_left_behind_lives_until_it_is_killed() {
    let child = Os.spawn(&shell("sleep 1000 & echo $!; exit 4")).unwrap();
    let left = Watched::new(&read_line(&child).await);
    assert_eq!(child.exited().await, Exit::code(4));
    assert!(!left.all_ended_within(Duration::from_millis(50)));
    child.terminate();
    assert!(
        left.all_ended_within(SOON),
        "it is asked in the program's place"
    );
}

/// The thread that spawned may end: the parent-death signal hangs on the guardian.
#[tokio::test]
async fn the_end_of_the_spawning_thread_ends_nothing() {
    let runtime = tokio::runtime::Handle::current();
    let spawn = move || {
        let _inside = runtime.enter();
        Os.spawn(&shell("echo $$; exec sleep 1000")).unwrap()
    };
    let child = std::thread::spawn(spawn).join().unwrap();
    let all = Watched::new(&read_line(&child).await);
    assert!(!all.all_ended_within(Duration::from_millis(50)));
    child.kill();
    assert!(all.all_ended_within(SOON));
}

#[tokio::test]
async fn the_end_of_the_guardian_ends_the_program() {
    let child = Os.spawn(&shell("ps -o ppid= $$; exec sleep 1000")).unwrap();
    let program = Watched::new(&child.id().to_string());
    let guardian = read_line(&child).await.parse().unwrap();
    kill_process(Pid::from_raw(guardian).unwrap(), Signal::KILL).unwrap();
    assert_eq!(child.exited().await, Exit::signal(9));
    assert!(program.all_ended_within(SOON));
}

#[tokio::test]
async fn memory_is_that_of_the_whole_tree() {
    let mut launch = again("memory");
    let one = Os.spawn(&launch).unwrap();
    assert_eq!(read_until(&one, "ready").await.matches("ready").count(), 1);
    let program = std::env::current_exe().unwrap();
    let command = format!("{program:?} {}", role_arguments().join(" "));
    launch.program = "sh".into();
    launch.arguments = vec![
        "-c".into(),
        format!("{command} & setsid {command} & wait").into(),
    ];
    let two = Os.spawn(&launch).unwrap();
    let mut seen = String::new();
    let mut output = two.take_output().unwrap();
    while seen.matches("ready").count() < 2 {
        let mut buffer = [0; 256];
        let length = output.read(&mut buffer).await.unwrap();
        seen.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    let (one, two) = (one.memory().unwrap() >> 20, two.memory().unwrap() >> 20);
    assert!((32..60).contains(&one), "{one} MiB");
    assert!((64..100).contains(&two), "{two} MiB");
}

/// A copy of our memory would stay in the guardian as we change ours, and our secrets with it.
#[tokio::test]
async fn the_guardian_forgets_our_memory() {
    let mut memory = vec![1_u8; 32 << 20];
    let child = Os.spawn(&shell("ps -o ppid= $$; exec sleep 1000")).unwrap();
    let guardian = read_line(&child).await;
    memory.fill(2);
    let status = std::fs::read_to_string(format!("/proc/{guardian}/status")).unwrap();
    assert!(status.contains("Name:\tancm-guardian\n"), "{status}");
    let anonymous = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let anonymous = anonymous.unwrap().trim().trim_end_matches(" kB");
    assert!(anonymous.parse::<u64>().unwrap() < 4096, "{anonymous} kB");
    assert_eq!(std::hint::black_box(&memory).last(), Some(&2));
}

/// `kill -9` of the host: nothing of the tree survives it.
#[test]
fn nothing_outlives_us() {
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(role_arguments())
        .env(ROLE, "host")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let numbers = lines
        .map(Result::unwrap)
        .find_map(|line| Some(line.strip_prefix("tree ")?.to_owned()));
    let all = Watched::new(&numbers.unwrap());
    assert_eq!(all.0.len(), 6);
    assert!(!all.all_ended_within(Duration::from_millis(50)));
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(all.all_ended_within(SOON));
}

#[tokio::test]
async fn a_thousand_lives_leave_nothing_behind() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let me = rustix::process::getpid().as_raw_pid();
    let children = || {
        let mut count = 0;
        tree::for_each_process(|process| count += usize::from(process.parent == me)).unwrap();
        count
    };
    let launch = Launch {
        program: "true".into(),
        arguments: vec![],
        ..shell("")
    };
    let (files, processes) = (open(), children());
    for _ in 0..1000 {
        let child = Os.spawn(&launch).unwrap();
        assert_eq!(child.exited().await, Exit::code(0));
    }
    // Other tests run beside this one: a leak would show a thousand times.
    while children() > processes + 100 {
        tokio::task::yield_now().await;
    }
    assert!(open() < files + 200, "{} files, then {}", files, open());
}

/// Starts `launch`, which says where it listens.
async fn listening(launch: &Launch) -> (Child, u16) {
    let child = Os.spawn(launch).unwrap();
    let text = read_until(&child, "!").await;
    let port = text
        .split_once("port ")
        .and_then(|(_, rest)| rest.split_once('!'))
        .unwrap()
        .0;
    let port = port.parse().unwrap();
    (child, port)
}

fn v4(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn v6(port: u16) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, port).into()
}

/// Sooner or later: between fork and exec, another test's child holds each of our sockets for a moment.
#[track_caller]
fn assert_listener(child: &Child, address: SocketAddr, want: Listener) {
    let deadline = tokio::time::Instant::now() + SOON;
    while child.listener(address).unwrap() != want && tokio::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(child.listener(address).unwrap(), want);
}

#[tokio::test]
async fn knows_its_own_listener() {
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0", "[::ffff:127.0.0.1]:0"] {
        let (child, port) = listening(&again(address)).await;
        let own = Listener::Own(child.id());
        assert_listener(&child, v4(port), own);
        child.kill();
        child.exited().await;
        assert_listener(&child, v4(port), Listener::None);
    }
}

#[tokio::test]
async fn who_can_not_be_reached_at_the_loopback_address_is_nobody() {
    for address in ["[::1]:0", "127.0.0.2:0"] {
        let (child, port) = listening(&again(address)).await;
        assert_listener(&child, v4(port), Listener::None);
    }
}

#[tokio::test]
async fn the_loopback_address_of_ipv6_is_another_one() {
    for (address, by_v6) in [("[::1]:0", true), ("[::]:0", true), ("127.0.0.1:0", false)] {
        let (child, port) = listening(&again(address)).await;
        let want = match by_v6 {
            true => Listener::Own(child.id()),
            false => Listener::None,
        };
        assert_listener(&child, v6(port), want);
    }
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let child = Os.spawn(&shell("exec sleep 1000")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let stranger = Listener::Stranger(Some(std::process::id()));
    assert_listener(&child, v6(port), stranger);
}

#[tokio::test]
async fn a_descendant_counts_wherever_it_went() {
    let program = std::env::current_exe().unwrap();
    let script = format!("setsid {:?} {} & wait", program, role_arguments().join(" "));
    let mut launch = shell(&script);
    launch.environment.push((ROLE.into(), "127.0.0.1:0".into()));
    let (child, port) = listening(&launch).await;
    for _ in 0..2 {
        let Listener::Own(owner) = child.listener(v4(port)).unwrap() else {
            panic!("not ours")
        };
        assert_ne!(owner, child.id());
    }
}

#[tokio::test]
async fn others_are_strangers() {
    let child = Os.spawn(&shell("exec sleep 1000")).unwrap();
    let stranger = Listener::Stranger(Some(std::process::id()));
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_listener(&child, v4(port), stranger);
        drop(listener);
        assert_listener(&child, v4(port), Listener::None);
    }
    let (other, port) = listening(&again("127.0.0.1:0")).await;
    assert_eq!(
        child.listener(v4(port)).unwrap(),
        Listener::Stranger(Some(other.id()))
    );
}

/// Both listen on the port; who is bound to the loopback address gets the connections.
#[tokio::test]
async fn the_more_specific_listener_decides() {
    let (child, port) = listening(&again("shared 0.0.0.0:0")).await;
    assert_listener(&child, v4(port), Listener::Own(child.id()));
    let thief = shared_listener(&format!("127.0.0.1:{port}"));
    let stranger = Listener::Stranger(Some(std::process::id()));
    assert_listener(&child, v4(port), stranger);
    drop(thief);
    assert_listener(&child, v4(port), Listener::Own(child.id()));

    // The same address, shared: some connections would go to the stranger.
    let thief = shared_listener(&format!("0.0.0.0:{port}"));
    assert_listener(&child, v4(port), stranger);
    drop(thief);

    let (child, port) = listening(&again("shared 127.0.0.1:0")).await;
    let _harmless = shared_listener(&format!("0.0.0.0:{port}"));
    assert_listener(&child, v4(port), Listener::Own(child.id()));
}

fn shared_listener(address: &str) -> TcpListener {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

    let address = address.to_socket_addrs().unwrap().next().unwrap();
    // What another test starts meanwhile must not inherit it: it would listen for as long as that runs.
    let (family, flags) = (AddressFamily::INET, SocketFlags::CLOEXEC);
    let socket = socket_with(family, SocketType::STREAM, flags, None).unwrap();
    sockopt::set_socket_reuseport(&socket, true).unwrap();
    bind(&socket, &address).unwrap();
    listen(&socket, 16).unwrap();
    socket.into()
}

/// No test of its own: what this program is when a test starts it again.
#[test]
fn role() {
    match std::env::var(ROLE).as_deref() {
        Err(_) => {}
        Ok("host") => be_host(),
        Ok("memory") => {
            let memory = vec![1_u8; 32 << 20];
            println!("ready {}", std::hint::black_box(&memory).len());
            wait_for_ever();
        }
        Ok(role) => {
            let listener = match role.strip_prefix("shared ") {
                Some(address) => shared_listener(address),
                None => TcpListener::bind(role).unwrap(),
            };
            println!("port {}!", listener.local_addr().unwrap().port());
            wait_for_ever();
        }
    }
}

fn be_host() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let child = Os.spawn(&shell(FAMILY)).unwrap();
        let numbers = read_line(&child).await;
        let guardian = Command::new("ps")
            .args(["-o", "ppid=", &child.id().to_string()])
            .output()
            .unwrap();
        println!(
            "\ntree {numbers} {}",
            String::from_utf8(guardian.stdout).unwrap().trim()
        );
        child.exited().await;
    });
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}
