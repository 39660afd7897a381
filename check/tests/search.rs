//! The search for an order of concurrent calls, against every order there is.

#![allow(clippy::print_stdout, reason = "how long a search takes is worth reading")]

use std::time::Instant;

use catga_check::{Made, Model, OrderAnswer, OrderCall, OrderModel, Search, Status, search};
use fastrand::Rng;
use proptest::prelude::*;

/// A number that is written, read, and written if it is as expected.
struct Register;

#[derive(Clone, Copy, Debug)]
enum Call {
    Write(u8),
    Read,
    Swap(u8, u8),
}

/// What a read shows, or whether a swap was made.
type Answer = u8;

impl Model for Register {
    const ONCE: bool = false;

    type State = u8;
    type Call = Call;
    type Answer = Answer;

    fn begin(&self) -> u8 {
        0
    }

    fn step(&self, state: &u8, call: &Call, answer: Option<&Answer>) -> Option<u8> {
        let (after, said) = match *call {
            Call::Write(value) => (value, 0),
            Call::Read => (*state, *state),
            Call::Swap(from, to) if *state == from => (to, 1),
            Call::Swap(..) => (*state, 0),
        };
        answer.is_none_or(|answer| *answer == said).then_some(after)
    }

    fn only_reads(&self, call: &Call, answer: &Answer) -> bool {
        matches!((call, answer), (Call::Read, _) | (Call::Swap(..), 0))
    }
}

/// Tries every order.
fn brute<M: Model>(model: &M, made: &[Made<M::Call, M::Answer>]) -> bool {
    fn go<M: Model>(
        model: &M,
        made: &[Made<M::Call, M::Answer>],
        placed: u32,
        state: &M::State,
    ) -> bool {
        let open = |index: &usize| placed & 1 << index == 0;
        let rest: Vec<_> = (0..made.len()).filter(open).collect();
        let must = rest.iter().filter_map(|index| made[*index].answered.as_ref());
        let Some(first_return) = must.map(|(at, _)| *at).min() else { return true };
        rest.iter().any(|index| {
            let one = &made[*index];
            let answer = one.answered.as_ref().map(|(_, answer)| answer);
            // Nothing that had returned before it was called may come after it.
            one.invoked <= first_return
                && model
                    .step(state, &one.call, answer)
                    .is_some_and(|after| go(model, made, placed | 1 << index, &after))
        })
    }
    go(model, made, 0, &model.begin())
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        (0..3u8).prop_map(Call::Write),
        Just(Call::Read),
        (0..3u8, 0..3u8).prop_map(|(from, to)| Call::Swap(from, to)),
    ]
}

fn order_call() -> impl Strategy<Value = OrderCall> {
    prop_oneof![
        proptest::option::of(0..1u32).prop_map(OrderCall::Create),
        proptest::option::of(1..3u32).prop_map(OrderCall::Cancel),
        Just(OrderCall::Get),
    ]
}

fn order_answer() -> impl Strategy<Value = OrderAnswer> {
    prop_oneof![
        3 => (0..2u32, prop_oneof![Just(Status::Created), Just(Status::Cancelled)])
            .prop_map(|(face, status)| OrderAnswer::Shown(face, status)),
        1 => Just(OrderAnswer::NotFound),
        1 => Just(OrderAnswer::AlreadyCancelled),
    ]
}

fn made<C: std::fmt::Debug, A: std::fmt::Debug>(
    call: impl Strategy<Value = C>,
    answer: impl Strategy<Value = A>,
) -> impl Strategy<Value = Vec<Made<C, A>>> {
    let one = (0..12u64, 0..6u64, call, proptest::option::weighted(0.8, answer)).prop_map(
        |(invoked, took, call, answer)| Made {
            invoked,
            answered: answer.map(|answer| (invoked + took, answer)),
            call,
        },
    );
    proptest::collection::vec(one, 0..7)
}

