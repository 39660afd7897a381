//! `#[derive(Event)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Data, DeriveInput, Index, Member, Token, Type, parenthesized, token};

use crate::errors::Errors;
use crate::message::MessageOptions;
use crate::names::{did_you_mean, listed};
use crate::options::{Options, value};
use crate::spans::located;

const KNOWN: &[&str] = &["name", "stream", "key", "tag", "ephemeral", "format", "version"];

/// As many parts as the core writes `StreamKey` for tuples of.
const KEY_PARTS_MAX: usize = 4;

#[derive(Default)]
struct EventOptions {
    message: MessageOptions,
    stream: Option<Type>,
    key: Option<Key>,
    tags: Vec<Ident>,
    ephemeral: Option<Span>,
}

impl EventOptions {
    fn read(&mut self, name: &Ident, input: ParseStream) -> syn::Result<()> {
        if self.message.read(name, input)? {
            return Ok(());
        }
        match name.to_string().as_str() {
            "stream" => self.stream = Some(value(name, input, "stream = Order")?),
            "key" => self.key = Some(value(name, input, "key = order_id")?),
            "tag" => self.tags.push(value(name, input, "tag = customer_id")?),
            _ => self.ephemeral = Some(name.span()),
        }
        Ok(())
    }

    fn check(&self, item: &DeriveInput, errors: &mut Errors) {
        let ident = &item.ident;
        match (&self.ephemeral, &self.stream, &self.key) {
            (Some(ephemeral), stream, key) if stream.is_some() || key.is_some() => errors.at(
                *ephemeral,
                "an ephemeral event is not recorded, so it has neither `stream` nor `key`: leave \
                 out `ephemeral` or those",
            ),
            (Some(ephemeral), ..) if !self.tags.is_empty() => errors.at(
                *ephemeral,
                "an ephemeral event is not recorded, so no condition finds it by a `tag`: leave \
                 out `ephemeral` or the tag",
            ),
            (None, None, Some(key)) => errors.on(
                key,
                "this event has a key and no stream: add `stream = …`, the aggregate that it \
                 belongs to",
            ),
            (None, Some(stream), None) => errors.on(
                stream,
                "this event has a stream and no key: add `key = …`, the field (or a tuple of \
                 fields) that tells one stream from another",
            ),
            (None, None, None) => errors.at(
                ident.span(),
                format!(
                    "`{ident}` says neither where it is recorded nor that it is not: add `stream = \
                     …, key = …` or `ephemeral` to `#[event(…)]`"
                ),
            ),
            _ => {}
        }
    }
}

/// `order_id` or `(tenant, order_id)`.
enum Key {
    One(Member),
    Several(Punctuated<Member, Token![,]>),
}

impl Key {
    fn fields(&self) -> Vec<&Member> {
        match self {
            Self::One(field) => vec![field],
            Self::Several(fields) => fields.iter().collect(),
        }
    }
}

impl Parse for Key {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        if !input.peek(token::Paren) {
            return input.parse().map(Self::One);
        }
        let fields;
        parenthesized!(fields in input);
        Punctuated::parse_terminated(&fields).map(Self::Several)
    }
}

impl ToTokens for Key {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::One(field) => field.to_tokens(tokens),
            Self::Several(fields) => fields.to_tokens(tokens),
        }
    }
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(input) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let mut options = EventOptions::default();
    let mut attribute = Options::new("event", KNOWN).repeatable(&["tag"]);
    attribute.read_attributes(&item.attrs, &mut errors, |name, input| options.read(name, input));
    options.message.check(&attribute, &item, &mut errors);
    options.check(&item, &mut errors);
    if !item.generics.params.is_empty() {
        return quote!(#errors);
    }

    let root = attribute.root();
    let ident = &item.ident;
    let stream = stream_of(&root, &item, &options, &mut errors);
    let tags = tags_of(&root, &item, &options, &mut errors);
    let is_ephemeral = options.ephemeral.is_some();
    let message = options.message.implementation(&root, ident);
    let stream_event = options.stream.as_ref().map(|stream| {
        quote! {
            #[automatically_derived]
            impl #root::StreamEvent for #ident {
                type Stream = #stream;
            }
        }
    });
    quote! {
        #errors
        #message
        #[automatically_derived]
        impl #root::Event for #ident {
            const EPHEMERAL: bool = #is_ephemeral;
            fn stream(&self) -> ::core::option::Option<#root::StreamName> {
                #stream
            }
            #tags
        }
        #stream_event
    }
}

