//! Version 2: binary, with a length.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{Header, Refused, SHORTEST};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The most that may follow the fixed part: addresses, and what a proxy says besides.
const LONGEST: usize = 4096;

/// What the bytes of an address family hold (section 2.2): source and destination, then their ports.
const TCP4: usize = 12;
const TCP6: usize = 36;
const UNIX: usize = 216;

pub(super) async fn read(
    start: [u8; SHORTEST],
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Header, Refused> {
    let [.., command] = start;
    let family = stream.read_u8().await?;
    let length = usize::from(stream.read_u16().await?);
    if length > LONGEST {
        return Err(Refused::Malformed("it is too long"));
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    match command {
        // LOCAL: whatever else stands there has to be ignored.
        0x20 => Ok(Header::Own),
        0x21 => parse(family, &payload).ok_or(Refused::Malformed("its addresses make no sense")),
        _ => Err(Refused::Malformed("an unknown version or command")),
    }
}

fn parse(family: u8, payload: &[u8]) -> Option<Header> {
    let (header, extra) = match family {
        // Unspecified: it is known to be proxied, and not for whom.
        0x00 => (Header::Own, payload),
        0x11 => {
            let (addresses, extra) = payload.split_first_chunk::<TCP4>()?;
            (tcp4(*addresses), extra)
        }
        0x21 => {
            let (addresses, extra) = payload.split_first_chunk::<TCP6>()?;
            (tcp6(addresses)?, extra)
        }
        // Names of Unix sockets, which nobody here could use.
        0x31 => (Header::Own, payload.split_first_chunk::<UNIX>()?.1),
        _ => return None,
    };
    are_tlvs(extra).then_some(header)
}

fn tcp4([a, b, c, d, e, f, g, h, i, j, k, l]: [u8; TCP4]) -> Header {
    let address =
        |ip: [u8; 4], port| SocketAddr::from((Ipv4Addr::from(ip), u16::from_be_bytes(port)));
    Header::For {
        source: address([a, b, c, d], [i, j]),
        destination: address([e, f, g, h], [k, l]),
    }
}

fn tcp6(bytes: &[u8; TCP6]) -> Option<Header> {
    let (source, rest) = bytes.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let (to, _) = rest.split_first_chunk::<2>()?;
    let address =
        |ip: [u8; 16], port| SocketAddr::from((Ipv6Addr::from(ip), u16::from_be_bytes(port)));
    Some(Header::For {
        source: address(*source, *from),
        destination: address(*destination, *to),
    })
}

/// Whether the rest is whole: a type, a length, so many bytes, and so on. What it says of the
/// proxy's TLS or of names is not used: it is about another connection.
fn are_tlvs(mut bytes: &[u8]) -> bool {
    while let Some(([_, high, low], rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(next) = rest.get(length..) else {
            return false;
        };
        bytes = next;
    }
    bytes.is_empty()
}
