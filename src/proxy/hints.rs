//! What an app says before its answer, on its way to the client.

use http::{HeaderMap, Response, StatusCode, Version, header::CONTENT_LENGTH};

use super::{
    request::Via,
    response::{self, Client},
};
use crate::{Connection, Informational};

/// Who hears of a `103 Early Hints` and its like (RFC 9110, 15.2): a client of HTTP/1.1 whose front can say it, whatever
/// the app speaks.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Hints {
    connection: Connection,
    version: Version,
}

impl Hints {
    pub(super) const fn new(connection: Connection, version: Version) -> Self {
        Self {
            connection,
            version,
        }
    }

    /// Passes one on, without what is for one connection or the module's alone.
    ///
    /// Differs from ANCM: it passes none.
    #[cold]
    pub(super) fn pass(&self, status: StatusCode, fields: HeaderMap, via: Option<&Via>) {
        let Some(client) = Informational::to(&self.connection, self.version) else {
            return;
        };
        let (mut parts, ()) = Response::new(()).into_parts();
        (parts.status, parts.headers) = (status, fields);
        let heard = Client {
            version: self.version,
            hears_close: false,
        };
        response::rewrite(&mut parts, heard, via);
        parts.headers.remove(CONTENT_LENGTH);
        // One that is too much is lost, like any that a client does not look at.
        let _ = client.send(status, parts.headers);
    }
}
