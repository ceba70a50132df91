//! The prefix under which an app is mounted.

use std::{fmt, str::FromStr, sync::Arc};

/// The path base: `/` for an app at the root of its site, else `/app` or `/a/b`.
///
/// Matched by whole segments and in any ASCII case, as the module's app half does, on the bytes that the
/// client sent: `/App/x` is under `/app`, `/apple` and `/app%2fx` are not.
///
/// ```
/// use ancm::PathBase;
///
/// let base: PathBase = "/shop".parse().unwrap();
/// assert_eq!(base.split("/Shop/cart"), Some(("/Shop", "/cart")));
/// assert_eq!(base.split("/shop"), Some(("/shop", "")));
/// assert_eq!(base.split("/shopping"), None);
/// assert_eq!(base.join("/cart"), "/shop/cart");
/// ```
///
/// As an extension of a request, where a [`PathBaseLayer`](crate::app::PathBaseLayer) puts it, it is the base as
/// the client wrote it: links made with [`join`](Self::join) look like the link that the client followed. Cheap to
/// clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PathBase {
    /// Without a slash at the end, so the root is empty.
    prefix: Arc<str>,
}

impl PathBase {
    /// The root of a site.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Whether this is the root of a site, under which every path lies.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.prefix.is_empty()
    }

    /// As `ASPNETCORE_APPL_PATH` says it: `/`, or `/app` without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.is_root() { "/" } else { &self.prefix }
    }

    /// As a prefix of paths: empty for the root, else `/app`.
    #[must_use]
    pub fn as_prefix(&self) -> &str {
        &self.prefix
    }

    /// `path` as the base that the client wrote and the rest, or `None` where `path` is not under this base.
    #[must_use]
    pub fn split<'a>(&self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let (head, rest) = path.split_at_checked(self.prefix.len())?;
        let whole = rest.is_empty() || rest.starts_with('/');
        (whole && head.eq_ignore_ascii_case(&self.prefix)).then_some((head, rest))
    }

    /// What [`split`](Self::split) found at the head of a path: this base as the client wrote it.
    pub(crate) fn as_written(&self, head: &str) -> Self {
        if *self.prefix == *head {
            return self.clone();
        }
        let prefix = Arc::from(head);
        Self { prefix }
    }

    /// The base of an app at `inner` within an app at this base.
    pub(crate) fn then(&self, inner: &Self) -> Self {
        match (self.is_root(), inner.is_root()) {
            (true, _) => inner.clone(),
            (_, true) => self.clone(),
            (false, false) => Self {
                prefix: [self.as_prefix(), inner.as_prefix()].concat().into(),
            },
        }
    }

    /// `path` of the app as a path of the site.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("{}{slash}{path}", self.prefix)
    }
}

impl fmt::Display for PathBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PathBase {
    type Err = InvalidPathBase;

    /// Slashes at the end are taken off; the empty text is the root.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let prefix = text.trim_end_matches('/');
        let well_formed = prefix.is_empty() || prefix.starts_with('/');
        let plain = prefix
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\'));
        let segments = prefix
            .split('/')
            .skip(1)
            .all(|s| !matches!(s, "" | "." | ".."));
        if well_formed && plain && segments {
            Ok(Self {
                prefix: prefix.into(),
            })
        } else {
            Err(InvalidPathBase {
                text: text.to_owned(),
            })
        }
    }
}

/// A text that is no path base.
#[derive(Debug)]
pub struct InvalidPathBase {
    text: String,
}

impl fmt::Display for InvalidPathBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "path base: expected `/` or whole segments such as `/app`, percent-encoded, got `{}`",
            self.text.escape_debug()
        )
    }
}

impl std::error::Error for InvalidPathBase {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_by_whole_segments_in_any_case() {
        let base: PathBase = "/a/b".parse().unwrap();
        for (path, want) in [
            ("/a/b", Some(("/a/b", ""))),
            ("/a/b/", Some(("/a/b", "/"))),
            ("/A/b/c", Some(("/A/b", "/c"))),
            ("/a/bc", None),
            ("/a", None),
            ("/a/b%2fc", None),
            ("/x/a/b", None),
            ("", None),
            ("/a/é", None),
        ] {
            assert_eq!(base.split(path), want, "{path}");
        }
    }

    #[test]
    fn everything_is_under_the_root() {
        assert_eq!(PathBase::root().split("/x"), Some(("", "/x")));
        assert_eq!(PathBase::root().split(""), Some(("", "")));
        assert_eq!(PathBase::root().as_str(), "/");
    }

    #[test]
    fn bases_within_bases_and_as_written() {
        let base = |text: &str| text.parse::<PathBase>().unwrap();
        for (outer, inner, want) in [
            ("/a", "/b", "/a/b"),
            ("/", "/b", "/b"),
            ("/a", "/", "/a"),
            ("/", "/", "/"),
        ] {
            assert_eq!(base(outer).then(&base(inner)).as_str(), want);
        }
        assert_eq!(base("/a").as_written("/A").as_str(), "/A");
        assert_eq!(base("/a").as_written("/a"), base("/a"));
    }

    proptest::proptest! {
        #[test]
        fn what_was_joined_splits_again(
            base in "(/[a-zA-Z0-9._~%-]{1,8}){0,3}",
            path in "/[!-~&&[^?#]]{0,20}",
        ) {
            if let Ok(base) = base.parse::<PathBase>() {
                let joined = base.join(&path);
                proptest::prop_assert_eq!(base.split(&joined), Some((base.as_prefix(), &*path)));
            }
        }

        #[test]
        fn the_two_parts_are_the_whole(base in "/[a-c]{1,2}", path in "/[a-cA-C/]{0,6}") {
            let base: PathBase = base.parse().unwrap();
            if let Some((head, rest)) = base.split(&path) {
                proptest::prop_assert_eq!(format!("{head}{rest}"), path.as_str());
                proptest::prop_assert!(rest.is_empty() || rest.starts_with('/'));
                proptest::prop_assert!(head.eq_ignore_ascii_case(base.as_prefix()));
            }
        }
    }

    #[test]
    fn takes_only_absolute_whole_segments() {
        for text in ["", "/", "//"] {
            assert!(text.parse::<PathBase>().unwrap().is_root(), "{text}");
        }
        assert_eq!("/a/".parse::<PathBase>().unwrap().as_str(), "/a");
        for text in [
            "a", "/a//b", "/a/../b", "/.", "/a?b", "/a b", "/a\\b", "/ä", "/a\n",
        ] {
            assert!(text.parse::<PathBase>().is_err(), "{text}");
        }
    }
}
