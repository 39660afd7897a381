//! File sizes: one concept per file, and a reader who can hold it in mind.

use super::{
    files::{File, Rust},
    finding::Finding,
    items::items,
};

const LONG: usize = 400;
const TOO_LONG: usize = 800;

/// The lines of a file, without its tests.
#[derive(Debug)]
pub(super) struct Size<'a> {
    path: &'a str,
    lines: usize,
}

/// Measures the files that count: our code, and not what tests it.
pub(super) fn measure<'a>(rust: &[Rust<'a>]) -> Vec<Size<'a>> {
    let measured = rust.iter().filter(|rust| counts(rust.file));
    measured.map(|rust| Size { path: &rust.file.path, lines: lines(rust) }).collect()
}

/// One finding for each long file.
pub(super) fn check(sizes: &[Size<'_>]) -> Vec<Finding> {
    let remedy = "split it by concept, so that each file says what it is in its first line";
    let finding = |&Size { path, lines }: &Size<'_>| {
        if lines > TOO_LONG {
            let what = format!("{lines} lines without tests, over {TOO_LONG}");
            Some(Finding::error(path, 1, what, remedy))
        } else if lines > LONG {
            let what = format!("{lines} lines without tests, over {LONG}");
            Some(Finding::warning(path, 1, what, remedy))
        } else {
            None
        }
    };
    sizes.iter().filter_map(finding).collect()
}

/// The lines of the file in the middle.
pub(super) fn median(sizes: &[Size<'_>]) -> usize {
    let mut lines: Vec<_> = sizes.iter().map(|size| size.lines).collect();
    lines.sort_unstable();
    lines.get(lines.len() / 2).copied().unwrap_or_default()
}

fn counts(file: &File) -> bool {
    let ours =
        ["examples/", "xtask/", "benches/"].iter().any(|folder| file.path.starts_with(folder))
            || file.path.starts_with("crates/") && file.path.contains("/src/");
    ours && !file.is_test()
}

/// All lines but those of a test module at the end.
fn lines(rust: &Rust<'_>) -> usize {
    match items(rust.tokens.clone()).last() {
        Some(last) if last.is_test_module() => last.first_attribute_line() - 1,
        _ => rust.file.text.lines().count(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::files, *};

    fn text(lines: usize, tests: usize) -> String {
        let tests = "    fn t() {}\n".repeat(tests);
        format!("{}#[cfg(test)]\nmod tests {{\n{tests}}}\n", "fn f() {}\n".repeat(lines))
    }

    fn found(path: &str, text: &str) -> Vec<bool> {
        let files = [File::new(path, text)];
        let (rust, _) = files::rust(&files);
        check(&measure(&rust)).iter().map(Finding::is_error).collect()
    }

    #[test]
    fn above_400_lines_warns_and_above_800_fails() {
        for path in
            ["crates/a/src/b.rs", "examples/a/src/main.rs", "xtask/src/a.rs", "benches/src/a.rs"]
        {
            assert_eq!(found(path, &text(400, 0)), [false; 0], "{path}");
            assert_eq!(found(path, &text(401, 0)), [false], "{path}");
            assert_eq!(found(path, &text(800, 0)), [false], "{path}");
            assert_eq!(found(path, &text(801, 0)), [true], "{path}");
        }
    }

    #[test]
    fn tests_do_not_count() {
        assert_eq!(found("crates/a/src/b.rs", &text(400, 1000)), [false; 0]);
        for path in ["crates/a/tests/b.rs", "crates/a/src/b/tests.rs", "tests/src/b.rs"] {
            assert_eq!(found(path, &text(900, 0)), [false; 0], "{path}");
        }
    }

    #[test]
    fn the_median_is_of_the_files_that_count() {
        let files = [
            File::new("crates/a/src/b.rs", &text(3, 9)),
            File::new("crates/a/src/c.rs", &text(5, 0)),
            File::new("crates/a/src/d.rs", &text(70, 0)),
            File::new("crates/a/tests/e.rs", &text(900, 0)),
        ];
        assert_eq!(median(&measure(&files::rust(&files).0)), 5);
        assert_eq!(median(&[]), 0);
    }
}
