use super::*;
use crate::errors::messages;

fn expanded(options: TokenStream, item: TokenStream) -> String {
    let written = expand(options, item);
    assert_eq!(messages(&written), [""; 0]);
    // Through `syn`, so that spacing and trailing commas do not matter.
    syn::parse2::<syn::File>(written.clone()).expect("items");
    written.to_string().replace(' ', "")
}

fn contains(expansion: &str, expected: TokenStream) {
    let expected = expected.to_string().replace(' ', "");
    assert!(expansion.contains(&expected), "{expansion}\n\n{expected}");
}

#[test]
fn a_handler_is_durable_if_it_takes_a_tx() {
    let written = expanded(
        quote!(),
        quote! {
            impl Orders {
                async fn create(&self, cmd: CreateOrder, tx: &mut Tx) -> Answer<Order, OrderError> {}
                #[cfg(feature = "reading")]
                async fn get(&self, GetOrder { id }: GetOrder) -> Answer<Order, OrderError> {}
            }
        },
    );
    contains(
        &written,
        quote! {
            impl ::catga::Handle<CreateOrder> for Orders {
                type Scope = ::catga::Durable;
                fn handle<'a>(&'a self, message: CreateOrder, tx: &'a mut ::catga::Tx)
                -> impl ::core::future::Future<Output = Answer<Order, OrderError>>
                    + ::core::marker::Send + 'a
                {
                    Self::create(self, message, tx)
                }
            }
            impl ::catga::Offers<CreateOrder> for Orders {}
            #[cfg(feature = "reading")]
            impl ::catga::Handle<GetOrder> for Orders {
                type Scope = ::catga::Plain;
                fn handle<'a>(&'a self, message: GetOrder, (): ())
                -> impl ::core::future::Future<Output = Answer<Order, OrderError>>
                    + ::core::marker::Send + 'a
                {
                    Self::get(self, message)
                }
            }
            #[cfg(feature = "reading")]
            impl ::catga::Offers<GetOrder> for Orders {}
        },
    );
    contains(
        &written,
        quote! {
            list.push::<CreateOrder>();
            #[cfg(feature = "reading")]
            list.push::<GetOrder>();
        },
    );
    contains(
        &written,
        quote! {
            fn register<Registrar: ::catga::Registrar<Self>>(registrar: &mut Registrar) {
                let _ = &registrar;
                registrar.handler::<CreateOrder>();
                #[cfg(feature = "reading")]
                registrar.handler::<GetOrder>();
            }
        },
    );
}

#[test]
fn a_subscriber_becomes_a_type_of_its_own() {
    let written = expanded(
        quote!(),
        quote! {
            impl<C: Clock> Orders<C> {
                #[subscriber(name = "confirm-by-mail", each = "node", from = "start")]
                async fn confirm(&self, event: &OrderCreated) -> Result<(), MailError> {}
            }
        },
    );
    assert!(!written.contains("#[subscriber"), "{written}");
    contains(
        &written,
        quote! {
            struct ConfirmSubscriber<C: Clock>(::std::sync::Arc<Orders<C>>);
            impl<C: Clock> ::catga::Subscriber for ConfirmSubscriber<C> {
                type Event = OrderCreated;
                type Scope = ::catga::Plain;
                const NAME: &'static str = "confirm-by-mail";
                const EACH: ::catga::Each = ::catga::Each::Node;
                const FROM: ::catga::StartFrom = ::catga::StartFrom::Start;
                fn deliver<'a>(
                    &'a self,
                    event: &'a OrderCreated,
                    _delivery: &'a ::catga::Delivery,
                    (): (),
                ) -> impl ::core::future::Future<
                    Output = ::core::result::Result<(), ::catga::SubscriberError>,
                > + ::core::marker::Send + 'a {
                    async move {
                        let outcome = <Orders<C> >::confirm(&self.0, event).await;
                        outcome.map_err(::catga::SubscriberError::new)
                    }
                }
            }
            registrar.subscriber(ConfirmSubscriber::<C>);
        },
    );
}

