//! Who is slow: how long a client may take, for what.

use super::*;

#[tokio::test]
async fn a_slow_head_gets_408_and_a_silent_client_nothing() {
    let server = start(one().header_timeout(SHORT));
    assert_eq!(server.exchange("").await, "");
    // Could still be either version.
    assert_eq!(server.exchange("PRI * HT").await, "");

    let said = server
        .exchange("GET / HTTP/1.1\r\nhost: a\r\nx: never ends, this one")
        .await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");

    // Also when it follows another, and drips.
    let mut raw = server.connect().await;
    raw.send(GET).await;
    raw.response(0).await;
    let (mut read, mut write) = raw.0.into_inner().into_split();
    let dripping = tokio::spawn(async move {
        for _ in 0..1000 {
            if write.write_all(b"G").await.is_err() {
                return;
            }
            tokio::time::sleep(SHORT / 8).await;
        }
    });
    let mut said = Vec::new();
    let _ = within(read.read_to_end(&mut said)).await;
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.starts_with("HTTP/1.1 408 ") || said.is_empty(),
        "{said}"
    );
    within(dripping).await.unwrap();
    assert_eq!(server.app.requests(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_either_version() {
    let server = start(one().idle_timeout(SHORT));
    let mut raw = server.connect().await;
    raw.send(GET).await;
    raw.response(0).await;
    assert_eq!(raw.rest().await, "");

    let mut h2 = server.h2().await;
    let request = || Request::get("http://a/").body(Full::default()).unwrap();
    within(h2.send_request(request())).await.unwrap();
    within(async {
        while !h2.is_closed() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_may_take_longer_than_any_limit_of_the_client() {
    let server = start(
        one()
            .idle_timeout(SHORT)
            .header_timeout(SHORT)
            .write_timeout(SHORT),
    );
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    tokio::time::sleep(SHORT * 3).await;
    server.app.go.notify_one();
    assert!(raw.response(6).await.ends_with("waited"));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut() {
    let server = start(one().write_timeout(SHORT));
    let mut raw = server.connect().await;
    raw.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let Server {
        app, stop, ended, ..
    } = server;
    within(async {
        while app.requests() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Were it not cut, the front could not end before the drain timeout, and would say so.
    tokio::time::sleep(SHORT * 3).await;
    stop.send(()).unwrap();
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
}

/// An HTTP/2 client takes frames all right, but opens no window for the body.
#[tokio::test]
async fn an_http2_client_that_takes_no_data_is_cut() {
    let server = start(one().write_timeout(SHORT).h2_ping(SHORT / 4, TOO_LONG));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut h2, connection) = h2::client::Builder::new()
        .initial_window_size(0)
        .handshake::<_, Bytes>(stream)
        .await
        .unwrap();
    let ended = tokio::spawn(connection);
    let request = Request::get("http://a/big").body(()).unwrap();
    let (response, _) = h2.send_request(request, true).unwrap();
    let response = within(response).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let _ = within(ended).await.unwrap();
    server.ends_clean().await;
}

/// Another one goes on meanwhile, so that the connection as a whole never stands still. It may end.
#[tokio::test]
async fn an_http2_client_that_keeps_a_stream_shut_is_let_go() {
    let server = start(one().write_timeout(SHORT).h2_ping(SHORT / 4, TOO_LONG));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut h2, connection) = h2::client::Builder::new()
        .initial_connection_window_size(1024 * 1024)
        .handshake::<_, Bytes>(stream)
        .await
        .unwrap();
    let ended = tokio::spawn(connection);
    let mut ask = |target| {
        let request = Request::get(target).body(()).unwrap();
        h2.send_request(request, true).map(|(answer, _)| answer)
    };
    let [shut, other] = ["http://a/parts"; 2].map(|target| ask(target).unwrap());
    let shut = within(shut).await.unwrap();
    let mut other = within(other).await.unwrap().into_body();
    let (mut heard, mut parts, mut late) = (0, 0, None);
    while let Some(part) = within(other.data()).await {
        let part = part.unwrap();
        heard += part.len();
        other.flow_control().release_capacity(part.len()).unwrap();
        parts += 1;
        if parts % 16 == 0 {
            tokio::time::sleep(SHORT / 8).await;
        }
        if heard >= 16 * 1024 * 1024 && late.is_none() {
            late = Some(ask("http://a/"));
        }
    }
    assert_eq!(heard, 32 * 1024 * 1024, "it ends whole");
    let _ = within(ended).await.unwrap();
    if let Some(Ok(late)) = late {
        assert!(within(late).await.is_err(), "it was let go before");
    }
    drop(shut);
    server.ends_clean().await;
}

/// One byte of room is no progress: the system opens the window again only when there is room for much more.
#[tokio::test]
async fn a_client_that_reads_a_byte_now_and_then_is_cut() {
    let server = start(one().write_timeout(SHORT * 2));
    let mut raw = server.connect().await;
    raw.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let reading = tokio::spawn(async move {
        while raw.0.read_u8().await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let Server {
        app, stop, ended, ..
    } = server;
    within(async {
        while app.requests() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tokio::time::sleep(SHORT * 6).await;
    stop.send(()).unwrap();
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
    reading.abort();
}

/// The limit is for the head as a whole, not for its next byte.
#[tokio::test]
async fn a_head_that_comes_byte_by_byte_gets_408() {
    let server = start(one().header_timeout(SHORT * 3));
    let mut raw = server.connect().await;
    let (mut reading, mut writing) = raw.0.get_mut().split();
    let trickle = async {
        loop {
            let _ = writing.write_all(b"x").await;
            tokio::time::sleep(SHORT / 5).await;
        }
    };
    let mut said = Vec::new();
    tokio::select! {
        _ = within(reading.read_to_end(&mut said)) => {}
        () = trickle => {}
    }
    assert!(said.starts_with(b"HTTP/1.1 408 "), "{said:?}");
    server.ends_clean().await;
}

#[tokio::test]
async fn a_slow_reader_is_not_cut() {
    // Far more than a busy machine keeps this test from reading, and less than it reads for in all.
    const TIMEOUT: Duration = Duration::from_secs(3);
    let server = start(one().write_timeout(TIMEOUT));
    let mut raw = server.connect().await;
    raw.send("GET /big HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    let mut total = 0;
    let mut buffer = vec![0; 256 * 1024];
    let begun = tokio::time::Instant::now();
    loop {
        match within(raw.0.read(&mut buffer)).await.unwrap() {
            0 => break,
            read => total += read,
        }
        if begun.elapsed() < TIMEOUT * 4 / 3 {
            tokio::time::sleep(TIMEOUT / 40).await;
        }
    }
    assert!(total > 32 * 1024 * 1024, "{total}");
    assert!(begun.elapsed() > TIMEOUT, "{:?}", begun.elapsed());
}
