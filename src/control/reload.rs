//! Reads a configuration again, and says what of it can't be had without a new start.

use std::{path::PathBuf, sync::Arc};

use tracing::warn;

use crate::config::{Config, Errors, Source, Vars, Warning};

/// A configuration that was read again.
#[derive(Debug)]
pub(super) struct Reloaded {
    pub(super) config: Arc<Config>,
    pub(super) file: Option<PathBuf>,
}

/// Reads the configuration again, on a thread that may block. What of it can't change while the program runs stays as it
/// is in `old`.
///
/// # Errors
///
/// Everything that is wrong with it.
pub(super) async fn read(
    source: Source,
    vars: Arc<dyn Vars>,
    old: &Config,
) -> Result<Reloaded, Vec<String>> {
    let read = move || source.load(&*vars);
    let loaded = match tokio::task::spawn_blocking(read).await {
        Ok(loaded) => loaded.map_err(|errors| lines(&errors))?,
        Err(error) => return Err(vec![error.to_string()]),
    };
    loaded.warnings.iter().for_each(Warning::log);
    if loaded.config.destinations().is_empty() != old.destinations().is_empty() {
        let why = "whether the app is started here, by `processPath`, or is somewhere else takes effect when the module is \
                   started again";
        return Err(vec![why.to_owned()]);
    }
    Ok(Reloaded {
        config: fit(Arc::new(loaded.config), old),
        file: loaded.source,
    })
}

fn lines(errors: &Errors) -> Vec<String> {
    errors.to_string().lines().map(str::to_owned).collect()
}

/// `new`, but with what can't change while the program runs as it is in `old`.
fn fit(new: Arc<Config>, old: &Config) -> Arc<Config> {
    for what in fixed(&new, old) {
        warn!(
            setting = what,
            "Setting changed, which takes effect when the module is started again"
        );
    }
    if new.path_base() == old.path_base() {
        return new;
    }
    // Where the app is mounted, the front says.
    Arc::new(Arc::unwrap_or_clone(new).with_path_base(old.path_base().clone()))
}

/// The settings that differ and can't change while the program runs.
fn fixed(new: &Config, old: &Config) -> Vec<&'static str> {
    let mut fixed = Vec::new();
    if new.path_base() != old.path_base() {
        fixed.push("path base");
    }
    if new.hosting_model() != old.hosting_model() {
        fixed.push("hostingModel");
    }
    if new.processes_per_application() != old.processes_per_application() {
        fixed.push("processesPerApplication");
    }
    if new.handler_settings().basic_users() != old.handler_settings().basic_users() {
        fixed.push("basicUsers");
    }
    if new.front() != old.front() {
        fixed.push("front");
    }
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Builder;

    fn config(change: impl FnOnce(Builder) -> Builder) -> Arc<Config> {
        let builder = Config::builder(std::env::temp_dir()).program("app");
        Arc::new(change(builder).build().unwrap())
    }

    #[test]
    fn what_the_front_decides_stays() {
        let old = config(|builder| builder.path_base("/shop".parse().unwrap()));
        let new = config(|builder| builder.startup_time_limit(std::time::Duration::from_secs(7)));
        assert_eq!(fixed(&new, &old), ["path base"]);
        let fitted = fit(new, &old);
        assert_eq!(fitted.path_base(), old.path_base());
        assert_eq!(fitted.startup_time_limit().as_secs(), 7);
    }

    #[test]
    fn the_rest_changes_without_a_word() {
        let old = config(|builder| builder);
        let new = config(|builder| builder.websockets(false).arguments(["x"]).via("x"));
        assert!(fixed(&new, &old).is_empty());
        assert_eq!(fit(Arc::clone(&new), &old), new);
        let new = config(|builder| builder.processes_per_application(3));
        assert_eq!(fixed(&new, &old), ["processesPerApplication"]);
        let limits = crate::config::FrontLimits {
            max_headers: Some(7),
            ..Default::default()
        };
        assert_eq!(
            fixed(&config(|builder| builder.front(limits)), &old),
            ["front"]
        );
    }
}
