//! The listening sockets of the network namespace: from the kernel's socket diagnostics, or from `/proc/net/tcp` where those are not to be had.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{receivers::Socket, sock_diag};

/// Who listens on `port`, or on any port for zero.
pub(super) fn listening(port: u16) -> io::Result<Vec<Socket>> {
    let mut sockets = sock_diag::listening(port).or_else(|_| from_proc())?;
    sockets.retain(|socket| socket.owner != 0 && (port == 0 || socket.port == port));
    Ok(sockets)
}

fn from_proc() -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        match fs::read_to_string(table) {
            Ok(text) => sockets.extend(text.lines().filter_map(parse)),
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound && table.ends_with('6') => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sockets)
}

/// A line of `/proc/net/tcp` or `/proc/net/tcp6`, if it is one of a listening socket:
/// `slot: ADDRESS:PORT remote STATE queues timer retransmits uid timeout INODE …`.
fn parse(line: &str) -> Option<Socket> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    fields.nth(1).filter(|&state| state == LISTEN)?;
    Some(Socket {
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        only_v6: false,
        owner: fields.nth(5)?.parse().ok()?,
    })
}

/// One or four 32-bit words in hexadecimal, each in the byte order of the machine.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let word = |index: usize| -> Option<[u8; 4]> {
        let digits = hex.get(8 * index..8 * (index + 1))?;
        let digits = digits
            .bytes()
            .all(|digit| digit.is_ascii_hexdigit())
            .then_some(digits)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (index, place) in bytes.chunks_exact_mut(4).enumerate() {
                place.copy_from_slice(&word(index)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use proptest::prelude::*;

    use super::*;

    fn socket(address: &str, owner: u64) -> Socket {
        Socket {
            address: address.parse().unwrap(),
            port: 80,
            only_v6: false,
            owner,
        }
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn reads_the_lines_of_listeners_only() {
        let v4 = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0";
        let want = Socket {
            port: 8080,
            ..socket("127.0.0.1", 12345)
        };
        assert_eq!(parse(v4), Some(want));
        let v6 = "   1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0";
        assert_eq!(parse(v6), Some(socket("::ffff:127.0.0.1", 77)));
        for wrong in [
            v4.replace(" 0A ", " 01 "),
            v4.replace("1F90", "1F9G0"),
            v4.replace("0100007F", "+100007F"),
            v4.replace("0100007F", "00007F"),
            v4.replace("12345", "x"),
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode".to_owned(),
            String::new(),
        ] {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn both_sources_say_the_same_about_our_listeners() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let local = listener.local_addr().unwrap();
            let find = |sockets: Vec<Socket>| {
                sockets
                    .into_iter()
                    .find(|socket| socket.port == local.port() && socket.address == local.ip())
            };
            let asked = find(sock_diag::listening(local.port()).unwrap());
            assert_eq!(find(sock_diag::listening(0).unwrap()), asked, "{address}");
            // The one thing that only one of them knows.
            let asked = asked.map(|socket| Socket {
                only_v6: false,
                ..socket
            });
            assert!(asked.is_some_and(|socket| socket.owner != 0), "{address}");
            assert_eq!(asked, find(from_proc().unwrap()), "{address}");
        }
    }

    proptest! {
        #[test]
        fn addresses_are_read_back(address: Ipv6Addr, short: Ipv4Addr) {
            let hex = |bytes: &[u8]| -> String {
                bytes.chunks(4).map(|word| format!("{:08X}", u32::from_ne_bytes(word.try_into().unwrap()))).collect()
            };
            prop_assert_eq!(parse_address(&hex(&address.octets())), Some(address.into()));
            prop_assert_eq!(parse_address(&hex(&short.octets())), Some(short.into()));
        }

        #[test]
        fn any_line_is_survived(line: String, hex in "[0-9A-F]{0,40}") {
            let _ = parse(&line);
            let _ = parse(&format!("0: {hex}:0050 x 0A a b c d e 5"));
        }
    }
}
