//! The addresses behind a name.

use std::{sync::Arc, time::Duration};

use tokio::{
    net::lookup_host,
    runtime::Handle,
    time::{sleep, timeout},
};

use super::{
    Destination,
    members::{Group, RESOLVE_LIMIT},
};
use crate::proxy::Address;

/// How soon a name that can't be resolved is tried again, if that is sooner than usual.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Resolves `name` again and again, for as long as `group` is there.
pub(super) async fn keep(name: Destination, group: Group) {
    let origin: Arc<str> = name.to_string().into();
    let Destination::Name { host, port } = name else {
        return;
    };
    let mut first = true;
    loop {
        let found = addresses(&host, port).await;
        let Some(group) = group.upgrade() else {
            return;
        };
        let is_well = found.is_ok();
        match found {
            Ok(addresses) => {
                group.settle(&Handle::current(), &origin, addresses);
                group.resolved(&origin, None);
            }
            Err(why) => group.resolved(&origin, Some(why)),
        }
        if std::mem::take(&mut first) {
            group.tried();
        }
        let usual = group.check.resolve_interval;
        drop(group);
        sleep(if is_well {
            usual
        } else {
            usual.min(AFTER_FAILURE)
        })
        .await;
    }
}

/// All addresses of `host`, each once, as the operating system knows them.
async fn addresses(host: &str, port: u16) -> Result<Vec<Address>, String> {
    let looked = timeout(RESOLVE_LIMIT, lookup_host((host, port))).await;
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
