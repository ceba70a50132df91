//! Certificates, a front that speaks TLS, and clients of it.

use std::{
    convert::Infallible,
    fs,
    future::Future,
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

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
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tempfile::TempDir;
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

/// Who issues certificates, and a folder for them.
pub(crate) struct Ca {
    pub(crate) folder: TempDir,
    pub(crate) der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, in files.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key_der: Vec<u8>,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "ancm test CA");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            folder,
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn pem(&self) -> PathBuf {
        self.path("ca.pem")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// For a server, in `NAME.pem` and `NAME.key`; overwrites.
    pub(crate) fn site(&self, name: &str, names: &[&str]) -> Pair {
        let key = KeyPair::generate().unwrap();
        self.issue(name, names, ExtendedKeyUsagePurpose::ServerAuth, &key)
    }

    pub(crate) fn client(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        self.issue(name, &[], ExtendedKeyUsagePurpose::ClientAuth, &key)
    }

    pub(crate) fn issue(
        &self,
        name: &str,
        names: &[&str],
        usage: ExtendedKeyUsagePurpose,
        key: &KeyPair,
    ) -> Pair {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.push(usage);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        let pair = Pair {
            chain: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            der: certificate.der().clone(),
            key_der: key.serialize_der(),
        };
        write_private(&pair.key, &key.serialize_pem());
        fs::write(&pair.chain, certificate.pem()).unwrap();
        pair
    }

    /// A client that trusts this CA and shows nothing.
    pub(crate) fn trusting(&self) -> ClientConfig {
        self.builder().with_no_client_auth()
    }

    /// A client that trusts this CA and shows a certificate.
    pub(crate) fn showing(&self, pair: &Pair) -> ClientConfig {
        let key = PrivateKeyDer::Pkcs8(pair.key_der.clone().into());
        self.builder()
            .with_client_auth_cert(vec![pair.der.clone()], key)
            .unwrap()
    }

    fn builder(&self) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }
}

pub(crate) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
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
