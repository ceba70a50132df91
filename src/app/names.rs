//! One look over the names of a request's headers, in place of a search for each name that a stage knows.

use http::{HeaderMap, HeaderName};

use crate::headers::is_reserved;

/// What stages of the pipeline have something to do, as far as names tell. Most requests that reach an app that is
/// hosted have none of these names but the ones that the module adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// A proxy, or somebody who claims to be one, said something: `Forwarded`, `X-Forwarded-*`, `X-Original-*`.
    pub(super) forwarded: bool,
    /// The module said something.
    pub(super) reserved: bool,
}

impl Names {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut names = Self::default();
        for name in headers.keys() {
            // The first letter tells most names from all that are looked for.
            match name.as_str().as_bytes().first() {
                Some(b'x' | b'f') => names.forwarded |= is_of_proxy(name),
                Some(b'm') => names.reserved |= is_reserved(name),
                Some(_) | None => {}
            }
        }
        names
    }
}

fn is_of_proxy(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == "forwarded" || name.starts_with("x-forwarded-") || name.starts_with("x-original-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::{
        MS_ASPNETCORE_CLIENTCERT, MS_ASPNETCORE_EVENT, MS_ASPNETCORE_WINAUTHTOKEN, X_FORWARDED_FOR,
        X_FORWARDED_HOST, X_FORWARDED_PREFIX, X_FORWARDED_PROTO, X_ORIGINAL_FOR, X_ORIGINAL_HOST,
        X_ORIGINAL_PREFIX, X_ORIGINAL_PROTO,
    };

    fn of(name: HeaderName) -> Names {
        let value = http::HeaderValue::from_static("x");
        let others = ["host", "accept", "x-custom", "from", "max-forwards"];
        let mut headers: HeaderMap = others
            .map(|name| (HeaderName::from_static(name), value.clone()))
            .into_iter()
            .collect();
        assert_eq!(Names::of(&headers), Names::default());
        headers.append(name, value);
        Names::of(&headers)
    }

    #[test]
    fn every_name_that_a_stage_reads_is_seen() {
        let (forwarded, reserved) = (true, true);
        for name in [
            http::header::FORWARDED,
            X_FORWARDED_FOR,
            X_FORWARDED_PROTO,
            X_FORWARDED_HOST,
            X_FORWARDED_PREFIX,
            X_ORIGINAL_FOR,
            X_ORIGINAL_PROTO,
            X_ORIGINAL_HOST,
            X_ORIGINAL_PREFIX,
        ] {
            let want = Names {
                forwarded,
                ..Names::default()
            };
            assert_eq!(of(name.clone()), want, "{name}");
        }
        for name in [
            MS_ASPNETCORE_EVENT,
            MS_ASPNETCORE_CLIENTCERT,
            MS_ASPNETCORE_WINAUTHTOKEN,
            HeaderName::from_static("ms-aspnetcore-identity"),
        ] {
            let want = Names {
                reserved,
                ..Names::default()
            };
            assert_eq!(of(name.clone()), want, "{name}");
        }
    }
}
