//! With real children: `cmd`, and this test program itself.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    os::windows::io::{AsHandle, FromRawHandle, IntoRawHandle},
    process::{Command, Stdio},
    ptr,
    time::Duration,
};

use tokio::io::AsyncReadExt;
use windows_sys::Win32::{
    Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation, WAIT_OBJECT_0, WAIT_TIMEOUT},
    Security::TOKEN_QUERY,
    System::Threading::{
        CreateEventW, GetCurrentProcess, GetProcessHandleCount, OpenProcess, OpenProcessToken,
        PROCESS_SYNCHRONIZE, SetEvent,
    },
};

use super::{
    super::{Launch, Os, Output, Spawn},
    *,
};

/// Tells this program, started again, what to be.
const ROLE: &str = "ANCM_TEST_ROLE";
/// What it needs to know for that.
const DETAIL: &str = "ANCM_TEST_DETAIL";

/// Long enough for a busy machine; nothing here waits that long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn role_arguments() -> [&'static str; 3] {
    [
        "--exact",
        "supervisor::process::windows::tests::role",
        "--nocapture",
    ]
}

/// This program, being `role`.
fn again(role: &str, detail: &str) -> Launch {
    // What Windows itself needs to start a program, and to open a socket.
    let system = ["SystemRoot", "PATH", "TEMP"];
    let system = system.map(|name| (name.into(), std::env::var_os(name).unwrap_or_default()));
    let told = [(ROLE, role), (DETAIL, detail)].map(|(name, value)| (name.into(), value.into()));
    Launch {
        program: std::env::current_exe().unwrap(),
        arguments: role_arguments().map(Into::into).to_vec(),
        directory: std::env::temp_dir(),
        environment: system.into_iter().chain(told).collect(),
        output: Output::Pipe,
    }
}

/// What this program is when it is started again. What it tells stands in brackets: the test harness talks too.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let detail = std::env::var(DETAIL).unwrap();
    match &*role {
        "exit" => std::process::exit(detail.parse().unwrap()),
        "tell" => tell(),
        "wait" => wait_forever(&detail),
        "parent" => {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let child = command.args(role_arguments()).env(ROLE, "wait");
            // Nobody reads any more when it has something to say.
            let child = child.stdout(Stdio::null()).spawn();
            wait_forever(&format!("{} {}", std::process::id(), child.unwrap().id()));
        }
        "host" => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let child = runtime.block_on(async { Os.spawn(&again("wait", "")).unwrap() });
            wait_forever(&child.id().to_string());
        }
        "set" => {
            let event = ptr::without_provenance_mut(detail.parse().unwrap());
            // SAFETY: a handle that this process was not given is an error, and nothing else.
            let set = unsafe { SetEvent(event) };
            println!("<{set}>");
        }
        "listen" => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, detail.parse().unwrap()));
            let _listener = listener.unwrap();
            wait_forever("listening");
        }
        "guest" => guest(),
        "heed" => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let mut asked = tokio::signal::windows::ctrl_break().unwrap();
                println!("<ready>");
                asked.recv().await;
            });
            std::process::exit(5);
        }
        other => panic!("no such role: {other}"),
    }
}

/// An app with our own app half: it is told who the user is, as the module tells it, and says so.
fn guest() -> ! {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    println!("<{}>", listener.local_addr().unwrap().port());
    let mut stream = listener.accept().unwrap().0;
    let mut header = [0; 8];
    let length = io::Read::read(&mut stream, &mut header).unwrap();
    let sid = sid_of(std::str::from_utf8(&header[..length]).unwrap());
    io::Write::write_all(&mut stream, sid.as_bytes()).unwrap();
    std::process::exit(0);
}

