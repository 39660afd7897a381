//! What commands, queries and events share: the name, the version and the format.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::ParseStream;
use syn::{DeriveInput, LitInt, LitStr, Path, Type};

use crate::errors::Errors;
use crate::names::kebab_case;
use crate::options::{Options, value, version, written_name};

/// The options that every message has.
#[derive(Default)]
pub(crate) struct MessageOptions {
    name: Option<LitStr>,
    version: Option<LitInt>,
    format: Option<Type>,
    check: Option<Path>,
}

impl MessageOptions {
    /// Reads an option that every message has; false if it is not one of them.
    pub(crate) fn read(&mut self, name: &Ident, input: ParseStream) -> syn::Result<bool> {
        match name.to_string().as_str() {
            "name" => self.name = Some(written_name(name, input, "name = \"order.create\"")?),
            "version" => self.version = Some(version(name, input)?),
            "format" => self.format = Some(value(name, input, "format = Json")?),
            "check" => self.check = Some(value(name, input, "check = check_order")?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Reports what no message can do without.
    pub(crate) fn check(&self, options: &Options, item: &DeriveInput, errors: &mut Errors) {
        let ident = &item.ident;
        let attribute = options.attribute();
        if !options.has("name") {
            let example = kebab_case(&ident.to_string());
            errors.at(
                ident.span(),
                format!(
                    "`{ident}` has no written name: add `#[{attribute}(name = \"{example}\")]`; it \
                     is what is stored and sent, so that the type can be renamed"
                ),
            );
        }
        if !item.generics.params.is_empty() {
            errors.on(
                &item.generics,
                format!("`{ident}` cannot be generic: its written name stands for one type"),
            );
        }
    }

    /// `impl Message`. A missing name is reported already, so any will do.
    pub(crate) fn implementation(&self, root: &TokenStream, ident: &Ident) -> TokenStream {
        let name = match &self.name {
            Some(name) => quote!(#name),
            None => quote!(""),
        };
        let version = self.version.as_ref().map(|version| {
            quote! { const VERSION: u32 = #version; }
        });
        let format = match &self.format {
            Some(format) => quote!(#format),
            None => quote!(#root::MessagePack),
        };
        // A function, since an impl block of the user's cannot add to this one.
        let check = self.check.as_ref().map(|check| {
            quote! {
                fn check(&self, faults: &mut #root::FieldFaults) {
                    #check(self, faults);
                }
            }
        });
        quote! {
            #[automatically_derived]
            impl #root::Message for #ident {
                const NAME: &'static str = #name;
                #version
                type Format = #format;
                #check
            }
        }
    }
}
