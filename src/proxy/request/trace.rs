//! W3C Trace Context (Recommendation, and level 2): whose trace a request belongs to.

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Sees to it that there is one valid `traceparent`.
///
/// A valid one passes as it is, with its `tracestate`: this proxy takes no part in the trace. Any other starts a trace
/// anew, and a state without its parent says nothing (3.2.2.4, 4.3).
pub(super) fn settle(headers: &mut HeaderMap) {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let valid = parents
        .next()
        .is_some_and(|parent| is_valid(parent.as_bytes()));
    if valid && parents.next().is_none() {
        return;
    }
    headers.remove(TRACESTATE);
    match start() {
        Some(parent) => headers.insert(TRACEPARENT, parent),
        None => headers.remove(TRACEPARENT),
    };
}

/// `00-{trace-id}-{parent-id}-02`: nobody sampled it, and its id is random in all its bits (level 2).
///
/// `None` where the operating system has no random bytes.
fn start() -> Option<HeaderValue> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).ok()?;
    let (trace, parent) = random.split_at(16);
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    hex(trace, &mut text);
    text.push('-');
    hex(parent, &mut text);
    text.push_str("-02");
    // Nothing but zeros is no id. Nobody will see that happen.
    HeaderValue::try_from(text)
        .ok()
        .filter(|text| is_valid(text.as_bytes()))
}

fn hex(bytes: &[u8], to: &mut String) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            to.extend(char::from_digit(digit.into(), 16));
        }
    }
}

/// `version "-" trace-id "-" parent-id "-" flags`, and in a later version than 00 perhaps `"-"` and more (3.2.2).
fn is_valid(text: &[u8]) -> bool {
    let Some((known, rest)) = text.split_at_checked(55) else {
        return false;
    };
    let mut parts = known.split(|&byte| byte == b'-');
    let mut part = |length| {
        parts
            .next()
            .filter(|part| part.len() == length && part.iter().all(is_digit))
    };
    let (Some(version), Some(trace), Some(parent), Some(_)) =
        (part(2), part(32), part(16), part(2))
    else {
        return false;
    };
    let is_id = |id: &[u8]| id.iter().any(|&digit| digit != b'0');
    let ends = match version {
        b"ff" => false,
        b"00" => rest.is_empty(),
        _ => matches!(rest, [] | [b'-', ..]),
    };
    ends && is_id(trace) && is_id(parent)
}

/// Lower case only.
fn is_digit(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn settled(parents: &[&str], state: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append(TRACEPARENT, HeaderValue::from_str(parent).unwrap());
        }
        headers.append(TRACESTATE, HeaderValue::from_str(state).unwrap());
        settle(&mut headers);
        headers
    }

    #[test]
    fn a_valid_parent_passes_with_its_state() {
        for parent in [
            GOOD.to_owned(),
            GOOD.replace("00-", "01-"),
            GOOD.replace("00-", "cc-") + "-what-comes-later",
            GOOD.replace("-01", "-ff"),
        ] {
            let headers = settled(&[&parent], "a=1");
            assert_eq!(headers[TRACEPARENT], *parent);
            assert_eq!(headers[TRACESTATE], "a=1");
        }
    }

    #[test]
    fn any_other_is_replaced_and_its_state_goes_too() {
        let zeros = ["0".repeat(32), "0".repeat(16)];
        let bad = [
            String::new(),
            GOOD.to_ascii_uppercase(),
            GOOD.replace("00-", "ff-"),
            GOOD.replace("00-", "0-"),
            format!("{GOOD}-x"),
            format!("{GOOD}x"),
            GOOD.replace("00-", "01-") + ".x",
            GOOD.replace('-', "_"),
            GOOD.replace('a', "g"),
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", &zeros[0]),
            GOOD.replace("b7ad6b7169203331", &zeros[1]),
            GOOD[..54].to_owned(),
        ];
        for parents in bad
            .iter()
            .map(|bad| vec![&**bad])
            .chain([vec![], vec![GOOD, GOOD]])
        {
            let headers = settled(&parents, "a=1");
            let started = headers[TRACEPARENT].to_str().unwrap();
            assert!(is_valid(started.as_bytes()), "{started}");
            assert!(
                started.starts_with("00-") && started.ends_with("-02"),
                "{started}"
            );
            assert_ne!(started, GOOD);
            assert_eq!(headers.get_all(TRACEPARENT).iter().count(), 1);
            assert!(!headers.contains_key(TRACESTATE), "{parents:?}");
        }
    }

    #[test]
    fn no_two_traces_are_one() {
        assert_ne!(start(), start());
    }
}
