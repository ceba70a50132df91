//! By handles, jobs and control events.
#![allow(unsafe_code, reason = "the Windows API has no safe interface")]

use std::{
    mem,
    os::windows::{
        io::{AsRawHandle, FromRawHandle, OwnedHandle},
        process::CommandExt,
    },
    process::{Child, Command},
    ptr,
};

use windows_sys::Win32::{
    Foundation::WAIT_TIMEOUT,
    Security::{TOKEN_DUPLICATE, TOKEN_IMPERSONATE, TOKEN_QUERY},
    System::{
        Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent},
        JobObjects::{
            AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
            JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
            SetInformationJobObject,
        },
        Threading::{
            CREATE_NEW_PROCESS_GROUP, GetCurrentProcess, GetProcessHandleCount, OpenProcess,
            OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
            PROCESS_TERMINATE, TerminateProcess, WaitForSingleObject,
        },
    },
};

fn open(id: u32, access: u32) -> Option<OwnedHandle> {
    // SAFETY: plain values; the result is checked before it is owned.
    unsafe {
        let handle = OpenProcess(access, 0, id);
        (!handle.is_null()).then(|| OwnedHandle::from_raw_handle(handle))
    }
}

pub(super) fn runs(id: u32) -> bool {
    let Some(process) = open(id, PROCESS_SYNCHRONIZE) else {
        return false;
    };
    // SAFETY: the handle is open.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT }
}

pub(super) fn handles(id: u32) -> u32 {
    let process = open(id, PROCESS_QUERY_LIMITED_INFORMATION).unwrap();
    let mut count = 0;
    // SAFETY: the handle is open, the pointer is a local's.
    let done = unsafe { GetProcessHandleCount(process.as_raw_handle(), &mut count) };
    assert_ne!(done, 0, "{}", std::io::Error::last_os_error());
    count
}

pub(super) fn own_token() -> OwnedHandle {
    let mut token = ptr::null_mut();
    let access = TOKEN_QUERY | TOKEN_DUPLICATE | TOKEN_IMPERSONATE;
    // SAFETY: the pseudo-handle of this process is always open, the pointer is a local's, and the result is checked.
    unsafe {
        let opened = OpenProcessToken(GetCurrentProcess(), access, &mut token);
        assert_ne!(opened, 0, "{}", std::io::Error::last_os_error());
        OwnedHandle::from_raw_handle(token)
    }
}

pub(super) fn kill(id: u32) {
    if let Some(process) = open(id, PROCESS_TERMINATE) {
        // SAFETY: the handle is open.
        unsafe { TerminateProcess(process.as_raw_handle(), 1) };
    }
}

pub(super) fn ask_to_stop(id: u32) {
    // SAFETY: plain values; the child is not waited for yet, so that the number is its own.
    let sent = unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, id) };
    assert_ne!(sent, 0, "{}", std::io::Error::last_os_error());
}

pub(super) fn to_be_asked(command: &mut Command) -> &mut Command {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP)
}

pub(super) fn ends_with_us(child: &Child) {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    // SAFETY: the structure belongs to the class, and the size is its own; the handles are open. The job's is closed by the
    // system, when this process is gone.
    unsafe {
        let job = CreateJobObjectW(ptr::null(), ptr::null());
        let size = u32::try_from(mem::size_of_val(&limits)).unwrap();
        let class = JobObjectExtendedLimitInformation;
        let set = SetInformationJobObject(job, class, (&raw const limits).cast(), size);
        assert_ne!(set, 0);
        assert_ne!(AssignProcessToJobObject(job, child.as_raw_handle()), 0);
    }
}
