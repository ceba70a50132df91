//! The heads of messages: a request's into bytes, an answer's out of them (RFC 9112).
//!
//! Pure. As strict as hyper, against which the tests compare it, and stricter where noted.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use super::{
    decode::{Decoder, Flaw},
    usual,
};
use crate::headers::list;

/// How many fields a section has at most, but for one in thousands: there is room for those on the stack.
pub(super) const MAX_FIELDS: usize = 100;

/// How many fields a head may have. hyper takes no more than a hundred, but apps that set a cookie for everything exist.
const MOST_FIELDS: usize = 1000;

const TOO_MANY: Flaw = "its head has too many fields";

/// What a head may take, before it is known to be whole.
pub(super) const MAX_HEAD: usize = 408 * 1024;

/// What hyper can count to.
pub(super) const LONGEST: u64 = u64::MAX - 2;

/// Writes the head of a request, as it stands.
pub(super) fn encode<B>(request: &Request<B>, to: &mut Vec<u8>) {
    to.extend_from_slice(request.method().as_str().as_bytes());
    to.push(b' ');
    to.extend_from_slice(request.uri().path().as_bytes());
    if let Some(query) = request.uri().query() {
        to.push(b'?');
        to.extend_from_slice(query.as_bytes());
    }
    to.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        encode_field(name, value, to);
    }
    to.extend_from_slice(b"\r\n");
}

/// [`encode`] by itself, to be measured.
#[doc(hidden)]
pub fn encode_head<B>(request: &Request<B>, to: &mut Vec<u8>) {
    encode(request, to);
}

/// [`parse`] by itself, to be measured: what the answer to a GET says, if it says it whole.
#[doc(hidden)]
pub fn parse_head(bytes: &mut BytesMut, spare: &mut HeaderMap) -> Option<Response<()>> {
    let head = parse(bytes, false, spare, &mut Early::default());
    head.ok().flatten().map(|head| head.response)
}

/// Writes one line.
pub(super) fn encode_field(name: &HeaderName, value: &HeaderValue, to: &mut Vec<u8>) {
    to.extend_from_slice(name.as_str().as_bytes());
    to.extend_from_slice(b": ");
    to.extend_from_slice(value.as_bytes());
    to.extend_from_slice(b"\r\n");
}

/// What an answer's head says.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) body: Decoder,
    /// Whether the connection can be used again.
    pub(super) keeps_alive: bool,
    /// Whether every field is known to be for the client, said as it may hear it.
    pub(super) is_plain: bool,
}

/// How many heads are kept of what an app says at once before its answer.
const MOST_EARLY: usize = 32;

/// What an app said before its answer (RFC 9110, 15.2).
#[derive(Debug, Default)]
pub(super) struct Early {
    /// `100 Continue`.
    pub(super) continues: bool,
    /// All else, in order: hints for the client.
    pub(super) hints: Vec<(StatusCode, HeaderMap)>,
}

impl Early {
    fn note(&mut self, status: StatusCode, fields: HeaderMap) {
        if status == StatusCode::CONTINUE {
            self.continues = true;
        } else if self.hints.len() < MOST_EARLY {
            self.hints.push((status, fields));
        }
    }
}

/// Takes the head of an answer, to a HEAD request or another one, out of `bytes`, if all of it is there.
///
/// What comes before it and is no answer yet goes into `early`. The fields go into `spare`, a
/// map that is left alone until then and whose memory is used again.
pub(super) fn parse(
    bytes: &mut BytesMut,
    to_head: bool,
    spare: &mut HeaderMap,
    early: &mut Early,
) -> Result<Option<Head>, Flaw> {
    if let Some(head) = usual::parse(bytes, to_head, spare) {
        return head.map(Some);
    }
    match parse_any(
        bytes,
        to_head,
        spare,
        early,
        &mut [Place::default(); MAX_FIELDS],
    ) {
        Err(TOO_MANY) => {
            let mut places = vec![Place::default(); MOST_FIELDS];
            parse_any(bytes, to_head, spare, early, &mut places)
        }
        head => head,
    }
}

/// The general way, for as many fields as there are `places`.
fn parse_any(
    bytes: &mut BytesMut,
    to_head: bool,
    spare: &mut HeaderMap,
    early: &mut Early,
    places: &mut [Place],
) -> Result<Option<Head>, Flaw> {
    while let Some(section) = Section::parse(bytes, places)? {
        if section.status.is_informational() {
            // Nobody asked for another protocol, and what follows would be in that (RFC 9110, 15.2.2).
            if section.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err("it switches protocols, which nobody asked for");
            }
            let mut fields = HeaderMap::new();
            section.fields(bytes, places, &mut fields)?;
            early.note(section.status, fields);
            continue;
        }
        let mut fields = std::mem::take(spare);
        fields.clear();
        let seen = section.fields(bytes, places, &mut fields)?;
        let body = framing(&section, to_head, seen, &fields)?;
        let keeps_alive = match seen.connection {
            _ if body == Decoder::UntilClose => false,
            // Chunks overrule a length, but who says both may mean another end of it (RFC 9112, 6.3).
            _ if seen.coding && seen.length => false,
            true => keeps_alive(section.version, &fields),
            false => section.version == Version::HTTP_11,
        };
        return Ok(Some(Head {
            response: section.response(fields),
            body,
            keeps_alive,
            is_plain: false,
        }));
    }
    Ok(None)
}

