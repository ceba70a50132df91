//! Certificates, a front that speaks TLS, and clients of it.

use std::{
    convert::Infallible, future::Future, io, net::SocketAddr, num::NonZeroUsize, sync::Arc,
    time::Duration,
};

#[path = "../support/pki.rs"]
mod pki;

pub(crate) use self::pki::{Ca, Pair, write_private};

use ancm::{
    Connection,
    front::{
        Drained, Front, Listen,
        tls::{Tls, TlsBuilder},
    },
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::service_fn;

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(TOO_LONG, future).await.expect("it takes too long")
}

impl Pair {
    pub(crate) fn tls(&self) -> TlsBuilder {
        Tls::builder().certificate(&self.chain, &self.key)
    }
}

/// A front that says of each request who asks, and how.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<Drained>>,
}

pub(crate) fn start(tls: Tls) -> Server {
    start_with(Front::new().threads(NonZeroUsize::MIN), tls)
}

pub(crate) fn start_with(front: Front, tls: Tls) -> Server {
    let listen = Listen::tcp("127.0.0.1:0".parse().unwrap()).tls(tls);
    let bound = front.listen([listen]).unwrap();
    let address = bound.local_addresses()[0];
    let (stop, stopped) = oneshot::channel();
    let make = |connection: Connection| {
        service_fn(move |request: Request<Incoming>| {
            let answer = answer(&connection, &request);
            async move { Ok::<_, Infallible>(Response::new(answer)) }
        })
    };
    let ended = tokio::spawn(bound.serve(make, async {
        let _ = stopped.await;
    }));
    Server {
        address,
        stop,
        ended,
    }
}

fn answer(connection: &Connection, request: &Request<Incoming>) -> Full<Bytes> {
    if request.uri().path() == "/big" {
        return Full::new(Bytes::from(vec![b'x'; 4 * 1024 * 1024]));
    }
    let certificate = connection.certificate();
    let text = format!(
        "{:?} {} certificate={}",
        request.version(),
        connection.scheme(),
        certificate.map_or("none".to_owned(), |der| sha256(der)),
    );
    Full::new(text.into())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";

impl Server {
    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn handshake(
        &self,
        config: &Arc<ClientConfig>,
        name: &'static str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(config.clone());
        let name = ServerName::try_from(name).unwrap();
        within(connector.connect(name, self.tcp().await)).await
    }

    /// One request on a connection of its own: what the server says, and how the handshake went.
    pub(crate) async fn get(
        &self,
        config: &Arc<ClientConfig>,
        name: &'static str,
    ) -> io::Result<(String, rustls::HandshakeKind)> {
        let mut stream = self.handshake(config, name).await?;
        stream.write_all(GET).await?;
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await?;
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        Ok((answer, kind))
    }

    /// Whose certificate the server shows.
    pub(crate) async fn shows(&self, config: &Arc<ClientConfig>, name: &'static str) -> Vec<u8> {
        let stream = self.handshake(config, name).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    pub(crate) fn stop(self) -> JoinHandle<io::Result<Drained>> {
        let _ = self.stop.send(());
        self.ended
    }
}
