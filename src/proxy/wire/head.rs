//! The head of an answer, out of its bytes (RFC 9112).
//!
//! Pure. As strict as hyper, against which the tests compare it, and stricter where noted.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use super::{
    decode::{Decoder, Flaw},
    framing::{Seen, framing, keeps_alive},
    usual,
};

/// How many fields a section has at most, but for one in thousands: there is room for those on the stack.
pub(super) const MAX_FIELDS: usize = 100;

/// How many fields a head may have. hyper takes no more than a hundred, but apps that set a cookie for everything exist.
const MOST_FIELDS: usize = 1000;

const TOO_MANY: Flaw = "its head has too many fields";

/// What a head may take, before it is known to be whole.
pub(super) const MAX_HEAD: usize = 408 * 1024;

/// [`parse`] by itself, to be measured: what the answer to a GET says, if it says it whole.
#[doc(hidden)]
pub fn parse_head(bytes: &mut BytesMut, spare: &mut HeaderMap) -> Option<Response<()>> {
    let head = parse(bytes, false, spare, &mut Early::default());
    head.ok().flatten().map(|head| head.response)
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
        let body = framing((section.status, section.version), to_head, seen, &fields)?;
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
