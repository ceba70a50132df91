//! What the command line says of TLS.

use std::{num::NonZeroU16, path::PathBuf, time::Duration};

use ancm::config::{
    Binding, CertificateFiles, ClientCertificates, Hsts, HttpsRedirect, Site, TlsVersion,
};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

use crate::failure::Failure;

/// The options of TLS as typed. The keys of `front` in TOML have the same names.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RawHttps {
    /// A certificate for https:// listeners: a PEM file of its chain; may be repeated, the first is
    /// for whoever asks for no name
    #[arg(long, value_name = "FILE")]
    tls_cert: Vec<PathBuf>,
    /// The private key of the --tls-cert in the same place, a PEM file [default: the same files]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Vec<PathBuf>,
    /// The oldest version of TLS that is spoken [default: 1.2]
    #[arg(long, value_name = "VERSION", value_parser = PossibleValuesParser::new(TlsVersion::NAMES).try_map(|name| name.parse::<TlsVersion>()))]
    tls_min_version: Option<TlsVersion>,
    /// Whether clients are asked for a certificate; `--listen https://…,client-cert=MODE` for one
    /// listener alone [default: off]
    #[arg(long, value_name = "MODE", value_parser = PossibleValuesParser::new(ClientCertificates::NAMES).try_map(|name| name.parse::<ClientCertificates>()))]
    client_cert: Option<ClientCertificates>,
    /// Take only certificates of clients that one of this PEM file issued [default: any]
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// Send clients of http:// listeners to https://, at this port; `off` where the configuration says
    /// otherwise [default: the https:// listeners']
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = redirect)]
    https_redirect: Option<HttpsRedirect>,
    /// Tell clients of https:// listeners to come by TLS alone for so many seconds; `off` where the
    /// configuration says otherwise [default: 30 days]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = hsts)]
    hsts: Option<Hsts>,
}

fn redirect(text: &str) -> Result<HttpsRedirect, String> {
    match text {
        "" => Ok(HttpsRedirect::Ours),
        "off" => Ok(HttpsRedirect::Off),
        port => match port.parse::<NonZeroU16>() {
            Ok(port) => Ok(HttpsRedirect::To(port.get())),
            Err(_) => Err("expected a port, or off".to_owned()),
        },
    }
}

fn hsts(text: &str) -> Result<Hsts, String> {
    match text {
        "" => Ok(Hsts::MONTH),
        "off" => Ok(Hsts::Off),
        seconds => match seconds.parse() {
            Ok(seconds) => Ok(Hsts::For(Duration::from_secs(seconds))),
            Err(_) => Err("expected whole seconds, or off".to_owned()),
        },
    }
}

impl RawHttps {
    /// What is typed of the front, with the places to listen.
    pub(super) fn site(self, listen: Vec<Binding>) -> Result<Site, Failure> {
        let mut site = Site::default();
        site.bindings = listen;
        site.certificates = pairs(self.tls_cert, self.tls_key)?;
        site.tls_min_version = self.tls_min_version;
        site.client_cert = self.client_cert;
        site.client_ca = self.client_ca;
        site.https_redirect = self.https_redirect;
        site.hsts = self.hsts;
        Ok(site)
    }
}

fn pairs(chains: Vec<PathBuf>, keys: Vec<PathBuf>) -> Result<Vec<CertificateFiles>, Failure> {
    if keys.is_empty() {
        let same = |file: PathBuf| CertificateFiles {
            chain: file.clone(),
            key: file,
        };
        return Ok(chains.into_iter().map(same).collect());
    }
    if keys.len() != chains.len() {
        return Err(Failure::usage(format_args!(
            "expected a --tls-key for each --tls-cert, got {} for {}",
            keys.len(),
            chains.len()
        )));
    }
    let pairs = chains.into_iter().zip(keys);
    let pairs = pairs.map(|(chain, key)| CertificateFiles { chain, key });
    Ok(pairs.collect())
}
