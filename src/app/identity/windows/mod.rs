//! The token of a user: the Windows API behind one safe interface.
#![allow(unsafe_code, reason = "the Windows API has no safe interface")]

use std::{
    ffi::c_void,
    io, mem,
    os::windows::io::{
        AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle, RawHandle,
    },
    process, ptr,
    sync::OnceLock,
};

use http::HeaderValue;
use tracing::warn;
use windows_sys::Win32::{
    Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_INVALID_HANDLE, ERROR_NO_TOKEN},
    Security::{
        GetLengthSid, GetTokenInformation, ImpersonateLoggedOnUser, LookupAccountNameW,
        LookupAccountSidW, PSID, SID_AND_ATTRIBUTES, TOKEN_GROUPS, TOKEN_IMPERSONATE,
        TOKEN_INFORMATION_CLASS, TOKEN_USER, TokenGroups, TokenUser,
    },
    System::Threading::{GetCurrentThread, OpenThreadToken, SetThreadToken},
};

use super::{number, sid::Sid};

/// From `winnt.h`: the group's rights count.
const SE_GROUP_ENABLED: u32 = 0x4;
/// From `winnt.h`: only what is denied to the group counts.
const SE_GROUP_USE_FOR_DENY_ONLY: u32 = 0x10;
/// From `winnt.h`: not a group, but the session.
const SE_GROUP_LOGON_ID: u32 = 0xc000_0000;

/// A user's token, of which this owns the handle.
#[derive(Debug)]
pub(super) struct Token {
    handle: OwnedHandle,
    sid: String,
    name: OnceLock<String>,
    groups: OnceLock<Vec<String>>,
}

impl Token {
    /// Takes over the handle that `header` names, if it is one of a token. Closes it if it can't be used.
    pub(super) fn take(header: &HeaderValue) -> Option<Self> {
        let number = number::parse(header.as_bytes())
            .inspect_err(|error| warn!(%error, "Windows user ignored"))
            .ok()?;
        Self::adopt(number)
            .inspect_err(|error| warn!(%error, "Windows user ignored: its token can't be used"))
            .ok()
    }

    /// A copy of a token of this process, so that whoever gave it may close its own.
    #[cfg(feature = "host")]
    pub(super) fn copy_of(handle: &OwnedHandle) -> io::Result<Self> {
        let handle = handle.try_clone()?;
        Ok(Self {
            sid: user(handle.as_raw_handle())?.to_string(),
            handle,
            name: OnceLock::new(),
            groups: OnceLock::new(),
        })
    }

    fn adopt(number: u32) -> io::Result<Self> {
        let raw = ptr::without_provenance_mut::<c_void>(number.try_into().unwrap_or(0));
        let user = match user(raw) {
            // Nothing, or no token: whatever it is, it is not for us to close.
            Err(error) if is(&error, ERROR_INVALID_HANDLE) => return Err(error),
            user => user,
        };
        // SAFETY: it is the handle of a token. The front end, which alone knows the pairing token, made it in this
        // process for this one request, for whoever reads the header to close; the header is gone from now on.
        let handle = unsafe { OwnedHandle::from_raw_handle(raw) };
        Ok(Self {
            sid: user?.to_string(),
            handle,
            name: OnceLock::new(),
            groups: OnceLock::new(),
        })
    }

    pub(super) fn as_handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }

    pub(super) fn sid(&self) -> &str {
        &self.sid
    }

    pub(super) fn name(&self) -> io::Result<&str> {
        if let Some(name) = self.name.get() {
            return Ok(name);
        }
        let name = account_of(&information(self.handle.as_raw_handle(), TokenUser)?)?;
        Ok(self.name.get_or_init(|| name))
    }

    pub(super) fn groups(&self) -> io::Result<&[String]> {
        if let Some(groups) = self.groups.get() {
            return Ok(groups);
        }
        let groups = groups(self.handle.as_raw_handle())?;
        Ok(self.groups.get_or_init(|| groups))
    }

    /// Makes this thread the user's for as long as the returned value lives.
    pub(super) fn impersonate(&self) -> io::Result<Impersonation> {
        let before = thread_token()?;
        // SAFETY: the handle is open.
        succeeded(unsafe { ImpersonateLoggedOnUser(self.handle.as_raw_handle()) })?;
        Ok(Impersonation {
            before,
            _on_this_thread: ptr::null(),
        })
    }
}

/// While it lives, this thread acts as a user.
pub(super) struct Impersonation {
    before: Option<OwnedHandle>,
    /// Neither `Send` nor `Sync`: it must be dropped where it was made.
    _on_this_thread: *const (),
}

impl Drop for Impersonation {
    fn drop(&mut self) {
        let before = self.before.as_ref();
        let before = before.map_or(ptr::null_mut(), AsRawHandle::as_raw_handle);
        // SAFETY: no thread is this thread, no token is the process's own; the handle of another is open.
        if unsafe { SetThreadToken(ptr::null(), before) } == 0 {
            // As .NET does. Whatever ran next would run with a stranger's rights.
            process::abort();
        }
    }
}

