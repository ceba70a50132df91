//! Rejects requests that did not come through the module.

use std::{ops::ControlFlow, sync::Arc};

use http::{HeaderMap, Request, StatusCode};
use tower_layer::Layer;
use tracing::warn;

use super::stage::{Guard, Guarded};
use crate::{PairingToken, headers::MS_ASPNETCORE_TOKEN, occasionally::Occasionally};

/// Answers 400 to every request that does not carry the pairing token, and nothing else.
///
/// An app behind the module listens on a port of the loopback, where any local user can reach it. Who comes
/// past the front end could claim any client address and any certificate; the token tells the two apart.
///
/// ```
/// # use std::convert::Infallible;
/// use ancm::{PairingToken, app::PairingLayer, headers::MS_ASPNETCORE_TOKEN};
/// use http::{Request, Response, StatusCode};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let token = PairingToken::generate();
/// let layer = PairingLayer::new(token.clone());
/// let app = layer.layer(service_fn(|_: Request<()>| async {
///     Ok::<_, Infallible>(Response::new(String::from("hello")))
/// }));
///
/// let response = app.clone().oneshot(Request::new(())).await?;
/// assert_eq!(response.status(), StatusCode::BAD_REQUEST);
/// assert_eq!(layer.rejected(), 1);
///
/// let mut request = Request::new(());
/// request.headers_mut().insert(MS_ASPNETCORE_TOKEN, token.header_value().clone());
/// assert_eq!(app.oneshot(request).await?.status(), StatusCode::OK);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PairingLayer {
    token: PairingToken,
    keep_header: bool,
    rejections: Arc<Occasionally>,
}

impl PairingLayer {
    /// Lets those pass who know `token`.
    #[must_use]
    pub fn new(token: PairingToken) -> Self {
        Self {
            token,
            keep_header: false,
            rejections: Arc::default(),
        }
    }

    /// Whether the app sees the token's header. Defaults to `false`.
    ///
    /// Differs from ANCM: the real middleware leaves it there, where an app's log may pick it up.
    #[must_use]
    pub fn keep_header(mut self, keep: bool) -> Self {
        self.keep_header = keep;
        self
    }

    /// How many requests were rejected, by this layer and by all clones of it.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejections.count()
    }

    /// ANCM: the text as a whole, and exactly one of it; there two values are joined and so never match.
    /// Differs from ANCM: in constant time, and what is expected is not logged.
    fn knows_token(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(MS_ASPNETCORE_TOKEN).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => self.token.matches(value.as_bytes()),
            (None | Some(_), _) => false,
        }
    }

    /// As [`knows_token`](Self::knows_token), and takes the token out, with one search for it.
    fn takes_token(&self, headers: &mut HeaderMap) -> bool {
        let before = headers.len();
        // Gives the first of several, and drops the others.
        let value = headers.remove(MS_ASPNETCORE_TOKEN);
        let only = before - headers.len() == 1;
        only && value.is_some_and(|value| self.token.matches(value.as_bytes()))
    }
}

impl Guard for PairingLayer {
    fn admit<B>(&self, request: &mut Request<B>) -> ControlFlow<StatusCode> {
        let paired = match self.keep_header {
            true => self.knows_token(request.headers()),
            false => self.takes_token(request.headers_mut()),
        };
        if paired {
            return ControlFlow::Continue(());
        }
        if let Some(rejected) = self.rejections.due() {
            warn!(
                rejected,
                "Request rejected: it did not come through the front end, which alone knows the pairing token"
            );
        }
        ControlFlow::Break(StatusCode::BAD_REQUEST)
    }
}

impl<S> Layer<S> for PairingLayer {
    type Service = Guarded<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(inner, self.clone())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn request(tokens: &[&'static str]) -> Request<()> {
        let mut request = Request::new(());
        for token in tokens {
            let value = HeaderValue::from_static(token);
            request.headers_mut().append(MS_ASPNETCORE_TOKEN, value);
        }
        request
    }

    #[test]
    fn takes_exactly_one_token_and_the_right_one() {
        let layer = PairingLayer::new(PairingToken::new("secret").unwrap());
        let keeping = layer.clone().keep_header(true);
        assert!(layer.admit(&mut request(&["secret"])).is_continue());
        let wrong: [&[&str]; 7] = [
            &[],
            &[""],
            &["Secret"],
            &["secre"],
            &["secrets"],
            &["secret", "secret"],
            &["wrong", "secret"],
        ];
        for tokens in wrong {
            assert_eq!(
                layer.admit(&mut request(tokens)),
                ControlFlow::Break(StatusCode::BAD_REQUEST),
                "{tokens:?}"
            );
            assert!(keeping.admit(&mut request(tokens)).is_break(), "{tokens:?}");
        }
        assert_eq!(layer.clone().rejected(), 14);
    }

    #[test]
    fn the_app_sees_the_token_only_if_it_asks_to() {
        let layer = PairingLayer::new(PairingToken::new("secret").unwrap());
        for (keep, seen) in [(false, 0), (true, 1)] {
            let mut request = request(&["secret"]);
            let _ = layer.clone().keep_header(keep).admit(&mut request);
            assert_eq!(request.headers().len(), seen);
        }
    }
}
