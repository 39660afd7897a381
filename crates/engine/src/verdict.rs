use catga_core::Offset;

/// What the engine decided about one effect; the same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts, a refusal too.
    Counted {
        /// Its number.
        offset: Offset,
    },
    /// The command has counted before; its caller gets that effect's answer.
    Duplicate {
        /// The effect that counted.
        of: Offset,
    },
    /// A condition does not hold. The effect leaves no trace, so the id may be tried again.
    Conflict {
        /// Which condition, from 0: the first that does not hold.
        condition: u32,
        /// The last effect that it conflicts with; zero if it conflicts with an absence.
        at: Offset,
    },
    /// It can never count as it is, or not now. It leaves no trace either.
    Rejected(Rejection),
}

/// Why an effect was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The id's session is unknown, or its sequence is older than what is remembered: whether the
    /// command has counted is not known any more.
    Expired,
    /// The id or the key has counted with another payload.
    PayloadMismatch,
    /// It raises the engine to a version that its entry does not carry.
    EngineVersion,
}

/// What the engine knows of a command before anything runs; true at its current offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It has not counted.
    New,
    /// It has counted.
    Known {
        /// The effect that did.
        offset: Offset,
    },
    /// It has counted with another payload.
    PayloadMismatch,
    /// Its id is older than what is remembered.
    Expired,
}

/// What applying one entry gave. Keep one and use it again, so that applying allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The verdict on each effect of the entry, in order.
    pub verdicts: Vec<Verdict>,
    /// The version in its stream of every event of every effect that counted, in order.
    pub versions: Vec<u64>,
}

impl Applied {
    /// Empties it and keeps its memory; `Engine::apply` does so first.
    pub fn clear(&mut self) {
        self.verdicts.clear();
        self.versions.clear();
    }
}
