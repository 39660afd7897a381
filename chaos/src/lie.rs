use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use catga_check::{Action, History};

/// Writes into a history that an order was acknowledged which nobody ever placed.
///
/// # Errors
/// When the history cannot be read or written, or nothing in it was acknowledged.
pub(crate) fn plant(path: &Path) -> Result<()> {
    let history = History::read(&fs::read_to_string(path).context("read the history")?)?;
    let number = history.operations().map(|operation| operation.number).max().unwrap_or_default();
    let acknowledged = history.operations().find(|operation| {
        matches!(operation.action, Action::Create { .. }) && operation.shown().is_some()
    });
    let mut lie = acknowledged.context("nothing was acknowledged")?.clone();
    lie.number = number + 1;
    (lie.order, lie.key) = ("a-lie".to_owned(), None);
    if let catga_check::Outcome::Ok(catga_check::Reply::Order(order)) = &mut lie.outcome {
        (order.product_id, order.order_id) = (lie.order.clone(), "a lie's".to_owned());
    }
    let mut file = fs::OpenOptions::new().append(true).open(path).context("open the history")?;
    writeln!(file, "{}", serde_json::to_string(&lie)?).context("write a lie")
}
