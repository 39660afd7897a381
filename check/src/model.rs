use std::fmt::Debug;
use std::hash::Hash;

/// What an object does when one call comes after the other: what a history is held against.
///
/// # Contract
/// 1. `step` depends on its arguments alone.
/// 2. Of a call whose answer is not known, `step` gives the one state that it leads to.
/// 3. If `ONCE`, a call that has changed the state changes it no more when it comes again, whatever
///    came in between.
/// 4. A call of which `only_reads` holds leaves every state as it is in which it gets its answer.
pub trait Model {
    /// True for objects on which no call has two effects. Of those a search need not remember which
    /// calls without an answer it has placed: the state says it. With many such calls, that decides
    /// whether a search ends.
    const ONCE: bool;

    /// What the object knows.
    type State: Clone + Eq + Hash + Debug;
    /// What it is asked.
    type Call;
    /// What it answers.
    type Answer;

    /// Before the first call.
    fn begin(&self) -> Self::State;

    /// The state after `call`; none if `answer` is not what it gets in `state`. Without an answer
    /// nobody knows what was answered, and any will do.
    fn step(
        &self,
        state: &Self::State,
        call: &Self::Call,
        answer: Option<&Self::Answer>,
    ) -> Option<Self::State>;

    /// True if the call, answered so, changes nothing: where it fits once, it need not be tried
    /// anywhere else.
    fn only_reads(&self, call: &Self::Call, answer: &Self::Answer) -> bool;
}
