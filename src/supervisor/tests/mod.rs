mod fakes;
mod log;
mod probe;
mod queue;
#[cfg(target_os = "linux")]
mod real;
mod restart;
mod service;
mod start;
mod stop;
mod upkeep;
