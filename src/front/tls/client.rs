//! The client's certificate: whether it is asked for, and what it has to be.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

pub use crate::config::ClientCertificates;

use super::{
    certificate,
    error::{Kind, TlsError},
};

/// The largest certificate that is taken: as a header it has to fit into what apps allow for one.
const LARGEST: usize = 16 * 1024;

/// Checks what `mode` and `ca` ask for; `None` where clients are not asked.
pub(super) fn verifier(
    mode: ClientCertificates,
    ca: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let mandatory = match mode {
        ClientCertificates::Off => return Ok(None),
        ClientCertificates::Optional => false,
        ClientCertificates::Required => true,
    };
    let inner = ca.map(|path| issued_by(path, provider)).transpose()?;
    Ok(Some(Arc::new(Verifier {
        mandatory,
        provider: provider.clone(),
        inner,
    })))
}

/// Checks that one of the certificates of a file issued a client's, directly or not, and that it is
/// for clients and valid now.
fn issued_by(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let (certificates, line) = certificate::certificates(path)?;
    let wrong =
        |error: &dyn std::error::Error| Kind::Certificate(error.to_string()).at(path, Some(line));
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| wrong(&error))
}

/// Lets a client show whatever certificate it has the key of, or only one that `inner` lets pass.
#[derive(Debug)]
struct Verifier {
    mandatory: bool,
    provider: Arc<CryptoProvider>,
    inner: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Without a hint clients offer whatever they have (RFC 8446, 4.2.4).
        self.inner
            .as_ref()
            .map_or(&[], |inner| inner.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if end_entity.len() > LARGEST {
            return Err(CertificateError::BadEncoding.into());
        }
        match &self.inner {
            Some(inner) => inner.verify_client_cert(end_entity, intermediates, now),
            None => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
