//! An app that fails at every stage of an exchange: what the client sees, and what the log says, is what
//! `docs/life-of-a-request.md` promises.
//!
//! One test for all of it, because the log is the whole process's.
#![cfg(feature = "front")]
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use ancm::{
    Connection,
    error::{ErrorPage, ErrorPageLayer},
    front::Front,
    proxy::{Address, Backend, FixedLayer, Proxy, ProxyOptions},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tower_layer::Layer;

/// Longer than anything here takes.
const TOO_LONG: Duration = Duration::from_secs(20);
/// How long the app may keep the proxy waiting, in a row in which it does.
const PATIENCE: Duration = Duration::from_millis(150);

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const UPLOAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\nabc";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What an app does with a connection, in this order.
#[derive(Clone, Copy)]
enum Act {
    /// Reads a request, up to its empty line and its three bytes of body.
    Hear,
    Say(&'static str),
    /// Nothing, until the other end closes.
    Stall,
    Close,
    Reset,
}

use Act::{Close, Hear, Reset, Say, Stall};

/// What the client gets.
#[derive(Clone, Copy)]
enum Gets {
    /// This status, whole.
    Status(&'static str),
    /// The beginning of an answer, and no end of it.
    BreaksOff,
}

use Gets::{BreaksOff, Status};

struct Row {
    what: &'static str,
    says: &'static str,
    /// For each connection in turn.
    app: &'static [&'static [Act]],
    gets: Gets,
    /// The level of a line of the log, and what it says.
    log: (&'static str, &'static str),
}

const FAILED: (&str, &str) = ("WARN", "ancm::error::layer: Request failed");
const BROKE: (&str, &str) = ("WARN", "error=the app broke the exchange off");
const LATE: (&str, &str) = ("WARN", "error=the app took too long to answer");
const CUT: (&str, &str) = ("DEBUG", "ancm::front::connection: Connection failed");
const AGAIN: (&str, &str) = ("DEBUG", "ancm::proxy::send: Request sent again");
const NOTHING: (&str, &str) = ("INFO", "Front stopped");

const ROWS: &[Row] = &[
    Row {
        what: "closes at once",
        says: GET,
        app: &[&[Close]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "resets at once",
        says: GET,
        app: &[&[Reset]],
        gets: Status("502"),
        // The dial may see it already.
        log: FAILED,
    },
    Row {
        what: "closes after the request",
        says: GET,
        app: &[&[Hear, Close]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "resets after the request",
        says: GET,
        app: &[&[Hear, Reset]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "closes after a body",
        says: POST,
        app: &[&[Hear, Close]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "resets amid an upload",
        says: UPLOAD,
        app: &[&[Hear, Reset]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "says no HTTP",
        says: GET,
        app: &[&[Hear, Say("220 smtp.example ESMTP\r\n\r\n"), Stall]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "says nothing but zeros",
        says: GET,
        app: &[&[Hear, Say("\0\0\0\0\r\n\r\n"), Stall]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "has a bad field",
        says: GET,
        app: &[&[Hear, Say("HTTP/1.1 200 OK\r\nX Y: z\r\n\r\n"), Stall]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "has two lengths",
        says: GET,
        app: &[&[
            Hear,
            Say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            Stall,
        ]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "switches unasked",
        says: GET,
        app: &[&[
            Hear,
            Say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            Stall,
        ]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "closes within the first line",
        says: GET,
        app: &[&[Hear, Say("HTTP/1.1 2"), Close]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "closes within the head",
        says: GET,
        app: &[&[Hear, Say("HTTP/1.1 200 OK\r\nContent-"), Close]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "resets within the head",
        says: GET,
        app: &[&[Hear, Say("HTTP/1.1 200 OK\r\n"), Reset]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "stalls before the head",
        says: GET,
        app: &[&[Hear, Stall]],
        gets: Status("504"),
        log: LATE,
    },
    Row {
        what: "stalls within the head",
        says: GET,
        app: &[&[Hear, Say("HTTP/1.1 200 OK\r\nX:"), Stall]],
        gets: Status("504"),
        log: LATE,
    },
    Row {
        what: "stalls after a 100",
        says: GET,
        app: &[&[Hear, Say("HTTP/1.1 100 Continue\r\n\r\n"), Stall]],
        gets: Status("504"),
        log: LATE,
    },
    Row {
        what: "closes within the body",
        says: GET,
        app: &[&[
            Hear,
            Say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na"),
            Close,
        ]],
        gets: BreaksOff,
        log: CUT,
    },
    Row {
        what: "resets within the body",
        says: GET,
        app: &[&[
            Hear,
            Say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na"),
            Reset,
        ]],
        gets: BreaksOff,
        log: CUT,
    },
    Row {
        what: "stalls within the body",
        says: GET,
        app: &[&[
            Hear,
            Say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na"),
            Stall,
        ]],
        gets: BreaksOff,
        log: CUT,
    },
    Row {
        what: "closes within chunks",
        says: GET,
        app: &[&[
            Hear,
            Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
            Close,
        ]],
        gets: BreaksOff,
        log: CUT,
    },
    Row {
        what: "has a bad chunk",
        says: GET,
        app: &[&[
            Hear,
            Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nx\r\n"),
            Stall,
        ]],
        gets: BreaksOff,
        log: CUT,
    },
    Row {
        what: "closes before the last trailer",
        says: GET,
        app: &[&[
            Hear,
            Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n"),
            Close,
        ]],
        gets: BreaksOff,
        log: CUT,
    },
    // What may be sent twice is, on another connection; the app meanwhile closed the one that was idle.
    Row {
        what: "closes an idle connection on a GET",
        says: GET,
        app: &[&[Hear, Say(OK), Hear, Close], &[Hear, Say(OK), Stall]],
        gets: Status("200"),
        log: AGAIN,
    },
    Row {
        what: "resets an idle connection on a GET",
        says: GET,
        app: &[&[Hear, Say(OK), Hear, Reset], &[Hear, Say(OK), Stall]],
        gets: Status("200"),
        log: AGAIN,
    },
    Row {
        what: "closes an idle connection on a POST",
        says: POST,
        app: &[&[Hear, Say(OK), Hear, Close], &[Hear, Say(OK), Stall]],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "closes an idle connection, and the next",
        says: GET,
        app: &[
            &[Hear, Say(OK), Hear, Close],
            &[Hear, Close],
            &[Hear, Say(OK), Stall],
        ],
        gets: Status("502"),
        log: BROKE,
    },
    Row {
        what: "answers early and closes",
        says: UPLOAD,
        app: &[&[
            Hear,
            Say("HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
            Close,
        ]],
        gets: Status("413"),
        log: NOTHING,
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stage_ends_as_promised_and_is_told() {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing_subscriber::fmt()
        .with_env_filter("ancm=debug")
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let mut wrong = Vec::new();
    for row in ROWS {
        lines.take();
        let said = play(row).await;
        let log = lines.take();
        let (status, whole) = understood(&said);
        let fits = match row.gets {
            Status(want) => whole && status == want,
            // Where the end came with the beginning, not even that is sent.
            BreaksOff => !whole && matches!(status, "200" | ""),
        };
        // A page tells nothing of why, the log does, in a line that a correlation id ties to the page.
        let id = said
            .split("<code>")
            .nth(1)
            .and_then(|rest| rest.split('<').next());
        let tied = status.starts_with("50") == id.is_some_and(|id| log.contains(id));
        let told = tells(&log, row.log) && status.starts_with("50") == tells(&log, FAILED);
        if !(fits && told && tied) {
            wrong.push(format!("{}: {said:?}\n{log}", row.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Nobody there at all.
    lines.take();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let said = ask(address, &[GET], PATIENCE).await;
    let log = lines.take();
    assert!(said.starts_with("HTTP/1.1 502 "), "{said}");
    assert!(log.contains("error=can't connect to the app"), "{log}");
}

/// Whether a line of this level says this.
fn tells(log: &str, (level, text): (&str, &str)) -> bool {
    let mut lines = log.lines();
    lines.any(|line| line.split_whitespace().nth(1) == Some(level) && line.contains(text))
}

/// Has the app do what it does in this row, and returns what the client heard in answer to its last request.
async fn play(row: &'static Row) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = tokio::spawn(async move {
        for acts in row.app {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(act(stream, acts));
        }
        // Who is asked more often than the row allows for answers so that it is seen.
        let (stream, _) = listener.accept().await.unwrap();
        act(
            stream,
            &[
                Hear,
                Say("HTTP/1.1 599 Too Often\r\nContent-Length: 0\r\n\r\n"),
            ],
        )
        .await;
    });
    // The first connection serves one request in peace where the second one is what is about.
    let first = row.app.first().is_some_and(|acts| acts.len() > 3);
    let requests = if first {
        &[GET, row.says][..]
    } else {
        &[row.says]
    };
    let said = ask(address, requests, patience(row)).await;
    app.abort();
    said
}

/// A machine that is busy may need long for what is no stall.
fn patience(row: &Row) -> Duration {
    if row.what.starts_with("stalls") {
        PATIENCE
    } else {
        TOO_LONG
    }
}

async fn act(mut stream: TcpStream, acts: &[Act]) {
    for act in acts {
        match act {
            Hear => hear(&mut stream).await,
            Say(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Stall => {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
            Close => return,
            Reset => return stream.set_zero_linger().unwrap(),
        }
    }
}

async fn hear(stream: &mut TcpStream) {
    let mut heard = Vec::new();
    let is_whole = |heard: &[u8]| {
        heard.ends_with(b"\r\n\r\nabc")
            || (heard.ends_with(b"\r\n\r\n") && heard.starts_with(b"GET"))
    };
    while !is_whole(&heard) {
        heard.push(stream.read_u8().await.unwrap());
    }
}

/// Says the requests one after another to a front before the app at `app`, and returns the last one's answer, to the
/// end of the connection if that comes.
async fn ask(app: SocketAddr, requests: &[&str], patience: Duration) -> String {
    let options = ProxyOptions::new().request_timeout(Some(patience));
    let (backend, proxy) = (
        Backend::fixed(Address::Tcp(app)),
        Proxy::with_options(options),
    );
    let bound = Front::new()
        .threads(NonZeroUsize::MIN)
        .bind(&["127.0.0.1:0".parse().unwrap()])
        .unwrap();
    let address = *bound.local_addresses().first().unwrap();
    let (stop, stopped) = oneshot::channel();
    let make = move |connection: Connection| {
        let fixed = FixedLayer::new(backend.clone()).layer(proxy.clone());
        ErrorPageLayer::new(ErrorPage::new()).layer(fixed.for_connection(connection))
    };
    let served = tokio::spawn(bound.serve(make, async {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut said = String::new();
    for request in requests {
        stream.write_all(request.as_bytes()).await.unwrap();
        said = heard(&mut stream).await;
    }
    drop(stream);
    stop.send(()).unwrap();
    tokio::time::timeout(TOO_LONG, served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    said
}

/// What comes until it is a whole answer, or the connection ends.
async fn heard(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let said = String::from_utf8_lossy(&bytes).into_owned();
        if understood(&said).1 {
            return said;
        }
        let read = tokio::time::timeout(TOO_LONG, stream.read_buf(&mut bytes)).await;
        // A reset is an end too.
        if read.expect("it comes soon").unwrap_or(0) == 0 {
            return said;
        }
    }
}

/// The status of an answer, and whether it is whole.
fn understood(said: &str) -> (&str, bool) {
    let status = said.get(9..12).unwrap_or_default();
    let Some((head, body)) = said.split_once("\r\n\r\n") else {
        return (status, false);
    };
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1);
    let length: Option<usize> = length.and_then(|rest| rest.lines().next()?.parse().ok());
    let whole = match length {
        Some(length) => body.len() == length,
        None => body.ends_with("0\r\n\r\n"),
    };
    (status, whole)
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(bytes).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
