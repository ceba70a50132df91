//! The environment of an app's process: what is written, what the module says, what is inherited. Pure.

mod path;
mod reach;

use std::ffi::OsString;

pub(crate) use self::reach::Reach;

use super::{expand::Lookup, settings::Config, values::whole, vars::Vars};
use crate::{InvalidToken, PairingToken};

/// The port on which the process is to listen, on 127.0.0.1.
pub(crate) const PORT: &str = "ASPNETCORE_PORT";
/// The pairing token.
pub(crate) const TOKEN: &str = "ASPNETCORE_TOKEN";
/// The path base.
const APPL_PATH: &str = "ASPNETCORE_APPL_PATH";
/// Where an ASP.NET Core app listens that no module told it.
const URLS: &str = "ASPNETCORE_URLS";
/// The file descriptor of a listener that the process inherits: this module's own.
const LISTEN_FD: &str = "ANCM_LISTEN_FD";
const HTTPS_PORT: &str = "ASPNETCORE_ANCM_HTTPS_PORT";
const HOSTING_STARTUP: &str = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";
const IIS_HTTPAUTH: &str = "ASPNETCORE_IIS_HTTPAUTH";
const IIS_PHYSICAL_PATH: &str = "ASPNETCORE_IIS_PHYSICAL_PATH";
const IIS_WEBSOCKETS: &str = "ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED";
const PREFER: &str = "ANCM_PREFER_ENVIRONMENT_VARIABLES";
/// The app half of ASP.NET Core, which is a hosting start-up assembly.
const INTEGRATION: &str = "Microsoft.AspNetCore.Server.IISIntegration";
/// ANCM: the ports that may be set.
const PORTS: std::ops::RangeInclusive<u16> = 1025..=48_000;

/// A preset `ASPNETCORE_PORT` that is not in the range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ASPNETCORE_PORT: expected a whole number from {} to {}, got `{value}`", PORTS.start(), PORTS.end())]
pub(crate) struct InvalidPort {
    value: String,
}

/// What `expected` a name would have to be, if `name` can't be one of a variable.
pub(super) fn invalid_name(name: &str) -> Option<&'static str> {
    let invalid = name.is_empty() || name.contains(['=', '\0']);
    invalid.then_some("at least one character, none of them `=` or NUL")
}

/// The environment of a process that is reached as `reach` says and knows `token`, complete: nothing else is inherited.
///
/// What is written wins over what we inherited ourselves, and what the module says wins over both, so that nothing meant for
/// us by a module in front of us reaches the app.
pub(crate) fn child(
    config: &Config,
    vars: &dyn Vars,
    reach: &Reach,
    token: &PairingToken,
) -> Vec<(OsString, OsString)> {
    let lookup = Lookup::new(vars);
    let mut table = written(config, &lookup);
    set_defaults(&mut table, config);
    table.set_default(
        HOSTING_STARTUP,
        with_integration(lookup.get(HOSTING_STARTUP).unwrap_or_default()),
    );
    force(&mut table, config);
    table.set(IIS_WEBSOCKETS, config.websockets.to_string());
    table.set(APPL_PATH, path::decoded(config.path_base.as_str()));
    reach.tell(&mut table);
    let token = String::from_utf8_lossy(token.header_value().as_bytes());
    table.set(TOKEN, token.into_owned());
    merge(table, vars.all())
}

/// The environment of an app that is hosted in process, complete: the same, but for what is said of a way over a socket.
///
/// ANCM: neither port nor token nor path base, no hosting start-up assembly and no word of WebSockets. Whatever of it we
/// inherited, be it from a module in front of us, does not reach the app.
#[cfg(any(test, all(unix, feature = "in-process")))]
pub(crate) fn in_process(config: &Config, vars: &dyn Vars) -> Vec<(OsString, OsString)> {
    let mut table = written(config, &Lookup::new(vars));
    let urls = table.get(URLS).is_some();
    set_defaults(&mut table, config);
    force(&mut table, config);
    for name in [PORT, TOKEN, APPL_PATH, LISTEN_FD, IIS_WEBSOCKETS] {
        table.remove(name);
    }
    if !urls {
        table.remove(URLS);
    }
    merge(table, vars.all())
}

/// The port that is written, which every process of the app then uses. Empty is the same as none.
///
/// # Errors
///
/// When it is not a port that may be set; no start can succeed then.
pub(crate) fn preset_port(config: &Config, vars: &dyn Vars) -> Result<Option<u16>, InvalidPort> {
    let table = written(config, &Lookup::new(vars));
    let Some(value) = table.get(PORT).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    // Differs from ANCM: `5000abc` is no number.
    let port = whole(value).and_then(|value| u16::try_from(value).ok());
    let port = port.filter(|port| PORTS.contains(port));
    port.map(Some).ok_or_else(|| InvalidPort {
        value: super::findings::shown(value),
    })
}

/// The token that is written, which every process of the app then shares.
///
/// Differs from ANCM: an empty one is the same as none, because the app half takes it so and would let everybody in.
///
/// # Errors
///
/// When no header can hold it.
pub(crate) fn preset_token(
    config: &Config,
    vars: &dyn Vars,
) -> Result<Option<PairingToken>, InvalidToken> {
    let table = written(config, &Lookup::new(vars));
    let value = table.get(TOKEN).filter(|value| !value.is_empty());
    value.map(PairingToken::new).transpose()
}

