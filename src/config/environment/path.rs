//! The path base as IIS says it.

/// `path` with its percent-encoding undone, because apps compare it with paths that are decoded.
///
/// ANCM: the virtual path as an administrator wrote it, `/my app`. Kestrel decodes all of a path but `%2F`, and leaves
/// what is not UTF-8; so does this. No variable can hold a NUL, so that stays too.
pub(super) fn decoded(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (plain, escaped) = rest.split_at(at);
        decoded.push_str(plain);
        let (text, tail) = match character(escaped) {
            Some((character, tail)) if !matches!(character, '/' | '\0') => {
                decoded.push(character);
                ("", tail)
            }
            Some(_) | None => escaped.split_at(1),
        };
        decoded.push_str(text);
        rest = tail;
    }
    decoded.push_str(rest);
    decoded
}

/// The character that the escapes at the front of `text` make, and what follows them.
fn character(text: &str) -> Option<(char, &str)> {
    let mut bytes = Vec::with_capacity(4);
    let mut rest = text;
    while bytes.len() < 4 {
        let digits = rest.strip_prefix('%')?.get(..2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = rest.get(3..)?;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            return Some((text.chars().next()?, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_decoded_but_for_what_would_mean_something_else() {
        for (path, want) in [
            ("/", "/"),
            ("/app", "/app"),
            ("/my%20app", "/my app"),
            ("/caf%C3%A9/%e2%82%ac", "/caf\u{e9}/\u{20ac}"),
            ("/%F0%9F%98%80", "/\u{1f600}"),
            ("/100%25", "/100%"),
            ("/a%2Fb%2f", "/a%2Fb%2f"),
            ("/a%00b", "/a%00b"),
            ("/%C3", "/%C3"),
            ("/%C3%20", "/%C3 "),
            ("/%FF%FE%20", "/%FF%FE "),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%zz%+1", "/%zz%+1"),
        ] {
            assert_eq!(decoded(path), want, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(path in "[/%a-f0-9C-F]{0,24}") {
            let _ = decoded(&path);
        }
    }
}
