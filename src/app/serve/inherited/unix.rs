//! A file descriptor that is named by a variable.

#![allow(
    unsafe_code,
    reason = "a file descriptor that is only a number is taken over"
)]

use std::{
    env, io,
    net::TcpListener,
    os::{
        fd::{FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixListener,
    },
    sync::atomic::{AtomicBool, Ordering},
};

const VARIABLE: &str = "ANCM_LISTEN_FD";
/// 0 to 2 are the standard streams.
const FIRST: RawFd = 3;

/// A listener that the module handed over, in non-blocking mode.
#[derive(Debug)]
pub(in crate::app::serve) enum Inherited {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The listener that the module handed over; `None` if it did not, or if it was taken before.
pub(in crate::app::serve) fn inherited() -> io::Result<Option<Inherited>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let Some(value) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let fd = value.to_str().and_then(parse);
    let fd = fd.ok_or_else(|| invalid("expected a whole number from 3"))?;
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    // SAFETY: whoever started this process left the descriptor open for it and says so in the variable, which makes it
    // nobody else's here; `TAKEN` sees to it that it is owned once. Were it not open, the next call would fail.
    let inherited = unsafe { OwnedFd::from_raw_fd(fd) };
    // The copy is closed when this process starts others, which the original is not.
    let own = inherited.try_clone()?;
    drop(inherited);
    of_its_kind(own).map(Some)
}

/// Asks for the socket's address, which fails unless it is a socket of that kind.
fn of_its_kind(socket: OwnedFd) -> io::Result<Inherited> {
    let unix = UnixListener::from(socket.try_clone()?);
    if unix.local_addr().is_ok() {
        unix.set_nonblocking(true)?;
        return Ok(Inherited::Unix(unix));
    }
    let tcp = TcpListener::from(socket);
    tcp.local_addr()
        .map_err(|error| invalid(&format!("expected a TCP or a Unix socket: {error}")))?;
    tcp.set_nonblocking(true)?;
    Ok(Inherited::Tcp(tcp))
}

fn parse(text: &str) -> Option<RawFd> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let fd = plain.then(|| text.parse().ok()).flatten();
    fd.filter(|fd| *fd >= FIRST)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{VARIABLE}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_descriptor_is_a_number_beyond_the_standard_streams() {
        assert_eq!(parse("3"), Some(3));
        assert_eq!(parse("1023"), Some(1023));
        for text in ["", "0", "2", "-3", "+3", " 3", "3 ", "0x3", "99999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
