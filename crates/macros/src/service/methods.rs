use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{ImplItem, ImplItemFn, ItemImpl, ReceiverKind, Type};

use super::{Block, Handler, Subscriber};
use crate::block::{check_not_generic, same_tokens};
use crate::errors::Errors;

/// Reads every method of the block, and takes the `#[subscriber]` attributes away from it.
pub(super) fn methods(
    block: &Block,
    item: &mut ItemImpl,
    errors: &mut Errors,
) -> (Vec<Handler>, Vec<Subscriber>) {
    let mut handlers: Vec<Handler> = Vec::new();
    let mut subscribers: Vec<Subscriber> = Vec::new();
    for item in &mut item.items {
        let ImplItem::Fn(method) = item else { continue };
        let is_subscriber = |attr: &syn::Attribute| attr.path().is_ident("subscriber");
        match method.attrs.iter().position(is_subscriber) {
            Some(index) => {
                let attribute = method.attrs.remove(index);
                let subscriber = Subscriber::read(block, &attribute, method, errors);
                subscribers.extend(subscriber.filter(|new| is_new_name(&subscribers, new, errors)));
            }
            None => {
                let handler = Handler::read(block, method, errors);
                handlers.extend(handler.filter(|new| is_new_message(&handlers, new, errors)));
            }
        }
    }
    (handlers, subscribers)
}

fn is_new_message(handlers: &[Handler], new: &Handler, errors: &mut Errors) -> bool {
    let same = handlers.iter().find(|other| same_tokens(&other.message, &new.message));
    if let Some(other) = same {
        let message = new.message.to_token_stream();
        errors.on(
            &new.message,
            format!(
                "`{}` and `{}` both handle `{message}`: one message has one handler",
                other.method, new.method
            ),
        );
    }
    same.is_none()
}

fn is_new_name(subscribers: &[Subscriber], new: &Subscriber, errors: &mut Errors) -> bool {
    let same = |other: &&Subscriber| match (&other.name, &new.name) {
        (Some(other), Some(new)) => other.value() == new.value(),
        _ => false,
    };
    let same = subscribers.iter().find(same);
    if let Some(other) = same {
        errors.on(
            &new.name,
            format!(
                "`{}` and `{}` have the same name: each subscriber has a cursor of its own under \
                 its name",
                other.method, new.method
            ),
        );
    }
    same.is_none()
}

/// Reports what neither a handler nor a subscriber may be: generic, blocking, or without `&self`.
pub(super) fn check_method(block: &Block, method: &ImplItemFn, errors: &mut Errors) -> bool {
    let signature = &method.sig;
    let name = &signature.ident;
    let mut fine = check_not_generic(signature, errors);
    match signature.receiver() {
        None => {
            errors.at(
                name.span(),
                format!(
                    "each method of a `#[service]` block is a handler or a subscriber: take \
                     `&self` first, or move `{name}` to an ordinary `impl {}` block",
                    block.name
                ),
            );
            fine = false;
        }
        Some(receiver) if !is_shared(&receiver.kind) => {
            errors.on(receiver, "take `&self`: a service serves many calls at once");
            fine = false;
        }
        Some(_) => {}
    }
    if signature.asyncness.is_none() {
        errors.at(
            signature.fn_token.span(),
            format!(
                "write `async fn {name}`: each method of a `#[service]` block is a handler or a \
                 subscriber; or move it to an ordinary `impl {}` block",
                block.name
            ),
        );
        fine = false;
    }
    fine
}

fn is_shared(receiver: &ReceiverKind) -> bool {
    matches!(receiver, ReceiverKind::Reference(_, _, None))
}

/// True for `&mut T`.
pub(super) fn is_exclusive(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if reference.mutability.is_some())
}
