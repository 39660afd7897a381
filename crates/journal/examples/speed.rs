#![allow(unsafe_code, missing_docs)]
use std::sync::Arc;
use bytes::Bytes;
use catga_core::*;
use catga_engine::*;
use catga_host::TokioHost;
use catga_journal::*;

#[repr(C)]
struct Ts { s: i64, n: i64 }
unsafe extern "C" { fn clock_gettime(c: i32, t: *mut Ts) -> i32; }
fn cpu() -> u64 { let mut t = Ts { s: 0, n: 0 }; unsafe { clock_gettime(3, &mut t); } t.s as u64 * 1_000_000_000 + t.n as u64 }

fn effect(session: SessionId, sequence: u64, n: u64) -> Effect {
    let id = MessageId::new(session, sequence);
    let mut e = Effect::new(id, AttemptId { message: id, term: 1, sequence });
    e.payload_hash = sequence;
    e.at = Timestamp::from_millis(1_795_255_800_123);
    e.low_water = sequence.saturating_sub(1000);
    e.answer = RecordedAnswer::Reply(Bytes::from(vec![7u8; 64]));
    let stream = StreamName::new("order", &uuid_like(n));
    e.conditions.push(Condition::StreamAbsent { stream: stream.clone() });
    e.events.push(NewEvent { stream, name: "order.created".to_owned(), schema: 1, tags: vec![], payload: Bytes::from(vec![9u8; 256]) });
    e
}
fn uuid_like(n: u64) -> String { format!("{:08x}-0000-7000-8000-{:012x}", n, n) }
fn opening() -> Effect {
    let id = MessageId::new(SessionId(0), 1);
    let mut o = Effect::new(id, AttemptId::default());
    o.directive = Some(Directive::OpenSession { node: "n".into(), nonce: 1 });
    o
}
const TOTAL: usize = 256_000;

fn main() {
    let rt = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let only: Option<usize> = std::env::args().nth(1).and_then(|a| a.parse().ok());
    rt.block_on(async {
        for round in 0..3 {
        for batch in [1usize, 64, 256] {
            if only.is_some_and(|o| o != batch) { continue; }
            let host = Arc::new(TokioHost::current());
            let journal = Replica::open(host, ReplicaOptions::new(NodeName::new("n")), async |a| Ok(MemoryLog::open(NodeName::new("n"), a, LogLimits::default()))).await.unwrap();
            journal.commit(opening()).await.unwrap();
            let mut took = 0;
            let mut s = 0;
            let mut pend = Vec::with_capacity(batch);
            let mut made = Vec::with_capacity(batch);
            for _ in 0..TOTAL / batch {
                made.extend((0..batch).map(|_| { s += 1; effect(SessionId(1), s, s) }));
                let start = cpu();
                for e in made.drain(..) { pend.push(journal.commit(e)); }
                for p in pend.drain(..) { let c = p.await.unwrap(); assert!(matches!(c.verdict, Verdict::Counted{..})); }
                took += cpu() - start;
            }
            println!("round {round} batch {batch}: {:.0} ns/effect", took as f64 / TOTAL as f64);
        }
        }
        // parts
        for _ in 0..2 {
        let (mut enc, mut dec, mut eng, mut del, mut dropped) = (0, 0, 0, 0, 0);
        let mut engine = Engine::new(MemoryState::new(), Limits::default());
        let mut out = Applied::default();
        engine.apply(&Entry { engine: 1, effects: vec![opening()], ..Default::default() }, b"", &mut out).unwrap();
        let mut s = 0;
        let mut len = 0;
        for _ in 0..TOTAL / 64 {
            let effects = (0..64).map(|_| { s += 1; effect(SessionId(1), s, s) }).collect();
            let e = Entry { engine: 1, elapsed_ms: 1, wall: Timestamp::from_millis(5), effects };
            let a = cpu();
            let b = e.encode();
            let c = cpu();
            drop(e);
            let d = cpu();
            let e = Entry::decode(&b).unwrap();
            let f = cpu();
            engine.apply(&e, &b, &mut out).unwrap();
            let g = cpu();
            drop(e);
            let h = cpu();
            enc += c - a; del += d - c; dec += f - d; eng += g - f; dropped += h - g; len = b.len();
        }
        let per = |v: u64| v as f64 / TOTAL as f64;
        println!("encode {:.0} drop {:.0} decode {:.0} engine {:.0} drop {:.0}; {} B/effect", per(enc), per(del), per(dec), per(eng), per(dropped), len / 64);
        }
    });
}
