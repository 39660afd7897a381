use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, ImplItemFn, LitStr, Meta, ReturnType, Type};

use super::Block;
use super::methods::{check_method, is_exclusive};
use crate::block::{arguments, cfgs};
use crate::errors::Errors;
use crate::names::camel_case;
use crate::options::{Options, value, written_name};
use crate::spans::{located, relocated};

/// A method that gets events.
pub(super) struct Subscriber {
    pub(super) method: Ident,
    /// None if it was reported.
    pub(super) name: Option<LitStr>,
    event: Type,
    /// The type of the second argument, if there is one.
    delivery: Option<Type>,
    /// What the method returns, as it is written.
    output: Type,
    from: Option<From>,
    /// True if it says who gets an event and where it begins.
    is_complete: bool,
    /// Where its attribute stands.
    attribute: Span,
    cfgs: Vec<Attribute>,
}

/// Where a new subscriber begins.
#[derive(Clone, Copy)]
enum From {
    Now,
    Start,
}

impl Subscriber {
    pub(super) fn read(
        block: &Block,
        attribute: &Attribute,
        method: &ImplItemFn,
        errors: &mut Errors,
    ) -> Option<Self> {
        let signature = &method.sig;
        let name = &signature.ident;
        let settings = Settings::read(attribute, errors);
        let mut fine = check_method(block, method, errors);
        let arguments = arguments(signature);
        let event = match arguments.first() {
            Some(Type::Reference(event)) if event.mutability.is_none() => Some(&event.elem),
            Some(Type::Reference(event)) => {
                errors.on(event, "what has happened cannot be changed: take `&`, not `&mut`");
                None
            }
            Some(event) => {
                let by_reference = event.to_token_stream();
                errors.on(
                    event,
                    format!("a subscriber takes its event by reference: `&{by_reference}`"),
                );
                None
            }
            None => {
                errors.at(
                    name.span(),
                    format!("`{name}` names no event: take one, such as `event: &OrderCreated`"),
                );
                None
            }
        };
        if let Some(second) = arguments.get(1) {
            fine &= check_delivery(second, errors);
        }
        for extra in arguments.iter().skip(2) {
            errors.on(extra, "a subscriber takes an event and `delivery: &Delivery`");
            fine = false;
        }
        let output = match &signature.output {
            ReturnType::Type(_, output) => Some(output),
            ReturnType::Default => {
                errors.at(
                    name.span(),
                    format!(
                        "`{name}` cannot say whether it failed: return `Result<(), E>`, where an \
                         error means that the event is delivered again"
                    ),
                );
                None
            }
        };
        fine.then_some(Self {
            method: name.clone(),
            name: settings.name,
            event: (**event?).clone(),
            delivery: arguments.get(1).map(|ty| (*ty).clone()),
            output: (**output?).clone(),
            from: settings.from,
            is_complete: settings.is_complete,
            attribute: attribute.meta.span(),
            cfgs: cfgs(method),
        })
    }

