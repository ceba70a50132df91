//! The PROXY protocol, versions 1 and 2: a proxy in front says whose connection it hands on.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. From a trusted peer a header has to
//! come, first of all and in time. From others none is believed: theirs is what any client sends that
//! speaks no HTTP.

mod binary;
mod text;

use std::{io, net::SocketAddr, time::Duration};

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{
    patience::{Late, before_http},
    pulse::Pulse,
    socket::{Peer, Socket},
};

/// How long a header may take: its proxy sends it before anything else.
const TIME: Duration = Duration::from_secs(5);

/// So many bytes are in every header, of either version, and tell which it is.
const SHORTEST: usize = 13;

/// Who is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trusted(Vec<IpNet>);

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Nothing: the proxy itself speaks, or does not know.
    Own,
    /// Whose connection it is, and where it was to.
    For {
        source: SocketAddr,
        destination: SocketAddr,
    },
}

/// Why a connection that has to begin with a header is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Nothing came at all: somebody only looked whether we listen.
    #[error("nothing came")]
    Nothing,
    #[error("the PROXY header is no such header: {0}")]
    Malformed(&'static str),
    #[error("the PROXY header can't be read: {0}")]
    Read(#[from] io::Error),
    #[error("the PROXY header: {0}")]
    Late(#[from] Late),
}

impl Trusted {
    pub(super) fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whoever may connect to a Unix socket is trusted: its mode says who that is.
    pub(super) fn trusts(&self, peer: Peer) -> bool {
        let Some(peer) = peer.0 else {
            return true;
        };
        let ip = peer.ip().to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }
}

/// Reads the header that has to come, and nothing behind it.
pub(super) async fn receive(socket: &mut Socket, pulse: &Pulse) -> Result<Header, Refused> {
    before_http(read(socket), TIME, pulse).await?
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Header, Refused> {
    let mut start = [0; SHORTEST];
    if stream.read(&mut start[..1]).await? == 0 {
        return Err(Refused::Nothing);
    }
    stream.read_exact(&mut start[1..]).await?;
    if start.starts_with(text::SIGNATURE) {
        text::read(start, stream).await
    } else if start.starts_with(binary::SIGNATURE) {
        binary::read(start, stream).await
    } else {
        Err(Refused::Malformed("it begins otherwise"))
    }
}

/// Whether the first bytes of a client are a header's, which nobody asked it for.
pub(super) fn is_header(first: &[u8]) -> bool {
    first.starts_with(text::SIGNATURE) || first.starts_with(binary::SIGNATURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(bytes: &[u8]) -> (Result<Header, String>, usize) {
        let mut rest = bytes;
        let read = read(&mut rest).await.map_err(|error| error.to_string());
        (read, rest.len())
    }

    fn from(source: &str, destination: &str) -> Result<Header, String> {
        Ok(Header::For {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        })
    }

    #[tokio::test]
    async fn reads_the_text_and_nothing_behind_it() {
        for (header, want) in [
            (
                "PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n",
                from("192.0.2.1:4711", "192.0.2.2:443"),
            ),
            (
                "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n",
                from("255.255.255.255:65535", "0.0.0.0:0"),
            ),
            (
                "PROXY TCP6 2001:db8::1 ::1 1 2\r\n",
                from("[2001:db8::1]:1", "[::1]:2"),
            ),
            (
                "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
                from(
                    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                ),
            ),
            ("PROXY UNKNOWN\r\n", Ok(Header::Own)),
            ("PROXY UNKNOWN ffff::1 whatever 65535\r\n", Ok(Header::Own)),
        ] {
            let whole = format!("{header}GET / HTTP/1.1\r\n");
            let behind = whole.len() - header.len();
            assert_eq!(parse(whole.as_bytes()).await, (want, behind), "{header}");
        }
    }

    #[tokio::test]
    async fn refuses_text_that_is_not_exactly_so() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        for header in [
            "GET / HTTP/1.1\r\n\r\n",
            "PROXY TCP4\r\n\r\n\r\n",
            "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1\r2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
            "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
            "PROXY TCP4 ::1 ::2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP6 [::1] [::1] 1 2\r\n",
            "PROXY TCP6 fe80::1%1 ::1 1 2\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY UNKNOWNX\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2",
            "PROXY TCP4 192.0.2.1 192\u{2e}0\u{661} 1 2\r\n",
            &long,
        ] {
            let (read, _) = parse(header.as_bytes()).await;
            assert!(read.is_err(), "{header:?}: {read:?}");
        }
    }

    /// A header of version 2.
    fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let mut header = binary::SIGNATURE.to_vec();
        header.extend([command, family]);
        header.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        header.extend(payload);
        header
    }

    const TCP4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0x12, 0x67, 1, 0xbb];

    fn tcp6() -> Vec<u8> {
        let mut payload = vec![0; 36];
        payload[0..2].copy_from_slice(&[0x20, 0x01]);
        payload[15] = 1;
        payload[31] = 1;
        payload[32..].copy_from_slice(&[0, 1, 0, 2]);
        payload
    }

    /// TLVs: ALPN, then a TLS one with whatever in it.
    const TLVS: &[u8] = b"\x01\0\x02h2\x20\0\x05\x01\0\0\0\0";

    #[tokio::test]
    async fn reads_the_binary_and_nothing_behind_it() {
        let tcp4 = || from("192.0.2.1:4711", "192.0.2.2:443");
        for (header, want) in [
            (v2(0x21, 0x11, &TCP4), tcp4()),
            (v2(0x21, 0x11, &[&TCP4, TLVS].concat()), tcp4()),
            (v2(0x21, 0x21, &tcp6()), from("[2001::1]:1", "[::1]:2")),
            (
                v2(0x21, 0x21, &[&tcp6(), TLVS].concat()),
                from("[2001::1]:1", "[::1]:2"),
            ),
            (v2(0x21, 0x31, &[7; 216]), Ok(Header::Own)),
            (v2(0x21, 0x00, &[]), Ok(Header::Own)),
            (v2(0x21, 0x00, TLVS), Ok(Header::Own)),
            (v2(0x20, 0x00, &[]), Ok(Header::Own)),
            // A health check: whatever stands there is skipped.
            (v2(0x20, 0x11, &TCP4), Ok(Header::Own)),
            (v2(0x20, 0xff, &[9; 30]), Ok(Header::Own)),
        ] {
            let whole = [&header, &b"GET / HTTP/1.1\r\n"[..]].concat();
            assert_eq!(parse(&whole).await, (want, 16), "{header:?}");
        }
    }

    #[tokio::test]
    async fn refuses_binary_that_is_not_exactly_so() {
        let good = v2(0x21, 0x11, &TCP4);
        for end in 0..good.len() {
            assert!(parse(&good[..end]).await.0.is_err(), "{end}");
        }
        for header in [
            v2(0x11, 0x11, &TCP4),
            v2(0x31, 0x11, &TCP4),
            v2(0x22, 0x11, &TCP4),
            v2(0x2f, 0x11, &TCP4),
            v2(0x21, 0x12, &TCP4),
            v2(0x21, 0x41, &TCP4),
            v2(0x21, 0x11, &TCP4[..11]),
            v2(0x21, 0x21, &TCP4),
            v2(0x21, 0x31, &[7; 215]),
            v2(0x21, 0x11, &[&TCP4[..], &[1, 0, 9, 0]].concat()),
            v2(0x21, 0x11, &[&TCP4[..], &[1]].concat()),
            v2(0x21, 0x11, &[0; 5000]),
        ] {
            let (read, _) = parse(&header).await;
            assert!(read.is_err(), "{header:?}: {read:?}");
        }
    }

    #[tokio::test]
    async fn who_only_looks_is_told_from_who_breaks_off() {
        assert!(matches!(read(&mut &b""[..]).await, Err(Refused::Nothing)));
        assert!(matches!(
            read(&mut &b"PROXY"[..]).await,
            Err(Refused::Read(_))
        ));
    }

    #[test]
    fn trusts_whom_it_was_told_to() {
        let trusted = Trusted::new(["10.0.0.0/8", "2001:db8::/32"].map(|net| net.parse().unwrap()));
        for (peer, want) in [
            ("10.1.2.3:1", true),
            ("[::ffff:10.1.2.3]:1", true),
            ("[2001:db8::9]:1", true),
            ("11.0.0.1:1", false),
            ("[::1]:1", false),
        ] {
            assert_eq!(trusted.trusts(Peer(peer.parse().ok())), want, "{peer}");
        }
        assert!(trusted.trusts(Peer(None)), "a Unix socket's");
        assert!(!Trusted::new([]).trusts(Peer("127.0.0.1:1".parse().ok())));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes: Vec<u8>, start in 0..3_usize) {
            let start: &[u8] = [&b""[..], b"PROXY TCP4 ", binary::SIGNATURE][start];
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let whole = [start, &bytes].concat();
            let _ = runtime.block_on(parse(&whole));
        }
    }
}
