//! What a server accepts connections from.

use std::{future::Future, io};

#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

use crate::Connection;

/// A socket that listens.
pub(super) trait Listener {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and what is known of it. Cancel safe.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Connection)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Connection)> {
        let (stream, peer) = self.accept().await?;
        // Small answers are not kept back for an acknowledgement; where that can't be set, they are just slower.
        let _ = stream.set_nodelay(true);
        let connection = Connection::new(peer);
        let connection = match stream.local_addr() {
            Ok(local) => connection.with_local(local),
            Err(_) => connection,
        };
        Ok((stream, connection))
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Connection)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, Connection::unknown()))
    }
}
