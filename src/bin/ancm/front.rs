//! What `ancm run` listens on, and what it says of TLS.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    num::NonZeroUsize,
};

use ancm::{
    Scheme,
    config::FrontLimits,
    error::chain,
    front::{
        Bound, Front, Listen,
        https::{HstsLayer, HttpsRedirectLayer},
        tls::{ClientCertificates, Tls},
    },
};

use crate::{
    args::{At, Https, Listener, Redirect},
    failure::Failure,
};

/// The front's own default.
#[cfg(unix)]
const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Takes the addresses, so that connections wait there from now on.
pub(crate) fn bind(
    places: &[Listener],
    https: &Https,
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
    let listen = listen(places, https)?;
    front.listen(listen).map_err(|error| cannot_listen(&error))
}

/// TLS as each listener is to speak it: those that ask the same of clients share it.
///
/// Reads the certificates, so that what is wrong with them is said before anything is served.
pub(crate) fn tls(
    places: &[Listener],
    https: &Https,
) -> Result<HashMap<ClientCertificates, Tls>, Failure> {
    let mut known = HashMap::new();
    for place in places.iter().filter(|place| place.scheme == Scheme::Https) {
        let mode = mode(place, https);
        if let Entry::Vacant(entry) = known.entry(mode) {
            entry.insert(make(mode, https)?);
        }
    }
    Ok(known)
}

fn mode(place: &Listener, https: &Https) -> ClientCertificates {
    let typed = place.client_certificates;
    typed.unwrap_or(https.client_certificates).into()
}

fn make(mode: ClientCertificates, https: &Https) -> Result<Tls, Failure> {
    let mut builder = Tls::builder().client_certificates(mode);
    for (chain, key) in &https.certificates {
        builder = builder.certificate(chain, key);
    }
    if let Some(ca) = &https.client_ca
        && mode != ClientCertificates::Off
    {
        builder = builder.client_ca(ca);
    }
    builder.build().map_err(Failure::usage)
}

fn listen(places: &[Listener], https: &Https) -> Result<Vec<Listen>, Failure> {
    let tls = tls(places, https)?;
    let mut inherited = Inherited::default();
    let mut all = Vec::new();
    for place in places {
        let listens = match &place.at {
            At::Tcp {
                address,
                dual_stack,
            } => vec![Listen::tcp(*address).dual_stack(*dual_stack)],
            At::Unix(path) => vec![unix(path, place.mode)?],
            At::Inherited(name) => inherited.take(name.as_deref())?,
        };
        for mut listen in listens {
            if let Some(networks) = &place.proxies {
                listen = listen.proxy_protocol(networks.iter().copied());
            }
            if place.scheme == Scheme::Https
                && let Some(tls) = tls.get(&mode(place, https))
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
        "another program listens there: stop it, or choose another port with --listen",
    ),
    (
        io::ErrorKind::PermissionDenied,
        "a port below 1024 may need rights: choose another one with --listen",
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

/// What is done to requests and answers for the sake of TLS.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    pub(crate) redirect: HttpsRedirectLayer,
    pub(crate) hsts: HstsLayer,
}

impl Layers {
    /// `None` where nothing is.
    pub(crate) fn of(https: &Https, bound: &Bound) -> Result<Option<Self>, Failure> {
        if https.redirect.is_none() && https.hsts.is_none() {
            return Ok(None);
        }
        let port = match https.redirect {
            Some(Redirect::To(port)) => Some(port),
            Some(Redirect::Ours) => Some(bound.https_port().ok_or_else(|| {
                Failure::usage("the https:// listeners have no one port: --https-redirect=PORT")
            })?),
            None => None,
        };
        Ok(Some(Self {
            redirect: HttpsRedirectLayer::new()
                .port(port.unwrap_or(443))
                .enabled(port.is_some()),
            hsts: HstsLayer::new()
                .max_age(https.hsts.unwrap_or_default())
                .enabled(https.hsts.is_some()),
        }))
    }
}
