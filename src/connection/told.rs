//! What a parent tells its worker of a client's connection: words in one header, such as
//! `local=192.0.2.8:443 tls=0304 suite=1301 name=example.org`.
//!
//! Everything else, the peer, the scheme and the certificate, is told as it is to any app. Both ends are the same program,
//! or nearly: a word that one of them does not know is passed over.

use std::fmt::Write as _;

use bytes::Bytes;
use http::HeaderValue;

use super::{Connection, TlsFacts};

impl Connection {
    /// What is known of it beyond what every app is told; made once. `None` where that is nothing.
    pub(crate) fn told_value(&self) -> Option<&HeaderValue> {
        let said = &self.facts.said.told;
        said.get_or_init(|| self.words()).as_ref()
    }

    /// With what [`told_value`](Self::told_value) of the same connection says. Who wrote it must be known.
    pub(crate) fn with_told(self, told: &HeaderValue) -> Self {
        let mut connection = self;
        let mut tls = (None, None, None);
        for word in told.to_str().unwrap_or_default().split(' ') {
            match word.split_once('=') {
                Some(("local", address)) => {
                    if let Ok(address) = address.parse() {
                        connection = connection.with_local(address);
                    }
                }
                Some(("tls", version)) => tls.0 = u16::from_str_radix(version, 16).ok(),
                Some(("suite", number)) => tls.1 = u16::from_str_radix(number, 16).ok(),
                Some(("name", name)) => tls.2 = Some(name),
                Some(_) | None => {}
            }
        }
        let (Some(version), Some(suite), name) = tls else {
            return connection;
        };
        let tls = TlsFacts::new(version, suite);
        connection.with_tls(match name {
            Some(name) => tls.with_server_name(name),
            None => tls,
        })
    }

    fn words(&self) -> Option<HeaderValue> {
        let mut words = String::new();
        // Writing to a string does not fail.
        if let Some(local) = self.local() {
            let _ = write!(words, "local={local} ");
        }
        if let Some(tls) = self.tls() {
            let (version, suite) = (tls.version(), tls.cipher_suite());
            let _ = write!(words, "tls={version:04x} suite={suite:04x} ");
            // What has a space in it is no name of a host.
            if let Some(name) = tls.server_name().filter(|name| !name.contains(' ')) {
                let _ = write!(words, "name={name} ");
            }
        }
        words.pop()?;
        HeaderValue::from_maybe_shared(Bytes::from(words)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        let local = "[2001:db8::1]:443".parse().unwrap();
        let tls = TlsFacts::new(0x0303, 0xc02f);
        for connection in [
            Connection::unknown().with_local(local),
            Connection::unknown().with_tls(tls.clone()),
            Connection::unknown()
                .with_local(local)
                .with_tls(tls.with_server_name("site.test")),
        ] {
            let heard = Connection::unknown().with_told(connection.told_value().unwrap());
            assert_eq!(heard.local(), connection.local());
            assert_eq!(heard.tls(), connection.tls());
        }
        assert_eq!(Connection::unknown().told_value(), None);
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        for text in [
            "",
            "local=x",
            "tls=0304",
            "suite=1301 tls=zz",
            "x=y =",
            "\u{e9}",
        ] {
            let told = HeaderValue::from_bytes(text.as_bytes()).unwrap();
            let heard = Connection::unknown().with_told(&told);
            assert_eq!((heard.local(), heard.tls()), (None, None), "{text}");
        }
        let odd = TlsFacts::new(1, 2).with_server_name("a b\r\nc: d");
        let odd = Connection::unknown().with_tls(odd);
        assert_eq!(odd.told_value().unwrap(), "tls=0001 suite=0002");
    }
}
