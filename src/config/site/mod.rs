//! Where the front listens and how TLS is spoken there, as far as a file says so.

mod address;
mod binding;
mod tls;

use std::{fmt, path::PathBuf};

pub use self::{
    address::socket_address,
    binding::{Binding, BindingAt, InvalidBinding},
    tls::{ClientCertificates, Hsts, HttpsRedirect, TlsVersion},
};
use super::report::{Span, row};
use crate::Scheme;

/// The front of a site: see [`Config::site`]. What is not said is empty or `None`.
///
/// It belongs to the whole server, so `ancm run` takes it from one file. Its options on the command line have the same
/// names and go before it, each by itself.
///
/// [`Config::site`]: super::Config::site
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// `listen`: where.
    pub bindings: Vec<Binding>,
    /// `tls`: the certificates of those that speak TLS. The first is for whoever asks for no name.
    pub certificates: Vec<CertificateFiles>,
    /// `tlsMinVersion`: the oldest version of TLS that is spoken.
    pub tls_min_version: Option<TlsVersion>,
    /// `clientCert`: whether clients are asked for a certificate, where a binding does not say.
    pub client_cert: Option<ClientCertificates>,
    /// `clientCa`: a PEM file of who may have issued it.
    pub client_ca: Option<PathBuf>,
    /// `httpsRedirect`: where clients of cleartext are sent.
    pub https_redirect: Option<HttpsRedirect>,
    /// `hsts`: `Strict-Transport-Security`.
    pub hsts: Option<Hsts>,
}

/// The PEM files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a certificate is a chain and a key"
)]
pub struct CertificateFiles {
    /// Its chain, itself first.
    pub chain: PathBuf,
    /// Its private key; may be the same file.
    pub key: PathBuf,
}

/// Why a [`Site`] makes no sense as a whole, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SiteError(String);

impl Site {
    /// This site, and `others` where it says nothing.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        fn either<T: Clone>(ours: Vec<T>, others: &[T]) -> Vec<T> {
            match ours.is_empty() {
                true => others.to_vec(),
                false => ours,
            }
        }
        Self {
            bindings: either(self.bindings, &others.bindings),
            certificates: either(self.certificates, &others.certificates),
            tls_min_version: self.tls_min_version.or(others.tls_min_version),
            client_cert: self.client_cert.or(others.client_cert),
            client_ca: self.client_ca.or_else(|| others.client_ca.clone()),
            https_redirect: self.https_redirect.or(others.https_redirect),
            hsts: self.hsts.or(others.hsts),
        }
    }

    /// Whether its parts fit together. Files are not looked at.
    ///
    /// # Errors
    ///
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), SiteError> {
        let wrong = |why: &str| Err(SiteError(why.to_owned()));
        for (index, binding) in self.bindings.iter().enumerate() {
            let mut before = self.bindings.iter().take(index);
            if before.any(|other| binding.is_at(other)) {
                return Err(SiteError(format!("listen {binding} is said twice")));
            }
        }
        let secure = || {
            let bindings = self.bindings.iter();
            bindings.filter(|binding| binding.scheme == Scheme::Https)
        };
        let has_tls = secure().next().is_some();
        if has_tls && self.certificates.is_empty() {
            return wrong(
                "https:// needs a certificate: --tls-cert FILE, or `cert` in [[front.tls]] of the TOML file",
            );
        }
        if !has_tls && !self.certificates.is_empty() {
            return wrong(
                "a certificate (--tls-cert, [[front.tls]]) is of no use without a place to listen that begins with https://",
            );
        }
        let asks = |binding: &Binding| self.asks(binding) != ClientCertificates::Off;
        if self.client_ca.is_some() && !secure().any(asks) {
            return wrong(
                "a CA of clients (--client-ca, `clientCa`) is of no use without --client-cert or `clientCert`, \
                 optional or required",
            );
        }
        if self.https_redirect == Some(HttpsRedirect::Ours) && !has_tls {
            return wrong(
                "a redirect to https:// (--https-redirect, `httpsRedirect`) needs a place to listen that begins with \
                 https://, or a port",
            );
        }
        Ok(())
    }

    /// Whether clients are asked for a certificate at `binding`.
    #[must_use]
    pub fn asks(&self, binding: &Binding) -> ClientCertificates {
        let said = binding.client_cert.or(self.client_cert);
        said.unwrap_or_default()
    }
}

