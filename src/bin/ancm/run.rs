//! `ancm run`: the one place where the parts of the host half are put together and served.

use std::{
    future::Future, io, net::SocketAddr, num::NonZeroUsize, path::Path, pin::pin, time::Duration,
};

use ancm::{
    Host, PathBase,
    config::{Config, Loaded, ProcessVars, Source, Warning},
    error::chain,
    front::{Bound, Front, Standby},
    proxy::Address,
    supervisor::{Supervisor, WorkerProgram},
};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    args::{App, Control, Run},
    authentication, control,
    failure::Failure,
    log::Format,
    signals::Signals,
    worker::{self, Place},
};

/// Serves until a signal says stop.
pub(crate) fn run(run: &Run, format: Format) -> Result<(), Failure> {
    let app = Target::of(&run.app)?;
    let standby = Standby::new();
    let bound = bind(&run.listen, run.threads, &standby)?;
    let program = worker::program(format).map(|program| direct(program, &bound));
    let workers = Workers { program, standby };
    serve(bound, app, &run.control, workers)
}

/// What hosts apps in process, or why nothing does.
pub(crate) struct Workers {
    program: Result<WorkerProgram, String>,
    standby: Standby,
}

impl Workers {
    /// Nothing is hosted in process.
    pub(crate) fn none() -> Self {
        Self {
            program: Err("nothing is hosted in process here".to_owned()),
            standby: Standby::new(),
        }
    }
}

/// Has workers accept connections themselves, where they can know all that is to be known of a client.
#[cfg(unix)]
fn direct(program: WorkerProgram, bound: &Bound) -> WorkerProgram {
    let mut endpoints = bound.endpoints().iter();
    if !endpoints.all(|one| one.scheme() == ancm::Scheme::Http && one.tcp().is_some()) {
        return program;
    }
    match bound.sockets() {
        Ok(sockets) => program.front(sockets),
        Err(error) => {
            warn!(%error, "Workers can't have the front's sockets: requests are forwarded to them");
            program
        }
    }
}

#[cfg(not(unix))]
fn direct(program: WorkerProgram, _: &Bound) -> WorkerProgram {
    program
}

/// What is served, already understood; nothing of it runs yet.
#[derive(Debug)]
pub(crate) enum Target {
    /// An app whose configuration was read from a file, and is read again when that changes.
    Read(Loaded, Source),
    /// An app whose configuration was made here.
    Made(Config),
    /// An app that somebody else runs.
    Fixed(Address),
}

impl Target {
    /// Reads what is to be read.
    pub(crate) fn of(app: &App) -> Result<Self, Failure> {
        match app {
            App::Fixed(address) => Ok(Self::Fixed(address.clone())),
            App::Command {
                root,
                program,
                arguments,
                path_base,
            } => command(root, program, arguments, path_base.clone()),
            App::Folder {
                root,
                file,
                path_base,
            } => read(root, file.as_deref(), path_base.clone()),
        }
    }

    /// The folder of an app that is started here.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Read(loaded, _) => Some(loaded.config.content_root()),
            Self::Made(config) => Some(config.content_root()),
            Self::Fixed(_) => None,
        }
    }

    fn host(self, workers: &Workers) -> Result<Host, Failure> {
        let (config, source) = match self {
            Self::Fixed(address) => {
                info!(backend.addr = %address, "Forwarding to an app that somebody else runs");
                return Ok(Host::to(address));
            }
            Self::Made(config) => (config, None),
            Self::Read(loaded, source) => {
                loaded.warnings.iter().for_each(Warning::log);
                (loaded.config, Some(source))
            }
        };
        info!(
            command = %config.command(),
            directory = %config.content_root().display(),
            path_base = %config.path_base(),
            "Serving an app"
        );
        if let Some(problem) = config.command().problem() {
            warn!(%problem, "App can't be started as things are");
        }
        let mut builder = Host::builder(config.clone());
        if let Some(source) = source {
            builder = builder.source(source);
        }
        builder = authentication::offer(builder, &config)?;
        match (
            &workers.program,
            Place::of(&config, workers.program.is_ok()),
        ) {
            (Ok(program), _) => builder = builder.worker(program.clone()),
            (Err(reason), Place::Instead) => {
                warn!(%reason, "App is hosted out of process, though its configuration says inprocess");
            }
            (Err(_), Place::OutOfProcess | Place::Worker) => {}
        }
        builder
            .build()
            .map_err(|error| Failure::other(format_args!("can't host the app: {}", chain(&error))))
    }
}

