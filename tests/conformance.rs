//! `docs/CONFORMANCE.md` names what there is: its tests exist, as do the files and items that are said
//! to meet a requirement. So a renamed test or a moved file cannot leave the table behind.

// It reads the sources, which Miri has no business with.
#![cfg(not(miri))]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

const LEVELS: [&str; 5] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"];

/// What a row says where nothing in the crate meets its requirement.
const EXCUSES: [&str; 4] = ["Caller's: ", "Not ours: ", "Not done", "Differs: "];

/// The files of the crate, read when they are asked for.
struct Sources {
    root: &'static Path,
    read: HashMap<String, Option<String>>,
}

impl Sources {
    fn new() -> Self {
        Self {
            root: Path::new(env!("CARGO_MANIFEST_DIR")),
            read: HashMap::new(),
        }
    }

    fn text(&mut self, path: &str) -> Option<&str> {
        let file = self.root.join(path);
        let text = self.read.entry(path.to_owned());
        text.or_insert_with(|| fs::read_to_string(file).ok())
            .as_deref()
    }
}

/// Whether `name` stands in `text` as a word.
fn has_word(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            !before.ends_with(is_part) && !after.starts_with(is_part)
        })
}

/// Whether `text` has a test of this name: a `fn` under an attribute that makes it one.
fn has_test(text: &str, name: &str) -> bool {
    let mut is_test = false;
    text.lines().map(str::trim).any(|line| {
        if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
            return false;
        }
        let declared = line.strip_prefix("async ").unwrap_or(line);
        let declared = declared.strip_prefix("fn ");
        let found = is_test
            && declared
                .and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with('('));
        is_test = false;
        found
    })
}

/// What is in backticks.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn wrong_implementation(name: &str, sources: &mut Sources) -> Option<String> {
    let (path, item) = match name.split_once("::") {
        Some((path, item)) => (path, Some(item)),
        None => (name, None),
    };
    match sources.text(path) {
        None => Some(format!("there is no file {path}")),
        Some(text) => {
            let item = item.filter(|item| !has_word(text, item))?;
            Some(format!("{path} has no {item}"))
        }
    }
}

fn wrong_proof(name: &str, sources: &mut Sources) -> Option<String> {
    let Some((path, test)) = name.split_once("::") else {
        return Some(format!("{name} names no test"));
    };
    match sources.text(path) {
        None => Some(format!("there is no file {path}")),
        Some(text) if has_test(text, test) => None,
        Some(_) => Some(format!("{path} has no test {test}")),
    }
}

/// What is wrong with a row, and in which section it stands.
fn wrong_with(row: &str, sources: &mut Sources) -> Vec<String> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let &[section, level, requirement, implementation, proof] = &cells[..] else {
        return vec![format!("{} cells instead of 5", cells.len())];
    };
    let mut wrong = Vec::new();
    let numbers = section.split('.').all(|part| part.parse::<u8>().is_ok());
    if !numbers {
        wrong.push(format!("{section} is no section"));
    }
    if !LEVELS.contains(&level) {
        wrong.push(format!("{level} is no level"));
    }
    if requirement.is_empty() {
        wrong.push("no requirement".into());
    }
    let is_excused = EXCUSES
        .iter()
        .any(|excuse| implementation.starts_with(excuse));
    let (proofs, places) = (names(proof), names(implementation));
    if is_excused {
        if proofs.is_empty() && proof != "—" {
            wrong.push("neither a proof nor —".into());
        }
    } else {
        if places.is_empty() {
            wrong.push("neither a place nor a reason".into());
        }
        if proofs.is_empty() {
            wrong.push("no proof".into());
        }
        let places = places.iter();
        wrong.extend(places.filter_map(|name| wrong_implementation(name, sources)));
    }
    let proofs = proofs.iter();
    wrong.extend(proofs.filter_map(|name| wrong_proof(name, sources)));
    wrong
}

/// The rows of all tables.
fn rows(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    rows.filter(|row| !row.starts_with("| § |") && !row.starts_with("|---"))
        .collect()
}

fn all_wrong(page: &str) -> Vec<String> {
    let mut sources = Sources::new();
    let wrong = rows(page).into_iter().flat_map(|row| {
        let wrong = wrong_with(row, &mut sources);
        wrong
            .into_iter()
            .map(move |what| format!("{what}, in {row}"))
    });
    wrong.collect()
}

#[test]
fn all_that_the_table_names_exists() {
    let page = include_str!("../docs/CONFORMANCE.md");
    let wrong = all_wrong(page);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Were the rows not found, nothing would be wrong with them.
    assert!(rows(page).len() > 200, "{} rows", rows(page).len());
}

#[test]
fn what_does_not_exist_is_found() {
    let good = "| 5.1 | MUST | It is so | `src/utf8.rs::CutChar` | `tests/conformance.rs::what_does_not_exist_is_found` |";
    assert_eq!(all_wrong(good), [""; 0]);
    for (from, to, expected) in [
        ("5.1", "x", "x is no section"),
        ("| MUST", "| OUGHT", "OUGHT is no level"),
        ("It is so", "", "no requirement"),
        ("src/utf8.rs", "src/utf9.rs", "there is no file src/utf9.rs"),
        ("CutChar", "CutCha", "src/utf8.rs has no CutCha"),
        (
            "`src/utf8.rs::CutChar`",
            "Not here",
            "neither a place nor a reason",
        ),
        (
            "`tests/conformance.rs::what_does_not_exist_is_found`",
            "—",
            "no proof",
        ),
        (
            "conformance.rs",
            "conform.rs",
            "there is no file tests/conform.rs",
        ),
        (
            "_is_found",
            "_is_foun",
            "tests/conformance.rs has no test what_does_not_exist_is_foun",
        ),
        (
            "what_does_not_exist_is_found",
            "has_word",
            "tests/conformance.rs has no test has_word",
        ),
        (
            "::what_does_not_exist_is_found",
            "",
            "tests/conformance.rs names no test",
        ),
        (" | `tests", " `tests", "4 cells instead of 5"),
    ] {
        let bad = good.replace(from, to);
        assert_eq!(all_wrong(&bad), [format!("{expected}, in {bad}")]);
    }
    let excused = "| 5.1 | MAY | It is so | Caller's: not here | — |";
    assert_eq!(all_wrong(excused), [""; 0]);
    let wrong = excused.replace('—', "`tests/no.rs::no`");
    let found = all_wrong(&wrong);
    assert_eq!(found, [format!("there is no file tests/no.rs, in {wrong}")]);
    assert_eq!(all_wrong(&excused.replace('—', "")).len(), 1);
}
