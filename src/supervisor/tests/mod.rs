mod fakes;
mod log;
mod probe;
mod queue;
mod random;
#[cfg(target_os = "linux")]
mod real;
mod restart;
mod service;
mod start;
mod stop;
mod upkeep;
