//! One line into arguments and back, by the rules that programs on Windows follow. Pure.

/// Splits `line` as the C runtime of Windows does, on every operating system, because `web.config` is written for it.
///
/// Spaces and tabs separate. `"` begins and ends a part in which they do not. Before a `"`, two backslashes mean
/// one, and an odd one makes the `"` literal; anywhere else a backslash is just that. `""` within quotes is a literal `"`.
pub(in crate::config) fn split(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut rest = line.trim_start_matches(BLANK);
    while !rest.is_empty() {
        let (argument, behind) = first(rest);
        arguments.push(argument);
        rest = behind.trim_start_matches(BLANK);
    }
    arguments
}

const BLANK: [char; 2] = [' ', '\t'];

/// The first argument of `line`, and what stands behind it.
fn first(line: &str) -> (String, &str) {
    let (mut argument, mut quoted, mut rest) = (String::new(), false, line);
    loop {
        let unescaped = rest.trim_start_matches('\\');
        let backslashes = rest.len() - unescaped.len();
        rest = unescaped;
        let mut chars = rest.chars();
        let Some(next) = chars.next() else {
            push_backslashes(&mut argument, backslashes);
            return (argument, rest);
        };
        if next != '"' {
            push_backslashes(&mut argument, backslashes);
            if !quoted && BLANK.contains(&next) {
                return (argument, rest);
            }
            argument.push(next);
        } else {
            push_backslashes(&mut argument, backslashes / 2);
            let doubled = quoted && chars.as_str().starts_with('"');
            if backslashes % 2 == 1 {
                argument.push('"');
            } else if doubled {
                argument.push('"');
                chars.next();
            } else {
                quoted = !quoted;
            }
        }
        rest = chars.as_str();
    }
}

fn push_backslashes(argument: &mut String, count: usize) {
    argument.extend(std::iter::repeat_n('\\', count));
}

/// `argument` written so that [`split`] gives it back.
pub(in crate::config) fn quote(argument: &str) -> String {
    if !argument.is_empty() && !argument.contains([' ', '\t', '"']) {
        return argument.to_owned();
    }
    let mut quoted = String::from('"');
    let mut backslashes = 0;
    for next in argument.chars() {
        match next {
            '\\' => backslashes += 1,
            '"' => {
                push_backslashes(&mut quoted, backslashes + 1);
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        quoted.push(next);
    }
    push_backslashes(&mut quoted, backslashes);
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn splits_as_programs_on_windows_do() {
        for (line, want) in [
            ("", &[][..]),
            (" \t ", &[]),
            ("a  b\tc", &["a", "b", "c"]),
            (r#""a b" c"#, &["a b", "c"]),
            (r#"a" "b"#, &["a b"]),
            (r#""""#, &[""]),
            (r#"a "" b"#, &["a", "", "b"]),
            (r"a\b .\App.dll C:\x\", &[r"a\b", r".\App.dll", r"C:\x\"]),
            (r#"a\"b"#, &[r#"a"b"#]),
            (r#"a\\"b c"#, &[r"a\b c"]),
            (r#"a\\\"b c"#, &[r#"a\"b"#, "c"]),
            (r#"a\\\\"b c" d"#, &[r"a\\b c", "d"]),
            (r#""a""b" c"#, &[r#"a"b"#, "c"]),
            (r#""open a"#, &["open a"]),
            ("ä\u{a0}ö ü", &["ä\u{a0}ö", "ü"]),
        ] {
            assert_eq!(split(line), want, "{line}");
        }
    }

    #[test]
    fn quotes_only_what_needs_it() {
        for (argument, want) in [
            ("a", "a"),
            (r"C:\x\", r"C:\x\"),
            ("", r#""""#),
            ("a b", r#""a b""#),
            (r"a b\", r#""a b\\""#),
            (r#"a"b"#, r#""a\"b""#),
            (r#"a\"b"#, r#""a\\\"b""#),
        ] {
            assert_eq!(quote(argument), want, "{argument}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_split_again(arguments in prop::collection::vec(r#"[a\\" \t\n%ä]{0,8}"#, 0..6)) {
            let line = arguments.iter().map(|a| quote(a)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(split(&line), arguments);
        }

        #[test]
        fn no_line_panics(line in r#"[a\\" \t😀]*"#) {
            let _ = split(&line);
        }
    }
}