/// What was understood, a line for each thing that is said.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for binding in &self.bindings {
            row(f, "listens on", binding)?;
            if binding.scheme == Scheme::Https {
                row(
                    f,
                    "",
                    format_args!("client-cert {}", self.asks(binding).as_str()),
                )?;
            }
            if let Some(networks) = &binding.proxy_from {
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                row(f, "", format_args!("proxy-from {}", networks.join(", ")))?;
            }
        }
        for files in &self.certificates {
            row(f, "certificate", files.chain.display())?;
        }
        if let Some(version) = self.tls_min_version {
            row(f, "tlsMinVersion", version.as_str())?;
        }
        if let Some(ca) = &self.client_ca {
            row(f, "clientCa", ca.display())?;
        }
        match self.https_redirect {
            Some(HttpsRedirect::Ours) => row(f, "httpsRedirect", "to the port of https://")?,
            Some(HttpsRedirect::To(port)) => row(f, "httpsRedirect", port)?,
            Some(HttpsRedirect::Off) | None => {}
        }
        match self.hsts {
            Some(Hsts::For(time)) => row(f, "hsts", Span(time)),
            Some(Hsts::Off) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(bindings: &[&str]) -> Site {
        let parsed = bindings.iter().map(|text| text.parse().unwrap());
        Site {
            bindings: parsed.collect(),
            ..Site::default()
        }
    }

    fn certified(bindings: &[&str]) -> Site {
        let file = PathBuf::from("site.pem");
        Site {
            certificates: vec![CertificateFiles {
                chain: file.clone(),
                key: file,
            }],
            ..site(bindings)
        }
    }

    #[test]
    fn what_is_said_first_counts_each_by_itself() {
        let typed = Site {
            hsts: Some(Hsts::Off),
            ..site(&[":1"])
        };
        let file = Site {
            hsts: Some(Hsts::MONTH),
            https_redirect: Some(HttpsRedirect::Ours),
            tls_min_version: Some(TlsVersion::Tls13),
            ..certified(&[":2", "https://:3"])
        };
        let both = typed.or(&file);
        assert_eq!(both.bindings, site(&[":1"]).bindings);
        assert_eq!(both.certificates, file.certificates);
        assert_eq!(both.hsts, Some(Hsts::Off));
        assert_eq!(both.https_redirect, Some(HttpsRedirect::Ours));
        assert_eq!(both.tls_min_version, Some(TlsVersion::Tls13));
        assert_eq!(Site::default().or(&file), file);
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let redirecting = |to| Site {
            https_redirect: Some(to),
            ..site(&[":80"])
        };
        let ca = |bindings: &[&str]| Site {
            client_ca: Some("ca.pem".into()),
            ..certified(bindings)
        };
        for (site, want) in [
            (site(&[":80", "https://:80"]), "said twice"),
            (site(&["https://:443"]), "--tls-cert FILE"),
            (certified(&[":80"]), "of no use"),
            (ca(&["https://:443"]), "--client-cert"),
            (redirecting(HttpsRedirect::Ours), "or a port"),
        ] {
            let error = site.check().unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
        for site in [
            Site::default(),
            site(&[":80", ":0", ":0"]),
            certified(&["https://:443", ":80"]),
            ca(&["https://:443,client-cert=optional"]),
            redirecting(HttpsRedirect::To(443)),
            redirecting(HttpsRedirect::Off),
        ] {
            assert_eq!(site.check(), Ok(()));
        }
    }
}
