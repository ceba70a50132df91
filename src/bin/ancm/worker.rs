//! `ancm worker`: what `run` starts to host an ASP.NET Core app in process; and whether it can.

use ancm::config::{Config, HostingModel};

/// Where an app is hosted, and what has to be said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a process of its own, as its configuration says.
    OutOfProcess,
    /// In a worker.
    Worker,
    /// In a process of its own, though its configuration says otherwise.
    Instead,
}

impl Place {
    /// That of the app of `config`, where workers can be had or not.
    pub(crate) fn of(config: &Config, workers: bool) -> Self {
        match config.hosting_model() {
            HostingModel::InProcess if workers => Self::Worker,
            HostingModel::InProcess => Self::Instead,
            HostingModel::OutOfProcess | _ => Self::OutOfProcess,
        }
    }
}

#[cfg(unix)]
pub(crate) use self::unix::{direct, program, run};

#[cfg(not(unix))]
pub(crate) fn direct(
    program: ancm::supervisor::WorkerProgram,
    _: &ancm::front::Bound,
) -> ancm::supervisor::WorkerProgram {
    program
}

/// Why there are no workers.
#[cfg(not(unix))]
pub(crate) fn program(_: crate::log::Format) -> Result<ancm::supervisor::WorkerProgram, String> {
    Err("in-process hosting needs a Unix system".to_owned())
}

#[cfg(unix)]
mod unix {
    use std::{env, io, process::ExitCode};

    use ancm::{
        config::ProcessVars,
        front::Bound,
        in_process::{Worker, clr},
        supervisor::WorkerProgram,
    };
    use clap::ValueEnum as _;
    use tracing::warn;

    use crate::log::{self, Format};

    /// This program as a worker, or why an app can't be hosted in process.
    pub(crate) fn program(format: Format) -> Result<WorkerProgram, String> {
        clr::hosting_assembly(&ProcessVars::default()).map_err(|failure| failure.to_string())?;
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let format = format.to_possible_value();
        let format = format.map(|format| format.get_name().to_owned());
        let option = format.map(|format| ["--log-format".to_owned(), format]);
        let arguments = option.into_iter().flatten();
        Ok(WorkerProgram::new(program).arguments(arguments.chain(["worker".to_owned()])))
    }

    /// Has workers accept connections themselves, where they can know all that is to be known of a client.
    pub(crate) fn direct(program: WorkerProgram, bound: &Bound) -> WorkerProgram {
        match bound.sockets() {
            Ok(sockets) => program.front(sockets),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => program,
            Err(error) => {
                warn!(%error, "Workers can't have the front's sockets: requests are forwarded to them");
                program
            }
        }
    }

    /// Hosts an app for the `run` that started this process. Does not return.
    #[allow(
        clippy::print_stderr,
        reason = "there is no log before the parent has said where it goes"
    )]
    pub(crate) fn run(format: Format) -> ExitCode {
        let mut worker = match Worker::inherit(env::args_os()) {
            Ok(Some(worker)) => worker,
            Ok(None) => {
                eprintln!("only `ancm run` starts workers");
                return ExitCode::from(2);
            }
            Err(error) => {
                eprintln!("this worker has no parent that it understands: {error}");
                return ExitCode::FAILURE;
            }
        };
        if let Err(failure) = log::init_worker(format, worker.take_log()) {
            return failure.report();
        }
        worker.run(clr::AspNetCore::new())
    }
}
