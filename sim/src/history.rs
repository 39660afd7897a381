use std::collections::BTreeMap;

use catga_core::{FaultCode, Offset};
use catga_journal::{Filter, Journal};

use crate::Violation;

/// Positions rise, versions have no hole, and no order was created twice.
pub(crate) async fn check_history(journal: &dyn Journal) -> Result<(), Violation> {
    let mut versions = BTreeMap::<String, u64>::new();
    let (mut after, mut last) = (Offset::ZERO, Offset::ZERO);
    loop {
        let page = journal.page(after, &Filter::All, 512).await;
        let page = page.map_err(|fault| match fault.code() {
            FaultCode::HistoryDamaged => Violation::Damaged(fault.to_string()),
            _ => Violation::Contradiction(fault.to_string()),
        })?;
        for event in &page.events {
            let position = event.meta.position.offset;
            let version = versions.entry(event.meta.stream.as_str().to_owned()).or_default();
            *version += 1;
            if position < last || event.meta.version != *version {
                let what = format!("event {} of {:?}", event.meta.version, event.meta.stream);
                return Err(Violation::Contradiction(what));
            }
            if event.name.as_ref() == "order.created" && *version != 1 {
                return Err(Violation::Doubled(format!("{:?}", event.meta.stream)));
            }
            last = position;
        }
        if page.upto <= after {
            return Ok(());
        }
        after = page.upto;
    }
}
