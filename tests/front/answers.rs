//! What is answered, in both versions and at every address.

use super::*;

#[tokio::test]
async fn answers_requests_one_after_another_and_pipelined() {
    let server = start(one());
    let mut raw = server.connect().await;
    for _ in 0..3 {
        raw.send(GET).await;
        assert!(raw.response(0).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    raw.send(format!(
        "{}{GET}",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi".repeat(9)
    ))
    .await;
    for _ in 0..9 {
        assert!(raw.response(2).await.ends_with("\r\n\r\nhi"));
    }
    raw.response(0).await;
    assert_eq!(server.app.requests(), 13);
    assert_eq!(server.app.connections.load(Ordering::SeqCst), 1);
    drop(raw);
    server.ends_clean().await;
}

#[tokio::test]
async fn reads_a_request_that_comes_byte_by_byte() {
    let server = start(one());
    let mut raw = server.connect().await;
    raw.0.get_ref().set_nodelay(true).unwrap();
    for byte in "PROPFIND / HTTP/1.1\r\nhost: a\r\n\r\n".bytes() {
        raw.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(raw.response(0).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn speaks_http2_on_the_same_port() {
    let server = start(one());
    let mut h2 = server.h2().await;
    let requests: Vec<_> = (0..50)
        .map(|number| {
            let request = Request::post(format!("http://{}/", server.address))
                .body(Full::new(Bytes::from(format!("{number}"))))
                .unwrap();
            h2.send_request(request)
        })
        .collect();
    for (number, response) in requests.into_iter().enumerate() {
        let response = within(response).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, number.to_string());
    }
    drop(h2);
    server.ends_clean().await;
}

#[tokio::test]
async fn http10_closes_unless_asked_to_stay() {
    let server = start(one());
    let said = server.exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.0 200 OK\r\n"), "{said}");

    let mut raw = server.connect().await;
    for _ in 0..2 {
        raw.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            .await;
        let said = raw.response(0).await;
        assert!(said.contains("connection: keep-alive"), "{said}");
    }
}

#[tokio::test]
async fn http10_is_not_told_to_stay_where_the_end_is_the_connections() {
    let server = start(one());
    let said = server
        .exchange("GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        .await;
    assert!(said.contains("connection: close\r\n"), "{said}");
    assert!(!said.contains("keep-alive"), "{said}");
    assert!(said.ends_with("\r\n\r\nstreamed"), "{said}");
}

#[tokio::test]
async fn many_connections_at_once() {
    // What each costs under Wine grows with the square of their number, whoever serves them.
    let many = if cfg!(windows) { 300 } else { 1000 };
    let server = start(Front::new().threads(NonZeroUsize::new(2).unwrap()));
    let mut raws = Vec::new();
    for _ in 0..many {
        raws.push(server.connect().await);
    }
    for raw in &mut raws {
        raw.send(WAIT).await;
    }
    // Every one of them is being served before the first is answered. Without a pause the loop would keep the server from it
    // under Wine, where one process answers the system calls of all.
    within(async {
        while server.app.requests() < many {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    for _ in 0..many {
        server.app.go.notify_one();
        tokio::task::yield_now().await;
    }
    for raw in &mut raws {
        assert!(raw.response(6).await.ends_with("waited"));
    }
    drop(raws);
    server.ends_clean().await;
}

#[tokio::test]
async fn threads_share_the_port_or_the_socket() {
    let threads = NonZeroUsize::new(4).unwrap();
    let inherited = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = inherited.local_addr().unwrap();
    let bound = Front::new()
        .threads(threads)
        .listeners(vec![inherited])
        .unwrap();
    assert_eq!(bound.local_addresses(), [address]);
    let make = |_: Connection| {
        service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(text("hi")) })
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(bound.serve(make, async { stopped.await.unwrap() }));
    for _ in 0..64 {
        let mut raw = Raw::to(address).await;
        raw.send(GET).await;
        assert!(raw.response(2).await.ends_with("hi"));
    }
    stop.send(()).unwrap();
    within(ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn listens_on_several_addresses() {
    let mut addresses = vec![
        "127.0.0.1:0".parse().unwrap(),
        "127.0.0.2:0".parse().unwrap(),
    ];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        addresses.push("[::1]:0".parse().unwrap());
    }
    if cfg!(not(target_os = "linux")) {
        addresses.remove(1); // Only Linux has all of 127/8.
    }
    let bound = one().bind(&addresses).unwrap();
    let locals = bound.local_addresses().to_vec();
    assert_eq!(locals.len(), addresses.len());
    let make = |connection: Connection| {
        let local = connection.local().unwrap();
        service_fn(move |_: Request<Incoming>| async move {
            Ok::<_, Infallible>(text(&local.to_string()))
        })
    };
    tokio::spawn(bound.serve(make, pending()));
    for local in locals {
        let mut raw = Raw::to(local).await;
        raw.send("GET / HTTP/1.0\r\n\r\n").await;
        assert!(raw.rest().await.ends_with(&format!("\r\n\r\n{local}")));
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let threads = NonZeroUsize::new(2).unwrap();
    let first = Front::new()
        .threads(threads)
        .bind(&["127.0.0.1:0".parse().unwrap()])
        .unwrap();
    let error = Front::new()
        .threads(threads)
        .bind(first.local_addresses())
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let named = format!("can't listen on {}", first.local_addresses()[0]);
    assert_eq!(error.to_string(), named);
    assert!(std::error::Error::source(&error).is_some(), "why");
    assert!(Front::new().bind(&[]).is_err());
}