    /// A type of its own for the subscriber, and the line that registers it.
    pub(super) fn registration(&self, block: &Block) -> TokenStream {
        let Block { root, service, generics, .. } = block;
        let Self { event, cfgs, .. } = self;
        let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
        let subscriber = format_ident!("{}Subscriber", camel_case(&self.method.to_string()));
        let turbofish = type_generics.as_turbofish();
        let name = match &self.name {
            Some(name) => quote!(#name),
            None => quote!(""),
        };
        let from = match self.from {
            Some(From::Start) => quote!(Start),
            Some(From::Now) | None => quote!(Now),
        };
        let assertion = (!self.is_complete).then(|| {
            let message = "a subscriber of recorded events says who gets them and where it begins: \
                           add `each = \"node\"` and `from = \"now\"` (or \"start\") to its \
                           `#[subscriber(…)]`";
            quote_spanned! {located(self.attribute)=>
                const _: () = ::core::assert!(<#event as #root::Event>::EPHEMERAL, #message);
            }
        });
        let deliver = self.deliver(block);
        quote! {
            #(#cfgs)*
            {
                #assertion
                struct #subscriber #impl_generics (::std::sync::Arc<#service>) #where_clause;
                impl #impl_generics #root::Subscriber for #subscriber #type_generics #where_clause {
                    type Event = #event;
                    const NAME: &'static str = #name;
                    const EACH: #root::Each = #root::Each::Node;
                    const FROM: #root::StartFrom = #root::StartFrom::#from;
                    #deliver
                }
                registrar.subscriber(#subscriber #turbofish);
            }
        }
    }

    fn deliver(&self, block: &Block) -> TokenStream {
        let Block { root, service, .. } = block;
        let method = &self.method;
        let event = &self.event;
        let (delivery, pass) = match &self.delivery {
            Some(ty) => (quote!(delivery), relocated(quote!(, delivery), ty)),
            None => (quote!(_delivery), quote!()),
        };
        let future = quote! {
            impl ::core::future::Future<
                Output = ::core::result::Result<(), #root::SubscriberError>,
            > + ::core::marker::Send + 'a
        };
        // The spans make the compiler point at the method when its future is not `Send`, and at
        // what it returns when that is no result of a subscriber.
        let future = relocated(future, method);
        let outcome = relocated(quote!(outcome.map_err(#root::SubscriberError::new)), &self.output);
        quote! {
            fn deliver<'a>(
                &'a self,
                event: &'a #event,
                #delivery: &'a #root::Delivery,
            ) -> #future {
                async move {
                    let outcome = <#service>::#method(&self.0, event #pass).await;
                    #outcome
                }
            }
        }
    }
}

fn check_delivery(second: &Type, errors: &mut Errors) -> bool {
    if is_exclusive(second) {
        errors.on(
            second,
            "an `each = \"node\"` subscriber cannot take a `Tx`: every node gets the event, and \
             each would record its own effect; send a command from it instead",
        );
        return false;
    }
    let fine = matches!(second, Type::Reference(_));
    if !fine {
        errors.on(second, "besides its event a subscriber takes `delivery: &Delivery`");
    }
    fine
}

/// What stands in the parentheses of `#[subscriber(…)]`.
#[derive(Default)]
struct Settings {
    name: Option<LitStr>,
    from: Option<From>,
    is_complete: bool,
}

impl Settings {
    fn read(attribute: &Attribute, errors: &mut Errors) -> Self {
        let mut settings = Self::default();
        let mut options = Options::new("subscriber", &["name", "each", "from"]);
        if let Meta::NameValue(pair) = &attribute.meta {
            errors.on(pair, "write `#[subscriber(name = \"…\")]`");
            return settings;
        }
        let tokens = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            _ => TokenStream::new(),
        };
        options.read(tokens, errors, |option, input| {
            match option.to_string().as_str() {
                "name" => {
                    let name = written_name(option, input, "name = \"confirm-by-mail\"")?;
                    settings.name = Some(name);
                }
                "each" => check_each(&value(option, input, "each = \"node\"")?)?,
                _ => settings.from = Some(from(&value(option, input, "from = \"now\"")?)?),
            }
            Ok(())
        });
        if !options.has("name") {
            errors.at(
                attribute.path().span(),
                "this subscriber has no name: write `#[subscriber(name = \"…\")]`; its place in \
                 the journal is stored under it",
            );
        }
        settings.is_complete = options.has("each") && options.has("from");
        settings
    }
}

fn check_each(each: &LitStr) -> syn::Result<()> {
    let message = match each.value().as_str() {
        "node" => return Ok(()),
        "cluster" => {
            "only `each = \"node\"` is available in this version: every node gets every event, \
             with a cursor of its own"
        }
        _ => "write `each = \"node\"`: every node gets every event",
    };
    Err(syn::Error::new(each.span(), message))
}

fn from(from: &LitStr) -> syn::Result<From> {
    match from.value().as_str() {
        "now" => Ok(From::Now),
        "start" => Ok(From::Start),
        _ => Err(syn::Error::new(
            from.span(),
            "a new subscriber begins with the next event, `from = \"now\"`, or with the first of \
             the journal, `from = \"start\"`",
        )),
    }
}
