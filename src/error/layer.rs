//! Turns errors into answers, and each into one line of the log.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, Version,
    header::{ACCEPT, CONNECTION},
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::{debug, warn};

use super::{CorrelationId, Error, ErrorPage, Format, chain, grpc};
use crate::ResponseBody;

/// Answers with an [`ErrorPage`] where the service inside ends in an [`Error`].
#[derive(Clone, Debug, Default)]
pub struct ErrorPageLayer {
    page: ErrorPage,
}

impl ErrorPageLayer {
    /// Errors are shown as `page` shows them.
    #[must_use]
    pub const fn new(page: ErrorPage) -> Self {
        Self { page }
    }
}

impl<S> Layer<S> for ErrorPageLayer {
    type Service = ErrorPages<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ErrorPages {
            inner,
            page: Arc::new(self.page.clone()),
            broken: None,
        }
    }
}

/// The service of [`ErrorPageLayer`]; it never fails itself.
#[derive(Debug)]
pub struct ErrorPages<S> {
    inner: S,
    page: Arc<ErrorPage>,
    /// Why the service inside can't be called, to be told to the next client.
    broken: Option<Error>,
}

impl<S: Clone> Clone for ErrorPages<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            page: Arc::clone(&self.page),
            broken: None,
        }
    }
}

impl<S, B, R> Service<Request<B>> for ErrorPages<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Error>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    /// Ready whenever the service inside is; one that is broken answers with the page of its error.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.broken = ready!(self.inner.poll_ready(cx)).err();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let accept = Accept::of(&request);
        let http1 = request.version() <= Version::HTTP_11;
        let state = match self.broken.take() {
            Some(error) => State::Broken { error: Some(error) },
            None => State::Forward {
                future: self.inner.call(request),
            },
        };
        ResponseFuture {
            page: Arc::clone(&self.page),
            accept,
            http1,
            state,
        }
    }
}

pin_project! {
    /// The future of [`ErrorPages`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        page: Arc<ErrorPage>,
        accept: Accept,
        http1: bool,
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProj]
    enum State<F> {
        Forward { #[pin] future: F },
        Broken { error: Option<Error> },
    }
}

impl<F, R> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, Error>>,
{
    type Output = Result<Response<ResponseBody<R>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.state.project() {
            StateProj::Forward { future } => ready!(future.poll(cx)),
            StateProj::Broken { error } => Err(error.take().expect("polled after completion")),
        };
        let response = match result {
            Ok(response) => response.map(ResponseBody::inner),
            Err(error) => {
                let mut response = answer(this.page, &error, this.accept.format());
                if *this.http1 && error.ends_connection() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                response.map(ResponseBody::short)
            }
        };
        Poll::Ready(Ok(response))
    }
}

/// In which form the client wants errors: worth a look only when there is one.
#[derive(Debug)]
enum Accept {
    Line(HeaderValue),
    Known(Format),
}

impl Accept {
    fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        // gRPC is HTTP/2 alone, so that no other request pays for the look.
        if request.version() == Version::HTTP_2 && grpc::is_call(headers) {
            return Self::Known(Format::Grpc);
        }
        // A walk, because it costs less than a look-up where there are not many.
        let mut lines = headers.iter().filter(|(name, _)| *name == ACCEPT);
        match (lines.next(), lines.next()) {
            (None, _) => Self::Known(Format::default()),
            (Some((_, line)), None) => Self::Line(line.clone()),
            (Some(_), Some(_)) => Self::Known(Format::preferred(headers)),
        }
    }

    fn format(&self) -> Format {
        match self {
            Self::Line(line) => Format::of_lines([line]),
            Self::Known(format) => *format,
        }
    }
}

fn answer(page: &ErrorPage, error: &Error, format: Format) -> Response<Bytes> {
    let id = CorrelationId::generate();
    let cause = std::error::Error::source(error)
        .map(chain)
        .unwrap_or_default();
    let status = error.status().as_u16();
    let of_client = error.status().is_client_error() && !error.is_transient();
    if error.is_client_gone() || of_client {
        debug!(correlation.id = %id, http.status = status, %error, cause, "Request not forwarded");
    } else {
        warn!(correlation.id = %id, http.status = status, %error, cause, "Request failed");
    }
    page.render(error, id, format)
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;
    use http_body_util::{BodyExt, Empty};
    use tower::{ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn an_error_becomes_a_page() {
        let inner = service_fn(|_: Request<()>| async {
            Err::<Response<Empty<Bytes>>, _>(Error::queue_full())
        });
        let service = ErrorPageLayer::default().layer(inner);
        let response = service.oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.status(), 503);
        assert!(
            !response
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn who_sends_a_head_that_nobody_takes_is_not_listened_to_on_http_1() {
        for (version, error, want) in [
            (Version::HTTP_11, Error::bad_request("x"), true),
            (Version::HTTP_10, Error::method_refused(), true),
            (Version::HTTP_2, Error::bad_request("x"), false),
            (Version::HTTP_11, Error::stopping(), false),
        ] {
            let mut error = Some(error);
            let inner = service_fn(move |_: Request<()>| {
                std::future::ready(Err::<Response<Empty<Bytes>>, _>(error.take().unwrap()))
            });
            let mut request = Request::new(());
            *request.version_mut() = version;
            let service = ErrorPageLayer::default().layer(inner);
            let response = service.oneshot(request).await.unwrap();
            let closes = response.headers().contains_key(CONNECTION);
            assert_eq!(closes, want, "{version:?} {}", response.status());
        }
    }

    #[tokio::test]
    async fn a_call_of_grpc_is_answered_in_its_head() {
        for (version, status) in [(Version::HTTP_2, 200), (Version::HTTP_11, 503)] {
            let inner = service_fn(|_: Request<()>| async {
                Err::<Response<Empty<Bytes>>, _>(Error::queue_full())
            });
            let mut request = Request::new(());
            *request.version_mut() = version;
            let call = HeaderValue::from_static("application/grpc+proto");
            request.headers_mut().insert(CONTENT_TYPE, call);
            let service = ErrorPageLayer::default().layer(inner);
            let response = service.oneshot(request).await.unwrap();
            assert_eq!(response.status(), status);
            let is_call = version == Version::HTTP_2;
            assert_eq!(response.headers().contains_key("grpc-status"), is_call);
            // Its end is that of the head, as in an answer of trailers alone.
            assert_eq!(http_body::Body::is_end_stream(response.body()), is_call);
        }
    }

    #[tokio::test]
    async fn an_answer_passes() {
        let inner = service_fn(|_: Request<()>| async {
            Ok::<_, Error>(Response::new(Empty::<Bytes>::new()))
        });
        let service = ErrorPageLayer::default().layer(inner);
        let response = service.oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}
