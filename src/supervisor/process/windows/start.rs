//! `CreateProcessW`: straight into the job, with no handle but the three streams.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io, mem,
    os::windows::{
        ffi::OsStrExt,
        io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle, RawHandle},
    },
    ptr,
};

use windows_sys::Win32::{
    Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle},
    System::{
        Console::GetConsoleCP,
        Threading::{
            CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
            DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT, GetCurrentProcess,
            InitializeProcThreadAttributeList, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
            PROC_THREAD_ATTRIBUTE_JOB_LIST, PROCESS_INFORMATION, STARTF_USESTDHANDLES,
            STARTUPINFOEXW, UpdateProcThreadAttribute,
        },
    },
};

use super::{
    super::{
        Launch, Output,
        command_line::{command_line, environment_block},
    },
    job::{Job, size_of_u32},
};

pub(super) struct Started {
    pub(super) id: u32,
    pub(super) process: OwnedHandle,
    pub(super) output: Option<File>,
    pub(super) shares_our_console: bool,
}

pub(super) fn start(launch: &Launch, job: &Job) -> io::Result<Started> {
    let (streams, output) = Streams::new(&launch.output)?;
    // SAFETY: no argument. Zero is for a process without a console, such as a service.
    let shares_our_console = unsafe { GetConsoleCP() } != 0;
    // A console program gets one without a window, or ours: only within one console can Ctrl-Break be sent directly.
    // ANCM: always one of its own.
    let window = if shares_our_console {
        0
    } else {
        CREATE_NO_WINDOW
    };
    let flags = CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT | window;
    let created = create(launch, job, &streams, flags)?;
    // SAFETY: both handles are new and ours.
    let (process, thread) = unsafe {
        (
            OwnedHandle::from_raw_handle(created.hProcess),
            OwnedHandle::from_raw_handle(created.hThread),
        )
    };
    drop(thread);
    Ok(Started {
        id: created.dwProcessId,
        process,
        output,
        shares_our_console,
    })
}

fn create(
    launch: &Launch,
    job: &Job,
    streams: &Streams,
    flags: u32,
) -> io::Result<PROCESS_INFORMATION> {
    let arguments: Vec<_> = launch
        .arguments
        .iter()
        .map(|argument| wide(argument))
        .collect();
    let mut line = command_line(
        &wide(launch.program.as_os_str()),
        arguments.iter().map(Vec::as_slice),
    )?;
    let variables = launch.environment.iter();
    let block = environment_block(variables.map(|(name, value)| (wide(name), wide(value))))?;
    let mut directory = wide(launch.directory.as_os_str());
    directory.push(0);
    let (jobs, handles) = (
        [job.as_raw()],
        [
            streams.input.as_raw_handle(),
            streams.output.as_raw_handle(),
        ],
    );
    let mut attributes = Attributes::new(2)?;
    attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, &jobs)?;
    attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &handles)?;
    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = size_of_u32::<STARTUPINFOEXW>();
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = streams.input.as_raw_handle();
    startup.StartupInfo.hStdOutput = streams.output.as_raw_handle();
    startup.StartupInfo.hStdError = streams.output.as_raw_handle();
    startup.lpAttributeList = attributes.as_mut_ptr();
    let mut created = PROCESS_INFORMATION::default();
    // SAFETY: line, block and directory end with zeros; the attributes and what they point to, the handles and the
    // structures outlive the call; the line may be written to.
    let done = unsafe {
        CreateProcessW(
            ptr::null(),
            line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            flags | EXTENDED_STARTUPINFO_PRESENT,
            block.as_ptr().cast(),
            directory.as_ptr(),
            (&raw const startup).cast(),
            &mut created,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(created)
}

fn wide(text: &OsStr) -> Vec<u16> {
    text.encode_wide().collect()
}

/// The ends that the process gets, to be inherited.
struct Streams {
    input: OwnedHandle,
    output: OwnedHandle,
}

impl Streams {
    /// With the end that we read, for a pipe.
    fn new(output: &Output) -> io::Result<(Self, Option<File>)> {
        let input = inheritable(File::open("NUL")?.as_handle())?;
        let (output, reader) = match output {
            Output::Null => {
                let null = OpenOptions::new().write(true).open("NUL")?;
                (inheritable(null.as_handle())?, None)
            }
            Output::Pipe => {
                let (reader, writer) = io::pipe()?;
                let reader = File::from(OwnedHandle::from(reader));
                (inheritable(writer.as_handle())?, Some(reader))
            }
        };
        Ok((Self { input, output }, reader))
    }
}

/// A copy that children may inherit. Ours only get what is in their handle list; another that somebody else in this process
/// starts in this moment, without such a list, gets it too.
fn inheritable(handle: BorrowedHandle<'_>) -> io::Result<OwnedHandle> {
    let mut copy: RawHandle = ptr::null_mut();
    // SAFETY: the handle is open, the result is checked before it is owned.
    unsafe {
        let us = GetCurrentProcess();
        let done = DuplicateHandle(
            us,
            handle.as_raw_handle(),
            us,
            &mut copy,
            0,
            1,
            DUPLICATE_SAME_ACCESS,
        );
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(copy))
    }
}

/// A `PROC_THREAD_ATTRIBUTE_LIST`.
struct Attributes {
    list: Vec<usize>,
}

impl Attributes {
    fn new(count: u32) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: asks for the size only; it says so by an error.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), count, 0, &mut size) };
        let mut list = vec![0_usize; size.div_ceil(mem::size_of::<usize>())];
        // SAFETY: the buffer is of the size that was asked for.
        if unsafe {
            InitializeProcThreadAttributeList(list.as_mut_ptr().cast(), count, 0, &mut size)
        } == 0
        {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { list })
    }

    /// Keeps a pointer to `handles`, which must be there until the process is created.
    fn set(&mut self, attribute: u32, handles: &[RawHandle]) -> io::Result<()> {
        // SAFETY: the list is initialized, pointer and size are those of the slice.
        let done = unsafe {
            UpdateProcThreadAttribute(
                self.as_mut_ptr(),
                0,
                usize::try_from(attribute).unwrap_or(0),
                handles.as_ptr().cast(),
                mem::size_of_val(handles),
                ptr::null_mut(),
                ptr::null(),
            )
        };
        if done == 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    fn as_mut_ptr(&mut self) -> *mut core::ffi::c_void {
        self.list.as_mut_ptr().cast()
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialized by `new`, deleted once.
        unsafe { DeleteProcThreadAttributeList(self.as_mut_ptr()) };
    }
}
