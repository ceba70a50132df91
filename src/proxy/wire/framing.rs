//! Where an answer ends, and whether its connection lasts (RFC 9112, 6.3 and 9.3). Pure.

use http::{
    HeaderMap, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::decode::{Decoder, Flaw};
use crate::headers::list;

/// What hyper can count to.
pub(super) const LONGEST: u64 = u64::MAX - 2;

/// What stands in a head that it is framed by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) connection: bool,
    pub(super) coding: bool,
    pub(super) length: bool,
}

/// Whether the connection lasts (RFC 9112, 9.3); one `close` outweighs all else.
pub(super) fn keeps_alive(version: Version, fields: &HeaderMap) -> bool {
    let mut keeps = version == Version::HTTP_11;
    for line in fields.get_all(CONNECTION) {
        for option in list(line.as_bytes()) {
            if option.eq_ignore_ascii_case(b"close") {
                return false;
            }
            keeps |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
    keeps
}

/// How the body ends (RFC 9112, 6.3).
pub(super) fn framing(
    (status, version): (StatusCode, Version),
    to_head: bool,
    seen: Seen,
    fields: &HeaderMap,
) -> Result<Decoder, Flaw> {
    if to_head || matches!(status.as_u16(), 204 | 304) {
        return Ok(Decoder::Length(0));
    }
    match (seen.coding, seen.length) {
        (true, _) if version == Version::HTTP_10 => Err("HTTP/1.0 has no transfer codings"),
        (true, _) if is_chunked(fields) => Ok(Decoder::chunked()),
        // What is coded in another way would come out as what it is not.
        (true, _) => Err("it has a transfer coding other than chunked"),
        (false, false) => Ok(Decoder::UntilClose),
        (false, true) => length(fields).map(Decoder::Length),
    }
}

/// Whether `chunked` is the one coding that is named, once.
fn is_chunked(fields: &HeaderMap) -> bool {
    let mut codings = fields.get_all(TRANSFER_ENCODING).iter();
    let only = codings.next().filter(|_| codings.next().is_none());
    only.is_some_and(|coding| {
        coding
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"chunked")
    })
}

/// One number, however often it is said.
fn length(fields: &HeaderMap) -> Result<u64, Flaw> {
    const FLAW: Flaw = "its length is not valid";
    let mut length = None;
    for line in fields.get_all(CONTENT_LENGTH) {
        for text in line.as_bytes().split(|&byte| byte == b',') {
            let number = digits(text.trim_ascii()).ok_or(FLAW)?;
            if length.replace(number).is_some_and(|other| other != number) {
                return Err(FLAW);
            }
        }
    }
    length.filter(|&length| length <= LONGEST).ok_or(FLAW)
}

pub(super) fn digits(text: &[u8]) -> Option<u64> {
    (!text.is_empty()).then_some(())?;
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}
