//! `#[derive(DomainError)]`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Data, DeriveInput, LitStr};

use crate::errors::Errors;
use crate::names::kebab_case;
use crate::options::{Options, word, written_name};

const KINDS: &[&str] = &["Conflict", "NotFound", "Invalid", "Forbidden", "Unavailable"];

/// What one variant, or the struct, says of itself.
struct Refusal {
    pattern: TokenStream,
    code: String,
    kind: Option<Ident>,
    is_transient: bool,
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(input) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let mut attribute = Options::new("domain_error", &[]);
    attribute.read_attributes(&item.attrs, &mut errors, |_, _| Ok(()));
    let root = attribute.root();
    let refusals = refusals(&item, &mut errors);

    let ident = &item.ident;
    let (impl_generics, type_generics, where_clause) = item.generics.split_for_impl();
    let codes = matched(&refusals, |refusal| {
        let code = &refusal.code;
        quote!(#code)
    });
    let kinds = refusals.iter().any(|refusal| refusal.kind.is_some()).then(|| {
        let kinds = matched(&refusals, |refusal| match &refusal.kind {
            Some(kind) => quote!(#root::RefusalKind::#kind),
            None => quote!(#root::RefusalKind::Conflict),
        });
        quote! { fn kind(&self) -> #root::RefusalKind { #kinds } }
    });
    let transient = refusals.iter().any(|refusal| refusal.is_transient).then(|| {
        let transient = matched(&refusals, |refusal| {
            let is_transient = refusal.is_transient;
            quote!(#is_transient)
        });
        quote! { fn is_transient(&self) -> bool { #transient } }
    });
    quote! {
        #errors
        #[automatically_derived]
        impl #impl_generics #root::DomainError for #ident #type_generics #where_clause {
            fn code(&self) -> &'static str { #codes }
            #kinds
            #transient
        }
    }
}

fn refusals(item: &DeriveInput, errors: &mut Errors) -> Vec<Refusal> {
    match &item.data {
        Data::Enum(data) => {
            for attr in item.attrs.iter().filter(|attr| is_refusal(attr)) {
                errors.on(attr, "`#[refusal(…)]` belongs on each variant");
            }
            data.variants
                .iter()
                .map(|variant| {
                    let name = &variant.ident;
                    refusal(quote!(Self::#name { .. }), name, &variant.attrs, errors)
                })
                .collect()
        }
        Data::Struct(_) => vec![refusal(quote!(_), &item.ident, &item.attrs, errors)],
        Data::Union(_) => {
            errors.at(item.ident.span(), "a domain error is an enum or a struct");
            Vec::new()
        }
    }
}

fn is_refusal(attr: &Attribute) -> bool {
    attr.path().is_ident("refusal")
}

fn refusal(
    pattern: TokenStream,
    name: &Ident,
    attrs: &[Attribute],
    errors: &mut Errors,
) -> Refusal {
    let mut code: Option<LitStr> = None;
    let mut kind = None;
    let mut is_transient = false;
    let mut attribute = Options::new("refusal", &["code", "kind", "transient"]);
    attribute.read_attributes(attrs, errors, |option, input| {
        match option.to_string().as_str() {
            "code" => code = Some(written_name(option, input, "code = \"order.not-found\"")?),
            "kind" => kind = Some(word(option, input, KINDS)?),
            _ => is_transient = true,
        }
        Ok(())
    });
    Refusal {
        pattern,
        code: match code {
            Some(code) => code.value(),
            None => kebab_case(&name.to_string()),
        },
        kind,
        is_transient,
    }
}

/// `match self { … }`, or what a type without values needs in its place.
fn matched(refusals: &[Refusal], value: impl Fn(&Refusal) -> TokenStream) -> TokenStream {
    if refusals.is_empty() {
        return quote!(match *self {});
    }
    let patterns = refusals.iter().map(|refusal| &refusal.pattern);
    let values = refusals.iter().map(value);
    quote! { match self { #(#patterns => #values,)* } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::messages;

    #[test]
    fn each_variant_has_a_code_a_kind_and_may_be_transient() {
        let written = expand(quote! {
            enum OrderError {
                #[refusal(code = "order.not-found", kind = NotFound)]
                NotFound,
                OutOfStock { left: u32 },
                #[refusal(transient)]
                BankAway(String),
            }
        });
        let expected = quote! {
            #[automatically_derived]
            impl ::catga::DomainError for OrderError {
                fn code(&self) -> &'static str {
                    match self {
                        Self::NotFound { .. } => "order.not-found",
                        Self::OutOfStock { .. } => "out-of-stock",
                        Self::BankAway { .. } => "bank-away",
                    }
                }
                fn kind(&self) -> ::catga::RefusalKind {
                    match self {
                        Self::NotFound { .. } => ::catga::RefusalKind::NotFound,
                        Self::OutOfStock { .. } => ::catga::RefusalKind::Conflict,
                        Self::BankAway { .. } => ::catga::RefusalKind::Conflict,
                    }
                }
                fn is_transient(&self) -> bool {
                    match self {
                        Self::NotFound { .. } => false,
                        Self::OutOfStock { .. } => false,
                        Self::BankAway { .. } => true,
                    }
                }
            }
        };
        assert_eq!(written.to_string(), expected.to_string());
    }

    #[test]
    fn a_struct_and_an_enum_without_variants_work() {
        let written = expand(quote! { #[refusal(kind = Invalid)] struct TooMany(u32); });
        let written = written.to_string();
        assert!(written.contains("_ => \"too-many\"") && written.contains("Invalid"));
        let written = expand(quote! { enum Never {} }).to_string();
        assert!(written.contains("match * self { }"));
    }

    #[test]
    fn mistakes_are_reported_at_once() {
        let written = expand(quote! {
            #[refusal(transient)]
            enum OrderError {
                #[refusal(kind = Notfound, codes = "a")]
                A,
                #[refusal(code = "a b")]
                B,
            }
        });
        let found = messages(&written);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[1].ends_with("did you mean `NotFound`?"), "{found:?}");
        assert!(found[2].ends_with("did you mean `code`?"), "{found:?}");
    }
}
