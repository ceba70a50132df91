//! Answers for an app that was taken offline with an `app_offline.htm`.
//!
//! Who deploys puts a file of that name into the app's content root: from then on every request
//! gets 503 with the file's content, and the supervisor stops the app, so that its files can be
//! replaced. Once the file is gone, the app comes back.
//!
//! [`watch`] tells of the file through a [`Gate`], and [`OfflineLayer`] asks the gate for each
//! request: one atomic load while the app is online.
//!
//! ```
//! use std::{convert::Infallible, fs};
//! use ancm::offline::{OfflineLayer, watch};
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::{BodyExt, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let content_root = tempfile::tempdir()?;
//! let (mut gate, _watcher) = watch(content_root.path())?;
//! let app = service_fn(|_: Request<()>| async {
//!     Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
//! });
//! let app = OfflineLayer::new(gate.clone()).layer(app);
//! let response = app.clone().oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! let page = content_root.path().join("App_Offline.htm");
//! fs::write(&page, "Back at noon.")?;
//! assert_eq!(gate.changed().await, Some(true));
//! let response = app.clone().oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
//!
//! fs::remove_file(&page)?;
//! assert_eq!(gate.changed().await, Some(false));
//! let response = app.clone().oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! # Ok(())
//! # }
//! ```
//!
//! # What counts
//!
//! Anything of that name, in any case, right in the content root: who made a directory or a dead
//! link of it meant the same. Its content is shown if it is a regular file of at most 1 MiB that
//! can be read, without following a link and without waiting; otherwise the client gets a short
//! built-in page.
//!
//! A content root that is gone for a moment, because a deployment swaps folders, changes nothing
//! until it is back.

//!
//! # By command
//!
//! A [`Switch`] takes the app offline without a file. The app is online where neither the file nor
//! the switch says otherwise; the file's page is shown before the switch's.

mod future;
mod gate;
mod layer;
mod look;
mod page;
mod service;
mod watch;

pub use self::{
    future::ResponseFuture,
    gate::{Gate, Switch},
    layer::OfflineLayer,
    page::Page,
    service::Offline,
    watch::{Watcher, watch},
};
