//! The ways to a backend.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    Connection,
    error::{BoxError, Error},
    proxy::{self, Balanced, Fixed, Leased, Proxy},
    supervisor::Supervised,
};

/// The ways to a backend as one type.
#[derive(Clone, Debug)]
pub(super) enum Route {
    Supervised(Supervised<Proxy>),
    Fixed(Fixed<Proxy>),
    Balanced(Balanced<Proxy>),
}

impl Route {
    pub(super) fn for_connection(self, connection: Option<Connection>) -> Self {
        match (self, connection) {
            (route, None) => route,
            (Self::Supervised(service), Some(known)) => {
                Self::Supervised(service.for_connection(known))
            }
            (Self::Fixed(service), Some(known)) => Self::Fixed(service.for_connection(known)),
            (Self::Balanced(service), Some(known)) => Self::Balanced(service.for_connection(known)),
        }
    }
}

impl<B> Service<Request<B>> for Route
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<proxy::Body>;
    type Error = Error;
    type Future = RouteFuture<B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self {
            Self::Supervised(service) => Service::<Request<B>>::poll_ready(service, cx),
            Self::Fixed(service) => Service::<Request<B>>::poll_ready(service, cx),
            Self::Balanced(service) => Service::<Request<B>>::poll_ready(service, cx),
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self {
            Self::Supervised(service) => RouteFuture::Leased {
                future: service.call(request),
            },
            Self::Balanced(service) => RouteFuture::Leased {
                future: service.call(request),
            },
            Self::Fixed(service) => RouteFuture::Fixed {
                future: service.call(request),
            },
        }
    }
}

pin_project! {
    #[project = RouteProj]
    pub(super) enum RouteFuture<B> where B: Body<Data = Bytes>, B: Send, B: 'static, B::Error: Into<BoxError> {
        Leased { #[pin] future: Leased<Proxy, B> },
        Fixed { #[pin] future: proxy::ResponseFuture },
    }
}

impl<B> Future for RouteFuture<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<proxy::Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            RouteProj::Leased { future } => future.poll(cx),
            RouteProj::Fixed { future } => future.poll(cx),
        }
    }
}
