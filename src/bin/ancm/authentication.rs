//! What `ancm run` can check of the authentication that an app's configuration offers.

use std::{path::Path, sync::Arc};

use ancm::{HostBuilder, authentication::users::Users, config::Config};
use tracing::{info, warn};

use crate::failure::Failure;

/// Has `builder` check what `config` offers. What can't be checked here proves nothing, and is said.
///
/// An app that lets nobody in but Windows users is not served at all without the means to know them.
pub(crate) fn offer(builder: HostBuilder, config: &Config) -> Result<HostBuilder, Failure> {
    let kinds = config.authentication();
    let builder = match kinds.basic() {
        true => basic(builder, config)?,
        false => builder,
    };
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

/// Not without the users that the configuration names. Where it names none, nobody has a password.
fn basic(builder: HostBuilder, config: &Config) -> Result<HostBuilder, Failure> {
    let settings = config.handler_settings();
    let Some(file) = settings.basic_users() else {
        warn!(
            "Basic authentication is offered, but no users are known: `basicUsers` names their file"
        );
        return Ok(builder);
    };
    if settings.basic_over_cleartext() {
        warn!("Passwords are asked for without TLS, where everybody on the way can read them");
    }
    let users = users(file)?;
    info!(users = users.len(), file = %file.display(), "Users loaded");
    Ok(builder.basic("", Arc::new(users)))
}

/// The users of `file`, which `basicUsers` names.
pub(crate) fn users(file: &Path) -> Result<Users, Failure> {
    let hint = "`basicUsers` names the file; `ancm password NAME >> FILE` adds a user";
    Users::load(file).map_err(|error| Failure::usage(format_args!("{error}\n  hint: {hint}")))
}

#[cfg(all(unix, feature = "negotiate"))]
fn windows(builder: HostBuilder) -> Result<HostBuilder, String> {
    let kerberos = ancm::authentication::negotiate::Kerberos::new();
    let kerberos = kerberos.map_err(|error| error.to_string())?;
    Ok(builder.negotiate(Arc::new(kerberos)))
}

#[cfg(all(windows, feature = "negotiate"))]
fn windows(builder: HostBuilder) -> Result<HostBuilder, String> {
    let sspi = ancm::authentication::negotiate::Sspi::new();
    let sspi = sspi.map_err(|error| error.to_string())?;
    Ok(builder.negotiate(Arc::new(sspi)))
}

#[cfg(not(all(any(unix, windows), feature = "negotiate")))]
fn windows(_: HostBuilder) -> Result<HostBuilder, String> {
    Err("this ancm was built without the feature `negotiate`".to_owned())
}
