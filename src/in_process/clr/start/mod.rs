//! Starts the app: finds .NET and the hosting assembly, runs Main on a thread of its own, waits for its server.

mod failed;

use std::{
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use tokio::time::timeout;
use tracing::info;

use self::failed::{failure, slow};
use super::{
    hosted::Hosted,
    hostfxr::{self, Command, Found, Hostfxr, NotFound, Property},
    lifetime::{self, Lifetime},
    native::{Native, Told},
    properties::properties,
};
use crate::{
    PathBase,
    config::{Config, Vars, environment},
    error::SubStatus,
    front::lend::stack,
    in_process::{Failure, Settings},
};

/// The managed side's file.
const HOSTING: &str = "Ancm.Hosting.dll";
/// Names another place for it.
const HOSTING_VARIABLE: &str = "ANCM_HOSTING_ASSEMBLY";
/// What the app may authenticate by.
const AUTHENTICATION: &str = "ASPNETCORE_IIS_HTTPAUTH";
/// As of a main thread: an app's Main may count on it.
const STACK: usize = 8 * 1024 * 1024;
/// IIS's own limit (`maxAllowedContentLength`), in bytes.
const MAX_REQUEST_BODY: u64 = 30_000_000;

/// CoreCLR was loaded, and can't be a second time.
static LOADED: AtomicBool = AtomicBool::new(false);

/// An app that is to be started in this process. Once in the life of a process: CoreCLR is never unloaded.
///
/// What the configuration says of the environment and of the current directory has to be so already: they belong to
/// the process.
#[derive(Debug)]
#[must_use = "an app is not started before `start`"]
pub struct Launch {
    found: Found,
    hosting: PathBuf,
    told: Told,
    /// Of Main's thread.
    stack: usize,
    /// Of the app's other threads, where that is said.
    stacks: Option<usize>,
    /// Whether what Main throws may be shown.
    shows: bool,
    limit: Option<Duration>,
}

impl Launch {
    /// The app of `config`, in the environment of `vars`.
    ///
    /// # Errors
    ///
    /// 500.38 if the app's library is not there, 500.32 if .NET is not, 500.33 if the hosting assembly is not.
    pub fn new(config: &Config, vars: &dyn Vars) -> Result<Self, Failure> {
        let command = Command {
            program: config.command().program(),
            arguments: config.command().arguments(),
            root: config.content_root(),
        };
        let mut launch = Self::of(&command, config.path_base(), vars)?;
        launch.limit = Some(config.startup_time_limit());
        let settings = config.handler_settings();
        launch.settle(settings.stack_size(), settings.call_startup_hook());
        launch.read_at_most(config.max_allowed_content_length());
        let told = &mut launch.told;
        told.authentication = environment::authentication(config);
        told.websockets = config.websockets();
        told.detailed_errors = config.detailed_errors(vars);
        told.shutdown_time_limit = config.shutdown_time_limit();
        Ok(launch)
    }

    /// As a worker is told; who started it keeps `startupTimeLimit`.
    pub(super) fn assigned(settings: &Settings, vars: &dyn Vars) -> Result<Self, Failure> {
        let command = Command {
            program: settings.program(),
            arguments: settings.arguments(),
            root: settings.content_root(),
        };
        let mut launch = Self::of(&command, settings.path_base(), vars)?;
        launch.settle(settings.stack_size(), settings.call_startup_hook());
        launch.read_at_most(settings.max_request_body());
        let told = &mut launch.told;
        told.websockets = settings.websockets();
        told.detailed_errors = settings.detailed_errors();
        told.shutdown_time_limit = settings.shutdown_time_limit();
        Ok(launch)
    }

    fn of(command: &Command<'_>, base: &PathBase, vars: &dyn Vars) -> Result<Self, Failure> {
        let found = hostfxr::find(command, vars).map_err(|missing| match missing {
            NotFound::App(reason) => Failure::new(SubStatus::AppNotFound, reason),
            NotFound::Hostfxr(reason) => Failure::new(SubStatus::Load, reason),
        })?;
        let base = if base.is_root() { "" } else { base.as_str() };
        Ok(Self {
            found,
            hosting: hosting(vars)?,
            told: Told {
                path_base: base.to_owned(),
                physical_path: command.root.to_string_lossy().into_owned(),
                authentication: vars.text(AUTHENTICATION).unwrap_or_default(),
                addresses: String::new(),
                max_request_body: Some(MAX_REQUEST_BODY),
                websockets: true,
                detailed_errors: false,
                shutdown_time_limit: Duration::ZERO,
            },
            stack: STACK,
            stacks: None,
            shows: true,
            limit: None,
        })
    }

    /// By `stackSize` and `callStartupHook`.
    fn settle(&mut self, stack: Option<usize>, hook: bool) {
        self.stack = stack.unwrap_or(STACK);
        self.stacks = stack;
        self.shows = hook;
    }

    /// By `maxAllowedContentLength`. ANCM: the default of `IISServerOptions.MaxRequestBodySize`.
    ///
    /// Differs from ANCM: an app may read more if it says so, where IIS refuses before the app whatever it says.
    fn read_at_most(&mut self, said: Option<u32>) {
        let limit = said.map_or(MAX_REQUEST_BODY, u64::from);
        self.told.max_request_body = Some(limit);
    }

    /// Where the front listens, as the app is told. Defaults to nothing.
    pub fn addresses(mut self, addresses: &[SocketAddr]) -> Self {
        let urls: Vec<_> = addresses
            .iter()
            .map(|address| format!("http://{address}"))
            .collect();
        self.told.addresses = urls.join(";");
        self
    }

    /// The largest request body that the app may read, in bytes; the app can change it for each request. Defaults to
    /// `maxAllowedContentLength`, else to 30,000,000, as in IIS.
    pub fn max_request_body(mut self, limit: Option<u64>) -> Self {
        self.told.max_request_body = limit;
        self
    }

    /// The stack of Main's thread, in bytes. Defaults to `stackSize`, else to 8 MiB, as of a main thread.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack = bytes;
        self
    }

    /// Starts it, and waits until its server has started.
    ///
    /// # Errors
    ///
    /// When .NET can't run the app, when Main returns or throws before its server started, or when that takes longer than
    /// `startupTimeLimit`. The process is of no use for another attempt then, except after 500.32.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, the app goes on to start, and nobody has a handle of it.
    pub async fn start(self) -> Result<Hosted, Failure> {
        let hostfxr = Hostfxr::load(&self.found.library).map_err(|error| {
            Failure::new(
                SubStatus::Load,
                format!("`{}`: {error}", self.found.library.display()),
            )
        })?;
        if LOADED.swap(true, Ordering::AcqRel) {
            return Err(Failure::new(
                SubStatus::SecondApp,
                "CoreCLR can be loaded once in a process, and was",
            ));
        }
        let (limit, shows) = (self.limit, self.shows);
        let native = Native::new(self.told.clone());
        self.spawn(hostfxr, native)?;
        let decided = lifetime::wait(native.lifetime(), Lifetime::is_decided);
        let lifetime = match limit {
            Some(limit) => timeout(limit, decided).await.map_err(|_| slow(limit))?,
            None => decided.await,
        };
        if !lifetime.registered {
            return Err(failure(lifetime, shows));
        }
        info!("App started in this process");
        Ok(Hosted::new(native))
    }

    fn spawn(self, hostfxr: Hostfxr, native: &'static Native) -> Result<(), Failure> {
        let properties = properties(native, &self.hosting, self.stacks);
        let thread = move || {
            stack::give_up();
            let ran = run(hostfxr, &self.found, properties);
            native
                .lifetime()
                .send_modify(|lifetime| lifetime.ran = Some(ran));
        };
        let started = thread::Builder::new()
            .name("ancm-main".to_owned())
            .stack_size(self.stack)
            .spawn(thread);
        // Main may never return, so nobody waits for the thread.
        started
            .map(drop)
            .map_err(|error| Failure::new(SubStatus::Load, format!("no thread for Main: {error}")))
    }
}

