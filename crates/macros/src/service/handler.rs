use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, GenericArgument, ImplItemFn, PathArguments, ReturnType, Type};

use super::Block;
use super::methods::{check_method, is_exclusive};
use crate::block::{arguments, cfgs};
use crate::errors::Errors;
use crate::spans::relocated;

/// A method that handles one message.
pub(super) struct Handler {
    pub(super) method: Ident,
    pub(super) message: Type,
    /// The type of the second argument, if there is one.
    tx: Option<Type>,
    /// What the method returns, as it is written.
    answer: Type,
    cfgs: Vec<Attribute>,
}

impl Handler {
    pub(super) fn read(block: &Block, method: &ImplItemFn, errors: &mut Errors) -> Option<Self> {
        let signature = &method.sig;
        let name = &signature.ident;
        let mut fine = check_method(block, method, errors);
        let arguments = arguments(signature);
        let message = arguments.first();
        match message {
            None if fine => errors.at(
                name.span(),
                format!(
                    "`{name}` names no message to handle: take it by value, such as `message: \
                     CreateOrder`; or move it to an ordinary `impl {}` block",
                    block.name
                ),
            ),
            Some(Type::Reference(reference)) => {
                let by_value = reference.elem.to_token_stream();
                errors.on(
                    reference,
                    format!(
                        "a handler takes its message by value: `{by_value}`; a method that gets \
                         events takes `#[subscriber(name = \"…\", …)]`"
                    ),
                );
                fine = false;
            }
            _ => {}
        }
        for extra in arguments.iter().skip(1).filter(|ty| !is_exclusive(ty)) {
            errors.on(
                extra,
                "besides its message a handler takes `tx: &mut Tx` or nothing; what else it needs \
                 belongs in the service",
            );
            fine = false;
        }
        if let [_, _, third, ..] = arguments.as_slice()
            && is_exclusive(third)
        {
            errors.on(third, "besides its message a handler takes one `tx: &mut Tx`");
            fine = false;
        }
        let answer = match &signature.output {
            ReturnType::Type(_, answer) => {
                fine &= check_answer(answer, errors);
                Some(answer)
            }
            ReturnType::Default => {
                if fine && message.is_some() {
                    errors.at(
                        name.span(),
                        format!(
                            "`{name}` answers nothing: return `Answer<Reply, Error>` with what its \
                             message declares; without `reply` that is `()`, without `error` \
                             `NoError`"
                        ),
                    );
                }
                None
            }
        };
        fine.then_some(Self {
            method: name.clone(),
            message: (*message?).clone(),
            tx: arguments.get(1).map(|ty| (*ty).clone()),
            answer: (**answer?).clone(),
            cfgs: cfgs(method),
        })
    }

    /// `impl Handle` and `impl Offers`.
    pub(super) fn implementation(&self, block: &Block) -> TokenStream {
        let Self { method, message, tx, answer, cfgs } = self;
        let Block { root, service, generics, .. } = block;
        let (impl_generics, _, where_clause) = generics.split_for_impl();
        // The spans make the compiler point at the argument that decides the scope, and at the
        // method's signature when its future is not `Send` or is not the message's answer.
        let (scope, argument, pass) = match tx {
            Some(tx) => (
                relocated(quote!(#root::Durable), tx),
                quote!(tx: &'a mut #root::Tx),
                relocated(quote!(, tx), tx),
            ),
            None => (relocated(quote!(#root::Plain), method), quote!((): ()), quote!()),
        };
        let future_of = relocated(quote!(impl ::core::future::Future), method);
        let sendable = relocated(quote!(+ ::core::marker::Send + 'a), answer);
        let future = quote!(#future_of<Output = #answer> #sendable);
        // Whatever is wrong with the message is told once if it is always told at one place.
        let handle = relocated(quote!(#root::Handle), message);
        let offers = relocated(quote!(#root::Offers), message);
        let open = relocated(quote!(<), message);
        let close = relocated(quote!(>), message);
        quote! {
            #(#cfgs)*
            impl #impl_generics #handle #open #message #close for #service #where_clause {
                type Scope = #scope;
                fn handle<'a>(&'a self, message: #message, #argument) -> #future {
                    Self::#method(self, message #pass)
                }
            }
            #(#cfgs)*
            impl #impl_generics #offers #open #message #close for #service #where_clause {}
        }
    }

    /// The line of `Contract::messages` for this handler.
    pub(super) fn message_of_contract(&self) -> TokenStream {
        let Self { message, cfgs, .. } = self;
        let push = relocated(quote!(list.push), message);
        quote!(#(#cfgs)* #push::<#message>();)
    }

    /// The line of `Service::register` for this handler.
    pub(super) fn registration(&self) -> TokenStream {
        let Self { message, cfgs, .. } = self;
        let handler = relocated(quote!(registrar.handler), message);
        quote!(#(#cfgs)* #handler::<#message>();)
    }
}

/// Reports `Result<Reply, Error>`, which has no room for a fault.
fn check_answer(answer: &Type, errors: &mut Errors) -> bool {
    let last = |ty: &Type| match ty {
        Type::Path(path) => path.path.segments.last().cloned(),
        _ => None,
    };
    let Some(result) = last(answer).filter(|last| last.ident == "Result") else {
        return true;
    };
    let PathArguments::AngleBracketed(arguments) = &result.arguments else {
        return true;
    };
    let arguments: Vec<_> = arguments.args.iter().collect();
    let [GenericArgument::Type(reply), GenericArgument::Type(error)] = arguments.as_slice() else {
        return true;
    };
    if last(error).is_some_and(|last| last.ident == "Failure") {
        return true;
    }
    let (reply, error) = (reply.to_token_stream(), error.to_token_stream());
    errors.on(
        answer,
        format!(
            "return `Answer<{reply}, {error}>`: besides a refusal it has room for a fault, such as \
             that of a stream that cannot be read"
        ),
    );
    false
}
