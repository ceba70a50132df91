//! Keeps the app's process: starts it, waits until it listens, replaces it when it dies, stops it.

#[allow(dead_code)] // the task that will use them is not here yet
pub(crate) mod port;
#[allow(dead_code)]
pub(crate) mod process;
