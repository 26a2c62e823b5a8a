//! What a sweep gave, as bars: a group for each configuration, a bar for each flow, the 95 % interval on it.

use std::collections::BTreeMap;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::draw::{COLOURS, Chart, Drawn, FAMILY, Picture, short};
use crate::sweep::{ALL_FLOWS, SummaryLine};

/// More bars than a page has lines.
const MOST_BARS: usize = 60;
/// Points across, and down for each bar, each group and the rest.
const WIDTH: u32 = 900;
const BAR: u32 = 14;
const GAP: u32 = 10;
const REST: u32 = 120;
/// Points for the names of configurations.
const NAMES: u32 = 230;

/// A metric that is drawn if the summary has it: its name, the title, the unit and what it is divided by.
const METRICS: [(&str, &str, &str, f64); 5] = [
    ("goodput_bps", "goodput", "Mbit/s", 1e6),
    ("completion_s", "completion time", "s", 1.0),
    ("request_p99_s", "requests, 99th percentile", "s", 1.0),
    ("longest_gap_s", "longest gap", "s", 1.0),
    ("energy_j", "energy", "J", 1.0),
];

/// Bars of one metric.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bars {
    /// The name of the file, without its ending.
    file: String,
    title: String,
    axis: String,
    /// The names of flows: one colour each.
    flows: Vec<String>,
    groups: Vec<Group>,
}

/// The bars of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
struct Group {
    name: String,
    /// Mean and half the width of its interval, by the number of the flow.
    bars: Vec<(usize, f64, Option<f64>)>,
}

/// A figure for each metric of the summary.
pub(super) fn all(name: &str, lines: &[SummaryLine]) -> Vec<Bars> {
    let figures = METRICS.iter().map(|&(metric, title, unit, size)| {
        let own = lines.iter().filter(|line| line.metric == metric && line.flow != ALL_FLOWS);
        let n = own.clone().map(|line| line.estimate.n).max().unwrap_or(0);
        let (flows, groups) = groups(own, size);
        Bars {
            file: metric.rsplit_once('_').map_or(metric, |(file, _)| file).to_owned(),
            title: format!("{name}: {title}"),
            axis: match n {
                0 | 1 => format!("{title} ({unit})"),
                n => format!("{title} ({unit}), mean and 95 % interval, n = {n}"),
            },
            flows,
            groups,
        }
    });
    figures.filter(|figure| (1..=MOST_BARS).contains(&figure.count())).collect()
}

/// Flows with one name, numbers aside, share a bar: its mean, without an interval.
fn groups<'a>(
    lines: impl Iterator<Item = &'a SummaryLine>,
    size: f64,
) -> (Vec<String>, Vec<Group>) {
    let mut flows = Vec::<String>::new();
    let mut groups = BTreeMap::<u64, (String, BTreeMap<usize, Vec<&SummaryLine>>)>::new();
    for line in lines {
        let flow = line.flow.trim_end_matches(|end: char| end.is_ascii_digit());
        let repeated = flow.strip_suffix('-').filter(|_| flow.len() < line.flow.len());
        let flow = repeated.unwrap_or(&line.flow);
        let number = flows.iter().position(|known| known == flow).unwrap_or_else(|| {
            flows.push(flow.to_owned());
            flows.len() - 1
        });
        let group = groups.entry(line.configuration).or_default();
        group.0 = line.values.join(", ");
        group.1.entry(number).or_default().push(line);
    }
    let bar = |(number, lines): (usize, Vec<&SummaryLine>)| {
        let sum = lines.iter().map(|line| line.estimate.mean).sum::<f64>();
        let interval = match lines.as_slice() {
            [one] => one.estimate.ci95,
            _ => None,
        };
        (number, sum / lines.len() as f64 / size, interval.map(|half| half / size))
    };
    let groups = groups
        .into_values()
        .map(|(name, bars)| Group { name, bars: bars.into_iter().map(bar).collect() });
    (flows, groups.collect())
}

impl Picture for Bars {
    fn file(&self) -> &str {
        &self.file
    }

    fn size(&self) -> (u32, u32) {
        (WIDTH, self.height())
    }

