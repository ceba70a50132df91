//! Processes by their number: whether they run, and their end.

use std::process::Child;

#[cfg(unix)]
#[path = "process_unix.rs"]
mod os;
#[cfg(windows)]
#[path = "process_windows.rs"]
mod os;

/// Whether the process `id` runs.
pub(crate) fn runs(id: u32) -> bool {
    os::runs(id)
}

/// How many handles it holds.
#[cfg(windows)]
pub(crate) fn handles(id: u32) -> u32 {
    os::handles(id)
}

/// A token of the user who runs this.
#[cfg(windows)]
pub(crate) fn own_token() -> std::os::windows::io::OwnedHandle {
    os::own_token()
}

/// Ends it at once; it may be gone already.
pub(crate) fn kill(id: u32) {
    os::kill(id);
}

/// Asks a child to end, as an operator would: by a signal, or by Ctrl-Break where it leads a group of its own.
pub(crate) fn ask_to_stop(child: &Child) {
    os::ask_to_stop(child.id());
}

/// Makes a command's process one that can be asked to stop by itself.
pub(crate) fn to_be_asked(command: &mut std::process::Command) -> &mut std::process::Command {
    os::to_be_asked(command)
}

/// Ends the child when this program is gone, however that comes: a `static` is never dropped.
pub(crate) fn ends_with_us(child: &Child) {
    os::ends_with_us(child);
}
