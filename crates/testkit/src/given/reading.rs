use std::sync::Arc;

use catga_core::{
    Aggregate, Delivery, Event, Projection, RecordedEvent, StreamKey, StreamName, View, ViewCell,
};

use super::Given;

/// What follows from the past without a command.
impl Given {
    /// The aggregate of stream `key`, folded from its events; none if nothing happened to it.
    ///
    /// ```
    /// # use catga::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize)]
    /// # #[event(name = "lamp.switched", stream = Lamp, key = room)]
    /// # struct Switched { room: String }
    /// # #[derive(Clone, Default)]
    /// # struct Lamp { is_on: bool }
    /// # #[aggregate(name = "lamp")]
    /// # impl Lamp {
    /// #     fn switched(&mut self, _event: &Switched) { self.is_on = !self.is_on; }
    /// # }
    /// use catga_testkit::given;
    ///
    /// let past = given().event(Switched { room: "hall".into() });
    /// assert!(past.state::<Lamp>("hall").expect("switched once").is_on);
    /// assert!(past.state::<Lamp>("attic").is_none());
    /// ```
    ///
    /// # Panics
    /// If the aggregate cannot fold one of the events: it says which and why.
    #[track_caller]
    pub fn state<A: Aggregate>(&self, key: &(impl StreamKey + ?Sized)) -> Option<A> {
        let mut state = None;
        for event in self.past.of_stream(&StreamName::of::<A>(key)) {
            match A::fold(state, event) {
                Ok(next) => state = Some(next),
                Err(error) => panic!("{error}"),
            }
        }
        state
    }

    /// The projection, folded from all events.
    ///
    /// # Panics
    /// If the projection cannot read one of the events: it says which and why.
    #[track_caller]
    pub fn projection<P: Projection>(&self) -> P {
        let mut projection = P::default();
        for event in self.seen_by::<P>() {
            if let Err(error) = projection.fold(&event) {
                panic!("projection `{}`: {error}", P::NAME);
            }
        }
        projection
    }

    /// A view of the projection, folded from all events: what a service under test reads. Like a
    /// node's it is up to date with the past that it was taken from.
    ///
    /// # Panics
    /// If the projection cannot read one of the events: it says which and why.
    #[track_caller]
    pub fn view<P: Projection>(&self) -> View<P> {
        let cell = ViewCell::new(P::default());
        if let Err((_, error)) = cell.fold(&self.seen_by::<P>(), self.past.offset()) {
            panic!("projection `{}`: {error}", P::NAME);
        }
        View::over(Arc::new(cell))
    }

    /// The last event of type `E`, and its first delivery to the subscriber of that name.
    ///
    /// Call the subscriber's method with the two; set `delivery.attempt` for a later try.
    ///
    /// ```
    /// # use catga::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize)]
    /// # #[event(name = "lamp.switched", stream = Lamp, key = room)]
    /// # struct Switched { room: String }
    /// # #[derive(Clone, Default)]
    /// # struct Lamp;
    /// # #[aggregate(name = "lamp")]
    /// # impl Lamp { fn switched(&mut self, _event: &Switched) {} }
    /// # struct Mailer;
    /// # impl Mailer {
    /// #     async fn notify(&self, event: &Switched, delivery: &Delivery) -> Result<(), String> {
    /// #         if delivery.attempt == 1 { Err(event.room.clone()) } else { Ok(()) }
    /// #     }
    /// # }
    /// use catga_testkit::{block_on, given};
    ///
    /// let past = given().event(Switched { room: "hall".into() });
    /// let (event, mut delivery) = past.delivered::<Switched>("notify-by-mail");
    /// assert!(block_on(Mailer.notify(&event, &delivery)).is_err(), "the mail server is down");
    /// delivery.attempt = 2;
    /// assert!(block_on(Mailer.notify(&event, &delivery)).is_ok());
    /// ```
    ///
    /// # Panics
    /// If no such event was given.
    #[track_caller]
    pub fn delivered<E: Event>(&self, subscriber: &'static str) -> (E, Delivery) {
        let Some(last) = self.past.events().iter().rfind(|event| event.is::<E>()) else {
            panic!("no `{}` was given, so none is delivered to `{subscriber}`", E::NAME);
        };
        match last.decode() {
            Ok(event) => (event, Delivery::new(subscriber, Some(last.meta.clone()), 1)),
            Err(error) => panic!("{error}"),
        }
    }

    /// The events that reach the projection: others never do.
    fn seen_by<P: Projection>(&self) -> Vec<RecordedEvent> {
        let events = self.past.events().iter();
        events.filter(|event| P::EVENTS.contains(&&*event.name)).cloned().collect()
    }
}
