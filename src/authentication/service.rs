//! The service.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    HeaderMap, Request, Response,
    header::{AUTHORIZATION, FORWARDED, VIA},
};
use tokio::time::Instant;
use tower_service::Service;
use tracing::{debug, info};

use super::{
    ResponseFuture,
    challenge::{self, Announcement, Challenges},
    connection::Kept,
    credentials::Credentials,
    layer::Rules,
    negotiate::{Exchange, Negotiate, Refused, Step},
    passwords::{Client, Refusal},
    user::User,
};
use crate::{Connection, Identity, ResponseBody, headers::X_FORWARDED_FOR};

/// Asks clients who they are before the inner service is asked anything. See the [module](super).
#[derive(Clone, Debug)]
pub struct Authenticated<S> {
    inner: S,
    rules: Arc<Rules>,
    connection: Option<Connection>,
    kept: Option<Arc<Kept>>,
}

impl<S> Authenticated<S> {
    pub(super) fn new(
        inner: S,
        rules: Arc<Rules>,
        connection: Option<Connection>,
        kept: Option<Arc<Kept>>,
    ) -> Self {
        Self {
            inner,
            rules,
            connection,
            kept,
        }
    }
}

impl<S, B, R> Service<Request<B>> for Authenticated<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if !self.rules.apply() {
            return ResponseFuture::forward(self.inner.call(request), None);
        }
        self.rules.clear(request.headers_mut());
        User::clear(request.extensions_mut());
        let scheme = match &self.connection {
            Some(connection) => connection.scheme(),
            None => Connection::of(request.extensions()).scheme(),
        };
        let challenges = self.rules.challenges(scheme, request.version());
        match Credentials::of(request.headers(), self.rules.ours(scheme)) {
            Credentials::None => self.without(request, challenges),
            Credentials::Broken(reason) => {
                debug!(reason, "Credentials refused");
                self.forget();
                ResponseFuture::refused(challenges.refusal())
            }
            Credentials::Negotiate(_) if challenges.http11 => {
                ResponseFuture::refused(challenges.refusal())
            }
            credentials @ (Credentials::Negotiate(_) | Credentials::Basic(..)) => {
                self.with(request, credentials, challenges)
            }
        }
    }
}

impl<S> Authenticated<S> {
    /// A request that proves nothing.
    fn without<B, R>(
        &mut self,
        mut request: Request<B>,
        challenges: Challenges,
    ) -> ResponseFuture<S::Future, R, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        let kept = self.kept.as_ref().filter(|_| self.keeps(request.headers()));
        if let Some(user) = kept.and_then(|kept| kept.user()) {
            introduce(&self.rules, &mut request, user);
            return ResponseFuture::forward(self.inner.call(request), None);
        }
        if self.rules.anonymous {
            return ResponseFuture::forward(self.inner.call(request), Some(challenges));
        }
        ResponseFuture::refused(challenges.refusal())
    }

    /// A request that proves something, or tries to.
    fn with<B, R>(
        &mut self,
        mut request: Request<B>,
        credentials: Credentials,
        challenges: Challenges,
    ) -> ResponseFuture<S::Future, R, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
    {
        self.forget();
        let keeps = self.keeps(request.headers());
        let (rules, kept) = (Arc::clone(&self.rules), self.kept.clone());
        let connection = self.connection.as_ref();
        let client = rules.client(connection, request.headers(), request.extensions());
        let fresh = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, fresh);
        ResponseFuture::deciding(Box::pin(async move {
            let proved = prove(&rules, kept.as_deref(), client, credentials).await;
            let (user, announcement) = match proved {
                Ok(Proved::User(user, token)) => (user, token),
                Ok(Proved::NotYet(token)) => return Ok(challenge::next(&token)),
                Err(unproved) => return Ok(unproved.answer(&challenges)),
            };
            let announcement = announcement.map(|token| Announcement { token, kept: keeps });
            if let (Some(_), true, Some(kept)) = (&announcement, keeps, &kept) {
                kept.keep_user(user.clone());
            }
            introduce(&rules, &mut request, user);
            let mut response = inner.call(request).await?;
            if let Some(announcement) = announcement {
                announcement.add_to(response.headers_mut());
            }
            Ok(response.map(ResponseBody::inner))
        }))
    }

    /// Whether a user may be kept for the connection of a request with these headers.
    fn keeps(&self, headers: &HeaderMap) -> bool {
        let proxied = [VIA, FORWARDED, X_FORWARDED_FOR];
        let keeps = self.rules.keep_user && self.rules.negotiate.is_some();
        keeps && !proxied.iter().any(|name| headers.contains_key(name))
    }

    fn forget(&self) {
        if let Some(kept) = &self.kept {
            kept.forget_user();
        }
    }
}

