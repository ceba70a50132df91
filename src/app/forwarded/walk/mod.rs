//! How far the forwarded entries are believed: values in, a verdict out.

use std::{
    net::{IpAddr, SocketAddr},
    ops::ControlFlow,
};

use http::uri::Authority;

use super::{node, rules::Rules};
use crate::{PathBase, Scheme};

/// What one proxy said, each part as it wrote it. `None`: it said nothing, or nobody wants to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hop<'a> {
    pub(super) address: Option<&'a str>,
    pub(super) scheme: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) prefix: Option<&'a str>,
}

/// What is believed in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// How many entries, counted from the last, were used up.
    pub(super) consumed: usize,
    pub(super) address: Option<SocketAddr>,
    pub(super) scheme: Option<Scheme>,
    pub(super) host: Option<Authority>,
    pub(super) prefix: Option<PathBase>,
    pub(super) stop: Stop,
}

/// Why the walk went no further.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stop {
    /// There was no more, or the limit was reached.
    #[default]
    End,
    /// Who wrote the next entry is not trusted. `None`: nobody knows who it was.
    Untrusted(Option<IpAddr>),
    /// The next entry makes no sense.
    Malformed,
    /// An entry lacks a part that another has.
    Asymmetric,
}

impl Outcome {
    /// Whether anything is believed at all.
    pub(super) fn is_empty(&self) -> bool {
        self.address.is_none()
            && self.scheme.is_none()
            && self.host.is_none()
            && self.prefix.is_none()
    }

    /// Nothing is believed, because of `stop`.
    pub(super) fn nothing(stop: Stop) -> Self {
        Self {
            stop,
            ..Self::default()
        }
    }
}

/// Walks `hops`, the nearest first, from `peer` towards the client.
///
/// ANCM: what was believed before a stop stays believed, but a lack of symmetry takes it all back.
pub(super) fn walk<'a>(
    rules: &Rules,
    peer: Option<SocketAddr>,
    hops: impl Iterator<Item = Hop<'a>>,
) -> Outcome {
    let mut outcome = Outcome::default();
    for hop in hops.take(rules.limit.unwrap_or(usize::MAX)) {
        if let ControlFlow::Break(stop) = step(rules, peer, &hop, &mut outcome) {
            outcome.stop = stop;
            break;
        }
        outcome.consumed += 1;
    }
    match outcome.stop {
        Stop::Asymmetric => Outcome::nothing(outcome.stop),
        Stop::Malformed if rules.strict => Outcome::nothing(outcome.stop),
        Stop::End | Stop::Untrusted(_) | Stop::Malformed => outcome,
    }
}

fn step(
    rules: &Rules,
    peer: Option<SocketAddr>,
    hop: &Hop<'_>,
    outcome: &mut Outcome,
) -> ControlFlow<Stop> {
    // ANCM: asked at every step, whichever headers are read (8.0.17, 9.0.6 and later).
    let writer = outcome.address.or(peer).map(|address| address.ip());
    if !rules.trusts(writer) {
        return ControlFlow::Break(Stop::Untrusted(writer));
    }
    let address = hop.address.map(node::address);
    // An address that can't be read ends the walk; of the other parts, only the part is left out.
    if address == Some(None) {
        return ControlFlow::Break(Stop::Malformed);
    }
    let reads = rules.reads;
    believe(rules, reads.address, address, &mut outcome.address)?;
    let scheme = hop.scheme.map(node::scheme);
    believe(rules, reads.scheme, scheme, &mut outcome.scheme)?;
    let host = hop.host.map(|text| rules.host(text));
    believe(rules, reads.host, host, &mut outcome.host)?;
    let prefix = hop.prefix.map(node::prefix);
    believe(rules, reads.prefix, prefix, &mut outcome.prefix)
}

/// Puts `said` into `slot` where it was said and makes sense.
fn believe<T>(
    rules: &Rules,
    wanted: bool,
    said: Option<Option<T>>,
    slot: &mut Option<T>,
) -> ControlFlow<Stop> {
    match said {
        Some(Some(value)) => *slot = Some(value),
        Some(None) if rules.strict => return ControlFlow::Break(Stop::Malformed),
        Some(None) | None if wanted && rules.symmetry => {
            return ControlFlow::Break(Stop::Asymmetric);
        }
        Some(None) | None => {}
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests;
