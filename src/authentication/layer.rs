//! What is offered, and the layer that offers it.

use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Version};
use ipnet::IpNet;
use tower_layer::Layer;

use super::{
    Authenticated, CheckPassword,
    basic::Basic,
    challenge::Challenges,
    connection::Kept,
    credentials::Ours,
    negotiate::{Mechanism, Negotiate},
    passwords::{Client, Passwords},
};
use crate::{Connection, Identity, Scheme, config::Attempts, proxy::Ranges};

/// Finds out who a client is. See the [module](super).
///
/// A front that makes one service for each connection calls [`for_connection`](Self::for_connection); without it, a proof
/// has to be complete in one request, which Kerberos's usually is.
///
/// ```
/// use std::sync::Arc;
/// use ancm::{Identity, authentication::{AuthenticationLayer, Check, CheckPassword}};
///
/// /// Alice, and nobody else.
/// struct Alice;
///
/// impl CheckPassword for Alice {
///     fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Check<'a> {
///         let right = (user, password) == ("alice", "correct horse"); // from a store, compared in constant time
///         Box::pin(async move { right.then(|| Identity::new("Basic", user)) })
///     }
/// }
///
/// let layer = AuthenticationLayer::new().anonymous(false).basic("shop", Arc::new(Alice));
/// # let _ = layer;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthenticationLayer {
    rules: Arc<Rules>,
    connection: Option<Connection>,
    kept: Option<Arc<Kept>>,
}

/// What is offered, the same for every connection of an app.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) anonymous: bool,
    pub(super) negotiate: Option<Negotiate>,
    pub(super) basic: Option<Basic>,
    pub(super) attempts: Attempts,
    /// Who may say whose a request is.
    pub(super) proxies: Ranges,
    pub(super) keep_user: bool,
    pub(super) user_header: Option<HeaderName>,
}

impl AuthenticationLayer {
    /// Lets everybody pass, unread.
    pub fn new() -> Self {
        Self {
            rules: Arc::new(Rules {
                anonymous: true,
                negotiate: None,
                basic: None,
                attempts: Attempts::new(),
                proxies: Ranges::default(),
                keep_user: false,
                user_header: None,
            }),
            connection: None,
            kept: None,
        }
    }

    /// Sets whether a client may be nobody (`anonymousAuthentication`). Default true. With false and nothing else that
    /// is offered, nobody comes in.
    pub fn anonymous(self, anonymous: bool) -> Self {
        self.with(|rules| rules.anonymous = anonymous)
    }

    /// Offers `Negotiate` (`windowsAuthentication`). Default: not offered.
    pub fn negotiate(self, mechanism: Arc<dyn Mechanism>) -> Self {
        self.with(|rules| rules.negotiate = Some(Negotiate::new(mechanism)))
    }

    /// Offers Basic (`basicAuthentication`) to clients that come by HTTPS. Default: not offered.
    ///
    /// The layer and all that is made of it count one client's [attempts](Self::attempts) together.
    pub fn basic(self, realm: &str, users: Arc<dyn CheckPassword>) -> Self {
        self.passwords(realm, Arc::new(Passwords::new(users)))
    }

    /// [`basic`](Self::basic), with what came of passwords so far.
    pub(crate) fn passwords(self, realm: &str, passwords: Arc<Passwords>) -> Self {
        self.with(|rules| rules.basic = Some(Basic::new(realm, passwords)))
    }

    /// Sets whether Basic is offered in cleartext, too, where everybody on the way can read the password. Default
    /// false. To be called after [`basic`](Self::basic).
    pub fn basic_over_cleartext(self, offer: bool) -> Self {
        self.with(|rules| {
            if let Some(basic) = &mut rules.basic {
                basic.over_cleartext = offer;
            }
        })
    }

    /// Sets how often a password may be tried. Default [`Attempts::new`]: 10 wrong ones from one address in 5 minutes.
    ///
    /// More are answered with 429, and with 503 where too many are being checked; both with `Retry-After`. All whose address
    /// is not known are one client: those of a Unix socket without the PROXY protocol, and all of a server that puts no
    /// [`Connection`] into the requests, as `axum::serve` does without connect info.
    pub fn attempts(self, attempts: Attempts) -> Self {
        self.with(|rules| rules.attempts = attempts)
    }

