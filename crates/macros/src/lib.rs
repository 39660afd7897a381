//! The macros of Catga. Programs name them through the facade crate `catga`.
//!
//! Each macro writes only impls that you could have written; its page ends with what it writes.
//! Everything works without them too. All mistakes of one item are reported at once, and the item
//! itself is kept, so that one mistake does not look like many.
//!
//! This file is a thin shell: each macro's page is a file of its own, and its expansion plain code
//! over tokens in a module of its own, with its tests. `options` reads attributes, `block` impl
//! blocks, `fold` the methods of aggregates and projections.

mod aggregate;
mod block;
mod contract;
mod domain_error;
mod errors;
mod event;
mod fold;
mod id;
mod message;
mod names;
mod options;
mod projection;
mod request;
mod service;
mod spans;

use proc_macro::TokenStream;

#[doc = include_str!("command.md")]
#[proc_macro_derive(Command, attributes(command))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    request::command(input.into()).into()
}

#[doc = include_str!("query.md")]
#[proc_macro_derive(Query, attributes(query))]
pub fn derive_query(input: TokenStream) -> TokenStream {
    request::query(input.into()).into()
}

#[doc = include_str!("event.md")]
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    event::expand(input.into()).into()
}

#[doc = include_str!("id.md")]
#[proc_macro_derive(Id, attributes(id))]
pub fn derive_id(input: TokenStream) -> TokenStream {
    id::expand(input.into()).into()
}

#[doc = include_str!("domain_error.md")]
#[proc_macro_derive(DomainError, attributes(domain_error, refusal))]
pub fn derive_domain_error(input: TokenStream) -> TokenStream {
    domain_error::expand(input.into()).into()
}

#[doc = include_str!("aggregate.md")]
#[proc_macro_attribute]
pub fn aggregate(options: TokenStream, item: TokenStream) -> TokenStream {
    aggregate::expand(options.into(), item.into()).into()
}

#[doc = include_str!("projection.md")]
#[proc_macro_attribute]
pub fn projection(options: TokenStream, item: TokenStream) -> TokenStream {
    projection::expand(options.into(), item.into()).into()
}

#[doc = include_str!("service.md")]
#[proc_macro_attribute]
pub fn service(options: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(options.into(), item.into()).into()
}

#[doc = include_str!("contract.md")]
#[proc_macro]
pub fn contract(input: TokenStream) -> TokenStream {
    contract::expand(input.into()).into()
}
