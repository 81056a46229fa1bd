//! Compares sansocket with its peers: see `run`, which builds and runs this.

mod allocations;
mod bars;
mod case;
mod memory;
mod peers;
mod report;
mod results;
mod rounds;
mod tcp;

use std::fs::{self, File};
use std::io;

fn main() -> io::Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = args.iter().any(|arg| arg == "--quick");
    args.retain(|arg| arg != "--quick");
    let (effort, tcp_effort) = match is_quick {
        true => (rounds::Effort::QUICK, tcp::Effort::QUICK),
        false => (rounds::Effort::FULL, tcp::Effort::FULL),
    };
    let append = |to| File::options().append(true).create(true).open(to);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["memory", to, filter] => rounds::run(effort, filter, append(to)?),
        ["tcp", to, filter] => tcp::run(tcp_effort, filter, append(to)?),
        ["idle", to, filter] => tcp::idle(filter, append(to)?),
        ["serve", name, messages] => tcp::serve(name, messages == "many"),
        ["alone", case, name, messages] => {
            rounds::alone(case, name, messages.parse().map_err(io::Error::other)?)
        }
        ["report", from] => {
            print!("{}", report(from)?);
            Ok(())
        }
        _ => panic!("usage: peers [--quick] memory|tcp|idle FILE FILTER | report DIRECTORY"),
    }
}

/// The page, from the files of a directory.
fn report(from: &str) -> io::Result<String> {
    let memory = latest(
        &format!("{from}/memory"),
        results::Memory::from_line,
        |row| (row.case.clone(), row.name.clone()),
    )?;
    let tcp = latest(&format!("{from}/tcp"), results::Tcp::from_line, |row| {
        (row.scenario.clone(), row.name.clone())
    })?;
    let idle = latest(&format!("{from}/idle"), results::Idle::from_line, |row| {
        row.name.clone()
    })?;
    report::page(&memory, &tcp, &idle).map_err(io::Error::other)
}

/// The rows of a file; one that was measured again takes the place of the old one.
fn latest<T, K: PartialEq>(
    file: &str,
    from_line: impl Fn(&str) -> Option<T>,
    key: impl Fn(&T) -> K,
) -> io::Result<Vec<T>> {
    let mut rows: Vec<T> = Vec::new();
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    for row in text.lines().filter_map(from_line) {
        rows.retain(|old| key(old) != key(&row));
        rows.push(row);
    }
    Ok(rows)
}
