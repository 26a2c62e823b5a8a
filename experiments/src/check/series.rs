//! Tables of values over time, in CSV.

use std::path::Path;

use mptcpsim_core::time::Span;

use super::Report;
use super::key::KeyPath;
use super::source::read_beside;

/// Longer than any run, in seconds.
const MAX_TIME: f64 = 1e7;

/// What times of rows that follow each other may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// Each is later than the one before.
    Rise,
    /// Some may be equal.
    MayRepeat,
}

/// A table that was read.
pub(super) struct Series<T> {
    /// Its text.
    pub(super) text: String,
    /// From when which value holds, in order; at least one.
    pub(super) values: Vec<(Span, T)>,
}

/// The columns `time_s` and `column` of a file beside the scenario; `value` makes sense of the second one.
pub(super) fn read<T>(
    name: &str,
    (column, times): (&str, Times),
    folder: Option<&Path>,
    key: &KeyPath,
    value: impl Fn(f64) -> Option<T>,
    report: &mut Report,
) -> Option<Series<T>> {
    let read = read_beside(folder, name)
        .and_then(|text| Ok(Series { values: parse(&text, column, times, value)?, text }));
    read.map_err(|why| {
        let help =
            format!("name a CSV file beside the scenario with the columns `time_s` and `{column}`");
        report.invalid(key, format!("cannot use the table `{name}`: {why}"), help);
    })
    .ok()
}

fn parse<T>(
    text: &str,
    column: &str,
    times: Times,
    value: impl Fn(f64) -> Option<T>,
) -> Result<Vec<(Span, T)>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let find = |name: &str| {
        let found = header.iter().position(|column| column == name);
        found.ok_or_else(|| format!("line 1 names no column `{name}`"))
    };
    let columns = [("time_s", find("time_s")?), (column, find(column)?)];
    let mut values: Vec<(Span, T)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let number = |(name, index): (&str, usize)| {
            let text = record.get(index).unwrap_or("");
            let parsed = text.parse::<f64>().ok().filter(|number| number.is_finite());
            parsed.ok_or_else(|| format!("line {line}: `{text}` is no {name}"))
        };
        let (time, given) = (number(columns[0])?, number(columns[1])?);
        if !(0.0..=MAX_TIME).contains(&time) {
            return Err(format!("line {line}: the time {time} is not from 0 to {MAX_TIME}"));
        }
        let at = Span::from_secs_f64(time);
        let late = |before: Span| before > at || before == at && times == Times::Rise;
        if values.last().is_some_and(|(before, _)| late(*before)) {
            return Err(format!("line {line}: {time} s is not after the row before"));
        }
        let value =
            value(given).ok_or_else(|| format!("line {line}: `{column}` cannot be {given}"))?;
        values.push((at, value));
    }
    if values.is_empty() { Err("it has no row below its header".into()) } else { Ok(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(text: &str) -> Result<Vec<(Span, u64)>, String> {
        parse(text, "rate_bps", Times::Rise, |value| (value >= 0.0).then_some(value as u64))
    }

    #[test]
    fn columns_are_found_by_name() {
        let read = rates("rate_bps, note, time_s\n1e6, start, 0\n 5000 ,,1.5\n");
        assert_eq!(read, Ok(vec![(Span::ZERO, 1_000_000), (Span::from_ms(1_500), 5_000)]));
    }

    #[test]
    fn faults_name_their_line() {
        for (text, why) in [
            ("time_s,bps\n0,1\n", "line 1 names no column `rate_bps`"),
            ("time_s,rate_bps\n", "it has no row below its header"),
            ("time_s,rate_bps\n0,1\nsoon,2\n", "line 3: `soon` is no time_s"),
            ("time_s,rate_bps\n0,nan\n", "line 2: `nan` is no rate_bps"),
            ("time_s,rate_bps\n1,1\n1,2\n", "line 3: 1 s is not after the row before"),
            ("time_s,rate_bps\n-1,1\n", "line 2: the time -1 is not from 0 to 10000000"),
            ("time_s,rate_bps\n0,-5\n", "line 2: `rate_bps` cannot be -5"),
        ] {
            assert_eq!(rates(text), Err(why.to_owned()), "{text}");
        }
        assert!(rates("time_s,rate_bps\n0,1,2\n").unwrap_err().contains("line: 2"));
    }

    #[test]
    fn times_repeat_only_where_they_may() {
        let text = "time_s,bytes\n1,1\n1,2\n";
        let read = |times| parse(text, "bytes", times, Some);
        let at = Span::from_secs(1);
        assert_eq!(read(Times::MayRepeat), Ok(vec![(at, 1.0), (at, 2.0)]));
        assert!(read(Times::Rise).is_err());
        let falling = parse("time_s,bytes\n1,1\n0,2\n", "bytes", Times::MayRepeat, Some);
        assert_eq!(falling, Err("line 3: 0 s is not after the row before".into()));
    }
}
