//! Plots as SVG. Colours are the page's, so that they change with it; sizes are those of a phone's
//! width, so that letters stay readable there.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::html::text;

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 22.0;
/// More points than this are not told apart.
const POINTS_MAX: usize = 600;
/// The colours of the page; a plot with more lines repeats them.
const COLORS: usize = 10;

/// What an axis is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Seconds,
    /// From 0, in even steps.
    Linear,
    /// In powers of ten.
    Log,
    /// Shares below 1, each digit nine as wide as the one before.
    Shares,
}

/// Something that changes.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Lines over an axis.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    pub(crate) lines: Vec<Line>,
    /// Places on the axis `x` at which something happened.
    pub(crate) marks: Vec<f64>,
}

/// An axis with its bounds, in the scale's own numbers.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    fn new(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Axis {
        let most = values.clone().fold(0.0, f64::max);
        match scale {
            Scale::Seconds | Scale::Linear => {
                // Nobody in line is no tenth of somebody.
                let step = step(if scale == Scale::Linear { most.max(4.0) } else { most });
                // The time ends where the run did, a quantity at the next line of the grid.
                let high = match scale {
                    Scale::Seconds => most.max(1e-3),
                    _ => (most / step).ceil().max(1.0) * step,
                };
                let count = (high / step + 1e-9) as u32;
                let ticks = (0..=count).map(|n| f64::from(n) * step);
                let unit = if scale == Scale::Seconds { " s" } else { "" };
                let ticks = ticks.map(|value| (value, short(value) + unit)).collect();
                Axis { scale, low: 0.0, high, ticks }
            }
            Scale::Log => {
                let least = values.filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
                let least = if least.is_finite() { least.max(1e-3) } else { 1.0 };
                let low = least.log10().floor();
                let high = most.max(least * 1.0001).log10().ceil().max(low + 1.0);
                let ticks = (low as i32..=high as i32).map(f64::from);
                let ticks = ticks.map(|power| (power, short(10_f64.powf(power)))).collect();
                Axis { scale, low, high, ticks }
            }
            Scale::Shares => {
                let high = nines(most.min(0.999_999)).max(1.0).ceil();
                let names = ["0", "p90", "p99", "p99.9", "p99.99", "p99.999", "p99.9999"];
                let ticks = names.iter().zip(0..=high as u32);
                let ticks = ticks.map(|(name, n)| (f64::from(n), (*name).to_owned())).collect();
                Axis { scale, low: 0.0, high, ticks }
            }
        }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let value = match self.scale {
            Scale::Seconds | Scale::Linear => value,
            Scale::Log => value.max(10_f64.powf(self.low)).log10(),
            Scale::Shares => nines(value),
        };
        self.share(value)
    }

    fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

fn nines(share: f64) -> f64 {
    -(1.0 - share).max(1e-9).log10()
}

/// 1, 2 or 5 times a power of ten, so that there are two to five of them.
fn step(most: f64) -> f64 {
    let rough = (most / 4.0).max(1e-3);
    let power = 10_f64.powf(rough.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= rough * 0.999);
    nice.unwrap_or(10.0) * power
}

fn short(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 1e6 => (value / 1e6, "M"),
        value if value >= 1e4 => (value / 1e3, "k"),
        value => (value, ""),
    };
    let rounded = (value * 1e3).round() / 1e3;
    format!("{rounded}{unit}")
}

impl Plot {
    /// A figure of the page.
    pub(crate) fn svg(&self) -> String {
        let values = |pick: fn(&(f64, f64)) -> f64| {
            self.lines.iter().flat_map(move |line| line.points.iter().map(pick))
        };
        let x = Axis::new(self.x, values(|point| point.0).collect::<Vec<_>>().into_iter());
        let y = Axis::new(self.y, values(|point| point.1).collect::<Vec<_>>().into_iter());
        let mut svg = figure(self.title, self.unit, HEIGHT);
        grid(&mut svg, &x, &y);
        for mark in &self.marks {
            let (at, top, bottom) = (at_x(x.place(*mark)), at_y(1.0), at_y(0.0));
            put(
                &mut svg,
                format_args!(
                    "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>\n"
                ),
            );
        }
        for (line, number) in self.lines.iter().zip(0..) {
            let color = number % COLORS;
            let mut points = String::new();
            for (px, py) in thinned(&line.points) {
                let (across, up) = (x.place(px), y.place(py));
                put(&mut points, format_args!("{:.1},{:.1} ", at_x(across), at_y(up)));
            }
            put(
                &mut svg,
                format_args!(
                    "<polyline style=\"stroke:var(--c{color})\" points=\"{}\"/>\n",
                    points.trim_end()
                ),
            );
        }
        svg.push_str("</svg>\n<div class=\"legend\">");
        for (line, number) in self.lines.iter().zip(0..) {
            let (color, name) = (number % COLORS, text(line.name));
            put(
                &mut svg,
                format_args!("<span><i style=\"background:var(--c{color})\"></i>{name}</span>"),
            );
        }
        svg.push_str("</div>\n</figure>\n");
        svg
    }
}

