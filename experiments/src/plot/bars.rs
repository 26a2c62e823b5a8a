//! What a sweep gave, as bars: a group for each configuration, a bar for each flow, the 95 % interval on it. Or as
//! boxes over seeds: from the first to the third quartile, with the median, between the smallest and the largest.

use std::collections::BTreeMap;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::draw::{COLOURS, Chart, Drawn, FAMILY, Picture, axis_below, beside, font};
use super::figures::unnumbered;
use super::varied::{Metric, title_of};
use crate::metrics::percentile;
use crate::sweep::SummaryLine;

/// More bars than a page has lines.
pub(super) const MOST_BARS: usize = 60;
/// Points across, and down for each bar, each group and the rest.
const WIDTH: u32 = 900;
const BAR: u32 = 14;
const GAP: u32 = 10;
const REST: u32 = 120;
/// Points for the names of configurations.
const NAMES: u32 = 230;

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
    /// By the number of the flow.
    bars: Vec<(usize, Mark)>,
}

/// What stands for a flow.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mark {
    /// Mean and half the width of its interval.
    Mean(f64, Option<f64>),
    /// Smallest, quartiles, largest.
    Box([f64; 5]),
}

impl Mark {
    fn largest(&self) -> f64 {
        match self {
            Self::Mean(mean, half) => mean + half.unwrap_or(0.0),
            Self::Box([.., largest]) => *largest,
        }
    }
}

/// Bars of a metric; none without any, or if no page holds them.
pub(super) fn bars(name: &str, metric: Metric, own: &[&SummaryLine]) -> Option<Bars> {
    let n = own.iter().map(|line| line.estimate.n).max().unwrap_or(0);
    let (flows, groups) = groups(own.iter().copied(), metric.size);
    let title = format!("{name}: {}", metric.title);
    Bars { file: metric.file().to_owned(), title, axis: metric.axis(n), flows, groups }.if_fits()
}

/// The samples of a configuration, flow by flow.
pub(super) type Samples = Vec<(String, Vec<f64>)>;

/// Boxes of a metric over seeds; none without any, or if no page holds them.
pub(super) fn boxes(name: &str, metric: &Metric, samples: Vec<(String, Samples)>) -> Option<Bars> {
    let mut flows = Vec::<String>::new();
    let mut n = 0;
    let groups = samples.into_iter().map(|(name, samples)| {
        let bars = samples.into_iter().filter_map(|(flow, values)| {
            let quartile = |percent| percentile(&values, percent);
            let five = [
                quartile(0.0)?,
                quartile(25.0)?,
                quartile(50.0)?,
                quartile(75.0)?,
                quartile(100.0)?,
            ];
            n = n.max(values.len());
            let number = flows.iter().position(|known| *known == flow).unwrap_or_else(|| {
                flows.push(flow);
                flows.len() - 1
            });
            Some((number, Mark::Box(five)))
        });
        Group { name, bars: bars.collect() }
    });
    let groups = groups.collect();
    let axis =
        format!("{} ({}), quartiles, smallest and largest, n = {n}", metric.title, metric.unit);
    let (file, title) = (format!("{}-box", metric.file()), format!("{name}: {}", metric.title));
    Bars { file, title, axis, flows, groups }.if_fits()
}

