use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Everything that is wrong with one item, reported at once.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds a mistake in `tokens`.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds a mistake at `span`.
    pub(crate) fn at(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }
}

impl ToTokens for Errors {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(errors) = &self.0 {
            errors.to_compile_error().to_tokens(tokens);
        }
    }
}

/// What the compiler was told, for tests.
#[cfg(test)]
pub(crate) fn messages(expansion: &TokenStream) -> Vec<String> {
    let text = expansion.to_string();
    let mut rest = text.as_str();
    let mut messages = Vec::new();
    while let Some((_, after)) = rest.split_once("compile_error ! {") {
        let (message, after) = after.split_once('}').expect("a closing brace");
        messages.push(message.trim().trim_matches('"').replace("\\\"", "\""));
        rest = after;
    }
    messages
}
