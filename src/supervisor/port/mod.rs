//! Chooses the port of a new process, and tells who would receive a connection to one.

use std::{io, ops::RangeInclusive};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(target_os = "linux", windows))]
mod receivers;
#[cfg(target_os = "linux")]
mod sock_diag;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use self::linux::listening;
#[cfg(any(target_os = "linux", windows))]
pub(crate) use self::receivers::receivers;
#[cfg(windows)]
use self::windows::listening;

/// The ports that are drawn from. ANCM: 10000 to 48000, above what services with fixed ports like to use.
pub(crate) const RANGE: RangeInclusive<u16> = 10_000..=48_000;

/// ANCM: at most ten candidates are looked at.
const CANDIDATES: u32 = 10;

/// No port could be chosen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PortError {
    /// Each candidate was in use, or the range is empty.
    #[error("none of {CANDIDATES} random ports of {}-{} is free", .0.start(), .0.end())]
    Exhausted(RangeInclusive<u16>),
    /// The operating system does not tell which ports are in use.
    #[error("the ports in use can't be listed")]
    Table(#[source] io::Error),
    /// The operating system gives no random numbers.
    #[error("no random number to be had")]
    Random(#[source] io::Error),
}

/// A random port of `range` that nobody uses at this moment. Nothing is reserved: that the process gets it is seen only once it listens.
///
/// Differs from ANCM: a listener on any address of IPv4 or IPv6 counts, not only of IPv4, and so does a port that
/// can't be bound for another reason, such as a connection that goes out from it.
///
/// # Errors
///
/// When none of ten candidates is free.
pub(crate) fn choose(range: RangeInclusive<u16>) -> Result<u16, PortError> {
    let used = used().map_err(PortError::Table)?;
    choose_with(range, random, |port| {
        !used.contains(&port) && bindable(port)
    })
}

fn choose_with(
    range: RangeInclusive<u16>,
    mut random: impl FnMut() -> Result<u64, PortError>,
    free: impl Fn(u16) -> bool,
) -> Result<u16, PortError> {
    let Some(span) = range.end().checked_sub(*range.start()) else {
        return Err(PortError::Exhausted(range));
    };
    for _ in 0..CANDIDATES {
        // 64 random bits over at most 2^16 values: no bias to speak of.
        let offset = u16::try_from(random()? % (u64::from(span) + 1)).unwrap_or(0);
        let port = range.start().saturating_add(offset);
        if free(port) {
            return Ok(port);
        }
    }
    Err(PortError::Exhausted(range))
}

fn random() -> Result<u64, PortError> {
    getrandom::u64().map_err(|error| PortError::Random(io::Error::other(error)))
}

#[cfg(any(target_os = "linux", windows))]
fn used() -> io::Result<Vec<u16>> {
    Ok(listening(0)?.iter().map(|socket| socket.port).collect())
}

/// There is no table to ask: [`bindable`] must do.
#[cfg(not(any(target_os = "linux", windows)))]
fn used() -> io::Result<Vec<u16>> {
    Ok(Vec::new())
}

/// Whether a server could bind the port now. Does not listen, so that nobody can connect.
#[cfg(unix)]
fn bindable(port: u16) -> bool {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

    let Ok(socket) = socket(AddressFamily::INET, SocketType::STREAM, None) else {
        return false;
    };
    // As servers do: a connection that ended a minute ago does not count.
    sockopt::set_socket_reuseaddr(&socket, true).is_ok()
        && bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether a server could bind the port now: Windows keeps whole ranges of them for itself (`netsh int ipv4 show
/// excludedportrange`). Listens for that moment; who connects is turned away.
#[cfg(not(unix))]
fn bindable(port: u16) -> bool {
    std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn numbers(numbers: impl IntoIterator<Item = u64>) -> impl FnMut() -> Result<u64, PortError> {
        let mut numbers = numbers.into_iter();
        move || Ok(numbers.next().unwrap())
    }

    #[test]
    fn the_whole_range_can_be_drawn_and_nothing_else() {
        for (random, want) in [(0, 10_000), (38_000, 48_000), (38_001, 10_000)] {
            assert_eq!(
                choose_with(RANGE, numbers([random]), |_| true).unwrap(),
                want
            );
        }
        assert_eq!(
            choose_with(0..=u16::MAX, numbers([65_535]), |_| true).unwrap(),
            65_535
        );
        assert_eq!(
            choose_with(7..=7, numbers([u64::MAX]), |_| true).unwrap(),
            7
        );
        #[expect(clippy::reversed_empty_ranges)]
        let empty = choose_with(8..=7, numbers([]), |_| true);
        assert!(matches!(empty, Err(PortError::Exhausted(_))));
    }

    #[test]
    fn ports_in_use_are_skipped_ten_times() {
        let free = |port| port == 10_009;
        assert_eq!(choose_with(RANGE, numbers(0..10), free).unwrap(), 10_009);
        let error = choose_with(RANGE, numbers(0..10), |port| port == 10_010).unwrap_err();
        assert_eq!(
            error.to_string(),
            "none of 10 random ports of 10000-48000 is free"
        );
    }

    #[test]
    fn any_listener_makes_a_port_used() {
        for address in [
            "127.0.0.1:0",
            "0.0.0.0:0",
            "127.0.0.2:0",
            "[::1]:0",
            "[::]:0",
        ] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert!(
                matches!(choose(port..=port), Err(PortError::Exhausted(_))),
                "{address}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn so_does_a_connection_that_goes_out_from_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let port = client.local_addr().unwrap().port();
        assert!(matches!(choose(port..=port), Err(PortError::Exhausted(_))));
    }

    #[test]
    fn a_chosen_port_can_be_listened_on() {
        let port = choose(RANGE).unwrap();
        assert!(RANGE.contains(&port));
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}
