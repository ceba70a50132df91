//! The addresses behind a name.

use std::{sync::Arc, time::Duration};

use tokio::{
    net::lookup_host,
    runtime::Handle,
    sync::Notify,
    task::AbortHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{
    Destination,
    members::{Group, Shared},
};
use crate::proxy::Address;

/// How long a look for the addresses of a name may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How soon a name that can't be resolved is tried again, if that is sooner than usual.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// A name, which is resolved again and again until this is dropped.
#[derive(Debug)]
pub(super) struct Name {
    origin: Arc<str>,
    task: AbortHandle,
    hurry: Arc<Notify>,
    /// It was never tried yet.
    is_new: bool,
    /// Why it is not resolved.
    problem: Option<String>,
}

impl Name {
    /// Resolves `name` for `group`, until that is gone.
    pub(super) fn keep(runtime: &Handle, name: &Destination, group: &Arc<Shared>) -> Self {
        let hurry = Arc::<Notify>::default();
        let task = keep(name.clone(), Arc::downgrade(group), Arc::clone(&hurry));
        Self {
            origin: name.to_string().into(),
            task: runtime.spawn(task).abort_handle(),
            hurry,
            is_new: true,
            problem: None,
        }
    }

    /// As it was said.
    pub(super) const fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    pub(super) const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Why it is not resolved.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Has it resolved soon: how often that is done may be another now.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// It was tried, and this is why it can't be resolved.
    pub(super) fn tried(&mut self, problem: Option<String>) {
        let origin = &self.origin;
        self.is_new = false;
        match (&self.problem, &problem) {
            (None, Some(why)) => {
                warn!(backend.name = %origin, error = %why, "Name can't be resolved");
            }
            (Some(_), None) => info!(backend.name = %origin, "Name is resolved again"),
            // The first reason stays until it is none any more.
            (Some(_), Some(_)) | (None, None) => return,
        }
        self.problem = problem;
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(name: Destination, group: Group, hurry: Arc<Notify>) {
    let origin: Arc<str> = name.to_string().into();
    let Destination::Name { host, port } = name else {
        return;
    };
    loop {
        let found = addresses(&host, port).await;
        let Some(all) = group.upgrade() else {
            return;
        };
        let usual = all.settings().check.resolve_interval;
        let pause = match found {
            Ok(addresses) => {
                all.resolve(&Handle::current(), &origin, addresses);
                all.tried(&origin, None);
                usual
            }
            Err(why) => {
                all.tried(&origin, Some(why));
                usual.min(AFTER_FAILURE)
            }
        };
        // The group is not kept while nothing is done.
        drop(all);
        tokio::select! {
            biased;
            () = hurry.notified() => {}
            () = sleep(pause) => {}
        }
    }
}

/// All addresses of `host`, each once, as the operating system knows them.
async fn addresses(host: &str, port: u16) -> Result<Vec<Address>, String> {
    let looked = timeout(LIMIT, lookup_host((host, port))).await;
    let found = looked
        .map_err(|_| "no answer in time".to_owned())?
        .map_err(|error| error.to_string())?;
    let mut addresses = Vec::new();
    for address in found.map(Address::Tcp) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.is_empty() {
        true => Err("it has no address".to_owned()),
        false => Ok(addresses),
    }
}
