//! A service that is spread over several modules.
//!
//! Each part leaves a hidden trait in its module, which registers what the part holds. The main
//! block implements it for the service; the part asserts that it did.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Path, parse_quote};

use super::{Block, Handler, Subscriber};
use crate::spans::relocated;

/// The trait that a part leaves in its module, and by which the main block finds it.
fn name(block: &Block) -> Ident {
    format_ident!("ServicePartOf{}", block.name, span = Span::call_site())
}

/// The trait of the part in `module`, as the main block names it.
pub(super) fn in_module(block: &Block, module: &Path) -> TokenStream {
    let part = name(block);
    let part = relocated(quote!(::#part), module);
    quote!(#module #part)
}

/// What a part writes besides its handlers.
pub(super) fn implementation(
    block: &Block,
    handlers: &[Handler],
    subscribers: &[Subscriber],
) -> TokenStream {
    let Block { root, service, generics, .. } = block;
    let part = name(block);
    let mut register_generics = generics.clone();
    register_generics.params.push(parse_quote!(Registrar: #root::Registrar<#service>));
    let (register_generics, _, where_clause) = register_generics.split_for_impl();
    let messages = handlers.iter().map(Handler::message_of_contract);
    let registrations = handlers.iter().map(Handler::registration);
    let subscriptions = subscribers.iter().map(|one| one.registration(block));
    quote! {
        #[doc(hidden)]
        #[diagnostic::on_unimplemented(
            message = "no `#[service]` block of `{Self}` names this part",
            label = "nothing would register what this part handles",
            note = "name this module in the main block of the service: \
                    `#[service(parts(this_module))]`"
        )]
        #[allow(private_bounds, private_interfaces, reason = "only the main block names it")]
        pub(crate) trait #part {
            fn messages(list: &mut #root::ContractList) {
                let _ = &list;
                #(#messages)*
            }
            fn register #register_generics (registrar: &mut Registrar) #where_clause {
                const fn is_named<Service: #part>() {}
                is_named::<#service>();
                let _ = &registrar;
                #(#registrations)*
                #(#subscriptions)*
            }
        }
    }
}
