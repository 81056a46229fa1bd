//! Plots of horizontal bars, as SVG: panels side by side, each with its own scale.

use std::fmt::{self, Write as _};

/// A page of panels, in two columns if there is more than one.
#[derive(Debug)]
pub struct Plot {
    pub title: String,
    pub notes: Vec<String>,
    pub panels: Vec<Panel>,
}

#[derive(Debug)]
pub struct Panel {
    pub title: String,
    pub unit: Unit,
    /// From the best to the worst.
    pub bars: Vec<Bar>,
}

#[derive(Debug)]
pub struct Bar {
    pub name: String,
    pub value: f64,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Peer,
    /// No WebSocket library.
    Floor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Nanos,
    PerSecond,
    Kib,
}

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 20.0;
const GAP: f64 = 36.0;
/// For the names, left of the bars.
const NAMES: f64 = 136.0;
/// For the values, right of the longest bar.
const VALUES: f64 = 68.0;
const LINE: f64 = 18.0;
const BAR: f64 = 12.0;
/// Above the bars of a panel, and below.
const ABOVE: f64 = 26.0;
const BELOW: f64 = 40.0;

/// Where bars are cut, if one is far longer than the one in the middle: at this many times its length.
const CUT: f64 = 2.5;
const FAR: f64 = 4.0;

