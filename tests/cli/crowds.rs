//! More requests at once than there may be connections.

use std::process::Command;

use crate::{ANCM, PATIENCE, Running};

/// A few clients of HTTP/2 ask for more at once than there may be connections to the app: they wait for one another.
#[test]
fn more_streams_than_connections_are_all_answered() {
    const CLIENTS: usize = 20;
    const STREAMS: usize = 100;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (served, to) = runtime.block_on(slow_app());
    let dir = tempfile::tempdir().unwrap();
    let script =
        r#"ulimit -n 256 && exec "$0" --log-format json run --listen 127.0.0.1:0 --to "$1""#;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, ANCM, &to.to_string()])
        .current_dir(dir.path());
    let mut run = Running::of(shell);
    let address = run.listening();
    let statuses = runtime.block_on(async {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(ask_at_once(address, STREAMS)))
            .collect();
        let mut statuses = Vec::new();
        for client in clients {
            let client = tokio::time::timeout(PATIENCE, client).await;
            statuses.extend(client.unwrap().unwrap());
        }
        statuses
    });
    assert_eq!(statuses, [200; CLIENTS * STREAMS]);
    let most = served.load(std::sync::atomic::Ordering::Relaxed);
    assert!(most <= 64, "a quarter of 256 files: {most}");
}

/// An app that takes a while for each answer, and the most connections that it had at once.
async fn slow_app() -> (
    std::sync::Arc<std::sync::atomic::AtomicUsize>,
    std::net::SocketAddr,
) {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    let (open, most) = (
        std::sync::Arc::new(AtomicUsize::new(0)),
        std::sync::Arc::new(AtomicUsize::new(0)),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = most.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let open = open.clone();
            seen.fetch_max(open.fetch_add(1, Relaxed) + 1, Relaxed);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                while matches!(stream.read_line(&mut line).await, Ok(1..)) {
                    if line == "\r\n" {
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                        if stream.write_all(answer).await.is_err() {
                            break;
                        }
                    }
                    line.clear();
                }
                open.fetch_sub(1, Relaxed);
            });
        }
    });
    (most, address)
}

/// The statuses of so many requests on one connection of HTTP/2, none of which waits for another.
async fn ask_at_once(address: std::net::SocketAddr, many: usize) -> Vec<u16> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut answers = Vec::new();
    for _ in 0..many {
        let request = http::Request::get("http://a/").body(()).unwrap();
        client = client.ready().await.unwrap();
        answers.push(client.send_request(request, true).unwrap().0);
    }
    let mut statuses = Vec::new();
    for answer in answers {
        statuses.push(answer.await.unwrap().status().as_u16());
    }
    statuses
}
