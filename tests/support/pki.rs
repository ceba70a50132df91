//! Certificates of a CA that only a test knows, and clients that trust it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tempfile::TempDir;

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
