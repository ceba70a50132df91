//! Gives a user's token to a process.

use std::{
    io,
    os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle},
    ptr,
};

use windows_sys::Win32::{
    Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle},
    System::Threading::{
        GetCurrentProcess, OpenProcess, PROCESS_DUP_HANDLE, PROCESS_QUERY_INFORMATION,
    },
};

use super::job::Job;

/// Copies `token` into the process `id`, if it is one of the job's; the copy's number there.
///
/// ANCM: with the same access as the original.
pub(super) fn give(job: &Job, id: u32, token: BorrowedHandle<'_>) -> io::Result<u32> {
    let process = open(id)?;
    // Asked of the open handle, so that a number that was used again can't make a stranger the user.
    if !job.contains(&process)? {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut copy = ptr::null_mut();
    // SAFETY: all handles are open, the pointer is a local's. What it is set to is no handle of ours.
    let done = unsafe {
        let (us, access) = (GetCurrentProcess(), DUPLICATE_SAME_ACCESS);
        let (token, process) = (token.as_raw_handle(), process.as_raw_handle());
        DuplicateHandle(us, token, process, &mut copy, 0, 0, access)
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    u32::try_from(copy.addr()).map_err(io::Error::other)
}

fn open(id: u32) -> io::Result<OwnedHandle> {
    let access = PROCESS_DUP_HANDLE | PROCESS_QUERY_INFORMATION;
    // SAFETY: plain values; the result is checked before it is owned.
    unsafe {
        let process = OpenProcess(access, 0, id);
        if process.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(process))
    }
}
