use std::time::{Duration, Instant};

use super::Counting;
use super::alloc::Allocated;

/// What a stretch of work took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) took: Duration,
    /// Zero unless it was counted.
    pub(crate) allocated: Allocated,
}

/// Runs `work` and measures it: its allocations if `count`, and then the time says less.
pub(crate) fn measured(count: bool, work: impl FnOnce()) -> Measured {
    if count {
        Counting::start();
        let start = Instant::now();
        work();
        let took = start.elapsed();
        let allocated = Counting::stop();
        return Measured { took, allocated };
    }
    let start = Instant::now();
    work();
    Measured { took: start.elapsed(), allocated: Allocated::default() }
}