#[test]
fn a_subscriber_of_the_cluster_may_take_a_tx() {
    let written = expanded(
        quote!(),
        quote! {
            impl Orders {
                #[subscriber(name = "ship", each = "cluster", from = "now", on_failure = "pass")]
                async fn ship(&self, event: &Placed, tx: &mut Tx, delivery: &Delivery) -> R {}
                #[subscriber(name = "count", each = "cluster", from = "now")]
                async fn count(&self, event: &Placed) -> R {}
            }
        },
    );
    contains(
        &written,
        quote! {
            type Scope = ::catga::Durable;
            const NAME: &'static str = "ship";
            const EACH: ::catga::Each = ::catga::Each::Cluster;
            const FROM: ::catga::StartFrom = ::catga::StartFrom::Now;
            const ON_FAILURE: ::catga::OnFailure = ::catga::OnFailure::Pass;
            fn deliver<'a>(
                &'a self,
                event: &'a Placed,
                delivery: &'a ::catga::Delivery,
                tx: &'a mut ::catga::Tx,
            )
        },
    );
    contains(&written, quote!(<Orders>::ship(&self.0, event, tx, delivery).await));
    contains(&written, quote!(<Orders>::count(&self.0, event).await));
    let assertion = "::core::assert!(!<Placedas::catga::Event>::EPHEMERAL,";
    assert!(written.contains(assertion), "{written}");
}

#[test]
fn a_subscriber_that_says_no_start_is_for_ephemeral_events() {
    let written = expanded(
        quote!(),
        quote! {
            impl Orders {
                #[subscriber(name = "count-views")]
                async fn viewed(&self, event: &OrderViewed, delivery: &Delivery) -> Result<(), E> {}
            }
        },
    );
    let assertion = "const_:()=::core::assert!(<OrderViewedas::catga::Event>::EPHEMERAL,";
    assert!(written.contains(assertion), "{written}");
    contains(&written, quote!(<Orders>::viewed(&self.0, event, delivery).await));
}

#[test]
fn a_part_registers_itself_with_the_main_block() {
    let main =
        expanded(quote!(parts(cancelling), contract(api::OrdersApi)), quote! { impl Orders {} });
    contains(&main, quote!(impl cancelling::ServicePartOfOrders for Orders {}));
    contains(
        &main,
        quote! {
            api::OrdersApi::is_implemented_by::<Orders>();
            <Self as cancelling::ServicePartOfOrders>::register(registrar);
        },
    );
    let part = expanded(
        quote!(part),
        quote! {
            impl super::Orders {
                async fn cancel(&self, cmd: CancelOrder) -> Answer<(), OrderError> {}
            }
        },
    );
    contains(&part, quote!(pub(crate) trait ServicePartOfOrders));
    contains(&part, quote!(is_named::<super::Orders>();));
    assert!(!part.contains("::catga::Servicefor"), "{part}");
}

#[test]
fn every_mistake_is_reported_and_the_rest_is_written() {
    let written = expand(
        quote!(part, contract(OrdersApi), pasts(a)),
        quote! {
            impl Orders {
                async fn create(&self, cmd: CreateOrder) -> Answer<Order, OrderError> {}
                async fn again(&self, cmd: CreateOrder) -> Answer<Order, OrderError> {}
                async fn bare(&self, cmd: BareOrder) -> Result<Order, OrderError> {}
                fn total(&self) -> u32 {}
                async fn held(&self, cmd: HoldOrder, tx: &mut Tx, again: &mut Tx) -> Answer<()> {}
                #[subscriber(name = "a", each = "cluster")]
                async fn a(&self, event: &A, tx: &mut Tx, again: &mut Tx) -> Result<(), E> {}
                #[subscriber(name = "n", each = "node", from = "now", on_failure = "pass")]
                async fn n(&self, event: &A, tx: &mut Tx) -> Result<(), E> {}
                #[subscriber(name = "o", each = "one", on_failure = "stop")]
                async fn o(&self, event: &A, by_value: Delivery) -> Result<(), E> {}
                #[subscriber]
                async fn b(&self, event: &mut A) -> Result<(), E> {}
                #[subscriber(name = "c")]
                async fn c(&self, event: &A) -> Result<(), E> {}
                #[subscriber(name = "c")]
                async fn c2(&self, event: &A) -> Result<(), E> {}
            }
        },
    );
    let found = messages(&written);
    let expected = [
        "has no option `pasts`; did you mean `parts`?",
        "belong to the main block",
        "`create` and `again` both handle `CreateOrder`",
        "return `Answer<Order, OrderError>`",
        "write `async fn total`",
        "takes one `tx: &mut Tx`",
        "say where this subscriber begins",
        "one `delivery: &Delivery` and one `tx: &mut Tx`",
        "only an `each = \"cluster\"` subscriber has dead letters",
        "only an `each = \"cluster\"` subscriber takes a `Tx`",
        "each node gets every event, `each = \"node\"`, or one node",
        "the events of its stream wait",
        "besides its event a subscriber takes",
        "this subscriber has no name",
        "take `&`, not `&mut`",
        "`c` and `c2` have the same name",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found}");
    }
    let written = written.to_string();
    assert!(written.starts_with("impl Orders") && !written.contains("# [subscriber"));
    assert!(written.contains("Handle < CreateOrder > for Orders"));
}
