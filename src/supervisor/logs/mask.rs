//! Keeps the pairing token out of what is kept of an output. Pure.

use crate::PairingToken;

/// A shorter secret is one that somebody chose, and may well be a word that means something else.
const SHORTEST: usize = 16;

/// Puts asterisks in the place of a process's token: an app that prints its environment when it fails, as `set -x` and many
/// crash reports do, would otherwise have it in our log, on the page of a failed start and in its log file.
#[derive(Debug, Default)]
pub(super) struct Mask {
    token: Option<PairingToken>,
    /// What was seen last, masked.
    seen: Vec<u8>,
    /// How much of that was shown. The rest, shorter than the token, may be its beginning.
    shown: usize,
}

impl Mask {
    pub(super) fn new(token: Option<PairingToken>) -> Self {
        Self {
            token: token.filter(|token| token.header_value().len() >= SHORTEST),
            ..Self::default()
        }
    }

    /// What may be shown once `chunk` has come: it may end later than that, and begin earlier.
    pub(super) fn apply<'a>(&'a mut self, chunk: &'a [u8]) -> &'a [u8] {
        let Some(token) = &self.token else {
            return chunk;
        };
        let secret = token.header_value().as_bytes();
        self.seen.drain(..self.shown);
        self.seen.extend_from_slice(chunk);
        let mut rest = self.seen.as_mut_slice();
        while let Some(at) = memchr::memmem::find(rest, secret)
            && let Some((found, after)) = rest
                .get_mut(at..)
                .and_then(|found| found.split_at_mut_checked(secret.len()))
        {
            found.fill(b'*');
            rest = after;
        }
        self.shown = self.seen.len() - beginning(&self.seen, secret);
        self.seen.get(..self.shown).unwrap_or_default()
    }

    /// What was held back, once nothing more will come: it was not the token.
    pub(super) fn rest(&self) -> &[u8] {
        self.seen.get(self.shown..).unwrap_or_default()
    }
}

/// How long a beginning of `secret`, but not all of it, `text` ends with.
fn beginning(text: &[u8], secret: &[u8]) -> usize {
    let ends = |length: &usize| {
        let begins = secret.get(..*length);
        begins.is_some_and(|begins| text.ends_with(begins))
    };
    (1..secret.len()).rev().find(ends).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdeF";

    fn masked(token: &str, chunks: &[&str]) -> String {
        let mut mask = Mask::new(Some(PairingToken::new(token).unwrap()));
        let mut all = Vec::new();
        for chunk in chunks {
            all.extend(mask.apply(chunk.as_bytes()));
        }
        all.extend(mask.rest());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn the_token_is_masked_wherever_it_stands() {
        let stars = "*".repeat(SECRET.len());
        let said = format!("{SECRET} token={SECRET}.{SECRET}{SECRET}\n");
        let seen = format!("{stars} token={stars}.{stars}{stars}\n");
        assert_eq!(masked(SECRET, &[&said]), seen);
    }

    #[test]
    fn no_cut_shows_any_of_it() {
        let said = format!("token={SECRET} rest");
        let expected = format!("token={} rest", "*".repeat(SECRET.len()));
        for first in 0..said.len() {
            for second in first..said.len() {
                let chunks = [&said[..first], &said[first..second], &said[second..]];
                assert_eq!(masked(SECRET, &chunks), expected, "{first} {second}");
            }
        }
        let (bytes, mut buffer) = (said.bytes(), [0; 4]);
        let each: Vec<_> = bytes
            .map(|byte| char::from(byte).encode_utf8(&mut buffer).to_owned())
            .collect();
        let each: Vec<_> = each.iter().map(String::as_str).collect();
        assert_eq!(masked(SECRET, &each), expected);
    }

    #[test]
    fn what_is_no_beginning_is_shown_at_once() {
        let mut mask = Mask::new(Some(PairingToken::new(SECRET).unwrap()));
        assert_eq!(mask.apply(b"a line\n"), b"a line\n");
        assert_eq!(mask.apply(b"a prompt: 01"), b"a prompt: ");
        assert_eq!(mask.apply(b"3"), b"013");
        assert_eq!(mask.rest(), b"");
    }

    #[test]
    fn all_else_passes() {
        let near = &SECRET[..31];
        let said = format!("{near} {near}0 {}", SECRET.to_uppercase());
        assert_eq!(masked(SECRET, &[&said]), said);
        assert_eq!(masked(SECRET, &[near]), near, "held back, and then not");
        assert_eq!(masked("abc", &["abc"]), "abc", "a word");
        assert_eq!(masked(SECRET, &[""]), "");
        let stars = "*".repeat(20);
        assert_eq!(masked(&stars, &[&stars, "x"]), format!("{stars}x"));
    }
}
