//! `contract!`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Token, Type, Visibility};

use crate::block::same_tokens;
use crate::errors::Errors;

/// `/// docs` `pub OrdersApi: CreateOrder, GetOrder`
struct Declaration {
    attrs: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    messages: Vec<Type>,
}

impl Parse for Declaration {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let like = "write `contract! { pub OrdersApi: CreateOrder, GetOrder }`";
        let with_hint = |error: syn::Error| syn::Error::new(error.span(), like);
        let name = input.parse().map_err(with_hint)?;
        input.parse::<Token![:]>().map_err(with_hint)?;
        let messages = Punctuated::<Type, Token![,]>::parse_terminated(input)?;
        Ok(Self { attrs, visibility, name, messages: messages.into_iter().collect() })
    }
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let declaration: Declaration = match syn::parse2(input) {
        Ok(declaration) => declaration,
        Err(error) => return error.to_compile_error(),
    };
    let Declaration { attrs, visibility, name, messages } = declaration;
    let mut errors = Errors::default();
    let mut offered: Vec<Type> = Vec::new();
    for message in messages {
        if offered.iter().any(|other| same_tokens(other, &message)) {
            errors.on(message, format!("`{name}` names this message twice"));
        } else {
            offered.push(message);
        }
    }
    let text = name.to_string();
    let list = match offered.is_empty() {
        true => quote!(_list),
        false => quote!(list),
    };
    quote! {
        #errors
        #(#attrs)*
        #[derive(Clone, Copy, Debug)]
        #visibility struct #name;
        impl ::catga::Contract for #name {
            const NAME: &'static str = #text;
            fn messages(#list: &mut ::catga::ContractList) {
                #(list.push::<#offered>();)*
            }
        }
        #(impl ::catga::Offers<#offered> for #name {})*
        impl #name {
            #[doc(hidden)]
            pub const fn is_implemented_by<Service>()
            where
                #(Service: ::catga::Handle<#offered>,)*
            {
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::messages;

    #[test]
    fn a_contract_offers_its_messages() {
        let written = expand(quote! {
            /// What shops may do.
            pub OrdersApi: CreateOrder, api::GetOrder,
        });
        let expected = quote! {
            /// What shops may do.
            #[derive(Clone, Copy, Debug)]
            pub struct OrdersApi;
            impl ::catga::Contract for OrdersApi {
                const NAME: &'static str = "OrdersApi";
                fn messages(list: &mut ::catga::ContractList) {
                    list.push::<CreateOrder>();
                    list.push::<api::GetOrder>();
                }
            }
            impl ::catga::Offers<CreateOrder> for OrdersApi {}
            impl ::catga::Offers<api::GetOrder> for OrdersApi {}
            impl OrdersApi {
                #[doc(hidden)]
                pub const fn is_implemented_by<Service>()
                where
                    Service: ::catga::Handle<CreateOrder>,
                    Service: ::catga::Handle<api::GetOrder>,
                {
                }
            }
        };
        assert_eq!(written.to_string(), expected.to_string());
    }

    #[test]
    fn what_is_not_a_contract_is_told() {
        let found = messages(&expand(quote!(
            pub struct OrdersApi;
        )));
        assert!(found[0].starts_with("write `contract!"), "{found:?}");
        let found = messages(&expand(quote!(A: B, B)));
        assert_eq!(found, ["`A` names this message twice"]);
    }
}
