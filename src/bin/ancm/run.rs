//! `ancm run`: the one place where the parts of the host half are put together and served.

use std::{future::Future, io, path::Path, pin::Pin, sync::Arc, time::Duration};

use ancm::{
    Connection, Host, PathBase,
    config::{
        Config, Destination, FrontLimits, HealthCheck, HostingModel, Loaded, ProcessVars, Source,
        Warning,
    },
    control::Operated,
    error::chain,
    front::{Bound, Drained, Standby},
    proxy::{Address, Backends, ProxyOptions},
    supervisor::{Supervisor, WorkerProgram},
};
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;
use tower_layer::Layer as _;
use tracing::{info, warn};

use crate::{
    args::{App, Control, Run},
    authentication, control,
    failure::Failure,
    front,
    log::Format,
    signals::Signals,
    site::{self, Live},
    worker,
};

/// Serves until a signal says stop.
pub(crate) fn run(run: &Run, format: Format) -> Result<(), Failure> {
    let app = Target::of(run)?;
    let limits = app.limits(&run.limits);
    let site = site::merged(&run.site, app.config().map(Config::site))?;
    let tls = site::spoken(&site, &run.site)?;
    let extended_connect = app.takes_extended_connect();
    let bound = front::bind(&site, &tls, run.threads, &limits, extended_connect)?;
    let live = Live::new(run.site.clone(), site, tls, &bound)?;
    // What a request passes here, it would not pass in a worker.
    let passes = live.layers().is_some() || limits != FrontLimits::default();
    let workers = workers(app.config(), format, (!passes).then_some(&bound));
    serve(bound, Some(live), app, &run.control, &workers)
}

/// What hosts the app of `config` in process, where it wants that: on the sockets of `front` where nothing has to pass
/// here first.
fn workers(config: Option<&Config>, format: Format, front: Option<&Bound>) -> Workers {
    if config.is_none_or(|config| config.hosting_model() != HostingModel::InProcess) {
        return Err("the app is hosted out of process".to_owned());
    }
    worker::program(format).map(|program| match front {
        Some(bound) => worker::direct(program, bound),
        None => program,
    })
}

/// What hosts apps in process, or why nothing does.
pub(crate) type Workers = Result<WorkerProgram, String>;

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
    fn takes_extended_connect(&self) -> bool {
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
    fn host(
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

/// Serves `target` on `bound` until a signal says stop, then drains and stops the app.
pub(crate) fn serve(
    bound: Bound,
    live: Option<Live>,
    target: Target,
    control: &Control,
    workers: &Workers,
) -> Result<(), Failure> {
    block_on(async {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::other(format_args!("can't listen for signals: {error}")))?;
        let folder = target
            .config()
            .map(|config| config.content_root().to_owned());
        let live = live.map(Arc::new);
        let host = target.host(bound.https_port(), workers, live.clone())?;
        let addresses = || host.backends().cloned().map(Operated::from);
        let operated = host.operator().cloned().map(Operated::from);
        if let Some(operated) = operated.or_else(addresses) {
            control::listen(control, folder.as_deref(), operated)?;
        }
        for endpoint in bound.endpoints() {
            info!(address = %endpoint.address(), scheme = %endpoint.scheme(), "Listening");
        }
        let stop = CancellationToken::new();
        let (standby, supervisor) = (bound.standby().clone(), host.supervisor().cloned());
        tokio::select! {
            biased;
            served = until(bound, live, host, stop.clone()) => served,
            never = follow(&standby, supervisor) => match never {},
            never = stop_by(&mut signals, &stop) => match never {},
        }
    })?
}

/// Has the front stand by while a worker accepts.
async fn follow(standby: &Standby, supervisor: Option<Supervisor>) -> std::convert::Infallible {
    match supervisor {
        Some(supervisor) => standby.follow(&supervisor).await,
        None => std::future::pending().await,
    }
}

async fn until(
    bound: Bound,
    live: Option<Arc<Live>>,
    host: Host,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mut serving = serving(bound, live, host.clone(), stop.clone());
    let served = tokio::select! {
        biased;
        served = &mut serving => served,
        // The app closes its WebSockets only when it is told to stop, so the front can't be waited for first.
        () = only_tunnels_left(&host, &stop) => {
            host.shutdown().await;
            serving.await
        }
    };
    host.shutdown().await;
    let drained = served
        .map_err(|error| Failure::other(format_args!("the front failed: {}", chain(&error))))?;
    info!(
        cut.connections = drained.cut_connections,
        cut.tunnels = drained.cut_tunnels,
        "Stopped"
    );
    Ok(())
}

/// Without the layers for TLS where nothing of them is wanted, so that nobody pays for them.
fn serving(
    bound: Bound,
    live: Option<Arc<Live>>,
    host: Host,
    stop: CancellationToken,
) -> Pin<Box<dyn Future<Output = io::Result<Drained>>>> {
    let stopped = stop.cancelled_owned();
    match live.and_then(|live| live.layers().cloned()) {
        None => Box::pin(bound.serve(move |connection| host.for_connection(connection), stopped)),
        Some(layers) => {
            let make = move |connection: Connection| {
                let layers = layers.load();
                let redirect = layers.redirect.for_connection(&connection);
                let hsts = layers.hsts.for_connection(&connection);
                redirect.layer(hsts.layer(host.for_connection(connection)))
            };
            Box::pin(bound.serve(make, stopped))
        }
    }
}

/// Waits, once the front drains, until whatever is under way is a tunnel. Looks twice: a connection may just have come.
async fn only_tunnels_left(host: &Host, stop: &CancellationToken) {
    stop.cancelled().await;
    let mut looks = interval(Duration::from_millis(50));
    let mut quiet = 0;
    while quiet < 2 {
        looks.tick().await;
        let tunnels = host.tunnels().len();
        let only = tunnels > 0 && host.in_flight() <= tunnels;
        quiet = if only { quiet + 1 } else { 0 };
    }
}

/// What comes so soon after a signal is the same one: `timeout` signals its command and its group, a terminal that closes
/// sends more than one, and no hand is so fast.
const ONE_SIGNAL: Duration = Duration::from_millis(200);

/// Stops with the first signal, and at once with the second.
async fn stop_by(signals: &mut Signals, stop: &CancellationToken) -> std::convert::Infallible {
    let signal = signals.next().await;
    info!(signal, "Stopping; a second signal stops at once");
    stop.cancel();
    let first = Instant::now();
    let signal = loop {
        let signal = signals.next().await;
        if first.elapsed() >= ONE_SIGNAL {
            break signal;
        }
    };
    warn!(signal, "Stopped at once");
    // Nothing is waited for. The app's processes die with this one.
    std::process::exit(1)
}

/// Runs `work` to its end, here: what needs more threads has its own.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format_args!("can't start a runtime: {error}")))?;
    Ok(runtime.block_on(work))
}
