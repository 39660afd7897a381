use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::records::id_of;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn last(index: u64) -> Option<LogId> {
    Some(id_of(1, 1, index))
}

/// The leadership of node 1 in `term`, over `voters`.
fn tenure(term: u64, voters: &[&[NodeId]]) -> Tenure {
    let sets = voters.iter().map(|set| set.iter().copied().collect());
    Tenure { vote: Vote::new_committed(term, 1), voters: sets.collect() }
}

/// Node 2, which has lost the leader just now.
fn lost(of: &Tenure) -> Agreement {
    let mut agreement = Agreement::new(2);
    agreement.observe(Some(of.clone()), true, ms(0));
    agreement
}

fn transfer(of: &Tenure, successor: NodeId) -> Option<Step> {
    Some(Step::Transfer { vote: of.vote, successor })
}

fn ask(of: &Tenure, nodes: &[NodeId]) -> Option<Step> {
    Some(Step::Ask { vote: of.vote, of: nodes.to_vec() })
}

#[test]
fn one_lost_link_asks_and_changes_nothing() {
    let three = tenure(4, &[&[1, 2, 3]]);
    let mut agreement = lost(&three);
    let mut asked = Vec::new();
    while let Some(at) = agreement.wake().filter(|at| *at < ms(1000)) {
        match agreement.step(at, last(5)) {
            Some(Step::Ask { vote, of }) => {
                asked.push(at);
                assert_eq!(of, [3]);
                agreement.answer(3, vote, false, last(9));
            }
            Some(transfer) => panic!("nobody agrees: {transfer:?}"),
            None => {}
        }
    }
    assert_eq!(asked[..3], [ms(0), ms(3), ms(6)]);
    assert_eq!(asked[19..22], [ms(57), ms(150), ms(153)]);
    assert_eq!(asked.len(), 7 * 20);
}

#[test]
fn a_quorum_makes_the_longest_log_the_successor_and_of_equals_the_lowest_node() {
    let three = tenure(4, &[&[1, 2, 3]]);
    for (theirs, successor) in [(last(6), 3), (last(5), 2), (last(4), 2), (None, 2)] {
        let mut agreement = lost(&three);
        assert_eq!(agreement.step(ms(0), last(5)), ask(&three, &[3]));
        agreement.answer(3, three.vote, true, theirs);
        assert_eq!(agreement.step(ms(1), last(5)), transfer(&three, successor));
        assert_eq!(agreement.step(ms(1), last(5)), None, "once");
        // Nobody leads yet: from the beginning, with what is known then.
        assert_eq!(agreement.wake(), Some(ms(151)));
        assert_eq!(agreement.step(ms(151), last(5)), ask(&three, &[3]));
    }
}

#[test]
fn each_set_of_voters_must_agree_while_they_change() {
    let joint = tenure(4, &[&[1, 2, 3], &[2, 4, 5]]);
    let mut agreement = lost(&joint);
    assert_eq!(agreement.step(ms(0), None), ask(&joint, &[3, 4, 5]));
    agreement.answer(3, joint.vote, true, None);
    assert_eq!(agreement.step(ms(3), None), ask(&joint, &[4, 5]), "one set is not enough");
    agreement.answer(5, joint.vote, true, last(1));
    assert_eq!(agreement.step(ms(4), None), transfer(&joint, 5));
}

#[test]
fn what_does_not_count_does_not_count() {
    let three = tenure(4, &[&[1, 2, 3]]);
    let agrees = |node, vote| {
        let mut agreement = lost(&three);
        agreement.step(ms(0), None);
        agreement.answer(node, vote, true, None);
        matches!(agreement.step(ms(1), None), Some(Step::Transfer { .. }))
    };
    assert!(agrees(3, three.vote));
    assert!(!agrees(1, three.vote), "the leader has not lost itself");
    assert!(!agrees(2, three.vote), "nobody counts twice");
    assert!(!agrees(7, three.vote), "a learner has no say");
    assert!(!agrees(3, Vote::new_committed(3, 1)), "another leadership");
}

