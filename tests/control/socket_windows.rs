//! A named pipe. Who gets at it is tested beside its code.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    thread,
};

use crate::site::Site;

/// A client can only leave when it has said everything.
pub(super) const TELLS_THE_END: bool = false;

/// What the system says while all instances are taken: `ERROR_PIPE_BUSY`.
const BUSY: i32 = 231;

pub(super) fn connect(socket: &Path) -> File {
    loop {
        match File::options().read(true).write(true).open(socket) {
            Err(error) if error.raw_os_error() == Some(BUSY) => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

pub(super) fn is_there(socket: &Path) -> bool {
    File::options().read(true).write(true).open(socket).is_ok()
}

/// What the pipe answers to these bytes.
pub(super) fn say(site: &Site, bytes: &[u8]) -> String {
    let mut stream = connect(&site.socket());
    // It may have heard enough before the end.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}
