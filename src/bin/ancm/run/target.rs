//! What is served, and what it becomes: a host.

use std::{path::Path, sync::Arc};

use ancm::{
    Host, PathBase,
    config::{Config, Destination, FrontLimits, HealthCheck, Loaded, ProcessVars, Source, Warning},
    error::chain,
    proxy::{Address, Backends, ProxyOptions},
};
use tracing::{info, warn};

use super::Workers;
use crate::{
    args::{App, Control, Run},
    authentication,
    failure::Failure,
    site::Live,
};

/// What is served, already understood; nothing of it runs yet.
#[derive(Debug)]
pub(crate) enum Target {
    /// An app whose configuration was read from a file, and is read again when that changes.
    Read(Loaded, Source),
    /// An app whose configuration was made here.
    Made(Config),
    /// An app that somebody else runs.
    Fixed(Address, ProxyOptions),
    /// One at several addresses, or behind a name; by which path is asked how it is.
    Elsewhere(Vec<Destination>, Option<String>, ProxyOptions),
}

impl Target {
    /// Reads what is to be read.
    pub(crate) fn of(run: &Run) -> Result<Self, Failure> {
        match &run.app {
            App::Elsewhere { to, health_path } => Ok(elsewhere(run, to, health_path.as_deref())),
            App::Command {
                root,
                program,
                arguments,
                path_base,
            } => command(run, root, program, arguments, path_base.clone()),
            App::Folder {
                root,
                file,
                path_base,
            } => read(run, root, file.as_deref(), path_base.clone()),
        }
    }

    /// The limits of the front: what was `typed`, then what the configuration says.
    pub(crate) fn limits(&self, typed: &FrontLimits) -> FrontLimits {
        match self {
            Self::Read(loaded, _) => typed.clone().or(loaded.config.front()),
            Self::Made(config) => typed.clone().or(config.front()),
            Self::Fixed(..) | Self::Elsewhere(..) => typed.clone(),
        }
    }

    /// Whether clients are told that they may ask for a WebSocket over HTTP/2 (RFC 8441).
    ///
    /// Not where Windows authentication is offered, which HTTP/2 does not have: a client that is told nothing asks by HTTP/1.1.
    pub(super) fn takes_extended_connect(&self) -> bool {
        self.config()
            .is_none_or(|config| config.websockets() && !config.authentication().windows())
    }

    /// That of an app that is started here.
    pub(crate) fn config(&self) -> Option<&Config> {
        match self {
            Self::Read(loaded, _) => Some(&loaded.config),
            Self::Made(config) => Some(config),
            Self::Fixed(..) | Self::Elsewhere(..) => None,
        }
    }

    /// `live` is told of each configuration that comes into force.
    pub(super) fn host(
        self,
        https_port: Option<u16>,
        workers: &Workers,
        live: Option<Arc<Live>>,
    ) -> Result<Host, Failure> {
        let (config, source) = match self {
            Self::Fixed(address, options) => {
                info!(backend.addr = %address, "Forwarding to an app that somebody else runs");
                return Ok(Host::to_with(address, options));
            }
            Self::Elsewhere(to, health_path, options) => {
                return several(to, health_path, options);
            }
            Self::Made(config) => (config, None),
            Self::Read(loaded, source) => {
                loaded.warnings.iter().for_each(Warning::log);
                (loaded.config, Some(source.https_port(https_port)))
            }
        };
        let config = config.or_https_port(https_port);
        tell(&config);
        let mut builder = Host::builder(config.clone());
        if let Some(source) = source {
            builder = builder.source(source);
        }
        if let Some(live) = live {
            builder = builder.on_configuration(move |config| live.follow(config));
        }
        builder = authentication::offer(builder, &config)?;
        builder = match workers {
            Ok(program) => builder.worker(program.clone()),
            Err(reason) => builder.no_worker(reason),
        };
        builder
            .build()
            .map_err(|error| Failure::other(format_args!("can't host the app: {}", chain(&error))))
    }
}

/// Says what is served.
fn tell(config: &Config) {
    if !config.destinations().is_empty() {
        return forwarding_to(config.destinations());
    }
    info!(
        command = %config.command(),
        directory = %config.content_root().display(),
        path_base = %config.path_base(),
        "Serving an app"
    );
    if let Some(problem) = config.command().problem() {
        warn!(%problem, "App can't be started as things are");
    }
}

fn forwarding_to(destinations: &[Destination]) {
    for destination in destinations {
        info!(backend.addr = %destination, "Forwarding to an app that somebody else runs");
    }
}

/// One address needs nobody who looks after it, unless something is to be told of it.
fn elsewhere(run: &Run, to: &[Destination], health_path: Option<&str>) -> Target {
    let options = ProxyOptions::new()
        .trusted_proxies(run.trusted.iter().copied())
        .protocol(run.protocol.unwrap_or_default());
    let plain = health_path.is_none() && !matches!(run.control, Control::At(_));
    let address = match to {
        [Destination::Tcp(address)] => Some(Address::Tcp(*address)),
        #[cfg(unix)]
        [Destination::Unix(path)] => Some(Address::Unix(path.clone())),
        _ => None,
    };
    match address.filter(|_| plain) {
        Some(address) => Target::Fixed(address, options),
        None => Target::Elsewhere(to.to_vec(), health_path.map(str::to_owned), options),
    }
}

fn several(
    to: Vec<Destination>,
    health_path: Option<String>,
    options: ProxyOptions,
) -> Result<Host, Failure> {
    forwarding_to(&to);
    let mut check = HealthCheck::new();
    if let Some(path) = health_path {
        check = check.path(path);
    }
    let backends = Backends::builder(to)
        .protocol(options.spoken())
        .health_check(check)
        .build()
        .map_err(|error| Failure::other(format_args!("can't look after the app: {error}")))?;
    Ok(Host::to_backends(backends, options))
}

/// A command that was typed and can't be run is wrong now; one of a file may be installed later.
fn command(
    run: &Run,
    root: &Path,
    program: &Path,
    arguments: &[String],
    path_base: PathBase,
) -> Result<Target, Failure> {
    let config = Config::builder(root)
        .program(program)
        .arguments(arguments)
        .path_base(path_base)
        .trusted_proxies(run.trusted.iter().copied())
        .protocol(run.protocol.unwrap_or_default())
        .build()
        .map_err(Failure::usage)?;
    match config.command().problem() {
        Some(problem) => Err(Failure::usage(problem)),
        None => Ok(Target::Made(config)),
    }
}

fn read(
    run: &Run,
    root: &Path,
    file: Option<&Path>,
    path_base: Option<PathBase>,
) -> Result<Target, Failure> {
    let mut source = Source::new(root)
        .trusted_proxies(run.trusted.iter().copied())
        .protocol(run.protocol);
    if let Some(file) = file {
        source = source.file(file);
    }
    if let Some(path_base) = path_base {
        source = source.path_base(path_base);
    }
    let loaded = source
        .load(&ProcessVars::default())
        .map_err(Failure::usage)?;
    Ok(Target::Read(loaded, source))
}
