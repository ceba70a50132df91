//! hostfxr as a library of C functions.

use std::{
    cell::RefCell,
    ffi::{CStr, CString, NulError, c_char, c_int, c_void},
    mem::ManuallyDrop,
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr,
};

use libloading::Library;

use super::Found;

type Handle = *mut c_void;
type Writer = unsafe extern "C" fn(*const c_char);
type SetErrorWriter = unsafe extern "C" fn(Option<Writer>) -> Option<Writer>;
type Initialize =
    unsafe extern "C" fn(c_int, *const *const c_char, *const Parameters, *mut Handle) -> i32;
type GetProperty = unsafe extern "C" fn(Handle, *const c_char, *mut *const c_char) -> i32;
type SetProperty = unsafe extern "C" fn(Handle, *const c_char, *const c_char) -> i32;
type Run = unsafe extern "C" fn(Handle) -> i32;

#[repr(C)]
struct Parameters {
    size: usize,
    host_path: *const c_char,
    dotnet_root: *const c_char,
}

thread_local! {
    /// What hostfxr said on this thread. Its writer is one of the thread, too.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The functions of a hostfxr that was loaded, for ever.
pub(in super::super) struct Hostfxr {
    set_error_writer: SetErrorWriter,
    initialize: Initialize,
    get_property: GetProperty,
    set_property: SetProperty,
    run: Run,
}

/// A runtime property to be set: its value may depend on the one that it has.
pub(in super::super) struct Property {
    pub(in super::super) name: &'static str,
    pub(in super::super) value: Box<dyn FnOnce(Option<String>) -> String + Send>,
}

impl Hostfxr {
    /// Loads it. It is never unloaded: threads of its stay, and return into it.
    pub(in super::super) fn load(library: &Path) -> Result<Self, libloading::Error> {
        // SAFETY: to load a library is to trust it; this is the one of the .NET that runs the app.
        let library = ManuallyDrop::new(unsafe { Library::new(library)? });
        // SAFETY: the functions have these types, which .NET documents and keeps (native-hosting.md), and outlive
        // this process's last use of them, since the library stays.
        unsafe {
            Ok(Self {
                set_error_writer: symbol(&library, b"hostfxr_set_error_writer\0")?,
                initialize: symbol(&library, b"hostfxr_initialize_for_dotnet_command_line\0")?,
                get_property: symbol(&library, b"hostfxr_get_runtime_property_value\0")?,
                set_property: symbol(&library, b"hostfxr_set_runtime_property_value\0")?,
                run: symbol(&library, b"hostfxr_run_app\0")?,
            })
        }
    }

    /// Prepares to run what was found, with `properties` set. Once in a process.
    pub(in super::super) fn initialize(
        self,
        found: &Found,
        properties: Vec<Property>,
    ) -> Result<Prepared, String> {
        // SAFETY: a function of this program, for ever.
        unsafe { (self.set_error_writer)(Some(listen)) };
        let handle = self.open(found).map_err(told)?;
        let prepared = Prepared {
            hostfxr: self,
            handle,
        };
        for property in properties {
            prepared.set(property).map_err(told)?;
        }
        Ok(prepared)
    }

    fn open(&self, found: &Found) -> Result<Handle, String> {
        let texts = found.arguments.iter().map(|text| text.as_bytes());
        let arguments: Vec<CString> = texts
            .map(CString::new)
            .collect::<Result<_, _>>()
            .map_err(no_text)?;
        let pointers: Vec<_> = arguments.iter().map(|text| text.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).map_err(|error| error.to_string())?;
        let program = path(&found.program)?;
        let root = path(&found.root)?;
        let parameters = Parameters {
            size: size_of::<Parameters>(),
            host_path: program.as_ptr(),
            dotnet_root: root.as_ptr(),
        };
        let mut handle = ptr::null_mut();
        // SAFETY: all texts are terminated and live until after the call, which copies them.
        let code = unsafe {
            (self.initialize)(
                count,
                pointers.as_ptr(),
                &raw const parameters,
                &raw mut handle,
            )
        };
        // Positive codes are successes with a remark.
        if code < 0 || handle.is_null() {
            return Err(format!(
                "hostfxr could not prepare the app: code {code:#010x}"
            ));
        }
        Ok(handle)
    }
}

/// An app that is ready to be run.
pub(in super::super) struct Prepared {
    hostfxr: Hostfxr,
    handle: Handle,
}

impl Prepared {
    fn set(&self, property: Property) -> Result<(), String> {
        let name = CString::new(property.name).map_err(no_text)?;
        let value = CString::new((property.value)(self.get(&name))).map_err(no_text)?;
        // SAFETY: the handle is that of `initialize`; the texts are terminated and copied by the call.
        let code =
            unsafe { (self.hostfxr.set_property)(self.handle, name.as_ptr(), value.as_ptr()) };
        match code {
            0.. => Ok(()),
            _ => Err(format!(
                "can't set the runtime property {}: code {code:#010x}",
                property.name
            )),
        }
    }

    fn get(&self, name: &CStr) -> Option<String> {
        let mut value = ptr::null();
        // SAFETY: as above; the value is hostfxr's, and valid until the property is set.
        unsafe {
            let code = (self.hostfxr.get_property)(self.handle, name.as_ptr(), &raw mut value);
            (code >= 0 && !value.is_null())
                .then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
        }
    }

    /// Runs the app on this thread until its Main returns: its exit code. What hostfxr itself failed by is negative.
    pub(in super::super) fn run(self) -> (i32, String) {
        // SAFETY: the handle is that of `initialize`, and used up now.
        let code = unsafe { (self.hostfxr.run)(self.handle) };
        (code, said())
    }
}

/// # Safety
///
/// `T` is the type of the function `name`.
unsafe fn symbol<T: Copy>(library: &Library, name: &[u8]) -> Result<T, libloading::Error> {
    const { assert!(size_of::<T>() == size_of::<usize>(), "a function's address") };
    // SAFETY: the caller's promise.
    unsafe { library.get::<T>(name).map(|symbol| *symbol) }
}

unsafe extern "C" fn listen(message: *const c_char) {
    if message.is_null() {
        return;
    }
    // SAFETY: hostfxr gives a terminated text.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    // What is said while the thread ends is of no use any more.
    let _ = SAID.try_with(|said| {
        if let Ok(mut said) = said.try_borrow_mut() {
            said.push_str(&message);
            said.push('\n');
        }
    });
}

fn said() -> String {
    SAID.with_borrow_mut(std::mem::take).trim().to_owned()
}

/// `reason` and what hostfxr said about it.
fn told(reason: String) -> String {
    match &*said() {
        "" => reason,
        said => format!("{reason}\n{said}"),
    }
}

fn path(path: &Path) -> Result<CString, String> {
    CString::new(path.as_os_str().as_bytes()).map_err(no_text)
}

#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn no_text(error: NulError) -> String {
    format!("hostfxr takes no text with a zero in it: {error}")
}
