use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Unreadable;

/// What a node has recorded, as `order-cluster dump` writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journal {
    /// Whose it is.
    pub node: String,
    /// Every effect that counted, in order.
    pub records: Vec<Record>,
}

/// An effect that counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its place: from 1, without a gap.
    pub offset: u64,
    /// The message that it is of.
    pub id: String,
    /// When it was recorded.
    pub at: String,
    /// `reply`, `refusal` or `none`.
    pub answered: String,
    /// What was answered.
    pub answer: Value,
    /// Its events.
    pub events: Vec<Event>,
}

/// An event of an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The stream that it is in.
    pub stream: String,
    /// Its number there.
    pub version: u64,
    /// What happened.
    pub name: String,
    /// To what.
    pub data: Value,
}

impl Journal {
    /// Reads a dump: a record on each line.
    ///
    /// # Errors
    /// When a line is no record.
    pub fn read(node: impl Into<String>, text: &str) -> Result<Self, Unreadable> {
        let records = text.lines().enumerate().map(|(number, line)| {
            serde_json::from_str(line).map_err(|source| Unreadable { line: number + 1, source })
        });
        Ok(Self { node: node.into(), records: records.collect::<Result<_, _>>()? })
    }

    /// The record at `offset`.
    pub fn at(&self, offset: u64) -> Option<&Record> {
        let first = self.records.first()?.offset;
        let index = usize::try_from(offset.checked_sub(first)?).ok()?;
        self.records.get(index).filter(|record| record.offset == offset)
    }

    /// Where each product was ordered, and each reason cancelled: by both, commands are known.
    pub(crate) fn placed(&self) -> HashMap<Mark<'_>, Vec<u64>> {
        let mut placed = HashMap::<_, Vec<u64>>::new();
        for record in &self.records {
            for mark in record.events.iter().filter_map(Event::mark) {
                placed.entry(mark).or_default().push(record.offset);
            }
        }
        placed
    }
}

/// What a command is known by in a journal, which has no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mark<'a> {
    Created(&'a str),
    Cancelled(&'a str),
}

impl Event {
    pub(crate) fn mark(&self) -> Option<Mark<'_>> {
        match &*self.name {
            "order.created" => self.text("product_id").map(Mark::Created),
            "order.cancelled" => self.text("reason").map(Mark::Cancelled),
            _ => None,
        }
    }

    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.data.get(field)?.as_str()
    }
}

impl Record {
    /// The id of the order that it refused something to, because that was cancelled before.
    pub(crate) fn already_cancelled(&self) -> Option<&str> {
        if self.answered != "refusal" {
            return None;
        }
        self.answer.get("AlreadyCancelled")?.as_str()
    }
}

/// An id without the hyphens that a dump does not write.
pub(crate) fn bare(id: &str) -> String {
    id.replace('-', "")
}