/// A command that was typed and can't be run is wrong now; one of a file may be installed later.
fn command(
    root: &Path,
    program: &Path,
    arguments: &[String],
    path_base: PathBase,
) -> Result<Target, Failure> {
    let config = Config::builder(root)
        .program(program)
        .arguments(arguments)
        .path_base(path_base)
        .build()
        .map_err(Failure::usage)?;
    match config.command().problem() {
        Some(problem) => Err(Failure::usage(problem)),
        None => Ok(Target::Made(config)),
    }
}

fn read(root: &Path, file: Option<&Path>, path_base: Option<PathBase>) -> Result<Target, Failure> {
    let mut source = Source::new(root);
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

/// Takes the addresses, so that connections wait there from now on.
pub(crate) fn bind(
    addresses: &[SocketAddr],
    threads: Option<NonZeroUsize>,
    standby: &Standby,
) -> Result<Bound, Failure> {
    let mut front = Front::new().standby(standby);
    if let Some(threads) = threads {
        front = front.threads(threads);
    }
    #[cfg(unix)]
    {
        crate::files::allow_many();
        if let Some(room) = crate::files::connections() {
            front = front.max_connections(room.min(MAX_CONNECTIONS));
        }
    }
    front.bind(addresses).map_err(|error| cannot_listen(&error))
}

/// The front's own default.
#[cfg(unix)]
const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// What to do about an error of listening.
const HINTS: [(io::ErrorKind, &str); 3] = [
    (
        io::ErrorKind::AddrInUse,
        "another program listens there: stop it, or choose another port with --listen",
    ),
    (
        io::ErrorKind::PermissionDenied,
        "a port below 1024 may need rights: choose another one with --listen",
    ),
    (
        io::ErrorKind::AddrNotAvailable,
        "this machine has no such address",
    ),
];

fn cannot_listen(error: &io::Error) -> Failure {
    let known = HINTS.iter().find(|(kind, _)| *kind == error.kind());
    let hint = known.map_or("choose another address with --listen", |(_, hint)| hint);
    Failure::other(format_args!("{}\n  hint: {hint}", chain(error)))
}

/// Serves `target` on `bound` until a signal says stop, then drains and stops the app.
pub(crate) fn serve(
    bound: Bound,
    target: Target,
    control: &Control,
    workers: Workers,
) -> Result<(), Failure> {
    block_on(async {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::other(format_args!("can't listen for signals: {error}")))?;
        let folder = target.folder().map(Path::to_owned);
        let host = target.host(&workers)?;
        if let (Some(folder), Some(operator)) = (folder, host.operator()) {
            control::listen(control, &folder, operator)?;
        }
        for address in bound.local_addresses() {
            info!(address = %address, "Listening");
        }
        let stop = CancellationToken::new();
        let supervisor = host.supervisor().cloned();
        tokio::select! {
            biased;
            served = until(bound, host, stop.clone()) => served,
            never = follow(&workers.standby, supervisor.as_ref()) => match never {},
            never = stop_by(&mut signals, &stop) => match never {},
        }
    })?
}

/// Has the front stand by while a worker accepts.
async fn follow(standby: &Standby, supervisor: Option<&Supervisor>) -> std::convert::Infallible {
    match supervisor {
        Some(supervisor) => standby.follow(supervisor).await,
        None => std::future::pending().await,
    }
}

async fn until(bound: Bound, host: Host, stop: CancellationToken) -> Result<(), Failure> {
    let make = {
        let host = host.clone();
        move |connection| host.for_connection(connection)
    };
    let mut serving = pin!(bound.serve(make, stop.cancelled()));
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

/// Stops with the first signal, and at once with the second.
async fn stop_by(signals: &mut Signals, stop: &CancellationToken) -> std::convert::Infallible {
    let signal = signals.next().await;
    info!(signal, "Stopping; a second signal stops at once");
    stop.cancel();
    let signal = signals.next().await;
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