/// Flows with one name, numbers aside, share a bar: its mean, without an interval.
fn groups<'a>(
    lines: impl Iterator<Item = &'a SummaryLine>,
    size: f64,
) -> (Vec<String>, Vec<Group>) {
    let mut flows = Vec::<String>::new();
    let mut groups = BTreeMap::<u64, (String, BTreeMap<usize, Vec<&SummaryLine>>)>::new();
    for line in lines {
        let flow = unnumbered(&line.flow);
        let number = flows.iter().position(|known| known == flow).unwrap_or_else(|| {
            flows.push(flow.to_owned());
            flows.len() - 1
        });
        let group = groups.entry(line.configuration).or_default();
        group.0 = title_of(&line.values);
        group.1.entry(number).or_default().push(line);
    }
    let bar = |(number, lines): (usize, Vec<&SummaryLine>)| {
        let sum = lines.iter().map(|line| line.estimate.mean).sum::<f64>();
        let interval = match lines.as_slice() {
            [one] => one.estimate.ci95,
            _ => None,
        };
        let mark = Mark::Mean(sum / lines.len() as f64 / size, interval.map(|half| half / size));
        (number, mark)
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
        root.fill(&WHITE)?;
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let largest = bars().map(|(_, mark)| mark.largest()).fold(0.0, f64::max);
        let largest = if largest > 0.0 { 1.05 * largest } else { 1.0 };
        let down = f64::from(BAR) * self.count() as f64 + f64::from(GAP) * self.groups.len() as f64;
        let mut chart = ChartBuilder::on(root)
            .caption(&self.title, font(18, scale))
            .margin(12 * scale)
            .x_label_area_size(42 * scale)
            .y_label_area_size(NAMES * scale)
            .build_cartesian_2d(0.0..largest, down..0.0)?;
        axis_below(&mut chart, &self.axis, 8, scale)?;
        let mut at = f64::from(GAP) / 2.0;
        for group in &self.groups {
            let middle = at + f64::from(BAR) * group.bars.len() as f64 / 2.0;
            beside(root, &chart, (0.0, middle), (HPos::Right, 13), &group.name, scale)?;
            for &(flow, mark) in &group.bars {
                bar(&mut chart, (at + 1.0, at + f64::from(BAR) - 1.0), flow, mark, scale)?;
                at += f64::from(BAR);
            }
            at += f64::from(GAP);
        }
        self.legend(&mut chart, scale)?;
        root.present()
    }
}

/// Draws what stands for a flow between two heights.
fn bar<'a, B: DrawingBackend + 'a>(
    chart: &mut Chart<'a, B>,
    (top, low): (f64, f64),
    flow: usize,
    mark: Mark,
    scale: u32,
) -> Drawn<B> {
    let colour = COLOURS[flow % COLOURS.len()];
    let middle = (top + low) / 2.0;
    let black = BLACK.stroke_width(2 * scale);
    match mark {
        Mark::Mean(mean, half) => {
            chart.draw_series([Rectangle::new([(0.0, top), (mean, low)], colour.filled())])?;
            if let Some(half) = half {
                let ends = [(mean - half, middle), (mean + half, middle)];
                chart.draw_series([PathElement::new(ends, black)])?;
            }
        }
        Mark::Box([smallest, first, median, third, largest]) => {
            let ends = [(smallest, middle), (largest, middle)];
            chart.draw_series([PathElement::new(ends, black)])?;
            chart.draw_series([Rectangle::new([(first, top), (third, low)], colour.filled())])?;
            let ends = [(median, top), (median, low)];
            chart.draw_series([PathElement::new(ends, WHITE.stroke_width(2 * scale))])?;
        }
    }
    Ok(())
}

impl Bars {
    fn if_fits(self) -> Option<Self> {
        (1..=MOST_BARS).contains(&self.count()).then_some(self)
    }

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
    use super::super::varied::METRICS;
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
            line(1, "bulk", 6e6),
        ];
        let figure = &bars("test", METRICS[0], &lines.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(
            (figure.file.as_str(), &figure.flows[..]),
            ("goodput", &["web".into(), "bulk".into()][..])
        );
        let marks = [(0, Mark::Mean(2.0, None)), (1, Mark::Mean(5.0, Some(0.2)))];
        assert_eq!(figure.groups[0].bars, marks);
        assert_eq!(
            figure.groups[1],
            Group { name: "value 1".into(), bars: vec![(1, Mark::Mean(6.0, Some(0.2)))] }
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
        assert_eq!(bars("test", METRICS[0], &lines.iter().collect::<Vec<_>>()), None);
        assert_eq!(bars("test", METRICS[0], &[]), None);
    }

    #[test]
    fn boxes_are_quartiles() {
        let values = [3.0, 1.0, 2.0, 5.0, 4.0].to_vec();
        let samples = vec![("lia".to_owned(), vec![("bulk".to_owned(), values)])];
        let figure = boxes("test", &METRICS[0], samples).unwrap();
        assert_eq!(figure.groups[0].bars, [(0, Mark::Box([1.0, 2.0, 3.0, 4.0, 5.0]))]);
        let text = super::super::draw::svg(&figure).unwrap();
        assert!(text.contains("n = 5") && text.contains("lia"), "{text}");
    }
}
