//! `#[projection]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{LitBool, LitInt, LitStr, Type};

use crate::block;
use crate::errors::Errors;
use crate::fold::{Fold, Step, assertion, steps};
use crate::options::{Options, value, version, written_name};

const FOLD: Fold = Fold { attribute: "projection", has_makers: false };

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let block = match block::parse(FOLD.attribute, item) {
        Ok(block) => block,
        Err(tokens) => return tokens,
    };
    let mut errors = Errors::default();
    let mut name: Option<LitStr> = None;
    let mut number: Option<LitInt> = None;
    let mut takes_checkpoints = true;
    let mut attribute = Options::new(FOLD.attribute, &["name", "version", "checkpoint"]);
    attribute.read(options, &mut errors, |option, input| {
        match option.to_string().as_str() {
            "name" => name = Some(written_name(option, input, "name = \"orders\"")?),
            "version" => number = Some(version(option, input)?),
            _ => {
                let answer: LitBool = value(option, input, "checkpoint = false")?;
                takes_checkpoints = answer.value;
            }
        }
        Ok(())
    });
    if !attribute.has("name") {
        errors.on(
            &block.self_ty,
            "this projection has no written name: write `#[projection(name = \"…\", version = \
             1)]`; it is what checkpoints and status pages know it by",
        );
    }
    let steps = steps(&block, FOLD, &mut errors);
    if !block.generics.params.is_empty() {
        return quote!(#block #errors);
    }

    let root = attribute.root();
    let name = match &name {
        Some(name) => quote!(#name),
        None => quote!(""),
    };
    let number = match &number {
        Some(number) => quote!(#number),
        None => quote!(1),
    };
    let state = &block.self_ty;
    let names = steps
        .iter()
        .map(|Step { event, cfgs, .. }| quote!(#(#cfgs)* <#event as #root::Message>::NAME));
    let arms = steps.iter().map(|step| {
        let Step { method, event, meta, cfgs, .. } = step;
        let meta = meta.as_ref().map(|ty| quote_spanned!(ty.span()=> , &event.meta));
        quote! {
            #(#cfgs)*
            <#event as #root::Message>::NAME => {
                Self::#method(self, &event.decode::<#event>()? #meta)
            }
        }
    });
    let assertion = assertion(&root, &steps);
    let checkpoint = takes_checkpoints.then(|| checkpoint(&root, state));
    quote! {
        #block
        #errors
        #assertion
        impl #root::Projection for #state {
            const NAME: &'static str = #name;
            const VERSION: u32 = #number;
            const EVENTS: &'static [&'static str] = &[#(#names),*];
            fn fold(
                &mut self,
                event: &#root::RecordedEvent,
            ) -> ::core::result::Result<(), #root::FoldError> {
                match &*event.name {
                    #(#arms)*
                    // A projection ignores what it does not name.
                    _ => {}
                }
                ::core::result::Result::Ok(())
            }
            #checkpoint
        }
    }
}

/// How the state is written to a checkpoint and read from it. Both name the state as the user
/// wrote it, where a state without serde's derives is then told, once.
fn checkpoint(root: &TokenStream, state: &Type) -> TokenStream {
    quote! {
        fn save(
            &self,
        ) -> ::core::result::Result<
            ::core::option::Option<::std::vec::Vec<u8>>,
            #root::EncodeError,
        > {
            let bytes = <#state as #root::Checkpointed>::save_as::<#root::MessagePack>(self)?;
            ::core::result::Result::Ok(::core::option::Option::Some(bytes))
        }
        fn restore(
            bytes: &[u8],
        ) -> ::core::result::Result<::core::option::Option<Self>, #root::DecodeError> {
            let state = <#state as #root::Checkpointed>::restore_as::<#root::MessagePack>(bytes)?;
            ::core::result::Result::Ok(::core::option::Option::Some(state))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::messages;

    #[test]
    fn a_projection_lists_and_folds_its_events() {
        let written = expand(
            quote!(name = "orders", version = 2),
            quote! {
                impl Book {
                    fn created(&mut self, event: &OrderCreated, meta: &EventMeta) {}
                    #[cfg(feature = "cancel")]
                    fn cancelled(&mut self, event: &OrderCancelled) {}
                }
            },
        );
        let expected = quote! {
            impl Book {
                fn created(&mut self, event: &OrderCreated, meta: &EventMeta) {}
                #[cfg(feature = "cancel")]
                fn cancelled(&mut self, event: &OrderCancelled) {}
            }
            const _: () = {
                const fn is_recorded<Event: ::catga::StreamEvent>() {}
                is_recorded::<OrderCreated>();
                #[cfg(feature = "cancel")]
                is_recorded::<OrderCancelled>();
            };
            impl ::catga::Projection for Book {
                const NAME: &'static str = "orders";
                const VERSION: u32 = 2;
                const EVENTS: &'static [&'static str] = &[
                    <OrderCreated as ::catga::Message>::NAME,
                    #[cfg(feature = "cancel")]
                    <OrderCancelled as ::catga::Message>::NAME
                ];
                fn fold(
                    &mut self,
                    event: &::catga::RecordedEvent,
                ) -> ::core::result::Result<(), ::catga::FoldError> {
                    match &*event.name {
                        <OrderCreated as ::catga::Message>::NAME => {
                            Self::created(self, &event.decode::<OrderCreated>()?, &event.meta)
                        }
                        #[cfg(feature = "cancel")]
                        <OrderCancelled as ::catga::Message>::NAME => {
                            Self::cancelled(self, &event.decode::<OrderCancelled>()?)
                        }
                        _ => {}
                    }
                    ::core::result::Result::Ok(())
                }
                fn save(
                    &self,
                ) -> ::core::result::Result<
                    ::core::option::Option<::std::vec::Vec<u8>>,
                    ::catga::EncodeError,
                > {
                    let bytes =
                        <Book as ::catga::Checkpointed>::save_as::<::catga::MessagePack>(self)?;
                    ::core::result::Result::Ok(::core::option::Option::Some(bytes))
                }
                fn restore(
                    bytes: &[u8],
                ) -> ::core::result::Result<::core::option::Option<Self>, ::catga::DecodeError>
                {
                    let state =
                        <Book as ::catga::Checkpointed>::restore_as::<::catga::MessagePack>(bytes)?;
                    ::core::result::Result::Ok(::core::option::Option::Some(state))
                }
            }
        };
        assert_eq!(written.to_string(), expected.to_string());
    }

    #[test]
    fn a_projection_that_takes_no_checkpoints_asks_nothing_of_its_type() {
        let block = quote! { impl Book { fn created(&mut self, event: &OrderCreated) {} } };
        let with = expand(quote!(name = "orders", checkpoint = true), block.clone());
        let without = expand(quote!(name = "orders", checkpoint = false), block.clone());
        assert_eq!(with.to_string(), expand(quote!(name = "orders"), block.clone()).to_string());
        assert!(with.to_string().contains("fn save"));
        assert!(!without.to_string().contains("fn save"), "{without}");
        assert!(!without.to_string().contains("fn restore"), "{without}");
        let wrong = expand(quote!(name = "orders", checkpoint = "no"), block);
        assert_eq!(messages(&wrong), ["write `checkpoint = false`"]);
    }

    #[test]
    fn a_projection_starts_from_its_default_so_no_method_makes_it() {
        let written = expand(
            quote!(name = "orders"),
            quote! { impl Book { fn created(event: &OrderCreated) -> Self { Self } } },
        );
        let found = messages(&written);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("take `&mut self` first"), "{found:?}");
    }

    #[test]
    fn it_belongs_on_an_impl_block() {
        let written = expand(quote!(name = "orders"), quote! { struct Book; });
        assert_eq!(
            messages(&written)[0].split(':').next(),
            Some("`#[projection]` belongs on an impl block")
        );
        assert!(written.to_string().starts_with("struct Book ;"));
    }
}