/// Whom the app half takes `header` for.
fn sid_of(header: &str) -> String {
    use tower::{Layer, ServiceExt, service_fn};

    use crate::app::{IdentityLayer, WindowsIdentity};

    let app = service_fn(|request: http::Request<()>| async move {
        let user: Option<&WindowsIdentity> = request.extensions().get();
        Ok::<_, ()>(user.map_or_else(String::new, |user| user.sid().to_owned()))
    });
    let request = http::Request::get("/").header("ms-aspnetcore-winauthtoken", header);
    let answer = IdentityLayer::new()
        .layer(app)
        .oneshot(request.body(()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(answer).unwrap()
}

fn own_token() -> OwnedHandle {
    let mut token = ptr::null_mut();
    // SAFETY: the pseudo-handle of this process is always open, the pointer is a local's, and the result is checked.
    unsafe {
        assert_ne!(
            OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token),
            0
        );
        OwnedHandle::from_raw_handle(token)
    }
}

/// From our hand to the app's: both halves of the module.
#[test]
fn a_process_gets_a_user_s_token_and_knows_the_user() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let child = runtime.block_on(async { Os.spawn(&again("guest", "")).unwrap() });
    let port: u16 = runtime.block_on(told(&child)).parse().unwrap();
    let user = own_token();
    let number = child.give_token(child.id(), user.as_handle()).unwrap();
    let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    io::Write::write_all(&mut stream, format!("{number:x}").as_bytes()).unwrap();
    let sid = io::read_to_string(stream).unwrap();
    assert!(sid.starts_with("S-1-5-"), "{sid}");
    let ours = format!("{:x}", own_token().into_raw_handle().addr());
    assert_eq!(sid, sid_of(&ours));
}

#[tokio::test]
async fn a_stranger_gets_no_token() {
    let (one, other) = (Os.spawn(&again("wait", "")), Os.spawn(&again("wait", "")));
    let (one, other) = (one.unwrap(), other.unwrap());
    let user = own_token();
    assert!(one.give_token(one.id(), user.as_handle()).is_ok());
    for stranger in [other.id(), std::process::id(), 0] {
        assert!(
            one.give_token(stranger, user.as_handle()).is_err(),
            "{stranger}"
        );
    }
}

fn wait_forever(word: &str) -> ! {
    println!("<{word}>");
    loop {
        std::thread::park();
    }
}

/// What it was given.
fn tell() {
    let own = |name: &String| {
        let known = ["SystemRoot", "PATH", "TEMP", ROLE, DETAIL].contains(&&**name);
        // The system adds some of its own, and so does Wine.
        !known && name != "SystemDrive" && !name.starts_with("WINE")
    };
    let mut variables: Vec<_> = std::env::vars().filter(|(name, _)| own(name)).collect();
    variables.sort();
    let arguments: Vec<_> = std::env::args().skip(4).collect();
    let directory = std::env::current_dir().unwrap();
    eprintln!("<{variables:?}");
    println!("{arguments:?}");
    eprintln!("{}>", directory.display());
}

/// The text between the brackets.
async fn told(child: &Child) -> String {
    let mut output = child.take_output().unwrap();
    let mut text = Vec::new();
    while !text.contains(&b'>') {
        let read = tokio::time::timeout(PATIENCE, output.read_buf(&mut text));
        let length = read.await.unwrap().unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&text));
    }
    let text = String::from_utf8(text).unwrap();
    let (_, text) = text.split_once('<').unwrap();
    text.split_once('>')
        .map_or(text, |(text, _)| text)
        .to_owned()
}

async fn ended(child: &Child) -> Exit {
    tokio::time::timeout(PATIENCE, child.exited())
        .await
        .unwrap()
}

/// A process to wait for, whatever becomes of its number.
struct Watched(OwnedHandle);

impl Watched {
    fn all(numbers: &str) -> Vec<Self> {
        numbers.split_whitespace().map(Self::new).collect()
    }

    fn new(number: &str) -> Self {
        // SAFETY: the result is checked before it is owned.
        unsafe {
            let handle = OpenProcess(PROCESS_SYNCHRONIZE, 0, number.parse().unwrap());
            assert!(
                !handle.is_null(),
                "{number}: {}",
                io::Error::last_os_error()
            );
            Self(OwnedHandle::from_raw_handle(handle))
        }
    }

