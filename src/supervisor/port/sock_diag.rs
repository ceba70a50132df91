//! Asks the kernel for its listening sockets: `sock_diag(7)` over netlink. Twenty microseconds, whatever the number of connections.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto,
    socket_with,
};

use super::receivers::Socket;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const IPPROTO_TCP: u8 = 6;
const LISTEN: u32 = 1 << 10;
const INET_DIAG_SKV6ONLY: u16 = 11;

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
const REQUEST: usize = 16 + 56;
/// `struct inet_diag_msg`.
const MESSAGE: usize = 72;
/// What the kernel recommends for a dump: it fills it with whole messages.
const BUFFER: usize = 32 * 1024;

/// Who listens on `port`, or on any port for zero.
///
/// # Errors
///
/// When the kernel does not answer: without the module, in some sandboxes.
pub(super) fn listening(port: u16) -> io::Result<Vec<Socket>> {
    let (family, kind) = (AddressFamily::NETLINK, SocketType::DGRAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    let mut buffer = vec![0; BUFFER];
    let mut sockets = Vec::new();
    for family in [AF_INET, AF_INET6] {
        sendto(&socket, &request(family, port), SendFlags::empty(), &kernel)?;
        loop {
            let (length, _) = recv(&socket, &mut *buffer, RecvFlags::empty())?;
            match read_answer(buffer.get(..length).unwrap_or_default(), &mut sockets) {
                Answer::Done => break,
                Answer::More => {}
                // A kernel without IPv6 has no such sockets.
                Answer::Error(_) if family == AF_INET6 => break,
                Answer::Error(error) => return Err(error),
            }
        }
    }
    Ok(sockets)
}

/// A request for all listening TCP sockets of a family. The kernel leaves out other ports, if one is given.
fn request(family: u8, port: u16) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    let fields: [(usize, &[u8]); 6] = [
        (0, &(REQUEST as u32).to_ne_bytes()),
        (4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes()),
        (6, &NLM_F_REQUEST_DUMP.to_ne_bytes()),
        (16, &[family, IPPROTO_TCP]),
        (20, &LISTEN.to_ne_bytes()),
        (24, &port.to_be_bytes()),
    ];
    for (offset, bytes) in fields {
        let rest = request.get_mut(offset..).unwrap_or_default();
        rest.iter_mut()
            .zip(bytes)
            .for_each(|(place, &byte)| *place = byte);
    }
    request
}

enum Answer {
    Done,
    More,
    Error(io::Error),
}

/// Reads the messages of one datagram.
fn read_answer(mut bytes: &[u8], sockets: &mut Vec<Socket>) -> Answer {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(body) = bytes.get(16..length) else {
            return malformed();
        };
        match kind {
            NLMSG_DONE => return Answer::Done,
            NLMSG_ERROR => {
                let code = u32_at(body, 0).map_or(0, u32::cast_signed);
                return Answer::Error(io::Error::from_raw_os_error(code.wrapping_neg()));
            }
            SOCK_DIAG_BY_FAMILY => sockets.extend(read_socket(body)),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    if bytes.is_empty() {
        Answer::More
    } else {
        malformed()
    }
}

fn malformed() -> Answer {
    Answer::Error(io::Error::from(io::ErrorKind::InvalidData))
}

fn read_socket(message: &[u8]) -> Option<Socket> {
    let address = match *message.first()? {
        AF_INET => IpAddr::from(Ipv4Addr::from(array_at(message, 8)?)),
        AF_INET6 => IpAddr::from(Ipv6Addr::from(array_at::<16>(message, 8)?)),
        _ => return None,
    };
    Some(Socket {
        address,
        port: u16::from_be_bytes(array_at(message, 4)?),
        only_v6: attribute(message.get(MESSAGE..)?, INET_DIAG_SKV6ONLY) == Some(1),
        owner: u32_at(message, 68)?.into(),
    })
}

/// The first byte of an attribute's value.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<u8> {
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        if kind == wanted {
            return attributes.get(4).copied();
        }
        attributes = attributes.get(usize::from(length.max(4)).next_multiple_of(4)..)?;
    }
    None
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_a_listener_by_its_port_and_no_other() {
        let (one, other) = (
            TcpListener::bind("127.0.0.1:0").unwrap(),
            TcpListener::bind("[::1]:0").unwrap(),
        );
        for listener in [&one, &other] {
            let local = listener.local_addr().unwrap();
            let found = listening(local.port()).unwrap();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(
                (found[0].address, found[0].port),
                (local.ip(), local.port())
            );
        }
    }

    #[test]
    fn tells_whether_an_ipv6_listener_takes_ipv4() {
        use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

        for only_v6 in [true, false] {
            let listener = socket(AddressFamily::INET6, SocketType::STREAM, None).unwrap();
            sockopt::set_ipv6_v6only(&listener, only_v6).unwrap();
            bind(
                &listener,
                &"[::]:0".parse::<std::net::SocketAddr>().unwrap(),
            )
            .unwrap();
            listen(&listener, 1).unwrap();
            let listener = TcpListener::from(listener);
            let port = listener.local_addr().unwrap().port();
            assert_eq!(listening(port).unwrap()[0].only_v6, only_v6);
        }
    }

    #[test]
    fn errors_and_malformed_answers_are_errors() {
        let header = |length: u32, kind: u16| {
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10]].concat()
        };
        let refused = [header(20, NLMSG_ERROR), (-13_i32).to_ne_bytes().to_vec()].concat();
        let read = |bytes: &[u8]| read_answer(bytes, &mut Vec::new());
        assert!(matches!(read(&refused), Answer::Error(error) if error.raw_os_error() == Some(13)));
        assert!(matches!(read(&header(16, NLMSG_DONE)), Answer::Done));
        assert!(matches!(read(&header(16, 3000)), Answer::More));
        for length in [0, 15, 17, u32::MAX] {
            assert!(
                matches!(read(&header(length, SOCK_DIAG_BY_FAMILY)), Answer::Error(_)),
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(bytes: Vec<u8>, body: Vec<u8>) {
            let mut sockets = Vec::new();
            let _ = read_answer(&bytes, &mut sockets);
            let _ = read_socket(&body);
            let length = u32::try_from(16 + body.len()).unwrap();
            let message = [&length.to_ne_bytes()[..], &SOCK_DIAG_BY_FAMILY.to_ne_bytes(), &[0; 10], &body].concat();
            let _ = read_answer(&message, &mut sockets);
        }
    }
}
