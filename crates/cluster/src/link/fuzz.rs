//! Bytes that somebody sends instead of a peer, and those of a peer in other portions.

mod assembly;
mod dialled;
mod frames;
mod handshake;
mod peer;
mod portions;
mod upgrade;

use catga_fuzz::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
