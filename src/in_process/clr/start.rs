//! Starts the app: finds .NET and the hosting assembly, runs Main on a thread of its own, waits for its server.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use tokio::time::timeout;
use tracing::{info, warn};

use super::{
    abi,
    app::App,
    failure::{StartError, SubStatus},
    hostfxr::{self, Found, Hostfxr, NotFound, Property},
    lifetime::{self, Lifetime},
    native::{Native, Told},
};
use crate::config::{Config, Vars, environment};

/// The managed side's file.
const HOSTING: &str = "Ancm.Hosting.dll";
/// Names another place for it.
const HOSTING_VARIABLE: &str = "ANCM_HOSTING_ASSEMBLY";
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
    stack: usize,
    limit: Duration,
}

impl Launch {
    /// The app of `config`, in the environment of `vars`.
    ///
    /// # Errors
    ///
    /// 500.38 if the app's library is not there, 500.32 if .NET is not, 500.33 if the hosting assembly is not.
    pub fn new(config: &Config, vars: &dyn Vars) -> Result<Self, StartError> {
        let found = hostfxr::find(config, vars).map_err(|missing| match missing {
            NotFound::App(reason) => StartError::new(SubStatus::AppNotFound, reason),
            NotFound::Hostfxr(reason) => StartError::new(SubStatus::HostNotLoaded, reason),
        })?;
        Ok(Self {
            found,
            hosting: hosting(vars)?,
            told: Told {
                path_base: path_base(config),
                physical_path: config.content_root().to_string_lossy().into_owned(),
                authentication: environment::authentication(config),
                addresses: String::new(),
                max_request_body: Some(MAX_REQUEST_BODY),
                websockets: config.websockets(),
                detailed_errors: config.detailed_errors(vars),
                shutdown_time_limit: config.shutdown_time_limit(),
            },
            stack: STACK,
            limit: config.startup_time_limit(),
        })
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
    /// 30,000,000, as in IIS.
    pub fn max_request_body(mut self, limit: Option<u64>) -> Self {
        self.told.max_request_body = limit;
        self
    }

    /// The stack of Main's thread, in bytes. Defaults to 8 MiB, as of a main thread.
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
    pub async fn start(self) -> Result<App, StartError> {
        let hostfxr = Hostfxr::load(&self.found.library).map_err(|error| {
            StartError::new(
                SubStatus::HostNotLoaded,
                format!("`{}`: {error}", self.found.library.display()),
            )
        })?;
        if LOADED.swap(true, Ordering::AcqRel) {
            return Err(StartError::new(
                SubStatus::Second,
                "CoreCLR can be loaded once in a process, and was",
            ));
        }
        let limit = self.limit;
        let native = Native::new(self.told.clone());
        self.spawn(hostfxr, native)?;
        match timeout(
            limit,
            lifetime::wait(native.lifetime(), Lifetime::is_decided),
        )
        .await
        {
            Ok(lifetime) if lifetime.registered => {
                info!("App started in this process");
                Ok(App::new(native))
            }
            Ok(lifetime) => Err(failure(lifetime)),
            Err(_) => Err(StartError::slow(limit)),
        }
    }

    fn spawn(self, hostfxr: Hostfxr, native: &'static Native) -> Result<(), StartError> {
        let properties = properties(native, &self.hosting);
        let thread = move || {
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
        started.map(drop).map_err(|error| {
            StartError::new(
                SubStatus::HostNotLoaded,
                format!("no thread for Main: {error}"),
            )
        })
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

/// What tells the managed side that we are here, and has it run before Main.
///
/// Properties, not variables: nothing of it gets to the app's own child processes.
fn properties(native: &'static Native, hosting: &Path) -> Vec<Property> {
    let address = native.address();
    let hook = hosting.to_string_lossy().into_owned();
    let others = std::env::var("DOTNET_STARTUP_HOOKS").unwrap_or_default();
    vec![
        Property {
            name: abi::PROPERTY,
            value: Box::new(|_| address),
        },
        Property {
            name: "STARTUP_HOOKS",
            value: Box::new(move |present| {
                hooks(&others, present.as_deref().unwrap_or_default(), &hook)
            }),
        },
    ]
}

/// The property replaces the variable, so both are said; ours is the last, because it runs Main and does not return.
fn hooks(variable: &str, property: &str, ours: &str) -> String {
    let mut all: Vec<&str> = Vec::new();
    for hook in variable.split(':').chain(property.split(':')) {
        if !hook.is_empty() && hook != ours && !all.contains(&hook) {
            all.push(hook);
        }
    }
    all.push(ours);
    all.join(":")
}

/// The hosting assembly: the one that is named, else the one beside this program.
fn hosting(vars: &dyn Vars) -> Result<PathBuf, StartError> {
    let named = vars.value(HOSTING_VARIABLE).map(PathBuf::from);
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join(HOSTING));
    let file = named.or_else(beside).unwrap_or_else(|| HOSTING.into());
    match file.canonicalize() {
        Ok(file) if file.is_file() => Ok(file),
        _ => Err(StartError::new(
            SubStatus::HostingMissing,
            format!(
                "`{}` was not found: build it with hosting/build.sh of this program's source, and lay it beside the program or name it in {HOSTING_VARIABLE}",
                file.display()
            ),
        )),
    }
}

fn path_base(config: &Config) -> String {
    let base = config.path_base();
    if base.is_root() {
        String::new()
    } else {
        base.as_str().to_owned()
    }
}

/// Why an app that ended did not start.
fn failure(lifetime: Lifetime) -> StartError {
    if let Some(thrown) = lifetime.main_failed {
        let mismatch = thrown.message.starts_with("ABI");
        let sub_status = if mismatch {
            SubStatus::HostingMissing
        } else {
            SubStatus::Ended
        };
        return StartError::new(sub_status, thrown.message).with_detail(thrown.detail);
    }
    if lifetime.mismatch {
        warn!("Hosting assembly of another version");
        return StartError::new(
            SubStatus::HostingMissing,
            format!(
                "the hosting assembly is of another version than {}: build it with hosting/build.sh",
                abi::VERSION
            ),
        );
    }
    match (lifetime.main_ended, lifetime.ran) {
        (Some(code), _) | (None, Some(Ok(code))) => StartError::new(
            SubStatus::Ended,
            format!("Main returned {code} before the app's server started"),
        )
        .with_exit_code(code),
        (None, Some(Err(reason))) => {
            let first = reason.lines().next().unwrap_or_default();
            StartError::new(SubStatus::NotResolved, first).with_detail(reason.clone())
        }
        (None, None) => StartError::new(SubStatus::Ended, "the app ended"),
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
