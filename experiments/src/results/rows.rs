//! The rows of the tables.
//!
//! A field is a column of the CSV file of the table; its name ends in its
//! unit. Nothing known is an empty cell, never a made-up zero.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::recorder::Tables;
use crate::scenario::Table;

/// A row of one of the tables.
pub trait Row: Serialize + DeserializeOwned + Sized {
    /// The table it belongs to.
    const TABLE: Table;

    /// Where rows of this kind are kept.
    fn rows(tables: &mut Tables) -> &mut Vec<Self>;
}

/// A connection as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SummaryRow {
    /// The name of the flow.
    pub flow: String,
    /// What ran over it: the kind of the application.
    pub kind: String,
    /// The kind of socket that opened it: `mptcp` or `tcp`.
    pub protocol: String,
    /// The scheduler; of both ends, the opening one first, if they differ.
    pub scheduler: String,
    /// The congestion control; of both ends, the opening one first, if they differ.
    pub congestion_control: String,
    /// The host that opened it.
    pub from: String,
    /// The host that accepted it.
    pub to: String,
    /// Bytes that applications read, at both ends together.
    pub bytes: u64,
    /// When it was opened.
    pub start_s: f64,
    /// When the last byte was read, if everything was.
    pub end_s: Option<f64>,
    /// The time from start to end.
    pub completion_s: Option<f64>,
    /// Bytes read in bits, over the time from the start to the end, or to the end of the run.
    pub goodput_bps: f64,
    /// Whether everything that was to be sent was read.
    pub complete: bool,
    /// Whether every byte read was the byte written.
    pub intact: bool,
    /// Empty while MPTCP is in use; otherwise why the connection is plain TCP.
    pub fallback: String,
    /// How many subflows were established over time.
    pub subflows: u32,
    /// Packets sent again on the subflow they were sent on before.
    pub retransmitted_packets: u64,
    /// Bytes sent again on another subflow.
    pub reinjected_bytes: u64,
    /// Bytes that arrived more than once.
    pub duplicate_bytes: u64,
    /// What its paths are worth together: 0 if it was as fast as the best one can be, 1 if as fast as all together,
    /// -1 if nothing came; what a path can carry is what its slowest link carries as payload.
    pub aggregation_benefit: Option<f64>,
    /// How long data waited for earlier data at the receiver: the 99th percentile.
    pub reorder_p99_s: Option<f64>,
    /// How far ahead of the first missing byte data of the connection arrived at most.
    pub reorder_depth_bytes: u64,
    /// For how long altogether data of one subflow waited for older data of another one: head-of-line blocking.
    pub blocked_s: f64,
    /// The longest time in which nothing new could be read after the first byte: in a handover its gap.
    pub longest_gap_s: f64,
    /// When it began.
    pub longest_gap_start_s: Option<f64>,
    /// What the radios of both ends drew for it: by bytes, if other flows used them too.
    pub energy_j: Option<f64>,
    /// Requests that were answered, or messages that came.
    pub requests: u64,
    /// Time from a request to the last byte of its answer, or from when a message was to be written to its
    /// last byte: the median.
    pub request_p50_s: Option<f64>,
    /// The 99th percentile.
    pub request_p99_s: Option<f64>,
    /// The longest.
    pub request_max_s: Option<f64>,
    /// Messages that did not come within the deadline.
    pub late_messages: Option<u64>,
    /// Of a video: from the start to the first picture.
    pub startup_s: Option<f64>,
    /// How often playing stopped for want of data.
    pub stalls: Option<u32>,
    /// For how long altogether.
    pub stalled_s: Option<f64>,
    /// The mean bit rate of the segments that were fetched.
    pub mean_bitrate_bps: Option<u64>,
    /// How often the quality changed.
    pub quality_switches: Option<u32>,
}

