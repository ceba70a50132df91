//! A job object: the processes that are started in it, and all that they start.

use std::{
    io, mem,
    os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle},
    ptr,
};

use windows_sys::Win32::{
    Foundation::ERROR_MORE_DATA,
    System::JobObjects::{
        CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicProcessIdList,
        JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
        TerminateJobObject,
    },
};

/// Ends all its processes when it is dropped, and when we die: its handle is the only one.
#[derive(Debug)]
pub(super) struct Job {
    handle: OwnedHandle,
}

impl Job {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no name, default security; the result is checked before it is owned.
        let handle = unsafe {
            let handle = CreateJobObjectW(ptr::null(), ptr::null());
            if handle.is_null() {
                return Err(io::Error::last_os_error());
            }
            OwnedHandle::from_raw_handle(handle)
        };
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        let size = size_of_u32::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>();
        // SAFETY: the structure belongs to the class, and the size is its own.
        let set = unsafe {
            SetInformationJobObject(
                handle.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size,
            )
        };
        if set == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { handle })
    }

    pub(super) fn as_raw(&self) -> RawHandle {
        self.handle.as_raw_handle()
    }

    /// Whether it is one of its processes.
    pub(super) fn contains(&self, process: &OwnedHandle) -> io::Result<bool> {
        let mut contains = 0;
        // SAFETY: both handles are open, the pointer is a local's.
        match unsafe { IsProcessInJob(process.as_raw_handle(), self.as_raw(), &mut contains) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(contains != 0),
        }
    }

    pub(super) fn terminate(&self, code: u32) {
        // SAFETY: the handle is open.
        unsafe { TerminateJobObject(self.as_raw(), code) };
    }

    /// The numbers of its processes. Differs from ANCM: however many there are.
    pub(super) fn processes(&self) -> io::Result<Vec<u32>> {
        let mut capacity = 64;
        loop {
            // `JOBOBJECT_BASIC_PROCESS_ID_LIST`: two counts in 32 bits each, then the numbers in a `usize` each.
            let head = 8 / mem::size_of::<usize>();
            let mut list = vec![0_usize; head + capacity];
            let size = u32::try_from(mem::size_of_val(&*list)).unwrap_or(u32::MAX);
            let class = JobObjectBasicProcessIdList;
            // SAFETY: the buffer is as large as it says, and aligned for the structure.
            let done = unsafe {
                QueryInformationJobObject(
                    self.as_raw(),
                    class,
                    list.as_mut_ptr().cast(),
                    size,
                    ptr::null_mut(),
                )
            };
            if done == 0 {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(ERROR_MORE_DATA.cast_signed()) {
                    return Err(error);
                }
                capacity *= 2;
                continue;
            }
            // SAFETY: the system wrote the two counts at the beginning of the buffer.
            let count = unsafe { list.as_ptr().cast::<u32>().add(1).read() };
            let numbers = list
                .iter()
                .skip(head)
                .take(usize::try_from(count).unwrap_or(0));
            return Ok(numbers
                .filter_map(|&number| u32::try_from(number).ok())
                .collect());
        }
    }
}

/// The size of a structure, as the Windows API takes it.
pub(super) const fn size_of_u32<T>() -> u32 {
    // No structure of that API comes near to 4 GiB.
    mem::size_of::<T>() as u32
}
