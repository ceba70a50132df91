//! Takes over what the parent left open, and hears what is to be done with it.

use std::{
    ffi::OsStr,
    io::{self, BufRead as _, BufReader, Read as _},
    os::{
        fd::{OwnedFd, RawFd},
        unix::net::{UnixListener, UnixStream},
    },
    time::Duration,
};

use super::{Worker, unix::take_over};
use crate::{
    PairingToken,
    in_process::{Settings, signals::Blocked},
    supervisor::worker::protocol::{Assignment, LONGEST, Order, VERSION, parse},
};

/// How long the parent may take for its first line, which it writes before it starts anything.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn inherit(number: &OsStr) -> io::Result<Worker> {
    let signals = Blocked::new()?;
    let number = number.to_str().and_then(|number| number.parse().ok());
    let number: RawFd = number.ok_or_else(|| invalid("--channel: expected a number"))?;
    let channel = UnixStream::from(take_over(number)?);
    channel.set_read_timeout(Some(PATIENCE))?;
    let assignment = first_line(&channel)?;
    channel.set_read_timeout(None)?;
    let mut front = Vec::new();
    for share in &assignment.front {
        let sockets = share.iter().map(|&one| take_over(one));
        front.push(sockets.collect::<io::Result<_>>()?);
    }
    Ok(Worker {
        settings: settings(&assignment)?,
        token: PairingToken::new(&assignment.token).map_err(|error| invalid(&error.to_string()))?,
        listener: UnixListener::from(take_over(assignment.listener)?),
        log: assignment
            .log
            .map(take_over)
            .transpose()?
            .map(OwnedFd::into),
        channel,
        front,
        signals,
    })
}

/// The parent says nothing more before we have answered, so that no byte of a second line is lost here.
fn first_line(channel: &UnixStream) -> io::Result<Assignment> {
    let mut line = Vec::new();
    BufReader::new(channel.take(LONGEST)).read_until(b'\n', &mut line)?;
    match parse(&line)? {
        Order::Host(assignment) if assignment.version == VERSION => Ok(*assignment),
        Order::Host(assignment) => Err(invalid(&format!(
            "the parent speaks version {} of the channel, and we {VERSION}: it has to be started again",
            assignment.version
        ))),
        Order::Accept | Order::Drain | Order::Stop { .. } => Err(invalid("not what comes first")),
    }
}

fn settings(assignment: &Assignment) -> io::Result<Settings> {
    let path_base = assignment.path_base.parse();
    Ok(Settings {
        program: assignment.program.clone(),
        arguments: assignment.arguments.clone(),
        content_root: assignment.content_root.clone(),
        path_base: path_base
            .map_err(|error: crate::InvalidPathBase| invalid(&error.to_string()))?,
        startup_limit: Duration::from_millis(assignment.startup_limit_ms),
        shutdown_limit: Duration::from_millis(assignment.shutdown_limit_ms),
        detailed_errors: assignment.detailed_errors,
        websockets: assignment.websockets,
        stack_size: assignment.stack_size,
        call_startup_hook: assignment.call_startup_hook,
        max_request_body: assignment.max_request_body,
    })
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
