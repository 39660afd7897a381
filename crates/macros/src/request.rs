//! `#[derive(Command)]` and `#[derive(Query)]`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::ParseStream;
use syn::{DeriveInput, Type};

use crate::errors::Errors;
use crate::message::MessageOptions;
use crate::options::{Options, value, word};

const LEVELS: &[&str] = &["Local", "Session", "Linearizable"];

#[derive(Default)]
struct RequestOptions {
    message: MessageOptions,
    reply: Option<Type>,
    error: Option<Type>,
    level: Option<Ident>,
}

impl RequestOptions {
    fn read(&mut self, name: &Ident, input: ParseStream) -> syn::Result<()> {
        if self.message.read(name, input)? {
            return Ok(());
        }
        match name.to_string().as_str() {
            "reply" => self.reply = Some(value(name, input, "reply = Order")?),
            "error" => self.error = Some(value(name, input, "error = OrderError")?),
            _ => self.level = Some(word(name, input, LEVELS)?),
        }
        Ok(())
    }
}

pub(crate) fn command(input: TokenStream) -> TokenStream {
    let known = &["name", "reply", "error", "check", "format", "version"];
    expand(input, Options::new("command", known), |root, ident, _| {
        quote! {
            #[automatically_derived]
            impl #root::Command for #ident {}
        }
    })
}

pub(crate) fn query(input: TokenStream) -> TokenStream {
    let known = &["name", "reply", "error", "level", "check", "format", "version"];
    expand(input, Options::new("query", known), |root, ident, level| {
        let level = level.map(|level| {
            quote! { const LEVEL: #root::ReadLevel = #root::ReadLevel::#level; }
        });
        quote! {
            #[automatically_derived]
            impl #root::Query for #ident { #level }
        }
    })
}

fn expand(
    input: TokenStream,
    mut attribute: Options,
    marker: impl FnOnce(&TokenStream, &Ident, Option<&Ident>) -> TokenStream,
) -> TokenStream {
    let item: DeriveInput = match syn::parse2(input) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error(),
    };
    let word = attribute.attribute();
    let mut errors = Errors::default();
    let mut options = RequestOptions::default();
    attribute.read_attributes(&item.attrs, &mut errors, |name, input| options.read(name, input));
    options.message.check(&attribute, &item, &mut errors);
    if !item.generics.params.is_empty() {
        return quote!(#errors);
    }

    let root = attribute.root();
    let ident = &item.ident;
    let kind = match word {
        "query" => quote!(#root::QueryKind),
        _ => quote!(#root::CommandKind),
    };
    let reply = match &options.reply {
        Some(reply) => quote!(#reply),
        None => quote!(()),
    };
    let error = match &options.error {
        Some(error) => quote!(#error),
        None => quote!(#root::NoError),
    };
    let message = options.message.implementation(&root, ident);
    let marker = marker(&root, ident, options.level.as_ref());
    quote! {
        #errors
        #message
        #[automatically_derived]
        impl #root::Request for #ident {
            type Kind = #kind;
            type Reply = #reply;
            type Error = #error;
        }
        #marker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::messages;

    #[test]
    fn a_command_gets_three_impls() {
        let written = command(quote! {
            #[command(name = "order.create", reply = Vec<Order>, error = OrderError)]
            struct CreateOrder { product_id: String }
        });
        let expected = quote! {
            #[automatically_derived]
            impl ::catga::Message for CreateOrder {
                const NAME: &'static str = "order.create";
                type Format = ::catga::MessagePack;
            }
            #[automatically_derived]
            impl ::catga::Request for CreateOrder {
                type Kind = ::catga::CommandKind;
                type Reply = Vec<Order>;
                type Error = OrderError;
            }
            #[automatically_derived]
            impl ::catga::Command for CreateOrder {}
        };
        assert_eq!(written.to_string(), expected.to_string());
    }

    #[test]
    fn a_query_has_defaults_a_level_and_a_root() {
        let written = query(quote! {
            #[query(name = "ping", level = Linearizable, version = 2, format = Json)]
            #[query(crate = "my::catga", check = Ping::check_fields)]
            struct Ping;
        });
        let expected = quote! {
            #[automatically_derived]
            impl my::catga::Message for Ping {
                const NAME: &'static str = "ping";
                const VERSION: u32 = 2;
                type Format = Json;
                fn check(&self, faults: &mut my::catga::FieldFaults) {
                    Ping::check_fields(self, faults);
                }
            }
            #[automatically_derived]
            impl my::catga::Request for Ping {
                type Kind = my::catga::QueryKind;
                type Reply = ();
                type Error = my::catga::NoError;
            }
            #[automatically_derived]
            impl my::catga::Query for Ping {
                const LEVEL: my::catga::ReadLevel = my::catga::ReadLevel::Linearizable;
            }
        };
        assert_eq!(written.to_string(), expected.to_string());
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let written = query(quote! {
            #[query(replay = Order, level = Sesion, version = 0, reply, error = A, error = B)]
            struct GetOrder<T> { id: T }
        });
        assert_eq!(
            messages(&written),
            [
                "`#[query]` has no option `replay`; did you mean `reply`?",
                "`Sesion` is not one of `Local`, `Session`, `Linearizable`; did you mean `Session`?",
                "versions are whole numbers from 1: `version = 1`",
                "write `reply = Order`",
                "`error` is given twice",
                "`GetOrder` has no written name: add `#[query(name = \"get-order\")]`; it is what \
                 is stored and sent, so that the type can be renamed",
                "`GetOrder` cannot be generic: its written name stands for one type",
            ]
        );
    }
}