/// A request and its answer, or a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequestRow {
    /// The name of the flow.
    pub flow: String,
    /// The number of the request on its connection, from 1.
    pub request: u64,
    /// When it was written, or a message was to be.
    pub asked_s: f64,
    /// When the first byte of the answer was read.
    pub first_byte_s: Option<f64>,
    /// When the last byte of the answer was read.
    pub answered_s: Option<f64>,
    /// From request to last byte.
    pub duration_s: Option<f64>,
}

/// One direction of a subflow: what its sender knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubflowRow {
    /// The name of the flow.
    pub flow: String,
    /// The host that sends.
    pub sender: String,
    /// The number of the subflow within the connection, from 0 in order of opening.
    pub subflow: u32,
    /// The name of the path.
    pub path: String,
    /// The address and port of the end that opened the connection.
    pub source: String,
    /// The address and port of the other end.
    pub destination: String,
    /// Whether it is a backup in the end.
    pub backup: bool,
    /// When it was opened.
    pub opened_s: f64,
    /// Why: `initial`, or what the path manager went by.
    pub opened_because: String,
    /// When it was established.
    pub established_s: Option<f64>,
    /// When it was closed.
    pub closed_s: Option<f64>,
    /// Why.
    pub closed_because: String,
    /// Bytes acknowledged.
    pub bytes: u64,
    /// Its part of the bytes that this sender's subflows carried, 0 to 1.
    pub share: Option<f64>,
    /// Bytes acknowledged in bits, over the time from its establishment to its end.
    pub goodput_bps: Option<f64>,
    /// Smoothed round-trip time in the end.
    pub srtt_ms: Option<f64>,
    /// Smallest round-trip time measured.
    pub min_rtt_ms: Option<f64>,
    /// The median over time of the smoothed round-trip time, by samples.
    pub srtt_p50_ms: Option<f64>,
    /// The 99th percentile.
    pub srtt_p99_ms: Option<f64>,
    /// How often the scheduler chose it for a piece of data.
    pub chosen: Option<u64>,
    /// Packets that the sender found to be lost.
    pub losses: Option<u64>,
    /// Packets sent again.
    pub retransmissions: u64,
    /// Packets that the peer got twice: retransmissions that were not needed.
    pub spurious_retransmissions: Option<u64>,
    /// Retransmission timeouts.
    pub timeouts: Option<u64>,
    /// Bytes of other subflows that were sent again on this one.
    pub reinjected_bytes: Option<u64>,
}

/// One direction of a subflow at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimeseriesRow {
    /// When.
    pub time_s: f64,
    /// The name of the flow.
    pub flow: String,
    /// The host that sends.
    pub sender: String,
    /// The number of the subflow within the connection.
    pub subflow: u32,
    /// The name of the path.
    pub path: String,
    /// Congestion window.
    pub cwnd_packets: u64,
    /// Slow-start threshold; empty while there is none.
    pub ssthresh_packets: Option<u64>,
    /// Smoothed round-trip time.
    pub srtt_ms: Option<f64>,
    /// Bytes sent and not yet acknowledged or found lost.
    pub inflight_bytes: u64,
    /// Bytes acknowledged since the start.
    pub delivered_bytes: u64,
    /// Bytes acknowledged since the sample before, in bits per second.
    pub rate_bps: f64,
    /// Window that the receiver offers.
    pub rwnd_bytes: u64,
    /// Bytes of the connection that wait at the receiver for earlier ones, whatever their subflow.
    pub out_of_order_bytes: Option<u64>,
}