const STYLE: &str = r#"text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:#1f2328;font-variant-numeric:tabular-nums}
.page{fill:#ffffff}.h1{font-size:17px;font-weight:600}.h2{font-size:13px;font-weight:600}
.note,.tick{fill:#59636e}.tick{font-size:11px}.end{text-anchor:end}.mid{text-anchor:middle}
.ours{fill:#0969da}.peer{fill:#afb8c1}.floor{fill:none;stroke:#818b98;stroke-dasharray:3 2}
text.ours{font-weight:600}text.peer{fill:#1f2328}text.floor{fill:#59636e;stroke:none;font-style:italic}
.grid{stroke:#d1d9e0}.cut{stroke:#ffffff;stroke-width:3}
@media(prefers-color-scheme:dark){text,text.peer{fill:#e6edf3}.page{fill:#0d1117}.note,.tick,text.floor{fill:#9198a1}
.ours{fill:#4493f8}.peer{fill:#57606a}.floor{stroke:#818b98}.grid{stroke:#30363d}.cut{stroke:#0d1117}}"#;

impl Plot {
    pub fn to_svg(&self) -> Result<String, fmt::Error> {
        let columns = self.panels.len().clamp(1, 2);
        let width = (WIDTH - 2.0 * MARGIN - GAP * (columns - 1) as f64) / columns as f64;
        let head = MARGIN + 32.0 + LINE * self.notes.len() as f64;
        let rows: Vec<&[Panel]> = self.panels.chunks(columns).collect();
        let heights = rows.iter().map(|row| {
            let bars = row.iter().map(|panel| panel.bars.len()).max();
            ABOVE + BELOW + LINE * bars.unwrap_or(0) as f64
        });
        let heights: Vec<f64> = heights.collect();
        let height = head + heights.iter().sum::<f64>() + MARGIN / 2.0;

        let mut svg = String::new();
        write!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title desc">
<title id="title">{}</title>
<desc id="desc">{}</desc>
<style>
{STYLE}
</style>
<rect class="page" width="{WIDTH}" height="{height}"/>
"#,
            escaped(&self.title),
            escaped(&self.in_words()),
        )?;
        text(&mut svg, MARGIN, MARGIN + 14.0, "h1", &self.title)?;
        for (i, note) in self.notes.iter().enumerate() {
            let y = MARGIN + 36.0 + LINE * i as f64;
            text(&mut svg, MARGIN, y, "note", note)?;
        }
        let mut y = head;
        for (row, height) in rows.iter().zip(&heights) {
            for (column, panel) in row.iter().enumerate() {
                let x = MARGIN + (width + GAP) * column as f64;
                panel.draw(&mut svg, x, y, width)?;
            }
            y += height;
        }
        svg.push_str("</svg>\n");
        Ok(svg)
    }

    /// What the panels show, for those who do not see them.
    pub fn in_words(&self) -> String {
        let panels = self.panels.iter().map(|panel| {
            let best = |kind| panel.bars.iter().find(move |bar| bar.kind == kind);
            let [ours, peer] = [best(Kind::Ours), best(Kind::Peer)].map(|bar| {
                bar.map_or("none".into(), |bar| {
                    format!("{} {}", bar.name, panel.value(bar))
                })
            });
            format!("{}: {ours}, best peer {peer}.", panel.title)
        });
        panels.collect::<Vec<_>>().join(" ")
    }
}

impl Panel {
    fn draw(&self, svg: &mut String, x: f64, y: f64, width: f64) -> fmt::Result {
        let (left, room) = (x + NAMES, width - NAMES - VALUES);
        let (top, bottom) = (y + ABOVE, y + ABOVE + LINE * self.bars.len() as f64);
        let (step, ticks) = self.scale();
        let end = step * ticks as f64;
        text(svg, left, y + 16.0, "h2", &self.title)?;
        let (per, unit) = self.unit.of_axis(end);
        for tick in 0..=ticks {
            let value = step * tick as f64;
            let at = left + room * value / end;
            writeln!(
                svg,
                r#"<path class="grid" d="M{at:.1} {top:.1}V{bottom:.1}"/>"#
            )?;
            let shown = format!("{}", value / per);
            text(svg, at, bottom + 14.0, "tick mid", &shown)?;
        }
        text(svg, left + room + 24.0, bottom + 14.0, "tick", unit)?;
        for (i, bar) in self.bars.iter().enumerate() {
            let top = top + LINE * i as f64 + (LINE - BAR) / 2.0;
            let length = room * (bar.value / end).min(1.0);
            let (class, baseline) = (bar.kind.class(), top + BAR - 2.0);
            text(
                svg,
                left - 6.0,
                baseline,
                &format!("{class} end"),
                &bar.name,
            )?;
            writeln!(
                svg,
                r#"<rect class="{class}" x="{left:.1}" y="{top:.1}" width="{length:.1}" height="{BAR}"/>"#
            )?;
            if bar.value > end {
                let (at, top, bottom) = (left + room - 14.0, top - 2.0, top + BAR + 2.0);
                for at in [at, at + 6.0] {
                    writeln!(
                        svg,
                        r#"<path class="cut" d="M{at:.1} {bottom:.1}L{:.1} {top:.1}"/>"#,
                        at + 5.0
                    )?;
                }
            }
            text(svg, left + length + 5.0, baseline, class, &self.value(bar))?;
        }
        Ok(())
    }

    /// In the unit of the axis.
    fn value(&self, bar: &Bar) -> String {
        let (step, ticks) = self.scale();
        let (per, unit) = self.unit.of_axis(step * ticks as f64);
        format!("{} {unit}", short(bar.value / per))
    }

    /// The distance of the ticks, and how many there are after zero.
    fn scale(&self) -> (f64, usize) {
        let mut values: Vec<f64> = self.bars.iter().map(|bar| bar.value).collect();
        values.sort_by(f64::total_cmp);
        let (Some(&longest), Some(&middle)) = (values.last(), values.get(values.len() / 2)) else {
            return (1.0, 1);
        };
        let end = match longest > FAR * middle {
            true => CUT * middle,
            false => longest.max(1e-9),
        };
        let power = 10_f64.powf((end / 5.0).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let fits = steps.into_iter().find(|step| step * 5.0 >= end);
        let step = fits.unwrap_or(power * 10.0);
        (step, (end / step).ceil() as usize)
    }
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Peer => "peer",
            Self::Floor => "floor",
        }
    }
}

impl Unit {
    /// The unit of an axis that ends here: how many units of the values it is, and its name.
    fn of_axis(self, end: f64) -> (f64, &'static str) {
        match self {
            Self::Nanos if end < 2e3 => (1.0, "ns"),
            Self::Nanos if end < 2e6 => (1e3, "µs"),
            Self::Nanos => (1e6, "ms"),
            Self::PerSecond if end < 2e3 => (1.0, "/s"),
            Self::PerSecond => (1e3, "k/s"),
            Self::Kib => (1.0, "KiB"),
        }
    }
}

/// Three digits, or all before the point.
fn short(value: f64) -> String {
    match value {
        value if value < 1.0 => format!("{value:.3}"),
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, text: &str) -> fmt::Result {
    let text = escaped(text);
    writeln!(
        svg,
        r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