enum Proved {
    /// With what `Negotiate` gives the client of it.
    User(User, Option<Option<Vec<u8>>>),
    NotYet(Vec<u8>),
}

enum Unproved {
    Ticket(Refused),
    Password(Refusal),
}

impl Unproved {
    /// What the client gets, and a line of the log; what may come often has its own.
    fn answer<B>(&self, challenges: &Challenges) -> Response<ResponseBody<B>> {
        match self {
            Self::Ticket(reason) => info!(%reason, "User refused"),
            Self::Password(Refusal::Wrong { known: false }) => {
                info!(reason = "user or password is wrong", "User refused");
            }
            Self::Password(Refusal::Wrong { known: true }) => {
                debug!(reason = "user or password is wrong still", "User refused");
            }
            Self::Password(Refusal::TooMany(time)) => return challenge::too_many(*time),
            Self::Password(Refusal::Busy) => return challenge::busy(),
        }
        challenges.refusal()
    }
}

async fn prove(
    rules: &Rules,
    kept: Option<&Kept>,
    client: Client,
    credentials: Credentials,
) -> Result<Proved, Unproved> {
    match (credentials, &rules.negotiate, &rules.basic) {
        (Credentials::Negotiate(token), Some(negotiate), _) => {
            let proved = exchange(negotiate, kept, token).await;
            proved.map_err(Unproved::Ticket)
        }
        (Credentials::Basic(user, password), _, Some(basic)) => {
            let passwords = &basic.passwords;
            let proved = passwords.prove(&rules.attempts, client, user, password);
            let user = proved.await.map_err(Unproved::Password)?;
            Ok(Proved::User(user.into(), None))
        }
        (_, _, _) => Err(Unproved::Ticket(Refused::new("that was not offered"))),
    }
}

async fn exchange(
    negotiate: &Negotiate,
    kept: Option<&Kept>,
    token: Vec<u8>,
) -> Result<Proved, Refused> {
    let begun = kept.and_then(Kept::take_exchange);
    let (exchange, begun) = begun.unwrap_or_else(|| (negotiate.mechanism.begin(), Instant::now()));
    match (negotiate.step(exchange, token).await?, kept) {
        ((Step::Done(identity, token), exchange), _) => {
            Ok(Proved::User(of(exchange, identity), Some(token)))
        }
        ((Step::Continue(token), exchange), Some(kept)) => {
            kept.keep_exchange(exchange, begun);
            Ok(Proved::NotYet(token))
        }
        ((Step::Continue(_), _), None) => Err(Refused::new(
            "the proof takes several requests, and it is not known which belong to one connection",
        )),
    }
}

/// The user of an exchange that is done.
#[cfg(windows)]
fn of(mut exchange: Box<dyn Exchange>, identity: Identity) -> User {
    User::of_windows(identity, exchange.windows_user())
}

#[cfg(not(windows))]
fn of(_: Box<dyn Exchange>, identity: Identity) -> User {
    identity.into()
}

/// Tells the app who asks; what proved it was for us alone.
fn introduce<B>(rules: &Rules, request: &mut Request<B>, user: User) {
    request.headers_mut().remove(AUTHORIZATION);
    rules.name(request.headers_mut(), &user.identity);
    user.introduce(request.extensions_mut());
}
