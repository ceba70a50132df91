//! The `ancm` program: serves a published ASP.NET Core app, or any program that listens on a port.

mod args;
mod authentication;
mod check;
mod control;
mod demo;
mod failure;
#[cfg(unix)]
mod files;
mod front;
mod log;
mod password;
mod run;
mod signals;
mod site;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use self::{
    args::{Arguments, Command},
    failure::Failure,
};

fn main() -> ExitCode {
    // What clap has to say, it says itself: help and version with status 0, a usage error with 2.
    let arguments = Arguments::parse();
    // Before there is any other thread.
    #[cfg(unix)]
    if let Command::Worker(_) = arguments.command {
        return worker::run(arguments.log_format);
    }
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let format = arguments.log_format;
    log::init(format)?;
    match arguments.command {
        Command::Run(raw) => run::run(&raw.try_into()?, format),
        Command::Check(raw) => check::check(&raw.try_into()?, format),
        Command::Password(raw) => password::password(&raw),
        Command::Demo(raw) => demo::run(raw),
        Command::Status(raw) => control::status(&raw.try_into()?),
        Command::Restart(raw) => control::restart(&raw.try_into()?),
        Command::Stop(raw) => control::stop(&raw.try_into()?),
        Command::Offline(raw) => control::offline(&raw.try_into()?),
        Command::Online(raw) => control::online(&raw.try_into()?),
        Command::Logs(raw) => control::logs(&raw.of.try_into()?, raw.follow),
        Command::DemoApp(raw) => demo::app(&raw),
        Command::Worker(_) => Err(Failure::other("in-process hosting needs a Unix system")),
    }
}