/// The body of `Event::stream`.
fn stream_of(
    root: &TokenStream,
    item: &DeriveInput,
    options: &EventOptions,
    errors: &mut Errors,
) -> TokenStream {
    let (Some(stream), Some(key)) = (&options.stream, &options.key) else {
        return quote!(::core::option::Option::None);
    };
    let fields = key.fields();
    if fields.is_empty() || fields.len() > KEY_PARTS_MAX {
        errors.on(key, format!("a key has 1 to {KEY_PARTS_MAX} fields"));
        return quote!(::core::option::Option::None);
    }
    let known: Vec<bool> = fields.iter().map(|field| check_field(item, field, errors)).collect();
    if known.contains(&false) {
        return quote!(::core::option::Option::None);
    }
    let parts = fields.iter().map(|field| reference(field));
    let key = match key {
        Key::Several(fields) if fields.len() > 1 => quote!(&(#(#parts),*)),
        _ => quote!(#(#parts)*),
    };
    quote! {
        ::core::option::Option::Some(#root::StreamName::of::<#stream>(#key))
    }
}

/// `Event::tags`, if there are any.
fn tags_of(
    root: &TokenStream,
    item: &DeriveInput,
    options: &EventOptions,
    errors: &mut Errors,
) -> Option<TokenStream> {
    let pushes: Vec<_> = options
        .tags
        .iter()
        .filter_map(|tag| {
            let member = Member::Named(tag.clone());
            let name = tag.to_string();
            let name = name.trim_start_matches("r#");
            let field = reference(&member);
            check_field(item, &member, errors)
                .then(|| quote! { tags.push(#root::Tag::new(#name, #field)); })
        })
        .collect();
    (!pushes.is_empty()).then(|| {
        quote! {
            fn tags(&self, tags: &mut ::std::vec::Vec<#root::Tag>) {
                #(#pushes)*
            }
        }
    })
}

/// `&self.field`, at the place where the user named the field.
fn reference(field: &Member) -> TokenStream {
    let span = match field {
        Member::Named(name) => name.span(),
        Member::Unnamed(index) => index.span,
    };
    quote_spanned!(located(span)=> &self.#field)
}

/// Reports a field that the event does not have.
fn check_field(item: &DeriveInput, field: &Member, errors: &mut Errors) -> bool {
    let ident = &item.ident;
    let Data::Struct(data) = &item.data else {
        errors.on(
            field,
            format!("`{ident}` has no fields of its own: make each kind of event a struct"),
        );
        return false;
    };
    let members: Vec<String> = data.fields.members().map(|member| text(&member)).collect();
    let wanted = text(field);
    if members.contains(&wanted) {
        return true;
    }
    let names = || members.iter().map(String::as_str);
    let hint = did_you_mean(&wanted, names());
    let hint = match (hint.is_empty(), members.is_empty()) {
        (false, _) => hint,
        (true, true) => "; it has no fields".to_owned(),
        (true, false) => format!("; its fields are {}", listed(names())),
    };
    errors.on(field, format!("`{ident}` has no field `{wanted}`{hint}"));
    false
}

fn text(member: &Member) -> String {
    match member {
        Member::Named(name) => name.to_string(),
        Member::Unnamed(Index { index, .. }) => index.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::messages;

    #[test]
    fn a_stream_event_names_its_stream_and_tags() {
        let written = expand(quote! {
            #[event(name = "order.created", stream = Order, key = (tenant, order_id))]
            #[event(tag = customer_id)]
            struct OrderCreated { tenant: String, order_id: OrderId, customer_id: CustomerId }
        });
        let expected = quote! {
            #[automatically_derived]
            impl ::catga::Message for OrderCreated {
                const NAME: &'static str = "order.created";
                type Format = ::catga::MessagePack;
            }
            #[automatically_derived]
            impl ::catga::Event for OrderCreated {
                const EPHEMERAL: bool = false;
                fn stream(&self) -> ::core::option::Option<::catga::StreamName> {
                    ::core::option::Option::Some(
                        ::catga::StreamName::of::<Order>(&(&self.tenant, &self.order_id))
                    )
                }
                fn tags(&self, tags: &mut ::std::vec::Vec<::catga::Tag>) {
                    tags.push(::catga::Tag::new("customer_id", &self.customer_id));
                }
            }
            #[automatically_derived]
            impl ::catga::StreamEvent for OrderCreated {
                type Stream = Order;
            }
        };
        assert_eq!(written.to_string(), expected.to_string());
    }

    #[test]
    fn an_ephemeral_event_has_no_stream() {
        let written = expand(quote! {
            #[event(name = "order.viewed", ephemeral)]
            enum OrderViewed { ByMail }
        });
        let written = written.to_string();
        assert!(written.contains("const EPHEMERAL : bool = true"));
        assert!(!written.contains("StreamEvent") && !written.contains("compile_error"));
    }

    #[test]
    fn what_contradicts_itself_is_told() {
        let check = |item: TokenStream, expected: &[&str]| {
            let found = messages(&expand(item));
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found}");
            }
        };
        check(
            quote! { #[event(name = "a", ephemeral, stream = Order)] struct A; },
            &["neither `stream` nor `key`"],
        );
        check(quote! { #[event(name = "a", stream = Order)] struct A; }, &["a stream and no key"]);
        check(quote! { #[event(name = "a", key = 0)] struct A(u8); }, &["a key and no stream"]);
        check(quote! { #[event(name = "a")] struct A; }, &["or `ephemeral`"]);
        check(
            quote! {
                #[event(stream = Order, key = (orderid, b), tag = c)]
                struct A { order_id: u8 }
            },
            &[
                "no written name",
                "no field `orderid`; did you mean `order_id`?",
                "no field `b`; its fields are `order_id`",
                "no field `c`",
            ],
        );
        check(
            quote! { #[event(name = "a", stream = Order, key = b)] enum A { B { b: u8 } } },
            &["make each kind of event a struct"],
        );
    }
}
