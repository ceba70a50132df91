//! What follows the configuration while connections are open.

use std::sync::Arc;

use super::{live::Live, proofs::Proofs};
use crate::{
    authentication::AuthenticationLayer,
    config::{Config, Vars},
    error::ErrorPage,
    proxy::{Proxy, ProxyOptions},
};

/// What follows the configuration while connections are open.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) authentication: AuthenticationLayer,
    pub(super) page: ErrorPage,
    pub(super) proxy: Proxy,
}

/// Who is told of a configuration.
pub(super) type Told = dyn Fn(&Config) + Send + Sync;

/// What settings are made of, beside a configuration.
pub(super) struct Recipe {
    pub(super) vars: Arc<dyn Vars>,
    pub(super) proofs: Proofs,
    /// Whether the app is hosted in a worker.
    pub(super) in_worker: bool,
}

impl Recipe {
    /// Those of `config`, with what `proxy` makes of its options.
    pub(super) fn settings(
        &self,
        config: &Config,
        proxy: impl FnOnce(ProxyOptions) -> Proxy,
    ) -> Settings {
        Settings {
            authentication: self.proofs.layer(config),
            page: error_page(config, &*self.vars),
            proxy: proxy(proxy_options(config, self.in_worker)),
        }
    }

    /// Has `settings` follow each configuration that is said to be in force, and then tells `told`.
    pub(super) fn follow(
        self,
        settings: Arc<Live<Settings>>,
        told: Option<Arc<Told>>,
    ) -> Box<Told> {
        Box::new(move |config| {
            let (_, old) = settings.current();
            settings.replace(self.settings(config, |options| old.proxy.reconfigured(options)));
            if let Some(told) = &told {
                told(config);
            }
        })
    }
}

/// `in_worker`: whether the app is hosted in process. Then it keeps to `maxAllowedContentLength` itself, and (ANCM) has no
/// `requestTimeout`, whether its requests are forwarded or not.
fn proxy_options(config: &Config, in_worker: bool) -> ProxyOptions {
    let settings = config.handler_settings();
    let said = config.max_allowed_content_length().map(u64::from);
    let longest = config.forwarding().max_body_size();
    ProxyOptions::new()
        .forwarding(config.forwarding())
        .max_body_size(longest.or(said.filter(|_| !in_worker)))
        .path_base(config.path_base())
        .request_timeout(config.request_timeout().filter(|_| !in_worker))
        .forward_response_connection_header(settings.forward_response_connection_header())
        .websockets(config.websockets())
        .windows_user(config.forward_windows_auth_token())
        .retry(config.processes().retry())
}

fn error_page(config: &Config, vars: &dyn Vars) -> ErrorPage {
    let link = vars
        .text("ANCM_ADDITIONAL_ERROR_PAGE_LINK")
        .filter(|link| !link.is_empty());
    ErrorPage::new()
        .detailed(config.detailed_errors(vars))
        .detailed_to_loopback(config.handler_settings().detailed_errors_to_loopback())
        .startup_page_disabled(config.disable_start_up_error_page())
        .retry_after(config.processes().queue_retry_after())
        .link(link)
}
