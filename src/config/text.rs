//! A file's text from its bytes.

use super::findings::{Kind, Position};

/// The longest file that is read: 1 MiB.
pub(super) const LONGEST: u64 = 1 << 20;

/// The text of `bytes`: UTF-8, or UTF-16 with a byte order mark, which editors on Windows write.
pub(super) fn decode(bytes: &[u8]) -> Result<String, Kind> {
    if bytes.len() as u64 > LONGEST {
        return Err(Kind::TooLong(LONGEST));
    }
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        rest => utf8(rest),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, Kind> {
    let text = std::str::from_utf8(bytes).map_err(|_| Kind::NotText("UTF-8"))?;
    Ok(text.to_owned())
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Kind> {
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return Err(Kind::NotText("UTF-16"));
    };
    char::decode_utf16(pairs.iter().map(|&pair| unit(pair)))
        .collect::<Result<_, _>>()
        .map_err(|_| Kind::NotText("UTF-16"))
}

/// Where the lines of a text begin.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let after = text.match_indices('\n').map(|(index, _)| index + 1);
        let starts = std::iter::once(0).chain(after).collect();
        Self { text, starts }
    }

    /// The place of the byte at `offset`.
    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line));
        let before = self.text.get(start.copied().unwrap_or(0)..offset);
        let column = before.map_or(0, |before| before.chars().count()) + 1;
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Position::new(number(line), number(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_utf8_and_utf16_with_a_mark() {
        let be: Vec<u8> = "\u{feff}é😀"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let le: Vec<u8> = "\u{feff}é😀"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in [&be[..], &le, "é😀".as_bytes(), "\u{feff}é😀".as_bytes()] {
            assert_eq!(decode(bytes).unwrap(), "é😀");
        }
    }

    #[test]
    fn refuses_what_is_no_text_or_too_long() {
        for bytes in [&b"\xff"[..], b"\xff\xfe\x00", b"\xfe\xff\xd8\x00"] {
            assert!(matches!(decode(bytes), Err(Kind::NotText(_))), "{bytes:?}");
        }
        let long = vec![b' '; (LONGEST + 1) as usize];
        assert!(matches!(decode(&long), Err(Kind::TooLong(_))));
        assert!(decode(&long[1..]).is_ok());
    }

    #[test]
    fn columns_are_characters() {
        let lines = Lines::of("äb\n\nc");
        for (offset, line, column) in [(0, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 1), (5, 3, 1)] {
            assert_eq!(
                lines.position(offset),
                Position::new(line, column),
                "{offset}"
            );
        }
        for offset in [1, 6, 99] {
            let _ = lines.position(offset);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
