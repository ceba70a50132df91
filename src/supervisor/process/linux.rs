//! What belongs to a process tree: listeners and memory.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicI32, Ordering},
};

use super::{
    Listener,
    tree::{descends, for_each_process, holds, members, private_memory},
};
use crate::supervisor::port::receivers;

/// Tells what belongs to the tree below a guardian.
pub(super) struct Belongings {
    guardian: i32,
    program: i32,
    /// Who had the listener when somebody last asked: likely still the one.
    last: AtomicI32,
}

impl Belongings {
    pub(super) fn new(guardian: u32, program: u32) -> Self {
        let (guardian, program) = (guardian.cast_signed(), program.cast_signed());
        let last = AtomicI32::new(program);
        Self {
            guardian,
            program,
            last,
        }
    }

    /// See [`Process::listener`](super::Process::listener). Ours only if *each* socket that could receive a connection is.
    ///
    /// A process that runs as another user than we do can't be looked into: its sockets are a stranger's.
    pub(super) fn listener(&self, address: SocketAddr) -> io::Result<Listener> {
        let mut own = Listener::None;
        for socket in receivers(address)? {
            match self.holder(socket.owner) {
                Some(id) => own = Listener::Own(id.cast_unsigned()),
                None => return Ok(Listener::Stranger(stranger(socket.owner))),
            }
        }
        Ok(own)
    }

    pub(super) fn memory(&self) -> u64 {
        let members = members(self.guardian).into_iter();
        members.filter_map(private_memory).sum()
    }

    /// Who of the tree holds the socket. The likely ones are asked first: a look at all processes takes milliseconds where there are many.
    fn holder(&self, inode: u64) -> Option<i32> {
        let likely = [self.last.load(Ordering::Relaxed), self.program].into_iter();
        let mut likely = likely.filter(|&id| holds(id, inode) && descends(id, self.guardian));
        if let Some(id) = likely.next() {
            return Some(id);
        }
        let mut members = members(self.guardian).into_iter();
        let found = members.find(|&id| holds(id, inode))?;
        self.last.store(found, Ordering::Relaxed);
        Some(found)
    }
}

/// Who outside the tree holds the socket, where we may see it: for the message that names them.
fn stranger(inode: u64) -> Option<u32> {
    let mut found = None;
    let _ = for_each_process(|process| {
        if found.is_none() && holds(process.id, inode) {
            found = Some(process.id.cast_unsigned());
        }
    });
    found
}
