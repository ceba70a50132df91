//! The guardian: what stands between us and the program. See the module's theory of operation.
//!
//! All of this runs in a process that was forked from a multi-threaded one and never runs another program, so it may only
//! call what is async-signal-safe: system calls, no allocation, no lock, no panic.
//!
//! The socket speaks a few bytes. From us: [`TERMINATE`], [`KILL`]; its end means [`KILL`]. To us: the program's number, then
//! its wait status once it has ended, four bytes each; its end means that the tree is gone.
#![allow(
    unsafe_code,
    reason = "fork, signal masks and descriptors by number have no safe interface"
)]

use std::{
    io, mem,
    os::fd::{BorrowedFd, RawFd},
    ptr,
};

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, getppid, kill_process, kill_process_group, setsid, wait,
};

/// An order: `SIGTERM` to the program's group.
pub(super) const TERMINATE: u8 = b'T';
/// An order: end the whole tree.
pub(super) const KILL: u8 = b'K';

/// Where the guardian keeps its end of the socket: a number below the limit of `pselect`.
const SOCKET: RawFd = 0;
/// How long to wait for a killed process before looking again whether there are new ones.
const LOOK_AGAIN: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// Splits a process that was just forked in two: the calling one becomes the guardian and never returns, its child returns and
/// goes on to become the program.
///
/// `socket` is the guardian's end, `inherited` what the program is to have beside its standard streams. Must be called between `fork` and `exec`, from the only thread there is.
pub(super) fn interpose(socket: RawFd, inherited: &[RawFd]) -> io::Result<()> {
    // Out of our group and session: neither Ctrl-C nor a `kill -9` of our whole group is meant for the guardian.
    setsid()?;
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(getpid()))?;
    let guardian = getpid();
    // SAFETY: this process has one thread, and both sides of the fork call only what is async-signal-safe.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => lead(guardian, inherited),
        program => match Pid::from_raw(program) {
            Some(program) => guard(socket, program),
            None => exit(),
        },
    }
}

/// In what becomes the program: leads a session of its own, without a terminal, and dies with the guardian.
fn lead(guardian: Pid, inherited: &[RawFd]) -> io::Result<()> {
    setsid()?;
    // What we ignore would stay ignored: a program that can't wait for its children, that can't be asked to end.
    for signal in 1..32 {
        // SAFETY: the default action; a number for which there is none to set is refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // What others in our process forgot to mark. Linux 5.11; without it, theirs is inherited.
        // SAFETY: marks descriptors, closes none.
        unsafe {
            let flags = libc::CLOSE_RANGE_CLOEXEC;
            libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, flags);
        }
    }
    for &number in inherited {
        // SAFETY: it is open here as it is in the process that was forked, and somebody there owns it.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty())?;
    }
    // A guardian that died before the lines above would not be noticed any more.
    if getppid() == Some(guardian) {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

fn guard(socket: RawFd, program: Pid) -> ! {
    let waiting = settle(socket);
    report(program.as_raw_nonzero().get());
    let mut tree = Tree {
        program: Some(program),
        ending: false,
    };
    loop {
        tree.reap();
        match next_order(&waiting, tree.ending.then_some(&LOOK_AGAIN)) {
            Order::None if tree.ending => tree.kill(),
            Order::None => {}
            Order::Terminate => tree.terminate(),
            Order::Kill => {
                tree.ending = true;
                tree.kill();
            }
        }
    }
}

/// Becomes a quiet process: no signal but the end of a child reaches it, nothing but the socket is open. Returns the signal
/// mask to wait with.
fn settle(socket: RawFd) -> libc::sigset_t {
    // SAFETY: all arguments are plain values or point to locals that outlive the calls; the handler does nothing.
    let waiting = unsafe {
        let mut mask: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&mut mask);
        libc::sigprocmask(libc::SIG_SETMASK, &mask, ptr::null_mut());
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = on_child as *const () as libc::sighandler_t;
        libc::sigaction(libc::SIGCHLD, &action, ptr::null_mut());
        libc::sigdelset(&mut mask, libc::SIGCHLD);
        libc::dup2(socket, SOCKET);
        mask
    };
    close_all_above(SOCKET);
    let _ = rustix::process::chdir(c"/");
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = rustix::thread::set_name(c"ancm-guardian");
        // Nobody but root may look into what it still has of our memory.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        // SAFETY: this process has one thread, which uses its stack and makes system calls from here on.
        unsafe { super::forget::forget() };
    }
    waiting
}

