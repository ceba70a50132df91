//! Pingora, with one thread for its service.

use std::net::SocketAddr;

use async_trait::async_trait;
use peers::{Failure, arguments};
use pingora::{prelude::*, server::configuration::ServerConf};

/// Where it forwards to.
enum App {
    Tcp(SocketAddr),
    Unix(String),
}

impl App {
    fn new(app: &str) -> Result<Self, Failure> {
        Ok(match app.strip_prefix("unix:") {
            Some(path) => Self::Unix(path.to_owned()),
            None => Self::Tcp(app.parse()?),
        })
    }
}

#[async_trait]
impl ProxyHttp for App {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(match self {
            Self::Tcp(address) => HttpPeer::new(address, false, String::new()),
            Self::Unix(path) => HttpPeer::new_uds(path, false, String::new())?,
        }))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        (): &mut (),
    ) -> Result<()> {
        if let Some(client) = session.client_addr().and_then(|client| client.as_inet()) {
            request.insert_header("X-Forwarded-For", client.ip().to_string())?;
        }
        request.insert_header("X-Forwarded-Proto", "http")
    }
}

fn main() -> std::result::Result<(), Failure> {
    let (listen, app) = arguments()?;
    let conf = ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: 1024,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, App::new(&app)?);
    service.add_tcp(&listen);
    server.add_service(service);
    server.run_forever();
}
