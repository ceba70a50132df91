//! What is wrong with a file that TLS needs.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::pem::Malformed;

/// Why TLS can't be spoken with these settings.
///
/// Names the file, the line where there is one, and never anything out of a key.
#[derive(Debug, thiserror::Error)]
#[error("{}{kind}", Prefix(.place))]
pub struct TlsError {
    place: Option<(PathBuf, Option<usize>)>,
    kind: Kind,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Kind {
    #[error("TLS needs a certificate")]
    NoCertificates,
    #[error("a CA is of use only where client certificates are asked for")]
    UnusedCa,
    #[error("the file can't be read: {0}")]
    Read(#[from] io::Error),
    #[error("the file is larger than 1 MiB")]
    TooLarge,
    #[error("{}", .0.what)]
    Pem(Malformed),
    #[error(
        "there is no PEM in it; expected `-----BEGIN {0}-----` (`openssl` converts DER and PKCS#12)"
    )]
    NoPem(&'static str),
    #[error("the key is encrypted; `openssl pkey` takes the passphrase off")]
    Encrypted,
    #[error("there are two private keys")]
    TwoKeys,
    #[error("the private key can't be used: {0}")]
    Key(rustls::Error),
    #[error("the private key is another certificate's")]
    KeyMismatch,
    #[error("the certificate can't be read: {0}")]
    Certificate(String),
    #[error("TLS can't be set up: {0}")]
    Setup(String),
}

impl Kind {
    pub(super) fn alone(self) -> TlsError {
        TlsError {
            place: None,
            kind: self,
        }
    }

    pub(super) fn of(self, path: &Path) -> TlsError {
        self.at(path, None)
    }

    pub(super) fn malformed(malformed: Malformed, path: &Path) -> TlsError {
        let line = malformed.line;
        Self::Pem(malformed).at(path, Some(line))
    }

    pub(super) fn at(self, path: &Path, line: Option<usize>) -> TlsError {
        TlsError {
            place: Some((path.to_owned(), line)),
            kind: self,
        }
    }
}

/// `path:line: `, as compilers write it.
struct Prefix<'a>(&'a Option<(PathBuf, Option<usize>)>);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some((path, None)) => write!(f, "{}: ", path.display()),
            Some((path, Some(line))) => write!(f, "{}:{line}: ", path.display()),
        }
    }
}