fn run(hostfxr: Hostfxr, found: &Found, properties: Vec<Property>) -> Result<i32, String> {
    let (code, said) = hostfxr.initialize(found, properties)?.run();
    // hostfxr's own codes are negative; so may be an app's, but then hostfxr said nothing.
    if code < 0 && !said.is_empty() {
        return Err(format!(
            "hostfxr could not run the app: code {code:#010x}
{said}"
        ));
    }
    Ok(code)
}

/// The hosting assembly: the one that `ANCM_HOSTING_ASSEMBLY` names, else the one beside this program.
///
/// # Errors
///
/// 500.33 if it is not there, with what to do about that.
pub fn hosting_assembly(vars: &dyn Vars) -> Result<PathBuf, Failure> {
    hosting(vars)
}

fn hosting(vars: &dyn Vars) -> Result<PathBuf, Failure> {
    let named = vars.value(HOSTING_VARIABLE).map(PathBuf::from);
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join(HOSTING));
    let file = named.or_else(beside).unwrap_or_else(|| HOSTING.into());
    match file.canonicalize() {
        Ok(file) if file.is_file() => Ok(file),
        _ => Err(Failure::new(
            SubStatus::RequestHandler,
            format!(
                "`{}` was not found: build it with hosting/build.sh of this program's source, and lay it beside the program or name it in {HOSTING_VARIABLE}",
                file.display()
            ),
        )),
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
