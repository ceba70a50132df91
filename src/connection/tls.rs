//! What a TLS handshake came to.

use std::sync::Arc;

/// What a client and a front agreed on in their TLS handshake, as the protocol writes it.
///
/// ```
/// use ancm::{Connection, Scheme, TlsFacts};
///
/// let tls = TlsFacts::new(0x0304, 0x1301).with_server_name("example.org");
/// let connection = Connection::unknown().with_scheme(Scheme::Https).with_tls(tls);
/// assert_eq!(connection.tls().unwrap().server_name(), Some("example.org"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct TlsFacts {
    version: u16,
    cipher_suite: u16,
    server_name: Option<Arc<str>>,
}

impl TlsFacts {
    /// The version as on the wire, such as 0x0303 for TLS 1.2 and 0x0304 for TLS 1.3, and the cipher suite by its number
    /// in IANA's registry.
    pub const fn new(version: u16, cipher_suite: u16) -> Self {
        Self {
            version,
            cipher_suite,
            server_name: None,
        }
    }

    /// Sets the name that the client asked for (SNI; RFC 6066, 3). Defaults to none.
    pub fn with_server_name(mut self, name: &str) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The version as on the wire: 0x0304 is TLS 1.3.
    #[must_use]
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// The cipher suite's number in IANA's registry.
    #[must_use]
    pub const fn cipher_suite(&self) -> u16 {
        self.cipher_suite
    }

    /// The name that the client asked for.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }
}
