//! A metric over two quantities that were varied: a field of colours, with the numbers in it.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::draw::{Drawn, FAMILY, Picture, font, short};

/// Points of a cell, of the names beside and below, and of the rest.
const CELL: (u32, u32) = (78, 40);
const NAMES: u32 = 130;
const REST: u32 = 110;

/// A metric at each crossing of two quantities.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HeatMap {
    /// The name of the file, without its ending.
    pub(super) file: String,
    pub(super) title: String,
    /// What the colours stand for, with unit and number of runs.
    pub(super) axis: String,
    /// What varies across and upwards, with units.
    pub(super) keys: [String; 2],
    /// The values of both, in order.
    pub(super) values: [Vec<f64>; 2],
    /// Where across, where upwards, and how much.
    pub(super) cells: Vec<(usize, usize, f64)>,
}

impl Picture for HeatMap {
    fn file(&self) -> &str {
        &self.file
    }

    fn size(&self) -> (u32, u32) {
        let count = |axis: usize| u32::try_from(self.values[axis].len()).unwrap_or(0);
        (NAMES + CELL.0 * count(0) + 30, REST + CELL.1 * count(1) + 30)
    }

    fn paint<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>, scale: u32) -> Drawn<B> {
        root.fill(&WHITE)?;
        let points = |number: u32| i32::try_from(number * scale).unwrap_or(0);
        let font = |points: u32| font(points, scale);
        let middle = |text: TextStyle<'static>| text.pos(Pos::new(HPos::Center, VPos::Center));
        let rows = u32::try_from(self.values[1].len()).unwrap_or(0);
        let corner = |across: usize, up: usize| {
            let (across, up) = (across as u32, up as u32);
            (points(NAMES + CELL.0 * across), points(60 + CELL.1 * (rows - 1 - up)))
        };
        let (width, _) = self.size();
        let caption = middle(font(17));
        root.draw(&Text::new(self.title.as_str(), (points(width / 2), points(18)), caption))?;
        let head = middle(font(13));
        root.draw(&Text::new(self.axis.as_str(), (points(width / 2), points(42)), head))?;
        let (low, high) = self.range();
        for &(across, up, value) in &self.cells {
            let (x, y) = corner(across, up);
            let part = if high > low { (value - low) / (high - low) } else { 1.0 };
            let colour = shade(part);
            let end = (x + points(CELL.0) - 1, y + points(CELL.1) - 1);
            root.draw(&Rectangle::new([(x, y), end], colour.filled()))?;
            let ink = if part > 0.55 { WHITE } else { BLACK };
            let place = (x + points(CELL.0 / 2), y + points(CELL.1 / 2));
            let text = middle(font(13)).color(&ink);
            root.draw(&Text::new(three_digits(value), place, text))?;
        }
        let below = points(60 + CELL.1 * rows);
        for (at, value) in self.values[0].iter().enumerate() {
            let place = (corner(at, 0).0 + points(CELL.0 / 2), below + points(12));
            root.draw(&Text::new(short(value), place, middle(font(13))))?;
        }
        for (at, value) in self.values[1].iter().enumerate() {
            let place = (points(NAMES - 8), corner(0, at).1 + points(CELL.1 / 2));
            let text = font(13).pos(Pos::new(HPos::Right, VPos::Center));
            root.draw(&Text::new(short(value), place, text))?;
        }
        let across = (points(width / 2), below + points(34));
        root.draw(&Text::new(self.keys[0].as_str(), across, middle(font(14))))?;
        let turned = (FAMILY, 14 * scale).into_font().transform(FontTransform::Rotate270);
        let turned = middle(TextStyle::from(turned));
        let place = (points(18), points(60 + CELL.1 * rows / 2));
        root.draw(&Text::new(self.keys[1].as_str(), place, turned))?;
        root.present()
    }
}

impl HeatMap {
    fn range(&self) -> (f64, f64) {
        let values = || self.cells.iter().map(|(.., value)| *value);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    }
}

/// From light to dark blue: the order survives a print without colours and every colour blindness.
fn shade(part: f64) -> RGBColor {
    let mix = |light: f64, dark: f64| (light + part.clamp(0.0, 1.0) * (dark - light)) as u8;
    RGBColor(mix(247.0, 8.0), mix(251.0, 48.0), mix(255.0, 107.0))
}

fn three_digits(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::super::draw::{draw, svg};
    use super::*;

    #[test]
    fn cells_have_their_numbers() {
        let map = HeatMap {
            file: "goodput".into(),
            title: "test: goodput".into(),
            axis: "goodput (Mbit/s), mean, n = 5".into(),
            keys: ["wifi rate (Mbit/s)".into(), "lte delay (ms)".into()],
            values: [vec![1.0, 2.0, 5.0], vec![10.0, 20.0]],
            cells: vec![(0, 0, 1.25), (1, 0, 20.0), (2, 1, 400.0)],
        };
        let text = svg(&map).unwrap();
        for word in ["1.25", "20.0", "400", "n = 5", "wifi rate (Mbit/s)", "lte delay (ms)"] {
            assert!(text.contains(word), "{word}");
        }
        let folder = tempfile::tempdir().unwrap();
        draw(&map, &folder.path().join("a.png")).unwrap();
    }
}