    fn ended_within(&self, limit: Duration) -> bool {
        let limit = u32::try_from(limit.as_millis()).unwrap();
        // SAFETY: the handle is open.
        match unsafe { WaitForSingleObject(self.0.as_raw_handle(), limit) } {
            WAIT_OBJECT_0 => true,
            WAIT_TIMEOUT => false,
            other => panic!("{other:#x}"),
        }
    }
}

#[tokio::test]
async fn tells_how_a_process_ended() {
    // 259 is what the system says of a process that still runs.
    for code in [0, 3, 259, -1, 0xc000_0005_u32.cast_signed()] {
        let child = Os.spawn(&again("exit", &code.to_string())).unwrap();
        assert_eq!(ended(&child).await, Exit::code(code));
        assert_eq!(
            ended(&child.clone()).await,
            Exit::code(code),
            "a second time"
        );
    }
}

#[tokio::test]
async fn environment_arguments_and_directory_arrive_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("Ünï 日本");
    std::fs::create_dir(&directory).unwrap();
    let arguments = [
        "",
        "a b",
        r#"say "hi""#,
        r"back\slash\",
        r#"\"\\" "#,
        "日本 \u{1f600}",
        "%PATH%",
    ];
    let variables = [("A", "b c"), ("z", "=1=2"), ("ÄÖÜ", "日本 \u{1f600}")];
    let mut launch = again("tell", "");
    launch.arguments.extend(arguments.map(Into::into));
    launch
        .environment
        .extend(variables.map(|(name, value)| (name.into(), value.into())));
    launch.directory.clone_from(&directory);
    // The harness takes what follows for filters, of which any may match.
    let child = Os.spawn(&launch).unwrap();
    let text = told(&child).await;
    let want = format!("{:?}\n{:?}\n{}", variables, arguments, directory.display());
    assert_eq!(text.replace("\r\n", "\n"), want);
    assert!(child.take_output().is_none(), "only once");
}

#[tokio::test]
async fn output_may_go_nowhere() {
    let mut launch = again("tell", "");
    launch.output = Output::Null;
    let child = Os.spawn(&launch).unwrap();
    assert!(child.take_output().is_none());
    assert_eq!(ended(&child).await, Exit::code(0));
}

/// Our handles may be inherited by whom they are meant for, and the process still does not get them.
#[tokio::test]
async fn no_handle_is_inherited_but_the_three_streams() {
    // SAFETY: no name, default security; the result is checked before it is owned.
    let event = unsafe {
        let event = CreateEventW(ptr::null(), 1, 0, ptr::null());
        assert!(!event.is_null());
        OwnedHandle::from_raw_handle(event)
    };
    let raw = event.as_raw_handle();
    // SAFETY: the handle is open.
    let set = unsafe { SetHandleInformation(raw, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) };
    assert_ne!(set, 0);
    let is_set = || {
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(raw, 0) == WAIT_OBJECT_0 }
    };
    let child = Os.spawn(&again("set", &raw.addr().to_string())).unwrap();
    told(&child).await;
    assert!(!is_set(), "the process has our handle");

    // That the role works at all: the standard library's way of starting processes passes all of them on.
    let mut other = Command::new(std::env::current_exe().unwrap());
    let other = other.args(role_arguments()).env(ROLE, "set");
    let other = other
        .env(DETAIL, raw.addr().to_string())
        .stdout(Stdio::null());
    assert!(other.status().unwrap().success());
    assert!(is_set());
}

/// Not put there once it runs: what it had started by then would be left out.
#[tokio::test]
async fn a_process_is_in_its_job_from_its_birth() {
    let (one, other) = (Os.spawn(&again("wait", "")), Os.spawn(&again("wait", "")));
    let (one, other) = (one.unwrap().inner, other.unwrap().inner);
    assert!(one.job.contains(&one.process).unwrap());
    assert!(!one.job.contains(&other.process).unwrap());
    // The host of a console may be in it too.
    let there = one.job.processes().unwrap();
    assert!(
        there.contains(&one.id) && !there.contains(&other.id),
        "{there:?}"
    );
}

