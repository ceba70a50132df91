mod fakes;
mod queue;
mod restart;
mod service;
mod start;
mod stop;
