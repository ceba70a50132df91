//! What a client sees while the app is offline.

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::ResponseBody;

/// For a file that has nothing to show.
const BUILT_IN: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
    <title>503 Service Unavailable</title></head>\
    <body><h1>Down for maintenance</h1><p>This app has been taken offline for a while. \
    Please try again soon.</p></body></html>\n";

/// What a client sees while the app is offline; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    content: Bytes,
    built_in: bool,
}

impl Page {
    /// The content of an `app_offline.htm`.
    #[must_use]
    pub fn new(content: impl Into<Bytes>) -> Self {
        Self {
            content: content.into(),
            built_in: false,
        }
    }

    /// The page for an `app_offline.htm` that is empty, or no file that can be read.
    ///
    /// Differs from ANCM: an empty body there.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            content: Bytes::from_static(BUILT_IN.as_bytes()),
            built_in: true,
        }
    }

    /// The page's bytes, as they were in the file.
    #[must_use]
    pub fn content(&self) -> &Bytes {
        &self.content
    }

    /// Whether it is the built-in page.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.built_in
    }

    /// The answer to a request of this method: 503.
    ///
    /// No `Retry-After`, like the module: nobody knows when the file will go.
    pub(super) fn response<B>(&self, method: &Method) -> Response<ResponseBody<B>> {
        // RFC 9110, 9.3.2: the same fields as for GET, and no content.
        let content = if method == Method::HEAD {
            Bytes::new()
        } else {
            self.content.clone()
        };
        let mut response = Response::new(ResponseBody::short(content));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type()));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.content.len()));
        // Differs from ANCM: none there. A cache may not keep a 503 without being told so, but
        // some do, and would show the page long after the app is back.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// ANCM: no charset, because only the file's author knows it.
    fn content_type(&self) -> &'static str {
        if self.built_in {
            "text/html; charset=utf-8"
        } else {
            "text/html"
        }
    }
}
