//! The parent's end of a worker's channel.

use std::{io, os::unix::net::UnixStream, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    sync::{mpsc, watch},
    task::AbortHandle,
};
use tracing::{debug, warn};

use super::{
    DirectLoad,
    protocol::{Failed, LONGEST, Order, Report, VERSION, line, parse},
};

/// How many orders may wait: there are four in a worker's life.
const ORDERS: usize = 8;

/// What a worker has said so far.
#[derive(Clone, Debug, Default)]
pub(in crate::supervisor) struct Said {
    pub(in crate::supervisor) ready: bool,
    pub(in crate::supervisor) failed: Option<Failed>,
    /// It has no connection any more that did not come by us.
    pub(in crate::supervisor) drained: bool,
    /// It will say no more.
    pub(in crate::supervisor) ended: bool,
}

/// The parent's end of a worker's channel. Dropping it closes it, which ends the worker.
#[derive(Debug)]
pub(in crate::supervisor) struct Channel {
    orders: mpsc::Sender<Order>,
    said: watch::Receiver<Said>,
    load: Arc<DirectLoad>,
    task: AbortHandle,
}

impl Channel {
    /// Tells the worker `first`, and listens to it from now on.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime with I/O.
    pub(in crate::supervisor) fn open(stream: UnixStream, first: Order) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (reader, writer) = tokio::net::UnixStream::from_std(stream)?.into_split();
        let (orders, receiver) = mpsc::channel(ORDERS);
        let (sender, said) = watch::channel(Said::default());
        let load = Arc::<DirectLoad>::default();
        let told = Arc::clone(&load);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = listen(reader, &sender, &told) => {}
                () = tell(writer, first, receiver) => {}
            }
            sender.send_modify(|said| said.ended = true);
        });
        Ok(Self {
            orders,
            said,
            load,
            task: task.abort_handle(),
        })
    }

    /// Gives an order; whether it is on its way.
    pub(in crate::supervisor) fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Waits until the worker has said whether it could host the app, or will say no more: `None`. Cancel safe.
    pub(in crate::supervisor) async fn outcome(&self) -> Option<Result<(), Failed>> {
        let mut said = self.said.clone();
        let decided = said
            .wait_for(|said| said.ready || said.failed.is_some() || said.ended)
            .await
            .ok()?;
        match &decided.failed {
            Some(failed) => Some(Err(failed.clone())),
            None => decided.ready.then_some(Ok(())),
        }
    }

    /// Waits until no connection is left that did not come by us, or nothing will be heard of it. Cancel safe.
    pub(in crate::supervisor) async fn drained(&self) {
        let mut said = self.said.clone();
        let _ = said.wait_for(|said| said.drained || said.ended).await;
    }

    /// What is under way that did not come by us.
    pub(in crate::supervisor) fn load(&self) -> &Arc<DirectLoad> {
        &self.load
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Says one order after the other, until there is nobody to hear them, or to give them.
async fn tell(mut writer: OwnedWriteHalf, first: Order, mut orders: mpsc::Receiver<Order>) {
    let mut next = Some(first);
    while let Some(order) = next {
        let said = match line(&order) {
            Ok(line) => writer.write_all(&line).await,
            Err(error) => Err(error),
        };
        if let Err(error) = said {
            debug!(%error, "Worker does not listen");
            break;
        }
        next = orders.recv().await;
    }
    // What it says is still heard.
    std::future::pending().await
}

async fn listen(reader: OwnedReadHalf, said: &watch::Sender<Said>, load: &DirectLoad) {
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        match (&mut reader)
            .take(LONGEST)
            .read_until(b'\n', &mut line)
            .await
        {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => return debug!(%error, "Channel of a worker broke off"),
        }
        match parse(&line) {
            Ok(Report::Load(now)) => load.set(now),
            Ok(report) => heard(report, said),
            // It is one of ours, or should be: what it means is not to be guessed.
            Err(error) => return warn!(%error, "Worker says what is not understood"),
        }
    }
}

fn heard(report: Report, said: &watch::Sender<Said>) {
    said.send_modify(|said| match report {
        Report::Ready { version } if version == VERSION => said.ready = true,
        Report::Ready { version } => {
            let reason =
                format!("the worker speaks version {version} of the channel, and we {VERSION}");
            said.failed = Some(Failed {
                sub_status: 0,
                reason,
                detail: None,
            });
        }
        Report::Failed(failed) => said.failed = Some(failed),
        Report::Drained => said.drained = true,
        // Said elsewhere, because it changes all the time and nobody waits for it.
        Report::Load(_) => {}
        Report::Exiting { code } => debug!(code, "App in a worker ended"),
    });
}