#[tokio::test]
async fn kill_reaches_the_whole_tree() {
    let child = Os.spawn(&again("parent", "")).unwrap();
    let all = Watched::all(&told(&child).await);
    assert_eq!(all.len(), 2);
    assert!(
        all.iter()
            .all(|process| !process.ended_within(Duration::ZERO))
    );
    child.kill();
    assert_eq!(ended(&child).await, Exit::code(1));
    assert!(all.iter().all(|process| process.ended_within(PATIENCE)));
    child.kill();
    child.terminate();
}

#[tokio::test]
async fn dropping_the_last_handle_kills_the_whole_tree() {
    let child = Os.spawn(&again("parent", "")).unwrap();
    let clone = child.clone();
    let all = Watched::all(&told(&child).await);
    drop(child);
    assert!(
        all.iter()
            .all(|process| !process.ended_within(Duration::from_millis(50)))
    );
    drop(clone);
    assert!(all.iter().all(|process| process.ended_within(PATIENCE)));
}

/// The system closes the job's handle when we die, however that comes about.
#[test]
fn nothing_outlives_us() {
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(role_arguments())
        .envs([(ROLE, "host"), (DETAIL, "")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let number = lines.map(Result::unwrap).find_map(|line| {
        let (_, line) = line.split_once('<')?;
        Some(line.split_once('>')?.0.to_owned())
    });
    let child = Watched::new(&number.unwrap());
    assert!(!child.ended_within(Duration::from_millis(50)));
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(child.ended_within(PATIENCE));
}

#[tokio::test]
async fn what_can_t_be_started_is_explained() {
    let missing = Launch {
        program: "no-such-program".into(),
        ..again("", "")
    };
    let elsewhere = Launch {
        directory: r"C:\no\such".into(),
        ..again("", "")
    };
    for (launch, want) in [
        (missing, "program `no-such-program`"),
        (elsewhere, r"directory `C:\no\such`"),
    ] {
        let error = Os.spawn(&launch).unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
    }
}

#[tokio::test]
async fn a_hundred_processes_leave_no_handle_behind() {
    let count = || {
        let mut count = 0;
        // SAFETY: the pseudo-handle of this process is always open, the pointer is a local's.
        let done = unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) };
        assert_ne!(done, 0);
        count
    };
    let run = async || {
        let child = Os.spawn(&Launch {
            program: "cmd".into(),
            arguments: vec!["/c".into(), "exit 4".into()],
            ..again("", "")
        });
        assert_eq!(ended(&child.unwrap()).await, Exit::code(4));
    };
    run().await;
    let before = count();
    for _ in 0..100 {
        run().await;
    }
    // Other tests run meanwhile.
    assert!(count() < before + 100, "{before}, then {}", count());
}

#[tokio::test]
async fn ctrl_break_asks_to_end() {
    let child = Os.spawn(&again("heed", "")).unwrap();
    assert_eq!(told(&child).await, "ready");
    child.terminate();
    assert_eq!(ended(&child).await, Exit::code(5));
}

#[tokio::test]
async fn knows_its_own_listener_from_a_stranger_s() {
    let ours = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = ours.local_addr().unwrap();
    let idle = Os.spawn(&again("wait", "")).unwrap();
    let us = std::process::id();
    assert_eq!(
        idle.listener(address).unwrap(),
        Listener::Stranger(Some(us))
    );
    drop(ours);
    assert_eq!(idle.listener(address).unwrap(), Listener::None);
    let child = Os
        .spawn(&again("listen", &address.port().to_string()))
        .unwrap();
    assert_eq!(told(&child).await, "listening");
    assert_eq!(child.listener(address).unwrap(), Listener::Own(child.id()));
    let its = Listener::Stranger(Some(child.id()));
    assert_eq!(idle.listener(address).unwrap(), its);
}
