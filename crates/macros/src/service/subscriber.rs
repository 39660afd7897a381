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
    /// The arguments after it, in order.
    others: Vec<Other>,
    /// What the method returns, as it is written.
    output: Type,
    each: Option<Each>,
    from: Option<From>,
    on_failure: Option<OnFailure>,
    /// True if it says who gets an event and where it begins.
    is_complete: bool,
    /// Where its attribute stands.
    attribute: Span,
    cfgs: Vec<Attribute>,
}

/// What a subscriber may take besides its event; its type as it is written.
enum Other {
    Delivery(Type),
    Tx(Type),
}

/// Who gets an event.
#[derive(Clone, Copy, PartialEq)]
enum Each {
    Node,
    Cluster,
}

/// Where a new subscriber begins.
#[derive(Clone, Copy)]
enum From {
    Now,
    Start,
}

/// What becomes of the events behind a dead letter.
#[derive(Clone, Copy)]
enum OnFailure {
    Park,
    Pass,
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
        let others = others(arguments.get(1..).unwrap_or_default(), settings.each, errors);
        fine &= others.is_some();
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
            others: others?,
            output: (**output?).clone(),
            each: settings.each,
            from: settings.from,
            on_failure: settings.on_failure,
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
        let scope = match self.tx() {
            Some(tx) => relocated(quote!(#root::Durable), tx),
            None => relocated(quote!(#root::Plain), &self.method),
        };
        let each = match self.each {
            Some(Each::Cluster) => quote!(Cluster),
            Some(Each::Node) | None => quote!(Node),
        };
        let from = match self.from {
            Some(From::Start) => quote!(Start),
            Some(From::Now) | None => quote!(Now),
        };
        let on_failure = self.on_failure.map(|on_failure| {
            let on_failure = match on_failure {
                OnFailure::Park => quote!(Park),
                OnFailure::Pass => quote!(Pass),
            };
            quote!(const ON_FAILURE: #root::OnFailure = #root::OnFailure::#on_failure;)
        });
        let assertion = self.assertion(root);
        let deliver = self.deliver(block);
        quote! {
            #(#cfgs)*
            {
                #assertion
                struct #subscriber #impl_generics (::std::sync::Arc<#service>) #where_clause;
                impl #impl_generics #root::Subscriber for #subscriber #type_generics #where_clause {
                    type Event = #event;
                    type Scope = #scope;
                    const NAME: &'static str = #name;
                    const EACH: #root::Each = #root::Each::#each;
                    const FROM: #root::StartFrom = #root::StartFrom::#from;
                    #on_failure
                    #deliver
                }
                registrar.subscriber(#subscriber #turbofish);
            }
        }
    }

    fn tx(&self) -> Option<&Type> {
        self.others.iter().find_map(|other| match other {
            Other::Tx(ty) => Some(ty),
            Other::Delivery(_) => None,
        })
    }

    /// What only the compiler knows of the event: whether it is recorded.
    fn assertion(&self, root: &TokenStream) -> Option<TokenStream> {
        let event = &self.event;
        let ephemeral = quote!(<#event as #root::Event>::EPHEMERAL);
        let (holds, message) = if self.each == Some(Each::Cluster) {
            let message = "an ephemeral event is not recorded, so no other node knows of it: its \
                           subscribers say neither `each` nor `from`";
            (quote!(!#ephemeral), message)
        } else if !self.is_complete {
            let message = "a subscriber of recorded events says who gets them and where it begins: \
                           add `each = \"node\"` (or \"cluster\") and `from = \"now\"` (or \
                           \"start\") to its `#[subscriber(…)]`";
            (ephemeral, message)
        } else {
            return None;
        };
        Some(quote_spanned! {located(self.attribute)=>
            const _: () = ::core::assert!(#holds, #message);
        })
    }

    fn deliver(&self, block: &Block) -> TokenStream {
        let Block { root, service, .. } = block;
        let method = &self.method;
        let event = &self.event;
        let takes_delivery = self.others.iter().any(|other| matches!(other, Other::Delivery(_)));
        let delivery = if takes_delivery { quote!(delivery) } else { quote!(_delivery) };
        let scope = match self.tx() {
            Some(_) => quote!(tx: &'a mut #root::Tx),
            None => quote!((): ()),
        };
        // The spans make the compiler point at the argument that is not what it must be.
        let pass = self.others.iter().map(|other| match other {
            Other::Delivery(ty) => relocated(quote!(, delivery), ty),
            Other::Tx(ty) => relocated(quote!(, tx), ty),
        });
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
                #scope,
            ) -> #future {
                async move {
                    let outcome = <#service>::#method(&self.0, event #(#pass)*).await;
                    #outcome
                }
            }
        }
    }
}

/// Sorts the arguments after the event; none if one of them was reported.
fn others(arguments: &[&Type], each: Option<Each>, errors: &mut Errors) -> Option<Vec<Other>> {
    let mut others = Vec::new();
    let mut fine = true;
    let mut refuse = |ty: &Type, message: &str| {
        errors.on(ty, message);
        fine = false;
    };
    for ty in arguments.iter().copied() {
        let is_tx = is_exclusive(ty);
        let is_second = others.iter().any(|other| matches!(other, Other::Tx(_)) == is_tx);
        if !matches!(ty, Type::Reference(_)) {
            refuse(
                ty,
                "besides its event a subscriber takes `delivery: &Delivery` and `tx: &mut Tx`",
            );
        } else if is_second {
            refuse(
                ty,
                "a subscriber takes an event, one `delivery: &Delivery` and one `tx: &mut Tx`",
            );
        } else if is_tx && each != Some(Each::Cluster) {
            refuse(
                ty,
                "only an `each = \"cluster\"` subscriber takes a `Tx`: with `each = \"node\"` every \
                 node gets the event, and each would record its own effect; send a command from \
                 it instead",
            );
        } else if is_tx {
            others.push(Other::Tx(ty.clone()));
        } else {
            others.push(Other::Delivery(ty.clone()));
        }
    }
    fine.then_some(others)
}

/// What stands in the parentheses of `#[subscriber(…)]`.
#[derive(Default)]
struct Settings {
    name: Option<LitStr>,
    each: Option<Each>,
    from: Option<From>,
    on_failure: Option<OnFailure>,
    is_complete: bool,
}

impl Settings {
    fn read(attribute: &Attribute, errors: &mut Errors) -> Self {
        let mut settings = Self::default();
        // Judged once all options are read.
        let mut policy: Option<LitStr> = None;
        let mut options = Options::new("subscriber", &["name", "each", "from", "on_failure"]);
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
                "each" => settings.each = Some(each(&value(option, input, "each = \"node\"")?)?),
                "on_failure" => {
                    let text = value(option, input, "on_failure = \"park\"")?;
                    settings.on_failure = Some(on_failure(&text)?);
                    policy = Some(text);
                }
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
        if let Some(policy) = policy
            && settings.each != Some(Each::Cluster)
        {
            errors.on(
                &policy,
                "only an `each = \"cluster\"` subscriber has dead letters; with `each = \"node\"` \
                 it pauses at an event that fails too often",
            );
        }
        if settings.each == Some(Each::Cluster) && !options.has("from") {
            errors.at(
                attribute.path().span(),
                "say where this subscriber begins when it is first started: `from = \"now\"`, or \
                 \"start\"",
            );
        }
        settings.is_complete = options.has("each") && options.has("from");
        settings
    }
}

fn each(each: &LitStr) -> syn::Result<Each> {
    match each.value().as_str() {
        "node" => Ok(Each::Node),
        "cluster" => Ok(Each::Cluster),
        _ => Err(syn::Error::new(
            each.span(),
            "each node gets every event, `each = \"node\"`, or one node of the cluster, \
             `each = \"cluster\"`",
        )),
    }
}

fn on_failure(on_failure: &LitStr) -> syn::Result<OnFailure> {
    match on_failure.value().as_str() {
        "park" => Ok(OnFailure::Park),
        "pass" => Ok(OnFailure::Pass),
        _ => Err(syn::Error::new(
            on_failure.span(),
            "behind a dead letter the events of its stream wait, `on_failure = \"park\"`, or pass, \
             `on_failure = \"pass\"`",
        )),
    }
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
