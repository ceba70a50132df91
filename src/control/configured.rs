//! How an app is configured, and what becomes of that while its files change.

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::sync::watch;
use tracing::warn;

use super::reload::{self, Reloaded};
use crate::{
    config::{Config, Source, Vars},
    watch::{self as files, Change, Changes, Files, Watcher},
};

/// How long files have to be quiet before they count: a deployment touches many.
pub(super) const QUIET: Duration = Duration::from_millis(500);

/// How the app is configured now.
#[derive(Clone, Debug)]
pub(super) struct Configured {
    /// What is in force.
    pub(super) config: Arc<Config>,
    /// Where it comes from.
    pub(super) file: Option<PathBuf>,
    pub(super) since: SystemTime,
    /// Whether the file is newer than what is in force.
    pub(super) pending: bool,
    /// What is wrong with the file now.
    pub(super) errors: Vec<String>,
}

impl Configured {
    fn new(config: Arc<Config>, source: Option<&Source>) -> Self {
        let candidates = source.map(Source::candidates).unwrap_or_default();
        Self {
            config,
            file: candidates.into_iter().find(|file| file.exists()),
            since: SystemTime::now(),
            pending: false,
            errors: Vec::new(),
        }
    }

    /// Whether what was `seen` is for somebody to ask for.
    ///
    /// ANCM: it takes no notice. Here the next restart, whoever asks for it, takes it.
    fn waits(&self, seen: &BTreeSet<Change>) -> bool {
        let settings = self.config.handler_settings();
        let only_configuration = |change: &Change| matches!(change, Change::Configuration(_));
        settings.disallow_rotation_on_config_change() && seen.iter().all(only_configuration)
    }

    /// The files whose change asks for a restart.
    fn files(&self, source: Option<&Source>) -> Files {
        let mut configuration = source.map(Source::candidates).unwrap_or_default();
        if let Some(file) = self
            .file
            .as_ref()
            .filter(|file| !configuration.contains(file))
        {
            configuration.push(file.clone());
        }
        Files {
            configuration,
            restart: files::restart_files(self.config.content_root()),
            recycle: self.config.recycle_on_file_change().to_vec(),
        }
    }
}

/// The configuration of an app whose files are watched.
pub(super) struct Watched {
    /// Where it can be read again.
    source: Option<Source>,
    vars: Arc<dyn Vars>,
    configured: watch::Sender<Configured>,
    changes: Changes,
    watcher: Watcher,
}

impl Watched {
    /// Watches the files of `config`, which is in force; also gives who is shown what becomes of it.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub(super) fn new(
        config: Arc<Config>,
        source: Option<Source>,
        vars: Arc<dyn Vars>,
    ) -> io::Result<(Self, watch::Receiver<Configured>)> {
        let configured = Configured::new(config, source.as_ref());
        let (changes, watcher) = files::watch(configured.files(source.as_ref()))?;
        let (teller, configured) = watch::channel(configured);
        let watched = Self {
            source,
            vars,
            configured: teller,
            changes,
            watcher,
        };
        Ok((watched, configured))
    }

    /// The files that changed and have been `quiet` for so long since then. Cancel safe.
    pub(super) async fn changed(&mut self, quiet: Duration) -> BTreeSet<Change> {
        self.changes.after(quiet).await
    }

    /// Whether what was `seen` is for somebody to ask for: then it is [pending](Configured::pending) from now on.
    pub(super) fn waits(&self, seen: &BTreeSet<Change>) -> bool {
        let waits = self.configured.borrow().waits(seen);
        if waits {
            self.configured.send_modify(|now| now.pending = true);
        }
        waits
    }

    /// The configuration as it is now, where it can be read again. What is wrong with it is
    /// [refused](Self::refuse).
    pub(super) async fn read(&self) -> Result<Option<Reloaded>, Vec<String>> {
        let Some(source) = self.source.clone() else {
            return Ok(None);
        };
        let old = Arc::clone(&self.configured.borrow().config);
        let read = reload::read(source, Arc::clone(&self.vars), &old).await;
        read.map(Some).map_err(|errors| self.refuse(errors))
    }

    /// What was read can't be in force because of `errors`, which it gives back.
    pub(super) fn refuse(&self, errors: Vec<String>) -> Vec<String> {
        warn!(
            ?errors,
            "Configuration is wrong, the app goes on with the old one"
        );
        self.configured.send_modify(|now| {
            now.errors.clone_from(&errors);
            now.pending = true;
        });
        errors
    }

    /// Nothing is wrong with what was read, if something was. It is in force when [`take`](Self::take) says so.
    pub(super) fn accept(&self, reloaded: Option<&Reloaded>) {
        self.configured.send_modify(|now| {
            now.errors.clear();
            now.pending = reloaded.is_some();
        });
    }

    /// `reloaded` is in force. `newest`: none was accepted after it.
    pub(super) fn take(&self, reloaded: Reloaded, newest: bool) {
        let Reloaded { config, file } = reloaded;
        self.configured.send_modify(|now| {
            now.config = config;
            now.file = file;
            now.since = SystemTime::now();
            // What was found wrong since then still is.
            now.pending = !(newest && now.errors.is_empty());
        });
        let files = self.configured.borrow().files(self.source.as_ref());
        self.watcher.replace(files);
    }
}
