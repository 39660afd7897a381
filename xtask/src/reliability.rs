//! `cargo xtask reliability`: writes `RELIABILITY.md` from what the runs have counted.
//!
//! The counts are files in `reliability/`, to which campaigns add; what is said around the tables is
//! in `reliability/page.md`. Nothing is written by hand into the page itself.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::workspace::Workspace;

/// The page, in the root of the repository.
const PAGE: &str = "RELIABILITY.md";

/// Options of `cargo xtask reliability`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing, and fail if the page is not what it should be
    #[arg(long)]
    check: bool,
}

/// Writes the page, or checks it.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.check {
        return check();
    }
    let root = Workspace::load()?.root;
    fs::write(root.join(PAGE), page(&root)?).with_context(|| format!("write {PAGE}"))
}

/// Fails if the page does not say what the counts say.
pub(crate) fn check() -> Result<()> {
    let root = Workspace::load()?.root;
    let there = fs::read_to_string(root.join(PAGE)).with_context(|| format!("read {PAGE}"))?;
    if there != page(&root)? {
        bail!("{PAGE} is not what the files in reliability/ say: run `cargo xtask reliability`");
    }
    Ok(())
}

/// A bug on purpose, as the simulator wrote down what it took to catch it.
#[derive(Debug, Deserialize)]
struct Caught {
    bug: String,
    what: String,
    nodes: u8,
    ticks: u64,
    seed: u64,
    said: String,
}

/// A bug that was found.
#[derive(Debug, Deserialize)]
struct Found {
    what: String,
    found_by: String,
    again: String,
    fixed_in: String,
}

fn page(root: &Path) -> Result<String> {
    let dir = root.join("reliability");
    let mut text = read(&dir.join("page.md"))?;
    for (name, table) in [
        ("simulator", counts(&dir.join("simulator.json"))?),
        ("promises", promises(&dir.join("simulator.json"))?),
        ("chaos", counts(&dir.join("chaos.json"))?),
        ("fuzz", counts(&dir.join("fuzz.json"))?),
        ("planted", planted(&dir.join("planted.json"))?),
        ("found", found(&dir.join("found.json"))?),
    ] {
        let place = format!("<!-- {name} -->");
        if text.matches(&place).count() != 1 {
            bail!("reliability/page.md must have `{place}` once");
        }
        text = text.replace(&place, table.trim_end());
    }
    Ok(text)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn parsed<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&read(path)?)
        .with_context(|| format!("{} is not as it was", path.display()))
}

/// Where the simulator counts how often it has looked at each promise.
const PROMISES: &str = "evaluated";

/// How often each promise was looked at, by its number.
fn promises(path: &Path) -> Result<String> {
    let mut counted: Map<String, Value> = parsed(path)?;
    let Some(Value::Object(promises)) = counted.remove(PROMISES) else {
        bail!("{} does not say how often promises were looked at", path.display());
    };
    let number = |title: &str| {
        let number = title.split_once(' ').map_or(title, |(number, _)| number);
        number.trim_start_matches('I').parse::<u32>().unwrap_or(u32::MAX)
    };
    let mut promises: Vec<_> = promises.into_iter().collect();
    promises.sort_by_key(|(title, _)| number(title));
    let mut table = "| promise | how often it was looked at |\n|---|---:|\n".to_owned();
    for (title, count) in promises {
        let count = count.as_u64().with_context(|| format!("{title} is no count"))?;
        writeln!(table, "| {title} | {} |", grouped(count))?;
    }
    Ok(table)
}

/// A table of everything else that was counted, by name.
fn counts(path: &Path) -> Result<String> {
    let mut counted: Map<String, Value> = parsed(path)?;
    counted.remove(PROMISES);
    let mut table = "| what | how often |\n|---|---:|\n".to_owned();
    add_counts(&mut table, &counted)?;
    Ok(table)
}

/// What must never happen: there it says that it did not.
const NEVER: [&str; 7] =
    ["doubled", "lost", "not_linearizable", "stale", "undecided", "violations", "wrong_replies"];

fn add_counts(table: &mut String, counted: &Map<String, Value>) -> Result<()> {
    for (name, count) in counted {
        match count {
            Value::Object(inner) => add_counts(table, inner)?,
            // Of what only one kind of run goes through.
            Value::Number(count) if count.as_u64() == Some(0) && !NEVER.contains(&&**name) => {}
            Value::Number(count) => {
                let count = count.as_u64().with_context(|| format!("{name} is no count"))?;
                writeln!(table, "| {} | {} |", name.replace('_', " "), grouped(count))?;
            }
            _ => bail!("{name} is no count"),
        }
    }
    Ok(())
}

/// A number with its thousands apart.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn planted(path: &Path) -> Result<String> {
    let mut table = "| bug | what it does wrong | seeds needed | nodes, ticks | what was said |\n\
                     |---|---|---:|---|---|\n"
        .to_owned();
    for Caught { bug, what, nodes, ticks, seed, said } in parsed::<Vec<Caught>>(path)? {
        let said = shortened(&said);
        writeln!(table, "| `{bug}` | {what} | {seed} | {nodes}, {} | {said} |", grouped(ticks))?;
    }
    Ok(table)
}

/// What fits into a cell.
fn shortened(said: &str) -> String {
    const LONGEST: usize = 90;
    let said = said.replace('|', "\\|").replace('\n', " ");
    match said.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said,
    }
}

fn found(path: &Path) -> Result<String> {
    let mut table =
        "| what was wrong | found by | again | fixed in |\n|---|---|---|---|\n".to_owned();
    for Found { what, found_by, again, fixed_in } in parsed::<Vec<Found>>(path)? {
        writeln!(table, "| {what} | {found_by} | {again} | {fixed_in} |")?;
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let all = [0, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn promises_stand_in_the_order_of_their_numbers() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("simulator.json");
        let text = r#"{"runs": 1, "evaluated": {"I1 stays": 7, "I11 one": 2, "I2 once": 1000}}"#;
        fs::write(&path, text).expect("a file");
        let rows = promises(&path).expect("they are counted");
        assert!(rows.ends_with("| I1 stays | 7 |\n| I2 once | 1,000 |\n| I11 one | 2 |\n"));
        assert!(!counts(&path).expect("they are counts").contains("I11"));
    }

    #[test]
    fn counts_within_counts_are_rows_as_well() {
        let counted =
            serde_json::json!({"power_cuts": 1200, "cluster": {"leaders": 7, "never": 0}});
        let mut table = String::new();
        let counted = counted.as_object().expect("it is one");
        add_counts(&mut table, counted).expect("they are counts");
        assert_eq!(table, "| leaders | 7 |\n| power cuts | 1,200 |\n");
    }

    #[test]
    fn what_must_never_happen_is_shown_when_it_did_not() {
        let counted = serde_json::json!({"flaps": 0, "lost": 0, "wrong_replies": 0, "stale": 0});
        let mut table = String::new();
        add_counts(&mut table, counted.as_object().expect("it is one")).expect("they are counts");
        assert_eq!(table, "| lost | 0 |\n| stale | 0 |\n| wrong replies | 0 |\n");
    }
}
