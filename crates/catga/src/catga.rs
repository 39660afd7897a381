use catga_runtime::Builder;

/// Where a program begins: [`Catga::builder`].
#[derive(Debug)]
pub struct Catga;

impl Catga {
    /// Collects what a node is made of. Without more it runs in this process, in memory.
    pub fn builder() -> Builder {
        Builder::default()
    }
}