#[test]
fn it_ends_when_the_link_is_back_or_another_leads() {
    let three = tenure(4, &[&[1, 2, 3]]);
    let mut agreement = lost(&three);
    agreement.step(ms(0), None);
    agreement.observe(Some(three.clone()), false, ms(1));
    agreement.answer(3, three.vote, true, None);
    assert_eq!((agreement.step(ms(2), None), agreement.wake()), (None, None));
    // Down again: what others said before has no weight.
    agreement.observe(Some(three.clone()), true, ms(3));
    assert_eq!(agreement.step(ms(3), None), ask(&three, &[3]));
    agreement.answer(3, three.vote, true, None);
    agreement.observe(Some(tenure(5, &[&[1, 2, 3]])), true, ms(4));
    assert_eq!(agreement.step(ms(4), None), ask(&tenure(5, &[&[1, 2, 3]]), &[3]));
    agreement.observe(None, false, ms(5));
    assert_eq!(agreement.wake(), None);
}

#[test]
fn a_learner_asks_nobody() {
    let mut agreement = Agreement::new(9);
    agreement.observe(Some(tenure(4, &[&[1, 2, 3]])), true, ms(0));
    assert_eq!((agreement.step(ms(0), None), agreement.wake()), (None, None));
}

/// Something that happens to a node.
#[derive(Clone, Debug)]
enum Event {
    Down(bool),
    Term(u64),
    Answer { from: NodeId, term: u64, lost: bool, last: u64 },
    Pass(u64),
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => any::<bool>().prop_map(Event::Down),
        1 => (1..3_u64).prop_map(Event::Term),
        6 => (1..7_u64, 1..3_u64, prop::bool::weighted(0.7), 0..4_u64)
            .prop_map(|(from, term, lost, last)| Event::Answer { from, term, lost, last }),
        4 => (0..200_u64).prop_map(Event::Pass),
    ]
}

proptest! {
    #[test]
    fn there_is_no_transfer_without_a_quorum_that_has_said_yes(
        voters in vec(btree_set(1..7_u64, 1..6), 1..3),
        mine in 0..4_u64,
        events in vec(events(), 0..60),
    ) {
        let mut agreement = Agreement::new(2);
        let (mut term, mut down, mut now) = (1, true, ms(0));
        // What each said last, since the link went down and under this leader.
        let mut said = BTreeMap::new();
        for event in [Event::Down(true)].into_iter().chain(events) {
            match event {
                Event::Down(now_down) => {
                    down = now_down;
                    if !down { said.clear(); }
                }
                Event::Term(new) => {
                    if new != term { said.clear(); }
                    term = new;
                }
                Event::Answer { from, term: of, lost, last: index } => {
                    agreement.answer(from, Vote::new_committed(of, 1), lost, last(index));
                    if of == term {
                        match lost {
                            true => said.insert(from, last(index)),
                            false => said.remove(&from),
                        };
                    }
                }
                Event::Pass(millis) => now += ms(millis),
            }
            let tenure = Tenure { vote: Vote::new_committed(term, 1), voters: voters.clone() };
            agreement.observe(Some(tenure.clone()), down, now);
            while let Some(step) = agreement.step(now, last(mine)) {
                prop_assert!(down && tenure.decides(2));
                let Step::Transfer { vote, successor } = step else { continue };
                prop_assert_eq!(vote, tenure.vote);
                let mut yes: BTreeMap<_, _> = said.clone();
                yes.retain(|node, _| tenure.decides(*node));
                yes.insert(2, last(mine));
                for set in &voters {
                    let count = set.iter().filter(|node| yes.contains_key(node)).count();
                    prop_assert!(count > set.len() / 2, "{yes:?} of {set:?}");
                }
                prop_assert!(yes.contains_key(&successor));
            }
        }
    }

    #[test]
    fn the_same_answers_make_the_same_successor_on_every_node(
        logs in vec(0..4_u64, 4),
    ) {
        // Nodes 2 to 5 have lost node 1, and each has heard of all.
        let five = tenure(4, &[&[1, 2, 3, 4, 5]]);
        let log = |node: NodeId| last(logs[node as usize - 2]);
        let longest = (2..6).max_by_key(|node| (log(*node), std::cmp::Reverse(*node)));
        for me in 2..6 {
            let mut agreement = Agreement::new(me);
            agreement.observe(Some(five.clone()), true, ms(0));
            for other in (2..6).filter(|other| *other != me) {
                agreement.answer(other, five.vote, true, log(other));
            }
            let step = agreement.step(ms(0), log(me));
            prop_assert_eq!(step, transfer(&five, longest.expect("there are four")));
        }
    }
}
