//! A front and a host in this process, before an app in its own.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use ancm::{
    Host,
    config::{Builder, Config},
    front::{Bound, Drained, Front, Standby},
    supervisor::{ProcessStatus, Supervisor, WorkerProgram},
};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

#[cfg(unix)]
use crate::support::apps::{hosting_assembly, own_copy, published};
use crate::support::{
    apps::{App, twin},
    process,
};

/// How often to look for what nobody tells.
const LOOK: Duration = Duration::from_millis(1);

/// A site that serves; its folder is its own.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    host: Host,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<Drained>>,
}

impl Site {
    /// Serves `app`, whose configuration `change` may change.
    pub(crate) fn of(app: App, change: impl FnOnce(Builder) -> Builder) -> Self {
        match app {
            App::Twin => {
                let folder = TempDir::new().unwrap();
                let config = Config::builder(folder.path()).program(twin());
                Self::serve(folder, change(config), own_variables())
            }
            App::InProcess => panic!("it has no process of its own"),
            #[cfg(not(unix))]
            App::Stock | App::Modern => panic!("there is no stock app here"),
            #[cfg(unix)]
            App::Stock | App::Modern => {
                let published = app.published().expect("it is published");
                let folder = published.copy_of("outofprocess");
                let variables = sourced(&published.environment);
                let config = Config::builder(folder.path())
                    .program(std::path::Path::new(&variables["DOTNET_ROOT"]).join("dotnet"))
                    .arguments(["StockApp.dll"]);
                Self::serve(folder, change(config), variables)
            }
        }
    }

    /// Serves the twin in a worker of the same program, where its configuration says so.
    #[cfg(unix)]
    pub(crate) fn of_worker(change: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = TempDir::new().unwrap();
        let config = Config::builder(folder.path()).program(twin());
        let worker = WorkerProgram::new(twin());
        Self::serve_with(folder, change(config), own_variables(), Some(worker))
    }

    /// The same, and the worker accepts connections itself.
    #[cfg(unix)]
    pub(crate) fn of_direct_worker(change: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = TempDir::new().unwrap();
        let config = Config::builder(folder.path()).program(twin());
        Self::serve_directly(
            folder,
            change(config),
            own_variables(),
            WorkerProgram::new(twin()),
        )
    }

    #[cfg(unix)]
    fn serve_directly(
        folder: TempDir,
        config: Builder,
        variables: BTreeMap<String, String>,
        program: WorkerProgram,
    ) -> Self {
        let standby = Standby::new();
        let bound = bind(&standby);
        let worker = program.front(bound.sockets().unwrap());
        let host = host(config, variables, Some(worker));
        let supervisor = host.supervisor().unwrap().clone();
        tokio::spawn(async move { standby.follow(&supervisor).await });
        Self::serve_on(bound, folder, host)
    }

    /// The stock app as it was published, hosted in process by `ancm worker`, which accepts connections itself.
    #[cfg(unix)]
    pub(crate) fn of_stock_worker(change: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = own_copy();
        let mut variables = sourced(&published().environment);
        let assembly = hosting_assembly().to_str().unwrap().to_owned();
        variables.insert("ANCM_HOSTING_ASSEMBLY".to_owned(), assembly);
        let config = Config::builder(folder.path())
            .program(std::path::Path::new(&variables["DOTNET_ROOT"]).join("dotnet"))
            .arguments(["StockApp.dll"])
            .hosting_model(ancm::config::HostingModel::InProcess);
        let program = WorkerProgram::new(env!("CARGO_BIN_EXE_ancm"));
        Self::serve_directly(folder, change(config), variables, program)
    }

    /// Serves what the shell makes of `script`, in which `$0` is the twin.
    #[cfg(unix)]
    pub(crate) fn of_script(script: &str, change: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = TempDir::new().unwrap();
        let twin = twin().to_str().unwrap();
        let config = Config::builder(folder.path())
            .program("/bin/sh")
            .arguments(["-c", script, twin]);
        Self::serve(folder, change(config), own_variables())
    }

