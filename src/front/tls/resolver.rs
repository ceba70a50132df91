//! Which certificate a client is shown: by the name it asks for (RFC 6066, 3), else the first.

use std::{collections::HashMap, sync::Arc};

use rustls::{
    SignatureScheme,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::certificate::Certificate;

/// All certificates, by their names.
#[derive(Debug)]
pub(super) struct Resolver {
    keys: Vec<Arc<CertifiedKey>>,
    /// Names without their `*.` at the first certificates that have them.
    exact: Names,
    wildcard: Names,
    /// Those for whoever asks for nothing that is known: the first, and others for the same name.
    default: Vec<usize>,
}

/// For a name, which certificates: several where their keys are of different kinds.
type Names = HashMap<String, Vec<usize>>;

impl Resolver {
    pub(super) fn new(certificates: &[Certificate]) -> Self {
        let (mut exact, mut wildcard) = (Names::new(), Names::new());
        for (index, certificate) in certificates.iter().enumerate() {
            for name in &certificate.names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut wildcard, parent),
                    None => (&mut exact, &**name),
                };
                names.entry(name.to_owned()).or_default().push(index);
            }
        }
        let of_first = |certificate: &Certificate| {
            let first = certificates.first();
            first.is_some_and(|first| first.names == certificate.names)
        };
        let same = certificates.iter().enumerate().skip(1);
        let same = same.filter_map(|(index, other)| of_first(other).then_some(index));
        Self {
            keys: certificates.iter().map(|one| one.key.clone()).collect(),
            exact,
            wildcard,
            default: std::iter::once(0).chain(same).collect(),
        }
    }

    fn named(&self, name: &str) -> Option<&[usize]> {
        let name = name.to_ascii_lowercase();
        let exact = self.exact.get(&name);
        // A wildcard stands for one label, the leftmost (RFC 9525, 6.3).
        let wildcard = || self.wildcard.get(name.split_once('.')?.1);
        exact.or_else(wildcard).map(Vec::as_slice)
    }

    fn choose(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> Option<&Arc<CertifiedKey>> {
        let named = name.and_then(|name| self.named(name));
        let candidates = named.unwrap_or(&self.default);
        let mut keys = candidates.iter().filter_map(|&index| self.keys.get(index));
        let first = keys.clone().next();
        let usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        keys.find(usable).or(first)
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
            .cloned()
    }
}
