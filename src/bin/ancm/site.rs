//! The front as `ancm run` keeps it: what the configuration changes while it serves, and what waits for a new start.

use std::sync::{Arc, Mutex, PoisonError};

use ancm::{
    config::{Config, Hsts, HttpsRedirect, Site},
    front::{
        Bound,
        https::{HstsLayer, HttpsRedirectLayer},
    },
};
use arc_swap::ArcSwap;
use tracing::{info, warn};

use crate::{
    args::DEFAULT_LISTEN,
    failure::Failure,
    front::{self, Spoken},
};

/// What is done to requests and answers for the sake of TLS.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    pub(crate) redirect: HttpsRedirectLayer,
    pub(crate) hsts: HstsLayer,
}

impl Layers {
    fn of(site: &Site, https_port: Option<u16>) -> Result<Self, &'static str> {
        let port = match site.https_redirect {
            Some(HttpsRedirect::To(port)) => Some(port),
            Some(HttpsRedirect::Ours) => Some(https_port.ok_or(
                "the https:// listeners have no one port: --https-redirect=PORT, or `httpsRedirect = PORT`",
            )?),
            Some(_) | None => None,
        };
        let time = match site.hsts {
            Some(Hsts::For(time)) => Some(time),
            Some(_) | None => None,
        };
        Ok(Self {
            redirect: HttpsRedirectLayer::new()
                .port(port.unwrap_or(443))
                .enabled(port.is_some()),
            hsts: HstsLayer::new()
                .max_age(time.unwrap_or_default())
                .enabled(time.is_some()),
        })
    }
}

/// What is typed, and what the configuration says where nothing is.
pub(crate) fn merged(typed: &Site, said: Option<&Site>) -> Result<Site, Failure> {
    let mut site = typed.clone();
    if let Some(said) = said {
        site = site.or(said);
    }
    if site.bindings.is_empty() {
        site.bindings.push(DEFAULT_LISTEN.into());
    }
    site.check().map_err(Failure::usage)?;
    Ok(site)
}

/// The certificates of `site`, where a wrong one is told with the key that names it, if it was not `typed`.
pub(crate) fn spoken(site: &Site, typed: &Site) -> Result<Spoken, Failure> {
    front::tls(site).map_err(|error| {
        let named = match (typed.certificates.is_empty(), typed.client_ca.is_some()) {
            (true, false) => "[[front.tls]] or `clientCa` of the TOML file",
            (true, true) => "[[front.tls]] of the TOML file, or --client-ca",
            (false, false) => "--tls-cert, --tls-key, or `clientCa` of the TOML file",
            (false, true) => "--tls-cert, --tls-key or --client-ca",
        };
        Failure::usage(format_args!(
            "{error}\n  hint: the file is named by {named}"
        ))
    })
}

/// What follows the configuration while the front serves.
#[derive(Debug)]
pub(crate) struct Live {
    typed: Site,
    current: Mutex<Site>,
    tls: Spoken,
    https_port: Option<u16>,
    /// `None` where nothing was wanted of them at the start, so that nobody pays for them.
    layers: Option<Arc<ArcSwap<Layers>>>,
}

impl Live {
    pub(crate) fn new(
        typed: Site,
        site: Site,
        tls: Spoken,
        bound: &Bound,
    ) -> Result<Self, Failure> {
        let https_port = bound.https_port();
        let layers = Layers::of(&site, https_port).map_err(Failure::usage)?;
        let nothing = HttpsRedirect::Off;
        let wanted = !tls.is_empty() || site.https_redirect.is_some_and(|to| to != nothing);
        Ok(Self {
            typed,
            current: Mutex::new(site),
            tls,
            https_port,
            layers: wanted.then(|| Arc::new(ArcSwap::from_pointee(layers))),
        })
    }

    /// What requests pass here before they get to the app: for a new connection, that of its moment.
    pub(crate) fn layers(&self) -> Option<&Arc<ArcSwap<Layers>>> {
        self.layers.as_ref()
    }

    /// Takes of a configuration that is in force now what can be taken, and says what can't.
    pub(crate) fn follow(&self, config: &Config) {
        let new = match merged(&self.typed, Some(config.site())) {
            Ok(site) => site,
            Err(error) => return warn!(%error, "Front stays as it is"),
        };
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == new {
            return;
        }
        let mut kept = new;
        for what in self.fixed(&current, &mut kept) {
            warn!(
                setting = what,
                "Setting changed, which takes effect when the module is started again"
            );
        }
        self.certificates(&current, &mut kept);
        self.wrap(&current, &mut kept);
        if *current != kept {
            info!("Front follows the configuration");
        }
        *current = kept;
    }

    /// Puts back what can't change now, and names it.
    fn fixed(&self, old: &Site, new: &mut Site) -> Vec<&'static str> {
        let mut fixed = Vec::new();
        if new.bindings != old.bindings {
            fixed.push("front.listen");
            new.bindings.clone_from(&old.bindings);
        }
        if new.client_cert != old.client_cert {
            fixed.push("front.clientCert");
            new.client_cert = old.client_cert;
        }
        if self.layers.is_none() && (new.https_redirect, new.hsts) != (old.https_redirect, old.hsts)
        {
            fixed.push("front.httpsRedirect and front.hsts");
            (new.https_redirect, new.hsts) = (old.https_redirect, old.hsts);
        }
        fixed
    }

    /// All of them or none: what could not be read leaves everything as it is.
    fn certificates(&self, old: &Site, new: &mut Site) {
        let of = |site: &Site| {
            (
                site.certificates.clone(),
                site.client_ca.clone(),
                site.tls_min_version,
            )
        };
        if of(old) == of(new) || self.tls.is_empty() {
            return;
        }
        // Read once before anything is replaced.
        let read = front::tls(new).map(drop);
        let replaced = read.and_then(|()| {
            let mut all = self.tls.iter();
            all.try_for_each(|(mode, tls)| tls.replace(front::speak(*mode, new)))
        });
        match replaced {
            Ok(()) => {}
            Err(error) => {
                warn!(%error, "TLS stays as it is");
                (new.certificates, new.client_ca, new.tls_min_version) = of(old);
            }
        }
    }

    fn wrap(&self, old: &Site, new: &mut Site) {
        let Some(layers) = &self.layers else {
            return;
        };
        match Layers::of(new, self.https_port) {
            Ok(made) => layers.store(Arc::new(made)),
            Err(error) => {
                warn!(error, "Redirection stays as it is");
                (new.https_redirect, new.hsts) = (old.https_redirect, old.hsts);
            }
        }
    }
}
