//! The app in this process: the module's other hosting model.

#[cfg(feature = "in-process")]
pub mod clr;
