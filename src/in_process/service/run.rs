//! An app from its making to its end.

use std::{future::Future, sync::Arc};

use tokio::{
    runtime::Handle,
    sync::watch,
    task::{AbortHandle, JoinError},
};
use tokio_util::sync::CancellationToken;

use super::unwind;
use crate::{
    Shutdown,
    error::{BoxError, chain},
    proxy::Instance,
};

/// One app, which a factory makes or has made. Clones are the same one; it ends with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stage: watch::Sender<Stage>,
    making: AbortHandle,
    shutdown: Shutdown,
    /// Breaks its requests off.
    broken: CancellationToken,
}

#[derive(Debug)]
enum Stage {
    Making,
    Made(Instance),
    /// It could not be made.
    Failed(Arc<str>),
    Ended,
}

impl Run {
    pub(super) fn begin(
        runtime: &Handle,
        making: impl Future<Output = Result<Instance, BoxError>> + Send + 'static,
        shutdown: Shutdown,
        broken: CancellationToken,
    ) -> Self {
        let stage = watch::Sender::new(Stage::Making);
        let making = runtime.spawn(making);
        let shared = Arc::new(Shared {
            stage: stage.clone(),
            making: making.abort_handle(),
            shutdown,
            broken,
        });
        runtime.spawn(async move {
            let made = match making.await {
                Ok(Ok(instance)) => Stage::Made(instance),
                Ok(Err(error)) => Stage::Failed(chain(&*error).into()),
                Err(error) => Stage::Failed(why(error).into()),
            };
            stage.send_if_modified(|stage| {
                let wanted = matches!(stage, Stage::Making);
                if wanted {
                    *stage = made;
                }
                wanted
            });
        });
        Self { shared }
    }

    /// The app, as soon as it is made, or why it is not.
    pub(crate) fn made(&self) -> impl Future<Output = Result<Instance, Arc<str>>> + Send + use<> {
        let mut stage = self.shared.stage.subscribe();
        async move {
            let made = stage
                .wait_for(|stage| !matches!(stage, Stage::Making))
                .await;
            match made.as_deref() {
                Ok(Stage::Made(instance)) => Ok(instance.clone()),
                Ok(Stage::Failed(reason)) => Err(Arc::clone(reason)),
                Ok(Stage::Making | Stage::Ended) | Err(_) => Err("it was given up".into()),
            }
        }
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stage = self.shared.stage.subscribe();
        async move {
            let _ = stage.wait_for(|stage| matches!(stage, Stage::Ended)).await;
        }
    }

    /// The signal that it is to end.
    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.shared.shutdown
    }

    /// Ends it: it is made no further, and what requests it has are broken off.
    pub(crate) fn end(&self) {
        self.shared.end();
    }
}

impl Shared {
    fn end(&self) {
        self.making.abort();
        self.shutdown.request();
        self.broken.cancel();
        self.stage.send_replace(Stage::Ended);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.end();
    }
}

fn why(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => format!("the app panicked: {}", unwind::message(&*panic)),
        Err(_) => "the runtime of the app has ended".to_owned(),
    }
}
