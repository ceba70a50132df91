//! What is said to a client before its answer: `103 Early Hints` and its like.

use std::{fmt, sync::Arc};

use http::{HeaderMap, Request, StatusCode, Version, header::CONNECTION};

use crate::{
    Connection,
    headers::{Field, nominated, write_line},
};

/// The way to the client for what is said before the answer to a request: a 1xx (RFC 9110, 15.2), such as `103 Early Hints`
/// (RFC 8297).
///
/// Only our [front](crate::front) has one, and only to clients of HTTP/1.1: hyper says no 1xx of ours by HTTP/2, and HTTP/1.0 has
/// none. What is said is a hint: a client that does not read, or an answer that is under way already, loses it. What the
/// app behind a [`Proxy`](crate::proxy::Proxy) says goes this way by itself.
///
/// ```
/// # fn load() {}
/// use ancm::Informational;
/// use http::{HeaderMap, HeaderValue, Request, StatusCode, header::LINK};
///
/// # let request = Request::new(());
/// if let Some(client) = Informational::of(&request) {
///     let style = HeaderValue::from_static("</style.css>; rel=preload; as=style");
///     client.send(StatusCode::EARLY_HINTS, HeaderMap::from_iter([(LINK, style)]));
/// }
/// load();
/// ```
#[derive(Clone)]
pub struct Informational {
    door: Arc<dyn Door>,
    turn: u32,
}

/// What a front lets 1xx through.
pub(crate) trait Door: Send + Sync {
    /// The request that waits for its answer, if one does and anything can be said before that.
    fn turn(&self) -> Option<u32>;

    /// Writes `head` before the answer to the request `turn`; false where that is too late, or too much.
    fn put(&self, turn: u32, head: &[u8]) -> bool;
}

impl Informational {
    /// The way to the client that sent `request`, to be asked for before that is answered. `None` where there is none.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        let connection = request.extensions().get::<Connection>()?;
        Self::to(connection, request.version())
    }

    /// The way to the client of `connection`, whose request that waits for its answer came in `version`.
    pub(crate) fn to(connection: &Connection, version: Version) -> Option<Self> {
        let door = connection.door().filter(|_| version == Version::HTTP_11)?;
        Some(Self {
            turn: door.turn()?,
            door: door.clone(),
        })
    }

    /// Says a 1xx, and whether it is on its way.
    ///
    /// It is not where `status` is no 1xx, or 100 or 101, which say what others have to say; where the answer has begun; or
    /// where too much waits for the client already. Fields that are for one connection, or for a message with a body, are
    /// left out.
    pub fn send(&self, status: StatusCode, mut fields: HeaderMap) -> bool {
        if !status.is_informational()
            || matches!(
                status,
                StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS
            )
        {
            return false;
        }
        if fields.contains_key(CONNECTION) {
            let names: Vec<_> = nominated(&fields).collect();
            for name in names {
                fields.remove(name);
            }
        }
        self.door.put(self.turn, &encode(status, &fields))
    }
}

fn encode(status: StatusCode, fields: &HeaderMap) -> Vec<u8> {
    let mut head = b"HTTP/1.1 ".to_vec();
    head.extend_from_slice(status.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    head.extend_from_slice(b"\r\n");
    for (name, value) in fields {
        match Field::of(name) {
            Field::EndToEnd
            | Field::Host
            | Field::Cookie
            | Field::Expect
            | Field::Forwarded
            | Field::Alias => {}
            Field::ContentLength
            | Field::Connection
            | Field::Te
            | Field::Upgrade
            | Field::HopByHop
            | Field::Reserved => continue,
        }
        write_line(name, value, &mut head);
    }
    head.extend_from_slice(b"\r\n");
    head
}

impl fmt::Debug for Informational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Informational")
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::HeaderValue;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Door for Heard {
        fn turn(&self) -> Option<u32> {
            Some(7)
        }

        fn put(&self, turn: u32, head: &[u8]) -> bool {
            assert_eq!(turn, 7);
            let head = String::from_utf8_lossy(head).into_owned();
            self.0.lock().unwrap().push(head);
            true
        }
    }

    fn request(version: Version, door: Option<&Arc<Heard>>) -> Request<()> {
        let mut connection = Connection::unknown();
        if let Some(door) = door {
            connection = connection.with_door(door.clone());
        }
        Request::builder()
            .version(version)
            .extension(connection)
            .body(())
            .unwrap()
    }

    #[test]
    fn only_http_1_1_by_our_front_has_a_way() {
        let door = Arc::<Heard>::default();
        assert!(Informational::of(&request(Version::HTTP_11, Some(&door))).is_some());
        for version in [Version::HTTP_10, Version::HTTP_2] {
            assert!(Informational::of(&request(version, Some(&door))).is_none());
        }
        assert!(Informational::of(&request(Version::HTTP_11, None)).is_none());
        assert!(Informational::of(&Request::new(())).is_none());
    }

    #[test]
    fn what_is_said_is_a_head_of_its_own() {
        let door = Arc::<Heard>::default();
        let client = Informational::of(&request(Version::HTTP_11, Some(&door))).unwrap();
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("link", "</a.css>; rel=preload"),
            ("link", "</b.js>; rel=preload"),
            ("x-hop", "1"),
            ("connection", "x-hop, close"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("upgrade", "h2c"),
            ("keep-alive", "timeout=5"),
            ("ms-aspnetcore-token", "secret"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        assert!(client.send(StatusCode::EARLY_HINTS, fields));
        assert!(client.send(StatusCode::from_u16(104).unwrap(), HeaderMap::new()));
        for status in [100, 101, 200, 204, 304, 500] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(!client.send(status, HeaderMap::new()), "{status}");
        }
        let heard = door.0.lock().unwrap();
        assert_eq!(
            *heard,
            [
                "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n\r\n",
                "HTTP/1.1 104 \r\n\r\n",
            ]
        );
    }
}
