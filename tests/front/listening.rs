//! Where a front listens, and whom it takes a client for.

use std::{convert::Infallible, future::pending, net::SocketAddr};

use ancm::{
    Connection,
    front::{Bound, Listen},
};
use http::Request;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::service_fn;

use super::{one, text, within};

/// Answers with what is known of the connection.
fn serve(bound: Bound) {
    let make = |connection: Connection| {
        service_fn(move |_: Request<Incoming>| {
            let known = format!("{:?} {:?}", connection.peer(), connection.local());
            async move { Ok::<_, Infallible>(text(&known)) }
        })
    };
    tokio::spawn(bound.serve(make, pending()));
}

fn listen(listen: Listen) -> SocketAddr {
    let bound = one().listen([listen]).unwrap();
    let address = bound.local_addresses()[0];
    serve(bound);
    address
}

/// What is said to `bytes`, to its end.
async fn say(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset ends it too.
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

const GET: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

async fn get(address: SocketAddr) -> String {
    say(&mut TcpStream::connect(address).await.unwrap(), GET).await
}

fn has_ipv6() -> bool {
    let there = std::net::TcpListener::bind("[::1]:0").is_ok();
    if !there {
        eprintln!("NOT TESTED: this machine has no IPv6");
    }
    there
}

#[tokio::test]
async fn an_ipv6_address_takes_ipv4_clients_only_if_it_is_said() {
    if !has_ipv6() {
        return;
    }
    let every = || Listen::tcp("[::]:0".parse().unwrap());
    let ipv4 = |address: SocketAddr| SocketAddr::from(([127, 0, 0, 1], address.port()));
    let both = listen(every().dual_stack(true));
    let answer = get(ipv4(both)).await;
    // As IPv4 clients are always named.
    assert!(answer.contains("Some(127.0.0.1:"), "{answer}");
    assert!(
        get(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], both.port())))
            .await
            .contains("Some([::1]:")
    );
    let one = listen(every());
    assert!(TcpStream::connect(ipv4(one)).await.is_err());
}

