//! An ASP.NET Core app in this process, by CoreCLR.

#![allow(unsafe_code, reason = "the boundary to CoreCLR")]

mod abi;
mod app;
mod body;
mod calls;
mod exchange;
mod facts;
mod failure;
mod future;
mod head;
mod hostfxr;
mod lifetime;
mod native;
mod service;
mod signals;
mod slots;
mod start;

pub use self::{
    app::{App, Ended},
    body::{Broken, ResponseBody},
    failure::{StartError, SubStatus},
    future::ResponseFuture,
    service::Service,
    signals::{Blocked, Signals},
    start::Launch,
};

#[cfg(test)]
#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "a test that breaks the contract is what it is for"
)]
mod tests;
