/// What a disk went through. A test that is about one of these should see to it that it is not
/// zero: otherwise it tested nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Writes.
    pub writes: u64,
    /// Syncs of files that ended well.
    pub syncs: u64,
    /// Syncs of directories that ended well.
    pub dir_syncs: u64,
    /// Syncs of files or directories that failed.
    pub failed_syncs: u64,
    /// How often the process ended and the machine went on.
    pub restarts: u64,
    /// How often the power went.
    pub crashes: u64,
    /// Writes that were not synced when the power went, and survived.
    pub kept_writes: u64,
    /// Writes of which nothing survived.
    pub lost_writes: u64,
    /// Writes of which a part survived.
    pub torn_writes: u64,
    /// Changes of a length, and allocations, that did not survive.
    pub lost_lengths: u64,
    /// Names that were found as they were before.
    pub lost_names: u64,
    /// Calls that found no room.
    pub full: u64,
    /// Calls that were made to fail.
    pub faults: u64,
    /// Those of them that were to read.
    pub failed_reads: u64,
    /// Those that were to write.
    pub failed_writes: u64,
    /// Bits that were flipped.
    pub flips: u64,
}
