//! Finds out how an address is.

use std::{
    io,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Empty;
use tokio::time::{sleep, timeout};

use super::{HealthCheck, health::Event, member::Member, members::Group};
use crate::{
    error::chain,
    proxy::{Address, Backend, dial::lacks_files, io::Io, probe},
};

/// How long an address that is up has to be so before it is forgotten that it was not.
const SETTLE: Duration = Duration::from_secs(60);

/// Looks after `member` of `group` for as long as both are there.
pub(super) async fn after(member: Weak<Member>, group: Group) {
    let mut first = true;
    loop {
        // Neither is kept while nothing is done.
        let (Some(one), Some(all)) = (member.upgrade(), group.upgrade()) else {
            return;
        };
        let check = all.settings().check.clone();
        let (pause, changed) = (one.health().pause(), Arc::clone(&one.changed));
        let interval = check.interval.unwrap_or(SETTLE);
        let wait = match pause {
            // What is checked at all is checked at once.
            None if first && check.interval.is_some() => Duration::ZERO,
            None => interval,
            Some(pause) => pause,
        };
        drop((one, all));
        tokio::select! {
            biased;
            () = changed.notified() => continue,
            () = sleep(wait) => first = false,
        }
        let Some(one) = member.upgrade() else {
            return;
        };
        let (event, cause) = match (pause, check.interval) {
            (None, None) => (Event::Settled, None),
            _ => match pass(&one, &check).await {
                Ok(()) => (Event::Passed, None),
                Err(Flaw::Theirs(cause)) => (Event::Failed, Some(cause)),
                Err(Flaw::Ours) => continue,
            },
        };
        if let Some(all) = group.upgrade() {
            all.tell(&one, event, cause.as_deref());
        }
    }
}

/// Why a check did not pass.
enum Flaw {
    /// The address is not well, and this is what is wrong with it.
    Theirs(String),
    /// No more files may be open here, which says nothing of the address.
    Ours,
}

impl From<String> for Flaw {
    fn from(cause: String) -> Self {
        Self::Theirs(cause)
    }
}

impl Flaw {
    fn connecting(error: &io::Error) -> Self {
        if lacks_files(error) {
            return Self::Ours;
        }
        Self::Theirs(format!("can't connect: {error}"))
    }
}

/// One check: a connection, and an answer where a path is asked for.
async fn pass(member: &Member, check: &HealthCheck) -> Result<(), Flaw> {
    let passed = timeout(check.timeout, ask(&member.backend, check.path.as_deref())).await;
    passed.map_err(|_| "no answer to the health check in time".to_owned())?
}

async fn ask(backend: &Backend, path: Option<&str>) -> Result<(), Flaw> {
    let connected = Io::connect(backend.address()).await;
    let io = connected.map_err(|error| Flaw::connecting(&error))?;
    let Some(path) = path else {
        return Ok(());
    };
    let request = request(backend.address(), path)?;
    let answered = probe::status(io, backend.protocol(), request).await;
    let status =
        answered.map_err(|error| format!("no answer to the health check: {}", chain(&error)))?;
    if status.as_u16() < 400 {
        Ok(())
    } else {
        let cause = format!("it answered the health check with {}", status.as_u16());
        Err(cause.into())
    }
}

fn request(address: &Address, path: &str) -> Result<Request<Empty<Bytes>>, String> {
    let host = HeaderValue::try_from(probe::host(address)).map_err(|error| error.to_string())?;
    let request = Request::get(path).header(header::HOST, host);
    request
        .body(Empty::new())
        .map_err(|error| error.to_string())
}
