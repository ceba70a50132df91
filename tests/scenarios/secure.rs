//! What the app knows of a client that comes by TLS, proves who it is, or comes through a proxy.

use std::{net::SocketAddr, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::{
    at::run,
    life::env,
    support::{
        apps::App,
        client::{Client, Protocol, empty},
        module::{Module, Start},
        pki::Ca,
    },
};

macro_rules! each_app {
    ($($scenario:ident),+ $(,)?) => {
        #[cfg(unix)]
        mod stock { $( #[test] fn $scenario() {
            crate::support::apps::published();
            super::run(super::$scenario(super::App::Stock));
        } )+ }
        mod twin { $( #[test] fn $scenario() {
            crate::support::apps::twin();
            super::run(super::$scenario(super::App::Twin));
        } )+ }
    };
}

each_app!(
    a_client_s_certificate_reaches_the_app,
    nobody_sends_a_certificate_as_a_header,
    the_app_knows_the_scheme_the_port_and_the_client,
    the_client_that_a_proxy_names_reaches_the_app,
    a_websocket_goes_through_tls,
);

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// `ancm` in front of `app`, by TLS at `listen`.
fn start(app: App, ca: &Ca, listen: &str) -> Module {
    let site = ca.site("site", &["site.test"]);
    let arguments = [
        ("--listen", listen.to_owned()),
        ("--tls-cert", text(&site.chain)),
        ("--tls-key", text(&site.key)),
    ];
    let arguments = arguments.map(|(name, value)| [name.to_owned(), value]);
    Start::new(app, "/").listen(arguments.concat()).run()
}

async fn secure(
    mut config: ClientConfig,
    tcp: TcpStream,
    protocol: Protocol,
) -> TlsStream<TcpStream> {
    config.alpn_protocols = vec![match protocol {
        Protocol::Http1 => b"http/1.1".to_vec(),
        Protocol::Http2 => b"h2".to_vec(),
    }];
    let name = ServerName::try_from("site.test").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.unwrap()
}

async fn client(address: SocketAddr, config: ClientConfig, protocol: Protocol) -> Client {
    let tcp = TcpStream::connect(address).await.unwrap();
    let local = tcp.local_addr().unwrap();
    let stream = secure(config, tcp, protocol).await;
    let authority = format!("site.test:{}", address.port());
    Client::over(stream, local, "https", authority, protocol).await
}

async fn a_client_s_certificate_reaches_the_app(app: App) {
    let ca = Ca::new();
    let module = start(app, &ca, "https://127.0.0.1:0,client-cert=required");
    let pair = ca.client("alice");
    for protocol in BOTH {
        let mut client = client(module.address(), ca.showing(&pair), protocol).await;
        let known = client.get("/client-cert").await.json();
        assert_eq!(known["der"], STANDARD.encode(&pair.der), "{protocol:?}");
    }
}

async fn nobody_sends_a_certificate_as_a_header(app: App) {
    let ca = Ca::new();
    let module = start(app, &ca, "https://127.0.0.1:0,client-cert=optional");
    let (mine, theirs) = (ca.client("mine"), ca.client("theirs"));
    let forged = STANDARD.encode(&theirs.der);
    for protocol in BOTH {
        for (config, want) in [
            (ca.trusting(), serde_json::Value::Null),
            (ca.showing(&mine), STANDARD.encode(&mine.der).into()),
        ] {
            let mut client = client(module.address(), config, protocol).await;
            let request = Request::get("/client-cert")
                .header("MS-ASPNETCORE-CLIENTCERT", &forged)
                .header("ms_aspnetcore_clientcert", &forged);
            let known = client.ask(request.body(empty()).unwrap()).await.json();
            assert_eq!(known["der"], want, "{protocol:?}");
        }
    }
}

async fn the_app_knows_the_scheme_the_port_and_the_client(app: App) {
    let ca = Ca::new();
    let module = start(app, &ca, "https://127.0.0.1:0");
    for protocol in BOTH {
        let mut client = client(module.address(), ca.trusting(), protocol).await;
        let known = client.get("/echo").await.json();
        assert_eq!(known["scheme"], "https", "{protocol:?}");
        assert_eq!(
            known["host"],
            format!("site.test:{}", module.address().port())
        );
        assert_eq!(known["remoteAddress"], "127.0.0.1");
        assert_eq!(known["remotePort"], client.local().port());
        let variables = &env(&mut client, "").await["variables"];
        let port = module.address().port().to_string();
        assert_eq!(variables["ASPNETCORE_ANCM_HTTPS_PORT"], port);
    }
}

async fn the_client_that_a_proxy_names_reaches_the_app(app: App) {
    let ca = Ca::new();
    let module = start(app, &ca, "https://127.0.0.1:0,proxy-from=127.0.0.0/8");
    for protocol in BOTH {
        let address = module.address();
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.8 4711 443\r\n")
            .await
            .unwrap();
        let stream = secure(ca.trusting(), tcp, protocol).await;
        let authority = "site.test".to_owned();
        let mut client = Client::over(stream, address, "https", authority, protocol).await;
        let known = client.get("/echo").await.json();
        assert_eq!(known["scheme"], "https");
        assert_eq!(known["remoteAddress"], "192.0.2.7", "{protocol:?}");
        assert_eq!(known["remotePort"], 4711);
    }
}

async fn a_websocket_goes_through_tls(app: App) {
    let ca = Ca::new();
    let module = start(app, &ca, "https://127.0.0.1:0");
    let tcp = TcpStream::connect(module.address()).await.unwrap();
    let stream = secure(ca.trusting(), tcp, Protocol::Http1).await;
    let (mut socket, _) = client_async("wss://site.test/ws", stream).await.unwrap();
    socket.send(Message::text("through")).await.unwrap();
    let echo = socket.next().await.unwrap().unwrap();
    assert_eq!(echo, Message::text("through"));
}
