//! The host as a tower service.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Host, HostBody, pipeline::Pipeline};
use crate::{PathBase, error::BoxError};

impl<B> Service<Request<B>> for Host
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<HostBody>;
    type Error = Infallible;
    type Future = HostFuture<B>;

    /// Ready whenever the pipeline is, which takes the settings of the moment.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.refresh();
        Service::<Request<B>>::poll_ready(&mut self.pipeline, cx)
    }

    #[inline(always)]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        restore_target(&mut request, &self.app.path_base);
        HostFuture {
            inner: self.pipeline.call(request),
        }
    }
}

/// Gives back the path base that axum's `nest` took off: the module forwards the path whole.
#[cfg(feature = "axum")]
fn restore_target<B>(request: &mut Request<B>, base: &PathBase) {
    use axum::extract::OriginalUri;

    if base.is_root() {
        return;
    }
    if let Some(OriginalUri(original)) = request.extensions().get()
        && base.split(original.path()).is_some()
    {
        *request.uri_mut() = original.clone();
    }
}

#[cfg(not(feature = "axum"))]
fn restore_target<B>(_: &mut Request<B>, _: &PathBase) {}

pin_project! {
    /// The future of a [`Host`]. Dropping it breaks the exchange with the app off.
    pub struct HostFuture<B> where B: Body<Data = Bytes>, B: Send, B: 'static, B::Error: Into<BoxError> {
        #[pin]
        inner: <Pipeline as Service<Request<B>>>::Future,
    }
}

impl<B> Future for HostFuture<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<HostBody>, Infallible>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}
