//! The versions of .NET: semantic ones.

use std::cmp::Ordering;

/// A version as in `8.0.0-preview.3`, in the order of semver.org, 11. What follows a `+` does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    numbers: [u64; 3],
    /// Empty for a release, which is later than what leads to it.
    pre: Vec<Label>,
}

/// Numbers come before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Number(u64),
    Word(String),
}

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.split('+').next()?;
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let mut parts = core.split('.').map(|part| part.parse().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        if parts.next().is_some() {
            return None;
        }
        let pre = pre.map_or_else(Vec::new, |pre| pre.split('.').map(label).collect());
        Some(Self { numbers, pre })
    }
}

fn label(text: &str) -> Label {
    text.parse()
        .map_or_else(|_| Label::Word(text.to_owned()), Label::Number)
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let releases = || self.pre.is_empty().cmp(&other.pre.is_empty());
        self.numbers
            .cmp(&other.numbers)
            .then_with(releases)
            .then_with(|| self.pre.cmp(&other.pre))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_parts() {
        let ordered = [
            "3.1.2",
            "3.1.10",
            "8.0.0-alpha",
            "8.0.0-preview.2",
            "8.0.0-preview.10",
            "8.0.0-rc.1",
            "8.0.0",
            "10.0.0",
        ];
        let versions: Vec<_> = ordered
            .iter()
            .map(|text| Version::parse(text).unwrap())
            .collect();
        assert!(
            versions.windows(2).all(|pair| pair[0] < pair[1]),
            "{versions:?}"
        );
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in ["", "3.1", "3.1.x", "1.2.3.4", "latest", "-1.0.0"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
        assert_eq!(Version::parse("3.1.2+abc"), Version::parse("3.1.2"));
    }
}
