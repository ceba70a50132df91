//! What an operator says to a request.

use super::{
    message::{Reply, Request},
    operator::Operator,
    task::RestartError,
};
use crate::offline::Page;

impl Operator {
    /// Does what `request` says.
    pub(super) async fn answer(&self, request: Request) -> Reply {
        match request {
            Request::Status {} => Reply::Status {
                status: Box::new(self.report()),
            },
            Request::Restart {} => match self.restart().await {
                Ok(()) => self.done(),
                Err(error) => failed(&error),
            },
            Request::Stop {} => {
                self.stop().await;
                self.done()
            }
            Request::Offline {} => {
                self.offline(Page::built_in()).await;
                self.done()
            }
            Request::Online {} => {
                self.online();
                self.done()
            }
            Request::Logs { after } => Reply::Logs {
                logs: self.logs(&after),
            },
        }
    }

    fn done(&self) -> Reply {
        let report = self.report();
        let note = match report.state {
            "offline" if report.offline.by_file => {
                Some("the app is offline: an app_offline.htm is there")
            }
            "offline" => Some("the app is offline until `online`"),
            "idle" => Some("no process runs; the next request starts one"),
            _ => None,
        };
        Reply::Done {
            note: note.map(str::to_owned),
        }
    }
}

fn failed(error: &RestartError) -> Reply {
    let output = match error {
        RestartError::Start(failure) if !failure.output.is_empty() => Some(failure.output.clone()),
        RestartError::Start(_) | RestartError::Configuration(_) | RestartError::Closed => None,
    };
    Reply::Failed {
        error: error.to_string(),
        output,
    }
}