/// A PROXY header and its request, from a peer that is trusted or is not.
async fn proxied(trusted: &str, header: &[u8]) -> String {
    let address = listen(
        Listen::tcp("127.0.0.1:0".parse().unwrap()).proxy_protocol([trusted.parse().unwrap()]),
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    say(&mut stream, &[header, GET].concat()).await
}

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x12\x67\x01\xbb";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[tokio::test]
async fn a_trusted_proxy_says_whose_connection_it_is() {
    for header in [V1, V2] {
        let answer = proxied("127.0.0.0/8", header).await;
        assert!(
            answer.ends_with("Some(192.0.2.1:4711) Some(192.0.2.2:443)"),
            "{answer}"
        );
    }
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        let answer = proxied("127.0.0.0/8", header).await;
        assert!(answer.contains("Some(127.0.0.1:"), "{answer}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_without_a_header_is_not_served() {
    assert_eq!(proxied("127.0.0.1/32", b"").await, "");
    assert_eq!(proxied("127.0.0.1/32", b"PROXY TCP5 x\r\n").await, "");
}

#[tokio::test]
async fn nobody_else_may_say_whose_connection_it_is() {
    for header in [V1, V2, LOCAL] {
        assert_eq!(proxied("10.0.0.0/8", header).await, "", "{header:?}");
    }
    // Without one they are served as who they are.
    let answer = proxied("10.0.0.0/8", b"").await;
    assert!(answer.contains("Some(127.0.0.1:"), "{answer}");
    // Where nobody may, a header is a request that makes no sense.
    let address = listen("127.0.0.1:0".parse::<SocketAddr>().unwrap().into());
    for header in [V1, V2] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let answer = say(&mut stream, header).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte() {
    let address = listen(
        Listen::tcp("127.0.0.1:0".parse().unwrap())
            .proxy_protocol(["127.0.0.0/8".parse().unwrap()]),
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in V1 {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let answer = say(&mut stream, GET).await;
    assert!(answer.contains("Some(192.0.2.1:4711)"), "{answer}");
}

#[test]
fn who_only_looks_whether_it_listens_is_not_talked_of() {
    let lines = lines::Lines::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // The front's threads take the log of the whole process, and no other test here sets one.
    tracing::subscriber::set_global_default(lines.subscriber()).unwrap();
    runtime.block_on(async {
        let address = listen(
            Listen::tcp("127.0.0.1:0".parse().unwrap())
                .proxy_protocol(["127.0.0.0/8".parse().unwrap()]),
        );
        let looking = TcpStream::connect(address).await.unwrap();
        let looks = looking.local_addr().unwrap();
        drop(looking);
        let mut served = TcpStream::connect(address).await.unwrap();
        say(&mut served, &[V1, GET].concat()).await;
        // What is no header is talked of.
        let mut bad = TcpStream::connect(address).await.unwrap();
        let named = bad.local_addr().unwrap().to_string();
        say(&mut bad, GET).await;
        within(async {
            while !lines.text().contains(&named) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let text = lines.text();
        assert!(!text.contains(&looks.to_string()), "{text}");
    });
}

mod lines {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    /// What is logged.
    #[derive(Clone, Default)]
    pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        pub(super) fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
            let writer = self.clone();
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::DEBUG)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish()
        }

        pub(super) fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
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
}

#[cfg(unix)]
mod unix {
    use std::{
        fs,
        os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
        path::Path,
    };

    use tokio::net::UnixStream;

    use super::*;
    use crate::{TOO_LONG, oneshot, timeout};

    async fn get(path: &Path, bytes: &[u8]) -> String {
        say(&mut UnixStream::connect(path).await.unwrap(), bytes).await
    }

    #[tokio::test]
    async fn listens_on_a_unix_socket_of_the_mode_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        for (listen, mode) in [
            (Listen::unix(&path), 0o660),
            (Listen::unix(&path).mode(0o600), 0o600),
            (Listen::unix(&path).mode(0o666), 0o666),
        ] {
            let bound = one().listen([listen]).unwrap();
            assert_eq!(bound.endpoints()[0].path(), Some(&*path));
            assert_eq!(
                bound.endpoints()[0].to_string(),
                format!("http://unix:{}", path.display())
            );
            assert!(bound.local_addresses().is_empty());
            let permissions = fs::metadata(&path).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, mode);
            let (stop, stopped) = oneshot::channel::<()>();
            let make = |connection: Connection| {
                let known = format!("{:?}", connection.peer());
                service_fn(move |_: Request<Incoming>| {
                    let known = known.clone();
                    async move { Ok::<_, Infallible>(text(&known)) }
                })
            };
            let ended = tokio::spawn(bound.serve(make, async { stopped.await.unwrap() }));
            assert!(get(&path, GET).await.ends_with("None"));
            stop.send(()).unwrap();
            timeout(TOO_LONG, ended).await.unwrap().unwrap().unwrap();
            assert!(!path.exists(), "the name goes with the front");
        }
    }

    #[tokio::test]
    async fn replaces_a_socket_that_nobody_listens_on_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // Left behind by a program that was killed.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let bound = one().listen([Listen::unix(&path)]).unwrap();
        serve(bound);
        assert!(get(&path, GET).await.starts_with("HTTP/1.0 200"));

        let refused = |path: &Path, why: &str| {
            let error = one().listen([Listen::unix(path)]).unwrap_err();
            let named = format!("can't listen on unix:{}", path.display());
            assert_eq!(error.to_string(), named);
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains(why), "{source}");
        };
        refused(&path, "somebody listens there");
        assert!(get(&path, GET).await.starts_with("HTTP/1.0 200"), "still");
        let file = folder.path().join("file");
        fs::write(&file, "precious").unwrap();
        refused(&file, "no socket");
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        refused(&folder.path().join("missing/socket"), "No such file");
    }

    #[tokio::test]
    async fn whoever_reaches_a_unix_socket_may_speak_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        serve(
            one()
                .listen([Listen::unix(&path).proxy_protocol([])])
                .unwrap(),
        );
        let answer = get(&path, &[V2, GET].concat()).await;
        assert!(
            answer.ends_with("Some(192.0.2.1:4711) Some(192.0.2.2:443)"),
            "{answer}"
        );
        assert_eq!(get(&path, GET).await, "", "and has to");
    }

    #[tokio::test]
    async fn takes_sockets_over_and_only_those_that_listen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let inherited = [OwnedFd::from(unix), OwnedFd::from(tcp)];
        let inherited = inherited.map(|socket| Listen::inherited(socket).unwrap());
        let bound = one().listen(inherited).unwrap();
        assert_eq!(bound.local_addresses(), [address]);
        serve(bound);
        assert!(get(&path, GET).await.starts_with("HTTP/1.0 200"));
        assert!(super::get(address).await.starts_with("HTTP/1.0 200"));

        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let connected = std::os::unix::net::UnixStream::pair().unwrap().0;
        for socket in [
            OwnedFd::from(udp),
            OwnedFd::from(connected),
            fs::File::open("/dev/null").unwrap().into(),
        ] {
            assert!(Listen::inherited(socket).is_err());
        }
    }
}