/// One direction of a link over the whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LinkRow {
    /// The name of the link.
    pub link: String,
    /// `up` or `down`.
    pub direction: String,
    /// Packets that reached the queue.
    pub offered_packets: u64,
    /// Bytes that reached the queue.
    pub offered_bytes: u64,
    /// Packets that reached the other end.
    pub delivered_packets: u64,
    /// Bytes that reached the other end.
    pub delivered_bytes: u64,
    /// Packets dropped because the queue was full.
    pub overflow_packets: u64,
    /// Packets dropped by queue management.
    pub managed_packets: u64,
    /// Packets lost at random after serialisation.
    pub lost_packets: u64,
    /// Packets lost because the link was down.
    pub down_packets: u64,
    /// Packets marked with congestion experienced.
    pub marked_packets: u64,
    /// Packets delivered twice.
    pub duplicated_packets: u64,
    /// Packets delivered with a bit changed.
    pub corrupted_packets: u64,
    /// Largest backlog.
    pub max_backlog_packets: u64,
    /// Largest backlog.
    pub max_backlog_bytes: u64,
    /// How long a packet that arrives would wait: the median over time, by samples.
    pub delay_p50_ms: Option<f64>,
    /// The 99th percentile.
    pub delay_p99_ms: Option<f64>,
    /// Part of the run in which a packet was being serialised, 0 to 1.
    pub utilisation: f64,
}

/// The queue of one direction of a link at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueRow {
    /// When.
    pub time_s: f64,
    /// The name of the link.
    pub link: String,
    /// `up` or `down`.
    pub direction: String,
    /// Packets not yet fully serialised.
    pub backlog_packets: u64,
    /// Bytes not yet fully serialised.
    pub backlog_bytes: u64,
    /// How long a packet that arrives now will wait; empty if nothing is ever served.
    pub delay_ms: Option<f64>,
}

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventRow {
    /// When.
    pub time_s: f64,
    /// The host it happened at; empty if it happened in the network.
    pub host: String,
    /// The name of the flow.
    pub connection: String,
    /// The number of the subflow, if it concerns one.
    pub subflow: Option<u32>,
    /// What happened, as a fixed word.
    pub event: String,
    /// More about it.
    pub detail: String,
}

/// A counter of a host at the end of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CounterRow {
    /// The host.
    pub host: String,
    /// The name that the kernel gives it.
    pub counter: String,
    /// Its value.
    pub value: u64,
}

/// What the radio of an interface has drawn. The tail after the last packet is counted to its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EnergyRow {
    /// The host.
    pub host: String,
    /// The interface.
    pub interface: String,
    /// Time with packets, or shortly after.
    pub active_s: f64,
    /// Time in the tail.
    pub tail_s: f64,
    /// Time idle, until the end of the run.
    pub idle_s: f64,
    /// How often a packet woke it up.
    pub promotions: u64,
    /// Bytes sent, headers included.
    pub sent_bytes: u64,
    /// Bytes received, headers included.
    pub received_bytes: u64,
    /// Energy of sending and receiving.
    pub data_j: f64,
    /// Energy of being active.
    pub active_j: f64,
    /// Energy of the tail.
    pub tail_j: f64,
    /// Energy of being woken up.
    pub promotion_j: f64,
    /// Energy of being idle.
    pub idle_j: f64,
    /// All of it.
    pub energy_j: f64,
}

/// A segment with data that left: which data went over which subflow when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SequenceRow {
    /// When.
    pub time_s: f64,
    /// The name of the flow.
    pub flow: String,
    /// The host that sends.
    pub sender: String,
    /// The number of the subflow within the connection.
    pub subflow: u32,
    /// The name of the path.
    pub path: String,
    /// The data sequence number of its first byte, counted from the first one of this sender.
    pub dsn: u64,
    /// How many bytes of data it has.
    pub bytes: u64,
    /// Whether its first byte was sent before, on whatever subflow.
    pub again: bool,
}

macro_rules! rows {
    ($($row:ident: $table:ident in $field:ident;)*) => {
        $(impl Row for $row {
            const TABLE: Table = Table::$table;

            fn rows(tables: &mut Tables) -> &mut Vec<Self> {
                &mut tables.$field
            }
        })*
    };
}

rows! {
    SummaryRow: Summary in summary;
    SubflowRow: Subflows in subflows;
    TimeseriesRow: Timeseries in timeseries;
    LinkRow: Links in links;
    QueueRow: Queues in queues;
    EventRow: Events in events;
    CounterRow: Counters in counters;
    RequestRow: Requests in requests;
    EnergyRow: Energy in energy;
    SequenceRow: Sequence in sequence;
}
