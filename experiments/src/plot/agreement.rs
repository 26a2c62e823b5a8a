//! Simulations beside real kernels: how far each value is from the kernels', in tolerances. A picture for each
//! scenario, and one for all.
//!
//! What agrees is a dot inside the band, what differs a triangle; a bar through it is the spread of the simulations,
//! one around zero that of the kernels.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::PlotError;
use super::draw::{COLOURS, Chart, Drawn, FAMILY, Picture, axis_below, beside, font};
use crate::validate::{Comparison, headline};

/// The file that it is drawn from.
pub(super) const TABLE: &str = "validation.csv";

/// What is along the axis.
const AXIS: &str = "simulated - measured, in tolerances; bars are standard deviations, grey ones of what was measured";
/// Points across, down for each row and the rest.
const WIDTH: u32 = 900;
const ROW: u32 = 16;
const REST: u32 = 130;
/// Points for names and values.
const NAMES: u32 = 250;
const VALUES: u32 = 200;
/// Sizes of marks in points.
const DOT: u32 = 4;
const TRIANGLE: u32 = 6;
/// What is further away stands here.
const FAR: f64 = 3.0;

/// Rows of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Agreement {
    /// The name of the file, without its ending.
    file: String,
    title: String,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    values: String,
    /// From the kernels' mean, in tolerances.
    difference: f64,
    /// The standard deviations of simulations and kernels, in tolerances.
    deviations: [f64; 2],
    agrees: bool,
}

/// All pictures of a table of comparisons.
pub(super) fn all(folder: &Path) -> Result<Vec<Agreement>, PlotError> {
    let wrong = |error: csv::Error| PlotError::NoResults {
        folder: folder.to_owned(),
        why: format!("{TABLE}: {error}"),
    };
    let table = csv::Reader::from_path(folder.join(TABLE)).map_err(wrong)?.into_deserialize();
    let rows = table.collect::<Result<Vec<Comparison>, _>>().map_err(wrong)?;
    Ok(pictures(&rows))
}

fn pictures(rows: &[Comparison]) -> Vec<Agreement> {
    let scenarios: Vec<_> = rows.chunk_by(|a, b| a.scenario == b.scenario).collect();
    let mut pictures: Vec<_> = scenarios.iter().map(|rows| scenario(rows)).collect();
    let heads: Vec<_> = scenarios.iter().filter_map(|rows| headline(rows)).collect();
    if let [first, _, ..] = heads.as_slice() {
        pictures.push(Agreement {
            file: "all-scenarios".to_owned(),
            title: format!("{} of all scenarios", first.metric),
            rows: heads.iter().map(|row| Row::new(&row.scenario, row)).collect(),
        });
    }
    pictures
}

fn scenario(rows: &[Comparison]) -> Agreement {
    let name = rows.first().map_or("", |row| row.scenario.as_str());
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    Agreement {
        file: name.chars().map(plain).collect(),
        title: format!("{name}: simulated and measured"),
        rows: rows.iter().map(|row| Row::new(&row.metric, row)).collect(),
    }
}

impl Row {
    fn new(name: &str, row: &Comparison) -> Self {
        let in_tolerances = |value: f64| match (value == 0.0, row.tolerance > 0.0) {
            (true, _) => 0.0,
            (false, true) => value / row.tolerance,
            (false, false) => value.signum() * f64::INFINITY,
        };
        let difference = match (row.simulated_mean, row.kernel_mean) {
            (Some(ours), Some(theirs)) => in_tolerances(ours - theirs),
            (Some(_), None) => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        };
        let deviation = |deviation: Option<f64>| in_tolerances(deviation.unwrap_or_default());
        Self {
            name: name.to_owned(),
            values: format!("{}  |  {}", row.simulated(), row.kernel()),
            difference,
            deviations: [row.simulated_deviation, row.kernel_deviation].map(deviation),
            agrees: row.agrees,
        }
    }
}

impl Picture for Agreement {
    fn file(&self) -> &str {
        &self.file
    }

    fn size(&self) -> (u32, u32) {
        (WIDTH, REST + ROW * u32::try_from(self.rows.len()).unwrap_or(0))
    }

    fn paint<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>, scale: u32) -> Drawn<B> {
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(root)
            .caption(&self.title, font(18, scale))
            .margin(12 * scale)
            .x_label_area_size(42 * scale)
            .y_label_area_size(NAMES * scale)
            .right_y_label_area_size(VALUES * scale)
            .build_cartesian_2d(-1.05 * FAR..1.05 * FAR, self.rows.len() as f64 + 1.5..-0.5)?;
        self.band(&mut chart)?;
        axis_below(&mut chart, AXIS, 7, scale)?;
        for (number, row) in self.rows.iter().enumerate() {
            let at = number as f64 + 0.5;
            let (left, right) = ((-1.05 * FAR, at), (1.05 * FAR, at));
            beside(root, &chart, left, (HPos::Right, 12), &row.name, scale)?;
            beside(root, &chart, right, (HPos::Left, 12), &row.values, scale)?;
            row.draw(&mut chart, at, scale)?;
        }
        legend(&mut chart, scale)?;
        root.present()
    }
}

