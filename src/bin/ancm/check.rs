//! `ancm check`: says what `run` would do with the same options.

use std::{
    fmt,
    io::{self, Write},
};

use ancm::config::{Config, Destination, HandlerSettings, Site};

use crate::{
    args::Run,
    authentication,
    failure::Failure,
    log::Format,
    run::Target,
    site,
    worker::{self, Place},
};

/// The width of the column of names, as in the library's report.
const WIDTH: usize = 24;

/// Prints what was understood. What is wrong is an error before.
pub(crate) fn check(run: &Run, format: Format) -> Result<(), Failure> {
    let target = Target::of(run)?;
    let site = site::merged(&run.site, target.config().map(Config::site))?;
    // What is wrong with a certificate, too.
    site::spoken(&site, &run.site)?;
    let settings = target.config().map(Config::handler_settings);
    if let Some(file) = settings.and_then(HandlerSettings::basic_users) {
        authentication::users(file)?;
    }
    match io::stdout().write_all(report(run, &target, &site, format).as_bytes()) {
        // Who reads only the first lines has what they wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::other(
            format_args!("can't write to stdout: {error}"),
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn report(run: &Run, target: &Target, site: &Site, format: Format) -> String {
    let mut text = match target {
        Target::Read(loaded, _) => loaded.report().to_string(),
        Target::Made(config) => config.report().to_string(),
        Target::Fixed(address, _) => row("forwards to", address),
        Target::Elsewhere(to, check, _) => elsewhere(to, check.as_deref()),
    };
    if let (Target::Fixed(..) | Target::Elsewhere(..), [_, ..]) = (target, &*run.trusted) {
        let trusted: Vec<_> = run.trusted.iter().map(ToString::to_string).collect();
        text.push_str(&row("trustedProxies", trusted.join(", ")));
    }
    if let Some(config) = target
        .config()
        .filter(|config| config.destinations().is_empty())
    {
        text.push_str(&row("hosted", hosted(config, format)));
    }
    text.push_str(&site.to_string());
    text.push_str(&target.limits(&run.limits).to_string());
    text.push_str(&match run.threads {
        Some(threads) => row("threads", threads),
        None => row("threads", "one per core"),
    });
    text
}

/// The addresses, one a line.
fn elsewhere(to: &[Destination], health_path: Option<&str>) -> String {
    let mut text: String = to.iter().map(|to| row("forwards to", to)).collect();
    if let Some(path) = health_path {
        text.push_str(&row("health check", path));
    }
    text
}

/// Which hosting model it will be, and why.
fn hosted(config: &Config, format: Format) -> String {
    let program = worker::program(format).map(drop);
    match (Place::of(config, program.is_ok()), program) {
        (Place::Worker, _) => "in process, in a worker, as hostingModel says".to_owned(),
        (Place::Instead, Err(why)) => {
            format!("out of process, though hostingModel says inprocess: {why}")
        }
        (Place::OutOfProcess | Place::Instead, _) => {
            "out of process, in a process of its own, as hostingModel says".to_owned()
        }
    }
}

fn row(name: &str, value: impl fmt::Display) -> String {
    format!("{name:<WIDTH$}  {value}\n")
}
