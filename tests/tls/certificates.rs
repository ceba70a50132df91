//! Which certificate is shown, which files are understood, what is said of those that are not.

use std::{fs, path::Path, sync::Arc};

use ancm::front::{
    Front, Listen,
    tls::{ClientCertificates, Tls},
};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
use rustls::{HandshakeKind, version};

use crate::support::{Ca, start, write_private};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/keys");

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(KEYS).join(name)).unwrap()
}

#[tokio::test]
async fn shows_the_certificate_of_the_name_and_else_the_first() {
    let ca = Ca::new();
    let first = ca.site("first", &["first.test", "127.0.0.1"]);
    let second = ca.site("second", &["Second.test"]);
    let wild = ca.site("wild", &["*.wild.test"]);
    let tls = first
        .tls()
        .certificate(&second.chain, &second.key)
        .certificate(&wild.chain, &wild.key);
    let server = start(tls.build().unwrap());
    let mut config = ca.trusting();
    // What it is shown is to be seen even where it is for another name.
    config
        .dangerous()
        .set_certificate_verifier(trust::anything());
    let config = Arc::new(config);
    for (name, want) in [
        ("first.test", &first),
        ("second.test", &second),
        ("SECOND.test", &second),
        ("a.wild.test", &wild),
        ("b.a.wild.test", &first),
        ("wild.test", &first),
        ("other.test", &first),
        ("127.0.0.1", &first),
    ] {
        assert_eq!(
            server.shows(&config, name).await,
            want.der.to_vec(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn speaks_1_2_and_1_3_and_agrees_on_a_protocol() {
    let ca = Ca::new();
    let server = start(ca.site("a", &["a.test"]).tls().build().unwrap());
    for (version, offered, agreed) in [
        (&version::TLS12, &["http/1.1"][..], Some("http/1.1")),
        (&version::TLS13, &["http/1.1"], Some("http/1.1")),
        (&version::TLS13, &["h2", "http/1.1"], Some("h2")),
        (&version::TLS12, &["http/1.1", "h2"], Some("h2")),
        (&version::TLS13, &[], None),
    ] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = offered
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let config = Arc::new(config);
        let stream = server.handshake(&config, "a.test").await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol(), agreed.map(str::as_bytes));
        if agreed != Some("h2") {
            let (answer, _) = server.get(&config, "a.test").await.unwrap();
            assert!(
                answer.ends_with("HTTP/1.1 https certificate=none"),
                "{answer}"
            );
        }
    }
}

#[test]
fn the_https_port_is_that_of_all_who_speak_tls_or_none() {
    let ca = Ca::new();
    let tls = ca.site("a", &["a.test"]).tls().build().unwrap();
    let plain = || Listen::tcp("127.0.0.1:0".parse().unwrap());
    let bound = |places: Vec<Listen>| Front::new().listen(places).unwrap();
    let one = bound(vec![plain(), plain().tls(tls.clone())]);
    assert_eq!(one.https_port(), Some(one.local_addresses()[1].port()));
    assert_eq!(bound(vec![plain()]).https_port(), None);
    let two = bound(vec![plain().tls(tls.clone()), plain().tls(tls)]);
    assert_eq!(two.https_port(), None);
}

#[tokio::test]
async fn a_protocol_that_nobody_knows_is_refused() {
    let ca = Ca::new();
    let server = start(ca.site("a", &["a.test"]).tls().build().unwrap());
    let mut config = ca.trusting();
    config.alpn_protocols = vec![b"spdy/1".to_vec()];
    let error = server
        .handshake(&Arc::new(config), "a.test")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_that_comes_back_resumes() {
    let ca = Ca::new();
    let server = start(ca.site("a", &["a.test"]).tls().build().unwrap());
    for version in [&version::TLS12, &version::TLS13] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        let (_, first) = server.get(&config, "a.test").await.unwrap();
        assert_eq!(first, HandshakeKind::Full);
        let (answer, second) = server.get(&config, "a.test").await.unwrap();
        assert_eq!(second, HandshakeKind::Resumed, "{version:?}");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn reads_keys_in_all_their_forms() {
    let ca = Ca::new();
    for (form, pkcs8) in [
        ("rsa.pkcs1.pem", "rsa.pkcs8.pem"),
        ("rsa.pkcs8.pem", "rsa.pkcs8.pem"),
        ("ec.sec1.pem", "ec.pkcs8.pem"),
        ("ec.pkcs8.pem", "ec.pkcs8.pem"),
    ] {
        let key = KeyPair::from_pem(&read(pkcs8)).unwrap();
        let pair = ca.issue(
            "site",
            &["a.test"],
            ExtendedKeyUsagePurpose::ServerAuth,
            &key,
        );
        write_private(&pair.key, &read(form));
        let server = start(pair.tls().build().unwrap());
        let config = Arc::new(ca.trusting());
        let (answer, _) = server.get(&config, "a.test").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{form}: {answer}");
    }
}

#[tokio::test]
async fn one_file_may_hold_all_of_it() {
    let ca = Ca::new();
    let pair = ca.site("a", &["a.test"]);
    let whole = ca.path("whole.pem");
    let parts = [&pair.key, &pair.chain, &ca.pem()].map(|path| fs::read_to_string(path).unwrap());
    write_private(&whole, &parts.concat());
    let server = start(Tls::builder().certificate(&whole, &whole).build().unwrap());
    let (answer, _) = server
        .get(&Arc::new(ca.trusting()), "a.test")
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn says_which_file_is_wrong_where_and_why() {
    let ca = Ca::new();
    let good = ca.site("good", &["a.test"]);
    let other = ca.site("other", &["a.test"]);
    let file = |name: &str, text: &str| {
        let path = ca.path(name);
        fs::write(&path, text).unwrap();
        path
    };
    let missing = ca.path("missing.pem");
    let der = file("der.pem", "\u{30}\u{1}not text");
    let cut = file("cut.pem", "\n-----BEGIN CERTIFICATE-----\nAQID\n");
    let typo = file(
        "typo.key",
        "-----BEGIN PRIVATE KEY-----\nAQ?D\n-----END PRIVATE KEY-----\n",
    );
    let locked = file(
        "locked.key",
        "\n-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let nonsense = file(
        "nonsense.pem",
        "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n",
    );
    for (chain, key, want) in [
        (&missing, &good.key, "missing.pem: the file can't be read"),
        (
            &der,
            &good.key,
            "der.pem: there is no PEM in it; expected `-----BEGIN CERTIFICATE",
        ),
        (
            &cut,
            &good.key,
            "cut.pem:2: a section begins here and does not end",
        ),
        (&good.chain, &typo, "typo.key:2: expected a line of base64"),
        (&good.chain, &locked, "locked.key:2: the key is encrypted"),
        (
            &good.chain,
            &good.chain,
            "good.pem: there is no PEM in it; expected `-----BEGIN PRIVATE KEY",
        ),
        (
            &good.chain,
            &other.key,
            "other.key:1: the private key is another certificate's",
        ),
        (
            &nonsense,
            &good.key,
            "nonsense.pem:1: the certificate can't be read",
        ),
    ] {
        let error = Tls::builder().certificate(chain, key).build().unwrap_err();
        assert!(error.to_string().contains(want), "{error}\nexpected {want}");
    }
    let error = Tls::builder().build().unwrap_err().to_string();
    assert_eq!(error, "TLS needs a certificate");
    let error = good
        .tls()
        .client_ca(ca.pem())
        .build()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("only where client certificates are asked for"),
        "{error}"
    );
    let asking = good.tls().client_certificates(ClientCertificates::Optional);
    let error = asking.client_ca(&good.key).build().unwrap_err().to_string();
    assert!(error.contains("good.key: there is no PEM in it"), "{error}");
}

#[test]
fn a_key_is_in_no_debug() {
    let ca = Ca::new();
    let pair = ca.site("a", &["a.test"]);
    let key = fs::read_to_string(&pair.key).unwrap();
    let builder = pair.tls();
    let said = format!("{builder:?} {:?}", builder.clone().build().unwrap());
    let secret = key.lines().nth(1).unwrap();
    assert!(!said.contains(secret), "{said}");
}

/// A client that takes any certificate.
mod trust {
    use std::sync::Arc;

    use rustls::{
        DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::ring,
        pki_types::{CertificateDer, ServerName, UnixTime},
    };

    #[derive(Debug)]
    struct Anything;

    pub(super) fn anything() -> Arc<dyn ServerCertVerifier> {
        Arc::new(Anything)
    }

    impl ServerCertVerifier for Anything {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            let provider = ring::default_provider();
            provider
                .signature_verification_algorithms
                .supported_schemes()
        }
    }
}
