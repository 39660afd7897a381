//! Is there one order of concurrent calls that explains every answer?
//!
//! The search of Wing and Gong ("Testing and verifying concurrent objects", JPDC 1993) with the
//! linked list of calls and returns and the memory of Lowe ("Testing for linearizability",
//! Concurrency and Computation 2017): what was placed, as a bit set, with the state that it leads
//! to, is tried once. Horn and Kroening ("Faster linearizability checking via P-compositionality",
//! FORTE 2015) have the same form of it. Besides, a read that fits is placed at once and for good, and on objects where no call has two effects the set need not hold what nobody heard of.
//!
//! A call without an answer has no return: it may be placed anywhere after it was made, or never.

use std::collections::HashSet;

use crate::Model;

/// A call, and what came of it.
#[derive(Clone, Debug)]
pub struct Made<C, A> {
    /// When it was made.
    pub invoked: u64,
    /// When it was answered, and what. None: nobody knows whether it had its effect.
    pub answered: Option<(u64, A)>,
    /// What was asked.
    pub call: C,
}

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// An order explains every answer: that of these indices. What is missing was never executed.
    Linearizable(Vec<usize>),
    /// None does. After those that were placed, the most that could be, this one has an answer that
    /// it cannot have.
    Not {
        /// What was placed, in order.
        placed: Vec<usize>,
        /// What could not be.
        stuck: usize,
    },
    /// It takes too many attempts.
    GaveUp,
}

/// A call or a return, in the order of time. The list is of all that are not placed.
#[derive(Clone, Copy)]
struct Entry {
    made: usize,
    is_return: bool,
}

/// A call in its place.
struct Placed<S> {
    made: usize,
    before: S,
    /// Nothing else need be tried in this place.
    is_sure: bool,
}

struct List {
    entries: Vec<Entry>,
    next: Vec<usize>,
    prev: Vec<usize>,
    /// Of each call: where it is, and where its return is.
    places: Vec<(usize, Option<usize>)>,
}

impl List {
    fn new<C, A>(made: &[Made<C, A>]) -> Self {
        let mut timed = Vec::with_capacity(made.len() * 2);
        for (index, one) in made.iter().enumerate() {
            // At the same moment a call is first: they are concurrent.
            timed.push((one.invoked, false, index));
            timed.extend(one.answered.as_ref().map(|(at, _)| (*at, true, index)));
        }
        timed.sort_unstable();
        let entries: Vec<_> =
            timed.iter().map(|&(_, is_return, made)| Entry { made, is_return }).collect();
        let mut places = vec![(0, None); made.len()];
        for (place, entry) in entries.iter().enumerate() {
            match entry.is_return {
                false => places[entry.made].0 = place,
                true => places[entry.made].1 = Some(place),
            }
        }
        // The last place is before the first entry and behind the last.
        let len = entries.len();
        let next = (0..len).map(|at| at + 1).chain([0]).collect();
        let prev = (0..len).map(|at| at.checked_sub(1).unwrap_or(len)).chain([len.max(1) - 1]);
        Self { entries, next, prev: prev.collect(), places }
    }

    fn first(&self) -> usize {
        self.next[self.entries.len()]
    }

    fn lift(&mut self, made: usize) {
        let (call, back) = self.places[made];
        for at in [Some(call), back].into_iter().flatten() {
            let (prev, next) = (self.prev[at], self.next[at]);
            self.next[prev] = next;
            self.prev[next] = prev;
        }
    }

    fn put_back(&mut self, made: usize) {
        let (call, back) = self.places[made];
        for at in [back, Some(call)].into_iter().flatten() {
            let (prev, next) = (self.prev[at], self.next[at]);
            self.next[prev] = at;
            self.prev[next] = at;
        }
    }
}

/// Looks for an order of `made`, with at most `limit` attempts to place one of them.
pub fn search<M: Model>(model: &M, made: &[Made<M::Call, M::Answer>], limit: u64) -> Search {
    let mut list = List::new(made);
    let mut open = made.iter().filter(|one| one.answered.is_some()).count();
    let mut bits = vec![0u64; made.len().div_ceil(64)];
    let (mut state, mut placed) = (model.begin(), Vec::<Placed<M::State>>::new());
    let mut tried: HashSet<(Vec<u64>, M::State)> = HashSet::new();
    let (mut furthest, mut stuck) = (Vec::new(), None);
    let (mut at, mut attempts) = (list.first(), 0u64);
    while open > 0 {
        let entry = list.entries.get(at).copied();
        if let Some(Entry { made: index, is_return: false }) = entry {
            attempts += 1;
            if attempts > limit {
                return Search::GaveUp;
            }
            let one = &made[index];
            let answer = one.answered.as_ref().map(|(_, answer)| answer);
            let after = model.step(&state, &one.call, answer);
            // What nobody knows and what changes nothing need not be placed.
            if let Some(after) = after.filter(|after| answer.is_some() || *after != state) {
                // What only reads may as well be next as later: whatever explains the rest explains
                // it without a change.
                let is_sure = answer.is_some_and(|answer| model.only_reads(&one.call, answer));
                let bit = remembered::<M, _, _>(index, one);
                bits[index / 64] ^= bit;
                if is_sure || tried.insert((bits.clone(), after.clone())) {
                    let before = std::mem::replace(&mut state, after);
                    placed.push(Placed { made: index, before, is_sure });
                    open -= usize::from(answer.is_some());
                    list.lift(index);
                    at = list.first();
                    continue;
                }
                bits[index / 64] ^= bit;
            }
            at = list.next[at];
            continue;
        }
        // Here is a return whose call is not placed, or the end: something before was wrong.
        if let Some(entry) = entry
            && (stuck.is_none() || placed.len() > furthest.len())
        {
            (furthest, stuck) = (placed.iter().map(|one| one.made).collect(), Some(entry.made));
        }
        at = loop {
            let Some(Placed { made: index, before, is_sure }) = placed.pop() else {
                return Search::Not { placed: furthest, stuck: stuck.unwrap_or_default() };
            };
            state = before;
            bits[index / 64] ^= remembered::<M, _, _>(index, &made[index]);
            open += usize::from(made[index].answered.is_some());
            list.put_back(index);
            if !is_sure {
                break list.next[list.places[index].0];
            }
        };
    }
    Search::Linearizable(placed.into_iter().map(|one| one.made).collect())
}

/// The bit of a call in its word of the set of those that were placed, if it is remembered there.
fn remembered<M: Model, C, A>(index: usize, one: &Made<C, A>) -> u64 {
    u64::from(one.answered.is_some() || !M::ONCE) << (index % 64)
}
