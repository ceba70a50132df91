//! Keeps a panic of the app from ending more than the request it came from.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::error::Error;

/// Runs `app`, whose panic is an error like any other.
///
/// What it leaves behind may be half done, and is dropped: nobody calls it again.
pub(super) fn caught<T>(app: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(app))
        .map_err(|panic| Error::app(format!("the app panicked: {}", message(&*panic))))
}

/// What a panic says.
pub(super) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it does not say why")
}
