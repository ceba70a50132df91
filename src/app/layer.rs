//! The whole app half as one layer.

use std::{
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    EnvironmentError, ForwardedLayer, IdentityLayer, LAYERS, ModuleEnvironment, PairingLayer,
    PathBaseLayer, Pipeline, ResponseFuture, Shutdown, ShutdownLayer, hosting::Hosting, in_process,
    stage::Guard,
};

/// The app half of the module; see the [module](super) docs.
///
/// Switched off under a normal start: requests then reach the app as they are, unless a host of this process sent them.
#[derive(Clone, Debug)]
#[must_use]
pub struct AncmLayer {
    pipeline: Option<Arc<Pipeline>>,
    module: Option<ModuleEnvironment>,
    shutdown: Shutdown,
    announced: Option<Hosting>,
}

impl AncmLayer {
    /// As the environment of this process says: on if the module started it, else off.
    ///
    /// # Errors
    ///
    /// When the module started this process and one of its variables makes no sense.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        Ok(Self::new(ModuleEnvironment::from_env()?))
    }

    /// On for this module; off for `None`.
    pub fn new(module: impl Into<Option<ModuleEnvironment>>) -> Self {
        let module = module.into();
        let shutdown = Shutdown::new();
        let pipeline = module.as_ref().map(|module| {
            Arc::new(Pipeline {
                pairing: PairingLayer::new(module.token().clone()),
                // ANCM: a peer without an address is believed; here the token says who it is.
                forwarded: ForwardedLayer::new().trust_unknown_peer(true),
                path_base: PathBaseLayer::new(module.path_base().clone()),
                identity: IdentityLayer::new().windows_user(module.is_authentication_enabled()),
                #[cfg(feature = "sealed")]
                sealed: super::SealedIdentityLayer::new(module.token().clone()),
                websockets: module.websockets_supported(),
                shutdown: ShutdownLayer::new(shutdown.clone()),
            })
        });
        Self {
            pipeline,
            module,
            shutdown,
            announced: None,
        }
    }

    /// Whether the app sees the pairing token's header. Defaults to `false`.
    pub fn keep_token_header(self, keep: bool) -> Self {
        self.with(|pipeline| pipeline.pairing = pipeline.pairing.clone().keep_header(keep))
    }

    /// Changes how forwarded headers are believed, such as how many proxies stand before the module.
    ///
    /// Defaults to `X-Forwarded-For` and `-Proto`, one entry of each: the one that the module wrote.
    ///
    /// ```
    /// use ancm::app::AncmLayer;
    ///
    /// let layer = AncmLayer::from_env()?.forwarded(|forwarded| forwarded.limit(Some(2)));
    /// assert!(!layer.is_active(), "the module did not start this test");
    /// # Ok::<(), ancm::app::EnvironmentError>(())
    /// ```
    pub fn forwarded(self, change: impl FnOnce(ForwardedLayer) -> ForwardedLayer) -> Self {
        self.with(|pipeline| pipeline.forwarded = change(pipeline.forwarded.clone()))
    }

    /// Whether handlers can take [`Shutdown`] and [`ModuleEnvironment`] as arguments. Defaults to `false`.
    ///
    /// It puts both into every request's extensions, under a normal start too. A [`Server`](super::Server) does the
    /// same by itself, with its own signal.
    pub fn announce(mut self, announce: bool) -> Self {
        let hosting = || Hosting::new(self.shutdown.clone(), self.module.clone());
        self.announced = announce.then(hosting);
        self
    }

    /// Whether the module started this process, so that the layer does something.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.pipeline.is_some()
    }

    /// What the module said, if it started this process.
    #[must_use]
    pub fn module(&self) -> Option<&ModuleEnvironment> {
        self.module.as_ref()
    }

    /// The signal that the module's shutdown event gives.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// How many requests were rejected because they did not come through the module.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        let pipeline = self.pipeline.as_deref();
        pipeline.map_or(0, |pipeline| pipeline.pairing.rejected())
    }

    fn with(mut self, change: impl FnOnce(&mut Pipeline)) -> Self {
        if let Some(pipeline) = &mut self.pipeline {
            change(Arc::make_mut(pipeline));
        }
        self
    }
}

impl<S> Layer<S> for AncmLayer {
    type Service = Ancm<S>;

    fn layer(&self, inner: S) -> Ancm<S> {
        if self.is_active() {
            LAYERS.fetch_add(1, Ordering::Relaxed);
        }
        Ancm {
            inner,
            pipeline: self.pipeline.clone(),
            announced: self.announced.clone(),
        }
    }
}

/// An app with the app half before it. Made by [`AncmLayer`].
///
/// Answers of its own have no body: a response body's `Default`. The app's type of responses stays as it is.
#[derive(Clone, Debug)]
pub struct Ancm<S> {
    inner: S,
    pipeline: Option<Arc<Pipeline>>,
    announced: Option<Hosting>,
}

impl<S, B, R> Service<Request<B>> for Ancm<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // Who hosts the app in its own process has said how already.
        if in_process::receive(&mut request) {
            return ResponseFuture::forward(self.inner.call(request));
        }
        let verdict = match &self.pipeline {
            Some(pipeline) => pipeline.admit(&mut request),
            None => ControlFlow::Continue(()),
        };
        if let Some(hosting) = &self.announced {
            request.extensions_mut().insert(hosting.clone());
        }
        match verdict {
            ControlFlow::Continue(()) => ResponseFuture::forward(self.inner.call(request)),
            ControlFlow::Break(status) => ResponseFuture::answer(status),
        }
    }
}
