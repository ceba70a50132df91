//! What TLS is set up from, and how rustls is.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions},
    version::TLS13,
};
use tracing::info;

use super::{
    certificate::{Certificate, Files},
    client::{self, ClientCertificates},
    error::{Kind, TlsError},
    resolver::Resolver,
};
use crate::config::TlsVersion;

/// How many sessions of clients that know no tickets are remembered.
const SESSIONS: usize = 1024;

/// Files, and what is done with them.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) certificates: Vec<Files>,
    pub(super) client_certificates: ClientCertificates,
    pub(super) client_ca: Option<PathBuf>,
    pub(super) min_version: TlsVersion,
    pub(super) provider: Arc<CryptoProvider>,
    /// What clients resume. `None` before the first.
    pub(super) sessions: Option<Sessions>,
}

/// What lets clients come back without a whole handshake.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    storage: Arc<dyn StoresServerSessions>,
    /// Its keys change every 6 hours, and a ticket lives for 12.
    ticketer: Arc<dyn ProducesTickets>,
    /// What the CA's file held, as a resumed session is not checked against it again.
    ca: Vec<u8>,
}

impl Setup {
    /// All files that are read.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let pairs = self.certificates.iter();
        let pairs = pairs.flat_map(|files| [&*files.chain, &*files.key]);
        pairs.chain(self.client_ca.as_deref())
    }

    /// Reads the files. Sessions go on, unless it is another CA that clients need.
    pub(super) fn load(&mut self) -> Result<ServerConfig, TlsError> {
        let certificates = self
            .certificates
            .iter()
            .map(|files| files.load(&self.provider))
            .collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(Kind::NoCertificates.alone());
        }
        let ca = self.client_ca.as_deref();
        let verifier = client::verifier(self.client_certificates, ca, &self.provider)?;
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(versions(self.min_version))
            .map_err(|error| Kind::Setup(error.to_string()).alone())?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Resolver::new(&certificates)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let sessions = self.sessions()?;
        config.session_storage = sessions.storage.clone();
        config.ticketer = sessions.ticketer.clone();
        tell(&certificates, &self.certificates);
        Ok(config)
    }

    fn sessions(&mut self) -> Result<&Sessions, TlsError> {
        let ca = match &self.client_ca {
            Some(path) => std::fs::read(path).map_err(|error| Kind::from(error).of(path))?,
            None => Vec::new(),
        };
        let old = self.sessions.take();
        let sessions = match old.filter(|old| old.ca == ca) {
            Some(old) => old,
            None => Sessions {
                storage: ServerSessionMemoryCache::new(SESSIONS),
                ticketer: ring::Ticketer::new()
                    .map_err(|error| Kind::Setup(error.to_string()).alone())?,
                ca,
            },
        };
        Ok(self.sessions.insert(sessions))
    }
}

/// All that rustls knows, down to `oldest`.
fn versions(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match oldest {
        TlsVersion::Tls12 => rustls::ALL_VERSIONS,
        TlsVersion::Tls13 => &NEW,
    }
}

static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];

fn tell(certificates: &[Certificate], files: &[Files]) {
    for (certificate, files) in certificates.iter().zip(files) {
        info!(
            file = %files.chain.display(),
            names = ?certificate.names,
            until = %certificate.ends,
            "Certificate loaded"
        );
    }
}
