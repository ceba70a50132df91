//! Lets only Windows users pass, or only some of them.

use std::{ops::ControlFlow, sync::Arc};

use http::{Request, StatusCode};
use tower_layer::Layer;
use tracing::warn;

use super::{
    super::stage::{Guard, Guarded},
    user::WindowsIdentity,
};

/// Answers 401 to requests without a [`WindowsIdentity`], and 403 where the user is in none of the groups.
///
/// Neither answer has a body or a challenge: IIS adds its own (`WWW-Authenticate: Negotiate`). It belongs behind an
/// [`IdentityLayer`](super::IdentityLayer), such as [`AncmLayer`](crate::app::AncmLayer) has, and may stand before a single route.
///
/// ANCM: the scheme `Windows` challenges with 401 and forbids with 403.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RequireWindowsUserLayer {
    groups: Arc<Vec<String>>,
}

impl RequireWindowsUserLayer {
    /// Any user whom the front end authenticated.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only members of `group`, or of another that is also named: `DOMAIN\group` in any case, or a security
    /// identifier. Defaults to no group, which is any user.
    ///
    /// Names are looked up for each request, which may block for as long as a domain controller takes to answer;
    /// identifiers are not. A group that can't be looked up has no members, and the log says so.
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.groups).push(group.into());
        self
    }

    fn allows(&self, user: &WindowsIdentity) -> bool {
        let is_member = |group: &String| {
            user.is_in_group(group).unwrap_or_else(|error| {
                warn!(%error, group, "Group unknown: taken for one without members");
                false
            })
        };
        self.groups.is_empty() || self.groups.iter().any(is_member)
    }
}

impl Guard for RequireWindowsUserLayer {
    fn admit<B>(&self, request: &mut Request<B>) -> ControlFlow<StatusCode> {
        match request.extensions().get() {
            None => ControlFlow::Break(StatusCode::UNAUTHORIZED),
            Some(user) if self.allows(user) => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(StatusCode::FORBIDDEN),
        }
    }
}

impl<S> Layer<S> for RequireWindowsUserLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(inner, self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{IdentityLayer, stage::Rewrite},
        headers::MS_ASPNETCORE_WINAUTHTOKEN,
    };

    #[test]
    fn nobody_is_asked_to_say_who_it_is() {
        for layer in [
            RequireWindowsUserLayer::new(),
            RequireWindowsUserLayer::new().in_group("S-1-1-0"),
        ] {
            let verdict = layer.admit(&mut Request::new(()));
            assert_eq!(verdict, ControlFlow::Break(StatusCode::UNAUTHORIZED));
        }
    }

    #[test]
    fn a_number_that_is_no_token_is_nobody() {
        for number in ["ffffffff", "fffffffa", "0", "7ffffffc", "nobody"] {
            let request = Request::builder().header(MS_ASPNETCORE_WINAUTHTOKEN, number);
            let mut request = request.body(()).unwrap();
            IdentityLayer::new().rewrite(&mut request);
            assert!(request.headers().is_empty());
            let verdict = RequireWindowsUserLayer::new().admit(&mut request);
            assert_eq!(
                verdict,
                ControlFlow::Break(StatusCode::UNAUTHORIZED),
                "{number}"
            );
        }
    }
}