    fn paint<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>, scale: u32) -> Drawn<B> {
        let font = |points: u32| TextStyle::from((FAMILY, points * scale).into_font());
        root.fill(&WHITE)?;
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let ends = bars().map(|(_, mean, half)| mean + half.unwrap_or(0.0));
        let largest = ends.fold(0.0, f64::max);
        let largest = if largest > 0.0 { 1.05 * largest } else { 1.0 };
        let down = f64::from(BAR) * self.count() as f64 + f64::from(GAP) * self.groups.len() as f64;
        let mut chart = ChartBuilder::on(root)
            .caption(&self.title, font(18))
            .margin(12 * scale)
            .x_label_area_size(42 * scale)
            .y_label_area_size(NAMES * scale)
            .build_cartesian_2d(0.0..largest, down..0.0)?;
        chart
            .configure_mesh()
            .x_desc(&self.axis)
            .x_label_formatter(&short)
            .x_labels(8)
            .y_labels(0)
            .disable_y_mesh()
            .axis_desc_style(font(14))
            .label_style(font(13))
            .bold_line_style(BLACK.mix(0.15).stroke_width(scale))
            .light_line_style(TRANSPARENT)
            .draw()?;
        let named = font(13).pos(Pos::new(HPos::Right, VPos::Center));
        let mut at = f64::from(GAP) / 2.0;
        for group in &self.groups {
            let middle = at + f64::from(BAR) * group.bars.len() as f64 / 2.0;
            let (x, y) = chart.plotting_area().map_coordinate(&(0.0, middle));
            let left = i32::try_from(8 * scale).unwrap_or(8);
            root.draw(&Text::new(group.name.as_str(), (x - left, y), named.clone()))?;
            for &(flow, mean, half) in &group.bars {
                let colour = COLOURS[flow % COLOURS.len()];
                let (top, low) = (at + 1.0, at + f64::from(BAR) - 1.0);
                chart.draw_series([Rectangle::new([(0.0, top), (mean, low)], colour.filled())])?;
                if let Some(half) = half {
                    let line = [(mean - half, (top + low) / 2.0), (mean + half, (top + low) / 2.0)];
                    chart.draw_series([PathElement::new(line, BLACK.stroke_width(2 * scale))])?;
                }
                at += f64::from(BAR);
            }
            at += f64::from(GAP);
        }
        self.legend(&mut chart, scale)?;
        root.present()
    }
}

impl Bars {
    fn count(&self) -> usize {
        self.groups.iter().map(|group| group.bars.len()).sum()
    }

    fn height(&self) -> u32 {
        let count = |number: usize| u32::try_from(number).unwrap_or(0);
        REST + BAR * count(self.count()) + GAP * count(self.groups.len())
    }

    /// Which colour is which flow, if there are several.
    fn legend<'a, B: DrawingBackend + 'a>(&self, chart: &mut Chart<'a, B>, scale: u32) -> Drawn<B> {
        if self.flows.len() < 2 {
            return Ok(());
        }
        let side = i32::try_from(10 * scale).unwrap_or(10);
        for (number, flow) in self.flows.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let nothing = std::iter::empty::<Rectangle<(f64, f64)>>();
            chart.draw_series(nothing)?.label(flow).legend(move |(x, y)| {
                let half = side / 2;
                Rectangle::new([(x, y - half), (x + side, y + half)], colour.filled())
            });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .legend_area_size(18 * scale)
            .margin(6 * scale)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font((FAMILY, 13 * scale).into_font())
            .draw()
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::draw;
    use super::*;
    use crate::sweep::Estimate;

    fn line(configuration: u64, flow: &str, mean: f64) -> SummaryLine {
        let estimate = Estimate { n: 3, mean, sd: Some(1e5), ci95: Some(2e5) };
        let (values, flow) = (vec![format!("value {configuration}")], flow.to_owned());
        SummaryLine { configuration, values, flow, metric: "goodput_bps".into(), estimate }
    }

    #[test]
    fn repeated_flows_share_a_bar() {
        let lines = [
            line(0, "web-1", 1e6),
            line(0, "web-2", 3e6),
            line(0, "bulk", 5e6),
            line(0, ALL_FLOWS, 9e6),
            line(1, "bulk", 6e6),
        ];
        let figures = all("test", &lines);
        let [figure] = figures.as_slice() else { panic!("{figures:?}") };
        assert_eq!(
            (figure.file.as_str(), &figure.flows[..]),
            ("goodput", &["web".into(), "bulk".into()][..])
        );
        assert_eq!(figure.groups[0].bars, [(0, 2.0, None), (1, 5.0, Some(0.2))]);
        assert_eq!(
            figure.groups[1],
            Group { name: "value 1".into(), bars: vec![(1, 6.0, Some(0.2))] }
        );
        let folder = tempfile::tempdir().unwrap();
        for ending in ["svg", "png"] {
            draw(figure, &folder.path().join(format!("a.{ending}"))).unwrap();
        }
        let svg = std::fs::read_to_string(folder.path().join("a.svg")).unwrap();
        assert!(svg.contains("n = 3") && svg.contains("value 1") && svg.contains("web"), "{svg}");
    }

    #[test]
    fn what_no_page_holds_is_not_drawn() {
        let lines = (0..100).map(|number| line(number, "bulk", 1e6)).collect::<Vec<_>>();
        assert_eq!(all("test", &lines), []);
        assert_eq!(all("test", &[]), []);
    }
}
