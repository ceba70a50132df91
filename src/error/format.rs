//! In which form a client is told of an error.

use http::{HeaderMap, HeaderValue, header::ACCEPT};

/// The form in which a client wants to be told of an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A page for people.
    #[default]
    Html,
    /// `application/problem+json` (RFC 9457), for programs.
    Json,
    /// `grpc-status` and `grpc-message` under an HTTP status of 200, for clients of gRPC.
    Grpc,
}

impl Format {
    /// JSON where `Accept` names it and not HTML, which a browser never does; else HTML.
    #[must_use]
    pub fn preferred(headers: &HeaderMap) -> Self {
        Self::of_lines(headers.get_all(ACCEPT))
    }

    /// [`preferred`](Self::preferred), of the lines of `Accept`.
    pub(super) fn of_lines<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let mut json = false;
        for value in lines.into_iter().filter_map(|line| line.to_str().ok()) {
            if value.contains("text/html") {
                return Self::Html;
            }
            json |=
                value.contains("application/json") || value.contains("application/problem+json");
        }
        if json { Self::Json } else { Self::Html }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_a_page_and_a_tool_gets_json() {
        for (accept, want) in [
            (None, Format::Html),
            (Some("*/*"), Format::Html),
            (Some("application/json"), Format::Json),
            (
                Some("application/problem+json, application/json;q=0.9"),
                Format::Json,
            ),
            (
                Some("text/html,application/json;q=0.9,*/*;q=0.8"),
                Format::Html,
            ),
        ] {
            let headers = accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept)));
            let headers = HeaderMap::from_iter(headers);
            assert_eq!(Format::preferred(&headers), want, "{accept:?}");
        }
    }
}
