//! What a certificate says (RFC 5280).

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use x509_parser::{
    certificate::X509Certificate, error::X509Error, extensions::GeneralName, prelude::FromDer,
    time::ASN1Time, x509::X509Name,
};

/// What a client's certificate says of its holder, as its issuer signed it.
///
/// No signature is checked here, and no chain: who issued it is what it says itself. Compare its
/// [fingerprint](super::ClientCertificate::fingerprint_sha256), or check the chain, before you believe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateDetails {
    subject: String,
    common_name: Option<String>,
    issuer: String,
    serial: String,
    not_before: SystemTime,
    not_after: SystemTime,
    names: Vec<CertificateName>,
}

/// One of the names that a certificate is for beside its subject (RFC 5280, 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateName {
    /// A host, perhaps with a `*` in it. Its form is not checked.
    Dns(String),
    /// A mailbox. Its form is not checked.
    Email(String),
    /// A URI. Its form is not checked.
    Uri(String),
    /// An address.
    Ip(IpAddr),
}

impl CertificateDetails {
    /// Reads `der`, which must be one certificate and nothing after it.
    pub(super) fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|error| CertificateError::malformed(&error))?;
        if !rest.is_empty() {
            return Err(CertificateError(Kind::Trailing));
        }
        let validity = certificate.validity();
        Ok(Self {
            subject: certificate.subject().to_string(),
            common_name: common_name(certificate.subject()),
            issuer: certificate.issuer().to_string(),
            serial: hex(certificate.raw_serial()),
            not_before: system_time(validity.not_before)?,
            not_after: system_time(validity.not_after)?,
            names: names(&certificate)?,
        })
    }

    /// Whom it is for, as `CN=client, O=Example`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The first common name of the subject.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// Who issued it, by its own account, in the form of [`subject`](Self::subject).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The number that its issuer gave it, in lower-case hex with its leading zeros, two digits a byte.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// The first second in which it is valid.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// The last second in which it is valid.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Whether it is valid at `time`, both ends included (RFC 5280, 4.1.2.5).
    #[must_use]
    pub fn is_valid_at(&self, time: SystemTime) -> bool {
        // The last second lasts a second.
        let end = self.not_after.checked_add(Duration::from_secs(1));
        self.not_before <= time && end.is_none_or(|end| time < end)
    }

    /// The names beside the subject, in their order; those of other kinds are left out.
    #[must_use]
    pub fn names(&self) -> &[CertificateName] {
        &self.names
    }
}

fn common_name(subject: &X509Name<'_>) -> Option<String> {
    let first = subject.iter_common_name().next()?;
    Some(first.as_str().ok()?.to_owned())
}

fn names(certificate: &X509Certificate<'_>) -> Result<Vec<CertificateName>, CertificateError> {
    let extension = certificate
        .subject_alternative_name()
        .map_err(|_| CertificateError(Kind::Names))?;
    let Some(extension) = extension else {
        return Ok(Vec::new());
    };
    let named = extension.value.general_names.iter().filter_map(name);
    Ok(named.collect())
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the parser may learn of more kinds, none of which is one of ours"
)]
fn name(name: &GeneralName<'_>) -> Option<CertificateName> {
    match name {
        GeneralName::DNSName(name) => Some(CertificateName::Dns((*name).to_owned())),
        GeneralName::RFC822Name(name) => Some(CertificateName::Email((*name).to_owned())),
        GeneralName::URI(uri) => Some(CertificateName::Uri((*uri).to_owned())),
        GeneralName::IPAddress(octets) => address(octets).map(CertificateName::Ip),
        _ => None,
    }
}

/// Four octets or sixteen (RFC 5280, 4.2.1.6).
fn address(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .ok()
}

fn system_time(time: ASN1Time) -> Result<SystemTime, CertificateError> {
    let seconds = time.timestamp();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = match seconds {
        0.. => SystemTime::UNIX_EPOCH.checked_add(distance),
        ..0 => SystemTime::UNIX_EPOCH.checked_sub(distance),
    };
    time.ok_or(CertificateError(Kind::Date))
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a `String` does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Why a certificate can't be read. Says nothing of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateError(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Encoding,
    Malformed,
    Date,
    Names,
    Trailing,
}

impl CertificateError {
    /// What the front end sent is no DER at all.
    pub(super) const fn encoding() -> Self {
        Self(Kind::Encoding)
    }

    fn malformed(error: &x509_parser::nom::Err<X509Error>) -> Self {
        use x509_parser::nom::Err;
        match error {
            Err::Error(X509Error::InvalidDate) | Err::Failure(X509Error::InvalidDate) => {
                Self(Kind::Date)
            }
            Err::Error(_) | Err::Failure(_) | Err::Incomplete(_) => Self(Kind::Malformed),
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Encoding => "the client's certificate was not sent as base64 of DER",
            Kind::Malformed => "the client's certificate is not one of X.509",
            Kind::Date => "the client's certificate has a date that is none",
            Kind::Names => "the client's certificate has alternative names that make no sense",
            Kind::Trailing => "the client's certificate has something after it",
        })
    }
}

impl std::error::Error for CertificateError {}

#[cfg(test)]
mod tests;
