//! The last output of a process, and its output line by line. Pure.

use std::collections::VecDeque;

/// ANCM: it shows 30,000 characters of a process's output.
const CHARACTERS: usize = 30_000;
/// Room for so many characters of UTF-8.
const BYTES: usize = 4 * CHARACTERS;
/// A longer line is shown in pieces.
const LINE: usize = 8 * 1024;

/// Keeps the end of an output, however long that is.
///
/// Differs from ANCM: the first 30,000 characters are kept there, but why a process ended is the
/// last thing it says.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: VecDeque<u8>,
    /// How many bytes there ever were.
    written: u64,
}

impl Tail {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.written += chunk.len() as u64;
        let chunk = chunk
            .get(chunk.len().saturating_sub(BYTES)..)
            .unwrap_or(chunk);
        let excess = (self.bytes.len() + chunk.len()).saturating_sub(BYTES);
        self.bytes.drain(..excess);
        self.bytes.extend(chunk);
    }

    /// What came after so many bytes, as far as it is kept, and how many bytes there are now.
    pub(super) fn after(&self, seen: u64) -> (Vec<u8>, u64) {
        let fresh = self.written.saturating_sub(seen);
        let skip = usize::try_from(fresh).map_or(0, |fresh| self.bytes.len().saturating_sub(fresh));
        (
            self.bytes.iter().skip(skip).copied().collect(),
            self.written,
        )
    }

    /// The last 30,000 characters, without control characters other than line ends and tabs.
    ///
    /// What is not UTF-8 becomes U+FFFD.
    pub(super) fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = printable(&bytes);
        let excess = text.chars().count().saturating_sub(CHARACTERS);
        text.chars().skip(excess).collect()
    }
}

/// `bytes` as text that can't move a terminal's cursor or forge a line: control characters are
/// escaped, except tabs and the ends of lines.
pub(super) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let decoded = String::from_utf8_lossy(bytes);
    let mut rest = decoded.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\t' => text.push(char),
            _ if char.is_control() => text.extend(char.escape_default()),
            _ => text.push(char),
        }
    }
    text
}

/// Cuts an output into lines of a bounded length.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Gives every line that `chunk` completes to `each`, without its end.
    pub(super) fn push(&mut self, mut chunk: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some(end) = chunk.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = chunk.split_at(end);
            self.extend(line, &mut each);
            self.flush(&mut each);
            chunk = rest.get(1..).unwrap_or_default();
        }
        self.extend(chunk, &mut each);
    }

    /// Gives what is left when the output ends.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            self.flush(&mut each);
        }
    }

    fn extend(&mut self, line: &[u8], each: &mut impl FnMut(&[u8])) {
        for piece in line.chunks(LINE) {
            if self.partial.len() + piece.len() > LINE {
                self.flush(each);
            }
            self.partial.extend_from_slice(piece);
        }
    }

    fn flush(&mut self, each: &mut impl FnMut(&[u8])) {
        each(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial));
        self.partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(chunks: &[&[u8]]) -> String {
        let mut tail = Tail::default();
        chunks.iter().for_each(|chunk| tail.push(chunk));
        tail.text()
    }

    #[test]
    fn keeps_the_end_of_a_flood() {
        let flood = [b'x'; 70_000];
        let text = tail(&[b"first", &flood, &flood, b"last words"]);
        assert_eq!(text.chars().count(), CHARACTERS);
        assert!(text.starts_with('x') && text.ends_with("last words"));
    }

    #[test]
    fn goes_on_where_a_reader_left_off() {
        let mut tail = Tail::default();
        tail.push(b"one");
        assert_eq!(tail.after(0), (b"one".to_vec(), 3));
        tail.push(b"two");
        assert_eq!(tail.after(3), (b"two".to_vec(), 6));
        assert_eq!(tail.after(6), (vec![], 6));
        assert_eq!(tail.after(99), (vec![], 6));
        tail.push(&[b'x'; BYTES]);
        assert_eq!(tail.after(6).0.len(), BYTES);
        assert_eq!(tail.after(0).0.len(), BYTES, "the beginning is gone");
    }

    #[test]
    fn counts_characters_not_bytes() {
        let text = tail(&["\u{1f980}".repeat(40_000).as_bytes()]);
        assert_eq!(text, "\u{1f980}".repeat(CHARACTERS));
    }

    #[test]
    fn never_holds_more_than_its_share() {
        let mut tail = Tail::default();
        for _ in 0..100 {
            tail.push(&[b'x'; 200_000]);
            tail.push(b"y");
            assert!(tail.bytes.len() <= BYTES);
        }
    }

    #[test]
    fn escapes_what_could_fool_a_reader() {
        for (bytes, text) in [
            (&b"a\r\nb\tc\n"[..], "a\nb\tc\n"),
            (b"a\rb", "a\\rb"),
            (b"\x1b[31mred", "\\u{1b}[31mred"),
            (b"\0", "\\u{0}"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(tail(&[bytes]), text);
        }
    }

    #[test]
    fn cuts_into_lines() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for chunk in [&b"on"[..], b"e\r\ntwo\n\nthr", b"ee"] {
            lines.push(chunk, |line| seen.push(line.to_vec()));
        }
        lines.finish(|line| seen.push(line.to_vec()));
        assert_eq!(seen, [&b"one"[..], b"two", b"", b"three"]);
    }

    #[test]
    fn shows_an_endless_line_in_pieces() {
        let mut lines = Lines::default();
        let (mut count, mut bytes) = (0, 0);
        for _ in 0..100 {
            lines.push(&[b'x'; 5_000], |line| {
                assert!(line.len() <= LINE);
                (count, bytes) = (count + 1, bytes + line.len());
            });
            assert!(lines.partial.len() <= LINE);
        }
        lines.finish(|line| bytes += line.len());
        assert!(count > 10);
        assert_eq!(bytes, 500_000);
    }
}
