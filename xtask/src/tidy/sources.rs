//! Sources: what must not be left in them.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::{
    files::Rust,
    finding::Finding,
    items::{is_cfg_test, is_ident, is_punct, words},
};

/// Findings for unfinished code, ignored tests and examples, and tests that sleep.
pub(super) fn check(rust: &[Rust<'_>]) -> Vec<Finding> {
    let of_file = |rust: &Rust<'_>| {
        let mut scan = Scan { path: &rust.file.path, findings: Vec::new() };
        let place = Place { in_test: rust.file.is_test(), in_wait: false };
        scan.tokens(rust.tokens.clone(), place);
        scan.findings
    };
    rust.iter().flat_map(of_file).collect()
}

/// What surrounds some tokens.
#[derive(Clone, Copy)]
struct Place {
    in_test: bool,
    /// In a function named `wait_until…`, the one place that may sleep between two looks.
    in_wait: bool,
}

struct Scan<'a> {
    path: &'a str,
    findings: Vec<Finding>,
}

impl Scan<'_> {
    fn tokens(&mut self, tokens: TokenStream, place: Place) {
        let trees: Vec<_> = tokens.into_iter().collect();
        // What the next braces are in, as the attributes and the signature before them say.
        let mut body = place;
        for (index, tree) in trees.iter().enumerate() {
            match &trees[index..] {
                [hash, TokenTree::Group(attribute), ..] if is_punct(hash, '#') => {
                    self.attribute(attribute);
                    body.in_test |= is_cfg_test(attribute);
                }
                [function, TokenTree::Ident(name), ..] if is_ident(function, "fn") => {
                    body.in_wait |= name.to_string().starts_with("wait_until");
                }
                [TokenTree::Ident(name), mark, TokenTree::Group(_), ..] if is_punct(mark, '!') => {
                    self.macro_call(&name.to_string(), tree);
                }
                [module, colon, _, function, ..]
                    if is_ident(module, "thread")
                        && is_punct(colon, ':')
                        && is_ident(function, "sleep")
                        && place.in_test
                        && !place.in_wait =>
                {
                    self.sleep(tree);
                }
                _ => {}
            }
            match tree {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.tokens(group.stream(), body);
                    body = place;
                }
                TokenTree::Group(group) => self.tokens(group.stream(), place),
                tree if is_punct(tree, ';') => body = place,
                _ => {}
            }
        }
    }

    fn attribute(&mut self, attribute: &Group) {
        let words = words(attribute.stream());
        let word = |index: usize| words.get(index).map_or("", String::as_str);
        let line = attribute.span().start().line;
        if word(0) == "ignore" || word(0) == "cfg_attr" && words.iter().any(|word| word == "ignore")
        {
            self.error(line, "an ignored test", "make it pass, or delete it");
        }
        if word(0) == "doc" && ignores_example(attribute) {
            self.error(
                line,
                "an example that is not compiled",
                "make it compile, or mark it `text`",
            );
        }
    }

    fn macro_call(&mut self, name: &str, tree: &TokenTree) {
        let remedy = match name {
            "todo" | "unimplemented" => "write it, or leave out what needs it",
            "dbg" => "remove it",
            _ => return,
        };
        self.error(tree.span().start().line, format!("`{name}!` left behind"), remedy);
    }

    fn sleep(&mut self, tree: &TokenTree) {
        self.error(
            tree.span().start().line,
            "a test that sleeps",
            "wait for the condition itself (`wait_until`), or use virtual time",
        );
    }

    fn error(&mut self, line: usize, what: impl Into<String>, remedy: &str) {
        self.findings.push(Finding::error(self.path, line, what, remedy));
    }
}

/// Whether a documentation comment opens an example that nobody compiles.
fn ignores_example(doc: &Group) -> bool {
    let text = doc.stream().to_string();
    text.split_once("```").is_some_and(|(_, marks)| marks.contains("ignore"))
}

#[cfg(test)]
mod tests {
    use super::{super::files, *};
    use crate::tidy::files::File;

    fn found(path: &str, text: &str) -> Vec<String> {
        let files = [File::new(path, text)];
        check(&files::rust(&files).0).iter().map(Finding::place).collect()
    }

    #[test]
    fn unfinished_code_is_found() {
        for call in ["todo!()", "todo!(\"why\")", "unimplemented!()", "dbg!(x)", "std::dbg![x]"] {
            let text = format!("fn f() {{\n    g(|| {call})\n}}\n");
            assert_eq!(found("crates/a/src/b.rs", &text), ["crates/a/src/b.rs:2"], "{call}");
        }
    }

    #[test]
    fn comments_strings_and_other_names_are_not_code() {
        let text = "/// Not todo!() nor `#[ignore]`.\nfn f() {\n    // dbg!(x)\n    g(\"todo!()\");\n    \
                    my_todo!();\n    let todo = 1 != 2;\n}\n";
        assert_eq!(found("a.rs", text), [""; 0]);
    }

    #[test]
    fn ignored_tests_and_examples_are_found() {
        for text in [
            "#[test]\n#[ignore]\nfn f() {}",
            "#[test]\n#[ignore = \"slow\"]\nfn f() {}",
            "#[test]\n#[cfg_attr(miri, ignore)]\nfn f() {}",
            "/// # Example\n/// ```rust,ignore\n/// x\n/// ```\nfn f() {}",
        ] {
            assert_eq!(found("a.rs", text), ["a.rs:2"], "{text}");
        }
    }

    #[test]
    fn a_test_that_sleeps_is_found_wherever_tests_are() {
        let sleeps = "fn f() {\n    std::thread::sleep(x);\n}\n";
        assert_eq!(found("tests/src/a.rs", sleeps), ["tests/src/a.rs:2"]);
        assert_eq!(found("crates/a/tests/b.rs", sleeps), ["crates/a/tests/b.rs:2"]);
        assert_eq!(found("a.rs", &format!("#[cfg(test)]\nmod t {{\n{sleeps}}}\n")), ["a.rs:4"]);
        assert_eq!(found("tests/a.rs", "use std::thread::sleep;"), ["tests/a.rs:1"]);
    }

    #[test]
    fn only_a_wait_for_a_condition_and_real_code_may_sleep() {
        let wait = "pub fn wait_until(f: F) {\n    loop {\n        thread::sleep(x);\n    }\n}\n";
        assert_eq!(found("tests/src/a.rs", wait), [""; 0]);
        let after = format!("{wait}fn f() {{ thread::sleep(x) }}\n");
        assert_eq!(found("tests/src/a.rs", &after), ["tests/src/a.rs:6"]);
        let code = "#[cfg(test)]\nuse a::b;\nfn f() { thread::sleep(x) }\n";
        assert_eq!(found("crates/a/src/b.rs", code), [""; 0]);
    }
}