/// Its arrival is enough: it ends the wait.
extern "C" fn on_child(_: libc::c_int) {}

/// Lets go of what was open in us: an inherited listener would stay open, a pipe would never end.
fn close_all_above(last: RawFd) {
    #[cfg(target_os = "linux")]
    // SAFETY: closes numbers that nothing in this process uses any more.
    if unsafe { libc::syscall(libc::SYS_close_range, last + 1, libc::c_uint::MAX, 0) } == 0 {
        return;
    }
    // Before Linux 5.9, and elsewhere.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.map_or(1 << 20, |limit| limit.min(1 << 20));
    for number in last + 1..RawFd::try_from(limit).unwrap_or(RawFd::MAX) {
        // SAFETY: as above.
        unsafe { libc::close(number) };
    }
}

enum Order {
    None,
    Terminate,
    Kill,
}

/// Waits for an order, the end of a child or the end of `patience`.
fn next_order(mask: &libc::sigset_t, patience: Option<&libc::timespec>) -> Order {
    // SAFETY: the set is a local, and `SOCKET` is below its size.
    let ready = unsafe {
        let mut readable: libc::fd_set = mem::zeroed();
        libc::FD_ZERO(&mut readable);
        // Once it has ended, the socket would be readable for ever.
        if patience.is_none() {
            libc::FD_SET(SOCKET, &mut readable);
        }
        let patience = patience.map_or(ptr::null(), ptr::from_ref);
        let (none, set) = (ptr::null_mut(), &raw mut readable);
        libc::pselect(SOCKET + 1, set, none, none, patience, mask)
    };
    if ready <= 0 {
        return Order::None;
    }
    let mut order = [0];
    match rustix::io::read(socket(), &mut order) {
        Ok(1..) if order == [TERMINATE] => Order::Terminate,
        Ok(1..) if order != [KILL] => Order::None,
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Order::None,
        Ok(_) | Err(_) => Order::Kill,
    }
}

fn socket() -> BorrowedFd<'static> {
    // SAFETY: the guardian keeps it open until it ends.
    unsafe { BorrowedFd::borrow_raw(SOCKET) }
}

/// Nobody may be there to read it, and then it does not matter. `SIGPIPE` is blocked.
fn report(value: i32) {
    let _ = rustix::io::write(socket(), &value.to_ne_bytes());
}

fn exit() -> ! {
    // SAFETY: ends this process without running anything that was registered in the one it was forked from.
    unsafe { libc::_exit(0) }
}

/// The guardian's children.
struct Tree {
    /// The program until it was reaped: only that long is its number, which is also its group's, surely its own.
    program: Option<Pid>,
    ending: bool,
}

impl Tree {
    /// Takes note of who has ended. Does not return once nobody is left.
    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == self.program => {
                    self.program = None;
                    report(status.as_raw());
                    #[cfg(not(target_os = "linux"))]
                    {
                        // What is left of the group has another parent now, and would not be found again.
                        let _ = kill_process_group(pid, Signal::KILL);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => exit(),
            }
        }
    }

    fn terminate(&self) {
        match self.program {
            Some(program) => {
                let _ = kill_process_group(program, Signal::TERM);
            }
            None => self.signal_children(Signal::TERM),
        }
    }

    /// Kills everybody there is now. Their children become ours, for the next time.
    fn kill(&self) {
        if let Some(program) = self.program {
            let _ = kill_process_group(program, Signal::KILL);
        }
        self.signal_children(Signal::KILL);
    }

    #[cfg(target_os = "linux")]
    fn signal_children(&self, signal: Signal) {
        let me = getpid().as_raw_nonzero().get();
        // A child that nobody but us can reap: its number is its own until we do.
        let _ = super::tree::for_each_process(|process| {
            if let Some(pid) = Pid::from_raw(process.id)
                && process.parent == me
            {
                let _ = kill_process(pid, signal);
            }
        });
    }

    #[cfg(not(target_os = "linux"))]
    fn signal_children(&self, signal: Signal) {
        if let Some(program) = self.program {
            let _ = kill_process(program, signal);
        }
    }
}
