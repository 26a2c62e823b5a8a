//! How far simulations may be from measurements.

use super::super::compare::Spread;

/// How far a metric may be from its measured mean; nothing if it is not compared. The last argument is the
/// round-trip time of the slowest path.
pub(super) type Tolerance = fn(metric: &str, measured: Spread, rtt_ms: f64) -> Option<f64>;

/// Counters of handshakes, joins, addresses, priorities, resets and fallbacks: they must be equal.
/// Those of data (out-of-order queues, shared windows, duplicates) follow the packets' timing.
const EXACT_COUNTERS: [&str; 19] = [
    "MPCapable",
    "MPJoin",
    "AddAddr",
    "EchoAdd",
    "RmAddr",
    "RmSubflow",
    "MPPrio",
    "MPFastclose",
    "MPRst",
    "MPFail",
    "InfiniteMap",
    "DataCsumErr",
    "Fallback",
    "Blackhole",
    "DSSNotMatching",
    "DSSNoMatch",
    "DSSCorruption",
    "PortAdd",
    "MismatchPort",
];

/// Options whose first appearance is compared.
const TIMED_OPTIONS: [&str; 9] = [
    "MP_CAPABLE",
    "MP_JOIN",
    "ADD_ADDR",
    "RM_ADDR",
    "MP_PRIO",
    "MP_FAIL",
    "MP_FASTCLOSE",
    "MP_TCPRST",
    "(none)_SYN",
];

/// Beside Linux 6.18.
pub(super) fn linux_6_18(
    metric: &str,
    Spread { mean, deviation }: Spread,
    rtt_ms: f64,
) -> Option<f64> {
    let counter = metric.split_once("MPTcp.").map(|(_, name)| name);
    match metric {
        "complete" | "intact" | "state_client" | "state_server" => Some(0.0),
        "fct_s" => Some((0.05 * mean).max(2.0 * deviation)),
        _ if metric.starts_with("share_") => Some(0.05_f64.max(2.0 * deviation)),
        _ if metric.starts_with("t_") => {
            TIMED_OPTIONS.iter().any(|option| metric.contains(option)).then_some(rtt_ms)
        }
        _ => counter
            .filter(|name| EXACT_COUNTERS.iter().any(|exact| name.contains(exact)))
            .map(|_| 2.0 * deviation),
    }
}

/// Beside v0.94.
pub(super) fn mptcp_0_94(
    metric: &str,
    Spread { mean, deviation }: Spread,
    rtt_ms: f64,
) -> Option<f64> {
    match metric {
        "complete" | "intact" => Some(0.0),
        // Only the first of its kind is timed here.
        _ if ["_2_ms", "_3_ms", "_4_ms"].iter().any(|later| metric.ends_with(later)) => None,
        "goodput_mbps" => Some((0.1 * mean).max(2.0 * deviation)),
        _ if metric.starts_with("share_") => Some(0.1_f64.max(2.0 * deviation)),
        _ if metric.starts_with("t_MP_") || metric.starts_with("t_ADD_ADDR") => Some(rtt_ms),
        // Data of a failed subflow and duplicates follow the packets' timing.
        _ if metric.contains("MPTcp.") && !metric.contains("MPTCPRetrans") => Some(2.0 * deviation),
        _ => None,
    }
}
