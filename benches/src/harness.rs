//! What all benchmarks share: turns, figures, the table and the file.

mod alloc;
mod bar;
mod busy;
mod cpu;
mod figures;
mod fsync;
mod latency;
mod measure;
mod options;
mod report;
mod resident;
mod table;
mod turns;

pub(crate) use self::alloc::Counting;
pub(crate) use self::bar::Bar;
pub(crate) use self::busy::busy;
pub(crate) use self::cpu::cpu_time;
pub(crate) use self::figures::{Figures, Row};
pub(crate) use self::latency::{Latency, Recorder, Shared};
pub(crate) use self::measure::{Measured, measured};
pub(crate) use self::options::Options;
pub(crate) use self::report::{Report, folder};
pub(crate) use self::resident::resident_mb;
pub(crate) use self::turns::{Lane, progress, take_turns, take_turns_by};
