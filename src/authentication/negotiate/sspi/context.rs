//! The handles of the interface, each closed once, and its calls behind safe functions.
#![allow(unsafe_code, reason = "the Windows API has no safe interface")]

use std::{
    ffi::c_void,
    os::windows::io::{FromRawHandle as _, OwnedHandle},
    ptr,
};

use windows_sys::{
    Win32::{
        Foundation::{FILETIME, SEC_E_INVALID_TOKEN},
        Security::{
            Authentication::Identity::{
                ASC_REQ_ALLOCATE_MEMORY, ASC_REQ_CONNECTION, ASC_REQ_MUTUAL_AUTH,
                ASC_RET_NULL_SESSION, AcceptSecurityContext, AcquireCredentialsHandleW,
                CompleteAuthToken, DeleteSecurityContext, FreeContextBuffer, FreeCredentialsHandle,
                QueryContextAttributesW, QuerySecurityContextToken, SECBUFFER_TOKEN,
                SECBUFFER_VERSION, SECPKG_ATTR_NAMES, SECPKG_CRED_INBOUND, SECURITY_NATIVE_DREP,
                SecBuffer, SecBufferDesc, SecPkgContext_NamesW,
            },
            Credentials::SecHandle,
        },
        Storage::FileSystem::LocalFileTimeToFileTime,
    },
    w,
};

use super::outcome::Outcome;

/// No more of a name is read.
const LONGEST_NAME: usize = 1024;

/// What the account of this process accepts clients with.
pub(super) struct Credential(SecHandle);

/// An exchange with a client.
pub(super) struct Context(SecHandle);

/// What came of a token.
pub(super) struct Accepted {
    pub(super) context: Context,
    pub(super) done: bool,
    /// For the client; empty where there is none.
    pub(super) token: Vec<u8>,
    /// Whether the client is anonymous.
    pub(super) nobody: bool,
    /// When it ends, in 100 ns since 1601, UTC.
    pub(super) ends: i64,
}

impl Credential {
    /// # Errors
    ///
    /// The status.
    pub(super) fn acquire() -> Result<Self, i32> {
        let (mut handle, mut ends) = (SecHandle::default(), 0);
        // SAFETY: the name ends with zero, the pointers are locals', and what is null may be.
        let status = unsafe {
            AcquireCredentialsHandleW(
                ptr::null(),
                w!("Negotiate"),
                SECPKG_CRED_INBOUND,
                ptr::null(),
                ptr::null(),
                None,
                ptr::null(),
                &mut handle,
                &mut ends,
            )
        };
        match status {
            0 => Ok(Self(handle)),
            failed => Err(failed),
        }
    }

    /// Takes a client's next `token`, the first where there was no exchange `before`.
    ///
    /// # Errors
    ///
    /// The status. The exchange is over.
    pub(super) fn accept(&self, before: Option<Context>, token: &[u8]) -> Result<Accepted, i32> {
        // The interface takes its input as mutable, and some packages decrypt in place.
        let mut token = token.to_vec();
        let size = u32::try_from(token.len()).map_err(|_| SEC_E_INVALID_TOKEN)?;
        let mut input = buffer(size, token.as_mut_ptr().cast());
        let mut output = Allocated(buffer(0, ptr::null_mut()));
        let (input, mut answer) = (description(&mut input), description(&mut output.0));
        let old: *const SecHandle = before
            .as_ref()
            .map_or(ptr::null(), |context| &raw const context.0);
        let mut new = before
            .as_ref()
            .map_or_else(SecHandle::default, |context| context.0);
        let (mut attributes, mut ends) = (0, 0);
        // SAFETY: the handles are open and outlive the call, the buffers are as large as they say, and all that is
        // written to are locals. `old` is null for the first token, and then `new` is a new handle if it succeeds; later it
        // is the same as the old one.
        let status = unsafe {
            AcceptSecurityContext(
                &raw const self.0,
                old,
                &raw const input,
                ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_CONNECTION | ASC_REQ_MUTUAL_AUTH,
                SECURITY_NATIVE_DREP,
                &raw mut new,
                &raw mut answer,
                &mut attributes,
                &mut ends,
            )
        };
        // A failure leaves none but the old one, which `before` closes.
        let outcome = Outcome::of(status).ok_or(status)?;
        let context = match before {
            Some(mut context) => {
                context.0 = new;
                context
            }
            None => Context(new),
        };
        if outcome.complete {
            // SAFETY: the handle is open, the description that of the answer.
            let completed = unsafe { CompleteAuthToken(&raw const context.0, &raw const answer) };
            if completed != 0 {
                return Err(completed);
            }
        }
        Ok(Accepted {
            context,
            done: outcome.done,
            token: output.bytes(),
            nobody: attributes & ASC_RET_NULL_SESSION != 0,
            ends: universal(ends),
        })
    }
}

