//! Security identifiers: what Windows calls users and groups by.

use std::fmt;

/// A security identifier; written `S-1-5-32-544`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Sid {
    /// Who gives the rest its meaning: 48 bits.
    authority: u64,
    parts: Vec<u32>,
}

/// At most so many parts (`SID_MAX_SUB_AUTHORITIES`).
const MOST_PARTS: usize = 15;

impl Sid {
    /// From its form in memory: revision, count, six bytes of authority, then the parts in the machine's order.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let &[1, count, ref authority @ ..] = head else {
            return None;
        };
        let (parts, rest) = rest.as_chunks::<4>();
        let fits = parts.len() == usize::from(count) && parts.len() <= MOST_PARTS;
        (fits && rest.is_empty()).then(|| Self {
            authority: authority
                .iter()
                .fold(0, |number, &byte| number << 8 | u64::from(byte)),
            parts: parts.iter().map(|part| u32::from_ne_bytes(*part)).collect(),
        })
    }

    /// From its form in text. The authority may be in hex, as Windows writes large ones.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text
            .strip_prefix("S-1-")
            .or_else(|| text.strip_prefix("s-1-"))?;
        let mut parts = rest.split('-');
        let authority = match parts.next()? {
            hex if hex.starts_with("0x") => u64::from_str_radix(digits(&hex[2..])?, 16),
            decimal => digits(decimal)?.parse(),
        };
        let authority = authority.ok().filter(|authority| authority >> 48 == 0)?;
        let parts: Option<Vec<_>> = parts.map(|part| digits(part)?.parse().ok()).collect();
        let parts = parts.filter(|parts| (1..=MOST_PARTS).contains(&parts.len()))?;
        Some(Self { authority, parts })
    }
}

/// The standard library's parsers take a sign; nobody writes one here.
fn digits(text: &str) -> Option<&str> {
    text.starts_with(|first: char| first.is_ascii_hexdigit())
        .then_some(text)
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.authority >> 32 == 0 {
            write!(f, "S-1-{}", self.authority)?;
        } else {
            write!(f, "S-1-0x{:012x}", self.authority)?;
        }
        self.parts.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(sid: &Sid) -> Vec<u8> {
        let count = u8::try_from(sid.parts.len()).unwrap();
        let mut bytes = vec![1, count];
        bytes.extend(&sid.authority.to_be_bytes()[2..]);
        bytes.extend(sid.parts.iter().flat_map(|part| part.to_ne_bytes()));
        bytes
    }

    #[test]
    fn is_written_as_windows_writes_it() {
        for text in [
            "S-1-1-0",
            "S-1-5-18",
            "S-1-5-32-544",
            "S-1-5-21-2127521184-1604012920-1887927527-72713",
            "S-1-0xff0000000000-7",
        ] {
            let sid = Sid::parse(text).unwrap();
            assert_eq!(sid.to_string(), text);
            assert_eq!(Sid::from_bytes(&bytes(&sid)), Some(sid));
        }
        assert_eq!(Sid::parse("s-1-5-18"), Sid::parse("S-1-5-18"));
    }

    #[test]
    fn nothing_else_is_one() {
        let long = format!("S-1-5{}", "-1".repeat(16));
        for text in [
            "",
            "S-1-",
            "S-1-5",
            "S-2-5-18",
            "S-1-5-",
            "S-1-5-x",
            "S-1-+5-18",
            "S-1-5-+18",
            "S-1-5-4294967296",
            "S-1-0x1000000000000-1",
            "S-1-5-18 ",
            r"CORP\S-1-5-18",
            &long,
        ] {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn memory_that_is_too_short_or_too_long_is_none() {
        let whole = bytes(&Sid::parse("S-1-5-32-544").unwrap());
        assert!(Sid::from_bytes(&whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(Sid::from_bytes(&whole[..length]), None, "{length}");
        }
        assert_eq!(Sid::from_bytes(&[&whole[..], &[0]].concat()), None);
        let mut second = whole;
        second[0] = 2;
        assert_eq!(Sid::from_bytes(&second), None);
    }

    proptest! {
        #[test]
        fn survives_text_and_memory(authority in 0_u64..1 << 48, parts in proptest::collection::vec(any::<u32>(), 1..=15)) {
            let sid = Sid { authority, parts };
            prop_assert_eq!(Sid::parse(&sid.to_string()), Some(sid.clone()));
            prop_assert_eq!(Sid::from_bytes(&bytes(&sid)), Some(sid));
        }

        #[test]
        fn no_text_panics(text in "[Ss]?-?1?-?.{0,20}") {
            let _ = Sid::parse(&text);
        }
    }
}
