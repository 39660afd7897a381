//! One line per request, and none where nobody listens.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::shop::start;

/// Keeps the lines of a crate at a level.
#[derive(Clone)]
struct Lines(Level, &'static str, Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.0 && metadata.target().starts_with(self.1)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.2.lock().expect("no test panics in here").push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() != "duration_ms" {
            write!(self.0, " {}={value:?}", field.name()).expect("a String takes any text");
        }
    }
}

async fn lines(level: Level) -> Vec<String> {
    let lines = Lines(level, "catga_http", Arc::default());
    let _guard = tracing::subscriber::set_default(lines.clone());
    let shop = start().await;
    let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    shop.order(&[trace], "C").await;
    shop.send("GET /orders/7", &[], "").await;
    shop.send("PUT /probe/fail/panic", &[trace], "").await;
    lines.2.lock().expect("no test panics in here").clone()
}

#[tokio::test]
async fn each_request_is_one_line_with_its_ids() {
    let lines = lines(Level::INFO).await;
    assert_eq!(lines.len(), 4, "{lines:#?}");
    let created = "INFO message=answered method=\"POST\" route=\"/orders\" status=201 \
                   trace_id=4bf92f3577b34da6a3ce929d0e0e4736 message_id=";
    assert!(lines[0].starts_with(created), "{}", lines[0]);
    assert!(lines[1].contains("status=400 trace_id="), "{}", lines[1]);
    assert!(lines[2].starts_with("ERROR") && lines[2].contains("4711"), "{}", lines[2]);
    assert!(lines[3].contains("status=500"), "{}", lines[3]);
}

#[tokio::test]
async fn at_level_warn_only_failures_are_logged() {
    let lines = lines(Level::WARN).await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].starts_with("ERROR"), "{}", lines[0]);
}

#[tokio::test]
async fn a_backup_that_was_not_made_is_logged_with_the_reason() {
    let lines = Lines(Level::WARN, "catga_runtime::backup", Arc::default());
    let _guard = tracing::subscriber::set_default(lines.clone());
    let refused = start().await.node.backup("/backups/shop").await;
    let error = refused.expect_err("it keeps nothing");
    let lines = lines.2.lock().expect("no test panics in here").clone();
    let why = format!("ERROR message=no backup was made error={error} dir=\"/backups/shop\"");
    assert_eq!(lines, [why]);
}
