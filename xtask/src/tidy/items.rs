//! The items of a file: enough of Rust's grammar to tell them apart, and no more.

use std::mem;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// An item: its outer attributes and its own tokens, of which there is at least one.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) attributes: Vec<Group>,
    pub(super) tokens: Vec<TokenTree>,
}

impl Item {
    pub(super) fn first_line(&self) -> usize {
        self.tokens[0].span().start().line
    }

    /// The first line of the item with its attributes and comments.
    pub(super) fn first_attribute_line(&self) -> usize {
        self.attributes.first().map_or(self.first_line(), |group| group.span().start().line)
    }

    pub(super) fn is_public(&self) -> bool {
        is_ident(&self.tokens[0], "pub")
    }

    /// The word that says what it is, after its visibility: `mod`, `use`, `fn`, …
    pub(super) fn keyword(&self) -> String {
        let mut words = self.tokens.iter().filter(|tree| !is_parenthesised(tree));
        let word = if self.is_public() { words.nth(1) } else { words.next() };
        word.map(ToString::to_string).unwrap_or_default()
    }

    /// What is between its closing braces, if it ends with braces.
    pub(super) fn body(&self) -> Option<TokenStream> {
        self.tokens.last().and_then(braced)
    }

    /// Whether braces end it: in `use a::{b}` and in the value of a constant they do not.
    fn ends_with_braces(&self) -> bool {
        match self.keyword().as_str() {
            "use" | "static" | "type" => false,
            "const" => self.tokens.iter().any(|tree| is_ident(tree, "fn")),
            _ => true,
        }
    }

    pub(super) fn is_test_module(&self) -> bool {
        self.keyword() == "mod" && self.attributes.iter().any(is_cfg_test)
    }
}

/// Splits a file, or the body of a module, into its items.
pub(super) fn items(tokens: TokenStream) -> Vec<Item> {
    let (mut items, mut item) = (Vec::new(), Item::default());
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if item.tokens.is_empty() && is_punct(&tree, '#') {
            let inner = trees.next_if(|tree| is_punct(tree, '!')).is_some();
            if let Some(TokenTree::Group(group)) = trees.next()
                && !inner
            {
                item.attributes.push(group);
            }
            continue;
        }
        let (semicolon, braces) = (is_punct(&tree, ';'), braced(&tree).is_some());
        if semicolon && item.tokens.is_empty() {
            continue; // A stray one, after braces.
        }
        item.tokens.push(tree);
        if semicolon || braces && item.ends_with_braces() {
            items.push(mem::take(&mut item));
        }
    }
    items
}

/// Whether an attribute says `cfg(test)`, alone or among other conditions.
pub(super) fn is_cfg_test(attribute: &Group) -> bool {
    let words = words(attribute.stream());
    words.first().is_some_and(|word| word == "cfg")
        && words.iter().any(|word| word == "test")
        && words.iter().all(|word| word != "not")
}

/// All identifiers in some tokens, however deep.
pub(super) fn words(tokens: TokenStream) -> Vec<String> {
    let of_tree = |tree: TokenTree| match tree {
        TokenTree::Ident(ident) => vec![ident.to_string()],
        TokenTree::Group(group) => words(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    };
    tokens.into_iter().flat_map(of_tree).collect()
}

pub(super) fn is_ident(tree: &TokenTree, word: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident == word)
}

pub(super) fn is_punct(tree: &TokenTree, mark: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_parenthesised(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis)
}

fn braced(tree: &TokenTree) -> Option<TokenStream> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group.stream()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(String, usize, usize)> {
        items(text.parse().unwrap())
            .iter()
            .map(|item| {
                let end = item.tokens.last().unwrap().span().end();
                (item.keyword(), item.first_line(), end.line)
            })
            .collect()
    }

    #[test]
    fn items_end_at_a_semicolon_or_at_braces() {
        let text = "//! doc\n#![allow(x)]\npub use a::{b, c};\nconst A: B = B { c: 1 };\n\
                    pub(crate) mod d {\n}\nconst fn f() {};\nstruct E(u8);\nimpl E {}\n";
        let expected = [
            ("use", 3, 3),
            ("const", 4, 4),
            ("mod", 5, 6),
            ("const", 7, 7),
            ("struct", 8, 8),
            ("impl", 9, 9),
        ];
        assert_eq!(split(text), expected.map(|(word, from, to)| (word.to_owned(), from, to)));
    }

    #[test]
    fn words_that_begin_other_items_do_not_keep_one_open() {
        let text = "pub fn a() -> &'static str {}\nstruct B<const N: usize> {}\n\
                    pub(crate) static C: D = D {};\nmod e {}\n";
        let words: Vec<_> = split(text).into_iter().map(|(word, ..)| word).collect();
        assert_eq!(words, ["fn", "struct", "static", "mod"]);
    }

    #[test]
    fn a_test_module_is_known_by_its_attribute() {
        let is_test = |text: &str| items(text.parse().unwrap())[0].is_test_module();
        assert!(is_test("#[cfg(test)]\nmod tests {}"));
        assert!(is_test("#[cfg(all(test, unix))]\n#[allow(x)]\nmod tests {}"));
        assert!(!is_test("#[cfg(not(test))]\nmod real {}"));
        assert!(!is_test("/// test\nmod real {}"));
    }
}
