//! `lib.rs`: a table of contents, and nothing else.

use proc_macro2::{Group, TokenTree};

use super::{
    files::Rust,
    finding::Finding,
    items::{Item, is_punct, items, words},
};

/// More modules and exports than this, and the reader wants chapters.
const LONG: usize = 80;

/// Findings for each `lib.rs` that holds more than documentation, modules and re-exports.
pub(super) fn check(rust: &[Rust<'_>]) -> Vec<Finding> {
    rust.iter().filter(|rust| rust.file.path.ends_with("src/lib.rs")).flat_map(of).collect()
}

fn of(rust: &Rust<'_>) -> Vec<Finding> {
    let path = &rust.file.path;
    let items = items(rust.tokens.clone());
    // The functions of a procedural macro must be here, and need their imports.
    let macros = items.iter().any(is_procedural_macro);
    let faults = items.iter().filter_map(|item| fault(item, macros));
    let mut findings: Vec<_> =
        faults.map(|(line, what, remedy)| Finding::error(path, line, what, remedy)).collect();

    let lines = rust.file.text.lines().filter(|line| !line.starts_with("//!")).count();
    if lines > LONG {
        findings.push(Finding::warning(
            path,
            1,
            format!("a table of contents of {lines} lines"),
            "group the modules, and export less",
        ));
    }
    findings
}

/// Where, what is wrong, and what to do.
type Fault = (usize, String, &'static str);

fn fault(item: &Item, macros: bool) -> Option<Fault> {
    let line = item.first_line();
    match item.keyword().as_str() {
        "mod" => {
            item.body().and_then(|body| items(body).iter().find_map(|item| fault(item, macros)))
        }
        "extern" => None,
        "use" if !item.is_public() && !macros => Some((
            line,
            "`lib.rs` imports something for itself".to_owned(),
            "move the code that needs it into a module",
        )),
        "use" if item.is_public() && exports_all(item) => Some((
            line,
            "a re-export of everything".to_owned(),
            "name what is exported, so that `pub` stays a decision",
        )),
        "use" => None,
        _ if is_procedural_macro(item) || is_doctest(item) => None,
        word => Some((
            line,
            format!("`lib.rs` holds code (`{word}`)"),
            "move it into a module named after it; `lib.rs` is the table of contents",
        )),
    }
}

fn exports_all(item: &Item) -> bool {
    let star = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.stream().into_iter().any(|tree| is_punct(&tree, '*')),
        tree => is_punct(tree, '*'),
    };
    item.tokens.iter().any(star)
}

fn is_procedural_macro(item: &Item) -> bool {
    item.attributes.iter().any(|attribute| first_word(attribute).starts_with("proc_macro"))
}

/// A carrier for documentation whose examples are tested, such as the README's.
fn is_doctest(item: &Item) -> bool {
    item.attributes.iter().any(|it| words(it.stream()) == ["cfg", "doctest"])
}

fn first_word(attribute: &Group) -> String {
    words(attribute.stream()).into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::files, *};
    use crate::tidy::files::File;

    fn found(text: &str) -> Vec<String> {
        let files = [File::new("crates/a/src/lib.rs", text)];
        check(&files::rust(&files).0).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_table_of_contents_is_clean() {
        let text = "//! Doc.\n#![forbid(unsafe_code)]\n\nextern crate self as catga;\n\nmod a;\n\
                    #[cfg(test)]\nmod tests;\n\n/// Doc.\npub mod prelude {\n    pub use crate::a::B;\n}\n\
                    #[doc(hidden)]\npub use self::a::{C, D as E};\n\
                    #[cfg(doctest)]\n#[doc = \"\"]\nstruct Readme;\n";
        assert_eq!(found(text), [""; 0]);
    }

    #[test]
    fn code_is_found_wherever_it_hides() {
        for code in [
            "struct A;",
            "pub fn f() {}",
            "macro_rules! m { () => {} }",
            "m!();",
            "m! {}",
            "const A: u8 = 1;",
            "impl A {}",
            "use a::B;",
            "pub use a::*;",
            "pub use a::{b::*};",
            "mod a { fn f() {} }",
        ] {
            let found = found(&format!("//! Doc.\nmod b;\n{code}\n"));
            assert_eq!(found.len(), 1, "{code}");
            assert!(found[0].starts_with("crates/a/src/lib.rs:3: "), "{found:?}");
        }
    }

    #[test]
    fn the_functions_of_procedural_macros_may_be_there() {
        let text = "use proc_macro::TokenStream;\n\n/// Doc.\n#[proc_macro_derive(Event)]\n\
                    pub fn event(input: TokenStream) -> TokenStream { f(input) }\n";
        assert_eq!(found(text), [""; 0]);
        assert_eq!(found(&format!("{text}fn f() {{}}\n")).len(), 1);
    }

    #[test]
    fn a_long_one_is_warned_of_but_for_its_documentation() {
        assert_eq!(found(&"//! Doc.\n".repeat(200)), [""; 0]);
        let found = found(&"mod a;\n".repeat(81));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("warning: "), "{found:?}");
    }

    #[test]
    fn other_files_may_hold_code() {
        let files = [File::new("crates/a/src/b.rs", "fn f() {}")];
        assert_eq!(check(&files::rust(&files).0), []);
    }
}
