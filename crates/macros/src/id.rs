//! `#[derive(Id)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, Fields};

use crate::errors::Errors;
use crate::options::Options;

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(input) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let mut attribute = Options::new("id", &[]);
    attribute.read_attributes(&item.attrs, &mut errors, |_, _| Ok(()));
    let root = attribute.root();
    let ident = &item.ident;
    let inner = match &item.data {
        Data::Struct(data) if item.generics.params.is_empty() => match &data.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => &fields.unnamed[0].ty,
            _ => return not_a_newtype(&item),
        },
        _ => return not_a_newtype(&item),
    };
    let from_text = is_string(inner).then(|| {
        quote! {
            #[automatically_derived]
            impl ::core::convert::From<&str> for #ident {
                fn from(text: &str) -> Self {
                    Self(::std::string::String::from(text))
                }
            }
        }
    });
    quote! {
        #errors
        #[automatically_derived]
        impl ::core::convert::From<#inner> for #ident {
            fn from(inner: #inner) -> Self {
                Self(inner)
            }
        }
        #from_text
        #[automatically_derived]
        impl ::core::fmt::Display for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(&self.0, f)
            }
        }
        #[automatically_derived]
        impl ::core::str::FromStr for #ident {
            type Err = <#inner as ::core::str::FromStr>::Err;
            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                ::core::str::FromStr::from_str(text).map(Self)
            }
        }
        #[automatically_derived]
        impl #root::StreamKey for #ident {
            fn parts(&self, part: &mut dyn ::core::ops::FnMut(&str)) {
                #root::StreamKey::parts(&self.0, part);
            }
        }
    }
}

fn not_a_newtype(item: &DeriveInput) -> TokenStream {
    let ident = &item.ident;
    let message = format!("an id is a newtype of one value: `struct {ident}(Uuid);`");
    syn::Error::new(ident.span(), message).to_compile_error()
}

fn is_string(ty: &syn::Type) -> bool {
    let text = ty.to_token_stream().to_string().replace(' ', "");
    matches!(
        text.trim_start_matches("::"),
        "String" | "std::string::String" | "alloc::string::String"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::messages;

    #[test]
    fn an_id_converts_from_its_inner_value_and_is_a_key() {
        let written = expand(quote! { struct OrderId(Uuid); });
        let expected = quote! {
            #[automatically_derived]
            impl ::core::convert::From<Uuid> for OrderId {
                fn from(inner: Uuid) -> Self {
                    Self(inner)
                }
            }
            #[automatically_derived]
            impl ::core::fmt::Display for OrderId {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Display::fmt(&self.0, f)
                }
            }
            #[automatically_derived]
            impl ::core::str::FromStr for OrderId {
                type Err = <Uuid as ::core::str::FromStr>::Err;
                fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                    ::core::str::FromStr::from_str(text).map(Self)
                }
            }
            #[automatically_derived]
            impl ::catga::StreamKey for OrderId {
                fn parts(&self, part: &mut dyn ::core::ops::FnMut(&str)) {
                    ::catga::StreamKey::parts(&self.0, part);
                }
            }
        };
        assert_eq!(written.to_string(), expected.to_string());
    }

    #[test]
    fn an_id_of_text_is_made_from_a_literal_too() {
        let written = expand(quote! { struct Name(std::string::String); }).to_string();
        assert!(written.contains("From < & str > for Name"));
    }

    #[test]
    fn only_a_newtype_is_an_id() {
        for item in [
            quote! { struct A { id: Uuid } },
            quote! { struct A(Uuid, Uuid); },
            quote! { enum A { B } },
            quote! { struct A<T>(T); },
        ] {
            let found = messages(&expand(item));
            assert_eq!(found, ["an id is a newtype of one value: `struct A(Uuid);`"]);
        }
    }
}