impl Context {
    /// The client's account: `DOMAIN\user`.
    ///
    /// # Errors
    ///
    /// The status.
    pub(super) fn account(&self) -> Result<String, i32> {
        let mut names = SecPkgContext_NamesW {
            sUserName: ptr::null_mut(),
        };
        let into = (&raw mut names).cast::<c_void>();
        // SAFETY: the handle is open, and this attribute is of that structure.
        let status = unsafe { QueryContextAttributesW(&raw const self.0, SECPKG_ATTR_NAMES, into) };
        if status != 0 {
            return Err(status);
        }
        let name = Allocated(buffer(0, names.sUserName.cast()));
        // SAFETY: the system wrote a text there that ends with zero, and `name` keeps it until here.
        Ok(unsafe { text(name.0.pvBuffer.cast()) })
    }

    /// The client's token, which is its user for Windows.
    ///
    /// # Errors
    ///
    /// The status.
    pub(super) fn user(&self) -> Result<OwnedHandle, i32> {
        let mut token = ptr::null_mut();
        // SAFETY: the handle is open, the pointer a local's.
        let status = unsafe { QuerySecurityContextToken(&raw const self.0, &mut token) };
        match status {
            // SAFETY: it is new and ours to close.
            0 => Ok(unsafe { OwnedHandle::from_raw_handle(token) }),
            failed => Err(failed),
        }
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        // SAFETY: it was acquired, and nobody else closes it.
        unsafe { FreeCredentialsHandle(&raw const self.0) };
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: it was made, and nobody else closes it.
        unsafe { DeleteSecurityContext(&raw const self.0) };
    }
}

/// Memory of the system's, given back once.
struct Allocated(SecBuffer);

impl Allocated {
    fn bytes(&self) -> Vec<u8> {
        let length = usize::try_from(self.0.cbBuffer).unwrap_or(0);
        if self.0.pvBuffer.is_null() || length == 0 {
            return Vec::new();
        }
        // SAFETY: the system wrote so many bytes there.
        unsafe { std::slice::from_raw_parts(self.0.pvBuffer.cast::<u8>(), length) }.to_vec()
    }
}

impl Drop for Allocated {
    fn drop(&mut self) {
        if !self.0.pvBuffer.is_null() {
            // SAFETY: the system allocated it for us, and nobody else frees it.
            unsafe { FreeContextBuffer(self.0.pvBuffer) };
        }
    }
}

fn buffer(size: u32, at: *mut c_void) -> SecBuffer {
    SecBuffer {
        cbBuffer: size,
        BufferType: SECBUFFER_TOKEN,
        pvBuffer: at,
    }
}

fn description(buffer: &mut SecBuffer) -> SecBufferDesc {
    SecBufferDesc {
        ulVersion: SECBUFFER_VERSION,
        cBuffers: 1,
        pBuffers: buffer,
    }
}

/// Up to the zero.
///
/// # Safety
///
/// It must point to a text that ends with zero, or be null.
unsafe fn text(at: *const u16) -> String {
    if at.is_null() {
        return String::new();
    }
    // SAFETY: as this function's own; nothing behind the zero is read.
    let units = (0..LONGEST_NAME).map(|index| unsafe { at.add(index).read() });
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    String::from_utf16_lossy(&units)
}

/// The interface says times in local time; those that are none stay as they are.
fn universal(local: i64) -> i64 {
    let [low, high] = halves(local);
    let local_time = FILETIME {
        dwLowDateTime: low,
        dwHighDateTime: high,
    };
    let mut utc = FILETIME::default();
    // SAFETY: both are locals.
    match unsafe { LocalFileTimeToFileTime(&local_time, &mut utc) } {
        0 => local,
        _ => i64::from(utc.dwHighDateTime.cast_signed()) << 32 | i64::from(utc.dwLowDateTime),
    }
}

fn halves(time: i64) -> [u32; 2] {
    let half = |bits: i64| u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
    [half(time), half(time >> 32)]
}
