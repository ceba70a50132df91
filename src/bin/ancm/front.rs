//! What `ancm run` listens on, and how it speaks TLS there.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    num::NonZeroUsize,
};

use ancm::{
    Scheme,
    config::{BindingAt, FrontLimits, Site},
    error::chain,
    front::{
        Bound, Front, Listen,
        tls::{ClientCertificates, Tls, TlsBuilder, TlsError},
    },
};

use crate::failure::Failure;

/// The front's own default.
#[cfg(unix)]
const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// TLS as each listener is to speak it: those that ask the same of clients share it.
pub(crate) type Spoken = HashMap<ClientCertificates, Tls>;

/// Takes the addresses, so that connections wait there from now on.
pub(crate) fn bind(
    site: &Site,
    tls: &Spoken,
    threads: Option<NonZeroUsize>,
    limits: &FrontLimits,
    extended_connect: bool,
) -> Result<Bound, Failure> {
    let mut front = Front::new()
        .configured(limits)
        .extended_connect(extended_connect);
    if let Some(threads) = threads {
        front = front.threads(threads);
    }
    #[cfg(unix)]
    {
        crate::files::allow_many();
        if let Some(room) = crate::files::connections() {
            let wanted = limits
                .max_connections
                .and_then(|n| NonZeroUsize::new(n as usize));
            front = front.max_connections(room.min(wanted.unwrap_or(MAX_CONNECTIONS)));
        }
    }
    let listen = listen(site, tls)?;
    front.listen(listen).map_err(|error| cannot_listen(&error))
}

/// Reads the certificates, so that what is wrong with them is said before anything is served.
///
/// # Errors
///
/// As TLS tells it: with the file and its line.
pub(crate) fn tls(site: &Site) -> Result<Spoken, TlsError> {
    let mut known = Spoken::new();
    let secure = site.bindings.iter();
    for binding in secure.filter(|binding| binding.scheme == Scheme::Https) {
        let mode = site.asks(binding);
        if let Entry::Vacant(entry) = known.entry(mode) {
            entry.insert(speak(mode, site).build()?);
        }
    }
    Ok(known)
}

/// TLS where clients are asked for a certificate by `mode`.
pub(crate) fn speak(mode: ClientCertificates, site: &Site) -> TlsBuilder {
    let mut builder = Tls::builder().client_certificates(mode);
    for files in &site.certificates {
        builder = builder.certificate(&files.chain, &files.key);
    }
    if let Some(ca) = &site.client_ca
        && mode != ClientCertificates::Off
    {
        builder = builder.client_ca(ca);
    }
    if let Some(version) = site.tls_min_version {
        builder = builder.min_version(version);
    }
    builder
}

fn listen(site: &Site, tls: &Spoken) -> Result<Vec<Listen>, Failure> {
    let mut inherited = Inherited::default();
    let mut all = Vec::new();
    for binding in &site.bindings {
        let listens = match &binding.at {
            BindingAt::Tcp {
                address,
                dual_stack,
                ..
            } => vec![Listen::tcp(*address).dual_stack(*dual_stack)],
            BindingAt::Unix(path) => vec![unix(path, binding.mode)?],
            BindingAt::Inherited(name) => inherited.take(name.as_deref())?,
            other => return Err(Failure::usage(format_args!("{other:?} is not known here"))),
        };
        for mut listen in listens {
            if let Some(networks) = &binding.proxy_from {
                listen = listen.proxy_protocol(networks.iter().copied());
            }
            if binding.scheme == Scheme::Https
                && let Some(tls) = tls.get(&site.asks(binding))
            {
                listen = listen.tls(tls.clone());
            }
            all.push(listen);
        }
    }
    Ok(all)
}

#[cfg(unix)]
fn unix(path: &std::path::Path, mode: Option<u32>) -> Result<Listen, Failure> {
    let listen = Listen::unix(path);
    Ok(match mode {
        Some(mode) => listen.mode(mode),
        None => listen,
    })
}

#[cfg(not(unix))]
fn unix(_: &std::path::Path, _: Option<u32>) -> Result<Listen, Failure> {
    Err(Failure::usage("there are no Unix sockets here"))
}

/// The sockets that were handed over, with their names, as long as nobody has taken them.
#[derive(Default)]
struct Inherited {
    left: Option<Vec<(String, Listen)>>,
}

impl Inherited {
    fn take(&mut self, name: Option<&str>) -> Result<Vec<Listen>, Failure> {
        let left = match self.left.take() {
            Some(left) => left,
            None => handed_over()?,
        };
        let wanted = |(known, _): &(String, Listen)| name.is_none_or(|name| name == known);
        let (taken, left): (Vec<_>, Vec<_>) = left.into_iter().partition(wanted);
        self.left = Some(left);
        if taken.is_empty() {
            return Err(Failure::usage(match name {
                Some(name) => format!("no socket with the name `{name}` was handed over"),
                None => {
                    "no socket was handed over; a service manager does so by LISTEN_FDS".to_owned()
                }
            }));
        }
        Ok(taken.into_iter().map(|(_, listen)| listen).collect())
    }
}

#[cfg(unix)]
fn handed_over() -> Result<Vec<(String, Listen)>, Failure> {
    Listen::handed_over()
        .map_err(|error| Failure::other(format_args!("LISTEN_FDS: {}", chain(&error))))
}

#[cfg(not(unix))]
fn handed_over() -> Result<Vec<(String, Listen)>, Failure> {
    Ok(Vec::new())
}

/// What to do about an error of listening.
const HINTS: [(io::ErrorKind, &str); 3] = [
    (
        io::ErrorKind::AddrInUse,
        "another program listens there: stop it, or choose another port with --listen, or `listen` in [front] of the TOML file",
    ),
    (
        io::ErrorKind::PermissionDenied,
        "a port below 1024 may need rights: choose another one with --listen, or `listen` in [front] of the TOML file",
    ),
    (
        io::ErrorKind::AddrNotAvailable,
        "this machine has no such address",
    ),
];

fn cannot_listen(error: &io::Error) -> Failure {
    let known = HINTS.iter().find(|(kind, _)| *kind == error.kind());
    let hint = known.map_or("choose another address with --listen", |(_, hint)| hint);
    Failure::other(format_args!("{}\n  hint: {hint}", chain(error)))
}
