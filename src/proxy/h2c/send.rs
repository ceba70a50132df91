//! Sends a request over HTTP/2, and again where that is safe.

use http::Response;
use tracing::debug;

use super::{
    ask::{Exchange, ask},
    failure::Failure,
    links::Taken,
};
use crate::{
    error::Error,
    proxy::{dial::is_shortage, options::ProxyOptions, send::Errand},
};

/// Of how many connections that go away a request may be unlucky: an app that lets each go after a few requests has many
/// of them come too late.
pub(super) const AWAYS: u8 = 16;

/// Sends a request on a connection that has room, or else on a new one, and waits for the head of the answer.
///
/// What was never sent is sent on the next connection. What the app refused is sent once more, if its body is whole
/// (RFC 9113, 8.7), and what it went away without on another connection, up to [`AWAYS`] times. What may have been done and got no answer follows the rule of HTTP/1.1: [`Errand::may_retry`].
pub(in crate::proxy) async fn send(
    errand: &mut Errand,
    options: &ProxyOptions,
) -> Result<(Response<()>, Exchange), Error> {
    let (mut refused, mut aways) = (false, 0_u8);
    loop {
        let Taken {
            link,
            place,
            is_new,
        } = take(errand, options).await?;
        let proven = link.state.is_proven();
        let asked = ask(&link, place, errand, options).await;
        let (failure, touched) = match asked {
            Ok(answer) => return Ok(answer),
            Err(unanswered) => (unanswered.failure, unanswered.touched),
        };
        let explain = |error| link.state.explain(error);
        let (error, may_be_gone) = match failure {
            Failure::Unsent(error) => {
                link.state.retire();
                let went_away = is_new && link.state.is_understood() && aways < AWAYS;
                aways += u8::from(went_away);
                (error, is_new && !went_away)
            }
            Failure::Refused(error) if !refused && !touched => {
                debug!(%error, "Request sent again");
                refused = true;
                continue;
            }
            Failure::Away(error) if aways < AWAYS && !touched => {
                debug!(%error, "Request sent again");
                link.state.retire();
                aways += 1;
                continue;
            }
            Failure::Closed(error) if !touched && errand.may_retry(proven, options) => {
                debug!(%error, "Request sent again");
                link.state.retire();
                errand.taken();
                (error, !proven)
            }
            Failure::Refused(error)
            | Failure::Away(error)
            | Failure::Closed(error)
            | Failure::Broken(error) => {
                return Err(errand.failed(explain(error)));
            }
            Failure::Body(error) => return Err(errand.failed(error)),
            Failure::Stalled => {
                link.state.doubt();
                return Err(Error::timeout("answer"));
            }
            Failure::Slow => return Err(Error::client_slow()),
        };
        if may_be_gone {
            errand
                .go_elsewhere(Error::backend(explain(error)), options)
                .await?;
        }
    }
}

/// A place on a connection that is at hand, or else on a new one, of another process if this one takes none. That process
/// is told who the user is.
pub(super) async fn take(errand: &mut Errand, options: &ProxyOptions) -> Result<Taken, Error> {
    loop {
        let backend = errand.lease.backend().clone();
        let Some(links) = backend.links() else {
            return Err(Error::connect("it speaks HTTP/1.1 now"));
        };
        if let Some(taken) = links.take() {
            errand.introduce()?;
            return Ok(taken);
        }
        match links
            .open(
                &backend,
                options.connections(),
                options.said.connect_timeout,
            )
            .await
        {
            // Another process is no easier to reach.
            Err(error) if is_shortage(&error) => return Err(error),
            Err(error) => errand.unconnected(error, options).await?,
            Ok(opened) => {
                errand.introduce()?;
                return Ok(opened);
            }
        }
    }
}