impl Agreement {
    /// Where values agree.
    fn band<'a, B: DrawingBackend + 'a>(&self, chart: &mut Chart<'a, B>) -> Drawn<B> {
        let (top, low) = (-0.5, self.rows.len() as f64 + 1.5);
        let band = Rectangle::new([(-1.0, top), (1.0, low)], BLACK.mix(0.08).filled());
        let zero = PathElement::new([(0.0, top), (0.0, low)], BLACK.mix(0.5));
        chart.draw_series([band])?;
        chart.draw_series([zero])?;
        Ok(())
    }
}

impl Row {
    fn draw<'a, B: DrawingBackend + 'a>(
        &self,
        chart: &mut Chart<'a, B>,
        at: f64,
        scale: u32,
    ) -> Drawn<B> {
        let near = |x: f64| x.clamp(-FAR, FAR);
        let here = near(self.difference);
        let [ours, theirs] = self.deviations;
        let kernels = [(near(-theirs), at - 0.2), (near(theirs), at + 0.2)];
        chart.draw_series([Rectangle::new(kernels, BLACK.mix(0.3).filled())])?;
        let ends = [(near(here - ours), at), (near(here + ours), at)];
        let line = colour(self.agrees).stroke_width(2 * scale);
        chart.draw_series([PathElement::new(ends, line)])?;
        let style = colour(self.agrees).filled();
        if self.agrees {
            chart.draw_series([Circle::new((here, at), DOT * scale, style)])?;
        } else {
            chart.draw_series([TriangleMarker::new((here, at), TRIANGLE * scale, style)])?;
        }
        Ok(())
    }
}

fn colour(agrees: bool) -> RGBColor {
    COLOURS[usize::from(!agrees)]
}

fn legend<'a, B: DrawingBackend + 'a>(chart: &mut Chart<'a, B>, scale: u32) -> Drawn<B> {
    let middle = i32::try_from(8 * scale).unwrap_or(8);
    let nothing = std::iter::empty::<Circle<(f64, f64), u32>>;
    chart
        .draw_series(nothing())?
        .label("agrees")
        .legend(move |(x, y)| Circle::new((x + middle, y), DOT * scale, colour(true).filled()));
    chart.draw_series(nothing())?.label("differs").legend(move |(x, y)| {
        TriangleMarker::new((x + middle, y), TRIANGLE * scale, colour(false).filled())
    });
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .legend_area_size(18 * scale)
        .margin(4 * scale)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font((FAMILY, 12 * scale).into_font())
        .draw()
}

#[cfg(test)]
mod tests {
    use super::super::draw::{draw, svg};
    use super::*;

    fn row(scenario: &str, metric: &str, ours: f64, theirs: f64) -> Comparison {
        Comparison {
            scenario: scenario.into(),
            metric: metric.into(),
            simulated_mean: Some(ours),
            simulated_deviation: Some(0.0),
            kernel_mean: Some(theirs),
            kernel_deviation: Some(0.05),
            tolerance: 0.1,
            agrees: (ours - theirs).abs() <= 0.1,
            cause: None,
        }
    }

    #[test]
    fn each_scenario_has_a_picture_and_all_have_one() {
        let rows = [
            row("a/b", "completion_s", 1.05, 1.0),
            row("a/b", "share", 0.5, 0.5),
            row("c", "completion_s", 1.3, 1.0),
        ];
        let pictures = pictures(&rows);
        let files: Vec<_> = pictures.iter().map(|picture| picture.file.as_str()).collect();
        assert_eq!(files, ["a-b", "c", "all-scenarios"]);
        let all = &pictures[2];
        assert_eq!(all.rows.len(), 2);
        assert!((all.rows[0].difference - 0.5).abs() < 1e-9 && all.rows[0].agrees);
        assert!((all.rows[1].difference - 3.0).abs() < 1e-9 && !all.rows[1].agrees);
        let text = svg(all).unwrap();
        for part in ["completion_s", "a/b", "differs", "1.300", "polygon"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let folder = tempfile::tempdir().unwrap();
        draw(&pictures[0], &folder.path().join("a.png")).unwrap();
    }

    #[test]
    fn what_has_no_tolerance_or_no_other_side_is_far_away() {
        let exact = |ours, theirs| Comparison { tolerance: 0.0, ..row("a", "n", ours, theirs) };
        assert!(Row::new("n", &exact(1.0, 2.0)).difference < -FAR);
        assert!(Row::new("n", &exact(2.0, 2.0)).difference == 0.0);
        let alone = Comparison { kernel_mean: None, ..row("a", "n", 1.0, 1.0) };
        assert!(Row::new("n", &alone).difference > FAR);
    }
}
