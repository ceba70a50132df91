//! An ASP.NET Core app in this process, by CoreCLR: unmodified, as `dotnet publish` left it.
//!
//! .NET's own host, hostfxr, is found as `dotnet` finds it, loaded at run time, and runs the app's `Main` on a thread of
//! its own. A small managed assembly, built from `hosting/` in the repository, runs before `Main` by a startup hook and puts
//! a server into the app that takes requests from here. Nothing crosses a socket, and nothing is HTTP but what hyper reads
//! and writes.
//!
//! [`AspNetCore`] is the app of a [`Worker`](super::Worker). [`Launch`] starts one in any program:
//!
//! ```no_run
//! use ancm::{config::{Config, ProcessVars}, front::Front, in_process::clr::{Blocked, Launch}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let signals = Blocked::new()?; // first of all: see below
//! let vars = ProcessVars::default();
//! let config = Config::load("/srv/shop".as_ref(), None, &vars)?.config;
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let app = Launch::new(&config, &vars)?.start().await?;
//! let (service, mut signals) = (app.service(), signals.listen()?);
//! let stop = async { signals.next().await; app.stop(); };
//! let front = Front::new().lend_threads(true).bind(&["127.0.0.1:5000".parse()?])?;
//! front.serve(move |connection| service.for_connection(connection), stop).await?;
//! # Ok(()) })
//! # }
//! ```
//!
//! # How a request crosses
//!
//! `service` puts a request's head into a slot (`slots`, `head`) and tells the managed side the slot's number and where the
//! head is: slices into what hyper parsed. Where the front lends its threads ([`Front::lend_threads`](crate::front::Front)), the
//! app runs on the one that read the request, as far as its first pause, and goes on there when its body or room to write has
//! come; else the managed side queues it to its own pool. Its calls (`calls`) find the slot by the number. An answer that is small is one call, which copies its body once; a
//! longer one goes through a buffer that stops its writer at 64 KiB (`exchange`). A request's body is polled by the call that reads
//! it, with a waker that is nothing but the number.
//!
//! A slot is never freed, and its number holds a generation: a call that is late, or comes twice, finds nothing. Each side lets go
//! by itself, the client by being dropped, the managed side by `complete`, and who is last gives the slot back.
//!
//! What is not here: informational answers but 100 (hyper's server can't send them: a 103 is taken and left out), and names of the
//! answer's fields in the case that the app wrote (hyper writes them in lower case).
//!
//! # Traps
//!
//! * **Once.** CoreCLR is loaded once in the life of a process and never unloaded. Another start is another process; so is a restart.
//! * **Its end is ours.** `Environment.Exit`, `FailFast`, an unhandled exception on a thread and a stack overflow of the app end this
//!   process. An exception out of `Main` does not: the managed side catches it, and [`Hosted::ended`] tells of it.
//! * **Main's thread stays** when `Main` is over, or when the app hangs. A program that hosts an app ends by
//!   [`std::process::exit`].
//! * **Signals.** CoreCLR replaces handlers that were there, and handlers that come later and chain to its own end the process.
//!   [`Blocked`] is what works. `SIGRTMIN` and the signals of faults are CoreCLR's, and `SIGCHLD` may be.
//! * **Garbage collection** stops threads as they enter the managed side, so that a front's thread may wait for one there.
//! * **The environment, the current directory, umask and limits** are the process's: they have to be the app's before it starts.
//! * **Stack.** `Main` runs on 8 MiB, as on a main thread, unless [`Launch::stack_size`] says otherwise.
//! * **Another server.** An app that brings a server of its own, or that prevents hosting startups where only those reach it (.NET
//!   Core 3.1), never tells that it started: the start fails by its limit, 500.37.
//!
//! # The hosting assembly
//!
//! `hosting/build.sh` builds `Ancm.Hosting.dll` with nothing but a .NET SDK. It is looked for beside this program, or where the
//! variable `ANCM_HOSTING_ASSEMBLY` says; without it a start fails with 500.33 and says so. Both sides check the version of the
//! interface (`abi`), and the sizes of its tables.

#![allow(unsafe_code, reason = "the boundary to CoreCLR")]

mod abi;
mod body;
mod calls;
mod exchange;
mod facts;
mod future;
mod head;
mod hosted;
mod hostfxr;
mod lifetime;
mod native;
mod properties;
mod service;
mod slots;
mod start;
mod user;

pub use self::{
    body::{Broken, ResponseBody},
    future::ResponseFuture,
    hosted::{AspNetCore, Ended, Hosted},
    service::Service,
    start::{Launch, hosting_assembly},
};
pub use super::signals::{Blocked, Signals};

#[cfg(test)]
#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test that breaks the contract is what it is for"
)]
mod tests;
