//! What the app knows of a client that comes by TLS, proves who it is, or comes through a proxy.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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
        log::event,
        module::{Module, Start},
        pki::Ca,
    },
};

macro_rules! each_app {
    ($($scenario:ident at $listen:literal),+ $(,)?) => {
        #[cfg(unix)]
        mod stock { $( #[test] fn $scenario() {
            crate::support::apps::published();
            super::play(super::App::Stock, $listen, super::$scenario);
        } )+ }
        #[cfg(unix)]
        mod modern { $( #[test] fn $scenario() {
            crate::support::apps::published_modern();
            super::play(super::App::Modern, $listen, super::$scenario);
        } )+ }
        mod twin { $( #[test] fn $scenario() {
            crate::support::apps::twin();
            super::play(super::App::Twin, $listen, super::$scenario);
        } )+ }
    };
}

each_app!(
    a_client_s_certificate_reaches_the_app at "https://127.0.0.1:0,client-cert=required",
    nobody_sends_a_certificate_as_a_header at "https://127.0.0.1:0,client-cert=optional",
    the_app_knows_the_scheme_the_port_and_the_client at "https://127.0.0.1:0",
    the_client_that_a_proxy_names_reaches_the_app at "https://127.0.0.1:0,proxy-from=127.0.0.0/8",
    a_websocket_goes_through_tls at "https://127.0.0.1:0",
);

/// Plays a scenario before an app that runs already: how long that takes on a busy machine is not the scenario's time.
fn play<F: Future<Output = ()>>(app: App, listen: &str, scenario: impl FnOnce(Ca, Module) -> F) {
    /// One after the other: all at once, each would take as long as all of them.
    static STARTS: Mutex<()> = Mutex::new(());
    let ca = Ca::new();
    let module = {
        let _one = STARTS.lock().unwrap_or_else(PoisonError::into_inner);
        let module = start(app, &ca, listen);
        wait_for_the_app(&module);
        module
    };
    run(scenario(ca, module));
}

/// Asks it by the other listener, in cleartext and without a certificate.
fn wait_for_the_app(module: &Module) {
    let plain: SocketAddr = module.log().wait_for("plain listener", START, |line| {
        let fields = event(line, "Listening")?;
        let plain = fields.get("scheme")? == "http";
        plain.then(|| fields["address"].as_str()?.parse().ok())?
    });
    let mut stream = std::net::TcpStream::connect(plain).unwrap();
    stream.set_read_timeout(Some(START)).unwrap();
    stream
        .write_all(b"GET /echo HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// How long an app may take to answer for the first time: twice what a process may take to start.
const START: Duration = Duration::from_secs(240);

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// `ancm` in front of `app`, by TLS at `listen`, and in cleartext elsewhere.
fn start(app: App, ca: &Ca, listen: &str) -> Module {
    let site = ca.site("site", &["site.test"]);
    let arguments = [
        ("--listen", listen.to_owned()),
        ("--listen", "127.0.0.1:0".to_owned()),
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

async fn a_client_s_certificate_reaches_the_app(ca: Ca, module: Module) {
    let pair = ca.client("alice");
    for protocol in BOTH {
        let mut client = client(module.address(), ca.showing(&pair), protocol).await;
        let known = client.get("/client-cert").await.json();
        assert_eq!(known["der"], STANDARD.encode(&pair.der), "{protocol:?}");
    }
}

async fn nobody_sends_a_certificate_as_a_header(ca: Ca, module: Module) {
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

async fn the_app_knows_the_scheme_the_port_and_the_client(ca: Ca, module: Module) {
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

async fn the_client_that_a_proxy_names_reaches_the_app(ca: Ca, module: Module) {
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

async fn a_websocket_goes_through_tls(ca: Ca, module: Module) {
    let tcp = TcpStream::connect(module.address()).await.unwrap();
    let stream = secure(ca.trusting(), tcp, Protocol::Http1).await;
    let (mut socket, _) = client_async("wss://site.test/ws", stream).await.unwrap();
    socket.send(Message::text("through")).await.unwrap();
    let echo = socket.next().await.unwrap().unwrap();
    assert_eq!(echo, Message::text("through"));
}
