//! The worker's end of its channel.

use std::{io, os::unix::net::UnixStream};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
};
use tracing::debug;

use crate::{
    in_process::Failure,
    supervisor::worker::protocol::{Failed, LONGEST, Order, Report, line, parse},
};

/// What the parent says.
pub(super) struct Orders {
    reader: BufReader<OwnedReadHalf>,
    /// What came of a line that is not whole yet.
    line: Vec<u8>,
}

/// What the parent is told.
pub(super) struct Reports {
    writer: OwnedWriteHalf,
}

/// Both, of a channel whose first line was read.
pub(super) fn open(channel: UnixStream) -> io::Result<(Orders, Reports)> {
    channel.set_nonblocking(true)?;
    let (reader, writer) = tokio::net::UnixStream::from_std(channel)?.into_split();
    let orders = Orders {
        reader: BufReader::new(reader),
        line: Vec::new(),
    };
    Ok((orders, Reports { writer }))
}

impl Orders {
    /// The next order; `None` once there is nobody to give one. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Order> {
        let mut reader = (&mut self.reader).take(LONGEST);
        let read = reader.read_until(b'\n', &mut self.line).await;
        let order = parse(&self.line);
        self.line.clear();
        match (read, order) {
            (Ok(1..), Ok(order)) => Some(order),
            // A parent that can't be understood is as good as none.
            (Ok(_), _) | (Err(_), _) => None,
        }
    }
}

impl Reports {
    /// Tells the parent. Where there is none any more, its orders end too.
    pub(super) async fn tell(&mut self, report: &Report) {
        let told = match line(report) {
            Ok(line) => self.writer.write_all(&line).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            debug!(%error, "Parent does not listen");
        }
    }
}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        Self {
            sub_status: failure.status.code(),
            reason: failure.reason.clone(),
            detail: failure.detail.clone(),
        }
    }
}
