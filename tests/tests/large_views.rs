//! A projection with a large state: its checkpoints hold up nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use catga::OnDisk;
use catga::prelude::*;
use catga_testkit::VirtualHost;

/// Writes so many notes at once.
#[derive(Command, Serialize, Deserialize)]
#[command(name = "notes.write")]
struct Write(u64);

#[derive(Event, Serialize, Deserialize)]
#[event(name = "notes.written", stream = Note, key = id)]
struct Written {
    id: Uuid,
    text: String,
}

#[derive(Clone, Default)]
struct Note;

#[aggregate(name = "note")]
impl Note {
    fn written(&mut self, _event: &Written) {}
}

/// How many events were folded, into whichever state.
static FOLDED: AtomicU64 = AtomicU64::new(0);

#[derive(Default, Serialize, Deserialize)]
struct Notes(Vec<String>);

#[projection(name = "notes", version = 1)]
impl Notes {
    fn written(&mut self, event: &Written) {
        FOLDED.fetch_add(1, Ordering::Relaxed);
        self.0.push(event.text.clone());
    }
}

struct Desk {
    notes: View<Notes>,
}

#[derive(Query, Serialize, Deserialize)]
#[query(name = "notes.count", reply = usize)]
struct CountNotes {}

#[service]
impl Desk {
    async fn write(&self, cmd: Write, tx: &mut Tx) -> Answer<()> {
        for _ in 0..cmd.0 {
            let id = tx.new_id();
            tx.emit(Written { id, text: format!("{id} {}", "x".repeat(150)) });
        }
        Ok(())
    }

    async fn count(&self, _query: CountNotes) -> Answer<usize> {
        Ok(self.notes.read(|notes| notes.0.len())?)
    }
}

async fn start(host: &Arc<VirtualHost>) -> Node {
    let builder = Catga::builder().host(host.clone());
    let desk = builder.service(|n| Desk { notes: n.projection() });
    desk.data_dir("/data").start().await.expect("it starts")
}

/// Enough that a checkpoint is due, and that its state is large.
async fn write(node: &Node) {
    for _ in 0..20 {
        node.send(Write(500)).await.expect("they are written");
    }
}

async fn checkpointed(host: &Arc<VirtualHost>, node: &Node, at_least: u64) {
    for _ in 0..100 {
        let view = &node.projections()[0];
        if view.checkpointed.is_some_and(|offset| offset.0 >= at_least) {
            return;
        }
        host.advance(Duration::from_secs(1)).await;
    }
    panic!("there is no checkpoint: {:?}", node.projections());
}

#[test]
fn a_large_state_is_written_down_beside_the_one_that_is_read() {
    catga_testkit::run(1, async |host| {
        let node = start(&host).await;
        write(&node).await;
        checkpointed(&host, &node, 1).await;
        let first = node.projections()[0].checkpointed;
        assert_eq!(FOLDED.load(Ordering::Relaxed), 20_000, "the first one beside, from the start");
        write(&node).await;
        checkpointed(&host, &node, first.map_or(0, |offset| offset.0) + 20).await;
        let folded = FOLDED.load(Ordering::Relaxed);
        assert!(folded >= 40_000, "what came since was folded beside too: {folded}");
        assert_eq!(node.ask(CountNotes {}).await.expect("a count"), 20_000);
        host.power_cut().await;
        drop(node);
        // What was written beside is what was folded.
        let node = start(&host).await;
        assert_eq!(node.ask(CountNotes {}).await.expect("a count"), 20_000);
        let again = FOLDED.load(Ordering::Relaxed) - folded;
        assert!(again < 1_000, "the start folds little: {again}");
    });
}
