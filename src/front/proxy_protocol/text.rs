//! Version 1: one line of text.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{Header, Refused, SHORTEST};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line there can be, with its end (section 2.1).
const LONGEST: usize = 107;

/// Reads the rest of the line, byte by byte: what is behind it belongs to others.
pub(super) async fn read(
    start: [u8; SHORTEST],
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Header, Refused> {
    let mut line = Vec::with_capacity(LONGEST);
    line.extend(start);
    while !line.ends_with(b"\n") {
        if line.len() == LONGEST {
            return Err(Refused::Malformed("its line is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    let line = line
        .strip_suffix(b"\r\n")
        .and_then(|line| std::str::from_utf8(line).ok());
    line.and_then(parse)
        .ok_or(Refused::Malformed("its line is not as it has to be"))
}

fn parse(line: &str) -> Option<Header> {
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let ip = match words.next()? {
        // Whatever else stands there has to be ignored.
        "UNKNOWN" => return Some(Header::Own),
        "TCP4" => address::<Ipv4Addr>,
        "TCP6" => address::<Ipv6Addr>,
        _ => return None,
    };
    let (source, destination) = (ip(words.next()?)?, ip(words.next()?)?);
    let source = SocketAddr::new(source, port(words.next()?)?);
    let destination = SocketAddr::new(destination, port(words.next()?)?);
    words.next().is_none().then_some(Header::For {
        source,
        destination,
    })
}

fn address<T: FromStr + Into<IpAddr>>(text: &str) -> Option<IpAddr> {
    text.parse::<T>().ok().map(Into::into)
}

/// Decimal, without a sign or a leading zero.
fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}
