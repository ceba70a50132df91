//! WebSockets.

use axum::{
    extract::ws::{
        CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection,
    },
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};

/// Echoes; the text `close CODE REASON` asks for a close from this side.
pub(crate) async fn echo(
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let protocols = headers.get(header::SEC_WEBSOCKET_PROTOCOL);
    let protocols = protocols
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let first = protocols.split(',').next().unwrap_or("").trim().to_owned();
    upgrade.protocols([first]).on_upgrade(talk)
}

async fn talk(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let answer = match &message {
            Message::Text(text) => {
                wanted_close(text).map_or(message, |close| Message::Close(Some(close)))
            }
            Message::Binary(_) => message,
            // Answered by the socket itself.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
        };
        if socket.send(answer).await.is_err() {
            return;
        }
    }
}

fn wanted_close(text: &str) -> Option<CloseFrame> {
    let (code, reason) = text.strip_prefix("close ")?.split_once(' ')?;
    Some(CloseFrame {
        code: code.parse().ok()?,
        reason: reason.into(),
    })
}
