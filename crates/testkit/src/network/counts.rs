/// What a network went through. A test that is about one of these should see to it that it is not
/// zero: otherwise it tested nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections that were made.
    pub connects: u64,
    /// Connections that were refused, since nobody listened.
    pub refused: u64,
    /// Directions that were cut.
    pub cuts: u64,
    /// Directions that were healed.
    pub heals: u64,
    /// Ends of connections that were reset.
    pub resets: u64,
    /// Bytes that arrived at somebody who could read them.
    pub bytes: u64,
    /// Chunks of bytes that arrived so.
    pub chunks: u64,
    /// Writes that were sent in two parts.
    pub splits: u64,
    /// Chunks, ends, resets and connects that were held back by a cut or a machine without power.
    pub held_back: u64,
    /// Writes that found no room, and waited.
    pub waits: u64,
}
