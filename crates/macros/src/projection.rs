//! `#[projection]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{LitInt, LitStr};

use crate::block;
use crate::errors::Errors;
use crate::fold::{Fold, Step, assertion, steps};
use crate::options::{Options, version, written_name};

const FOLD: Fold = Fold { attribute: "projection", has_makers: false };

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let block = match block::parse(FOLD.attribute, item) {
        Ok(block) => block,
        Err(tokens) => return tokens,
    };
    let mut errors = Errors::default();
    let mut name: Option<LitStr> = None;
    let mut number: Option<LitInt> = None;
    let mut attribute = Options::new(FOLD.attribute, &["name", "version"]);
    attribute.read(options, &mut errors, |option, input| {
        if option == "name" {
            name = Some(written_name(option, input, "name = \"orders\"")?);
        } else {
            number = Some(version(option, input)?);
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
            }
        };
        assert_eq!(written.to_string(), expected.to_string());
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
