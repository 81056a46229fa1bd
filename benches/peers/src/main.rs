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

use std::fs::File;
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
        ["report", from, to] => report::write(&results::Results::load(from)?, to),
        _ => panic!("usage: peers [--quick] memory|tcp|idle FILE FILTER | report RESULTS ROOT"),
    }
}
