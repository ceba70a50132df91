//! What the command line says of TLS.

use std::{num::NonZeroU16, path::PathBuf, time::Duration};

use ancm::Scheme;
use clap::Args;

use super::listen::{ClientCert, Listener};
use crate::failure::Failure;

/// The options of TLS as typed.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RawHttps {
    /// A certificate for https:// listeners: a PEM file of its chain; may be repeated, the first is
    /// for whoever asks for no name
    #[arg(long, value_name = "FILE")]
    tls_cert: Vec<PathBuf>,
    /// The private key of the --tls-cert in the same place, a PEM file [default: the same files]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Vec<PathBuf>,
    /// Whether clients are asked for a certificate; `--listen https://…,client-cert=MODE` for one
    /// listener alone [default: off]
    #[arg(long, value_enum, value_name = "MODE", requires = "tls_cert")]
    client_cert: Option<ClientCert>,
    /// Take only certificates of clients that one of this PEM file issued [default: any]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// Send clients of http:// listeners to https://, at this port [default: the https:// listeners']
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true)]
    https_redirect: Option<Option<NonZeroU16>>,
    /// Tell clients of https:// listeners to come by TLS alone for so many seconds [default: 30 days]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true)]
    hsts: Option<Option<u64>>,
}

/// TLS, as it is meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Https {
    /// Files of a chain and of its key.
    pub(crate) certificates: Vec<(PathBuf, PathBuf)>,
    pub(crate) client_certificates: ClientCert,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) redirect: Option<Redirect>,
    /// For how long; `None`: not said.
    pub(crate) hsts: Option<Duration>,
}

/// Where clients of cleartext are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// To the one port of all listeners that speak TLS.
    Ours,
    To(u16),
}

const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl RawHttps {
    /// Only what makes sense with these listeners.
    pub(super) fn valid(self, listen: &[Listener]) -> Result<Https, Failure> {
        let asks = |place: &Listener| match place.client_certificates {
            Some(mode) => mode != ClientCert::Off,
            None => self.client_cert.is_some_and(|mode| mode != ClientCert::Off),
        };
        let mut secure = listen
            .iter()
            .filter(|place| place.scheme == Scheme::Https)
            .peekable();
        let has_tls = secure.peek().is_some();
        if has_tls && self.tls_cert.is_empty() {
            return Err(Failure::usage(
                "https:// needs a certificate: --tls-cert FILE",
            ));
        }
        if !has_tls && !self.tls_cert.is_empty() {
            return Err(Failure::usage(
                "--tls-cert is of no use without a --listen https://…",
            ));
        }
        if self.client_ca.is_some() && !secure.any(asks) {
            return Err(Failure::usage(
                "--client-ca is of no use without --client-cert optional or required",
            ));
        }
        let redirect = match self.https_redirect {
            None => None,
            Some(Some(port)) => Some(Redirect::To(port.get())),
            Some(None) if has_tls => Some(Redirect::Ours),
            Some(None) => {
                return Err(Failure::usage(
                    "--https-redirect needs a --listen https://…, or a port",
                ));
            }
        };
        Ok(Https {
            certificates: pairs(self.tls_cert, self.tls_key)?,
            client_certificates: self.client_cert.unwrap_or_default(),
            client_ca: self.client_ca,
            redirect,
            hsts: self
                .hsts
                .map(|time| time.map_or(MONTH, Duration::from_secs)),
        })
    }
}

fn pairs(chains: Vec<PathBuf>, keys: Vec<PathBuf>) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    if keys.is_empty() {
        let same = |file: PathBuf| (file.clone(), file);
        return Ok(chains.into_iter().map(same).collect());
    }
    if keys.len() != chains.len() {
        return Err(Failure::usage(format_args!(
            "expected a --tls-key for each --tls-cert, got {} for {}",
            keys.len(),
            chains.len()
        )));
    }
    Ok(chains.into_iter().zip(keys).collect())
}
