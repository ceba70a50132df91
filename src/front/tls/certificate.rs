//! A certificate with its chain and its key, out of PEM files.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    Error, InconsistentKeys,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};
use tracing::warn;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
    time::ASN1Time,
};

use super::{
    error::{Kind, TlsError},
    pem::{self, Section},
};
use crate::files;

/// More is no certificate and no key.
const LARGEST: u64 = 1024 * 1024;

/// Where a certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    /// The certificate first, then whoever issued it, and so on.
    pub(super) chain: PathBuf,
    /// May be the same file.
    pub(super) key: PathBuf,
}

/// A certificate that can be shown to clients.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// The DNS names that it is for, in lower case.
    pub(super) names: Vec<String>,
    pub(super) ends: ASN1Time,
}

impl Files {
    pub(super) fn absolute(self) -> Self {
        Self {
            chain: super::absolute(self.chain),
            key: super::absolute(self.key),
        }
    }

    pub(super) fn load(&self, provider: &CryptoProvider) -> Result<Certificate, TlsError> {
        let (chain, line) = certificates(&self.chain)?;
        let (key, key_line) = private_key(&self.key)?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            if matches!(error, Error::InvalidCertificate(_)) {
                return Kind::Certificate(error.to_string()).at(&self.chain, Some(line));
            }
            let mismatch = Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
            let kind = if error == mismatch {
                Kind::KeyMismatch
            } else {
                Kind::Key(error)
            };
            kind.at(&self.key, Some(key_line))
        })?;
        let unreadable = |what: String| Kind::Certificate(what).at(&self.chain, Some(line));
        let end = key.end_entity_cert();
        let end = end.map_err(|error| unreadable(error.to_string()))?;
        let (_, parsed) =
            X509Certificate::from_der(end).map_err(|error| unreadable(error.to_string()))?;
        let (names, ends) = (names(&parsed), parsed.validity().not_after);
        if !parsed.validity().is_valid() {
            warn!(file = %self.chain.display(), validity = %format_args!("{} to {ends}", parsed.validity().not_before), "Certificate is not valid now");
        }
        Ok(Certificate {
            key: Arc::new(key),
            names,
            ends,
        })
    }
}

/// The names that a certificate is for. Its common name is none of them (RFC 9525, 2).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let mut dns = Vec::new();
    for name in &names.value.general_names {
        if let GeneralName::DNSName(name) = name {
            dns.push(name.to_ascii_lowercase());
        }
    }
    dns
}

/// The certificates of a file, at least one, and the line of the first.
pub(super) fn certificates(path: &Path) -> Result<(Vec<CertificateDer<'static>>, usize), TlsError> {
    let (text, _) = read(path)?;
    let mut line = None;
    let mut chain = Vec::new();
    for section in pem::sections(&text).map_err(|error| Kind::malformed(error, path))? {
        if section.label == "CERTIFICATE" {
            line.get_or_insert(section.line);
            chain.push(CertificateDer::from(section.der));
        }
    }
    match line {
        Some(line) => Ok((chain, line)),
        None => Err(Kind::NoPem("CERTIFICATE").of(path)),
    }
}

fn private_key(path: &Path) -> Result<(PrivateKeyDer<'static>, usize), TlsError> {
    let (text, open) = read(path)?;
    if open {
        warn!(file = %path.display(), "Private key can be read by every user of this machine");
    }
    let mut found = None;
    for section in pem::sections(&text).map_err(|error| Kind::malformed(error, path))? {
        let line = section.line;
        if let Some(key) = key(section).map_err(|kind| kind.at(path, Some(line)))?
            && found.replace((key, line)).is_some()
        {
            return Err(Kind::TwoKeys.at(path, Some(line)));
        }
    }
    found.ok_or_else(|| Kind::NoPem("PRIVATE KEY").of(path))
}

fn key(section: Section) -> Result<Option<PrivateKeyDer<'static>>, Kind> {
    Ok(Some(match &*section.label {
        "PRIVATE KEY" => PrivateKeyDer::Pkcs8(section.der.into()),
        "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(section.der.into()),
        "EC PRIVATE KEY" => PrivateKeyDer::Sec1(section.der.into()),
        "ENCRYPTED PRIVATE KEY" => return Err(Kind::Encrypted),
        _ => return Ok(None),
    }))
}

/// A file, and whether every user may read it.
fn read(path: &Path) -> Result<(Vec<u8>, bool), TlsError> {
    let read = || -> Result<(Vec<u8>, bool), Kind> {
        let file = File::open(path)?;
        let open = files::is_readable_by_all(&file.metadata()?);
        let mut text = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut text)?;
        if text.len() as u64 > LARGEST {
            return Err(Kind::TooLarge);
        }
        Ok((text, open))
    };
    read().map_err(|kind| kind.of(path))
}
