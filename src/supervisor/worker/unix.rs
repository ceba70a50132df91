//! Makes a place for a worker.

use std::{
    env, io,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
};

use super::{
    Channel, WorkerProgram,
    protocol::{Assignment, Order, VERSION, milliseconds},
};
use crate::{
    PairingToken,
    config::{Config, Forwarding, Vars, environment},
    supervisor::{
        place::{Place, SocketPath},
        process::{Launch, Output},
    },
};

impl WorkerProgram {
    /// What to start so that it hosts the app of `config` and knows `token`; and its place.
    pub(in crate::supervisor) fn prepare(
        &self,
        config: &Config,
        vars: &dyn Vars,
        token: &PairingToken,
        output: Output,
    ) -> io::Result<(Launch, Place)> {
        let socket = SocketPath::new()?;
        let listener = OwnedFd::from(UnixListener::bind(socket.path())?);
        let log = io::stderr().as_fd().try_clone_to_owned().ok();
        let (ours, theirs) = UnixStream::pair()?;
        let theirs = OwnedFd::from(theirs);
        let mut arguments = self.arguments.clone();
        arguments.extend(["--channel".into(), theirs.as_raw_fd().to_string().into()]);
        let front = match is_plain(config) {
            true => copies(&self.front)?,
            false => Vec::new(),
        };
        let direct = !front.is_empty();
        let numbers = |share: &Vec<OwnedFd>| share.iter().map(|one| one.as_raw_fd()).collect();
        let assignment = Assignment {
            version: VERSION,
            program: config.command.program.clone(),
            arguments: config.command.arguments.clone(),
            content_root: config.content_root.clone(),
            path_base: config.path_base.as_str().to_owned(),
            token: String::from_utf8_lossy(token.header_value().as_bytes()).into_owned(),
            startup_limit_ms: milliseconds(config.startup_time_limit),
            shutdown_limit_ms: milliseconds(config.shutdown_time_limit),
            detailed_errors: config.detailed_errors(vars),
            websockets: config.websockets,
            stack_size: config.handler_settings().stack_size(),
            call_startup_hook: config.handler_settings().call_startup_hook(),
            max_request_body: config.max_allowed_content_length(),
            listener: listener.as_raw_fd(),
            log: log.as_ref().map(|log| log.as_raw_fd()),
            front: front.iter().map(numbers).collect(),
        };
        let channel = Channel::open(ours, Order::Host(Box::new(assignment)))?;
        let mut descriptors = vec![theirs, listener];
        descriptors.extend(log);
        descriptors.extend(front.into_iter().flatten());
        let launch = Launch {
            program: self.program.clone(),
            arguments,
            directory: directory(config),
            environment: environment::in_process(config, vars),
            output,
            descriptors,
        };
        let place = Place::Worker {
            socket,
            channel,
            direct,
        };
        Ok((launch, place))
    }
}

/// Where the worker runs: in the app's folder, or where we do.
fn directory(config: &Config) -> PathBuf {
    let ours = || env::current_dir().ok();
    let stays = !config.handler_settings().set_current_directory();
    let ours = stays.then(ours).flatten();
    ours.unwrap_or_else(|| config.content_root.clone())
}

/// Whether the app needs nothing of what a request passes here before it is forwarded: nobody has to prove who they are,
/// or is kept at one process, and nothing is said about how requests are forwarded.
fn is_plain(config: &Config) -> bool {
    let offered = config.authentication();
    let proves = offered.windows() || offered.basic() || !offered.anonymous();
    let told = config.handler_settings().user_header.is_some();
    let forwarded = *config.forwarding() == Forwarding::default();
    !proves && !told && forwarded && config.processes().affinity_cookie().is_none()
}

/// Descriptors of the same sockets, to be given away.
fn copies(shares: &[Vec<OwnedFd>]) -> io::Result<Vec<Vec<OwnedFd>>> {
    let copies = |share: &Vec<OwnedFd>| share.iter().map(OwnedFd::try_clone).collect();
    shares.iter().map(copies).collect()
}
