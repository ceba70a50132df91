//! Where there are no Windows users.

use std::{convert::Infallible, io};

use http::HeaderValue;

/// There is none.
#[derive(Debug)]
pub(super) struct Token(Infallible);

impl Token {
    /// Nobody: a handle's number means nothing here, so nobody reads it.
    pub(super) fn take(_: &HeaderValue) -> Option<Self> {
        None
    }

    pub(super) fn name(&self) -> io::Result<&str> {
        match self.0 {}
    }

    pub(super) fn sid(&self) -> &str {
        match self.0 {}
    }

    pub(super) fn groups(&self) -> io::Result<&[String]> {
        match self.0 {}
    }

    pub(super) fn impersonate(&self) -> io::Result<Infallible> {
        match self.0 {}
    }
}

/// The security identifier of a group. Never asked, as nobody is there to be in it.
pub(super) fn group(_: &str) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}
