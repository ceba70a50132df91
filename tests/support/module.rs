//! The `ancm` program as a child of the test.

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use tokio::time::timeout;

use super::{
    apps::{App, twin},
    log::{Log, event},
    process,
};

/// How long the program may take to listen, on a machine that is busy with other tests.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long the program may take to stop, which includes its app's own grace.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running `ancm`; dropping it kills it, and its end kills its app.
#[derive(Debug)]
pub(crate) struct Module {
    child: Option<Child>,
    address: SocketAddr,
    log: Log,
}

/// How to start `ancm` in front of an app.
#[derive(Debug)]
pub(crate) struct Start {
    app: App,
    path_base: &'static str,
    folder: Option<PathBuf>,
    variables: Vec<(&'static str, String)>,
    listen: Vec<String>,
    to: Vec<String>,
}

impl Start {
    pub(crate) fn new(app: App, path_base: &'static str) -> Self {
        Self {
            app,
            path_base,
            folder: None,
            variables: Vec::new(),
            listen: vec!["--listen".to_owned(), "127.0.0.1:0".to_owned()],
            to: Vec::new(),
        }
    }

    /// In front of no app of its own, but of somebody else's at these addresses.
    pub(crate) fn to<T: ToString>(addresses: impl IntoIterator<Item = T>) -> Self {
        let mut start = Self::new(App::Twin, "/");
        for address in addresses {
            start.to.extend(["--to".to_owned(), address.to_string()]);
        }
        start
    }

    /// Sets where it listens, and how, as its command line has it. Defaults to any port of 127.0.0.1.
    #[must_use]
    pub(crate) fn listen<T: Into<String>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Self {
        self.listen = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the folder of the app, with its configuration. Defaults, for the stock app, to the shared one for
    /// out-of-process hosting, for the twin to none.
    #[must_use]
    pub(crate) fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets a variable in the environment of `ancm`, which its app inherits.
    #[must_use]
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Starts it and waits until it listens; the app starts meanwhile.
    pub(crate) fn run(self) -> Module {
        let ancm = env!("CARGO_BIN_EXE_ancm");
        let published = self.app.published();
        let mut command = match published {
            Some(published) => sourcing(&published.environment, ancm),
            None if self.app == App::InProcess => return self.run_in_process(),
            None => Command::new(ancm),
        };
        command.args(["run", "--no-control"]);
        let given = self.folder.is_some();
        match (&self.folder, published) {
            (Some(folder), _) => _ = command.arg(folder),
            (None, Some(published)) => _ = command.arg(published.apps.join("outofprocess")),
            (None, None) => {}
        }
        command.args(["--log-format", "json"]).args(&self.listen);
        if self.path_base != "/" {
            command.args(["--path-base", self.path_base]);
        }
        command.args(&self.to);
        if self.app == App::Twin && !given && self.to.is_empty() {
            command.arg("--").arg(twin());
        }
        command.env("RUST_LOG", "info");
        self.spawn(command)
    }

    /// The twin hosts itself.
    fn run_in_process(self) -> Module {
        let mut command = Command::new(twin());
        command.env("TWIN_LISTEN", "127.0.0.1:0");
        command.env("TWIN_BASE", self.path_base);
        self.spawn(command)
    }

    fn spawn(self, mut command: Command) -> Module {
        for (name, _) in env::vars_os() {
            if is_of_the_module(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command.envs(self.variables);
        Module::spawn(command)
    }
}

/// Variables that a module further out would have set, and that would change what the tests see.
fn is_of_the_module(name: &str) -> bool {
    ["ASPNETCORE_", "ANCM_", "DOTNET_ENV"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// A command that becomes `program` in the environment that the shell file `environment` makes.
fn sourcing(environment: &Path, program: &str) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", r#". "$0" && exec "$@""#])
        .arg(environment)
        .arg(program);
    command
}

impl Module {
    fn spawn(mut command: Command) -> Self {
        let mut child = process::to_be_asked(&mut command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ancm starts");
        let log = Log::read(child.stderr.take().expect("stderr is piped"));
        let address = log.wait_for("`Listening`", START_LIMIT, |line| {
            event(line, "Listening")?
                .get("address")?
                .as_str()?
                .parse()
                .ok()
        });
        Self {
            child: Some(child),
            address,
            log,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Kills it when this test program is gone, however that comes: a `static` is never dropped.
    pub(crate) fn outlived_by_nobody(self) -> Self {
        process::ends_with_us(self.child.as_ref().expect("it runs"));
        self
    }

    /// Asks it to stop, as an operator would.
    pub(crate) fn ask_to_stop(&self) {
        process::ask_to_stop(self.child.as_ref().expect("it runs"));
    }

    /// Asks it to stop and waits for its end.
    pub(crate) async fn stop(self) -> ExitStatus {
        self.ask_to_stop();
        self.ended().await
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let waited = tokio::task::spawn_blocking(move || child.wait());
        match timeout(STOP_LIMIT, waited).await {
            Ok(status) => status.expect("no panic").expect("the child is ours"),
            Err(_) => panic!("ancm did not stop; it logged:\n{}", self.log.text()),
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
