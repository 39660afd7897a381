//! `#[aggregate]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{LitStr, Type};

use crate::block;
use crate::errors::Errors;
use crate::fold::{Fold, Step, assertion, steps};
use crate::options::{Options, written_name};

const FOLD: Fold = Fold { attribute: "aggregate", has_makers: true };

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let block = match block::parse(FOLD.attribute, item) {
        Ok(block) => block,
        Err(tokens) => return tokens,
    };
    let mut errors = Errors::default();
    let mut name: Option<LitStr> = None;
    let mut attribute = Options::new(FOLD.attribute, &["name"]);
    attribute.read(options, &mut errors, |option, input| {
        name = Some(written_name(option, input, "name = \"order\"")?);
        Ok(())
    });
    if !attribute.has("name") {
        errors.on(
            &block.self_ty,
            "this aggregate has no written name: write `#[aggregate(name = \"…\")]`; its streams \
             are stored under it",
        );
    }
    let steps = steps(&block, FOLD, &mut errors);
    if !block.generics.params.is_empty() {
        return quote!(#block #errors);
    }

    let root = attribute.root();
    let category = match &name {
        Some(name) => quote!(#name),
        None => quote!(""),
    };
    let state = &block.self_ty;
    let has_maker = steps.iter().any(|step| step.makes);
    let folds = steps.iter().map(|step| folds(&root, state, step, has_maker));
    let arms = steps.iter().map(|step| {
        let Step { event, cfgs, .. } = step;
        quote! {
            #(#cfgs)*
            <#event as #root::Message>::NAME => <Self as #root::Folds<#event>>::fold_event(
                state,
                &event.decode::<#event>()?,
                &event.meta,
            ),
        }
    });
    let state_argument = match steps.is_empty() {
        true => quote!(_state),
        false => quote!(state),
    };
    let assertion = assertion(&root, &steps);
    quote! {
        #block
        #errors
        #assertion
        impl #root::Stream for #state {
            const CATEGORY: &'static str = #category;
        }
        #(#folds)*
        impl #root::Aggregate for #state {
            fn fold(
                #state_argument: ::core::option::Option<Self>,
                event: &#root::RecordedEvent,
            ) -> ::core::result::Result<Self, #root::FoldError> {
                match &*event.name {
                    #(#arms)*
                    _ => ::core::result::Result::Err(#root::FoldError::unknown(event)),
                }
            }
        }
    }
}

