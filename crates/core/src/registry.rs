use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasherDefault, Hasher};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};

use crate::dispatch::{Deliver, InPlaceSubscriber, no_handler};
use crate::{
    Answer, Dispatch, Envelope, Event, Failure, Layer, Request, Slot, Subscriber, SubscriberError,
};

/// One value per type.
#[derive(Default)]
pub struct TypeMap {
    values: HashMap<TypeId, Box<dyn Any + Send + Sync>, BuildHasherDefault<TypeIdHasher>>,
}

impl TypeMap {
    /// The value of type `T` filed under the type `K`.
    #[inline]
    pub fn get<K: 'static, T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.values.get(&TypeId::of::<K>())?.downcast_ref()
    }

    /// The value filed under `K`, put there first if it is missing.
    pub fn entry<K: 'static, T: Default + Send + Sync + 'static>(&mut self) -> Option<&mut T> {
        let value = self.values.entry(TypeId::of::<K>()).or_insert_with(|| Box::<T>::default());
        value.downcast_mut()
    }

    /// Files `value` under `K`, in place of what was there.
    pub fn insert<K: 'static, T: Send + Sync + 'static>(&mut self, value: T) {
        self.values.insert(TypeId::of::<K>(), Box::new(value));
    }

    /// True if something is filed under the type.
    pub fn contains(&self, key: TypeId) -> bool {
        self.values.contains_key(&key)
    }
}

impl fmt::Debug for TypeMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypeMap").field("len", &self.values.len()).finish()
    }
}

/// A `TypeId` is a hash already.
#[derive(Default)]
pub(crate) struct TypeIdHasher(u64);

impl Hasher for TypeIdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Finds the handler of a message and the in-place subscribers of an event by type.
///
/// It is filled before a node starts and only read afterwards, so that dispatch takes no lock.
#[derive(Debug, Default)]
pub struct Registry {
    requests: TypeMap,
    events: TypeMap,
}

type Handler<M> = Box<dyn Dispatch<M>>;
type Subscribers<E> = Vec<Box<dyn Deliver<E>>>;

impl Registry {
    /// Sets the handler of `M`.
    pub fn insert<M: Request>(&mut self, handler: impl Dispatch<M>) {
        self.requests.insert::<M, Handler<M>>(Box::new(handler));
    }

    /// True if the message type has a handler.
    pub fn handles(&self, message: TypeId) -> bool {
        self.requests.contains(message)
    }

    /// Adds a subscriber of ephemeral events, within `layers`.
    pub fn subscribe<H: Subscriber, L: Layer>(&mut self, subscriber: H, layers: Arc<L>) {
        if let Some(subscribers) = self.events.entry::<H::Event, Subscribers<H::Event>>() {
            subscribers.push(Box::new(InPlaceSubscriber::new(subscriber, layers)));
        }
    }

    /// Begins to answer `message` by its handler, in `slot`; a fault if it has none.
    #[inline]
    pub fn start<'a, M: Request>(
        &'a self,
        message: M,
        envelope: Option<Box<Envelope>>,
        slot: Pin<&mut Slot<'a, Answer<M::Reply, M::Error>>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Answer<M::Reply, M::Error>> {
        match self.requests.get::<M, Handler<M>>() {
            Some(handler) => handler.start(message, envelope, slot, cx),
            None => Poll::Ready(Err(Failure::Fault(no_handler::<M>()))),
        }
    }

    /// Hands `event` to each of its in-place subscribers in the order in which they were added.
    ///
    /// One that fails does not keep the event from the others.
    ///
    /// # Errors
    /// What each subscriber that failed said.
    pub async fn publish<E: Event>(&self, event: &E) -> Result<(), Vec<SubscriberError>> {
        let Some(subscribers) = self.events.get::<E, Subscribers<E>>() else {
            return Ok(());
        };
        let mut errors = Vec::new();
        for subscriber in subscribers {
            let mut slot = pin!(Slot::new());
            let mut started = false;
            let delivered = poll_fn(|cx| {
                if std::mem::replace(&mut started, true) {
                    slot.as_mut().poll(cx).expect("a delivery that is not ready is in its slot")
                } else {
                    subscriber.start(event, slot.as_mut(), cx)
                }
            });
            if let Err(error) = delivered.await {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}