/// Whom this thread acts as already: impersonations nest.
fn thread_token() -> io::Result<Option<OwnedHandle>> {
    let mut token = ptr::null_mut();
    // SAFETY: the pseudo-handle of this thread is always open, the pointer is a local's. Opened with the process's own
    // rights, which the user whom the thread acts as may not have.
    let opened = unsafe { OpenThreadToken(GetCurrentThread(), TOKEN_IMPERSONATE, 1, &mut token) };
    match succeeded(opened) {
        // SAFETY: it is new and ours.
        Ok(()) => Ok(Some(unsafe { OwnedHandle::from_raw_handle(token) })),
        Err(error) if is(&error, ERROR_NO_TOKEN) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The security identifier of `group`, as text: an identifier itself, or a name to be looked up.
pub(super) fn group(group: &str) -> io::Result<String> {
    let sid = Sid::parse(group).map_or_else(|| look_up(group), Ok)?;
    Ok(sid.to_string())
}

fn look_up(account: &str) -> io::Result<Sid> {
    let account: Vec<u16> = account.encode_utf16().chain([0]).collect();
    // As large as any (`SECURITY_MAX_SID_SIZE` is 68 bytes), and aligned as one.
    let (mut sid, mut domain) = ([0_u32; 17], [0_u16; 256]);
    let mut sid_size = size_u32(&sid);
    let mut domain_length = length_u32(&domain);
    let mut kind = 0;
    // SAFETY: the name ends with zero, and the buffers are as large as they say.
    succeeded(unsafe {
        LookupAccountNameW(
            ptr::null(),
            account.as_ptr(),
            sid.as_mut_ptr().cast(),
            &mut sid_size,
            domain.as_mut_ptr(),
            &mut domain_length,
            &mut kind,
        )
    })?;
    // SAFETY: the system wrote an identifier there.
    unsafe { read_sid(sid.as_mut_ptr().cast()) }
}

/// `DOMAIN\user` of the `TOKEN_USER` in `user`.
fn account_of(user: &Information) -> io::Result<String> {
    // SAFETY: the system wrote that structure, and the identifier it points to, into this buffer.
    let sid = unsafe { user.at::<TOKEN_USER>().read().User.Sid };
    let (mut name, mut domain) = ([0_u16; 257], [0_u16; 256]);
    let (mut name_length, mut domain_length) = (length_u32(&name), length_u32(&domain));
    let mut kind = 0;
    // SAFETY: the identifier is the system's own, and the buffers are as large as they say.
    succeeded(unsafe {
        LookupAccountSidW(
            ptr::null(),
            sid,
            name.as_mut_ptr(),
            &mut name_length,
            domain.as_mut_ptr(),
            &mut domain_length,
            &mut kind,
        )
    })?;
    let (name, domain) = (text(&name), text(&domain));
    // As .NET writes it: some accounts, such as `Everyone`, have no domain.
    Ok(match domain.is_empty() {
        true => name,
        false => format!(r"{domain}\{name}"),
    })
}

fn user(token: RawHandle) -> io::Result<Sid> {
    let user = information(token, TokenUser)?;
    // SAFETY: the system wrote that structure, and the identifier it points to, into this buffer.
    unsafe { read_sid(user.at::<TOKEN_USER>().read().User.Sid) }
}

fn groups(token: RawHandle) -> io::Result<Vec<String>> {
    let list = information(token, TokenGroups)?;
    let first = mem::offset_of!(TOKEN_GROUPS, Groups);
    // SAFETY: the system wrote that structure into this buffer: a count, then so many entries.
    let entries = unsafe {
        let count = list.at::<u32>().read();
        let first = list.at::<u8>().add(first).cast::<SID_AND_ATTRIBUTES>();
        (0..usize::try_from(count).unwrap_or(0)).map(move |index| first.add(index).read())
    };
    let counts = |entry: &SID_AND_ATTRIBUTES| {
        entry.Attributes & SE_GROUP_LOGON_ID != SE_GROUP_LOGON_ID
            && entry.Attributes & (SE_GROUP_ENABLED | SE_GROUP_USE_FOR_DENY_ONLY)
                == SE_GROUP_ENABLED
    };
    entries
        .filter(counts)
        // SAFETY: the identifiers stand in the same buffer, which is still there.
        .map(|entry| Ok(unsafe { read_sid(entry.Sid) }?.to_string()))
        .collect()
}

/// What the system wrote, aligned for every structure that it writes.
struct Information(Vec<u64>);

impl Information {
    fn at<T>(&self) -> *const T {
        self.0.as_ptr().cast()
    }
}

fn information(token: RawHandle, class: TOKEN_INFORMATION_CLASS) -> io::Result<Information> {
    let mut buffer = vec![0_u64; 16];
    loop {
        let mut needed = 0;
        let size = size_u32(&buffer);
        let (at, needed_at) = (buffer.as_mut_ptr().cast(), &raw mut needed);
        // SAFETY: the buffer is as large as it says. A handle that is not open, or not a token's, is an error.
        match succeeded(unsafe { GetTokenInformation(token, class, at, size, needed_at) }) {
            Ok(()) => return Ok(Information(buffer)),
            Err(error) if is(&error, ERROR_INSUFFICIENT_BUFFER) => {}
            Err(error) => return Err(error),
        }
        let needed = usize::try_from(needed).unwrap_or(0).div_ceil(8);
        buffer.resize(needed.max(buffer.len() + 1), 0);
    }
}

/// # Safety
///
/// It must point to a valid identifier.
unsafe fn read_sid(sid: PSID) -> io::Result<Sid> {
    // SAFETY: it is valid, so that it is as long as it says.
    let bytes = unsafe {
        let length = usize::try_from(GetLengthSid(sid)).unwrap_or(0);
        std::slice::from_raw_parts(sid.cast::<u8>(), length)
    };
    Sid::from_bytes(bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Up to the zero.
fn text(buffer: &[u16]) -> String {
    let text = buffer.split(|&unit| unit == 0).next().unwrap_or_default();
    String::from_utf16_lossy(text)
}

fn succeeded(result: i32) -> io::Result<()> {
    match result {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

fn size_u32<T>(buffer: &[T]) -> u32 {
    u32::try_from(mem::size_of_val(buffer)).unwrap_or(u32::MAX)
}

fn length_u32<T>(buffer: &[T]) -> u32 {
    u32::try_from(buffer.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
