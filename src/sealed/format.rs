//! An identity as bytes: a version, the end in seconds since 1970, then each text after its length.

use std::time::{Duration, SystemTime};

use super::Identity;

const VERSION: u8 = 1;

/// `identity` until `end`; `None` where a part of it is longer than a length can say.
pub(super) fn write(identity: &Identity, end: SystemTime) -> Option<Vec<u8>> {
    let end = end.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let mut written = vec![VERSION];
    written.extend(end.to_be_bytes());
    let own = [
        &identity.authentication_type,
        &identity.name,
        &identity.realm,
    ];
    for text in own.into_iter().chain(&identity.groups) {
        written.extend(u16::try_from(text.len()).ok()?.to_be_bytes());
        written.extend(text.as_bytes());
    }
    Some(written)
}

/// What [`write`] wrote.
pub(super) fn read(written: &[u8]) -> Option<Identity> {
    let (version, rest) = written.split_first()?;
    let (end, mut rest) = rest.split_first_chunk()?;
    let end = Duration::from_secs(u64::from_be_bytes(*end));
    let end = SystemTime::UNIX_EPOCH.checked_add(end)?;
    if *version != VERSION {
        return None;
    }
    let authentication_type = text(&mut rest)?;
    let name = text(&mut rest)?;
    let realm = text(&mut rest)?;
    let mut groups = Vec::new();
    while !rest.is_empty() {
        groups.push(text(&mut rest)?);
    }
    Some(Identity {
        authentication_type,
        name,
        realm,
        groups,
        expires: Some(end),
    })
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let (length, tail) = rest.split_first_chunk()?;
    let (text, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = tail;
    Some(std::str::from_utf8(text).ok()?.to_owned())
}