    fn serve(folder: TempDir, config: Builder, variables: BTreeMap<String, String>) -> Self {
        Self::serve_with(folder, config, variables, None)
    }

    fn serve_with(
        folder: TempDir,
        config: Builder,
        variables: BTreeMap<String, String>,
        worker: Option<WorkerProgram>,
    ) -> Self {
        let host = host(config, variables, worker);
        Self::serve_on(bind(&Standby::new()), folder, host)
    }

    fn serve_on(bound: Bound, folder: TempDir, host: Host) -> Self {
        let address = bound.local_addresses()[0];
        let stop = CancellationToken::new();
        let make = {
            let host = host.clone();
            move |connection| host.for_connection(connection)
        };
        let served = tokio::spawn(bound.serve(make, stop.clone().cancelled_owned()));
        Self {
            folder,
            address,
            host,
            stop,
            served,
        }
    }

    pub(crate) fn supervisor(&self) -> &Supervisor {
        self.host.supervisor().unwrap()
    }

    /// The processes that take requests.
    pub(crate) fn ready(&self) -> Vec<ProcessStatus> {
        let mut processes = self.supervisor().status().processes;
        processes.retain(|process| process.state == "ready");
        processes
    }

    /// The processes that take requests, once there are so many.
    pub(crate) async fn ready_at_least(&self, count: usize) -> Vec<ProcessStatus> {
        loop {
            let ready = self.ready();
            if ready.len() >= count {
                return ready;
            }
            sleep(LOOK).await;
        }
    }

    /// One of `count` processes that take requests, none of which has been killed before.
    pub(crate) async fn victim(&self, count: usize, killed: &mut HashSet<u32>) -> ProcessStatus {
        loop {
            let mut ready = self.ready_at_least(count).await;
            if ready.iter().all(|process| !killed.contains(&process.pid)) {
                let victim = ready.remove(0);
                killed.insert(victim.pid);
                return victim;
            }
            sleep(LOOK).await;
        }
    }

    /// Puts a file into the app's folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Takes it away again.
    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    /// Stops everything, and sees that it is gone.
    pub(crate) async fn close(mut self) {
        self.stop.cancel();
        (&mut self.served).await.unwrap().unwrap();
        let left = self.supervisor().status().processes;
        self.host.shutdown().await;
        for process in left {
            assert!(!process::runs(process.pid), "{process:?} is left");
        }
    }
}

fn bind(standby: &Standby) -> Bound {
    Front::new()
        .threads(NonZeroUsize::new(2).unwrap())
        .standby(standby)
        .bind(&["127.0.0.1:0".parse().unwrap()])
        .unwrap()
}

fn host(
    config: Builder,
    variables: BTreeMap<String, String>,
    worker: Option<WorkerProgram>,
) -> Host {
    let mut host = Host::builder(config.build().unwrap()).vars(Arc::new(variables));
    if let Some(worker) = worker {
        host = host.worker(worker);
    }
    host.build().unwrap()
}

/// What this program was started with, but what a module further out would have set.
fn own_variables() -> BTreeMap<String, String> {
    std::env::vars()
        .filter(|(name, _)| !["ASPNETCORE_", "ANCM_"].iter().any(|p| name.starts_with(p)))
        .collect()
}

/// The environment that a shell file makes of ours.
#[cfg(unix)]
fn sourced(file: &std::path::Path) -> BTreeMap<String, String> {
    let mut command = std::process::Command::new("bash");
    let command = command.args(["-c", r#". "$0" && env -0"#]).arg(file);
    let output = command.env_clear().envs(own_variables()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0')
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Ends a process as `kill -9` does; it may be gone already.
pub(crate) fn kill(process: &ProcessStatus) {
    process::kill(process.pid);
}
