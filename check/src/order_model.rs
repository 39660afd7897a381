use crate::{Model, Status};

/// One order, as it should be: it is placed, it is cancelled at most once, and a command that comes
/// again under its key gets the answer that it got first.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderModel;

/// What there is of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OrderState {
    /// Where it stands, once it is there.
    status: Option<Status>,
    /// What an answer has shown of it that never changes.
    face: Option<Face>,
    /// What was done under each key that comes more than once, but for refusals because it was
    /// cancelled: whoever comes again is refused again.
    done: Vec<(u32, Done)>,
}

/// A number for everything of an order that never changes: id, product, quantity, customer, time.
pub type Face = u32;

/// What is asked of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderCall {
    /// To be placed; under a key that comes more than once, if there is a number.
    Create(Option<u32>),
    /// To be cancelled; likewise.
    Cancel(Option<u32>),
    /// How it is.
    Get,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderAnswer {
    /// The order.
    Shown(Face, Status),
    /// It is not there.
    NotFound,
    /// It was cancelled before.
    AlreadyCancelled,
    /// Something that no order ever says.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Done {
    Created,
    Cancelled,
    NotFound,
    AlreadyCancelled,
}

impl Model for OrderModel {
    const ONCE: bool = true;

    type State = OrderState;
    type Call = OrderCall;
    type Answer = OrderAnswer;

    fn begin(&self) -> OrderState {
        OrderState::default()
    }

    fn step(
        &self,
        state: &OrderState,
        call: &OrderCall,
        answer: Option<&OrderAnswer>,
    ) -> Option<OrderState> {
        let mut after = state.clone();
        let (key, done) = match *call {
            OrderCall::Get => {
                return after.takes(state.status, answer).then_some(after);
            }
            OrderCall::Create(key) | OrderCall::Cancel(key) => (key, state.done_under(key)),
        };
        let done = match (done, call, state.status) {
            (Some(done), ..) => done,
            (None, OrderCall::Create(_), None) => {
                after.status = Some(Status::Created);
                Done::Created
            }
            // A product is ordered under one key: there is no second order of it.
            (None, OrderCall::Create(_), Some(_)) => return answer.is_none().then_some(after),
            (None, _, None) => Done::NotFound,
            (None, _, Some(Status::Created)) => {
                after.status = Some(Status::Cancelled);
                Done::Cancelled
            }
            (None, _, Some(Status::Cancelled)) => Done::AlreadyCancelled,
        };
        if let Some(key) = key.filter(|_| done != Done::AlreadyCancelled)
            && let Err(at) = after.done.binary_search_by_key(&key, |(key, _)| *key)
        {
            after.done.insert(at, (key, done));
        }
        let fits = match (done, answer) {
            (Done::Created, _) => after.takes(Some(Status::Created), answer),
            (Done::Cancelled, _) => after.takes(Some(Status::Cancelled), answer),
            (Done::NotFound, _) => after.takes(None, answer),
            (Done::AlreadyCancelled, Some(answer)) => *answer == OrderAnswer::AlreadyCancelled,
            (Done::AlreadyCancelled, None) => true,
        };
        fits.then_some(after)
    }

    fn only_reads(&self, call: &OrderCall, answer: &OrderAnswer) -> bool {
        *call == OrderCall::Get || *answer == OrderAnswer::AlreadyCancelled
    }
}

impl OrderState {
    fn done_under(&self, key: Option<u32>) -> Option<Done> {
        let at = self.done.binary_search_by_key(&key?, |(key, _)| *key).ok()?;
        Some(self.done[at].1)
    }

    /// True if `answer` shows an order that stands at `status`, or none. What it shows is then known.
    fn takes(&mut self, status: Option<Status>, answer: Option<&OrderAnswer>) -> bool {
        match (answer, status) {
            (None, _) | (Some(OrderAnswer::NotFound), None) => true,
            (Some(OrderAnswer::Shown(face, shown)), Some(status)) => {
                *shown == status && *self.face.get_or_insert(*face) == *face
            }
            _ => false,
        }
    }
}
