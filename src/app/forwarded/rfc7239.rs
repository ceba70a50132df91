//! `Forwarded` (RFC 7239) as the hops that wrote it.

use std::{borrow::Cow, net::SocketAddr};

use http::{HeaderMap, HeaderValue, header::FORWARDED};

use super::{
    rules::{Reads, Rules},
    walk::{Hop, Outcome, walk},
};

/// What one proxy said, and how it wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element<'a> {
    raw: &'a str,
    by: Option<Cow<'a, str>>,
    address: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    scheme: Option<Cow<'a, str>>,
}

impl<'a> Element<'a> {
    /// Stands for a line that is none: a hop that ends the walk.
    fn malformed(raw: &'a str) -> Self {
        Self {
            raw,
            address: Some(Cow::Borrowed("")),
            ..Self::default()
        }
    }

    fn hop(&self, reads: Reads) -> Hop<'_> {
        // An address that can't be read ends the walk even where no address is wanted.
        let unreadable = self.address.as_deref() == Some("");
        Hop {
            address: self
                .address
                .as_deref()
                .filter(|_| reads.address || unreadable),
            scheme: self.scheme.as_deref().filter(|_| reads.scheme),
            host: self.host.as_deref().filter(|_| reads.host),
            prefix: None,
        }
    }
}

/// What the `Forwarded` of a request comes to, and what is left of it.
///
/// One line that is malformed hides itself and all before it; those after it were written by somebody nearer.
pub(super) fn outcome(
    rules: &Rules,
    peer: Option<SocketAddr>,
    headers: &HeaderMap,
) -> (Outcome, Option<HeaderValue>) {
    let mut elements = Vec::new();
    for line in headers.get_all(FORWARDED).iter() {
        let line = line.to_str().unwrap_or_default();
        match parse(line) {
            Some(parsed) => elements.extend(parsed),
            None => elements.push(Element::malformed(line)),
        }
    }
    let hops = elements
        .iter()
        .rev()
        .map(|element| element.hop(rules.reads));
    let outcome = walk(rules, peer, hops);
    let left = elements.len().saturating_sub(outcome.consumed);
    let left: Vec<_> = elements.iter().take(left).map(|e| e.raw).collect();
    let left = HeaderValue::try_from(left.join(", ")).ok();
    (outcome, left.filter(|left| !left.is_empty()))
}

/// Leaves of the header what was not used.
pub(super) fn consume(headers: &mut HeaderMap, left: Option<HeaderValue>) {
    match left {
        Some(left) => headers.insert(FORWARDED, left),
        None => headers.remove(FORWARDED),
    };
}

/// One line as its elements; `None` where it is malformed.
///
/// `1#forwarded-element` (RFC 9110, 5.6.1): empty elements don't count. More lenient than the RFC in that white space
/// may stand around `;`, and addresses need no quotes, because that is what is sent.
fn parse(line: &str) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        let (element, tail) = parse_element(rest)?;
        if !element.raw.is_empty() {
            elements.push(element);
        }
        match tail {
            Some(tail) => rest = tail,
            None => return Some(elements),
        }
    }
}

/// The element at the front of `text`, and what follows the comma behind it.
fn parse_element(text: &str) -> Option<(Element<'_>, Option<&str>)> {
    let mut element = Element::default();
    let mut rest = text;
    loop {
        rest = trim_start(rest);
        if !rest.starts_with([',', ';']) && !rest.is_empty() {
            rest = parse_pair(rest, &mut element)?;
        }
        rest = trim_start(rest);
        let used = text.len() - rest.len();
        let raw = text.get(..used)?.trim_ascii();
        match rest.bytes().next() {
            None => return Some((Element { raw, ..element }, None)),
            Some(b',') => return Some((Element { raw, ..element }, rest.get(1..))),
            Some(b';') => rest = rest.get(1..)?,
            Some(_) => return None,
        }
    }
}

/// The `name=value` at the front of `text`, put into `element`; what follows it.
///
/// RFC 7239, 4: names in any case, each at most once, unknown ones ignored.
fn parse_pair<'a>(text: &'a str, element: &mut Element<'a>) -> Option<&'a str> {
    let (name, rest) = text.split_once('=')?;
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return None;
    }
    let (value, rest) = parse_value(rest)?;
    let slot = match &*name.to_ascii_lowercase() {
        "for" => &mut element.address,
        "proto" => &mut element.scheme,
        "host" => &mut element.host,
        "by" => &mut element.by,
        _ => return Some(rest),
    };
    match slot.replace(value) {
        Some(_) => None,
        None => Some(rest),
    }
}

/// The token or quoted string at the front of `text`, and what follows it.
fn parse_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return parse_quoted(quoted);
    }
    let lenient = |b: u8| is_token_byte(b) || matches!(b, b':' | b'[' | b']');
    let end = text.bytes().position(|b| !lenient(b)).unwrap_or(text.len());
    let (value, rest) = text.split_at_checked(end)?;
    (!value.is_empty()).then_some((Cow::Borrowed(value), rest))
}

