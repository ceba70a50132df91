//! The names that the module and the app say to each other, and the rules about whose they are.
//!
//! Pure functions over [`http::HeaderMap`]: no I/O, no configuration.

#[cfg(feature = "host")]
mod field;

use http::HeaderName;

#[cfg(feature = "host")]
pub(crate) use self::field::{
    Field, clean_trailers, connection_options, list, nominated, write_line,
};

/// Proves that a request came through the module: the [pairing token](crate::PairingToken).
pub const MS_ASPNETCORE_TOKEN: HeaderName = HeaderName::from_static("ms-aspnetcore-token");
/// What the module tells the app; the only known value is `shutdown`.
pub const MS_ASPNETCORE_EVENT: HeaderName = HeaderName::from_static("ms-aspnetcore-event");
/// The client's certificate: its DER in one line of base64.
pub const MS_ASPNETCORE_CLIENTCERT: HeaderName =
    HeaderName::from_static("ms-aspnetcore-clientcert");
/// The Windows user: a token handle of the listening process, in hex.
pub const MS_ASPNETCORE_WINAUTHTOKEN: HeaderName =
    HeaderName::from_static("ms-aspnetcore-winauthtoken");
/// The user whom our own host half authenticated, sealed. The module knows no such header.
pub const MS_ASPNETCORE_IDENTITY: HeaderName = HeaderName::from_static("ms-aspnetcore-identity");
/// What our own host half tells a worker of a client's connection, beyond what every app is told. No other app gets it.
#[cfg(all(unix, feature = "in-process"))]
pub(crate) const MS_ASPNETCORE_CONNECTION: HeaderName =
    HeaderName::from_static("ms-aspnetcore-connection");

/// The addresses a request passed, the client first.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The schemes a request passed, the client's first.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The hosts a request asked for, the client's first.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The path base that a proxy took off the path.
pub const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// The certificate that the client showed to a proxy (RFC 9440).
pub const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
/// The certificates that vouch for [`CLIENT_CERT`] (RFC 9440).
pub const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
/// The peer's address before a forwarded one took its place.
pub const X_ORIGINAL_FOR: HeaderName = HeaderName::from_static("x-original-for");
/// The scheme before a forwarded one took its place.
pub const X_ORIGINAL_PROTO: HeaderName = HeaderName::from_static("x-original-proto");
/// The host before a forwarded one took its place.
pub const X_ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-original-host");
/// The path base before a forwarded one took its place.
pub const X_ORIGINAL_PREFIX: HeaderName = HeaderName::from_static("x-original-prefix");

/// Every header whose name starts like this belongs to the module: a client can't send one.
///
/// The module compares the first 13 characters, in any case, whatever follows.
const RESERVED_PREFIX: &[u8] = b"ms-aspnetcore";

/// The forwarded headers that the module writes, whoever wrote them before.
const FORWARDED: [&[u8]; 4] = [
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-forwarded-prefix",
];

/// Whether `name` is the module's alone: it starts with `MS-ASPNETCORE`.
///
/// An underscore counts as a dash, because CGI-like servers fold the two (RFC 9110, 17.10).
///
/// ```
/// use ancm::headers::is_reserved;
/// use http::HeaderName;
///
/// assert!(is_reserved(&HeaderName::from_static("ms-aspnetcore-token")));
/// assert!(is_reserved(&HeaderName::from_static("ms_aspnetcore_anything")));
/// assert!(!is_reserved(&HeaderName::from_static("x-ms-aspnetcore-token")));
/// ```
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    name.len() >= RESERVED_PREFIX.len() && is_alike(name, RESERVED_PREFIX)
}

/// Whether `name` says where a request came from: `X-Forwarded-For`, `-Proto`, `-Host`, `-Prefix`.
///
/// An underscore counts as a dash here too.
#[must_use]
pub fn is_forwarded(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    let mut known = FORWARDED.iter();
    known.any(|want| name.len() == want.len() && is_alike(name, want))
}

/// Whether `have` is `want`, which has dashes, as far as both go.
///
/// Header names are lower case already; what is left to fold is the underscore.
fn is_alike(have: &[u8], want: &[u8]) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let mut pairs = have.iter().zip(want);
    pairs.all(|(&have, &want)| fold(have) == want)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn reserved_is_any_case_any_suffix_dash_or_underscore() {
        for text in [
            "MS-ASPNETCORE-TOKEN",
            "Ms-AspNetCore-Event",
            "ms_aspnetcore_token",
            "MS-ASPNETCORE_CLIENTCERT",
            "MS-ASPNETCOREX",
            "ms-aspnetcore",
        ] {
            assert!(is_reserved(&name(text)), "{text}");
        }
        for text in [
            "ms-aspnetcor",
            "x-ms-aspnetcore-token",
            "msaspnetcore",
            "host",
        ] {
            assert!(!is_reserved(&name(text)), "{text}");
        }
    }

    #[test]
    fn forwarded_is_the_whole_name_dash_or_underscore() {
        for text in ["X-Forwarded-For", "x_forwarded_proto", "X-Forwarded_Host"] {
            assert!(is_forwarded(&name(text)), "{text}");
        }
        for text in [
            "x-forwarded-for2",
            "forwarded",
            "x-forwarded",
            "x-forwarded-port",
        ] {
            assert!(!is_forwarded(&name(text)), "{text}");
        }
    }
}
