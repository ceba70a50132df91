//! Takes the path base off the path, so that the app's routes need not know where it is mounted.

use http::{Request, Uri, uri::PathAndQuery};
use tower_layer::Layer;

use super::stage::{Rewrite, Rewriting};
use crate::PathBase;

/// Takes the path base off the path of requests below it.
///
/// The app finds it, as the client wrote it, as a [`PathBase`] in the request's extensions. Requests that are not
/// below it pass unchanged. Bytes are compared and moved, none is decoded, and the query stays.
///
/// It must stand outside of an axum `Router`: a layer given to `Router::layer` runs when the route is chosen.
///
/// ```
/// # use std::convert::Infallible;
/// use ancm::{PathBase, app::PathBaseLayer};
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = PathBaseLayer::new("/shop".parse()?);
/// let app = layer.layer(service_fn(|request: Request<()>| async move {
///     assert_eq!(request.uri(), "/cart?page=2");
///     let base = request.extensions().get::<PathBase>().expect("it was below the base");
///     Ok::<_, Infallible>(Response::new(base.join("/checkout")))
/// }));
///
/// let response = app.oneshot(Request::get("/Shop/cart?page=2").body(())?).await?;
/// assert_eq!(response.body(), "/Shop/checkout");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PathBaseLayer {
    base: PathBase,
}

impl PathBaseLayer {
    /// For an app at `base`; does nothing where that is the root.
    #[must_use]
    pub fn new(base: PathBase) -> Self {
        Self { base }
    }

    /// The base that it takes off.
    #[must_use]
    pub fn path_base(&self) -> &PathBase {
        &self.base
    }
}

impl Rewrite for PathBaseLayer {
    fn rewrite<B>(&self, request: &mut Request<B>) {
        if self.base.is_root() {
            return;
        }
        let Some((base, uri)) = strip(&self.base, request.uri()) else {
            return;
        };
        let original = std::mem::replace(request.uri_mut(), uri);
        let extensions = request.extensions_mut();
        // A proxy in front may have taken off more: X-Forwarded-Prefix.
        let base = match extensions.get::<PathBase>() {
            Some(outer) => outer.then(&base),
            None => base,
        };
        extensions.insert(base);
        keep_original(extensions, original);
    }
}

/// As axum's `nest` does, so that a handler finds the whole URI where it looks for it.
#[cfg(feature = "axum")]
fn keep_original(extensions: &mut http::Extensions, original: Uri) {
    use axum::extract::OriginalUri;
    if extensions.get::<OriginalUri>().is_none() {
        extensions.insert(OriginalUri(original));
    }
}

#[cfg(not(feature = "axum"))]
fn keep_original(_: &mut http::Extensions, _: Uri) {}

/// The base as written in `uri`, and `uri` without it.
///
/// `None` where there is nothing to take off: not below `base`, or no path at all (`CONNECT`'s authority, `*`).
fn strip(base: &PathBase, uri: &Uri) -> Option<(PathBase, Uri)> {
    let whole = uri.path_and_query()?;
    let (head, _) = base.split(whole.path())?;
    let rest = whole.as_str().get(head.len()..)?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query(rest)?);
    Some((base.as_written(head), Uri::from_parts(parts).ok()?))
}

/// Differs from ANCM: the app's path is empty there where the request is for the base itself; HTTP knows no empty
/// path (RFC 9112, 3.2.1), and routers want the `/`.
fn path_and_query(rest: &str) -> Option<PathAndQuery> {
    match rest.as_bytes().first() {
        None => Some(PathAndQuery::from_static("/")),
        Some(b'/') => PathAndQuery::try_from(rest).ok(),
        Some(_) => PathAndQuery::try_from(format!("/{rest}")).ok(),
    }
}

impl<S> Layer<S> for PathBaseLayer {
    type Service = Rewriting<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Rewriting::new(inner, self.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rewrite(base: &str, uri: &str) -> (String, Option<String>) {
        let layer = PathBaseLayer::new(base.parse().unwrap());
        let mut request = Request::builder().uri(uri).body(()).unwrap();
        layer.rewrite(&mut request);
        let base = request.extensions().get::<PathBase>();
        (
            request.uri().to_string(),
            base.map(|base| base.as_str().to_owned()),
        )
    }

    #[test]
    fn moves_the_base_as_the_client_wrote_it() {
        for (uri, want, base) in [
            ("/app/x", "/x", "/app"),
            ("/APP/X", "/X", "/APP"),
            ("/app", "/", "/app"),
            ("/app/", "/", "/app"),
            ("/app?q=/app", "/?q=/app", "/app"),
            ("/app/?q", "/?q", "/app"),
            ("/app/a%2Fb/%3F?x=%20", "/a%2Fb/%3F?x=%20", "/app"),
            ("/app//x", "//x", "/app"),
            ("/app/app/x", "/app/x", "/app"),
            ("/app/../x", "/../x", "/app"),
            ("http://host:1/app/x?q", "http://host:1/x?q", "/app"),
            ("http://host/app", "http://host/", "/app"),
        ] {
            assert_eq!(
                rewrite("/app", uri),
                (want.to_owned(), Some(base.to_owned())),
                "{uri}"
            );
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for uri in ["/apple", "/app%2Fx", "/x/app", "/", "/%61pp", "*", "host:1"] {
            assert_eq!(rewrite("/app", uri), (uri.to_owned(), None), "{uri}");
        }
        assert_eq!(rewrite("/", "/app/x"), ("/app/x".to_owned(), None));
    }

    #[test]
    fn is_added_to_what_a_proxy_took_off() {
        let layer = PathBaseLayer::new("/app".parse().unwrap());
        let mut request = Request::builder().uri("/App/x").body(()).unwrap();
        let outer: PathBase = "/outer".parse().unwrap();
        request.extensions_mut().insert(outer);
        layer.rewrite(&mut request);
        let base = request.extensions().get::<PathBase>().unwrap();
        assert_eq!(base.as_str(), "/outer/App");
    }

    proptest! {
        #[test]
        fn taking_off_what_was_joined_changes_nothing(
            base in "(/[a-zA-Z0-9_~-]{1,6}){1,3}",
            path in "/[a-zA-Z0-9/%._~!$&'()*+,;=:@-]{0,20}",
            query in "(\\?[a-z/?=&%]{0,8})?",
        ) {
            let parsed: PathBase = base.parse().unwrap();
            let (uri, seen) = rewrite(&base, &format!("{}{query}", parsed.join(&path)));
            prop_assert_eq!(uri, format!("{path}{query}"));
            prop_assert_eq!(seen, Some(base));
        }

        #[test]
        fn no_uri_panics(uri in "\\PC{0,30}") {
            if let Ok(uri) = uri.parse::<Uri>() {
                let _ = strip(&"/a".parse().unwrap(), &uri);
            }
        }
    }
}
