//! Subscribers of the whole cluster: one owner at a time, whose effect and cursor count together,
//! over three nodes with changing leaders.

mod rig;

mod at_random;
mod beginning;
mod cursor;
mod dead_letters;
mod ownership;
mod pausing;
