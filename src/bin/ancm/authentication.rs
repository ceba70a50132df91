//! What `ancm run` can check of the authentication that an app's configuration offers.

use ancm::{HostBuilder, config::Config};
use tracing::warn;

use crate::failure::Failure;

/// Has `builder` check what `config` offers. What can't be checked here proves nothing, and is said.
///
/// An app that lets nobody in but Windows users is not served at all without the means to know them.
pub(crate) fn offer(builder: HostBuilder, config: &Config) -> Result<HostBuilder, Failure> {
    let kinds = config.authentication();
    if kinds.basic() {
        warn!(
            "Basic authentication is offered, but ancm has no users to check: no password is right"
        );
    }
    if !kinds.windows() {
        return Ok(builder);
    }
    match windows(builder.clone()) {
        Ok(builder) => Ok(builder),
        Err(reason) if kinds.anonymous() => {
            warn!(%reason, "Windows authentication is offered, but nobody can be known: all are anonymous");
            Ok(builder)
        }
        Err(reason) => Err(Failure::other(format_args!(
            "the app lets nobody in but Windows users, and they can't be known: {reason}"
        ))),
    }
}

#[cfg(all(unix, feature = "negotiate"))]
fn windows(builder: HostBuilder) -> Result<HostBuilder, String> {
    let kerberos = ancm::authentication::negotiate::Kerberos::new();
    let kerberos = kerberos.map_err(|error| error.to_string())?;
    Ok(builder.negotiate(std::sync::Arc::new(kerberos)))
}

#[cfg(not(all(unix, feature = "negotiate")))]
fn windows(_: HostBuilder) -> Result<HostBuilder, String> {
    Err("this ancm was built without the feature `negotiate`".to_owned())
}
