//! Ranges between two quantities, from which samples are drawn.

use std::str::FromStr;

use mptcpsim_core::time;
use mptcpsim_core::units::{Bytes, Probability, Rate};
use serde_json::{Value, json};

use crate::scenario::{Range, Scale};

/// A range whose ends are of the same kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    kind: Kind,
    from: f64,
    to: f64,
    scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Real,
    Rate,
    Time,
    Bytes,
    Probability,
}

impl Span {
    /// The range, or what is wrong with it.
    pub(crate) fn of(range: &Range) -> Result<Self, String> {
        let (from_kind, from) = number(&range.from)?;
        let (to_kind, to) = number(&range.to)?;
        let kind = match (from_kind, to_kind) {
            (a, b) if a == b => a,
            (Kind::Integer, Kind::Real) | (Kind::Real, Kind::Integer) => Kind::Real,
            _ => return Err(format!("{} and {} are of different kinds", range.from, range.to)),
        };
        if from >= to {
            return Err(format!("{} is not less than {}", range.from, range.to));
        }
        if range.scale == Scale::Log && from <= 0.0 {
            return Err("a logarithmic range cannot begin at 0".into());
        }
        Ok(Self { kind, from, to, scale: range.scale })
    }

    /// The value at `share` of the way, 0 for the lower end and 1 for the upper one.
    ///
    /// Times are whole nanoseconds, rates whole bits per second, and so on: what results print is what ran.
    pub(crate) fn at(&self, share: f64) -> Value {
        let value = match self.scale {
            Scale::Linear => self.from + (self.to - self.from) * share,
            Scale::Log => self.from * libm::exp(libm::log(self.to / self.from) * share),
        };
        let value = value.clamp(self.from, self.to);
        let whole = value.round() as u64;
        match self.kind {
            Kind::Integer => json!(value.round() as i64),
            Kind::Real => json!(value),
            Kind::Rate => json!(Rate::from_bps(whole).to_string()),
            Kind::Time => json!(time::Span::from_ns(whole).to_string()),
            Kind::Bytes => json!(Bytes::new(whole).to_string()),
            Kind::Probability => json!(value),
        }
    }
}

fn number(value: &Value) -> Result<(Kind, f64), String> {
    match value {
        Value::Number(number) if number.is_i64() => {
            Ok((Kind::Integer, number.as_f64().unwrap_or_default()))
        }
        Value::Number(number) => Ok((Kind::Real, number.as_f64().unwrap_or_default())),
        Value::String(text) => quantity(text)
            .ok_or_else(|| format!("`{text}` is no rate, time, number of bytes or probability")),
        other => Err(format!("{other} is no number")),
    }
}

fn quantity(text: &str) -> Option<(Kind, f64)> {
    fn parse<T: FromStr>(text: &str, number: impl Fn(T) -> f64) -> Option<f64> {
        text.parse().ok().map(number)
    }
    let rate = parse(text, |rate: Rate| rate.as_bps() as f64).map(|value| (Kind::Rate, value));
    rate.or_else(|| Some((Kind::Time, parse(text, |time: time::Span| time.as_ps() as f64 / 1e3)?)))
        .or_else(|| Some((Kind::Bytes, parse(text, |bytes: Bytes| bytes.get() as f64)?)))
        .or_else(|| Some((Kind::Probability, parse(text, Probability::get)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: Value, to: Value, scale: Scale) -> Result<Span, String> {
        Span::of(&Range { from, to, scale })
    }

    #[test]
    fn a_range_has_the_unit_of_its_ends() {
        let rate = span(json!("1 Mbit/s"), json!("100 Mbit/s"), Scale::Log).unwrap();
        let at = [0.0, 0.5, 1.0].map(|share| rate.at(share));
        assert_eq!(at, [json!("1 Mbit/s"), json!("10 Mbit/s"), json!("100 Mbit/s")]);
        let delay = span(json!("10 ms"), json!("1 s"), Scale::Linear).unwrap();
        assert_eq!(delay.at(0.25), json!("257500 us"));
        assert_eq!(span(json!("0 %"), json!("5 %"), Scale::Linear).unwrap().at(0.5), json!(0.025));
        assert_eq!(span(json!(1), json!(9), Scale::Linear).unwrap().at(0.49), json!(5));
        assert_eq!(
            span(json!("1 KB"), json!("3 KB"), Scale::Linear).unwrap().at(0.5),
            json!("2 KB")
        );
    }

    #[test]
    fn ends_that_do_not_fit_together_are_refused() {
        for (from, to, scale) in [
            (json!("1 ms"), json!("1 KB"), Scale::Linear),
            (json!("2 ms"), json!("1 ms"), Scale::Linear),
            (json!("0 ms"), json!("1 ms"), Scale::Log),
            (json!("wifi"), json!("lte"), Scale::Linear),
            (json!([1]), json!(2), Scale::Linear),
        ] {
            assert!(span(from.clone(), to.clone(), scale).is_err(), "{from} {to}");
        }
    }
}
