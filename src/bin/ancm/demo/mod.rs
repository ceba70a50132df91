//! `ancm demo`: this very program as the app of this very program.
//!
//! The host half supervises a child, which is this binary again as `demo-app`: a small axum app with
//! the app half. Nothing else is needed to see the whole way of a request, and a crash.

mod app;
mod facts;
mod journal;
mod page;

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use ancm::{
    PathBase,
    config::{Config, FrontLimits, Site},
    front::Bound,
};

use crate::{
    args::{Control, RawDemo, RawDemoApp},
    failure::Failure,
    front::{self, Spoken},
    run::{self, Target},
    site,
};

/// Serves the page until a signal says stop.
pub(crate) fn run(raw: RawDemo) -> Result<(), Failure> {
    let folder = journal::Folder::create()
        .map_err(|error| Failure::other(format_args!("a folder for the demo: {error}")))?;
    let path_base = raw.path_base.unwrap_or_default();
    let config = config(&folder, &path_base)?;
    let bound = bind(raw.listen)?;
    for address in bound.local_addresses() {
        greet(*address, &path_base);
    }
    let workers = Err("the demo is out of process".to_owned());
    run::serve(bound, None, Target::Made(config), &Control::Off, &workers)
}

/// This binary once more, in the demo's folder.
fn config(folder: &journal::Folder, path_base: &PathBase) -> Result<Config, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::other(format_args!("where this program lies: {error}")))?;
    let journal = folder.journal();
    let journal = journal
        .to_str()
        .ok_or_else(|| Failure::other("the folder for temporary files has no Unicode name"))?;
    Config::builder(folder.path())
        .program(program)
        .arguments(["demo-app", "--journal", journal])
        .path_base(path_base.clone())
        .build()
        .map_err(Failure::other)
}

/// The app of the demo, started by the supervisor.
pub(crate) fn app(raw: &RawDemoApp) -> Result<(), Failure> {
    run::block_on(app::serve(raw.journal.as_deref()))?
}

/// Where nothing is said and the usual port is taken, a free one does as well.
fn bind(listen: Vec<SocketAddr>) -> Result<Bound, Failure> {
    let usual = listen.is_empty();
    let at = |listen: Vec<SocketAddr>| {
        let mut site = Site::default();
        site.bindings = listen.into_iter().map(Into::into).collect();
        site::merged(&site, None)
    };
    let (tls, limits) = (Spoken::new(), FrontLimits::default());
    match front::bind(&at(listen)?, &tls, None, &limits, true) {
        Err(_) if usual => {
            let free = SocketAddr::from(([127, 0, 0, 1], 0));
            front::bind(&at(vec![free])?, &tls, None, &limits, true)
        }
        bound => bound,
    }
}

fn greet(mut address: SocketAddr, path_base: &PathBase) {
    // Every address of this machine is none that a browser can open.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    // Nobody reads stdout: the log says where it listens, too.
    let _ = write!(
        io::stdout(),
        "\n  Open  http://{address}{path_base}\n\n  \
         Its page comes from a process of its own, started by the first request. It says how to\n  \
         kill that process: do, reload, and the next one answers. Ctrl-C stops everything.\n\n",
    );
}
