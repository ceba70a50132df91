//! The `ancm` program: serves a published ASP.NET Core app, or any program that listens on a port.

fn main() {}