/// `impl Folds` of one step.
fn folds(root: &TokenStream, state: &Type, step: &Step, has_maker: bool) -> TokenStream {
    let Step { method, event, meta, makes, cfgs } = step;
    let meta_argument = meta.as_ref().map(|ty| quote_spanned!(ty.span()=> , meta));
    let body = if *makes {
        quote! {
            match state {
                ::core::option::Option::None => {
                    ::core::result::Result::Ok(Self::#method(event #meta_argument))
                }
                ::core::option::Option::Some(_) => ::core::result::Result::Err(
                    #root::FoldError::not_again(<#event as #root::Message>::NAME, meta),
                ),
            }
        }
    } else {
        let start = if has_maker {
            quote! {
                let ::core::option::Option::Some(mut state) = state else {
                    return ::core::result::Result::Err(
                        #root::FoldError::not_first(<#event as #root::Message>::NAME, meta),
                    );
                };
            }
        } else {
            // The span makes a missing `Default` point at the aggregate.
            quote_spanned! { state.span()=> let mut state: Self = state.unwrap_or_default(); }
        };
        quote! {
            #start
            Self::#method(&mut state, event #meta_argument);
            ::core::result::Result::Ok(state)
        }
    };
    let meta = match meta.is_some() || *makes || has_maker {
        true => quote!(meta),
        false => quote!(_meta),
    };
    quote! {
        #(#cfgs)*
        impl #root::Folds<#event> for #state {
            fn fold_event(
                state: ::core::option::Option<Self>,
                event: &#event,
                #meta: &#root::EventMeta,
            ) -> ::core::result::Result<Self, #root::FoldError> {
                #body
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::messages;

    #[test]
    fn steps_start_from_the_default() {
        let written = expand(
            quote!(name = "order"),
            quote! {
                impl Order {
                    fn created(&mut self, event: &OrderCreated, meta: &EventMeta) {}
                }
            },
        );
        let expected = quote! {
            impl Order {
                fn created(&mut self, event: &OrderCreated, meta: &EventMeta) {}
            }
            const _: () = {
                const fn is_recorded<Event: ::catga::StreamEvent>() {}
                is_recorded::<OrderCreated>();
            };
            impl ::catga::Stream for Order {
                const CATEGORY: &'static str = "order";
            }
            impl ::catga::Folds<OrderCreated> for Order {
                fn fold_event(
                    state: ::core::option::Option<Self>,
                    event: &OrderCreated,
                    meta: &::catga::EventMeta,
                ) -> ::core::result::Result<Self, ::catga::FoldError> {
                    let mut state: Self = state.unwrap_or_default();
                    Self::created(&mut state, event, meta);
                    ::core::result::Result::Ok(state)
                }
            }
            impl ::catga::Aggregate for Order {
                fn fold(
                    state: ::core::option::Option<Self>,
                    event: &::catga::RecordedEvent,
                ) -> ::core::result::Result<Self, ::catga::FoldError> {
                    match &*event.name {
                        <OrderCreated as ::catga::Message>::NAME => {
                            <Self as ::catga::Folds<OrderCreated>>::fold_event(
                                state,
                                &event.decode::<OrderCreated>()?,
                                &event.meta,
                            )
                        }
                        _ => ::core::result::Result::Err(::catga::FoldError::unknown(event)),
                    }
                }
            }
        };
        let plain = |tokens: TokenStream| tokens.to_string().replace(['{', '}', ' ', ','], "");
        assert_eq!(plain(written), plain(expected));
    }

    #[test]
    fn with_a_maker_other_events_cannot_come_first() {
        let written = expand(
            quote!(name = "order"),
            quote! {
                impl Order {
                    fn created(event: &OrderCreated) -> Self { Self }
                    fn cancelled(&mut self, event: &OrderCancelled) {}
                }
            },
        );
        let written = written.to_string();
        assert!(written.contains("FoldError :: not_again (< OrderCreated"));
        assert!(written.contains("FoldError :: not_first (< OrderCancelled"));
        assert!(!written.contains("unwrap_or_default") && !written.contains("compile_error"));
    }

    #[test]
    fn every_mistake_is_reported_and_the_block_kept() {
        let written = expand(
            quote!(),
            quote! {
                impl Order {
                    fn total(&self) -> u32 { 0 }
                    fn created(&mut self, event: OrderCreated) {}
                    async fn paid(&mut self, event: &OrderPaid) {}
                    fn sent(&self, event: &OrderSent) {}
                    fn lost(&mut self, event: &OrderLost) -> Result<(), ()> { Ok(()) }
                    fn made(event: &OrderMade) {}
                    fn open(&mut self, event: &OrderOpened, meta: EventMeta) {}
                    fn any<E>(&mut self, event: &E) {}
                    fn closed(&mut self, event: &OrderClosed) {}
                    fn shut(&mut self, event: &OrderClosed) {}
                }
            },
        );
        let found = messages(&written);
        let expected = [
            "no written name",
            "move `total` to an ordinary `impl Order` block",
            "take `event: &SomeEvent`",
            "leave out `async`",
            "take `&mut self`",
            "a fold cannot refuse it",
            "return `Self`, or take `&mut self`",
            "`meta: &EventMeta`",
            "cannot be generic",
            "`closed` and `shut` both fold this event",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
        assert!(written.to_string().starts_with("impl Order"));
    }
}
