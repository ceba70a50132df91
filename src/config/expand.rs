//! `%NAME%` becomes the variable's value.

use super::vars::Vars;

/// The variables of an environment by name. The name as written wins; another case of it is the second choice, because
/// `web.config` is written for an operating system that knows no difference.
#[derive(Debug)]
pub(super) struct Lookup {
    variables: Vec<(String, String)>,
}

impl Lookup {
    pub(super) fn new(vars: &dyn Vars) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let mut variables: Vec<_> = vars.all().into_iter().filter_map(text).collect();
        variables.sort();
        Self { variables }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let find = |same: fn(&str, &str) -> bool| {
            let mut found = self.variables.iter().filter(|(have, _)| same(have, name));
            found.next().map(|(_, value)| &**value)
        };
        find(|have, name| have == name)
            .or_else(|| find(|have, name| have.eq_ignore_ascii_case(name)))
    }

    /// `text` with each `%NAME%` replaced by its value. One pass: values are not expanded again. An unknown name stays as
    /// it is, percent signs included, and its closing sign may open the next name, as in .NET.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            expanded.push_str(before);
            match after.split_once('%') {
                Some((name, behind)) if self.get(name).is_some() => {
                    expanded.push_str(self.get(name).unwrap_or_default());
                    rest = behind;
                }
                _ => {
                    expanded.push('%');
                    rest = after;
                }
            }
        }
        expanded.push_str(rest);
        expanded
    }
}

/// The first `%NAME%` in `text`, if it looks like a name rather than like two percent signs.
pub(super) fn first_name(text: &str) -> Option<&str> {
    let plain = |name: &&str| {
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '(' | ')');
        !name.is_empty() && name.chars().all(word)
    };
    let (_, after) = text.split_once('%')?;
    let (closed, _) = after.rsplit_once('%')?;
    closed.split('%').find(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn expand(text: &str) -> String {
        Lookup::new(&vars()).expand(text)
    }

    fn vars() -> BTreeMap<String, String> {
        [
            ("A", "1"),
            ("a", "2"),
            ("Home", "/h"),
            ("P", "%A%"),
            ("E", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn expands_once_and_leaves_what_it_does_not_know() {
        for (text, want) in [
            ("", ""),
            ("%A%", "1"),
            ("%a%", "2"),
            ("%HOME%/x", "/h/x"),
            ("%P%", "%A%"),
            ("[%E%]", "[]"),
            ("%NO%;%A%", "%NO%;1"),
            ("%NO%A%", "%NO1"),
            ("100%", "100%"),
            ("%%", "%%"),
            ("50% of %A%", "50% of 1"),
            ("%", "%"),
        ] {
            assert_eq!(expand(text), want, "{text}");
        }
    }

    #[test]
    fn finds_the_first_name_left() {
        assert_eq!(first_name("x %NO_1% %B%"), Some("NO_1"));
        for text in ["", "100%", "%%", "50% a%", "%a b%"] {
            assert_eq!(first_name(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_without_names_stays(text in "[^%]*") {
            prop_assert_eq!(expand(&text), text);
        }

        #[test]
        fn no_text_panics(text in "[%AaNO ]*") {
            let _ = (expand(&text), first_name(&text));
        }
    }
}
