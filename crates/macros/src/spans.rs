//! Where the compiler points when generated code is wrong because of what the user wrote.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// The place of `span` for names that are ours.
pub(crate) fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// `tokens`, all of them ours, as if they stood where `place` stands.
///
/// The compiler joins the places of the first token and of the last one, which a macro cannot.
pub(crate) fn relocated(tokens: TokenStream, place: impl ToTokens) -> TokenStream {
    let mut places = place.into_token_stream().into_iter();
    let first = places.next().map_or_else(Span::call_site, |token| token.span());
    let last = places.last().map_or(first, |token| token.span());
    between(tokens, first, last)
}

/// The first of `tokens` at `first`, and the others at `last`.
fn between(tokens: TokenStream, first: Span, last: Span) -> TokenStream {
    let spans = std::iter::once(first).chain(std::iter::repeat(last));
    let move_to = |(token, span)| match token {
        TokenTree::Group(group) => {
            let mut moved = Group::new(group.delimiter(), between(group.stream(), span, span));
            moved.set_span(located(span));
            TokenTree::Group(moved)
        }
        mut token => {
            token.set_span(located(span));
            token
        }
    };
    tokens.into_iter().zip(spans).map(move_to).collect()
}
