//! The certificate with which the client proved itself to the front end.

#[cfg(feature = "x509")]
mod x509;

#[cfg(feature = "x509")]
pub use self::x509::{CertificateDetails, CertificateError, CertificateName};

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tracing::warn;

use crate::headers::MS_ASPNETCORE_CLIENTCERT;

/// The longest header that is decoded, in bytes of base64. Real certificates have some thousand.
const LONGEST: usize = 64 * 1024;

/// The certificate of the client's TLS connection to the front end.
///
/// The front end checked that the client holds its key. Whether it was issued by somebody to be trusted, only the
/// app can say. Decoded when it is first looked at; cheap to clone.
#[derive(Clone)]
pub struct ClientCertificate {
    shared: Arc<Shared>,
}

struct Shared {
    encoded: HeaderValue,
    der: OnceLock<Option<Bytes>>,
    #[cfg(feature = "x509")]
    details: OnceLock<Result<CertificateDetails, CertificateError>>,
}

impl ClientCertificate {
    /// Takes the certificate out of `headers`, where it is one and not empty.
    pub(super) fn take_from(headers: &mut HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(MS_ASPNETCORE_CLIENTCERT).iter();
        let first = values.next()?;
        let encoded = (values.next().is_none() && !first.is_empty()).then(|| first.clone());
        headers.remove(MS_ASPNETCORE_CLIENTCERT);
        encoded.map(|encoded| Self {
            shared: Arc::new(Shared {
                encoded,
                der: OnceLock::new(),
                #[cfg(feature = "x509")]
                details: OnceLock::new(),
            }),
        })
    }

    /// The certificate of a connection that ends in this process.
    pub(super) fn of_der(der: Bytes) -> Self {
        Self {
            shared: Arc::new(Shared {
                encoded: HeaderValue::from_static(""),
                der: OnceLock::from(Some(der)),
                #[cfg(feature = "x509")]
                details: OnceLock::new(),
            }),
        }
    }

    /// The certificate as DER; `None` where the front end sent something else, which the log says.
    #[must_use]
    pub fn der(&self) -> Option<&Bytes> {
        let decode = || {
            let der = decode(self.shared.encoded.as_bytes());
            // ANCM: warns, and the request goes on as if there were no certificate.
            der.inspect_err(|error| warn!(%error, "Client certificate ignored"))
                .ok()
        };
        self.shared.der.get_or_init(decode).as_ref()
    }

    /// What it says of its holder, read when it is first asked for.
    ///
    /// ```
    /// use ancm::app::ClientCertificate;
    ///
    /// fn is_ours(client: &ClientCertificate, now: std::time::SystemTime) -> bool {
    ///     let details = client.details();
    ///     details.is_ok_and(|said| said.common_name() == Some("billing") && said.is_valid_at(now))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is not one certificate of X.509, which the front end let pass.
    #[cfg(feature = "x509")]
    pub fn details(&self) -> Result<&CertificateDetails, CertificateError> {
        let parse = || {
            let der = self.der().ok_or(CertificateError::encoding())?;
            CertificateDetails::parse(der)
        };
        let details = self.shared.details.get_or_init(parse);
        details.as_ref().map_err(|error| *error)
    }

    /// The SHA-256 of its DER, by which an app may know it; `None` where there is no DER.
    ///
    /// Not what Windows and .NET show, which is the [`thumbprint`](Self::thumbprint).
    #[cfg(feature = "x509")]
    #[must_use]
    pub fn fingerprint_sha256(&self) -> Option<[u8; 32]> {
        use sha2::{Digest as _, Sha256};
        Some(Sha256::digest(self.der()?).into())
    }

    /// The thumbprint that Windows and .NET show: the SHA-1 of its DER, in upper-case hex; `None` where there is no DER.
    ///
    /// To be compared with what was written down from there. It is no proof any more: two certificates with one thumbprint
    /// can be made, so who decides by it asks who issued the certificate too.
    #[cfg(feature = "x509")]
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        use sha1::{Digest as _, Sha1};
        let digest = Sha1::digest(self.der()?);
        Some(digest.iter().map(|byte| format!("{byte:02X}")).collect())
    }
}

