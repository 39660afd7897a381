//! What every attribute on an impl block asks of it.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, FnArg, GenericParam, ImplItemFn, ItemImpl, ReturnType, Signature, Type};

use crate::errors::Errors;

/// Reads the item under `#[attribute]`.
///
/// # Errors
/// The item as it was, and what is wrong with it.
pub(crate) fn parse(attribute: &str, item: TokenStream) -> Result<ItemImpl, TokenStream> {
    let message = format!("`#[{attribute}]` belongs on an impl block: `impl Name {{ … }}`");
    let block: ItemImpl = match syn::parse2(item.clone()) {
        Ok(block) => block,
        // Something broken in an impl block is told where it is broken.
        Err(error) if is_impl(&item) => {
            let error = error.to_compile_error();
            return Err(quote!(#item #error));
        }
        Err(_) => {
            let error = syn::Error::new(proc_macro2::Span::call_site(), message);
            let error = error.to_compile_error();
            return Err(quote!(#item #error));
        }
    };
    if let Some((of, _)) = &block.trait_ {
        let message = format!("{message}, not of a trait");
        let error = syn::Error::new_spanned(of, message).to_compile_error();
        return Err(quote!(#block #error));
    }
    Ok(block)
}

fn is_impl(item: &TokenStream) -> bool {
    item.clone()
        .into_iter()
        .any(|token| matches!(token, proc_macro2::TokenTree::Ident(word) if word == "impl"))
}

/// The name of the type that the block is for.
pub(crate) fn self_name(block: &ItemImpl, errors: &mut Errors) -> Option<Ident> {
    let segment = match &*block.self_ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    if segment.is_none() {
        errors.on(&block.self_ty, "this needs a type with a name");
    }
    segment.map(|segment| segment.ident.clone())
}

/// The attributes by which a method may be absent; what is written for it is then absent too.
pub(crate) fn cfgs(method: &ImplItemFn) -> Vec<Attribute> {
    let is_cfg = |attr: &&Attribute| attr.path().is_ident("cfg");
    method.attrs.iter().filter(is_cfg).cloned().collect()
}

/// The types of the arguments after `self`.
pub(crate) fn arguments(signature: &Signature) -> Vec<&Type> {
    let arguments = signature.inputs.iter();
    arguments
        .filter_map(|argument| match argument {
            FnArg::Typed(argument) => Some(&*argument.ty),
            FnArg::Receiver(_) => None,
        })
        .collect()
}

/// Reports type parameters of a method; a lifetime is no trouble.
pub(crate) fn check_not_generic(signature: &Signature, errors: &mut Errors) -> bool {
    let has_parameter = |param: &GenericParam| !matches!(param, GenericParam::Lifetime(_));
    let takes_impl = |ty: &Type| matches!(ty, Type::ImplTrait(_));
    let name = &signature.ident;
    if signature.generics.params.iter().any(has_parameter) {
        errors.on(
            &signature.generics,
            format!("`{name}` cannot be generic: its arguments say what it is for"),
        );
        return false;
    }
    match arguments(signature).into_iter().find(|ty| takes_impl(ty)) {
        Some(ty) => {
            errors
                .on(ty, format!("`{name}` cannot be generic: name the type in place of `impl …`"));
            false
        }
        None => true,
    }
}

/// True for `-> ()` and for nothing at all.
pub(crate) fn returns_nothing(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()),
    }
}

/// True if both are written with the same tokens.
pub(crate) fn same_tokens(left: &impl ToTokens, right: &impl ToTokens) -> bool {
    left.to_token_stream().to_string() == right.to_token_stream().to_string()
}
