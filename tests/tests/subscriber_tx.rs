//! What a delivery records in its transaction: with conditions as a command has them, and with what
//! goes wrong told in a dead letter.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use catga::prelude::*;
use catga::{DeadLetter, Limits};
use catga_tests::wait_until;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "game.scored", stream = Game, key = player)]
struct Scored {
    player: String,
    points: u64,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "total.grown", stream = Total, key = total)]
struct Grown {
    total: String,
    points: u64,
    note: String,
}

#[derive(Clone, Default)]
struct Game;

#[aggregate(name = "game")]
impl Game {
    fn scored(&mut self, _event: &Scored) {}
}

#[derive(Clone, Default)]
struct Total(u64);

#[aggregate(name = "total")]
impl Total {
    fn grown(&mut self, event: &Grown) {
        self.0 += event.points;
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Scores {
    points: BTreeSet<u64>,
    grown: Vec<u64>,
}

#[projection(name = "scores", version = 1)]
impl Scores {
    fn scored(&mut self, event: &Scored) {
        self.points.insert(event.points);
    }

    fn grown(&mut self, event: &Grown) {
        self.grown.push(event.points);
    }
}

/// Adds to the same total as the subscriber does.
#[derive(Command, Serialize, Deserialize)]
#[command(name = "total.add", reply = u64)]
struct Add {
    points: u64,
}

#[derive(Query, Serialize, Deserialize)]
#[query(name = "total.list", reply = Vec<u64>)]
struct List;

struct Board {
    scores: View<Scores>,
    runs: Arc<AtomicU64>,
}

fn grown(points: u64) -> Grown {
    Grown { total: "all".to_owned(), points, note: String::new() }
}

/// Adds to the total, whoever does.
async fn add(tx: &mut Tx, points: u64) -> Result<u64, Fault> {
    match tx.load::<Total>("all").await? {
        Some(mut total) => {
            total.emit(grown(points));
            Ok(total.into_state().0)
        }
        None => {
            tx.emit(grown(points));
            Ok(points)
        }
    }
}

#[service]
impl Board {
    async fn add(&self, cmd: Add, tx: &mut Tx) -> Answer<u64> {
        Ok(add(tx, cmd.points).await?)
    }

    async fn list(&self, _query: List) -> Answer<Vec<u64>> {
        Ok(self.scores.read(|scores| scores.grown.clone())?)
    }

    #[subscriber(name = "add-up", each = "cluster", from = "now")]
    async fn add_up(&self, event: &Scored, tx: &mut Tx) -> Result<(), String> {
        let shows = self.scores.read(|scores| scores.points.contains(&event.points));
        if !shows.map_err(|fault| fault.to_string())? {
            return Err("the view does not show the event".to_owned());
        }
        match event.player.as_str() {
            "blind" => tx.emit(grown(event.points)),
            "long" => tx.append_any(Grown { note: "x".repeat(5000), ..grown(event.points) }),
            "slow" => {
                let loaded = tx.load::<Total>("all").await.map_err(|fault| fault.to_string())?;
                if self.runs.fetch_add(1, Ordering::Relaxed) == 0 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                loaded.ok_or("there is no total")?.emit(grown(event.points));
            }
            "angry" => panic!("{} is not enough", event.points),
            _ => _ = add(tx, event.points).await.map_err(|fault| fault.to_string())?,
        }
        Ok(())
    }
}

async fn start() -> (Node, Arc<AtomicU64>) {
    let runs = Arc::<AtomicU64>::default();
    let counted = runs.clone();
    let mut limits = Limits::default();
    // A lagging view, or a conflict that was not run again, is a dead letter at once.
    (limits.delivery_attempts, limits.answer_bytes) = (1, 4096);
    let node = Catga::builder()
        .limits(limits)
        .service(|n| Board { scores: n.projection(), runs: counted });
    (node.start().await.expect("starts"), runs)
}

async fn score(node: &Node, player: &str, points: u64) {
    node.publish(Scored { player: player.to_owned(), points }).await.expect("published");
}

async fn list(node: &Node) -> Vec<u64> {
    node.ask(List).after(node.position()).await.expect("a list")
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_meets_a_command_runs_again_from_what_it_met() {
    let (node, runs) = start().await;
    node.send(Add { points: 1 }).await.expect("added");
    score(&node, "slow", 2).await;
    wait_until("it has loaded the total", || runs.load(Ordering::Relaxed) == 1).await;
    node.send(Add { points: 3 }).await.expect("added");
    let status = || node.subscribers().remove(0);
    wait_until("it is dealt with", || status().cursor == node.position().offset).await;
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(list(&node).await, [1, 3, 2], "in one try, as far as anybody is told");
    assert_eq!(node.dead_letters("add-up").await.expect("listed"), []);
}

#[tokio::test(start_paused = true)]
async fn what_a_transaction_cannot_record_is_told_in_a_dead_letter() {
    let (node, _) = start().await;
    node.send(Add { points: 1 }).await.expect("added");
    for (player, points) in [("blind", 2), ("long", 3), ("angry", 4), ("calm", 5)] {
        score(&node, player, points).await;
    }
    let status = || node.subscribers().remove(0);
    wait_until("all is dealt with", || status().cursor == node.position().offset).await;
    let letters = node.dead_letters("add-up").await.expect("listed");
    let errors: Vec<_> = letters.iter().map(|letter: &DeadLetter| letter.error.as_str()).collect();
    for (error, expected) in errors.iter().zip([
        "emits to a stream that exists",
        "an event of 50",
        "the subscriber panicked: 4 is not enough",
    ]) {
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!((letters.len(), list(&node).await), (3, vec![1, 5]));
}
