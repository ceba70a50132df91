//! The user whom a front authenticated, as the managed side sees it.

use std::ptr;

use http::Extensions;

use super::abi::{self, Slice};
use crate::Identity;

/// A view of the [`Identity`] of a request, and what of it does not stand there in one piece. It leads into the
/// request's extensions, and so has to go before they do.
pub(super) struct User {
    name: String,
    groups: Vec<Slice>,
    raw: abi::User,
}

impl User {
    /// That of `extensions`, if a layer before this one put one there: the one that asked the client who it is, or the
    /// one that opened what the parent sealed. Boxed, because most requests have none.
    pub(super) fn of(extensions: &Extensions) -> Option<Box<Self>> {
        extensions.get().map(Self::new)
    }

    fn new(identity: &Identity) -> Box<Self> {
        let groups = identity.groups().iter();
        let mut user = Box::new(Self {
            name: identity.principal(),
            groups: groups.map(|group| Slice::of(group.as_bytes())).collect(),
            raw: abi::User {
                name: Slice::EMPTY,
                authentication_type: Slice::of(identity.authentication_type().as_bytes()),
                groups: ptr::null(),
                group_count: 0,
            },
        });
        user.raw.name = Slice::of(user.name.as_bytes());
        user.raw.groups = user.groups.as_ptr();
        user.raw.group_count = user.groups.len() as u32;
        user
    }

    pub(super) const fn raw(&self) -> *const abi::User {
        ptr::from_ref(&self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(slice: &Slice) -> &str {
        // SAFETY: what it leads to is held by the test.
        let bytes = unsafe { std::slice::from_raw_parts(slice.data, slice.len) };
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_user_is_told_with_realm_and_groups() {
        let mut extensions = Extensions::new();
        assert!(User::of(&extensions).is_none());
        let alice = Identity::new("Negotiate", "alice");
        extensions.insert(alice.with_realm("EXAMPLE.ORG").with_groups(["staff", ""]));
        let user = User::of(&extensions).unwrap();
        assert_eq!(text(&user.raw.name), "alice@EXAMPLE.ORG");
        assert_eq!(text(&user.raw.authentication_type), "Negotiate");
        let groups: Vec<_> = user.groups.iter().map(text).collect();
        assert_eq!((groups, user.raw.group_count), (vec!["staff", ""], 2));
        let bob = User::new(&Identity::new("Basic", "bob"));
        assert_eq!((text(&bob.raw.name), bob.raw.group_count), ("bob", 0));
    }
}
