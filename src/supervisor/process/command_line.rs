//! What `CreateProcessW` takes: one command line, one environment block. Pure, in UTF-16.

use std::{collections::BTreeMap, io};

const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const SPACE: u16 = b' ' as u16;
const TAB: u16 = b'\t' as u16;
const EQUALS: u16 = b'=' as u16;

/// `"program" argument "argument with spaces"` and a zero, to be taken apart again by the rules of Microsoft's C run-time.
///
/// # Errors
///
/// With a zero in it, and for a program with a quotation mark, which those rules can't express.
pub(super) fn command_line<'a>(
    program: &[u16],
    arguments: impl IntoIterator<Item = &'a [u16]>,
) -> io::Result<Vec<u16>> {
    if program.contains(&QUOTE) {
        return Err(invalid("the program's path has a quotation mark"));
    }
    // ANCM: always quoted, so that a space never ends it.
    let mut line = [&[QUOTE], program, &[QUOTE]].concat();
    for argument in arguments {
        line.push(SPACE);
        push_quoted(&mut line, argument);
    }
    if line.contains(&0) {
        return Err(invalid("the command line has a zero character"));
    }
    line.push(0);
    Ok(line)
}

/// Backslashes count only before a quotation mark: each is doubled there, and the mark gets one of its own.
fn push_quoted(line: &mut Vec<u16>, argument: &[u16]) {
    let plain = |unit: &u16| ![SPACE, TAB, QUOTE].contains(unit);
    if !argument.is_empty() && argument.iter().all(plain) {
        line.extend(argument);
        return;
    }
    line.push(QUOTE);
    let mut backslashes = 0;
    for &unit in argument {
        if unit == QUOTE {
            line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
        }
        backslashes = if unit == BACKSLASH {
            backslashes + 1
        } else {
            0
        };
        line.push(unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

/// `NAME=value` and a zero for each variable, sorted by the name without regard to case as Windows wants it, and a zero more.
/// Of two names that differ in case only, the later one stays.
///
/// # Errors
///
/// For an empty name, and one with `=` that is not its first character (`=C:` is the working directory of a drive).
pub(super) fn environment_block(
    variables: impl IntoIterator<Item = (Vec<u16>, Vec<u16>)>,
) -> io::Result<Vec<u16>> {
    let mut sorted = BTreeMap::new();
    for (name, value) in variables {
        if name.is_empty() || name.iter().skip(1).any(|&unit| unit == EQUALS) {
            return Err(invalid("an environment variable has no proper name"));
        }
        if name.contains(&0) || value.contains(&0) {
            return Err(invalid("an environment variable has a zero character"));
        }
        sorted.insert(upper(&name), (name, value));
    }
    let mut block = Vec::new();
    for (name, value) in sorted.into_values() {
        block.extend(name);
        block.push(EQUALS);
        block.extend(value);
        block.push(0);
    }
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    Ok(block)
}

/// As Windows compares names: unit by unit, in upper case, where that is one unit too.
fn upper(name: &[u16]) -> Vec<u16> {
    let upper = |&unit: &u16| {
        let mut upper = char::from_u32(unit.into())?.to_uppercase();
        let first = upper.next()?;
        upper.next().is_none().then_some(first)?;
        u16::try_from(u32::from(first)).ok()
    };
    name.iter()
        .map(|unit| upper(unit).unwrap_or(*unit))
        .collect()
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn line(program: &str, arguments: &[&str]) -> io::Result<String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| wide(argument)).collect();
        let line = command_line(&wide(program), arguments.iter().map(Vec::as_slice))?;
        Ok(String::from_utf16(&line).unwrap())
    }

    #[test]
    fn quotes_what_must_be_quoted() {
        let cases: &[(&[&str], &str)] = &[
            (&[], r#""a b.exe""#),
            (&["c"], r#""a b.exe" c"#),
            (&["c d", ""], r#""a b.exe" "c d" """#),
            (&[r"c:\d\"], r#""a b.exe" c:\d\"#),
            (&[r"c:\d e\"], r#""a b.exe" "c:\d e\\""#),
            (&[r#"say "x""#], r#""a b.exe" "say \"x\"""#),
            (&[r#"\\"\"#], r#""a b.exe" "\\\\\"\\""#),
            (&["ä\t€"], "\"a b.exe\" \"ä\t€\""),
        ];
        for (arguments, want) in cases {
            assert_eq!(line("a b.exe", arguments).unwrap(), format!("{want}\0"));
        }
        assert!(line("a\"b", &[]).is_err());
        assert!(line("a", &["b\0c"]).is_err());
    }

    /// The rules backwards, for the arguments after the program.
    fn take_apart(line: &str) -> Vec<String> {
        let mut arguments = Vec::new();
        let (mut current, mut quoted, mut any) = (String::new(), false, false);
        let mut rest = line.chars().peekable();
        while let Some(char) = rest.next() {
            match char {
                ' ' | '\t' if !quoted => {
                    if std::mem::take(&mut any) {
                        arguments.push(std::mem::take(&mut current));
                    }
                    continue;
                }
                '\\' => {
                    let mut count = 1;
                    while rest.next_if_eq(&'\\').is_some() {
                        count += 1;
                    }
                    if rest.peek() == Some(&'"') {
                        current.push_str(&"\\".repeat(count / 2));
                        if count % 2 == 1 {
                            current.push(rest.next().unwrap());
                        }
                    } else {
                        current.push_str(&"\\".repeat(count));
                    }
                }
                '"' => quoted = !quoted,
                char => current.push(char),
            }
            any = true;
        }
        if any {
            arguments.push(current);
        }
        arguments
    }

    proptest! {
        #[test]
        fn arguments_come_out_as_they_went_in(arguments in proptest::collection::vec(r#"[a\\" \tä]{0,8}"#, 0..5)) {
            let borrowed: Vec<_> = arguments.iter().map(String::as_str).collect();
            let line = line("p", &borrowed).unwrap();
            prop_assert_eq!(take_apart(line[3..].trim_end_matches('\0')), arguments);
        }
    }

    fn block(variables: &[(&str, &str)]) -> io::Result<String> {
        let variables = variables
            .iter()
            .map(|(name, value)| (wide(name), wide(value)));
        Ok(String::from_utf16(&environment_block(variables)?).unwrap())
    }

    #[test]
    fn the_block_is_sorted_and_each_name_is_in_it_once() {
        let variables = [
            ("b", "1"),
            ("A_", "2"),
            ("ab", ""),
            ("B", "3=4"),
            ("=C:", "C:\\d"),
            ("ä", "ö"),
        ];
        let want = "=C:=C:\\d\0ab=\0A_=2\0B=3=4\0ä=ö\0\0";
        assert_eq!(block(&variables).unwrap(), want);
        assert_eq!(block(&[]).unwrap(), "\0\0");
    }

    #[test]
    fn bad_names_are_refused() {
        for (name, value) in [
            ("", "x"),
            ("a=b", "x"),
            ("=C:=", "x"),
            ("a\0", "x"),
            ("a", "x\0"),
        ] {
            assert!(block(&[(name, value)]).is_err(), "{name:?}");
        }
    }
}
