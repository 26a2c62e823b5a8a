//! How fast a link serves and how long its way is: always the same, or varying over time.

use mptcpsim_core::time::Span;
use mptcpsim_core::units::Rate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity;
use super::workload::Times;

/// How fast a link serves its queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Capacity {
    /// The same rate at all times.
    Fixed(#[schemars(with = "quantity::BitRate")] Rate),
    /// A rate that changes at given times.
    Steps {
        /// From when which rate holds, in order; the first one holds before its time too.
        steps: Vec<RateStep>,
        /// After this time the steps begin again; without it the last one holds on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<quantity::Time>")]
        period: Option<Span>,
    },
    /// A rate that changes as a table says.
    Series {
        /// A CSV file with the columns `time_s` and `rate_bps`, others beside them or not: from when which rate
        /// holds. Looked for beside the scenario.
        #[schemars(example = &"leo.csv")]
        series: String,
        /// After this time the table begins again; without it the last row holds on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<quantity::Time>")]
        period: Option<Span>,
    },
    /// Delivery opportunities recorded on a real link.
    Trace {
        /// A file in the format of Mahimahi: a line with a time in milliseconds for each 1500 bytes that may
        /// leave. Looked for beside the scenario; repeats at its end.
        #[schemars(example = &"lte.trace")]
        trace: String,
    },
    /// A rate that goes up and down between neighbours in a list, as that of WiFi between its modulations.
    Among {
        /// The rates, the slowest first; the middle one comes first.
        #[schemars(with = "Vec<quantity::BitRate>")]
        among: Vec<Rate>,
        /// How long a rate holds.
        holding: Times,
    },
    /// Opportunities to send 1500 bytes as the scheduler of a cell grants them: a Poisson process whose rate
    /// wanders like a Brownian motion between zero and twice its mean, and stays at zero for a while when it gets
    /// there (K. Winstein et al., "Stochastic Forecasts Achieve High Throughput and Low Delay over Cellular
    /// Networks", NSDI 2013, section 3.1).
    Cellular {
        /// The mean rate, outages aside.
        #[schemars(with = "quantity::BitRate")]
        cellular: Rate,
        /// How far the rate wanders in a second: the standard deviation. Without it two fifths of the mean, as in
        /// the paper.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<quantity::BitRate>")]
        volatility: Option<Rate>,
        /// How long the rate stays at zero: the mean of an exponential distribution. It soon comes back there, so
        /// that outages of a second and more come about; the paper's forecasts are cautious and say `1 s`.
        #[serde(default = "tenth_of_second")]
        #[schemars(with = "quantity::Time")]
        outage: Span,
        /// After this time, or that of the run if it is shorter, the same comes again.
        #[serde(default = "one_minute")]
        #[schemars(with = "quantity::Time")]
        period: Span,
    },
}

/// A rate that holds from a given time on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateStep {
    /// When the rate begins to hold.
    #[schemars(with = "quantity::Time")]
    pub at: Span,
    /// The rate.
    #[schemars(with = "quantity::BitRate")]
    pub rate: Rate,
}

/// A time in which a link serves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// When service stops.
    #[schemars(with = "quantity::Time")]
    pub from: Span,
    /// When service resumes.
    #[schemars(with = "quantity::Time")]
    pub to: Span,
}

/// Propagation delay. Where it varies, packets keep the delay they left with and do not overtake each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Delay {
    /// The same delay at all times.
    Fixed(#[schemars(with = "quantity::Time")] Span),
    /// A delay that changes at given times.
    Steps {
        /// From when which delay holds, in order; the first one holds before its time too.
        steps: Vec<DelayStep>,
        /// After this time the steps begin again; without it the last one holds on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<quantity::Time>")]
        period: Option<Span>,
    },
    /// A delay that changes as a table says.
    Series {
        /// A CSV file with the columns `time_s` and `delay_s`, others beside them or not: from when which delay
        /// holds. Looked for beside the scenario.
        #[schemars(example = &"leo.csv")]
        series: String,
        /// After this time the table begins again; without it the last row holds on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<quantity::Time>")]
        period: Option<Span>,
    },
    /// A delay that is drawn anew again and again, as that of a satellite link at each handover.
    Drawn {
        /// What it is drawn from.
        drawn: Times,
        /// How long each holds.
        #[schemars(with = "quantity::Time")]
        every: Span,
    },
}

/// A delay that holds from a given time on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DelayStep {
    /// When the delay begins to hold.
    #[schemars(with = "quantity::Time")]
    pub at: Span,
    /// The delay.
    #[schemars(with = "quantity::Time")]
    pub delay: Span,
}

fn tenth_of_second() -> Span {
    Span::from_ms(100)
}

fn one_minute() -> Span {
    Span::from_secs(60)
}
