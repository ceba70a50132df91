//! Refuses upgrades where the front end can't carry them.

use http::{Request, header::UPGRADE};

/// Takes the wish for an upgrade out of a request, so that the app answers it as any other.
///
/// ANCM: where the module says that it knows no WebSockets, the app half takes away the app's means to upgrade. An
/// axum `WebSocketUpgrade` then refuses with 400, instead of waiting for a peer that never comes.
pub(super) fn refuse<B>(request: &mut Request<B>) {
    request.headers_mut().remove(UPGRADE);
}
