//! The event methods of `#[aggregate]` and `#[projection]` blocks.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, ReceiverKind, ReturnType, Type};

use crate::block::{arguments, cfgs, check_not_generic, returns_nothing, same_tokens};
use crate::errors::Errors;

/// One method that folds one type of event.
pub(crate) struct Step {
    pub(crate) method: Ident,
    pub(crate) event: Type,
    /// The type of the second argument, if there is one.
    pub(crate) meta: Option<Type>,
    /// True for a method without `self`, which makes the state.
    pub(crate) makes: bool,
    pub(crate) cfgs: Vec<Attribute>,
}

/// What kind of block the methods stand in.
#[derive(Clone, Copy)]
pub(crate) struct Fold {
    pub(crate) attribute: &'static str,
    /// True if a method without `self` may make the state.
    pub(crate) has_makers: bool,
}

/// The steps of `block`; whatever else is in it is reported.
pub(crate) fn steps(block: &ItemImpl, fold: Fold, errors: &mut Errors) -> Vec<Step> {
    if !block.generics.params.is_empty() {
        errors.on(
            &block.generics,
            format!("`#[{}]` cannot be generic: its name stands for one type", fold.attribute),
        );
    }
    let mut steps: Vec<Step> = Vec::new();
    for item in &block.items {
        let ImplItem::Fn(method) = item else { continue };
        let Some(step) = step(block, method, fold, errors) else {
            continue;
        };
        let same = |other: &&Step| same_tokens(&other.event, &step.event);
        if let Some(other) = steps.iter().find(same) {
            let (first, second) = (&other.method, &step.method);
            errors.on(
                &step.event,
                format!("`{first}` and `{second}` both fold this event: keep one of them"),
            );
            continue;
        }
        steps.push(step);
    }
    steps
}

/// A fold sees only what is recorded, so an ephemeral event is told here.
pub(crate) fn assertion(root: &TokenStream, steps: &[Step]) -> Option<TokenStream> {
    let asserted =
        steps.iter().map(|Step { event, cfgs, .. }| quote!(#(#cfgs)* is_recorded::<#event>();));
    (!steps.is_empty()).then(|| {
        quote! {
            const _: () = {
                const fn is_recorded<Event: #root::StreamEvent>() {}
                #(#asserted)*
            };
        }
    })
}

fn step(block: &ItemImpl, method: &ImplItemFn, fold: Fold, errors: &mut Errors) -> Option<Step> {
    let signature = &method.sig;
    let name = &signature.ident;
    let arguments = arguments(signature);
    let (event, meta) = match arguments.as_slice() {
        [Type::Reference(event)] if event.mutability.is_none() => (&event.elem, None),
        [Type::Reference(event), meta] if event.mutability.is_none() => (&event.elem, Some(*meta)),
        _ => {
            errors.at(name.span(), not_a_step(block, name, fold));
            return None;
        }
    };
    let mut fine = check_not_generic(signature, errors);
    if let Some(asyncness) = &signature.asyncness {
        errors.on(
            asyncness,
            format!(
                "a fold depends on nothing but its events, so `{name}` cannot wait: leave out \
                 `async`"
            ),
        );
        fine = false;
    }
    if let Some(meta) = meta.filter(|meta| !matches!(meta, Type::Reference(_))) {
        errors.on(meta, "the second argument of a fold is `meta: &EventMeta`");
        fine = false;
    }
    let makes = signature.receiver().is_none();
    fine &= check_receiver(method, fold, errors);
    fine = fine && check_output(block, method, makes, errors);
    fine.then(|| Step {
        method: name.clone(),
        event: (**event).clone(),
        meta: meta.cloned(),
        makes,
        cfgs: cfgs(method),
    })
}

fn not_a_step(block: &ItemImpl, name: &Ident, fold: Fold) -> String {
    let of = quote::ToTokens::to_token_stream(&block.self_ty);
    format!(
        "each method of an `#[{}]` block folds one event: take `event: &SomeEvent` and, if you \
         like, `meta: &EventMeta`; or move `{name}` to an ordinary `impl {of}` block",
        fold.attribute
    )
}

fn check_receiver(method: &ImplItemFn, fold: Fold, errors: &mut Errors) -> bool {
    let name = &method.sig.ident;
    match method.sig.receiver() {
        None if fold.has_makers => true,
        None => {
            errors.at(
                name.span(),
                format!("`{name}` needs the state that it changes: take `&mut self` first"),
            );
            false
        }
        Some(receiver) => {
            let fine = matches!(receiver.kind, ReceiverKind::Reference(_, _, Some(_)));
            if !fine {
                errors
                    .on(receiver, format!("`{name}` changes the state in place: take `&mut self`"));
            }
            fine
        }
    }
}

fn check_output(block: &ItemImpl, method: &ImplItemFn, makes: bool, errors: &mut Errors) -> bool {
    let name = &method.sig.ident;
    let output = &method.sig.output;
    if !makes {
        let fine = returns_nothing(output);
        if !fine {
            errors.on(
                output,
                format!(
                    "`{name}` returns nothing: the event has happened, and a fold cannot refuse it"
                ),
            );
        }
        return fine;
    }
    let fine = match output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => {
            same_tokens(ty, &quote!(Self)) || same_tokens(ty, &block.self_ty)
        }
    };
    if !fine {
        let span = match output {
            ReturnType::Default => name.span(),
            ReturnType::Type(_, ty) => ty.span(),
        };
        errors.at(
            span,
            format!(
                "`{name}` has no `self`, so it makes the state from the first event: return \
                 `Self`, or take `&mut self`"
            ),
        );
    }
    fine
}
