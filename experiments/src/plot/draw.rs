//! A figure becomes a picture.
//!
//! Colours are those of Okabe and Ito, which colour-blind readers can tell
//! apart; dashes tell lines apart where a print has no colours.

use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{DashedPathElement, IntoDynElement};
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::PlotError;
use super::figures::{Figure, Line};

/// Width and height in points.
const SIZE: (u32, u32) = (900, 420);
/// Pixels per point of a PNG: enough for print.
const PNG_SCALE: u32 = 2;
/// The family that SVG viewers look up, and that the embedded font is registered as for PNGs.
pub(super) const FAMILY: &str = "sans-serif";
static FONT: &[u8] = include_bytes!("../../assets/Roboto-Regular.ttf");

/// Blue, vermilion, bluish green, reddish purple, orange, sky blue, yellow, and black for totals.
pub(super) const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(240, 228, 66),
    RGBColor(0, 0, 0),
];
/// Length of a dash and of the gap behind it, in points; no gap is a solid line.
const DASHES: [(u32, u32); 8] = [(1, 0), (9, 4), (3, 3), (14, 4), (6, 2), (2, 4), (12, 6), (1, 0)];

pub(super) type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub(super) type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// What can be drawn, whatever the format.
pub(super) trait Picture {
    /// The name of the file, without its ending.
    fn file(&self) -> &str;

    /// Width and height in points.
    fn size(&self) -> (u32, u32);

    /// Draws it with `scale` pixels per point.
    fn paint<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>, scale: u32) -> Drawn<B>;
}

/// Black text of so many points.
pub(super) fn font(points: u32, scale: u32) -> TextStyle<'static> {
    TextStyle::from((FAMILY, points * scale).into_font())
}

/// The axis below rows that [`beside`] names.
pub(super) fn axis_below<'a, B: DrawingBackend + 'a>(
    chart: &mut Chart<'a, B>,
    title: &str,
    labels: usize,
    scale: u32,
) -> Drawn<B> {
    chart
        .configure_mesh()
        .x_desc(title)
        .x_label_formatter(&short)
        .x_labels(labels)
        .y_labels(0)
        .disable_y_mesh()
        .axis_desc_style(font(14, scale))
        .label_style(font(13, scale))
        .bold_line_style(BLACK.mix(0.15).stroke_width(scale))
        .light_line_style(TRANSPARENT)
        .draw()
}

/// Writes a text that ends before a place of the chart ([`HPos::Right`]) or begins behind it.
pub(super) fn beside<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    chart: &Chart<'_, B>,
    place: (f64, f64),
    (side, points): (HPos, u32),
    text: &str,
    scale: u32,
) -> Drawn<B> {
    let gap = i32::try_from(8 * scale).unwrap_or(8);
    let (x, y) = chart.plotting_area().map_coordinate(&place);
    let x = if matches!(side, HPos::Right) { x - gap } else { x + gap };
    let style = font(points, scale).pos(Pos::new(side, VPos::Center));
    root.draw(&Text::new(text, (x, y), style))
}

/// Draws `picture` into `path`, whose ending says as what.
pub(super) fn draw(picture: &impl Picture, path: &Path) -> Result<(), PlotError> {
    let fail = |why: String| PlotError::Draw { path: path.to_owned(), why };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| fail(error.to_string()))?;
    }
    if path.extension().is_some_and(|ending| ending == "png") {
        register().map_err(|why| fail(why.to_owned()))?;
        let (width, height) = picture.size();
        let size = (width * PNG_SCALE, height * PNG_SCALE);
        let root = BitMapBackend::new(path, size).into_drawing_area();
        picture.paint(&root, PNG_SCALE).map_err(|error| fail(error.to_string()))
    } else {
        let text = svg(picture).map_err(fail)?;
        std::fs::write(path, text).map_err(|error| fail(error.to_string()))
    }
}

/// `picture` as text in SVG.
pub(super) fn svg(picture: &impl Picture) -> Result<String, String> {
    register()?;
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, picture.size()).into_drawing_area();
        picture.paint(&root, 1).map_err(|error| error.to_string())?;
    }
    Ok(text)
}

/// Makes the embedded font known, once.
fn register() -> Result<(), &'static str> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered =
        REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    registered.then_some(()).ok_or("the embedded font cannot be read")
}

impl Picture for Figure {
    fn file(&self) -> &str {
        &self.file
    }

    fn size(&self) -> (u32, u32) {
        SIZE
    }

    fn paint<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>, scale: u32) -> Drawn<B> {
        Painter { figure: self, scale }.paint(root)
    }
}

struct Painter<'a> {
    figure: &'a Figure,
    /// Pixels per point.
    scale: u32,
}

