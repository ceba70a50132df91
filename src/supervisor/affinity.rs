//! The cookie that keeps a client at one of several processes.

use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::{config::Config, proxy::Backend};

/// Names a process to a client by a random mark, which says nothing about the process.
///
/// The cookie goes with the session of the browser, to no script, and to no other site's requests but plain links; its
/// path is the path base, so that apps beside each other don't see each other's.
#[derive(Clone, Debug)]
pub(super) struct Affinity {
    name: String,
    path: String,
}

impl Affinity {
    /// What `config` asks for; one process needs no cookie.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let several = config.processes_per_application() > 1;
        let name = config.processes().affinity_cookie().filter(|_| several)?;
        Some(Self {
            name: name.to_owned(),
            path: config.path_base().as_str().to_owned(),
        })
    }

    /// The mark of the process that a client wants; of several, the first that can be read.
    pub(super) fn wanted(&self, headers: &HeaderMap) -> Option<u64> {
        let lines = headers.get_all(COOKIE).iter();
        let pairs = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
        pairs
            .filter_map(|pair| pair.trim_ascii().strip_prefix(self.name.as_bytes()))
            .filter_map(|rest| rest.strip_prefix(b"="))
            .find_map(mark)
    }

    /// The `Set-Cookie` of whom `backend` answers.
    pub(super) fn cookie(&self, backend: &Backend) -> Option<HeaderValue> {
        let Self { name, path } = self;
        let mark = backend.mark();
        let cookie = format!("{name}={mark:016x}; Path={path}; HttpOnly; SameSite=Lax");
        HeaderValue::try_from(cookie).ok()
    }
}

/// Exactly what [`Affinity::cookie`] writes.
fn mark(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affinity() -> Affinity {
        Affinity {
            name: "p".to_owned(),
            path: "/shop".to_owned(),
        }
    }

    #[test]
    fn finds_its_cookie_among_others() {
        let found = Some(0xab);
        for (lines, wanted) in [
            (&["p=00000000000000ab"][..], found),
            (&["a=1; p=00000000000000ab;b=2"], found),
            (&["a=1", "b=2;  p=00000000000000ab "], found),
            (&["p=x; p=00000000000000ab"], found),
            (&["pp=00000000000000ab", "P=00000000000000ab"], None),
            (&["p=ab", "p=+0000000000000ab", "p=", "p"], None),
            (&["p=00000000000000abc"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_static(line));
            }
            assert_eq!(affinity().wanted(&headers), wanted, "{lines:?}");
        }
    }

    #[test]
    fn what_is_set_is_found_again() {
        let backend = Backend::fixed(crate::proxy::Address::Tcp(([127, 0, 0, 1], 1).into()));
        let cookie = affinity().cookie(&backend).unwrap();
        let (pair, attributes) = cookie.to_str().unwrap().split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/shop; HttpOnly; SameSite=Lax");
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, pair.parse().unwrap());
        assert_eq!(affinity().wanted(&headers), Some(backend.mark()));
    }
}
