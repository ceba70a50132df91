//! Pipes that only one user can open.
#![allow(unsafe_code, reason = "the Windows API has no safe interface")]

use std::{
    ffi::c_void,
    io, mem,
    os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle},
    path::Path,
    ptr, slice,
};

use tokio::net::windows::named_pipe::{NamedPipeClient, NamedPipeServer, ServerOptions};
use windows_sys::Win32::{
    Foundation::LocalFree,
    Security::{
        Authorization::{
            ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
            GetSecurityInfo, SDDL_REVISION_1, SE_KERNEL_OBJECT,
        },
        GetTokenInformation, OWNER_SECURITY_INFORMATION, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY,
        TOKEN_USER, TokenUser,
    },
    System::{
        Pipes::GetNamedPipeClientProcessId,
        Threading::{GetCurrentProcess, OpenProcessToken},
    },
};

/// Who may open something.
#[derive(Debug)]
pub(super) struct Descriptor {
    /// A self-relative `SECURITY_DESCRIPTOR`, which has no pointers in it; aligned for one.
    descriptor: Vec<u64>,
}

impl Descriptor {
    /// This user, who owns it, administrators and the system itself; nobody else, whatever is inherited.
    pub(super) fn of_own_user() -> io::Result<Self> {
        let user = own_user()?;
        Self::parse(&format!(
            "O:{user}D:P(A;;GA;;;{user})(A;;GA;;;BA)(A;;GA;;;SY)"
        ))
    }

    fn parse(text: &str) -> io::Result<Self> {
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let (mut at, mut size) = (ptr::null_mut(), 0);
        // SAFETY: the text ends with zero, the pointers are locals'.
        succeeded(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut at,
                &mut size,
            )
        })?;
        let at = Local(at);
        let size = usize::try_from(size).unwrap_or(0);
        let mut descriptor = vec![0_u64; size.div_ceil(mem::size_of::<u64>())];
        // SAFETY: there are so many bytes at either place, which are two.
        unsafe {
            ptr::copy_nonoverlapping(at.0.cast::<u8>(), descriptor.as_mut_ptr().cast(), size);
        }
        Ok(Self { descriptor })
    }
}

/// An instance of the pipe; with `first`, only if there is none.
pub(super) fn create(
    path: &Path,
    descriptor: &Descriptor,
    first: bool,
) -> io::Result<NamedPipeServer> {
    let mut attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(mem::size_of::<SECURITY_ATTRIBUTES>()).unwrap_or(0),
        lpSecurityDescriptor: descriptor.descriptor.as_ptr().cast_mut().cast(),
        bInheritHandle: 0,
    };
    let mut options = ServerOptions::new();
    options
        .first_pipe_instance(first)
        .reject_remote_clients(true);
    // SAFETY: the attributes and the descriptor in them outlive the call, which only reads them.
    unsafe { options.create_with_security_attributes_raw(path, (&raw mut attributes).cast()) }
}

/// The process at the other end.
pub(super) fn client(pipe: &NamedPipeServer) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the handle is open, the pointer is a local's.
    let done = unsafe { GetNamedPipeClientProcessId(pipe.as_raw_handle(), &mut id) };
    (done != 0).then_some(id)
}

/// Refuses a pipe that somebody else made in `user`'s name. Only who is somebody can make them an owner, or an administrator.
pub(super) fn check_owner(pipe: &NamedPipeClient, user: &str) -> io::Result<()> {
    let (mut sid, mut descriptor): (PSID, *mut c_void) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle is open, the pointers are locals' or not wanted.
    let error = unsafe {
        GetSecurityInfo(
            pipe.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &mut sid,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &mut descriptor,
        )
    };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error.cast_signed()));
    }
    let _descriptor = Local(descriptor);
    // SAFETY: it stands in the descriptor, which is still there.
    let owner = unsafe { text(sid) }?;
    if owner != user {
        let message = format!("it belongs to {owner}, who is not the one in its name");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}