fn at_x(share: f64) -> f64 {
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn at_y(share: f64) -> f64 {
    HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}

/// A string takes everything that is written to it.
fn put(to: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = to.write_fmt(what);
}

fn figure(title: &str, unit: &str, height: f64) -> String {
    format!(
        "<figure>\n<figcaption>{title} <span>{unit}</span></figcaption>\n\
         <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n"
    )
}

fn grid(svg: &mut String, x: &Axis, y: &Axis) {
    for (value, name) in &y.ticks {
        let at = at_y(y.share(*value));
        put(
            svg,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\n",
                WIDTH - RIGHT,
                LEFT - 5.0,
                at + 4.0
            ),
        );
    }
    for (value, name) in &x.ticks {
        let at = at_x(x.share(*value));
        let anchor = if at > WIDTH - 24.0 { "end" } else { "middle" };
        put(
            svg,
            format_args!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{name}</text>\n",
                HEIGHT - 6.0
            ),
        );
    }
}

/// Of so many points in a row the highest, where there are too many.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(POINTS_MAX).max(1);
    let highest = |some: &[(f64, f64)]| {
        some.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
    };
    points.chunks(size).map(highest).collect()
}

/// Counts by name.
pub(crate) struct Bars<'a> {
    pub(crate) title: &'static str,
    pub(crate) bars: &'a BTreeMap<String, u64>,
}

impl Bars<'_> {
    /// A figure of the page.
    pub(crate) fn svg(&self) -> String {
        const BAR: f64 = 34.0;
        const BARS_MAX: usize = 12;
        let mut bars: Vec<(&String, u64)> = self.bars.iter().map(|(name, &n)| (name, n)).collect();
        bars.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        bars.truncate(BARS_MAX);
        let most = bars.first().map_or(1, |(_, count)| (*count).max(1)) as f64;
        let mut svg = figure(self.title, "by code", (bars.len() as f64 * BAR).max(BAR) + 8.0);
        if bars.is_empty() {
            svg.push_str("<text x=\"8\" y=\"24\">none</text>\n");
        }
        for ((name, count), number) in bars.into_iter().zip(0..) {
            let top = f64::from(number) * BAR + 4.0;
            let width = (count as f64 / most * (WIDTH - 16.0)).max(1.0);
            put(
                &mut svg,
                format_args!(
                    "<text class=\"name\" x=\"8\" y=\"{:.1}\">{} {count}</text>\
                 <rect x=\"8\" y=\"{:.1}\" width=\"{width:.1}\" height=\"10\" style=\"fill:var(--c2)\"/>\n",
                    top + 12.0,
                    text(name),
                    top + 17.0
                ),
            );
        }
        svg.push_str("</svg>\n</figure>\n");
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes() {
        let axis = Axis::new(Scale::Linear, [0.0, 87.0].into_iter());
        assert_eq!(axis.high, 100.0);
        assert_eq!((axis.place(0.0), axis.place(50.0), axis.place(100.0)), (0.0, 0.5, 1.0));
        let axis = Axis::new(Scale::Log, [0.0, 0.5, 700.0].into_iter());
        assert_eq!((axis.low, axis.high), (-1.0, 3.0));
        assert_eq!((axis.place(0.0), axis.place(10.0)), (0.0, 0.5));
        let axis = Axis::new(Scale::Shares, [0.0, 0.5, 0.999].into_iter());
        assert!((axis.place(0.9) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(axis.ticks[2].1, "p99");
        for scale in [Scale::Linear, Scale::Log, Scale::Seconds, Scale::Shares] {
            for values in [&[][..], &[0.0], &[1e9], &[f64::MIN_POSITIVE]] {
                let axis = Axis::new(scale, values.iter().copied());
                assert!(axis.high > axis.low && axis.ticks.len() < 20, "{scale:?} {values:?}");
                assert!(values.iter().all(|value| (0.0..=1.0).contains(&axis.place(*value))));
            }
        }
    }

    #[test]
    fn many_points_keep_their_peaks() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|n| (f64::from(n), 1.0)).collect();
        points[7_777].1 = 9.0;
        let thin = thinned(&points);
        assert!(thin.len() <= POINTS_MAX && thin.contains(&(7_777.0, 9.0)));
    }

    #[test]
    fn names_are_text() {
        let bars = BTreeMap::from([("<b>".to_owned(), 3)]);
        let svg = Bars { title: "x", bars: &bars }.svg();
        assert!(svg.contains("&lt;b&gt; 3") && !svg.contains("<b>"));
        assert!(Bars { title: "x", bars: &BTreeMap::new() }.svg().contains("none"));
    }
}
