//! TLS by rustls: 1.2 and 1.3, certificates by name that follow their files, client certificates.
//!
//! ```
//! use ancm::front::{Front, Listen, tls::{ClientCertificates, Tls}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (chain, key) = (folder.path().join("site.pem"), folder.path().join("site.key"));
//! # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! # std::fs::write(&chain, made.cert.pem())?;
//! # std::fs::write(&key, made.signing_key.serialize_pem())?;
//! let tls = Tls::builder()
//!     .certificate(chain, key)
//!     .client_certificates(ClientCertificates::Optional)
//!     .build()?;
//! let front = Front::new().listen([Listen::tcp("127.0.0.1:0".parse()?).tls(tls)])?;
//! assert!(front.endpoints()[0].to_string().starts_with("https://127.0.0.1:"));
//! # Ok(())
//! # }
//! ```
//!
//! # Certificates
//!
//! A client that asks for a name (SNI) is shown the certificate for that name, or one for `*.` its
//! parent; whoever asks for no name, or for one that nobody knows, the first. For the same name there
//! may be several with keys of different kinds: the first that the client can check is taken.
//!
//! The files are watched, through links. What is new counts for new connections, and none that is
//! open is dropped. New files that can't be used change nothing, and the log says why.
//!
//! # Client certificates
//!
//! With a CA, a certificate has to come from it and be valid now. Without one, whatever a client shows
//! is taken, as long as it has the key: what it is worth is for the app to judge. It is asked for in
//! the handshake or never: there is no renegotiation in TLS 1.2 (rustls has none), no
//! authentication after the handshake in TLS 1.3, so that it is a matter of the listener, not of the path.
//!
//! # Not here
//!
//! No 0-RTT, whose data can be replayed. No OCSP stapling and no lists of revoked certificates. Tickets
//! do not outlive the process, and another process does not know them: their clients make a whole
//! handshake.
//!
//! # Cryptography
//!
//! By the provider that the process has installed as rustls's default, else by *ring*.

mod certificate;
mod client;
mod error;
mod handshake;
mod pem;
mod reload;
mod resolver;
mod setup;

use std::{fmt, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
};

use self::{certificate::Files, error::Kind, handshake::Handshakes, setup::Setup};
pub use self::{client::ClientCertificates, error::TlsError};
pub use crate::config::TlsVersion;
use crate::files;

/// TLS as one or several listeners speak it; cheap to clone.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    current: ArcSwap<Current>,
    handshakes: Handshakes,
    timeout: Duration,
}

/// What was asked for last. A new one has a `config` of its own, so that the watcher of an old one, which may be
/// reading at that moment, can't undo it.
struct Current {
    config: Arc<ArcSwap<ServerConfig>>,
    client_certificates: ClientCertificates,
    _files: files::Watcher,
}

/// What TLS is to be like. Ends in [`build`](Self::build).
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsBuilder {
    certificates: Vec<Files>,
    client_certificates: ClientCertificates,
    client_ca: Option<PathBuf>,
    min_version: TlsVersion,
    timeout: Duration,
    max_handshakes: NonZeroUsize,
}

/// As many as take a second of one core, where each signs with RSA.
const MAX_HANDSHAKES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

impl Tls {
    /// With defaults, and without a certificate: it needs one.
    pub fn builder() -> TlsBuilder {
        TlsBuilder {
            certificates: Vec::new(),
            client_certificates: ClientCertificates::Off,
            client_ca: None,
            min_version: TlsVersion::Tls12,
            timeout: Duration::from_secs(10),
            max_handshakes: MAX_HANDSHAKES,
        }
    }

    /// Whether clients are asked for a certificate.
    #[must_use]
    pub fn client_certificates(&self) -> ClientCertificates {
        self.shared.current.load().client_certificates
    }

    /// Has new connections be spoken to as `builder` says; those that are open stay. Its limits of handshakes don't
    /// count: they stay, too. Who comes back makes a whole handshake.
    ///
    /// # Errors
    ///
    /// As [`build`](TlsBuilder::build). Nothing has changed then.
    pub fn replace(&self, builder: TlsBuilder) -> Result<(), TlsError> {
        self.shared.current.store(Arc::new(builder.load()?));
        Ok(())
    }
}

impl TlsBuilder {
    /// Adds a certificate: PEM files of its chain, itself first, and of its private key (PKCS#8, PKCS#1 or
    /// SEC1), which may be the same. The first one is for whoever asks for no name.
    pub fn certificate(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.certificates.push(Files {
            chain: chain.into(),
            key: key.into(),
        });
        self
    }

    /// Sets whether clients are asked for a certificate. Defaults to [`Off`](ClientCertificates::Off).
    pub fn client_certificates(mut self, client_certificates: ClientCertificates) -> Self {
        self.client_certificates = client_certificates;
        self
    }

    /// Sets who may have issued a client's certificate: a PEM file of one or several. Defaults to
    /// anybody, itself too.
    pub fn client_ca(mut self, certificates: impl Into<PathBuf>) -> Self {
        self.client_ca = Some(certificates.into());
        self
    }

    /// Sets the oldest version that is spoken. Defaults to TLS 1.2; older ones are not known here.
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = version;
        self
    }

    /// Sets how long a handshake may take. Defaults to 10 s, Kestrel's own.
    pub fn handshake_timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Sets how many handshakes may be under way, over all threads and listeners that share this.
    /// One more ends the oldest, which is one that hangs. Defaults to 1024.
    pub fn max_handshakes(mut self, handshakes: NonZeroUsize) -> Self {
        self.max_handshakes = handshakes;
        self
    }

    /// Reads the files, and watches them from now on.
    ///
    /// # Errors
    ///
    /// When there is no certificate, or something is wrong with a file; when no thread can be started
    /// to watch them.
    pub fn build(self) -> Result<Tls, TlsError> {
        let handshakes = Handshakes::new(self.max_handshakes.get());
        let timeout = self.timeout;
        Ok(Tls {
            shared: Arc::new(Shared {
                current: ArcSwap::from_pointee(self.load()?),
                handshakes,
                timeout,
            }),
        })
    }

    fn load(self) -> Result<Current, TlsError> {
        if self.client_ca.is_some() && self.client_certificates == ClientCertificates::Off {
            return Err(Kind::UnusedCa.alone());
        }
        let mut setup = Setup {
            certificates: self.certificates.into_iter().map(Files::absolute).collect(),
            client_certificates: self.client_certificates,
            client_ca: self.client_ca.map(absolute),
            min_version: self.min_version,
            provider: provider(),
            sessions: None,
        };
        let seen = reload::stamps(&setup);
        let config = Arc::new(ArcSwap::from_pointee(setup.load()?));
        let files = reload::watch(setup, &config, seen)
            .map_err(|error| Kind::Setup(error.to_string()).alone())?;
        Ok(Current {
            config,
            client_certificates: self.client_certificates,
            _files: files,
        })
    }
}

/// As it is now: the working directory may change, and folders are watched.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn provider() -> Arc<CryptoProvider> {
    let installed = CryptoProvider::get_default().cloned();
    installed.unwrap_or_else(|| Arc::new(ring::default_provider()))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("client_certificates", &self.client_certificates())
            .finish_non_exhaustive()
    }
}