/// The security identifier of the user as whom this process runs.
pub(super) fn own_user() -> io::Result<String> {
    let mut token = ptr::null_mut();
    // SAFETY: the pseudo-handle of this process is always open, the pointer is a local's.
    succeeded(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token) })?;
    // SAFETY: it is new and ours.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    // Large enough for the structure and the longest identifier, which it points to.
    let mut user = [0_u64; 16];
    let size = u32::try_from(mem::size_of_val(&user)).unwrap_or(0);
    let mut needed = 0;
    // SAFETY: the buffer is as large as it says, and aligned for the structure.
    succeeded(unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            user.as_mut_ptr().cast(),
            size,
            &mut needed,
        )
    })?;
    // SAFETY: the system wrote the structure, and the identifier that it points to, into the buffer.
    unsafe { text(user.as_ptr().cast::<TOKEN_USER>().read().User.Sid) }
}

/// # Safety
///
/// It must point to a valid identifier.
unsafe fn text(sid: PSID) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: the identifier is valid, the pointer is a local's.
    succeeded(unsafe { ConvertSidToStringSidW(sid, &mut text) })?;
    let freed = Local(text.cast());
    // SAFETY: the system wrote a text there that ends with zero.
    let text = unsafe {
        let length = (0..).take_while(|&at| text.add(at).read() != 0).count();
        String::from_utf16_lossy(slice::from_raw_parts(text, length))
    };
    drop(freed);
    Ok(text)
}

/// What the system allocated for us.
struct Local(*mut c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: allocated by `LocalAlloc`, as those say who made it, and freed once.
        unsafe { LocalFree(self.0) };
    }
}

fn succeeded(result: i32) -> io::Result<()> {
    match result {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use windows_sys::Win32::{
        Security::{
            Authorization::ConvertSecurityDescriptorToStringSecurityDescriptorW,
            DACL_SECURITY_INFORMATION, ImpersonateAnonymousToken, RevertToSelf,
        },
        System::Threading::GetCurrentThread,
    };

    use super::*;

    /// What `act` does when nobody does it. Keeps to this thread.
    pub(in super::super) fn anonymous<T>(act: impl FnOnce() -> T) -> T {
        // SAFETY: the pseudo-handle of this thread is always open.
        succeeded(unsafe { ImpersonateAnonymousToken(GetCurrentThread()) }).unwrap();
        let done = act();
        // SAFETY: no argument.
        succeeded(unsafe { RevertToSelf() }).unwrap();
        done
    }

    /// The owner, and the list of who may open it, as text.
    pub(in super::super) fn list_of(pipe: &NamedPipeServer) -> String {
        let wanted = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
        let (mut descriptor, mut list) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the handle is open, the pointers are locals' or not wanted, and what the system allocates is freed after use.
        unsafe {
            let (pipe, null) = (pipe.as_raw_handle(), ptr::null_mut());
            let got = GetSecurityInfo(
                pipe,
                SE_KERNEL_OBJECT,
                wanted,
                null,
                null,
                ptr::null_mut(),
                ptr::null_mut(),
                &mut descriptor,
            );
            assert_eq!(got, 0);
            let descriptor = Local(descriptor);
            succeeded(ConvertSecurityDescriptorToStringSecurityDescriptorW(
                descriptor.0,
                SDDL_REVISION_1,
                wanted,
                &mut list,
                ptr::null_mut(),
            ))
            .unwrap();
            let _list = Local(list.cast());
            let length = (0..).take_while(|&at| list.add(at).read() != 0).count();
            String::from_utf16_lossy(slice::from_raw_parts(list, length))
        }
    }

    /// Identifiers have abbreviations, which some systems use where others do not.
    pub(in super::super) fn long(list: &str) -> String {
        list.replace(";GA;", ";FA;")
            .replace(";0x1f01ff;", ";FA;")
            .replace(";BA)", ";S-1-5-32-544)")
            .replace(";SY)", ";S-1-5-18)")
    }
}
