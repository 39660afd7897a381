//! Files of a log and its snapshots, as a disk that lost something gives them back.

mod log;
mod records;
mod snapshots;
