//! How quantities with units look in the JSON Schema, and which text is one.
//!
//! The types themselves (`Rate`, `Span`, ...) live in the engine, which knows
//! no schemas. A field names one of the markers below for its schema; the
//! marker's `format` is what [`check_text`] goes by.

use std::borrow::Cow;
use std::net::IpAddr;

use mptcpsim_core::time::Span;
use mptcpsim_core::units::{Bytes, Probability, Rate};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::coverage::Interval;
use super::limit::Limit;
use super::sweep::SeedRange;

macro_rules! quantity {
    ($marker:ident, $name:literal, $format:literal, $types:tt, $doc:literal, $examples:tt) => {
        #[doc = $doc]
        pub(crate) struct $marker;

        impl JsonSchema for $marker {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": $types,
                    "format": $format,
                    "description": $doc,
                    "examples": $examples,
                })
            }
        }
    };
}

quantity!(
    BitRate,
    "Rate",
    "rate",
    "string",
    "A bit rate: a number and bit/s, kbit/s, Mbit/s, Gbit/s or Tbit/s.",
    ["30 Mbit/s", "2.5 Gbit/s"]
);
quantity!(
    Time,
    "Time",
    "time",
    "string",
    "A time: a number and h, min, s, ms, us, ns or ps.",
    ["15 ms", "2.5 s"]
);
quantity!(
    ByteCount,
    "Bytes",
    "bytes",
    "string",
    "A number of bytes: a number and B, KB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024).",
    ["150 KB", "20 MB"]
);
quantity!(
    Chance,
    "Probability",
    "probability",
    ["string", "number"],
    "A probability: a percentage, or a number from 0 to 1.",
    ["0.5 %", 0.005]
);
quantity!(
    QueueLimit,
    "Limit",
    "limit",
    "string",
    "The room of a queue: a number and BDP, packets, or a unit of bytes.",
    ["1 BDP", "100 packets", "150 KB"]
);
quantity!(
    TimeInterval,
    "Interval",
    "interval",
    "string",
    "A time from a first moment to a last one, or without an end.",
    ["5 s..12 s", "30 s.."]
);
quantity!(
    SeedSpan,
    "SeedRange",
    "seed-range",
    "string",
    "A range of seeds with both ends.",
    ["1..20"]
);

/// Checks text against the `format` of a schema; formats that are not ours allow any text.
pub(crate) fn check_text(format: &str, text: &str) -> Result<(), String> {
    fn parses<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<(), String> {
        text.parse::<T>().map(drop).map_err(|error| error.to_string())
    }
    match format {
        "rate" => parses::<Rate>(text),
        "time" => parses::<Span>(text),
        "bytes" => parses::<Bytes>(text),
        "probability" => parses::<Probability>(text),
        "limit" => parses::<Limit>(text),
        "interval" => parses::<Interval>(text),
        "seed-range" => parses::<SeedRange>(text),
        "ip" => parses::<IpAddr>(text).map_err(|_| {
            format!("`{text}` is not an IP address; write for example `10.0.1.1` or `fd00:1::1`")
        }),
        _ => Ok(()),
    }
}
