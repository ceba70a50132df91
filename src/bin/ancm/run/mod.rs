//! `ancm run`: the one place where the parts of the host half are put together and served.

mod serve;
mod target;

use ancm::{
    config::{Config, FrontLimits, HostingModel},
    front::Bound,
    supervisor::WorkerProgram,
};

pub(crate) use self::{
    serve::{block_on, serve},
    target::Target,
};
use crate::{
    args::Run,
    failure::Failure,
    front,
    log::Format,
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
