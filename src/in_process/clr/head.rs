//! The head of a request as the managed side sees it: slices into what hyper parsed, kept in place.

use std::{ptr, sync::Arc};

use http::{HeaderMap, Method, Uri, Version, request::Parts};

use super::{
    abi::{self, Field, Slice},
    facts::Facts,
    user::User,
};
use crate::Scheme;

/// What a request is made of, and the view of it that crosses. Emptied and filled again with each exchange, so that
/// its list of fields is allocated once.
pub(super) struct Head {
    parts: Option<Parts>,
    facts: Option<Arc<Facts>>,
    /// The target, where hyper did not keep it in one piece.
    target: String,
    fields: Vec<Field>,
    user: Option<Box<User>>,
    request: abi::Request,
}

impl Head {
    pub(super) const fn new() -> Self {
        Self {
            parts: None,
            facts: None,
            target: String::new(),
            fields: Vec::new(),
            user: None,
            request: abi::Request {
                method: Slice::EMPTY,
                scheme: Slice::EMPTY,
                authority: Slice::EMPTY,
                target: Slice::EMPTY,
                path: Slice::EMPTY,
                query: Slice::EMPTY,
                fields: ptr::null(),
                field_count: 0,
                version: 0,
                flags: 0,
                _reserved: 0,
                content_length: -1,
                connection: ptr::null(),
                user: ptr::null(),
            },
        }
    }

    /// Lets go of the request.
    pub(super) fn clear(&mut self) {
        self.parts = None;
        self.facts = None;
        self.target.clear();
        self.fields.clear();
        self.user = None;
    }

    /// Says that the app may run at once, or not, and gives the view.
    pub(super) const fn run_here(&mut self, here: bool) -> *const abi::Request {
        if here {
            self.request.flags |= abi::RUN_HERE;
        }
        ptr::from_ref(&self.request)
    }

    /// Takes `parts` in and makes the view of them, which is valid for as long as they stay: until [`clear`](Self::clear).
    pub(super) fn fill(
        &mut self,
        parts: Parts,
        facts: Arc<Facts>,
        scheme: Scheme,
        flags: u32,
        content_length: Option<u64>,
    ) {
        // First in place, then looked at: a method of one's own is stored inside of it.
        let parts = &*self.parts.insert(parts);
        let facts = &*self.facts.insert(facts);
        collect(&parts.headers, &mut self.fields);
        let request = &mut self.request;
        request.method = Slice::of(parts.method.as_str().as_bytes());
        request.scheme = Slice::of(scheme.as_str().as_bytes());
        request.authority = Slice::of(authority(parts));
        request.target = Slice::of(target(parts, &mut self.target));
        request.path = Slice::of(path(parts));
        request.query = Slice::of(parts.uri.query().unwrap_or_default().as_bytes());
        request.fields = self.fields.as_ptr();
        request.field_count = self.fields.len() as u32;
        request.version = version(parts.version);
        request.flags = flags;
        request.content_length =
            content_length.map_or(-1, |length| i64::try_from(length).unwrap_or(i64::MAX));
        request.connection = facts.raw();
        self.user = User::of(&parts.extensions);
        request.user = self.user.as_deref().map_or(ptr::null(), User::raw);
    }
}

/// The fields of `headers`, line by line.
pub(super) fn collect(headers: &HeaderMap, fields: &mut Vec<Field>) {
    fields.clear();
    fields.reserve(headers.len());
    fields.extend(headers.iter().map(|(name, value)| Field {
        name: name.as_str().as_ptr(),
        value: value.as_bytes().as_ptr(),
        name_len: name.as_str().len() as u32,
        value_len: value.len() as u32,
    }));
}

/// What the client named (RFC 9112, 3.3): the authority of the target goes before `Host`.
fn authority(parts: &Parts) -> &[u8] {
    match parts.uri.authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => parts
            .headers
            .get(http::header::HOST)
            .map_or(&[], |host| host.as_bytes()),
    }
}

/// The target as it stood on the wire. HTTP/2 has only the path there (RFC 9113, 8.3.1).
fn target<'a>(parts: &'a Parts, joined: &'a mut String) -> &'a [u8] {
    let uri = &parts.uri;
    if uri.scheme().is_none() || parts.version == Version::HTTP_2 {
        return match uri.path_and_query() {
            Some(path) => path.as_str().as_bytes(),
            None => uri.authority().map_or(&[], |host| host.as_str().as_bytes()),
        };
    }
    join(uri, joined);
    joined.as_bytes()
}

fn join(uri: &Uri, joined: &mut String) {
    use std::fmt::Write as _;
    // Writing to a string does not fail.
    let _ = write!(joined, "{uri}");
}

fn path(parts: &Parts) -> &[u8] {
    let none = parts.method == Method::CONNECT && parts.uri.path_and_query().is_none();
    if none {
        &[]
    } else {
        parts.uri.path().as_bytes()
    }
}

const fn version(version: Version) -> u32 {
    match version {
        Version::HTTP_09 | Version::HTTP_10 => 10,
        Version::HTTP_2 => 20,
        _ => 11,
    }
}

impl Slice {
    pub(super) const EMPTY: Self = Self {
        data: ptr::null(),
        len: 0,
    };

    pub(super) const fn of(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(request: http::request::Builder) -> Parts {
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_target_is_as_on_the_wire() {
        for (uri, version, want) in [
            ("/a%2Fb?c=%20", Version::HTTP_11, "/a%2Fb?c=%20"),
            ("*", Version::HTTP_11, "*"),
            ("http://h:1/a?b", Version::HTTP_11, "http://h:1/a?b"),
            ("http://h:1/a?b", Version::HTTP_2, "/a?b"),
            ("/", Version::HTTP_10, "/"),
        ] {
            let parts = parts(Request::options(uri).version(version));
            let mut joined = String::new();
            assert_eq!(target(&parts, &mut joined), want.as_bytes(), "{uri}");
        }
    }

    #[test]
    fn the_authority_of_the_target_goes_before_host() {
        let request = Request::get("http://one/").header("host", "two");
        assert_eq!(authority(&parts(request)), b"one");
        assert_eq!(
            authority(&parts(Request::get("/").header("host", "two"))),
            b"two"
        );
        assert_eq!(authority(&parts(Request::get("/"))), b"");
    }

    #[test]
    fn every_line_is_a_field() {
        let request = Request::get("/")
            .header("A", "1")
            .header("b", "")
            .header("a", "2");
        let parts = parts(request);
        let mut fields = Vec::new();
        collect(&parts.headers, &mut fields);
        assert_eq!(fields.len(), 3);
        collect(&parts.headers, &mut fields);
        assert_eq!(fields.len(), 3);
    }
}
