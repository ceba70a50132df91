//! HTTP/2 without TLS to an app (RFC 9113, 3.3): requests share connections, and gRPC gets what it needs.
//!
//! The codec is the `h2` crate, which is hyper's too. hyper's own client on it takes a stream that is reset with `CANCEL`
//! or `NO_ERROR` for one that has ended, so that a truncated message would look complete; and it can't say with which
//! code a request was broken off. Here a stream ends well by its end alone, and codes are [kept](reset::kept).
//!
//! Each thread of the front has connections of its own to a backend, the first of which that has room is taken. One is
//! opened where none has, by one request for all that wait. A connection is driven by a task of its own, so that it goes
//! on while nobody reads; a request is sent by whoever waits for its answer, and what is left of it then by a task.

mod answer;
mod ask;
mod connect;
mod driver;
mod failure;
mod head;
mod link;
mod links;
mod opening;
mod reset;
mod rest;
mod send;
mod tunnel;
mod upload;

pub(super) use self::{
    answer::Answer,
    ask::Exchange,
    connect::{Opened, connect},
    links::Links,
    send::send,
    tunnel::Tunnel,
};
