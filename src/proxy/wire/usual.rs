//! The head of an answer as most apps write it, taken in one pass.
//!
//! Nearly every answer is HTTP/1.1 with a status and its usual reason, a few fields of well-known names and a length, each
//! line ended by CR LF. That can be read for a third of what the general way costs, which looks at each byte of a name
//! three times. Whatever is not quite like that is left to the [general way](super::head::parse), so that nothing is
//! taken here which is refused there, or otherwise.

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, StatusCode, Version,
    header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
        CONTENT_TYPE, DATE, ETAG, EXPIRES, LAST_MODIFIED, LOCATION, PRAGMA, SERVER, SET_COOKIE,
        TRANSFER_ENCODING, VARY,
    },
};

use super::{
    decode::{Decoder, Flaw},
    framing::{LONGEST, digits},
    head::{Head, field_value, response},
};
use crate::lines::line_end;

/// How many fields it is worth to try for.
const MAX_FIELDS: usize = 16;

const VERSION: &[u8] = b"HTTP/1.1 ";

/// Takes the head out of `bytes`, or leaves them and `spare` as they are where it is not a usual one, or not whole.
///
/// The fields go into `spare`, whose memory is used again.
pub(super) fn parse(
    bytes: &mut BytesMut,
    to_head: bool,
    spare: &mut HeaderMap,
) -> Option<Result<Head, Flaw>> {
    let outline = Outline::of(bytes)?;
    let body = outline.body(to_head)?;
    let section = bytes.split_to(outline.end).freeze();
    let mut fields = std::mem::take(spare);
    fields.clear();
    fields.reserve(outline.count);
    for field in outline.fields.iter().take(outline.count) {
        // What is not valid in a value is found by this alone.
        match field_value(section.slice(field.from as usize..field.to as usize)) {
            Ok(value) => fields.append(field.name.header(), value),
            Err(flaw) => return Some(Err(flaw)),
        };
    }
    Some(Ok(Head {
        response: response(outline.status, Version::HTTP_11, fields),
        body,
        keeps_alive: true,
        is_plain: true,
    }))
}

/// A field's name, and where its value begins and ends.
#[derive(Clone, Copy)]
struct Field {
    name: Name,
    from: u32,
    to: u32,
}

const NONE: Field = Field {
    name: Name::Date,
    from: 0,
    to: 0,
};

/// What a head says, and where.
struct Outline {
    status: StatusCode,
    fields: [Field; MAX_FIELDS],
    count: usize,
    /// How the body is framed, where that is said.
    length: Option<u64>,
    is_chunked: bool,
    /// Where the body begins.
    end: usize,
}

impl Outline {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (status, mut at) = status(bytes)?;
        let mut outline = Self {
            status,
            fields: [NONE; MAX_FIELDS],
            count: 0,
            length: None,
            is_chunked: false,
            end: 0,
        };
        loop {
            let rest = bytes.get(at..)?;
            let line = line(rest)?;
            if line.is_empty() {
                outline.end = at + 2;
                return Some(outline);
            }
            outline.take(line, at)?;
            at += line.len() + 2;
        }
    }

    /// Takes the line that begins at `at`.
    fn take(&mut self, line: &[u8], at: usize) -> Option<()> {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        let name = Name::of(name)?;
        // The one space that everybody writes, and no other.
        let value = value.get(1..)?;
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let is_space = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
        if is_space(value.first()) || is_space(value.last()) {
            return None;
        }
        if name == Name::ContentLength {
            let length = digits(value).filter(|&length| length <= LONGEST)?;
            if self.length.replace(length).is_some() {
                return None;
            }
        } else if name == Name::TransferEncoding {
            if value != b"chunked" || self.is_chunked {
                return None;
            }
            self.is_chunked = true;
        }
        let to = at + line.len();
        *self.fields.get_mut(self.count)? = Field {
            name,
            from: u32::try_from(to - value.len()).ok()?,
            to: u32::try_from(to).ok()?,
        };
        self.count += 1;
        Some(())
    }

    /// How the body ends (RFC 9112, 6.3), where that is one of the usual ways.
    fn body(&self, to_head: bool) -> Option<Decoder> {
        let bodiless = to_head || matches!(self.status.as_u16(), 204 | 304);
        match (self.length, self.is_chunked) {
            _ if bodiless => None,
            (Some(length), false) => Some(Decoder::Length(length)),
            (None, true) => Some(Decoder::chunked()),
            (Some(_), true) | (None, false) => None,
        }
    }
}

/// The status of a line that says no more than usual, and where the next line begins.
fn status(bytes: &[u8]) -> Option<(StatusCode, usize)> {
    let line = line(bytes)?;
    let (code, reason) = line.strip_prefix(VERSION)?.split_at_checked(3)?;
    let status = StatusCode::from_bytes(code).ok()?;
    let usual = status.canonical_reason()?.as_bytes();
    let is_usual = reason.strip_prefix(b" ") == Some(usual) && !status.is_informational();
    is_usual.then_some((status, line.len() + 2))
}

/// The first line, without the CR LF that ends it.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..line_end(bytes)?)?.strip_suffix(b"\r")
}

/// A name that says nothing of the connection, or nothing but how the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Date,
    Etag,
    Vary,
    Pragma,
    Server,
    Expires,
    Location,
    SetCookie,
    ContentType,
    AcceptRanges,
    CacheControl,
    LastModified,
    ContentLength,
    ContentEncoding,
    ContentLanguage,
    TransferEncoding,
}

impl Name {
    /// As apps spell it.
    fn of(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"Date" | b"date" => Self::Date,
            b"ETag" | b"etag" => Self::Etag,
            b"Vary" | b"vary" => Self::Vary,
            b"Pragma" | b"pragma" => Self::Pragma,
            b"Server" | b"server" => Self::Server,
            b"Expires" | b"expires" => Self::Expires,
            b"Location" | b"location" => Self::Location,
            b"Set-Cookie" | b"set-cookie" => Self::SetCookie,
            b"Content-Type" | b"content-type" => Self::ContentType,
            b"Accept-Ranges" | b"accept-ranges" => Self::AcceptRanges,
            b"Cache-Control" | b"cache-control" => Self::CacheControl,
            b"Last-Modified" | b"last-modified" => Self::LastModified,
            b"Content-Length" | b"content-length" => Self::ContentLength,
            b"Content-Encoding" | b"content-encoding" => Self::ContentEncoding,
            b"Content-Language" | b"content-language" => Self::ContentLanguage,
            b"Transfer-Encoding" | b"transfer-encoding" => Self::TransferEncoding,
            _ => return None,
        })
    }

    const fn header(self) -> HeaderName {
        match self {
            Self::Date => DATE,
            Self::Etag => ETAG,
            Self::Vary => VARY,
            Self::Pragma => PRAGMA,
            Self::Server => SERVER,
            Self::Expires => EXPIRES,
            Self::Location => LOCATION,
            Self::SetCookie => SET_COOKIE,
            Self::ContentType => CONTENT_TYPE,
            Self::AcceptRanges => ACCEPT_RANGES,
            Self::CacheControl => CACHE_CONTROL,
            Self::LastModified => LAST_MODIFIED,
            Self::ContentLength => CONTENT_LENGTH,
            Self::ContentEncoding => CONTENT_ENCODING,
            Self::ContentLanguage => CONTENT_LANGUAGE,
            Self::TransferEncoding => TRANSFER_ENCODING,
        }
    }
}
