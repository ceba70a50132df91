//! Client certificates.

use std::sync::Arc;

use ancm::front::tls::ClientCertificates;
use rustls::{ClientConfig, HandshakeKind};

use crate::support::{Ca, Pair, Server, sha256, start};

fn server(ca: &Ca, mode: ClientCertificates, issued_by: Option<&Ca>) -> Server {
    let mut tls = ca.site("a", &["a.test"]).tls().client_certificates(mode);
    if let Some(issuer) = issued_by {
        tls = tls.client_ca(issuer.pem());
    }
    start(tls.build().unwrap())
}

/// What the server knows of a client, or `None` where it does not talk to it.
async fn known(server: &Server, config: ClientConfig) -> Option<String> {
    let (answer, _) = server.get(&Arc::new(config), "a.test").await.ok()?;
    let (_, certificate) = answer.rsplit_once("certificate=")?;
    Some(certificate.to_owned())
}

fn hash(pair: &Pair) -> Option<String> {
    Some(sha256(&pair.der))
}

#[tokio::test]
async fn is_not_asked_for_unless_it_is_said() {
    let ca = Ca::new();
    let server = server(&ca, ClientCertificates::Off, None);
    let client = ca.client("client");
    assert_eq!(
        known(&server, ca.showing(&client)).await.as_deref(),
        Some("none")
    );
}

#[tokio::test]
async fn goes_to_the_service_where_it_may_be_or_has_to_be() {
    let (ca, others) = (Ca::new(), Ca::new());
    let (mine, theirs) = (ca.client("mine"), others.client("theirs"));
    let none = || Some("none".to_owned());
    for (mode, issuer, without, with_mine, with_theirs) in [
        (
            ClientCertificates::Optional,
            None,
            none(),
            hash(&mine),
            hash(&theirs),
        ),
        (
            ClientCertificates::Optional,
            Some(&ca),
            none(),
            hash(&mine),
            None,
        ),
        (
            ClientCertificates::Required,
            None,
            None,
            hash(&mine),
            hash(&theirs),
        ),
        (
            ClientCertificates::Required,
            Some(&ca),
            None,
            hash(&mine),
            None,
        ),
    ] {
        let server = server(&ca, mode, issuer);
        let case = format!("{mode:?}, CA {}", issuer.is_some());
        assert_eq!(known(&server, ca.trusting()).await, without, "{case}");
        assert_eq!(known(&server, ca.showing(&mine)).await, with_mine, "{case}");
        assert_eq!(
            known(&server, ca.showing(&theirs)).await,
            with_theirs,
            "{case}"
        );
    }
}

#[tokio::test]
async fn has_to_be_for_clients_where_there_is_a_ca() {
    let ca = Ca::new();
    let server = server(&ca, ClientCertificates::Required, Some(&ca));
    let site = ca.site("site", &["site.test"]);
    assert_eq!(known(&server, ca.showing(&site)).await, None);
}

#[tokio::test]
async fn nobody_shows_a_certificate_without_its_key() {
    let ca = Ca::new();
    let server = server(&ca, ClientCertificates::Required, None);
    let (mine, theirs) = (ca.client("mine"), ca.client("theirs"));
    let stolen = Pair {
        der: theirs.der,
        ..mine.clone()
    };
    let config = liar::showing(ca.trusting(), &stolen, &mine.key);
    assert_eq!(known(&server, config).await, None);
}

#[tokio::test]
async fn is_remembered_by_a_session_that_is_resumed() {
    let ca = Ca::new();
    let server = server(&ca, ClientCertificates::Required, Some(&ca));
    let client = ca.client("client");
    let config = Arc::new(ca.showing(&client));
    for want in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let (answer, kind) = server.get(&config, "a.test").await.unwrap();
        assert_eq!(kind, want);
        assert!(answer.ends_with(&sha256(&client.der)), "{answer}");
    }
}

/// A client whose certificate is not its key's.
mod liar {
    use std::{fs, path::Path, sync::Arc};

    use rustls::{
        ClientConfig, SignatureScheme,
        client::ResolvesClientCert,
        crypto::ring,
        pki_types::{PrivateKeyDer, pem::PemObject as _},
        sign::CertifiedKey,
    };

    use super::Pair;

    #[derive(Debug)]
    struct Lies(Arc<CertifiedKey>);

    impl ResolvesClientCert for Lies {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            Some(self.0.clone())
        }

        fn has_certs(&self) -> bool {
            true
        }
    }

    pub(super) fn showing(mut config: ClientConfig, pair: &Pair, key: &Path) -> ClientConfig {
        let key = PrivateKeyDer::from_pem_slice(&fs::read(key).unwrap()).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let certified = CertifiedKey::new(vec![pair.der.clone()], key);
        config.client_auth_cert_resolver = Arc::new(Lies(Arc::new(certified)));
        config
    }
}
