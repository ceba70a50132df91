mod fakes;
mod queue;
#[cfg(target_os = "linux")]
mod real;
mod restart;
mod service;
mod start;
mod stop;
