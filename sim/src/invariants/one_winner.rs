//! I11: of several that decide on the same state of a stream one counts; each version is there once.
//!
//! *Source.* Kung and Robinson, "On optimistic methods for concurrency control" (1981); the expected
//! version of event stores. *Observed:* clients cancel each other's orders under keys of their own:
//! one cancels it, the others are refused; the versions of a stream in the history have no hole and
//! none comes twice. *When:* at every answer to a cancellation; of histories at the end, of a lone
//! node at every start.

use std::collections::BTreeMap;

use catga_core::RecordedEvent;

use super::Invariant;
use crate::Violation;
use crate::ledger::Known;

/// One of those who wanted to cancel the order did, and the others were refused.
pub(crate) fn is_one_winner(known: &mut Known, product: &str) -> Result<(), Violation> {
    known.exercised.evaluated.count(Invariant::OneWinner);
    let Some(sent) = known.orders.get(product) else { return Ok(()) };
    let cancelled = sent.cancels.iter().filter(|(_, answer)| matches!(answer, Some(Some(_))));
    let cancelled: Vec<_> = cancelled.map(|(key, _)| key).collect();
    if cancelled.len() > 1 {
        let what = format!("order {product} was cancelled by {cancelled:?}");
        return Err(Invariant::OneWinner.broken(what));
    }
    let is_refused = sent.cancels.values().any(|answer| matches!(answer, Some(None)));
    if is_refused && sent.cancels.len() == 1 {
        let what = format!("order {product} was said to be cancelled, and nobody else asked");
        return Err(Invariant::OneWinner.broken(what));
    }
    Ok(())
}

/// The event has the version after the last one of its stream.
pub(crate) fn is_next(
    versions: &mut BTreeMap<String, u64>,
    event: &RecordedEvent,
) -> Result<(), Violation> {
    let last = versions.entry(event.meta.stream.as_str().to_owned()).or_default();
    *last += 1;
    match event.meta.version == *last {
        true => Ok(()),
        false => {
            let (version, stream) = (event.meta.version, &event.meta.stream);
            let what = format!("version {last} of {stream:?} is followed by {version}");
            Err(Invariant::OneWinner.broken(what))
        }
    }
}
