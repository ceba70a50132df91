//! The secret that the module and one process share.

use std::{fmt, hint};

use http::HeaderValue;
use subtle::ConstantTimeEq;

/// The pairing token: who knows it came through the module.
///
/// The module draws one for every process, hands it over in `ASPNETCORE_TOKEN` and sends it with
/// each request as [`MS-ASPNETCORE-TOKEN`](crate::headers::MS_ASPNETCORE_TOKEN). It is never shown:
/// its `Debug` is a placeholder, its header value is marked sensitive.
///
/// ```
/// use ancm::PairingToken;
///
/// let token = PairingToken::generate();
/// assert!(token.matches(token.header_value().as_bytes()));
/// assert!(!token.matches(PairingToken::generate().header_value().as_bytes()));
/// assert_eq!(format!("{token:?}"), "PairingToken(..)");
/// ```
#[derive(Clone)]
pub struct PairingToken {
    value: HeaderValue,
}

impl PairingToken {
    /// A new token: 128 bits from the operating system's generator, in lower-case hex.
    ///
    /// Differs from ANCM: a GUID there, with 122 random bits. Apps compare the text as a whole.
    ///
    /// # Panics
    ///
    /// When the operating system has no random bytes to give, which it never lacks after boot.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        let text = format!("{:032x}", u128::from_be_bytes(bytes));
        Self::new(&text).expect("hex is a header value")
    }

    /// A token that somebody else drew: `ASPNETCORE_TOKEN`, or one set in the configuration.
    ///
    /// # Errors
    ///
    /// When `text` could not be sent in a header. The error does not repeat it.
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        let mut value = HeaderValue::from_str(text).map_err(|_| InvalidToken)?;
        value.set_sensitive(true);
        Ok(Self { value })
    }

    /// Whether `presented` is this token, in a time that does not tell how much of it is right.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        same(self.value.as_bytes(), presented)
    }

    /// The token as it stands in its header, marked as sensitive.
    #[must_use]
    pub fn header_value(&self) -> &HeaderValue {
        &self.value
    }
}

/// Whether two texts are the same, in a time that depends on their lengths only.
///
/// Eight bytes at a time: each request pays for this, and byte by byte costs eight times as much.
fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (ones, others) = (one.chunks(8), other.chunks(8));
    let differing = ones.zip(others).fold(0, |differing, (one, other)| {
        // Nobody may find out that the rest does not matter once something differs.
        hint::black_box(differing | (word(one) ^ word(other)))
    });
    differing.ct_eq(&0).into()
}

/// Up to eight bytes as a number, the missing ones as zeros.
fn word(bytes: &[u8]) -> u64 {
    match bytes.try_into() {
        Ok(whole) => u64::from_ne_bytes(whole),
        Err(_) => bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

impl fmt::Debug for PairingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingToken(..)")
    }
}

/// A pairing token that holds a character no header value may hold (RFC 9110, 5.5).
#[derive(Debug)]
#[non_exhaustive]
pub struct InvalidToken;

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pairing token holds a character that no header value may hold")
    }
}

impl std::error::Error for InvalidToken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_whole_text_only() {
        let token = PairingToken::new("abc").unwrap();
        assert!(token.matches(b"abc"));
        for wrong in ["", "ab", "abcd", "ABC", "abc "] {
            assert!(!token.matches(wrong.as_bytes()), "{wrong:?}");
        }
    }

    #[test]
    fn every_byte_counts() {
        for length in 0..40_u8 {
            let text: Vec<_> = (0..length).collect();
            assert!(same(&text, &text));
            for at in 0..text.len() {
                for bit in 0..8 {
                    let mut other = text.clone();
                    other[at] ^= 1 << bit;
                    assert!(!same(&text, &other), "byte {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn every_token_is_new_and_long() {
        let (one, other) = (PairingToken::generate(), PairingToken::generate());
        assert_eq!(one.header_value().len(), 32);
        assert_ne!(one.header_value(), other.header_value());
    }

    #[test]
    fn is_never_shown() {
        let token = PairingToken::new("secret").unwrap();
        assert_eq!(
            format!("{token:?} {:?}", token.header_value()),
            "PairingToken(..) Sensitive"
        );
        assert!(
            !PairingToken::new("secret\n")
                .unwrap_err()
                .to_string()
                .contains("secret")
        );
    }
}