    /// Sets whose `X-Forwarded-For` says from which address a password comes. Default: nobody's, so that all who come through
    /// a proxy are one client.
    pub fn trusted_proxies(self, proxies: impl IntoIterator<Item = IpNet>) -> Self {
        let proxies: Vec<_> = proxies.into_iter().collect();
        self.with(|rules| rules.proxies = Ranges::new(&proxies))
    }

    /// Sets whether the user whom `Negotiate` found is the user of all later requests of the connection, as in IIS.
    /// Default false: a proxy in front that sends several users' requests through one connection would mix them.
    pub fn keep_user(self, keep: bool) -> Self {
        self.with(|rules| rules.keep_user = keep)
    }

    /// Tells the user to the app in this header, as `alice@REALM`; what a client sends by that name is dropped. For
    /// apps without our app half. Default: in none.
    pub fn user_header(self, name: HeaderName) -> Self {
        self.with(|rules| rules.user_header = Some(name))
    }

    /// The same for the requests of one connection: exchanges of several tokens become possible.
    pub fn for_connection(&self, connection: Connection) -> Self {
        Self {
            rules: Arc::clone(&self.rules),
            connection: Some(connection),
            kept: Some(Arc::default()),
        }
    }

    /// The same, with what this layer's connection has proved so far.
    pub(crate) fn after(self, old: &Self) -> Self {
        Self {
            rules: self.rules,
            connection: old.connection.clone(),
            kept: old.kept.clone(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }
}

impl Default for AuthenticationLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for AuthenticationLayer {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticated::new(
            inner,
            Arc::clone(&self.rules),
            self.connection.clone(),
            self.kept.clone(),
        )
    }
}

impl Rules {
    /// Whether there is anything to be looked at: a client that names a user is not believed where nobody can prove to be one.
    pub(super) fn apply(&self) -> bool {
        !self.anonymous
            || self.negotiate.is_some()
            || self.basic.is_some()
            || self.user_header.is_some()
    }

    fn offers_basic(&self, scheme: Scheme) -> Option<&Basic> {
        let basic = self.basic.as_ref()?;
        (basic.over_cleartext || scheme == Scheme::Https).then_some(basic)
    }

    pub(super) fn ours(&self, scheme: Scheme) -> Ours {
        Ours {
            negotiate: self.negotiate.is_some(),
            basic: self.offers_basic(scheme).is_some(),
        }
    }

    pub(super) fn challenges(&self, scheme: Scheme, version: Version) -> Challenges {
        let one = version < Version::HTTP_2;
        let basic = self.offers_basic(scheme);
        Challenges {
            negotiate: self.negotiate.is_some() && one,
            http11: self.negotiate.is_some() && !one,
            basic: basic.map(|basic| basic.challenge.clone()),
        }
    }

    /// Whose password a request with `headers` brings.
    pub(super) fn client(
        &self,
        connection: Option<&Connection>,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Client {
        let peer = match connection {
            Some(connection) => connection.peer(),
            None => Connection::of(extensions).peer(),
        };
        Client::of(peer.map(|peer| peer.ip()), headers, &self.proxies)
    }

    /// Takes out what a client says of its user, in any spelling that some app may take for the header.
    pub(super) fn clear(&self, headers: &mut HeaderMap) {
        let Some(header) = &self.user_header else {
            return;
        };
        let aliases: Vec<_> = headers
            .keys()
            .filter(|name| is_alias(name, header))
            .cloned()
            .collect();
        for name in aliases {
            headers.remove(name);
        }
    }

    /// Tells the user.
    pub(super) fn name(&self, headers: &mut HeaderMap, user: &Identity) {
        let Some(header) = &self.user_header else {
            return;
        };
        if let Ok(value) = HeaderValue::try_from(user.principal()) {
            headers.insert(header.clone(), value);
        }
    }
}

/// Some apps take `-` and `_` for the same.
fn is_alias(name: &HeaderName, header: &HeaderName) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name.as_str()
        .bytes()
        .map(fold)
        .eq(header.as_str().bytes().map(fold))
}
