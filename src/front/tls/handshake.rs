//! A handshake: its time, how many there may be at once, and what it found out.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rustls::ServerConnection;
use tokio::sync::Notify;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::Tls;
use crate::{
    TlsFacts,
    front::{
        linger,
        patience::{Late, before_http},
        preface::Version,
        pulse::Pulse,
        socket::Socket,
    },
};

/// What a handshake came to.
pub(in crate::front) struct Shaken {
    pub(in crate::front) stream: Box<TlsStream<Socket>>,
    /// What client and front agreed on (RFC 7301); `None` where the client does not know of it.
    pub(in crate::front) version: Option<Version>,
    /// The client's, as DER.
    pub(in crate::front) certificate: Option<Bytes>,
    /// What else was agreed on.
    pub(in crate::front) facts: Option<TlsFacts>,
}

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::front) enum Failed {
    #[error("the TLS handshake failed: {0}")]
    Tls(#[from] io::Error),
    #[error("the TLS handshake: {0}")]
    Late(#[from] Late),
    #[error("too many TLS handshakes, and this one was the oldest")]
    TooMany,
}

/// The handshakes that are under way.
#[derive(Debug)]
pub(super) struct Handshakes {
    limit: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// The oldest first.
    under_way: BTreeMap<u64, Arc<Notify>>,
}

/// A handshake's place among the others.
struct Place<'a> {
    handshakes: &'a Handshakes,
    id: u64,
    pushed_out: Arc<Notify>,
}

impl Handshakes {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            table: Mutex::default(),
        }
    }

    /// Begins one more. Where there are too many the oldest has to go: whoever means it is done in
    /// milliseconds, so that it is one that hangs.
    fn begin(&self) -> Place<'_> {
        let pushed_out = Arc::new(Notify::new());
        let mut table = self.table();
        let id = table.next;
        table.next += 1;
        table.under_way.insert(id, pushed_out.clone());
        if table.under_way.len() > self.limit
            && let Some((_, oldest)) = table.under_way.pop_first()
        {
            oldest.notify_one();
        }
        Place {
            handshakes: self,
            id,
            pushed_out,
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.handshakes.table().under_way.remove(&self.id);
    }
}

impl Tls {
    /// Speaks TLS with whoever is at the other end of `socket`.
    pub(in crate::front) async fn shake(
        &self,
        socket: Socket,
        pulse: &Pulse,
    ) -> Result<Shaken, Failed> {
        let place = self.shared.handshakes.begin();
        let acceptor = TlsAcceptor::from(self.shared.current.load().config.load_full());
        let accepting = acceptor.accept(socket).into_fallible();
        let shaken = tokio::select! {
            biased;
            shaken = before_http(accepting, self.shared.timeout, pulse) => shaken?,
            () = place.pushed_out.notified() => return Err(Failed::TooMany),
        };
        drop(place);
        match shaken {
            Ok(stream) => Ok(Shaken::new(stream)),
            Err((error, socket)) => {
                // The alert is on its way, and more of the client too: TLS 1.3 lets it send its
                // request at once.
                linger::close(socket).await;
                Err(Failed::Tls(error))
            }
        }
    }
}

impl Shaken {
    fn new(stream: TlsStream<Socket>) -> Self {
        let (_, session) = stream.get_ref();
        let version = session.alpn_protocol().map(|protocol| match protocol {
            b"h2" => Version::Http2,
            _ => Version::Http1,
        });
        let chain = session.peer_certificates();
        let certificate = chain
            .and_then(<[_]>::first)
            .map(|der| Bytes::copy_from_slice(der));
        Self {
            version,
            certificate,
            facts: facts(session),
            stream: Box::new(stream),
        }
    }
}

/// `None` before the end of the handshake, which is over here.
fn facts(session: &ServerConnection) -> Option<TlsFacts> {
    let version = session.protocol_version()?;
    let suite = session.negotiated_cipher_suite()?.suite();
    let facts = TlsFacts::new(version.into(), suite.into());
    Some(match session.server_name() {
        Some(name) => facts.with_server_name(name),
        None => facts,
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_oldest_has_to_go_where_there_are_too_many() {
        let handshakes = Handshakes::new(2);
        let first = handshakes.begin();
        let second = handshakes.begin();
        assert!(first.pushed_out.notified().now_or_never().is_none());
        let third = handshakes.begin();
        assert!(first.pushed_out.notified().now_or_never().is_some());
        drop(third);
        drop(first);
        let _fourth = handshakes.begin();
        assert!(second.pushed_out.notified().now_or_never().is_none());
        let _fifth = handshakes.begin();
        assert!(second.pushed_out.notified().now_or_never().is_some());
    }
}
