//! What was measured, as lines of a file, so that parts can be measured again.

use crate::peers::Path;

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
        Self {
            low: at(1),
            median: at(2),
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