impl Painter<'_> {
    fn paint<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>) -> Drawn<B> {
        root.fill(&WHITE)?;
        let (times, values) = self.ranges();
        let mut chart = ChartBuilder::on(root)
            .caption(&self.figure.title, self.font(18))
            .margin(self.points(12))
            .x_label_area_size(self.points(42))
            .y_label_area_size(self.points(62))
            .build_cartesian_2d(times, values)?;
        chart
            .configure_mesh()
            .x_desc(&self.figure.x_axis)
            .y_desc(&self.figure.axis)
            .x_label_formatter(&short)
            .y_label_formatter(&short)
            .x_labels(11)
            .y_labels(7)
            .axis_desc_style(self.font(14))
            .label_style(self.font(13))
            .axis_style(BLACK.stroke_width(self.scale))
            .bold_line_style(BLACK.mix(0.15).stroke_width(self.scale))
            .light_line_style(TRANSPARENT)
            .set_all_tick_mark_size(self.points(4))
            .draw()?;
        for line in &self.figure.lines {
            self.line(&mut chart, line)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .legend_area_size(self.points(34))
            .margin(self.points(6))
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(self.font(13))
            .draw()?;
        root.present()
    }

    fn line<'a, B: DrawingBackend + 'a>(&self, chart: &mut Chart<'a, B>, line: &Line) -> Drawn<B> {
        let (style, dash) = (self.stroke(line), self.dash(line));
        if line.dots {
            return self.dots(chart, line);
        }
        for &(x, low, high) in &line.intervals {
            let ends = [(x, low.max(0.0)), (x, high)];
            chart.draw_series([PathElement::new(ends, style)])?;
        }
        for (index, piece) in line.pieces.iter().enumerate() {
            let points = piece.clone();
            let series = match dash {
                (_, 0) => chart.draw_series(LineSeries::new(points, style))?,
                (on, off) => chart.draw_series(DashedLineSeries::new(points, on, off, style))?,
            };
            if index > 0 {
                continue;
            }
            let width = i32::try_from(self.points(26)).unwrap_or(26);
            series.label(&line.name).legend(move |(x, y)| {
                let ends = vec![(x, y), (x + width, y)];
                match dash {
                    (_, 0) => PathElement::new(ends, style).into_dyn(),
                    (on, off) => DashedPathElement::new(ends, on, off, style).into_dyn(),
                }
            });
        }
        Ok(())
    }

    /// A dot for each point, without a line between them.
    fn dots<'a, B: DrawingBackend + 'a>(&self, chart: &mut Chart<'a, B>, line: &Line) -> Drawn<B> {
        let colour = COLOURS[line.style % COLOURS.len()];
        let side = self.points(if line.minor { 3 } else { 1 });
        let points = line.pieces.iter().flatten();
        let dots = points.map(|&point| Circle::new(point, side, colour.filled()));
        let (middle, size) = (self.points(13), self.points(3));
        let middle = i32::try_from(middle).unwrap_or(13);
        chart
            .draw_series(dots)?
            .label(&line.name)
            .legend(move |(x, y)| Circle::new((x + middle, y), size, colour.filled()));
        Ok(())
    }

    fn stroke(&self, line: &Line) -> ShapeStyle {
        let colour = COLOURS[line.style % COLOURS.len()];
        let width = if line.minor { self.scale } else { 2 * self.scale };
        let strength = if line.minor { 0.6 } else { 1.0 };
        colour.mix(strength).stroke_width(width)
    }

    fn dash(&self, line: &Line) -> (u32, u32) {
        let (on, off) = if line.minor { (2, 2) } else { DASHES[line.style % DASHES.len()] };
        (on * self.scale, off * self.scale)
    }

    /// From the start to the last moment, and from zero to above the largest value, with room for the legend.
    fn ranges(&self) -> (Range<f64>, Range<f64>) {
        let points = || self.figure.lines.iter().flat_map(|line| line.pieces.iter().flatten());
        let last = points().map(|point| point.0).fold(0.0, f64::max);
        let highs = self.figure.lines.iter().flat_map(|line| &line.intervals);
        let highs = highs.map(|interval| interval.2);
        let largest = points().map(|point| point.1).chain(highs).fold(0.0, f64::max);
        let last = if last > 0.0 { last } else { 1.0 };
        let headroom = 1.05 + 0.07 * self.figure.lines.len() as f64;
        let largest = if largest > 0.0 { largest * headroom } else { 1.0 };
        (0.0..last, 0.0..largest)
    }

    fn font(&self, points: u32) -> TextStyle<'static> {
        (FAMILY, self.points(points)).into_font().into()
    }

    fn points(&self, points: u32) -> u32 {
        points * self.scale
    }
}

/// A number as short as an axis needs it.
pub(crate) fn short(value: &f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::figures::all;
    use crate::results::{Tables, TimeseriesRow};

    #[test]
    fn figures_become_pictures_of_both_kinds() {
        let rows = (0..100_u32).flat_map(|tick| {
            [("wifi", 0), ("lte", 1)].map(|(path, subflow)| TimeseriesRow {
                time_s: f64::from(tick) / 10.0,
                path: path.into(),
                subflow,
                rate_bps: 1e6 * f64::from(tick % 17 + 1),
                cwnd_packets: u64::from(tick % 23 + 5),
                ssthresh_packets: (tick > 30).then_some(12),
                srtt_ms: Some(30.0 + f64::from(tick % 11)),
                ..TimeseriesRow::default()
            })
        });
        let folder = tempfile::tempdir().unwrap();
        let tables = Tables { timeseries: rows.collect(), ..Tables::default() };
        let figures = all("test", &tables);
        assert_eq!(figures.len(), 5);
        for figure in &figures {
            let (svg, png) = (folder.path().join("a.svg"), folder.path().join("a.png"));
            draw(figure, &svg).unwrap();
            draw(figure, &png).unwrap();
            let svg = std::fs::read_to_string(svg).unwrap();
            assert!(svg.contains(&figure.axis) && svg.contains("time (s)"), "{svg}");
            let png = std::fs::read(png).unwrap();
            assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        }
    }

    #[test]
    fn a_picture_that_cannot_be_written_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (x_axis, axis) = (String::new(), String::new());
        let figure =
            Figure { file: "x".into(), title: String::new(), x_axis, axis, lines: Vec::new() };
        let error = draw(&figure, &file.path().join("x.svg")).unwrap_err().to_string();
        assert!(error.contains("x.svg"), "{error}");
    }
}
