//! Requests that wait for a process.

use std::sync::Arc;

use tokio::{
    sync::watch,
    time::{Duration, timeout},
};

use super::{
    board::Outlook,
    handle::{Shared, Supervisor},
    message::Message,
};
use crate::{
    error::Error,
    proxy::{Backend, Lease, Renew, Renewal},
};

/// How long a process that takes no connections may be held for alive. Its exit is noticed within milliseconds.
const NOTICE: Duration = Duration::from_secs(1);

impl Supervisor {
    /// The right to send a request, as soon as a process is ready; starts one where none runs.
    ///
    /// Cancel safe: dropping the future frees its place in the queue. It needs a tokio runtime with
    /// a timer.
    ///
    /// # Errors
    ///
    /// When the start that it waited for failed, no start is tried for a while, the queue is full,
    /// the wait took too long, or the app stopped meanwhile.
    pub async fn lease(&self) -> Result<Lease, Error> {
        if let Some(lease) = self.try_lease() {
            return Ok(lease);
        }
        let shared = &self.shared;
        let _place = shared
            .queue
            .try_acquire()
            .map_err(|_| Error::overflow(shared.overflow))?;
        timeout(shared.queue_time, self.wait())
            .await
            .unwrap_or_else(|_| Err(Error::queue_timeout()))
    }

    /// The right to send a request that `gone` did not take: to another process at once, or to the one that is started
    /// as soon as the end of `gone` is noticed.
    async fn lease_after(&self, gone: &Backend) -> Result<Lease, Error> {
        let mut outlook = self.shared.view.watch();
        let left = async {
            while self.shared.view.shows(gone) {
                if let Some(lease) = self.shared.view.lease_other(gone) {
                    return Ok(Some(self.renewable(lease)));
                }
                changed(&mut outlook).await?;
            }
            Ok(None)
        };
        match timeout(NOTICE, left).await {
            Ok(Ok(Some(lease))) => Ok(lease),
            Ok(Ok(None)) => self.lease().await,
            Ok(Err(error)) => Err(error),
            // It lives, but does not take connections.
            Err(elapsed) => Err(Error::connect(elapsed)),
        }
    }

    async fn wait(&self) -> Result<Lease, Error> {
        let mut outlook = self.shared.view.watch();
        let mut begin = None;
        loop {
            let demand = judge(&outlook.borrow_and_update(), &mut begin)?;
            if let Some(lease) = self.try_lease() {
                return Ok(lease);
            }
            if let Some(stops) = demand {
                self.send(Message::Demand { stops }).await?;
            }
            changed(&mut outlook).await?;
        }
    }
}

impl Renew for Shared {
    fn renew(self: Arc<Self>, gone: Backend) -> Renewal {
        let supervisor = Supervisor { shared: self };
        Box::pin(async move { supervisor.lease_after(&gone).await })
    }
}

/// What a waiting request is to do: leave with an error, ask for a start (having seen so many
/// stops), or wait on. `begin` is how many starts had failed and how many stops there were when it
/// came.
fn judge(outlook: &Outlook, begin: &mut Option<(u64, u64)>) -> Result<Option<u64>, Error> {
    let (failures, stops) = *begin.get_or_insert((outlook.failures, outlook.stops));
    if outlook.closed || outlook.stops != stops {
        return Err(Error::stopping());
    }
    let failed = outlook.last_failure.as_ref();
    let failed = failed.filter(|_| outlook.failures != failures);
    let failed = failed.map(|(failure, _)| failure);
    match failed.or(outlook.refusal.as_ref()) {
        Some(failure) => Err(Error::start(Arc::clone(failure))),
        None => Ok(outlook.needs_demand.then_some(stops)),
    }
}

async fn changed(outlook: &mut watch::Receiver<Outlook>) -> Result<(), Error> {
    outlook.changed().await.map_err(|_| Error::stopping())
}
