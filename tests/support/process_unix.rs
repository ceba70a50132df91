//! By signals.

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

fn pid(id: u32) -> Pid {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    pid.expect("the number of a process")
}

pub(super) fn runs(id: u32) -> bool {
    test_kill_process(pid(id)).is_ok() && !is_zombie(id)
}

/// Whether it has ended and only waits for its parent to notice, where the system tells.
fn is_zombie(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The state follows the name, which may hold anything.
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| rest.starts_with('Z'))
}

pub(super) fn kill(id: u32) {
    let _ = kill_process(pid(id), Signal::KILL);
}

pub(super) fn ask_to_stop(id: u32) {
    kill_process(pid(id), Signal::TERM).expect("the child is not reaped yet");
}

pub(super) fn to_be_asked(command: &mut Command) -> &mut Command {
    command
}

pub(super) fn ends_with_us(child: &Child) {
    let watchdog = Command::new("sh")
        .args(["-c", r#"cat; kill -TERM "$0"; sleep 10; kill -KILL "$0""#])
        .arg(child.id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("`sh` starts");
    // The write end of its stdin stays open until the end of this process.
    std::mem::forget(watchdog);
}
