//! Asks a running app how it is, and has it restarted, stopped, or taken offline.
//!
//! An [`Operator`] does it from within the program that hosts the app, a [`Socket`] lets other
//! programs of the same user do so: `ancm status`, `ancm restart` and the like. The operator also
//! restarts the app by itself when its configuration or one of its files changes.
//!
//! ```no_run
//! use ancm::{Host, config::Config, control::{Socket, socket_path}};
//!
//! # async fn example(config: Config) -> Result<(), Box<dyn std::error::Error>> {
//! let path = socket_path(config.content_root())?;
//! let host = Host::new(config)?;
//! let operator = host.operator().expect("the app is supervised").clone();
//! tokio::spawn(Socket::bind(&path)?.serve(operator.clone()));
//! operator.restart().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Restarts
//!
//! The configuration is read again before each restart, whatever asked for it. One that is wrong
//! changes nothing: the app goes on as it is, and [`Report`] says what is wrong. Otherwise the app
//! restarts [overlapped](crate::supervisor::Supervisor::reconfigure), and the configuration is in
//! force once the new process serves. A restart while the app is offline starts nothing.
//!
//! Asked for by:
//!
//! * [`Operator::restart`], which tells how it went;
//! * a configuration that was changed or only touched, unless `disallowRotationOnConfigChange`;
//! * `restart.txt` or `tmp/restart.txt` in the content root, when it is made or touched;
//! * a file of `recycleOnFileChange`.
//!
//! An app that [somebody else runs](crate::config::Config::destinations) is not restarted, but its configuration is read again
//! in the same cases: other addresses and health checks are in force at once, and no request is lost over it.
//!
//! Files count once they have been quiet for half a second, or after five seconds of unrest.
//!
//! # Socket
//!
//! One line of JSON, a [`Request`], is answered with one line, a [`Reply`]; then the connection
//! ends. The socket belongs to its user: its mode is 0600 in a folder of mode 0700, and who connects
//! is asked for by the system. On Windows it is a named pipe that only its user and administrators can
//! open, of this machine alone.

mod addresses;
mod answer;
mod configured;
mod follow;
mod message;
mod operator;
mod reload;
mod report;
mod running;
mod socket;
mod task;

pub use self::{
    addresses::{Addresses, Operated},
    message::{Log, Reply, Request, Seen},
    operator::Operator,
    report::{AddressesReport, AppReport, ConfigReport, ModuleReport, OfflineReport, Report},
    socket::{Socket, ask, socket_path},
    task::RestartError,
};
pub(crate) use self::{
    follow::{Followed, Follower, follow},
    operator::{Parts, operate},
    running::Running,
};
