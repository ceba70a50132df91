//! What there is to check who a client is, and what of it the configuration offers.

use std::sync::Arc;

use crate::{
    authentication::{AuthenticationLayer, Passwords, negotiate::Mechanism},
    config::Config,
};

/// By what users can prove who they are.
#[derive(Clone, Default)]
pub(super) struct Proofs {
    pub(super) negotiate: Option<Arc<dyn Mechanism>>,
    /// With what came of passwords so far, whatever becomes of the configuration.
    pub(super) basic: Option<(String, Arc<Passwords>)>,
}

impl Proofs {
    /// What the configuration offers, as far as it can be checked.
    pub(super) fn layer(&self, config: &Config) -> AuthenticationLayer {
        let kinds = config.authentication();
        let settings = config.handler_settings();
        let mut layer = AuthenticationLayer::new()
            .anonymous(kinds.anonymous())
            .keep_user(settings.keep_user());
        if let Some(name) = settings.user_header() {
            layer = layer.user_header(name.clone());
        }
        if let Some(mechanism) = self.negotiate.as_ref().filter(|_| kinds.windows()) {
            layer = layer.negotiate(Arc::clone(mechanism));
        }
        if let Some((realm, passwords)) = self.basic.as_ref().filter(|_| kinds.basic()) {
            let realm = settings.basic_realm().unwrap_or(realm);
            layer = layer
                .passwords(realm, Arc::clone(passwords))
                .basic_over_cleartext(settings.basic_over_cleartext())
                .attempts(settings.basic_attempts().clone())
                .trusted_proxies(config.forwarding().trusted_proxies().iter().copied());
        }
        layer
    }
}