/// The front end sends one line of base64, padded.
fn decode(encoded: &[u8]) -> Result<Bytes, Undecodable> {
    if encoded.len() > LONGEST {
        return Err(Undecodable::TooLong);
    }
    let der = STANDARD
        .decode(encoded.trim_ascii())
        .map_err(|_| Undecodable::NotBase64)?;
    // DER of a certificate is one SEQUENCE (RFC 5280, 4.1).
    match der.first() {
        Some(0x30) => Ok(der.into()),
        Some(_) | None => Err(Undecodable::NotDer),
    }
}

/// Why a header holds no certificate. Says nothing of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undecodable {
    TooLong,
    NotBase64,
    NotDer,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "its header is longer than 64 KiB",
            Self::NotBase64 => "its header is not base64",
            Self::NotDer => "its header does not hold DER",
        })
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = self.shared.encoded.len();
        f.debug_struct("ClientCertificate")
            .field("encoded_len", &encoded)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(MS_ASPNETCORE_CLIENTCERT, value);
        }
        headers
    }

    #[test]
    fn is_taken_out_and_decoded() {
        let mut headers = headers(&["MAMCAQE="]);
        let certificate = ClientCertificate::take_from(&mut headers).unwrap();
        assert!(headers.is_empty());
        assert_eq!(&certificate.der().unwrap()[..], [0x30, 3, 2, 1, 1]);
    }

    #[test]
    fn none_empty_or_several_is_none_and_is_taken_out_all_the_same() {
        for values in [&[] as &[&str], &[""], &["MAMCAQE=", "MAMCAQE="]] {
            let mut headers = headers(values);
            assert!(
                ClientCertificate::take_from(&mut headers).is_none(),
                "{values:?}"
            );
            assert!(headers.is_empty());
        }
    }

    #[cfg(feature = "x509")]
    #[test]
    fn its_details_are_read_and_their_errors_kept() {
        for (value, want) in [
            ("MAMCAQE=", "the client's certificate is not one of X.509"),
            (
                "AAAA",
                "the client's certificate was not sent as base64 of DER",
            ),
        ] {
            let certificate = ClientCertificate::take_from(&mut headers(&[value])).unwrap();
            assert_eq!(certificate.details().unwrap_err().to_string(), want);
            assert_eq!(certificate.details().unwrap_err().to_string(), want);
        }
    }

    #[cfg(feature = "x509")]
    #[test]
    fn its_fingerprint_is_of_all_its_der() {
        let certificate = ClientCertificate::take_from(&mut headers(&["MAMCAQE="])).unwrap();
        let print = certificate.fingerprint_sha256().unwrap();
        assert_eq!(print[..4], [0x1b, 0x65, 0xf6, 0x8a]);
        let thumbprint = certificate.thumbprint().unwrap();
        assert_eq!(thumbprint, "90D80B0214715C2117F1DB310CC56F1E87DC4775");
        let none = ClientCertificate::take_from(&mut headers(&["AAAA"])).unwrap();
        assert_eq!((none.fingerprint_sha256(), none.thumbprint()), (None, None));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let long = "MAMC".repeat(LONGEST / 4);
        assert!(decode(long.as_bytes()).is_ok());
        for (text, want) in [
            (&*format!("{long}MAMC"), Undecodable::TooLong),
            ("not base64!", Undecodable::NotBase64),
            ("MAMCAQE", Undecodable::NotBase64),
            ("AAAA", Undecodable::NotDer),
            (" ", Undecodable::NotDer),
        ] {
            assert_eq!(decode(text.as_bytes()), Err(want));
        }
        let certificate = ClientCertificate::take_from(&mut headers(&["AAAA"])).unwrap();
        assert_eq!(certificate.der(), None);
    }

    proptest! {
        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn what_was_encoded_is_decoded(mut der in proptest::collection::vec(any::<u8>(), 1..80)) {
            der[0] = 0x30;
            prop_assert_eq!(decode(STANDARD.encode(&der).as_bytes()), Ok(Bytes::from(der)));
        }
    }
}
