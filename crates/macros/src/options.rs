//! The options of an attribute: `name = "order.create", reply = Order`.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, LitInt, LitStr, Meta, Path, Token, parenthesized, token};

use crate::errors::Errors;
use crate::names::{did_you_mean, listed};

/// Which options an attribute has, and what was read of them.
pub(crate) struct Options {
    /// The attribute's own name, for errors.
    attribute: &'static str,
    known: &'static [&'static str],
    /// What of `known` may come more than once.
    repeatable: &'static [&'static str],
    seen: Vec<String>,
    root: Option<Path>,
}

impl Options {
    pub(crate) fn new(attribute: &'static str, known: &'static [&'static str]) -> Self {
        Self { attribute, known, repeatable: &[], seen: Vec::new(), root: None }
    }

    pub(crate) fn repeatable(mut self, repeatable: &'static [&'static str]) -> Self {
        self.repeatable = repeatable;
        self
    }

    /// The attribute's own name.
    pub(crate) fn attribute(&self) -> &'static str {
        self.attribute
    }

    /// The crate that every generated path begins with: `::catga` unless `crate = "…"` says other.
    pub(crate) fn root(&self) -> TokenStream {
        match &self.root {
            Some(path) => quote!(#path),
            None => quote!(::catga),
        }
    }

    /// True if the attribute names the option at all, even with a value that was wrong.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.seen.iter().any(|seen| seen == option)
    }

    /// Reads the attribute of a derive, wherever it stands among `attrs`.
    pub(crate) fn read_attributes(
        &mut self,
        attrs: &[Attribute],
        errors: &mut Errors,
        mut option: impl FnMut(&Ident, ParseStream) -> syn::Result<()>,
    ) {
        for attr in attrs {
            if !attr.path().is_ident(self.attribute) {
                continue;
            }
            match &attr.meta {
                Meta::List(list) => self.read(list.tokens.clone(), errors, &mut option),
                meta => errors.on(meta, format!("write `#[{}(…)]`", self.attribute)),
            }
        }
    }

    /// Hands each option of `tokens` to `option`, which reads its value.
    ///
    /// A mistake in one option does not hide those in the others.
    pub(crate) fn read(
        &mut self,
        tokens: TokenStream,
        errors: &mut Errors,
        mut option: impl FnMut(&Ident, ParseStream) -> syn::Result<()>,
    ) {
        let parser = |input: ParseStream| {
            while !input.is_empty() {
                if let Err(error) = self.read_one(input, &mut option) {
                    errors.push(error);
                    skip_to_comma(input)?;
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
    }

    fn read_one(
        &mut self,
        input: ParseStream,
        option: &mut impl FnMut(&Ident, ParseStream) -> syn::Result<()>,
    ) -> syn::Result<()> {
        let name = input.call(Ident::parse_any)?;
        let text = name.to_string();
        if text == "crate" {
            let path: LitStr = value(&name, input, "crate = \"path::to::catga\"")?;
            self.root = Some(path.parse()?);
        } else if !self.known.contains(&text.as_str()) {
            return Err(syn::Error::new(name.span(), self.unknown(&text)));
        } else {
            if self.seen.contains(&text) && !self.repeatable.contains(&text.as_str()) {
                return Err(syn::Error::new(name.span(), format!("`{text}` is given twice")));
            }
            self.seen.push(text);
            option(&name, input)?;
        }
        if input.is_empty() || input.peek(Token![,]) {
            Ok(())
        } else {
            Err(input.error(format!("expected `,` after the value of `{name}`")))
        }
    }

    fn unknown(&self, name: &str) -> String {
        let mut hint = did_you_mean(name, self.known.iter().copied());
        if hint.is_empty() {
            hint = format!("; its options are {}", listed(self.known.iter().copied()));
        }
        format!("`#[{}]` has no option `{name}`{hint}", self.attribute)
    }
}

fn skip_to_comma(input: ParseStream) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// Reads `(one, two)`; `like` is the whole option as it should be written.
pub(crate) fn list<T: Parse>(name: &Ident, input: ParseStream, like: &str) -> syn::Result<Vec<T>> {
    if !input.peek(token::Paren) {
        return Err(syn::Error::new(name.span(), format!("write `{like}`")));
    }
    let items;
    parenthesized!(items in input);
    let items = Punctuated::<T, Token![,]>::parse_terminated(&items)?;
    Ok(items.into_iter().collect())
}

/// Reads `= value`; `like` is the whole option as it should be written.
pub(crate) fn value<T: Parse>(name: &Ident, input: ParseStream, like: &str) -> syn::Result<T> {
    let wrong = |span| syn::Error::new(span, format!("write `{like}`"));
    if !input.peek(Token![=]) {
        return Err(wrong(name.span()));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(wrong(name.span()));
    }
    let span = input.span();
    input.parse().map_err(|_| wrong(span))
}

/// Reads `= "text"`, a name that is stored or sent.
pub(crate) fn written_name(name: &Ident, input: ParseStream, like: &str) -> syn::Result<LitStr> {
    let text: LitStr = value(name, input, like)?;
    let value = text.value();
    if value.is_empty() || value.contains(char::is_whitespace) {
        let message = format!("a written name has at least one letter and no blanks: `{like}`");
        return Err(syn::Error::new(text.span(), message));
    }
    Ok(text)
}

/// Reads `= 1`, a version.
pub(crate) fn version(name: &Ident, input: ParseStream) -> syn::Result<LitInt> {
    let number: LitInt = value(name, input, "version = 1")?;
    match number.base10_parse::<u32>() {
        Ok(1..) => Ok(number),
        _ => {
            Err(syn::Error::new(number.span(), "versions are whole numbers from 1: `version = 1`"))
        }
    }
}

/// Reads `= Word`, one of `words`.
pub(crate) fn word(name: &Ident, input: ParseStream, words: &[&str]) -> syn::Result<Ident> {
    let like = format!("{name} = {}", words.join("` or `"));
    let word: Ident = value(name, input, &like)?;
    let text = word.to_string();
    if words.contains(&text.as_str()) {
        return Ok(word);
    }
    let hint = did_you_mean(&text, words.iter().copied());
    let message = format!("`{text}` is not one of {}{hint}", listed(words.iter().copied()));
    Err(syn::Error::new(word.span(), message))
}
