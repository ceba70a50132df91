//! The few words of a head that tell what follows it, and their values, however they are split.

/// A word to know, with the byte that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Connect,
    Length,
    Coding,
    Upgrade,
}

/// How far a word was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The bytes ended after so many of the word.
    Partial(usize),
    /// The word was there, and the byte that ends it was the last one used.
    Whole,
    /// It is another word.
    Other,
}

impl Word {
    /// The word that a request line may begin with. Methods have a case (RFC 9110, 9.1), but who
    /// holds back what follows a `connect` only waits for nothing.
    pub(super) fn of_request_line(first: u8) -> Option<Self> {
        matches!(first, b'C' | b'c').then_some(Self::Connect)
    }

    /// The word that a field may be: by its first letter, and by one that tells it from the usual
    /// others, if that one is there already.
    pub(super) fn of_field(line: &[u8]) -> Option<Self> {
        let (word, telling) = match line.first()? {
            b'C' | b'c' => (Self::Length, 8),
            b'T' | b't' => (Self::Coding, 8),
            b'U' | b'u' => (Self::Upgrade, 1),
            _ => return None,
        };
        let other = (line.get(telling).zip(word.text().get(telling)))
            .is_some_and(|(byte, want)| !is_either_case(*byte, *want));
        (!other).then_some(word)
    }

    fn text(self) -> &'static [u8] {
        match self {
            Self::Connect => b"connect ",
            Self::Length => b"content-length:",
            Self::Coding => b"transfer-encoding:",
            Self::Upgrade => b"upgrade:",
        }
    }

    /// Follows the word of which the first `matched` bytes were there, and says how many of
    /// `bytes` it took.
    pub(super) fn follow(self, matched: usize, bytes: &[u8]) -> (usize, Progress) {
        let text = self.text().get(matched..).unwrap_or_default();
        let used = (bytes.iter().zip(text))
            .take_while(|(byte, want)| is_either_case(**byte, **want))
            .count();
        let progress = if used == text.len() {
            Progress::Whole
        } else if used == bytes.len() {
            Progress::Partial(matched + used)
        } else {
            Progress::Other
        };
        (used, progress)
    }
}

/// Whether the byte is `want`, a byte of a word's text. Taken for it are its capital and, where it
/// is none, a control character, which hyper refuses there.
fn is_either_case(byte: u8, want: u8) -> bool {
    byte | 0x20 == want
}

/// Where in a value the next byte stands, and what the value said so far.
///
/// Blanks around it are not part of it (RFC 9110, 5.5), and a bare LF may end its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    said: Said,
    edge: Edge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// This number.
    Length(u64),
    /// So many letters of `chunked`.
    Coding(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Before,
    Within,
    After,
    /// At the LF.
    Lf,
}

/// What a value turned out to be: good ones at their line's end, others at the first byte that is
/// wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Length(u64),
    NoLength,
    Chunked,
    NotChunked,
}

const CHUNKED: &[u8] = b"chunked";

impl Value {
    pub(super) fn length() -> Self {
        Self {
            said: Said::Length(0),
            edge: Edge::Before,
        }
    }

    pub(super) fn coding() -> Self {
        Self {
            said: Said::Coding(0),
            edge: Edge::Before,
        }
    }

    /// The place behind `byte`, or how the value ended with it.
    pub(super) fn then(self, byte: u8) -> Result<Self, Ended> {
        let said = self.said;
        let edge = match (self.edge, byte) {
            (Edge::Before, b' ' | b'\t') => Edge::Before,
            (Edge::Within | Edge::After, b' ' | b'\t') => Edge::After,
            (Edge::Within | Edge::After, b'\r') => Edge::Lf,
            (Edge::Within | Edge::After | Edge::Lf, b'\n') => return Err(said.ended()),
            (Edge::Before | Edge::Within, _) => {
                let said = said.then(byte).ok_or(said.wrong())?;
                let edge = Edge::Within;
                return Ok(Self { said, edge });
            }
            (Edge::After | Edge::Lf, _) => return Err(said.wrong()),
        };
        Ok(Self { said, edge })
    }
}

impl Said {
    fn then(self, byte: u8) -> Option<Self> {
        match self {
            Self::Length(length) => {
                let digit = char::from(byte).to_digit(10)?;
                let length = length.checked_mul(10)?.checked_add(u64::from(digit))?;
                Some(Self::Length(length))
            }
            Self::Coding(matched) => {
                let is_next = CHUNKED.get(matched) == Some(&byte.to_ascii_lowercase());
                is_next.then_some(Self::Coding(matched + 1))
            }
        }
    }

    fn ended(self) -> Ended {
        match self {
            Self::Length(length) => Ended::Length(length),
            Self::Coding(matched) if matched == CHUNKED.len() => Ended::Chunked,
            Self::Coding(_) => Ended::NotChunked,
        }
    }

    fn wrong(self) -> Ended {
        match self {
            Self::Length(_) => Ended::NoLength,
            Self::Coding(_) => Ended::NotChunked,
        }
    }
}
