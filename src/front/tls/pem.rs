//! PEM (RFC 7468), with the line of each thing, so that what is wrong with a file can be found.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What stands between a `BEGIN` and its `END`. Has no `Debug`: it may be a key.
pub(super) struct Section {
    pub(super) label: String,
    pub(super) der: Vec<u8>,
    /// That of its `BEGIN`, from 1.
    pub(super) line: usize,
}

/// What is wrong, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// A section that has no end yet.
struct Open<'a> {
    label: &'a str,
    line: usize,
    base64: Vec<u8>,
}

/// All sections. What stands between them is a comment (RFC 7468, 2).
pub(super) fn sections(text: &[u8]) -> Result<Vec<Section>, Malformed> {
    let mut sections = Vec::new();
    let mut open: Option<Open<'_>> = None;
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let malformed = |what| Malformed { line: number, what };
        let line = line.trim_ascii();
        if let Some(label) = boundary(line, "BEGIN") {
            if open.is_some() {
                return Err(malformed("a section begins before the last one has ended"));
            }
            open = Some(Open {
                label,
                line: number,
                base64: Vec::new(),
            });
        } else if let Some(label) = boundary(line, "END") {
            match open.take() {
                Some(begun) if begun.label == label => sections.push(begun.close()?),
                Some(_) => return Err(malformed("another section ends than has begun")),
                None => return Err(malformed("a section ends that has not begun")),
            }
        } else if let Some(open) = &mut open {
            open.push(line).map_err(malformed)?;
        }
    }
    match open {
        Some(Open { line, .. }) => Err(Malformed {
            line,
            what: "a section begins here and does not end",
        }),
        None => Ok(sections),
    }
}

/// The label of a `-----BEGIN LABEL-----`.
fn boundary<'a>(line: &'a [u8], word: &str) -> Option<&'a str> {
    let line = std::str::from_utf8(line).ok()?;
    // Some editors put a byte order mark before the first line.
    let line = line.trim_start_matches('\u{feff}');
    let label = line.strip_prefix("-----")?.strip_prefix(word)?;
    label.strip_prefix(' ')?.strip_suffix("-----")
}

impl Open<'_> {
    fn push(&mut self, line: &[u8]) -> Result<(), &'static str> {
        if line.starts_with(b"Proc-Type:") || line.starts_with(b"DEK-Info:") {
            return Err("the key is encrypted; `openssl pkey` takes the passphrase off");
        }
        let alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        if !line.iter().all(alphabet) {
            return Err("expected a line of base64");
        }
        self.base64.extend(line);
        Ok(())
    }

    fn close(self) -> Result<Section, Malformed> {
        let der = STANDARD.decode(&self.base64).map_err(|_| Malformed {
            line: self.line,
            what: "what begins here is not whole base64",
        })?;
        Ok(Section {
            label: self.label.to_owned(),
            der,
            line: self.line,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Vec<u8>, usize)>, Malformed> {
        let plain = |section: Section| (section.label, section.der, section.line);
        Ok(sections(text.as_bytes())?.into_iter().map(plain).collect())
    }

    #[test]
    fn reads_what_is_written_in_many_ways() {
        for (text, want) in [
            ("", vec![]),
            ("just a comment\n", vec![]),
            ("-----BEGIN A-----\nAQID\n-----END A-----\n", vec![("A", 1)]),
            (
                "-----BEGIN A-----\r\nAQ\r\nID\r\n-----END A-----",
                vec![("A", 1)],
            ),
            (
                "\u{feff}-----BEGIN A-----\nAQID\n-----END A-----",
                vec![("A", 1)],
            ),
            (
                "subject: me\n\n-----BEGIN A B-----\n\nAQID\n-----END A B-----\nissuer: you\n-----BEGIN C-----\n AQID \n-----END C-----",
                vec![("A B", 3), ("C", 8)],
            ),
        ] {
            let want: Vec<_> = want
                .into_iter()
                .map(|(label, line)| (label.to_owned(), vec![1, 2, 3], line))
                .collect();
            assert_eq!(read(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn names_the_line_of_what_is_wrong() {
        for (text, line, what) in [
            ("\n-----BEGIN A-----\nAQID\n", 2, "does not end"),
            (
                "-----BEGIN A-----\nAQID\n-----END B-----",
                3,
                "another section",
            ),
            ("-----END A-----", 1, "has not begun"),
            (
                "-----BEGIN A-----\nAQID\n-----BEGIN A-----",
                3,
                "before the last",
            ),
            (
                "-----BEGIN A-----\nAQ!D\n-----END A-----",
                2,
                "expected a line of base64",
            ),
            (
                "x\n-----BEGIN A-----\nAQI\n-----END A-----",
                2,
                "not whole base64",
            ),
            (
                "-----BEGIN K-----\nProc-Type: 4,ENCRYPTED\n",
                2,
                "encrypted",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.what.contains(what), "{text}: {}", error.what);
        }
    }
}
