//! How much there may be: connections, files, streams.

use super::*;

#[tokio::test]
async fn at_the_limit_idle_connections_make_room_and_the_others_wait() {
    let server = start(one().max_connections(NonZeroUsize::new(2).unwrap()));
    let mut idle = server.connect().await;
    idle.send(GET).await;
    idle.response(0).await;
    let mut busy = server.connect().await;
    busy.send(WAIT).await;
    within(server.app.arrived.notified()).await;

    // The idle one goes for another, and not before.
    idle.send(GET).await;
    idle.response(0).await;
    let mut third = server.connect().await;
    assert_eq!(idle.rest().await, "");
    third.send(WAIT).await;
    within(server.app.arrived.notified()).await;

    // Now all are busy: the fourth waits in the kernel.
    let mut fourth = server.connect().await;
    fourth.send(GET).await;
    let mut byte = [0];
    timeout(SHORT, fourth.0.read(&mut byte)).await.unwrap_err();
    assert_eq!(server.app.requests(), 4);
    server.app.go.notify_waiters();
    busy.response(6).await;
    fourth.response(0).await;
}

/// Without a free file descriptor the front closes idle connections, and does not spin.
#[cfg(unix)]
#[tokio::test]
async fn serves_everybody_with_few_file_descriptors() {
    use std::process::Stdio;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "limits::few_file_descriptors",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address: SocketAddr = loop {
        let line = within(lines.next_line()).await.unwrap().unwrap();
        if let Some((_, address)) = line.split_once("listens on ") {
            break address.parse().unwrap();
        }
    };
    let mut raws = Vec::new();
    for _ in 0..64 {
        let mut raw = Raw::to(address).await;
        raw.send(GET).await;
        raws.push(raw);
    }
    for raw in &mut raws {
        assert!(raw.response(0).await.starts_with("HTTP/1.1 200 "));
    }
    drop((raws, child.stdin.take()));
    assert!(within(child.wait()).await.unwrap().success());
}

/// The process that the test above starts.
#[cfg(unix)]
#[tokio::test]
#[ignore = "lowers a limit of its whole process"]
async fn few_file_descriptors() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let few = Rlimit {
        current: Some(32),
        maximum: Some(32),
    };
    setrlimit(Resource::Nofile, few).unwrap();
    let server = start(one());
    println!("listens on {}", server.address);
    let mut stdin = Vec::new();
    tokio::io::stdin().read_to_end(&mut stdin).await.unwrap();
    server.ends_clean().await;
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let server = start(one());
    let mut raw = server.connect().await;
    // GET http://a/, opened and reset, all in one packet.
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1_u32..200).step_by(2) {
        let id = stream.to_be_bytes();
        flood.extend([0, 0, 6, 1, 5, id[0], id[1], id[2], id[3]]);
        flood.extend(b"\x82\x86\x84\x41\x01a");
        flood.extend([0, 0, 4, 3, 0, id[0], id[1], id[2], id[3], 0, 0, 0, 8]);
    }
    raw.send(flood).await;
    let mut said = Vec::new();
    let _ = within(raw.0.read_to_end(&mut said)).await;
    let mut frames = said.as_slice();
    let mut last = None;
    while let [_, high, low, kind, _, _, _, _, _, rest @ ..] = frames {
        let (payload, next) = rest.split_at(usize::from(*high) * 256 + usize::from(*low));
        last = Some((*kind, payload.to_vec()));
        frames = next;
    }
    let (kind, payload) = last.unwrap();
    assert_eq!(kind, 7, "GOAWAY comes last");
    assert_eq!(payload[4..8], [0, 0, 0, 0xb], "ENHANCE_YOUR_CALM");
    // And nobody else notices.
    server.exchange("GET / HTTP/1.0\r\n\r\n").await;
    server.ends_clean().await;
}

#[tokio::test]
async fn http2_says_its_limits() {
    let server = start(one().h2_max_streams(7).max_head_size(5000));
    let mut raw = server.connect().await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    let mut header = [0; 9];
    within(raw.0.read_exact(&mut header)).await.unwrap();
    assert_eq!(header[3], 4, "a SETTINGS frame comes first");
    let mut settings = vec![0; usize::from(header[2])];
    within(raw.0.read_exact(&mut settings)).await.unwrap();
    let settings: Vec<_> = settings
        .chunks(6)
        .map(|s| (s[1], u32::from_be_bytes([s[2], s[3], s[4], s[5]])))
        .collect();
    assert!(
        settings.contains(&(3, 7)),
        "MAX_CONCURRENT_STREAMS: {settings:?}"
    );
    assert!(
        settings.contains(&(6, 5000)),
        "MAX_HEADER_LIST_SIZE: {settings:?}"
    );
    assert!(
        !settings.iter().any(|(id, _)| *id == 8),
        "no extended CONNECT: {settings:?}"
    );
}