/// The search finds an order exactly if there is one, and what it finds is one.
fn agrees<M: Model>(model: &M, made: &[Made<M::Call, M::Answer>]) -> Result<bool, TestCaseError> {
    let expected = brute(model, made);
    match search(model, made, 1_000_000) {
        Search::Linearizable(order) => {
            prop_assert!(expected);
            let mut state = model.begin();
            for (place, index) in order.iter().enumerate() {
                let answer = made[*index].answered.as_ref().map(|(_, answer)| answer);
                state = model.step(&state, &made[*index].call, answer).expect("it explains it");
                let earlier = |later: &usize| {
                    made[*later].answered.as_ref().is_some_and(|(at, _)| *at < made[*index].invoked)
                };
                prop_assert!(!order[place..].iter().any(earlier));
            }
            let answered = (0..made.len()).filter(|index| made[*index].answered.is_some());
            prop_assert!(answered.into_iter().all(|index| order.contains(&index)));
        }
        Search::Not { .. } => prop_assert!(!expected),
        Search::GaveUp => prop_assert!(false, "so few are decided"),
    }
    Ok(expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_register_is_searched_as_by_hand(made in made(call(), 0..3u8)) {
        agrees(&Register, &made)?;
    }

    #[test]
    fn an_order_is_searched_as_by_hand(made in made(order_call(), order_answer())) {
        agrees(&OrderModel, &made)?;
    }
}

/// A history of an object that does one thing after the other, `at_once` of them at a time. Of one
/// in `doubt` nobody hears; without answers that are possible at all, none is heard.
fn history<M: Model>(
    model: &M,
    dice: &mut Rng,
    (count, at_once, doubt): (usize, usize, usize),
    call: impl Fn(&mut Rng) -> M::Call,
    answers: &[M::Answer],
) -> Vec<Made<M::Call, M::Answer>>
where
    M::Call: Copy,
    M::Answer: Copy,
{
    let (mut state, mut clock, mut made) = (model.begin(), 0, Vec::new());
    let mut under_way: Vec<(u64, M::Call, Option<M::Answer>)> = Vec::new();
    while made.len() < count {
        clock += 1;
        if under_way.len() < at_once {
            under_way.push((clock, call(dice), None));
            continue;
        }
        let at = dice.usize(..under_way.len());
        let (invoked, call, answer) = under_way[at];
        if answer.is_some() {
            let answered = answer.filter(|_| dice.usize(..doubt) > 0).map(|it| (clock, it));
            made.push(Made { invoked, answered, call });
            under_way.swap_remove(at);
            continue;
        }
        let fits = |answer: &&M::Answer| model.step(&state, &call, Some(answer)).is_some();
        under_way[at].2 = answers.iter().find(fits).copied();
        match under_way[at].2 {
            Some(answer) => state = model.step(&state, &call, Some(&answer)).expect("it fits"),
            None => drop(under_way.swap_remove(at)),
        }
    }
    // Of what is under way at the end nobody hears.
    let rest = under_way.into_iter();
    made.extend(rest.map(|(invoked, call, _)| Made { invoked, answered: None, call }));
    made
}

fn register(dice: &mut Rng, count: usize, at_once: usize) -> Vec<Made<Call, Answer>> {
    let call = |dice: &mut Rng| match dice.u8(..3) {
        0 => Call::Write(dice.u8(..5)),
        1 => Call::Read,
        _ => Call::Swap(dice.u8(..5), dice.u8(..5)),
    };
    history(&Register, dice, (count, at_once, usize::MAX), call, &[0, 1, 2, 3, 4])
}

fn order(dice: &mut Rng, count: usize, at_once: usize) -> Vec<Made<OrderCall, OrderAnswer>> {
    let call = |dice: &mut Rng| match dice.u16(..1_000) {
        0..100 => OrderCall::Create(Some(0)),
        100..500 => OrderCall::Cancel((dice.u8(..20) == 0).then(|| dice.u32(1..9))),
        _ => OrderCall::Get,
    };
    let answers = [
        OrderAnswer::Shown(0, Status::Created),
        OrderAnswer::Shown(0, Status::Cancelled),
        OrderAnswer::NotFound,
        OrderAnswer::AlreadyCancelled,
    ];
    history(&OrderModel, dice, (count, at_once, 10), call, &answers)
}

/// Searches, says how long it took, and does so again with the last answer to `is_read` wrong.
fn timed<M: Model>(
    name: &str,
    model: &M,
    mut made: Vec<Made<M::Call, M::Answer>>,
    is_read: impl Fn(&M::Call) -> bool,
    wrong: M::Answer,
) where
    M::Answer: Copy,
{
    let since = Instant::now();
    let found = search(model, &made, 4_000_000);
    println!("{name}, {} operations, 8 at once: {:?}", made.len(), since.elapsed());
    assert!(matches!(found, Search::Linearizable(_)), "{found:?}");
    let answered = made.iter_mut().rev().filter(|one| is_read(&one.call));
    let last = answered.filter_map(|one| one.answered.as_mut()).next().expect("somebody reads");
    last.1 = wrong;
    let since = Instant::now();
    let found = search(model, &made, 4_000_000);
    println!("{name} with an answer that is wrong: {:?}", since.elapsed());
    assert!(matches!(found, Search::Not { .. }), "{found:?}");
}

/// Histories that happened, half of them with an answer that did not: nearly right is where a search
/// goes wrong.
#[test]
fn what_has_happened_is_searched_as_by_hand() {
    let mut dice = Rng::with_seed(7);
    let mut explained = [0, 0];
    for round in 0..20_000 {
        let wrong = round % 2 == 1;
        let mut made = register(&mut dice, 5, 4);
        if wrong {
            let at = dice.usize(..made.len());
            made[at].answered = made[at].answered.map(|(time, _)| (time, dice.u8(..5)));
        }
        explained[usize::from(wrong)] += u32::from(agrees(&Register, &made).expect("agreed"));
        let mut made = order(&mut dice, 5, 4);
        if wrong {
            let (at, other) = (dice.usize(..made.len()), dice.usize(..made.len()));
            let answer = made[other].answered.map(|(_, answer)| answer);
            made[at].answered = made[at].answered.and_then(|(time, _)| Some((time, answer?)));
        }
        explained[usize::from(wrong)] += u32::from(agrees(&OrderModel, &made).expect("agreed"));
    }
    println!(
        "of 20,000 that happened {} are explained, of 20,000 that did not {}",
        explained[0], explained[1]
    );
    assert!(explained[0] == 20_000 && (2_000..18_000).contains(&explained[1]), "{explained:?}");
}

#[test]
fn a_thousand_operations_with_eight_at_once_are_searched_soon() {
    let mut dice = Rng::with_seed(8);
    for _ in 0..3 {
        let made = register(&mut dice, 1_000, 8);
        timed("a register", &Register, made, |call| matches!(call, Call::Read), 77);
        let made = order(&mut dice, 1_000, 8);
        let wrong = OrderAnswer::Shown(1, Status::Created);
        timed("an order", &OrderModel, made, |call| *call == OrderCall::Get, wrong);
    }
}

#[test]
fn a_search_that_takes_too_long_is_given_up() {
    let made = register(&mut Rng::with_seed(1), 200, 8);
    assert_eq!(search(&Register, &made, 50), Search::GaveUp);
}
