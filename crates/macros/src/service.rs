//! `#[service]`.

mod handler;
mod methods;
mod part;
mod settings;
mod subscriber;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Generics, Path, Type};

use crate::block;
use crate::errors::Errors;
use crate::spans::relocated;

use handler::Handler;
use methods::methods;
use settings::Settings;
use subscriber::Subscriber;

/// The impl block under `#[service]`, as far as its methods need to know it.
struct Block {
    /// The path that everything generated begins with.
    root: TokenStream,
    /// The service's type, as it is written.
    service: Type,
    /// The service's name, without path and parameters.
    name: Ident,
    generics: Generics,
}

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut item = match block::parse("service", item) {
        Ok(item) => item,
        Err(tokens) => return tokens,
    };
    let mut errors = Errors::default();
    let (settings, root) = Settings::read(options, &mut errors);
    let Some(name) = block::self_name(&item, &mut errors) else {
        return quote!(#item #errors);
    };
    let block =
        Block { root, service: (*item.self_ty).clone(), name, generics: item.generics.clone() };
    let (handlers, subscribers) = methods(&block, &mut item, &mut errors);

    let handles = handlers.iter().map(|handler| handler.implementation(&block));
    let wiring = match &settings {
        Settings::Part => part::implementation(&block, &handlers, &subscribers),
        Settings::Whole { parts, contracts } => {
            whole(&block, parts, contracts, &handlers, &subscribers)
        }
    };
    quote! {
        #item
        #errors
        #(#handles)*
        #wiring
    }
}

/// `Contract` and `Service`, and what ties in the parts.
fn whole(
    block: &Block,
    parts: &[Path],
    contracts: &[Path],
    handlers: &[Handler],
    subscribers: &[Subscriber],
) -> TokenStream {
    let Block { root, service, name, generics } = block;
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let text = name.to_string();
    let parts: Vec<_> = parts.iter().map(|module| part::in_module(block, module)).collect();
    let messages = handlers.iter().map(Handler::message_of_contract);
    let registrations = handlers.iter().map(Handler::registration);
    let subscriptions = subscribers.iter().map(|one| one.registration(block));
    let asserted = contracts.iter().map(|contract| {
        let assertion = relocated(quote!(::is_implemented_by), contract);
        quote!(#contract #assertion::<#service>();)
    });
    quote! {
        #(impl #impl_generics #parts for #service #where_clause {})*
        impl #impl_generics #root::Contract for #service #where_clause {
            const NAME: &'static str = #text;
            fn messages(list: &mut #root::ContractList) {
                let _ = &list;
                #(#messages)*
                #(<Self as #parts>::messages(list);)*
            }
        }
        impl #impl_generics #root::Service for #service #where_clause {
            const NAME: &'static str = #text;
            fn register<Registrar: #root::Registrar<Self>>(registrar: &mut Registrar) {
                let _ = &registrar;
                #(#asserted)*
                #(#registrations)*
                #(#subscriptions)*
                #(<Self as #parts>::register(registrar);)*
            }
        }
    }
}

#[cfg(test)]
mod tests;