/// What `environmentVariables` says: the last of a name, expanded from our own environment.
///
/// ANCM: on request, a variable of our own that is not empty wins, and is not expanded.
/// Differs from ANCM: that holds for the names that are written, not for those that the module adds.
fn written(config: &Config, lookup: &Lookup) -> Table {
    let prefer = lookup.get(PREFER);
    let prefer = prefer.is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
    let mut table = Table::default();
    for (name, value) in config.environment.iter() {
        let own = lookup.get(name).filter(|own| prefer && !own.is_empty());
        table.set(
            name,
            own.map_or_else(|| lookup.expand(value), str::to_owned),
        );
    }
    table
}

/// What the module says unless something else is written.
fn set_defaults(table: &mut Table, config: &Config) {
    // ANCM: empty where it is not known, which keeps an inherited value away.
    let port = config.https_port.map(|port| port.to_string());
    table.set_default(HTTPS_PORT, port.unwrap_or_default());
    for (name, value) in instance(config) {
        table.set_default(name, value);
    }
}

/// Differs from ANCM: the assembly is not named twice, and an empty list gets no `;` in front of it.
fn with_integration(inherited: &str) -> String {
    let mut names = inherited.split(';').map(str::trim);
    if inherited.is_empty() {
        INTEGRATION.to_owned()
    } else if names.any(|name| name.eq_ignore_ascii_case(INTEGRATION)) {
        inherited.to_owned()
    } else {
        format!("{inherited};{INTEGRATION}")
    }
}

/// What IIS says of the site, the application and its pool, as far as that means something without IIS: one site, one pool.
///
/// Differs from ANCM: set for each process instead of on the worker, where the app that was created last wins.
fn instance(config: &Config) -> [(&'static str, String); 8] {
    let base = path::decoded(config.path_base.as_prefix());
    [
        ("ASPNETCORE_IIS_VERSION", "10.0".to_owned()),
        ("ASPNETCORE_IIS_APP_POOL_ID", "ancm".to_owned()),
        ("ASPNETCORE_IIS_APP_POOL_CONFIG_FILE", String::new()),
        ("ASPNETCORE_IIS_SITE_NAME", "ancm".to_owned()),
        ("ASPNETCORE_IIS_SITE_ID", "1".to_owned()),
        (
            "ASPNETCORE_IIS_APP_CONFIG_PATH",
            format!("MACHINE/WEBROOT/APPHOST/ancm{base}"),
        ),
        (
            "ASPNETCORE_IIS_APPLICATION_ID",
            format!("/LM/W3SVC/1/ROOT{base}"),
        ),
        (
            "ASPNETCORE_IIS_APPLICATION_VIRTUAL_PATH",
            path::decoded(config.path_base.as_str()),
        ),
    ]
}

/// What the module says whatever is written.
fn force(table: &mut Table, config: &Config) {
    // Differs from ANCM: the directory, where out of process it gives the application's id.
    let root = config.content_root.to_string_lossy().into_owned();
    table.set(IIS_PHYSICAL_PATH, root);
    table.set(IIS_HTTPAUTH, authentication(config));
}

/// What the app may authenticate by, as `ASPNETCORE_IIS_HTTPAUTH` says it.
pub(crate) fn authentication(config: &Config) -> String {
    let kinds = &config.authentication;
    let offered: String = [
        (kinds.windows, "windows;"),
        (kinds.basic, "basic;"),
        (kinds.anonymous, "anonymous;"),
    ]
    .into_iter()
    .filter_map(|(offered, name)| offered.then_some(name))
    .collect();
    if offered.is_empty() {
        "none".to_owned()
    } else {
        offered
    }
}

/// Variables in their order, with names that are the same in any ASCII case.
#[derive(Debug, Default)]
struct Table {
    variables: Vec<(String, String)>,
    /// What is not inherited either.
    removed: Vec<&'static str>,
}

impl Table {
    fn get(&self, name: &str) -> Option<&str> {
        let mut same = self
            .variables
            .iter()
            .filter(|(have, _)| have.eq_ignore_ascii_case(name));
        same.next().map(|(_, value)| &**value)
    }

    fn set(&mut self, name: &str, value: String) {
        let mut all = self.variables.iter_mut();
        match all.find(|(have, _)| have.eq_ignore_ascii_case(name)) {
            Some(variable) => *variable = (name.to_owned(), value),
            None => self.variables.push((name.to_owned(), value)),
        }
    }

    fn remove(&mut self, name: &'static str) {
        let same = |have: &str| have.eq_ignore_ascii_case(name);
        self.variables.retain(|(have, _)| !same(have));
        self.removed.push(name);
    }

    fn is_removed(&self, name: &str) -> bool {
        let mut removed = self.removed.iter();
        removed.any(|removed| removed.eq_ignore_ascii_case(name))
    }

    fn set_default(&mut self, name: &str, value: String) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }
}

/// `table` over what is `inherited`.
///
/// Where names differ by case, every spelling gets the table's value: `Path` in a configuration written on Windows means
/// `PATH`, and neither of `http_proxy` and `HTTP_PROXY` may contradict it.
fn merge(table: Table, inherited: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let mut merged: Vec<(OsString, OsString)> = Vec::new();
    for (name, value) in inherited {
        if name.to_str().is_some_and(|name| table.is_removed(name)) {
            continue;
        }
        let value = match name.to_str().and_then(|name| table.get(name)) {
            Some(value) => value.into(),
            None => value,
        };
        merged.push((name, value));
    }
    for (name, value) in table.variables {
        let there = |have: &OsString| match cfg!(windows) {
            true => have.eq_ignore_ascii_case(&name),
            false => *have == *name,
        };
        if !merged.iter().any(|(have, _)| there(have)) {
            merged.push((name.into(), value.into()));
        }
    }
    merged
}

#[cfg(test)]
mod tests;
