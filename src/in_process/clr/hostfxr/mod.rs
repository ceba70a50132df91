//! hostfxr: the library of .NET that finds a framework and runs an app on it.
//!
//! It is found as `dotnet` and the module find it, and loaded at run time, so that nothing of .NET is needed to build
//! or to start this program.

mod find;
mod load;
mod version;

pub(super) use self::{
    find::{Command, Found, NotFound, find},
    load::{Hostfxr, Property},
};
