//! The user whom our own host half authenticated.

use std::{ops::ControlFlow, sync::Arc, time::SystemTime};

use http::{HeaderMap, Request, StatusCode};
use tower_layer::Layer;
use tracing::warn;

use super::stage::{Guard, Guarded, Rewrite, Rewriting};
use crate::{
    Identity, PairingToken, SealError, headers::MS_ASPNETCORE_IDENTITY, occasionally::Occasionally,
};

/// Opens the identity that the host half sealed, which the app then finds as an [`Identity`] in the request's extensions.
///
/// Part of an [`AncmLayer`](super::AncmLayer). A request whose seal is broken or has ended goes on without a user, and the
/// log says so. The header is taken out in any case.
#[derive(Clone, Debug)]
#[must_use]
pub struct SealedIdentityLayer {
    token: PairingToken,
    refusals: Arc<Occasionally>,
}

impl SealedIdentityLayer {
    /// Believes what was sealed with `token`.
    pub fn new(token: PairingToken) -> Self {
        Self {
            token,
            refusals: Arc::default(),
        }
    }

    fn open(&self, headers: &HeaderMap, now: SystemTime) -> Option<Identity> {
        let mut values = headers.get_all(MS_ASPNETCORE_IDENTITY).iter();
        let first = values.next()?;
        let opened = match values.next() {
            None => Identity::open(first.as_bytes(), &self.token, now),
            Some(_) => Err(SealError::ambiguous()),
        };
        if let Err(error) = &opened
            && let Some(count) = self.refusals.due()
        {
            warn!(%error, count, "User ignored");
        }
        opened.ok()
    }
}

impl Rewrite for SealedIdentityLayer {
    fn rewrite<B>(&self, request: &mut Request<B>) {
        if !request.headers().contains_key(MS_ASPNETCORE_IDENTITY) {
            return;
        }
        let identity = self.open(request.headers(), SystemTime::now());
        request.headers_mut().remove(MS_ASPNETCORE_IDENTITY);
        if let Some(identity) = identity {
            request.extensions_mut().insert(identity);
        }
    }
}

impl<S> Layer<S> for SealedIdentityLayer {
    type Service = Rewriting<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Rewriting::new(inner, self.clone())
    }
}

/// Answers 401 to requests without a user, and 403 to users who are in none of the groups that are asked for.
///
/// The 401 names no `WWW-Authenticate`: which proof is wanted is for the front to say, which asks for it.
///
/// ```
/// # use std::convert::Infallible;
/// use ancm::{Identity, app::RequireUserLayer};
/// use http::{Request, Response, StatusCode};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = RequireUserLayer::new().in_group("admins").layer(service_fn(|_: Request<()>| async {
///     Ok::<_, Infallible>(Response::new(()))
/// }));
/// let bob = Identity::new("Basic", "bob").with_groups(["staff"]);
/// for (user, status) in [
///     (None, StatusCode::UNAUTHORIZED),
///     (Some(bob.clone()), StatusCode::FORBIDDEN),
///     (Some(bob.with_groups(["admins"])), StatusCode::OK),
/// ] {
///     let mut request = Request::new(());
///     if let Some(user) = user {
///         request.extensions_mut().insert(user); // as the app half does
///     }
///     assert_eq!(app.clone().oneshot(request).await?.status(), status);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RequireUserLayer {
    groups: Arc<[String]>,
}

impl RequireUserLayer {
    /// Lets every user pass, and nobody else.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets users of this group pass, and of those named before. Defaults to all users.
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.groups = self.groups.iter().cloned().chain([group.into()]).collect();
        self
    }
}

impl Guard for RequireUserLayer {
    fn admit<B>(&self, request: &mut Request<B>) -> ControlFlow<StatusCode> {
        let Some(user) = request.extensions().get::<Identity>() else {
            return ControlFlow::Break(StatusCode::UNAUTHORIZED);
        };
        let any = self.groups.is_empty() || self.groups.iter().any(|group| user.is_in_group(group));
        if any {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(StatusCode::FORBIDDEN)
        }
    }
}

impl<S> Layer<S> for RequireUserLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(inner, self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn sealed(token: &PairingToken) -> String {
        let user = Identity::new("Negotiate", "alice");
        user.seal(token, SystemTime::now(), MINUTE).unwrap()
    }

    fn user(token: &PairingToken, values: &[String]) -> (Option<String>, usize) {
        let mut request = Request::new(());
        for value in values {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().append(MS_ASPNETCORE_IDENTITY, value);
        }
        SealedIdentityLayer::new(token.clone()).rewrite(&mut request);
        let user = request.extensions().get::<Identity>();
        (
            user.map(|user| user.name().to_owned()),
            request.headers().len(),
        )
    }

    #[test]
    fn one_whole_seal_of_this_process_is_a_user() {
        let token = PairingToken::generate();
        let (mine, other) = (sealed(&token), sealed(&PairingToken::generate()));
        let alice = (Some("alice".to_owned()), 0);
        assert_eq!(user(&token, std::slice::from_ref(&mine)), alice);
        for values in [
            vec![],
            vec![String::new()],
            vec!["alice".to_owned()],
            vec![other],
            vec![mine.clone(), mine],
        ] {
            assert_eq!(user(&token, &values), (None, 0), "{values:?}");
        }
    }

    #[test]
    fn what_has_ended_is_no_user() {
        let token = PairingToken::generate();
        let long_ago = SystemTime::now() - MINUTE * 2;
        let old = Identity::new("Negotiate", "alice")
            .seal(&token, long_ago, MINUTE)
            .unwrap();
        assert_eq!(user(&token, &[old]), (None, 0));
    }

    #[test]
    fn any_of_the_groups_will_do() {
        let layer = RequireUserLayer::new().in_group("a").in_group("b");
        for (groups, want) in [
            (&["b"] as &[&str], ControlFlow::Continue(())),
            (&["c", "a"], ControlFlow::Continue(())),
            (&["c", "A"], ControlFlow::Break(StatusCode::FORBIDDEN)),
            (&[], ControlFlow::Break(StatusCode::FORBIDDEN)),
        ] {
            let mut request = Request::new(());
            let user = Identity::new("Basic", "bob").with_groups(groups.iter().copied());
            request.extensions_mut().insert(user);
            assert_eq!(layer.admit(&mut request), want, "{groups:?}");
        }
    }
}