/// A head that is there whole, and where its fields are in it.
struct Section {
    status: StatusCode,
    version: Version,
    /// Unless it is the usual one.
    reason: Option<ReasonPhrase>,
    length: usize,
    count: usize,
}

/// What stands in a head that it is framed by.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    connection: bool,
    coding: bool,
    length: bool,
}

/// Where a field's name begins and ends, and its value.
#[derive(Clone, Copy, Default)]
struct Place {
    name: (u32, u32),
    value: (u32, u32),
}

impl Section {
    fn parse(bytes: &[u8], places: &mut [Place]) -> Result<Option<Self>, Flaw> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let (mut few, mut many) = ([const { MaybeUninit::uninit() }; MAX_FIELDS], Vec::new());
        let found = if places.len() > MAX_FIELDS {
            many.resize_with(places.len(), MaybeUninit::uninit);
            &mut *many
        } else {
            &mut few
        };
        let mut head = httparse::Response::new(&mut []);
        let parser = ParserConfig::default();
        let length = match parser.parse_response_with_uninit_headers(&mut head, bytes, found) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) if bytes.len() >= MAX_HEAD => return Err("its head is too long"),
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(TOO_MANY),
            Err(_) => return Err("its head is not valid HTTP/1"),
        };
        let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or("its status is not valid")?;
        let unusual = |text: &&str| Some(*text) != status.canonical_reason();
        let reason = head.reason.filter(unusual);
        for (place, field) in places.iter_mut().zip(head.headers.iter()) {
            place.name = span(bytes, field.name.as_bytes())?;
            place.value = span(bytes, field.value)?;
        }
        Ok(Some(Self {
            status,
            version: match head.version {
                Some(0) => Version::HTTP_10,
                _ => Version::HTTP_11,
            },
            reason: reason.and_then(|text| ReasonPhrase::try_from(text.as_bytes()).ok()),
            length,
            count: head.headers.len(),
        }))
    }

    /// Takes the section out of `bytes`, and its fields out of the section, without a copy of the values.
    fn fields(
        &self,
        bytes: &mut BytesMut,
        places: &[Place],
        to: &mut HeaderMap,
    ) -> Result<Seen, Flaw> {
        let section = bytes.split_to(self.length).freeze();
        let mut seen = Seen::default();
        to.reserve(self.count);
        for &Place { name, value } in places.iter().take(self.count) {
            let name = section.get(name.0 as usize..name.1 as usize);
            let name = field_name(name.unwrap_or_default())?;
            seen.connection |= name == CONNECTION;
            seen.coding |= name == TRANSFER_ENCODING;
            seen.length |= name == CONTENT_LENGTH;
            let value = section.slice(value.0 as usize..value.1 as usize);
            to.append(name, field_value(value)?);
        }
        Ok(seen)
    }

    fn response(self, fields: HeaderMap) -> Response<()> {
        let mut response = response(self.status, self.version, fields);
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(reason);
        }
        response
    }
}

pub(super) fn response(status: StatusCode, version: Version, fields: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = version;
    *response.headers_mut() = fields;
    response
}

/// Where `part` begins and ends in `whole`, of which it is a part.
fn span(whole: &[u8], part: &[u8]) -> Result<(u32, u32), Flaw> {
    let begin = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    let place = |at: usize| u32::try_from(at).map_err(|_| "its head is too long");
    Ok((place(begin)?, place(begin.wrapping_add(part.len()))?))
}

/// The fields of a trailer section, which `bytes` is all of.
pub(super) fn trailers(bytes: &[u8]) -> Result<HeaderMap, Flaw> {
    let mut found = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let Ok(Status::Complete((_, found))) = httparse::parse_headers(bytes, &mut found) else {
        return Err("the trailers are not valid");
    };
    let mut fields = HeaderMap::with_capacity(found.len());
    for field in found {
        let value = field_value(Bytes::copy_from_slice(field.value))?;
        fields.append(field_name(field.name.as_bytes())?, value);
    }
    Ok(fields)
}

pub(super) fn field_name(text: &[u8]) -> Result<HeaderName, Flaw> {
    HeaderName::from_bytes(text).map_err(|_| "the name of a field is not valid")
}

pub(super) fn field_value(text: Bytes) -> Result<HeaderValue, Flaw> {
    HeaderValue::from_maybe_shared(text).map_err(|_| "the value of a field is not valid")
}

/// Whether the connection lasts (RFC 9112, 9.3); one `close` outweighs all else.
fn keeps_alive(version: Version, fields: &HeaderMap) -> bool {
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
fn framing(head: &Section, to_head: bool, seen: Seen, fields: &HeaderMap) -> Result<Decoder, Flaw> {
    if to_head || matches!(head.status.as_u16(), 204 | 304) {
        return Ok(Decoder::Length(0));
    }
    match (seen.coding, seen.length) {
        (true, _) if head.version == Version::HTTP_10 => Err("HTTP/1.0 has no transfer codings"),
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
