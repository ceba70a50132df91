//! One process of an app and everything it starts: a tree that we can watch, end and recognise.
//!
//! # Theory of operation
//!
//! **Unix.** Between us and the program stands a *guardian*: a small process that [`Os`] forks, that starts the
//! program as its own child and that holds one end of a socket whose other end only we hold.
//!
//! ```text
//! we ──socket── guardian ── program ── what it starts ── …
//! ```
//!
//! * The guardian is the program's parent for as long as it lives, so the parent-death signal that kills the
//!   program hangs on the guardian alone and not on whichever *thread* of ours called `spawn`.
//!   Any thread may spawn, and may end.
//! * When we die, `kill -9` included, the kernel closes the socket; the guardian reads the end of it, ends
//!   the whole tree, and goes.
//! * On Linux it is a child subreaper: whatever loses its parent inside the tree becomes the guardian's child, be it
//!   in another process group or session. Ending the tree is "kill my children until I have none", and as only a
//!   parent frees the number of a dead child, no number can have been reused when it is killed.
//! * Its cost is one process with a few hundred kilobytes: it closes all it inherited and gives our memory back.
//! * Who is in the tree is a question of the parent chain: it leads to the guardian, or it does not.
//!
//! What escapes: on Linux, a process that something *outside* the tree starts on its request (systemd, a container
//! engine, `at`), and one that runs as another user whom we may not signal (set-user-ID programs). Killing the
//! *guardian* with `kill -9` kills the program by its parent-death signal, but not what the program started. And somebody
//! in our process who forks without `exec` holds a copy of the socket: the end of it is the end of both.
//! On other Unix systems the guardian ends the program's process group: what left the group, escapes.
//!
//! **Windows.** A job object that ends all its processes when its last handle is closed, which the system does when we die.

use std::{ffi::OsString, fmt, future::Future, io, net::SocketAddr, path::PathBuf, sync::Arc};

use crate::proxy::Instance;

#[cfg(any(windows, test))]
mod command_line;
mod exit;
#[cfg(target_os = "linux")]
mod forget;
#[cfg(unix)]
mod guardian;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod tree;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
mod within;

pub(crate) use self::exit::Exit;
#[cfg(unix)]
pub(crate) use self::unix::{Child, OutputPipe};
#[cfg(windows)]
pub(crate) use self::windows::{Child, OutputPipe};

/// What to start.
///
/// Its `Debug` leaves the environment's values out: the pairing token is one of them.
pub(crate) struct Launch {
    /// A name to be searched for in `PATH`, of [`environment`](Self::environment) on Unix, or a path. A relative path
    /// with a separator counts from [`directory`](Self::directory) on Unix; an absolute one is better.
    pub(crate) program: PathBuf,
    /// What follows the program's name.
    pub(crate) arguments: Vec<OsString>,
    /// The working directory.
    pub(crate) directory: PathBuf,
    /// All of the environment: nothing is inherited.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Where standard output and standard error go. Standard input is empty.
    pub(crate) output: Output,
    /// What it inherits beside those, under the numbers that they have here. They are closed here with this.
    #[cfg(unix)]
    pub(crate) descriptors: Vec<std::os::fd::OwnedFd>,
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        f.debug_struct("Launch")
            .field("program", &self.program)
            .field("arguments", &self.arguments)
            .field("directory", &self.directory)
            .field("environment", &names)
            .field("output", &self.output)
            .finish()
    }
}

/// Where a process writes to.
#[derive(Debug)]
pub(crate) enum Output {
    /// Nowhere.
    Null,
    /// Both streams into one pipe: [`Process::take_output`].
    Pipe,
}

/// Who listens at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Nobody whom a connection would reach.
    None,
    /// The process, or one of its tree: this one. Nobody else could receive a connection.
    Own(u32),
    /// Somebody else, whose number is known or not, would receive some or all connections.
    Stranger(Option<u32>),
}

/// Starts processes. The seam: tests bring their own.
pub(crate) trait Spawn: Send + 'static {
    /// What it starts.
    type Process: Process;

    /// Starts `launch`. Blocks for as long as the operating system needs to begin the program: about a millisecond.
    ///
    /// # Errors
    ///
    /// Where the program, or the directory, is not there or may not be used; the text names it.
    fn spawn(&self, launch: &Launch) -> io::Result<Self::Process>;
}

/// One process and its tree. Cheap to clone; when the last clone is dropped, the whole tree is killed.
pub(crate) trait Process: Clone + Send + Sync + 'static {
    /// The number of the created process.
    fn id(&self) -> u32;

    /// Resolves when the created process has ended, at once if it has. What it started may still run.
    ///
    /// Cancel safe; may be awaited any number of times, from any clone.
    fn exited(&self) -> impl Future<Output = Exit> + Send;

    /// The reading end of the output pipe: the first time, and only with [`Output::Pipe`].
    fn take_output(&self) -> Option<OutputPipe>;

    /// The app itself, where it runs in this process: as soon as it is made, or why it is not. Never, for any other.
    fn instance(&self) -> impl Future<Output = Result<Instance, Arc<str>>> + Send {
        std::future::pending()
    }

    /// Asks the process to end: `SIGTERM` to its group, Ctrl-Break on Windows. Nothing, once it has ended.
    fn terminate(&self);

    /// Ends the whole tree at once; [`exited`](Self::exited) tells when the process is gone.
    fn kill(&self);

    /// Who would receive a connection to `address`, a loopback one, now.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    fn listener(&self, address: SocketAddr) -> io::Result<Listener>;

    /// Copies `token` into the process `id` of the tree, with all that the handle may do; the copy's number there.
    ///
    /// # Errors
    ///
    /// When the process is none of the tree's, or the token can't be copied.
    #[cfg(windows)]
    fn give_token(
        &self,
        id: u32,
        token: std::os::windows::io::BorrowedHandle<'_>,
    ) -> io::Result<u32> {
        let _ = (id, token);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The bytes of memory that the tree has for itself: what its processes do not share with a file, in memory or swapped out.
    ///
    /// # Errors
    ///
    /// Where that is not known: on other systems than Linux, so far.
    fn memory(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The operating system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Os;

impl Spawn for Os {
    type Process = Child;

    /// Must be called within a tokio runtime with I/O enabled: it watches the process from there. When that
    /// runtime ends, so does the tree.
    fn spawn(&self, launch: &Launch) -> io::Result<Child> {
        Child::spawn(launch).map_err(|error| explain(launch, &error))
    }
}

/// Says what `error` is about: the operating system does not tell a missing directory from a missing program.
fn explain(launch: &Launch, error: &io::Error) -> io::Error {
    let (program, directory) = (launch.program.display(), launch.directory.display());
    let text = if launch.directory.is_dir() {
        format!("the program `{program}` can't be started: {error}")
    } else {
        format!("the directory `{directory}` is not there or is no directory: {error}")
    };
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
