//! The operating system's processes behind one interface.

use std::{ffi::OsString, fmt, future::Future, io, path::PathBuf, pin::Pin};

use tokio::io::AsyncRead;

/// A process to be started.
pub(crate) struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub directory: PathBuf,
    pub environment: Vec<(OsString, OsString)>,
    pub output: Output,
}

/// Where stdout and stderr go.
pub(crate) enum Output {
    Null,
    Pipe,
    File(std::fs::File),
}

pub(crate) type OutputPipe = Pin<Box<dyn AsyncRead + Send>>;

pub(crate) trait Spawn: Send + 'static {
    type Process: Process;
    fn spawn(&self, launch: &Launch) -> io::Result<Self::Process>;
}

pub(crate) trait Process: Clone + Send + Sync + 'static {
    fn id(&self) -> u32;
    fn exited(&self) -> impl Future<Output = Exit> + Send;
    fn take_output(&self) -> Option<OutputPipe>;
    fn terminate(&self);
    fn kill(&self);
    fn listener(&self, port: u16) -> io::Result<Listener>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    None,
    Own(u32),
    Stranger(Option<u32>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => f.write_str("unknown exit"),
        }
    }
}

pub(crate) struct Os;

#[derive(Clone)]
pub(crate) enum Never {}

impl Spawn for Os {
    type Process = Never;
    fn spawn(&self, _: &Launch) -> io::Result<Never> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Process for Never {
    fn id(&self) -> u32 {
        match *self {}
    }
    async fn exited(&self) -> Exit {
        match *self {}
    }
    fn take_output(&self) -> Option<OutputPipe> {
        match *self {}
    }
    fn terminate(&self) {
        match *self {}
    }
    fn kill(&self) {
        match *self {}
    }
    fn listener(&self, _: u16) -> io::Result<Listener> {
        match *self {}
    }
}
