//! The numbers of all fields. They are for ever: a number is never used again for anything else.

pub(super) mod entry {
    pub(crate) const ENGINE: u32 = 1;
    pub(crate) const ELAPSED_MS: u32 = 2;
    pub(crate) const WALL_MS: u32 = 3;
    pub(crate) const EFFECTS: u32 = 4;
}

pub(super) mod effect {
    pub(crate) const SESSION: u32 = 1;
    pub(crate) const SEQUENCE: u32 = 2;
    pub(crate) const TERM: u32 = 3;
    pub(crate) const ATTEMPT: u32 = 4;
    /// The attempt's message where it is not the effect's own.
    pub(crate) const ATTEMPT_MESSAGE: u32 = 5;
    pub(crate) const KEY: u32 = 6;
    /// Of fixed width, because a hash has no leading zeros to save.
    pub(crate) const PAYLOAD_HASH: u32 = 7;
    pub(crate) const AT_MS: u32 = 8;
    pub(crate) const LOW_WATER: u32 = 9;
    pub(crate) const KEPT: u32 = 10;
    pub(crate) const ANSWER: u32 = 11;
    pub(crate) const EVENTS: u32 = 12;
    pub(crate) const RECORDS: u32 = 13;
    pub(crate) const CONDITIONS: u32 = 14;
    pub(crate) const DIRECTIVE: u32 = 15;
    pub(crate) const TRAIL: u32 = 16;
}

pub(super) mod message_id {
    pub(crate) const SESSION: u32 = 1;
    pub(crate) const SEQUENCE: u32 = 2;
}

pub(super) mod outside_key {
    pub(crate) const SCOPE: u32 = 1;
    pub(crate) const KEY: u32 = 2;
}

pub(super) mod answer {
    pub(crate) const REPLY: u32 = 1;
    pub(crate) const REFUSAL: u32 = 2;
}

pub(super) mod event {
    pub(crate) const STREAM: u32 = 1;
    pub(crate) const NAME: u32 = 2;
    pub(crate) const SCHEMA: u32 = 3;
    pub(crate) const TAGS: u32 = 4;
    pub(crate) const PAYLOAD: u32 = 5;
}

pub(super) mod record {
    pub(crate) const KEY: u32 = 1;
    pub(crate) const VALUE: u32 = 2;
}

/// One of these.
pub(super) mod condition {
    pub(crate) const STREAM_AT: u32 = 1;
    pub(crate) const STREAM_ABSENT: u32 = 2;
    pub(crate) const RECORD_AT: u32 = 3;
    pub(crate) const TAG_QUIET: u32 = 4;
    pub(crate) const WRITTEN_BY: u32 = 5;
}

/// A stream, record or tag, and the number that it is expected to have.
pub(super) mod expected {
    pub(crate) const NAME: u32 = 1;
    pub(crate) const NUMBER: u32 = 2;
}

pub(super) mod written_by {
    pub(crate) const STREAM: u32 = 1;
    pub(crate) const SESSION: u32 = 2;
    pub(crate) const SEQUENCE: u32 = 3;
    pub(crate) const TERM: u32 = 4;
    pub(crate) const ATTEMPT: u32 = 5;
}

/// One of these.
pub(super) mod directive {
    pub(crate) const OPEN_SESSION: u32 = 1;
    pub(crate) const RAISE_ENGINE: u32 = 2;
    pub(crate) const CLOSE_SESSION: u32 = 3;
}

pub(super) mod open_session {
    pub(crate) const NODE: u32 = 1;
    pub(crate) const NONCE: u32 = 2;
}

pub(super) mod close_session {
    pub(crate) const NODE: u32 = 1;
}

pub(super) mod trail {
    pub(crate) const CORRELATION: u32 = 1;
    pub(crate) const CAUSATION: u32 = 2;
    pub(crate) const PRINCIPAL: u32 = 3;
    pub(crate) const TENANT: u32 = 4;
    pub(crate) const TRACE: u32 = 5;
}

pub(super) mod trace {
    pub(crate) const TRACE_ID_HIGH: u32 = 1;
    pub(crate) const TRACE_ID_LOW: u32 = 2;
    pub(crate) const SPAN_ID: u32 = 3;
    pub(crate) const FLAGS: u32 = 4;
}
