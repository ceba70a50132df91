//! The number of a handle, as the module writes it.

use std::fmt;

/// The digits of 32 bits, which is all that a handle has on every Windows.
const LONGEST: usize = 8;

/// A handle's number in hex, of either case: no sign, no prefix, no space.
///
/// ANCM: `%x` of the handle there, a hex `int` in the real middleware.
/// Differs from ANCM: that one takes any number, and closes what it stands for.
pub(super) fn parse(text: &[u8]) -> Result<u32, Refused> {
    if text.is_empty() || text.len() > LONGEST {
        return Err(Refused::Length);
    }
    let number = text.iter().try_fold(0, |number: u32, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(number << 4 | digit)
    });
    let number = number.ok_or(Refused::Digit)?;
    match number {
        0 => Err(Refused::Null),
        // -1 is this process, -2 this thread, -4 to -6 are the tokens of both: they need no handle to be open, and
        // would make the app's own user of anybody. No real handle of a process is negative.
        0x8000_0000.. => Err(Refused::Pseudo),
        // The two lowest bits of a handle are free for programs to use: the system ignores them, and writes none.
        _ if number & 3 != 0 => Err(Refused::Tagged),
        _ => Ok(number),
    }
}

/// Why a header holds no handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Length,
    Digit,
    Null,
    Pseudo,
    Tagged,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "its header does not have one to eight digits",
            Self::Digit => "its header is not a number in hex",
            Self::Null => "its header says that there is no handle",
            Self::Pseudo => "its header names a pseudo-handle",
            Self::Tagged => "its header names no handle that Windows makes",
        })
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hex_of_either_case_and_any_padding_up_to_32_bits() {
        for (text, want) in [
            ("4", 4),
            ("3a4", 0x3a4),
            ("3A4", 0x3a4),
            ("00000C", 12),
            ("000003a4", 0x3a4),
            ("7ffffffc", 0x7fff_fffc),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(want), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_handle() {
        for (text, want) in [
            ("", Refused::Length),
            ("0000003a4", Refused::Length),
            ("ffffffffffffffff", Refused::Length),
            ("0x3a4", Refused::Digit),
            ("+3a4", Refused::Digit),
            ("-4", Refused::Digit),
            (" 3a4", Refused::Digit),
            ("3a4 ", Refused::Digit),
            ("3a4,3a8", Refused::Digit),
            ("3g4", Refused::Digit),
            ("\u{ff13}", Refused::Digit),
            ("0", Refused::Null),
            ("00000000", Refused::Null),
            ("ffffffff", Refused::Pseudo),
            ("fffffffe", Refused::Pseudo),
            ("FFFFFFFC", Refused::Pseudo),
            ("fffffffa", Refused::Pseudo),
            ("80000000", Refused::Pseudo),
            ("3a5", Refused::Tagged),
            ("3a6", Refused::Tagged),
            ("1", Refused::Tagged),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(want), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_module_writes_is_read(number in 1_u32..0x2000_0000) {
            let number = number * 4;
            prop_assert_eq!(parse(format!("{number:x}").as_bytes()), Ok(number));
        }

        #[test]
        fn no_header_panics_and_none_is_a_pseudo_handle(text in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(number) = parse(&text) {
                prop_assert!(number > 0 && number < 0x8000_0000);
                let text = std::str::from_utf8(&text).unwrap();
                prop_assert_eq!(u32::from_str_radix(text, 16), Ok(number));
            }
        }
    }
}
