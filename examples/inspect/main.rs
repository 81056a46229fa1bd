//! Says what passed over captured WebSocket connections, and what went wrong:
//! `cargo run --release --features deflate --example inspect -- --help`.

mod analysis;
mod capture;
mod reader;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::process::ExitCode;

use capture::{Conversation, Piece, Side, What, from_hex, read_pcap};

const USAGE: &str = "\
usage: inspect CAPTURE [--port N]
       inspect --client FILE --server FILE [--hex]

  CAPTURE         a file of `tcpdump -s 0 -w FILE`, with plain ws:// connections in it
  --port N        those of this port alone
  --client FILE   the bytes that a client has sent, from its request on
  --server FILE   the bytes that its server has sent
  --hex           those files are in hexadecimal digits

Exit status: 0 if nothing is wrong, 1 if something is, 2 if there is nothing to read, 64 for wrong arguments.
";

#[derive(Default)]
struct Options {
    capture: Option<String>,
    port: Option<u16>,
    client: Option<String>,
    server: Option<String>,
    hex: bool,
}

fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("{error}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let conversations = match &options.capture {
        Some(name) => read_pcap(BufReader::new(File::open(name)?), options.port)?,
        None => vec![options.files()?],
    };
    if conversations.is_empty() {
        return Err("there is no TCP connection in the capture".into());
    }
    let mut is_well = true;
    for conversation in conversations {
        is_well &= analysis::analyse(&conversation, io::stdout().lock())?;
    }
    Ok(is_well)
}

impl Options {
    /// `None` if only help is asked for.
    fn from_args() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;

        let mut options = Self::default();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("port") => options.port = Some(parser.value()?.parse()?),
                Long("client") => options.client = Some(parser.value()?.string()?),
                Long("server") => options.server = Some(parser.value()?.string()?),
                Long("hex") => options.hex = true,
                Long("help") => return Ok(None),
                Value(name) if options.capture.is_none() => options.capture = Some(name.string()?),
                _ => return Err(argument.unexpected()),
            }
        }
        match (&options.capture, &options.client, &options.server) {
            (Some(_), None, None) | (None, Some(_), Some(_)) => Ok(Some(options)),
            _ => Err("a capture, or the files of both sides".into()),
        }
    }

    /// Both sides without times: the client's request and the response, then the rest of each.
    fn files(&self) -> Result<Conversation, Box<dyn Error>> {
        let mut pieces = Vec::new();
        for (side, name) in [(Side::Client, &self.client), (Side::Server, &self.server)] {
            let mut bytes = fs::read(name.as_deref().unwrap_or_default())?;
            if self.hex {
                bytes = from_hex(&bytes)?;
            }
            let what = What::Bytes(bytes);
            let time = None;
            pieces.push(Piece { time, side, what });
        }
        let name = "both files".to_owned();
        Ok(Conversation { name, pieces })
    }
}
