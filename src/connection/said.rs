//! What every request of a connection says of it, made once.

#[cfg(all(unix, feature = "in-process"))]
use std::sync::Arc;
use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderValue;

#[cfg(all(unix, feature = "in-process"))]
use super::Facts;
use super::{Connection, canonical};
use crate::headers::{X_FORWARDED_FOR, X_FORWARDED_PROTO, write_line};

#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    forwarded_for: OnceLock<HeaderValue>,
    forwarded_lines: OnceLock<Bytes>,
    certificate: OnceLock<HeaderValue>,
    #[cfg(all(unix, feature = "in-process"))]
    pub(super) told: OnceLock<Option<HeaderValue>>,
    #[cfg(all(unix, feature = "in-process"))]
    native: OnceLock<Arc<dyn std::any::Any + Send + Sync>>,
}

impl Connection {
    /// The peer as `X-Forwarded-For` names it: always with its port, IPv6 in brackets.
    ///
    /// An IPv4 client of a listener for both families is named by its IPv4 address.
    pub(crate) fn forwarded_for(&self) -> Option<&HeaderValue> {
        let peer = self.facts.peer?;
        let value = self
            .facts
            .said
            .forwarded_for
            .get_or_init(|| header_value(canonical(peer).to_string()));
        Some(value)
    }

    /// `X-Forwarded-For` and `-Proto` as lines of HTTP/1, where the peer is known: most requests are told nothing else of it.
    pub(crate) fn forwarded_lines(&self) -> Option<&Bytes> {
        let peer = self.forwarded_for()?;
        let lines = self.facts.said.forwarded_lines.get_or_init(|| {
            let scheme = HeaderValue::from_static(self.scheme().as_str());
            let mut lines = Vec::with_capacity(96);
            write_line(&X_FORWARDED_FOR, peer, &mut lines);
            write_line(&X_FORWARDED_PROTO, &scheme, &mut lines);
            lines.into()
        });
        Some(lines)
    }

    /// The certificate as `MS-ASPNETCORE-CLIENTCERT` holds it: base64 of its DER in one line.
    pub(crate) fn certificate_value(&self) -> Option<&HeaderValue> {
        let der = self.facts.certificate.as_ref()?;
        let value = &self.facts.said.certificate;
        Some(value.get_or_init(|| header_value(STANDARD.encode(der))))
    }

    /// What an app in this process is told of this connection: made by `make` the first time.
    #[cfg(all(unix, feature = "in-process"))]
    pub(crate) fn once<T: Send + Sync + 'static>(&self, make: impl Fn() -> T) -> Arc<T> {
        let made = self.facts.said.native.get_or_init(|| Arc::new(make()));
        // Somebody else's: only this crate asks, and for one type.
        Arc::downcast(made.clone()).unwrap_or_else(|_| Arc::new(make()))
    }

    /// The same facts, without what was made of them.
    #[cfg(all(unix, feature = "in-process"))]
    pub(crate) fn bare(&self) -> Self {
        let mut facts = Facts::clone(&self.facts);
        facts.said = Said::default();
        Self {
            facts: Arc::new(facts),
        }
    }
}

fn header_value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).expect("addresses and base64 are plain ASCII")
}
