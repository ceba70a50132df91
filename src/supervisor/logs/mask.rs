//! Keeps the pairing token out of what is kept of an output. Pure.

use crate::PairingToken;

/// A shorter secret is one that somebody chose, and may well be a word that means something else.
const SHORTEST: usize = 16;

/// Puts asterisks in the place of a process's token: an app that prints its environment when it fails, as `set -x` and many
/// crash reports do, would otherwise have it in our log, on the page of a failed start and in its log file.
#[derive(Debug, Default)]
pub(super) struct Mask {
    token: Option<PairingToken>,
    /// The end of what was seen, too short for the whole token.
    before: Vec<u8>,
}

impl Mask {
    pub(super) fn new(token: Option<PairingToken>) -> Self {
        let token = token.filter(|token| token.header_value().len() >= SHORTEST);
        let before = Vec::new();
        Self { token, before }
    }

    /// Masks what of the token is in `chunk`, which follows the one before. A beginning that the one before ended with
    /// is gone already, and of no use without the rest.
    pub(super) fn apply(&mut self, chunk: &mut [u8]) {
        let Some(token) = &self.token else {
            return;
        };
        let secret = token.header_value().as_bytes();
        let overlap = secret.len() - 1;
        let old = self.before.len();
        self.before.extend(chunk.iter().take(overlap));
        let crossing = memchr::memmem::find(&self.before, secret);
        self.before.truncate(old);
        let ending = chunk.get(chunk.len().saturating_sub(overlap)..);
        self.before.extend(ending.unwrap_or_default());
        let excess = self.before.len().saturating_sub(overlap);
        self.before.drain(..excess);
        if let Some(start) = crossing {
            hide(chunk, 0, (start + secret.len()).saturating_sub(old));
        }
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(chunk.get(from..).unwrap_or_default(), secret) {
            hide(chunk, from + at, secret.len());
            from += at + secret.len();
        }
    }
}

fn hide(chunk: &mut [u8], from: usize, length: usize) {
    if let Some(shown) = chunk.get_mut(from..from + length) {
        shown.fill(b'*');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdeF";

    fn masked(token: &str, chunks: &[&str]) -> String {
        let mut mask = Mask::new(Some(PairingToken::new(token).unwrap()));
        let mut all = Vec::new();
        for chunk in chunks {
            let mut chunk = chunk.as_bytes().to_vec();
            mask.apply(&mut chunk);
            all.extend(chunk);
        }
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
    fn no_cut_shows_more_than_a_beginning() {
        let said = format!("token={SECRET} rest");
        for first in 0..said.len() {
            for second in first..said.len() {
                let chunks = [&said[..first], &said[first..second], &said[second..]];
                let seen = masked(SECRET, &chunks);
                let inside = |end: usize| end > 6 && end < 6 + SECRET.len();
                // What a chunk ends with is shown already when the rest comes.
                let shown = [first, second].into_iter().filter(|&end| inside(end)).max();
                let expected: String = said
                    .char_indices()
                    .map(|(at, char)| match at {
                        6..38 if shown.is_none_or(|end| at >= end) => '*',
                        _ => char,
                    })
                    .collect();
                assert_eq!(seen, expected, "{first} {second}");
            }
        }
    }

    #[test]
    fn all_else_passes() {
        let near = &SECRET[..31];
        let said = format!("{near} {near}0 {}", SECRET.to_uppercase());
        assert_eq!(masked(SECRET, &[&said]), said);
        assert_eq!(masked("abc", &["abc"]), "abc", "a word");
        assert_eq!(masked(SECRET, &[""]), "");
    }
}
