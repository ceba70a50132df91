//! How many connections there may be: to one address, and to all of them together.
//!
//! A connection has a seat from before it is opened until its socket is closed, whether it carries a request, a tunnel, or
//! nothing. A request that finds no connection at hand and no seat waits in its address's queue. Whoever gives up a
//! connection serves the one that waits longest, and nobody else: with the connection itself where it can be used again, else
//! with its seat. So nobody is woken in vain, and no free seat is forgotten.
//!
//! Nothing of this is looked at by a request that finds a connection of its thread at hand, but for one look whether
//! somebody waits when it gives it back.
//!
//! The locks are taken in this order: an address's, then that of a thread's idle connections, or that of all addresses. No
//! connection and no seat is dropped under any of them.

mod address;
mod budget;
mod files;
mod seat;
#[cfg(test)]
mod tests;
mod waiting;

pub(super) use self::{
    address::{Entered, Limits, Seats, Turn},
    seat::Seat,
};
