use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use catga_core::RecordedEvent;
use catga_engine::RecordedAnswer;
use catga_host::{Disk, Files};
use catga_journal::DumpedEffect;
use serde_json::{Value, json};

use super::json;
use crate::Error;

/// Writes everything that the journal in the data directory `dir` counted to `out`, a line of JSON
/// for each effect, in order; gives back how many there are.
///
/// Payloads are shown by what they say of themselves; ids and bytes as hexadecimal digits. Fields
/// may be added.
///
/// ```no_run
/// catga::tools::dump("data/node1", &mut std::io::stdout().lock())?;
/// # Ok::<_, catga::Error>(())
/// ```
///
/// # Errors
/// When there is no such directory, it is no data directory, a node uses it, something in it is
/// damaged, or `out` takes no more. What was written before is as it was recorded.
pub fn dump(dir: impl AsRef<Path>, out: &mut dyn Write) -> Result<u64, Error> {
    let files: Arc<dyn Files> = Arc::new(Disk);
    let dir = super::inspect(&files, dir.as_ref())?;
    let mut count = 0;
    let mut written: io::Result<()> = Ok(());
    dir.effects(|effect| {
        written = line(&effect, out);
        count += 1;
        written.is_ok()
    })?;
    written?;
    out.flush()?;
    Ok(count)
}

fn line(effect: &DumpedEffect, out: &mut dyn Write) -> io::Result<()> {
    let (kind, answer) = match &effect.answer {
        RecordedAnswer::None => ("none", Value::Null),
        RecordedAnswer::Reply(payload) => ("reply", json::of_payload(payload)),
        RecordedAnswer::Refusal(payload) => ("refusal", json::of_payload(payload)),
    };
    let line = json!({
        "offset": effect.offset.0,
        "id": effect.message_id.to_string(),
        "at": effect.at.to_string(),
        "answered": kind,
        "answer": answer,
        "events": effect.events.iter().map(event).collect::<Vec<_>>(),
    });
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

fn event(event: &RecordedEvent) -> Value {
    json!({
        "stream": event.meta.stream.as_str(),
        "version": event.meta.version,
        "name": &*event.name,
        "schema": event.schema,
        "tags": event.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(),
        "data": json::of_payload(&event.payload),
    })
}
