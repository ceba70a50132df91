//! `X-Forwarded-*` as the hops that wrote them.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header::ValueIter};

use super::{
    rules::{Reads, Rules},
    walk::{Hop, Outcome, Stop, walk},
};
use crate::headers::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PREFIX, X_FORWARDED_PROTO};

/// Stands for a value that is not text, so that it counts and makes no sense.
const UNREADABLE: &str = "\u{fffd}";

/// The entries of a header that is a list, the last first, over all of its lines.
#[derive(Debug)]
struct List<'a> {
    lines: ValueIter<'a, HeaderValue>,
    rest: Option<&'a str>,
}

impl<'a> List<'a> {
    fn new(headers: &'a HeaderMap, name: HeaderName) -> Self {
        Self {
            lines: headers.get_all(name).iter(),
            rest: None,
        }
    }
}

impl<'a> Iterator for List<'a> {
    type Item = &'a str;

    /// ANCM: entries are trimmed and taken out of their quotes; empty ones don't count.
    fn next(&mut self) -> Option<&'a str> {
        loop {
            let Some(rest) = self.rest else {
                self.rest = Some(self.lines.next_back()?.to_str().unwrap_or(UNREADABLE));
                continue;
            };
            let entry = match rest.rsplit_once(',') {
                Some((before, entry)) => {
                    self.rest = Some(before);
                    entry
                }
                None => {
                    self.rest = None;
                    rest
                }
            };
            let entry = unquote(entry.trim_ascii()).trim_ascii();
            if !entry.is_empty() {
                return Some(entry);
            }
        }
    }
}

fn unquote(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    inner.unwrap_or(text)
}

/// The hops, the nearest first: the last entries of each header belong together.
#[derive(Debug)]
pub(super) struct Hops<'a> {
    address: Option<List<'a>>,
    scheme: Option<List<'a>>,
    host: Option<List<'a>>,
    prefix: Option<List<'a>>,
}

impl<'a> Hops<'a> {
    pub(super) fn new(headers: &'a HeaderMap, reads: Reads) -> Self {
        let list = |wanted: bool, name| wanted.then(|| List::new(headers, name));
        Self {
            address: list(reads.address, X_FORWARDED_FOR),
            scheme: list(reads.scheme, X_FORWARDED_PROTO),
            host: list(reads.host, X_FORWARDED_HOST),
            prefix: list(reads.prefix, X_FORWARDED_PREFIX),
        }
    }

    /// Whether the headers that are read have equally many entries.
    fn are_symmetric(self) -> bool {
        let all = [self.address, self.scheme, self.host, self.prefix];
        let mut counts = all.into_iter().flatten().map(Iterator::count);
        let first = counts.next();
        counts.all(|count| Some(count) == first)
    }
}

impl<'a> Iterator for Hops<'a> {
    type Item = Hop<'a>;

    fn next(&mut self) -> Option<Hop<'a>> {
        let next = |list: &mut Option<List<'a>>| list.as_mut()?.next();
        let hop = Hop {
            address: next(&mut self.address),
            scheme: next(&mut self.scheme),
            host: next(&mut self.host),
            prefix: next(&mut self.prefix),
        };
        (hop != Hop::default()).then_some(hop)
    }
}

/// What the `X-Forwarded-*` of a request come to.
pub(super) fn outcome(rules: &Rules, peer: Option<SocketAddr>, headers: &HeaderMap) -> Outcome {
    let hops = || Hops::new(headers, rules.reads);
    if rules.symmetry && !hops().are_symmetric() {
        return Outcome::nothing(Stop::Asymmetric);
    }
    walk(rules, peer, hops())
}

/// Cuts the entries that were used out of the headers from which something was believed.
///
/// ANCM: out of `X-Forwarded-For` in any case, because `X-Original-For` is written in any case too.
pub(super) fn consume(headers: &mut HeaderMap, outcome: &Outcome, reads: Reads) {
    for (used, name) in [
        (reads.address, X_FORWARDED_FOR),
        (outcome.scheme.is_some(), X_FORWARDED_PROTO),
        (outcome.host.is_some(), X_FORWARDED_HOST),
        (outcome.prefix.is_some(), X_FORWARDED_PREFIX),
    ] {
        if used {
            cut(headers, name, outcome.consumed);
        }
    }
}

fn cut(headers: &mut HeaderMap, name: HeaderName, consumed: usize) {
    let mut left = List::new(headers, name.clone()).skip(consumed);
    let Some(last) = left.next() else {
        headers.remove(name);
        return;
    };
    let mut left: Vec<&str> = std::iter::once(last).chain(left).collect();
    left.reverse();
    // What was text in a header is one still; should it not be, leaving it out is the safe side.
    match HeaderValue::try_from(left.join(", ")) {
        Ok(value) => headers.insert(name, value),
        Err(_) => headers.remove(name),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                name.clone(),
                HeaderValue::from_bytes(line.as_bytes()).unwrap(),
            );
        }
        headers
    }

    fn list(lines: &[&str]) -> Vec<String> {
        let headers = headers(&X_FORWARDED_FOR, lines);
        List::new(&headers, X_FORWARDED_FOR)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn lists_are_read_from_the_right_over_all_lines() {
        for (lines, want) in [
            (&["a"] as &[&str], &["a"] as &[&str]),
            (&["a, b"], &["b", "a"]),
            (&["a, b", "c,d"], &["d", "c", "b", "a"]),
            (&[" a ,\t b\t"], &["b", "a"]),
            (&[",a,, b,"], &["b", "a"]),
            (&["\"a\", \"[::1]:80\""], &["[::1]:80", "a"]),
            (&["\"\"", "\""], &["\""]),
            (&["", ","], &[]),
            (&["caf\u{e9}, a", "b"], &["b", UNREADABLE]),
        ] {
            assert_eq!(list(lines), want, "{lines:?}");
        }
    }

    #[test]
    fn what_was_used_is_cut_and_what_is_left_stays() {
        for (lines, consumed, left) in [
            (&["a"] as &[&str], 1, None),
            (&["a, b"], 1, Some("a")),
            (&["a", "b,c"], 1, Some("a, b")),
            (&["a, b"], 2, None),
            (&["a, b"], 3, None),
            (&["a, b"], 0, Some("a, b")),
        ] {
            let mut headers = headers(&X_FORWARDED_FOR, lines);
            cut(&mut headers, X_FORWARDED_FOR, consumed);
            let have: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
            assert_eq!(have, left.as_slice(), "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn cutting_leaves_what_was_not_used(
            lines in proptest::collection::vec("[a-c, \"]{0,8}", 0..4),
            consumed in 0_usize..5,
        ) {
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let mut headers = headers(&X_FORWARDED_FOR, &lines);
            let before = list(&lines);
            cut(&mut headers, X_FORWARDED_FOR, consumed);
            let after: Vec<_> = List::new(&headers, X_FORWARDED_FOR).map(str::to_owned).collect();
            let want: Vec<_> = before.into_iter().skip(consumed).collect();
            // Quotes in quotes are taken off once more.
            if !want.iter().any(|entry| entry.contains('"')) {
                prop_assert_eq!(after, want);
            }
        }
    }
}
