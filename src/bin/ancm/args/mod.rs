//! The command line: as it was typed (here), and as it is meant ([`Run`], only valid values).

mod address;
mod front;
mod https;
mod valid;

use std::{ffi::OsString, net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use ancm::{
    PathBase,
    config::{Binding, Destination, Protocol},
};
use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;

use crate::log::Format;

pub(crate) use self::{
    address::DEFAULT_LISTEN,
    valid::{App, Control, Operate, Place, Run},
};

/// Runs a published ASP.NET Core app, unmodified, or any program that listens on a port: starts it
/// with the first request, forwards to it, replaces it when it dies.
#[derive(Debug, Parser)]
#[command(name = "ancm", version, arg_required_else_help = true, after_help = EXIT_STATUS)]
pub(crate) struct Arguments {
    /// How the log on stderr looks; RUST_LOG says what is in it (default: info)
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) log_format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the app of a publish folder, a command, or an address
    #[command(after_help = RUN_EXAMPLES)]
    Run(RawRun),
    /// Say what `run` would do with the same options, and do nothing
    Check(RawRun),
    /// Say how the app of a folder is, which `run` serves
    Status(RawOperate),
    /// Read the configuration again and replace the app's processes, without losing a request; ends
    /// with 1, and says why, where the new ones fail
    Restart(RawOperate),
    /// Stop the app's processes; the next request starts it again
    Stop(RawOperate),
    /// Take the app offline, as an app_offline.htm does, until `online` or the end of `run`
    Offline(RawOperate),
    /// Take back `offline`; an app_offline.htm has to be removed
    Online(RawOperate),
    /// Print the last output of the app's processes
    Logs(RawLogs),
    /// Read a password from stdin and print a line for the file that `basicUsers` names
    Password(RawPassword),
    /// Serve a page that shows what an app behind this program sees
    Demo(RawDemo),
    /// The app behind `demo`
    #[command(hide = true)]
    DemoApp(RawDemoApp),
    /// What hosts an app in process
    #[command(hide = true)]
    Worker(RawWorker),
}

/// `run` and `check` as typed.
#[derive(Debug, Args)]
pub(crate) struct RawRun {
    /// The publish folder: the app's content root, in which its web.config lies [default: .]
    pub(crate) dir: Option<PathBuf>,
    /// Listen here; may be repeated. IP:PORT, localhost:PORT, :PORT (every IPv4 address),
    /// [IPv6]:PORT or *:PORT (every address of both); port 0 takes a free one. unix:/path, inherited
    /// (from LISTEN_FDS) or inherited:NAME. With https:// before it, TLS is spoken. After it, with
    /// commas: client-cert=MODE, proxy-from=NETWORK (whose PROXY headers are believed), mode=OCTAL
    /// (of a Unix socket) [default: what the
    /// configuration says, else 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Vec<Binding>,
    #[command(flatten)]
    pub(crate) https: https::RawHttps,
    /// The prefix under which the app is mounted, such as /shop [default: what the
    /// configuration says, else /]
    #[arg(long, value_name = "PATH", conflicts_with = "to")]
    pub(crate) path_base: Option<PathBase>,
    /// Read this file, a web.config or TOML, instead of DIR's web.config or ancm.toml
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "command"])]
    pub(crate) config: Option<PathBuf>,
    /// Threads of the front [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Have the commands `status`, `restart` and so on use this socket [default: one of this user's
    /// own for DIR, in $XDG_RUNTIME_DIR/ancm or /tmp/ancm-UID]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
    /// Make no such socket
    #[arg(long, conflicts_with = "control")]
    pub(crate) no_control: bool,
    /// Start nothing and forward to this address: IP:PORT, [IPv6]:PORT, :PORT (this machine), NAME:PORT (every address of
    /// the name) or unix:/path; may be repeated: requests go to whichever has little to do
    #[arg(long, value_name = "ADDR", value_parser = address::forward, conflicts_with_all = ["dir", "command"])]
    pub(crate) to: Vec<Destination>,
    /// Ask each address of --to for this path every 5 seconds; one that does not answer below 400 gets no requests
    #[arg(long, value_name = "PATH", requires = "to", value_parser = address::path)]
    pub(crate) health_path: Option<String>,
    /// What is spoken with the app: http/1.1 or h2c, which is HTTP/2 without TLS, as gRPC needs it [default: what the
    /// configuration says, else http/1.1]
    #[arg(long, value_name = "PROTOCOL", value_parser = address::protocol)]
    pub(crate) protocol: Option<Protocol>,
    /// Believe what this proxy says of where a request came from, besides those of the configuration: an
    /// address or a CIDR range; may be repeated [default: nobody]
    #[arg(long, value_name = "CIDR", value_parser = address::range)]
    pub(crate) trusted_proxy: Vec<IpNet>,
    #[command(flatten)]
    pub(crate) limits: front::RawFront,
    /// Run this command instead of what a web.config says; it listens on the port that
    /// ASPNETCORE_PORT names
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// `status`, `restart` and the like as typed.
#[derive(Debug, Args)]
pub(crate) struct RawOperate {
    /// The folder that `run` serves [default: .]
    pub(crate) dir: Option<PathBuf>,
    /// The socket that `run` was told to use with the same option
    #[arg(long, value_name = "PATH", conflicts_with = "dir")]
    pub(crate) control: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `logs` as typed.
#[derive(Debug, Args)]
pub(crate) struct RawLogs {
    #[command(flatten)]
    pub(crate) of: RawOperate,
    /// Go on printing what comes, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// `password` as typed.
#[derive(Debug, Args)]
pub(crate) struct RawPassword {
    /// The user's name
    #[arg(value_name = "NAME")]
    pub(crate) user: String,
}

/// `demo` as typed.
#[derive(Debug, Args)]
pub(crate) struct RawDemo {
    /// Listen here, as with `run` [default: 127.0.0.1:8080, or a free port where that is taken]
    #[arg(long, value_name = "ADDR", value_parser = address::listen)]
    pub(crate) listen: Vec<SocketAddr>,
    /// The prefix under which the page is mounted, such as /shop [default: /]
    #[arg(long, value_name = "PATH")]
    pub(crate) path_base: Option<PathBase>,
}

/// `demo-app` as `demo` types it.
#[derive(Debug, Args)]
pub(crate) struct RawDemoApp {
    /// The file in which each process of the app leaves its id, so that the next one can count
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
}

/// `worker` as `run` types it.
#[derive(Debug, Args)]
pub(crate) struct RawWorker {
    /// The file descriptor of the socket to the `run` that started it
    #[arg(long, value_name = "NUMBER")]
    #[allow(dead_code, reason = "the library reads it by itself")]
    channel: Option<i32>,
}

const RUN_EXAMPLES: &str = "\
Examples:
  ancm run ./publish --listen :80
  ancm run --path-base /shop -- node server.js
  ancm run --to 127.0.0.1:5000
  ancm run --to app-1:5000 --to app-2:5000 --protocol h2c";

const EXIT_STATUS: &str = "\
Exit status: 0 after a clean stop, 2 for a usage or configuration error, 1 for the rest.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
