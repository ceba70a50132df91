//! The examples that need an app to serve.

use super::*;

#[allow(dead_code)]
#[path = "../../examples/axum_gateway.rs"]
mod axum_gateway;
#[allow(dead_code)]
#[path = "../../examples/hyper_front.rs"]
mod hyper_front;

/// What `ask` gets, while the runtime goes on.
async fn asked(address: SocketAddr, line: &'static str) -> (u16, String) {
    let answer = tokio::task::spawn_blocking(move || ask(address, line, "*/*"));
    answer.await.unwrap()
}

#[tokio::test]
async fn the_axum_gateway_mounts_two_apps_beside_its_own_page() {
    let dir = tempfile::tempdir().unwrap();
    let toml = format!("processPath = '{ANCM}'\narguments = ['demo-app']\n");
    std::fs::write(dir.path().join("ancm.toml"), toml).unwrap();
    let host = |path_base| axum_gateway::host(dir.path(), path_base).unwrap();
    let (shop, blog) = (host("/shop"), host("/blog"));
    let app = axum_gateway::gateway(shop.clone(), blog.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let served = tokio::spawn(async move { axum::serve(listener, app).await });

    assert!(
        asked(address, "GET /")
            .await
            .1
            .contains("This page is the gateway's")
    );
    assert_eq!(asked(address, "GET /shopping").await.0, 404);
    let mut pids = Vec::new();
    for (line, base, target) in [
        ("GET /shop/cart?a=%2f", "/shop", "/shop/cart?a=%2f"),
        ("GET /blog/", "/blog", "/blog/"),
    ] {
        let (status, page) = asked(address, line).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(
            (value(&page, "path base"), value(&page, "target")),
            (base, target)
        );
        assert!(
            value(&page, "remote address").starts_with("127.0.0.1:"),
            "{page}"
        );
        pids.push(value(&page, "process id").to_owned());
    }
    assert_ne!(pids[0], pids[1]);
    tokio::join!(shop.shutdown(), blog.shutdown());
    served.abort();
}

#[tokio::test]
async fn the_hyper_front_serves_an_app_its_failed_start_and_its_offline_page() {
    for (argument, file, status, told) in [
        ("demo-app", "other.htm", 200, "remote address  127.0.0.1:"),
        ("--version", "other.htm", 502, "502.5"),
        ("demo-app", "app_offline.htm", 503, "Back soon"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file), "Back soon").unwrap();
        let config = ancm::config::Config::builder(dir.path())
            .program(ANCM)
            .arguments([argument])
            .build()
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let ask_and_stop = async {
            let answer = asked(address, "GET /x").await;
            stop.send(()).unwrap();
            answer
        };
        let stopped = async { stopped.await.unwrap() };
        let served = hyper_front::serve(listener, config, stopped);
        let (served, answer) = tokio::join!(served, ask_and_stop);
        served.unwrap();
        assert_eq!(answer.0, status, "{}", answer.1);
        assert!(answer.1.contains(told), "{}", answer.1);
    }
}
