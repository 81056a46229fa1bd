//! What was measured, as lines of a file, so that parts can be measured again.

use std::fs;
use std::io;

use crate::peers::Path;

/// All that was measured.
#[derive(Debug)]
pub struct Results {
    pub about: About,
    pub memory: Vec<Memory>,
    pub tcp: Vec<Tcp>,
    pub idle: Vec<Idle>,
}

impl Results {
    /// From the files of a directory.
    pub fn load(from: &str) -> io::Result<Self> {
        let file = |name| format!("{from}/{name}");
        Ok(Self {
            about: About::load(&file("machine"), &file("runs"))?,
            memory: latest(&file("memory"), Memory::from_line, |row| {
                (row.case.clone(), row.name.clone())
            })?,
            tcp: latest(&file("tcp"), Tcp::from_line, |row| {
                (row.scenario.clone(), row.name.clone())
            })?,
            idle: latest(&file("idle"), Idle::from_line, |row| row.name.clone())?,
        })
    }
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
        match rows.iter_mut().find(|old| key(old) == key(&row)) {
            Some(old) => *old = row,
            None => rows.push(row),
        }
    }
    Ok(rows)
}

/// Where it was measured, and of what versions: `run` writes it down when it measures.
#[derive(Debug)]
pub struct About {
    /// The class of the machine, its system and its compiler, in a line.
    pub machine: String,
    /// Names and versions.
    pub versions: Vec<(String, String)>,
    /// The commands that measured, and the load of the machine before each.
    pub runs: Vec<(String, String)>,
}

impl About {
    fn load(machine: &str, runs: &str) -> io::Result<Self> {
        let pairs = |file| -> io::Result<Vec<(String, String)>> {
            let text = fs::read_to_string(file)
                .map_err(|error| io::Error::other(format!("{file}: {error}; measure first")))?;
            let pairs = text.lines().filter_map(|line| line.split_once('\t'));
            Ok(pairs.map(|(a, b)| (a.into(), b.into())).collect())
        };
        let mut versions = pairs(machine)?;
        let at = versions.iter().position(|(name, _)| name == "machine");
        let at = at.ok_or_else(|| io::Error::other("no machine is named"))?;
        Ok(Self {
            machine: versions.remove(at).1,
            versions,
            runs: pairs(runs)?,
        })
    }
}

/// Median and quartiles.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(values: &mut [f64]) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| values[(values.len() - 1) * quarter / 4];
        // Who reads far ahead does the work of many turns in one: then no single turn is typical.
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Self {
            low: at(1),
            median: if mean > 2.0 * at(2) { mean } else { at(2) },
            high: at(3),
        }
    }
}

/// A row in memory: what a message costs.
#[derive(Debug, Clone)]
pub struct Memory {
    pub case: String,
    pub name: String,
    pub path: Path,
    pub nanos: Spread,
    pub allocations: f64,
    pub bytes: f64,
}

impl Memory {
    pub fn to_line(&self) -> String {
        let Spread { low, median, high } = self.nanos;
        format!(
            "{}\t{}\t{:?}\t{low}\t{median}\t{high}\t{}\t{}",
            self.case, self.name, self.path, self.allocations, self.bytes,
        )
    }

    pub fn from_line(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[case, name, path, low, median, high, allocations, bytes] = fields.as_slice() else {
            return None;
        };
        let path = [Path::Owned, Path::Lent, Path::Sync, Path::Floor]
            .into_iter()
            .find(|known| format!("{known:?}") == path)?;
        Some(Self {
            case: case.into(),
            name: name.into(),
            path,
            nanos: Spread {
                low: low.parse().ok()?,
                median: median.parse().ok()?,
                high: high.parse().ok()?,
            },
            allocations: allocations.parse().ok()?,
            bytes: bytes.parse().ok()?,
        })
    }
}

/// A row over TCP: messages per second, and what each costs the server.
#[derive(Debug, Clone)]
pub struct Tcp {
    pub scenario: String,
    pub name: String,
    pub rate: Spread,
    pub nanos: Spread,
}

impl Tcp {
    pub fn to_line(&self) -> String {
        let [rate, nanos] = [self.rate, self.nanos].map(|spread| {
            let Spread { low, median, high } = spread;
            format!("{low}\t{median}\t{high}")
        });
        format!("{}\t{}\t{rate}\t{nanos}", self.scenario, self.name)
    }

    pub fn from_line(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let (&[scenario, name], numbers) = fields.split_first_chunk()?;
        let numbers: Vec<f64> = numbers.iter().flat_map(|number| number.parse()).collect();
        let &[low, median, high, nanos_low, nanos, nanos_high] = numbers.as_slice() else {
            return None;
        };
        Some(Self {
            scenario: scenario.into(),
            name: name.into(),
            rate: Spread { low, median, high },
            nanos: Spread {
                low: nanos_low,
                median: nanos,
                high: nanos_high,
            },
        })
    }
}

/// A row of memory: what a waiting connection keeps.
#[derive(Debug, Clone)]
pub struct Idle {
    pub name: String,
    pub kib: f64,
}

impl Idle {
    pub fn to_line(&self) -> String {
        format!("{}\t{}", self.name, self.kib)
    }

    pub fn from_line(line: &str) -> Option<Self> {
        let (name, kib) = line.split_once('\t')?;
        Some(Self {
            name: name.into(),
            kib: kib.parse().ok()?,
        })
    }
}
