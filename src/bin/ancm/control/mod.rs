//! `ancm status`, `restart`, `stop`, `offline`, `online`, `logs`: operates an app that another
//! process of this program serves.

mod table;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use ancm::control::{Operated, Request, Seen, Socket, ask, socket_path};
use serde_json::Value;
use tracing::{info, warn};

use crate::{
    args::{Control, Operate, Place},
    failure::Failure,
};

/// How often `logs --follow` asks for more.
const FOLLOW: Duration = Duration::from_millis(500);

/// Has other processes operate the app of `folder`, until the runtime ends.
///
/// A place that was asked for has to be had; the usual one is a convenience, which an app without a folder has not.
pub(crate) fn listen(
    control: &Control,
    folder: Option<&Path>,
    operated: Operated,
) -> Result<(), Failure> {
    let bound = match (control, folder) {
        (Control::Off, _) | (Control::Usual, None) => return Ok(()),
        (Control::At(path), _) => Socket::bind(path).map_err(|error| {
            let path = path.display();
            Failure::other(format_args!("can't listen on the socket `{path}`: {error}"))
        })?,
        (Control::Usual, Some(folder)) => {
            match socket_path(folder).and_then(|path| Socket::bind(&path)) {
                Ok(bound) => bound,
                Err(error) => {
                    warn!(%error, "No control socket: `ancm status` and the like can't be used");
                    return Ok(());
                }
            }
        }
    };
    info!(path = %bound.path().display(), "Control socket is there");
    tokio::spawn(bound.serve(operated));
    Ok(())
}

/// Says how the app is.
pub(crate) fn status(operate: &Operate) -> Result<(), Failure> {
    let reply = command(operate, &Request::Status {})?;
    let status = reply.get("status").unwrap_or(&Value::Null);
    if operate.json {
        return print_json(status);
    }
    print(&table::status(status))
}

/// Replaces the processes.
pub(crate) fn restart(operate: &Operate) -> Result<(), Failure> {
    act(operate, &Request::Restart {}, "restarted")
}

/// Stops the processes.
pub(crate) fn stop(operate: &Operate) -> Result<(), Failure> {
    act(operate, &Request::Stop {}, "stopped")
}

/// Takes the app offline.
pub(crate) fn offline(operate: &Operate) -> Result<(), Failure> {
    act(operate, &Request::Offline {}, "offline")
}

/// Takes `offline` back.
pub(crate) fn online(operate: &Operate) -> Result<(), Failure> {
    act(operate, &Request::Online {}, "online")
}

/// Prints what the processes wrote; with `follow`, for ever.
pub(crate) fn logs(operate: &Operate, follow: bool) -> Result<(), Failure> {
    let mut seen = Vec::new();
    loop {
        let reply = command(operate, &Request::Logs { after: seen })?;
        let logs = reply.get("logs").and_then(Value::as_array);
        let logs = logs.map(Vec::as_slice).unwrap_or_default();
        for log in logs {
            if operate.json {
                print_json(log)?;
            } else {
                print(log.get("text").and_then(Value::as_str).unwrap_or_default())?;
            }
        }
        if !follow {
            return Ok(());
        }
        // What has ended is not listed any more, and a new process begins at its beginning. Where
        // nothing runs there is still something to be said: that what failed was shown.
        seen = logs.iter().filter_map(position).collect();
        if seen.is_empty() {
            seen.push(Seen::new(0, 0));
        }
        pause();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a program that does nothing else has nothing to await"
)]
fn pause() {
    thread::sleep(FOLLOW);
}

fn position(log: &Value) -> Option<Seen> {
    let number = |name| log.get(name)?.as_u64();
    Some(Seen::new(number("generation")?, number("bytes")?))
}

/// Does something that needs no more than a word.
fn act(operate: &Operate, request: &Request, done: &str) -> Result<(), Failure> {
    let reply = command(operate, request)?;
    if operate.json {
        return print_json(&reply);
    }
    match reply.get("note").and_then(Value::as_str) {
        Some(note) => print(&format!("{done} ({note})\n")),
        None => print(&format!("{done}\n")),
    }
}

/// The reply, if it is none of a failure.
fn command(operate: &Operate, request: &Request) -> Result<Value, Failure> {
    let reply = reply(&operate.place, request)?;
    let text = |name| reply.get(name).and_then(Value::as_str);
    if text("reply") != Some("failed") {
        return Ok(reply);
    }
    if operate.json {
        print_json(&reply)?;
    }
    let error = text("error").unwrap_or("it could not be done");
    Err(Failure::other(match text("output") {
        Some(output) => format!("{error}\n  last output:\n{}", table::end(output)),
        None => error.to_owned(),
    }))
}

fn reply(place: &Place, request: &Request) -> Result<Value, Failure> {
    let paths = match place {
        Place::Socket(path) => vec![path.clone()],
        Place::Folder(folder) => candidates(folder)
            .map_err(|error| Failure::other(format_args!("no socket to be asked: {error}")))?,
    };
    let mut last = None;
    for path in &paths {
        match ask(path, request) {
            Err(error) if is_nobody(&error) => last = Some(error),
            answer => {
                return answer.map_err(|error| {
                    Failure::other(format_args!("the socket `{}`: {error}", path.display()))
                });
            }
        }
    }
    Err(nobody(place, &paths, last.as_ref()))
}

/// The sockets of a folder: of the name by which it was reached, and of that which its links lead
/// to.
fn candidates(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = vec![socket_path(folder)?];
    let resolved = socket_path(&folder.canonicalize()?)?;
    if !paths.contains(&resolved) {
        paths.push(resolved);
    }
    Ok(paths)
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

fn nobody(place: &Place, paths: &[PathBuf], error: Option<&io::Error>) -> Failure {
    let what = match place {
        Place::Folder(folder) => format!("the app of `{}`", folder.display()),
        Place::Socket(path) => format!("an app on the socket `{}`", path.display()),
    };
    let tried: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let error = error.map_or_else(String::new, |error| format!(" ({error})"));
    Failure::other(format_args!(
        "no `ancm run` of this user serves {what}: nobody listens on {}{error}\n  \
         hint: name the folder that `ancm run` was given, or the PATH in its log line \
         \"Control socket is there\" with --control PATH",
        tried.join(" or ")
    ))
}

fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::other(format_args!("can't write to stdout: {error}")))
}
