use comfy_table::{CellAlignment, Table, presets};

use super::bar::short;
use super::{Bar, Row};

type Figure = fn(&Row) -> Option<f64>;

/// The figures that a table may have, in their order; empty columns are left out.
const COLUMNS: &[(&str, Figure)] = &[
    ("events", |row| row.figures.events.map(|events| events as f64)),
    ("ops/s", |row| row.figures.ops_per_s),
    ("ns/op", |row| row.figures.ns_per_op),
    ("p50 µs", |row| row.figures.p50_us),
    ("p99 µs", |row| row.figures.p99_us),
    ("p99.9 µs", |row| row.figures.p999_us),
    ("max µs", |row| row.figures.max_us),
    ("allocs/op", |row| row.figures.allocs_per_op),
    ("bytes/op", |row| row.figures.bytes_per_op),
    ("ms", |row| row.figures.ms),
    ("rss MB", |row| row.figures.rss_mb),
    ("MB", |row| row.figures.mb),
    ("s", |row| row.figures.seconds),
    ("crates", |row| row.figures.crates.map(|crates| crates as f64)),
    ("lost", |row| row.figures.lost.map(|lost| lost as f64)),
    ("doubled", |row| row.figures.doubled.map(|doubled| doubled as f64)),
];

/// The rows as people read them.
pub(super) fn table(rows: &[Row], bars: &[Bar]) -> Table {
    let columns: Vec<_> =
        COLUMNS.iter().filter(|(_, figure)| rows.iter().any(|row| figure(row).is_some())).collect();
    let has_clients = rows.iter().any(|row| row.clients.is_some());
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let mut header = vec!["case".to_owned(), "subject".to_owned()];
    header.extend(has_clients.then(|| "clients".to_owned()));
    header.extend(columns.iter().map(|(name, _)| (*name).to_owned()));
    header.extend(["spread".to_owned(), "bar".to_owned()]);
    let numbers = 2..header.len() - 1;
    table.set_header(header);
    for row in rows {
        let mut cells = vec![
            row.case.clone(),
            format!("{} {}", row.subject, row.settings).trim_end().to_owned(),
        ];
        let number = |value: Option<f64>| value.map(short).unwrap_or_default();
        if has_clients {
            cells.push(number(row.clients.map(|clients| clients as f64)));
        }
        cells.extend(columns.iter().map(|(_, figure)| number(figure(row))));
        cells.push(format!("{:.0} %", row.spread * 100.0));
        cells.push(verdicts(row, bars));
        table.add_row(cells);
    }
    for place in numbers {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn verdicts(row: &Row, bars: &[Bar]) -> String {
    let own = bars.iter().filter(|bar| {
        bar.case == row.case && bar.subject == row.subject && bar.clients == row.clients
    });
    own.map(Bar::text).collect::<Vec<_>>().join("; ")
}