/// A quoted string whose first quote is taken off already (RFC 9110, 5.6.4).
fn parse_quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let (plain, tail) = rest.split_at_checked(rest.find(['"', '\\'])?)?;
        value += plain;
        let mut chars = tail.chars();
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            _ => value.to_mut().push(chars.next()?),
        }
        rest = chars.as_str();
    }
}

/// RFC 9110, 5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `for|proto|host` of each element, `-` where there is none.
    fn show(line: &str) -> Option<Vec<String>> {
        let part = |part: &Option<Cow<'_, str>>| part.as_deref().unwrap_or("-").to_owned();
        let show = |e: Element<'_>| [part(&e.address), part(&e.scheme), part(&e.host)].join("|");
        Some(parse(line)?.into_iter().map(show).collect())
    }

    #[test]
    fn reads_what_the_rfc_shows() {
        for (line, want) in [
            (r#"for="_gazonk""#, &["_gazonk|-|-"] as &[&str]),
            (
                r#"For="[2001:db8:cafe::17]:4711""#,
                &["[2001:db8:cafe::17]:4711|-|-"],
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                &["192.0.2.60|http|-"],
            ),
            (
                "for=192.0.2.43, for=198.51.100.17",
                &["192.0.2.43|-|-", "198.51.100.17|-|-"],
            ),
            (
                r#"for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown"#,
                &["192.0.2.43|-|-", "[2001:db8:cafe::17]|-|-", "unknown|-|-"],
            ),
            (
                r#"proto=https;host="example.com:8080""#,
                &["-|https|example.com:8080"],
            ),
        ] {
            assert_eq!(show(line).unwrap(), want, "{line}");
        }
    }

    #[test]
    fn quotes_lists_and_white_space() {
        for (line, want) in [
            ("", &[] as &[&str]),
            (" , ,", &[]),
            ("for=a ; proto=http , for=b", &["a|http|-", "b|-|-"]),
            (r#"for="a,b;c""#, &["a,b;c|-|-"]),
            (r#"for="a\"b\\c""#, &["a\"b\\c|-|-"]),
            (r#"for="""#, &["|-|-"]),
            ("for=a;", &["a|-|-"]),
            (";for=a", &["a|-|-"]),
            ("secret=x;for=a", &["a|-|-"]),
            ("for=1.2.3.4:80", &["1.2.3.4:80|-|-"]),
        ] {
            assert_eq!(show(line).unwrap(), want, "{line}");
        }
    }

    #[test]
    fn refuses_what_is_malformed() {
        for line in [
            "for",
            "for=",
            "=a",
            "for = a",
            "for=a b",
            "for=a;for=b",
            "for=a;FOR=b",
            r#"for="a"#,
            r#"for="a\"#,
            r#"for="a"b"#,
            "fo r=a",
            "for=a/b",
            "for=a@b",
        ] {
            assert_eq!(show(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_left_is_as_it_was_written() {
        let rules = Rules::new(super::super::rules::Source::Standard);
        let peer = Some("127.0.0.1:1".parse().unwrap());
        let mut headers = HeaderMap::new();
        let line = HeaderValue::from_static("for=\"a,b\" ;x=y,for=192.0.2.1;proto=https");
        headers.append(FORWARDED, line);
        let (outcome, left) = outcome(&rules, peer, &headers);
        assert_eq!(outcome.address, Some("192.0.2.1:0".parse().unwrap()));
        assert_eq!(outcome.scheme, Some(crate::Scheme::Https));
        assert_eq!(left.unwrap(), "for=\"a,b\" ;x=y");
    }

    #[test]
    fn a_malformed_line_hides_itself_and_what_is_before_it() {
        let mut rules = Rules::new(super::super::rules::Source::Standard);
        rules.limit = None;
        rules.trust_everyone = true;
        let mut headers = HeaderMap::new();
        for line in ["for=192.0.2.1", "for=\"", "for=192.0.2.3"] {
            headers.append(FORWARDED, HeaderValue::from_static(line));
        }
        for address in [true, false] {
            rules.reads.address = address;
            let (outcome, _) = outcome(&rules, None, &headers);
            assert_eq!(outcome.consumed, 1);
            assert_eq!(outcome.stop, super::super::walk::Stop::Malformed);
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "\\PC{0,40}") {
            let _ = parse(&line);
        }

        #[test]
        fn nearly_valid_lines_do_not_panic(line in "([fF]or|proto|host|;|,|=|\"|\\\\| |a|:|\\[){0,20}") {
            let _ = parse(&line);
        }

        #[test]
        fn what_was_quoted_is_read(value in "[ -~]{0,20}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!("for=\"{quoted}\";proto=https");
            prop_assert_eq!(show(&line), Some(vec![format!("{value}|https|-")]));
        }
    }
}
