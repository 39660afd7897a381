//! Links: a Markdown file points only at files that are there.

use super::{files::File, finding::Finding};

/// One finding for each relative link without a file behind it.
pub(super) fn check(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Pages beside sources are included in documentation, where rustdoc resolves the links.
    let pages = |path: &str| path.ends_with(".md") && !path.contains("/src/");
    for file in files.iter().filter(|file| pages(&file.path)) {
        for (line, target) in targets(&file.text) {
            let Some(path) = relative_path(&target) else {
                continue;
            };
            if !resolve(&file.path, path).is_some_and(|path| exists(&path)) {
                findings.push(Finding::error(
                    &file.path,
                    line,
                    format!("the link `{target}` leads nowhere in this repository"),
                    "point it at a file that is there, or remove it",
                ));
            }
        }
    }
    findings
}

/// The targets of all links and images outside code, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut fence = None;
    let mut targets = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        if let Some(mark) = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark)) {
            fence = match fence {
                None => Some(mark),
                Some(open) if open == mark => None,
                open => open,
            };
        } else if fence.is_none() {
            let line = without_code(line);
            let found = definition(&line).into_iter().chain(inline(&line));
            targets.extend(found.map(|target| (index + 1, target)));
        }
    }
    targets
}

/// A line without what stands between backquotes.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part } else { "code" }).collect()
}

/// The target of `[name]: target`.
fn definition(line: &str) -> Option<String> {
    let (name, target) = line.trim_start().strip_prefix('[')?.split_once("]: ")?;
    (!name.starts_with('^') && !name.contains(']')).then(|| bare(target))
}

/// The targets of every `](target)`.
fn inline(line: &str) -> Vec<String> {
    let after = line.split("](").skip(1);
    after.map(|rest| bare(&rest[..closing(rest)])).collect()
}

/// Where the parenthesis that is open before `rest` closes.
fn closing(rest: &str) -> usize {
    let mut depth = 0;
    let closes = |(_, mark): &(usize, char)| {
        match mark {
            '(' => depth += 1,
            ')' if depth == 0 => return true,
            ')' => depth -= 1,
            _ => {}
        }
        false
    };
    rest.char_indices().find(closes).map_or(rest.len(), |(index, _)| index)
}

/// A target without its title and its angle brackets.
fn bare(target: &str) -> String {
    let target = target.trim();
    let bare = match target.strip_prefix('<') {
        Some(rest) => rest.split('>').next(),
        None => target.split_whitespace().next(),
    };
    bare.unwrap_or_default().to_owned()
}

/// The path in a target, unless it leads elsewhere: to another site, or within the same file.
fn relative_path(target: &str) -> Option<&str> {
    let elsewhere = target.starts_with("//")
        || target.split_once(':').is_some_and(|(scheme, _)| {
            scheme.chars().all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it))
        });
    let path = target.split(['#', '?']).next()?;
    (!elsewhere && !path.is_empty()).then_some(path)
}

/// The path from the root, unless it leaves it. A leading `/` means the root.
fn resolve(file: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    if path.starts_with('/') {
        parts.clear();
    }
    let path = path.replace("%20", " ");
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(path: &str, text: &str) -> Vec<String> {
        let there = ["README.md", "docs/a.md", "docs/with (space).md", ""];
        let found = check(&[File::new(path, text)], |path| there.contains(&path));
        found.iter().map(Finding::place).collect()
    }

    #[test]
    fn a_dead_link_is_found_in_every_form() {
        for link in [
            "[a](b.md)",
            "![a](b.png)",
            "[a](<b.md>)",
            "[a](b.md \"title\")",
            "[a](b.md#part)",
            "[a]: b.md",
            "[![a](https://a.b/c.svg)](b.md)",
            "[a](../README.md)",
            "[a](/b.md)",
            "`code` [a](b.md)",
        ] {
            assert_eq!(dead("README.md", &format!("text\n{link}\n")), ["README.md:2"], "{link}");
        }
    }

    #[test]
    fn links_to_files_that_are_there_are_followed_from_the_file() {
        let text = "[a](../README.md) [b](a.md#part) [c](/docs/a.md) [d](<with (space).md>)\n\
                    [e](with%20(space).md) [f](./../)";
        assert_eq!(dead("docs/b.md", text), [""; 0]);
    }

    #[test]
    fn other_sites_anchors_and_code_are_left_alone() {
        let text = "[a](https://a.b/c) [b](mailto:a@b.c) [c](#part) `[d](b.md)`\n\
                    ```text\n[e](b.md)\n~~~\n```\n~~~\n[f](b.md)\n~~~\n[^1]: a note\n";
        assert_eq!(dead("README.md", text), [""; 0]);
    }

    #[test]
    fn two_dead_links_in_a_line_are_two_findings() {
        assert_eq!(dead("README.md", "[a](b.md) and [c](d.md)").len(), 2);
    }
}
