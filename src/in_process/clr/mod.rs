//! An ASP.NET Core app in this process, by CoreCLR.

#![allow(unsafe_code, reason = "the boundary to CoreCLR")]

mod abi;
mod body;
mod calls;
mod exchange;
mod facts;
mod future;
mod head;
mod hosted;
mod hostfxr;
mod lifetime;
mod native;
mod service;
mod signals;
mod slots;
mod start;

pub use self::{
    body::{Broken, ResponseBody},
    future::ResponseFuture,
    hosted::{AspNetCore, Ended, Hosted},
    service::Service,
    signals::{Blocked, Signals},
    start::{Launch, hosting_assembly},
};

#[cfg(test)]
#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test that breaks the contract is what it is for"
)]
mod tests;
