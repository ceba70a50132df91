//! Finds out who a client is before anything of the app is asked: Windows authentication, by Kerberos, and Basic.
//!
//! What IIS does in front of the module. Of an app's configuration, `windowsAuthentication`, `basicAuthentication` and
//! `anonymousAuthentication` say what is offered; this stage keeps to it and puts the user whom it found, an
//! [`Identity`](crate::Identity), into the request's extensions. The host half seals it for an app with our app half; to any other
//! app a header can name the user, which no client can set.
//!
//! | the app offers | a request without credentials | with good ones | with bad ones |
//! |---|---|---|---|
//! | anonymous alone | passes | passes, unread | passes, unread |
//! | anonymous and others | passes; a 401 of the app gets our challenges | passes with its user | 401 with the challenges |
//! | others alone | 401 with the challenges | passes with its user | 401 with the challenges |
//!
//! Credentials of a scheme that is not offered, such as `Bearer`, are the app's: they count as none here.
//!
//! # Whose connection it is
//!
//! `Negotiate` (RFC 4559) proves who holds the *connection*: an exchange of several tokens is bound to it, and so it is
//! not to be had over HTTP/2, where IIS has the client come back with HTTP/1.1. This crate's front does the same.
//!
//! Differs from ANCM: in IIS all later requests of a connection are the user's. A proxy that knows nothing of this sends
//! requests of several users through one connection, and whoever comes second would be the first. So each
//! request proves itself here, and clients are told by `Persistent-Auth: false`, unless
//! [`keep_user`](AuthenticationLayer::keep_user) says that no such proxy is in front. A request that says of itself
//! that it came through a proxy (`Via`, `Forwarded`, `X-Forwarded-For`) is on its own even then.
//!
//! # How often a password may be tried
//!
//! [`Attempts`] says so: from one address so many wrong ones in a time, and then 429; so many checks at once as
//! [`CheckPassword::at_once`] says, and 503 for who waited too long for its turn. What was right is remembered for a
//! while, so that neither keeps out who has been in from the same address.

mod basic;
mod challenge;
mod connection;
mod credentials;
mod future;
mod layer;
pub mod negotiate;
mod passwords;
mod service;
mod user;
#[cfg(feature = "users")]
pub mod users;

pub(crate) use self::passwords::Passwords;
pub use self::{
    basic::{Check, CheckPassword},
    challenge::Http11Required,
    future::ResponseFuture,
    layer::AuthenticationLayer,
    service::Authenticated,
};
pub use crate::config::Attempts;

#[cfg(test)]
mod tests;
