//! Lists of events for one congestion control, and what it makes of them, as CSV.
//!
//! Events have the columns `idx,t_us,subflow,event,acked,rtt_us,cwnd_limited`, with the events JOIN,
//! ACK, LOSS (fast retransmit), RECOVERED, RTO and LEAVE. A negative `rtt_us` is no sample; so is 0 of a
//! JOIN. The trajectory has a row per event: `idx,subflow,state,cwnd,ssthresh,cwnd_cnt,srtt_us8,
//! snd_una_pkts,aux1,aux2`, the subflow's state after it. `state` is Linux' (0 Open, 3 Recovery,
//! 4 Loss), windows are packets, `srtt_us8` is microseconds times 8; `aux1` and `aux2` are what the
//! algorithm shows of itself ([`CongestionControl::internals`](mptcpsim_models::congestion::CongestionControl::internals)),
//! empty if it shows nothing.

use std::io::{Read, Write};

use mptcpsim_models::congestion::Congestion;
use mptcpsim_models::congestion::replay::{Event, EventKind, Replay, ReplayError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a list of events cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayCcError {
    /// The list, or the trajectory, is no CSV of these columns.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// The trajectory cannot be written.
    #[error(transparent)]
    Write(#[from] std::io::Error),
    /// An event makes no sense.
    #[error("line {line}: {why}")]
    Event {
        /// The line of the list.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The algorithm cannot be replayed.
    #[error(transparent)]
    Algorithm(#[from] ReplayError),
}

#[derive(Debug, Deserialize)]
struct EventRow {
    idx: u64,
    t_us: u64,
    subflow: u32,
    event: String,
    acked: u32,
    rtt_us: i64,
    cwnd_limited: u8,
}

#[derive(Debug, Serialize)]
struct TrajectoryRow {
    idx: u64,
    subflow: u32,
    state: u8,
    cwnd: u32,
    ssthresh: u32,
    cwnd_cnt: u32,
    srtt_us8: u32,
    snd_una_pkts: u32,
    aux1: String,
    aux2: String,
}

/// Replays the list of events and writes the trajectory.
///
/// # Errors
/// If the list cannot be read or followed, or the trajectory cannot be written.
pub fn replay(
    congestion: Congestion,
    events: impl Read,
    trajectory: impl Write,
) -> Result<(), ReplayCcError> {
    let mut replay = Replay::new(congestion)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(events);
    let mut writer = csv::Writer::from_writer(trajectory);
    let headers = reader.headers()?.clone();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let row: EventRow = record.deserialize(Some(&headers))?;
        let fault = |why: String| ReplayCcError::Event { line, why };
        let event = row.event().map_err(fault)?;
        let step = |error: ReplayError| fault(error.to_string());
        replay.step(&event).map_err(step)?;
        writer.serialize(after(&replay, &row).map_err(step)?)?;
    }
    Ok(writer.flush()?)
}

impl EventRow {
    fn event(&self) -> Result<Event, String> {
        let sample = u32::try_from(self.rtt_us).ok();
        let kind = match self.event.as_str() {
            "JOIN" => EventKind::Join { rtt_us: sample.filter(|&rtt_us| rtt_us > 0) },
            "ACK" => EventKind::Ack {
                acked: self.acked,
                rtt_us: sample,
                cwnd_limited: self.cwnd_limited != 0,
            },
            "LOSS" => EventKind::Loss,
            "RECOVERED" => EventKind::Recovered,
            "RTO" => EventKind::Timeout,
            "LEAVE" => EventKind::Leave,
            other => {
                let known = "JOIN, ACK, LOSS, RECOVERED, RTO or LEAVE";
                return Err(format!("unknown event `{other}`: expected {known}"));
            }
        };
        Ok(Event { at_us: self.t_us, subflow: self.subflow, kind })
    }
}

fn after(replay: &Replay, row: &EventRow) -> Result<TrajectoryRow, ReplayError> {
    let window = replay.window(row.subflow)?;
    let internals = replay.internals(row.subflow)?;
    let aux = |index| internals.get(index).map_or(String::new(), |(_, value)| value.to_string());
    Ok(TrajectoryRow {
        idx: row.idx,
        subflow: row.subflow,
        state: window.ca_state as u8,
        cwnd: window.cwnd,
        ssthresh: window.ssthresh,
        cwnd_cnt: window.cwnd_cnt,
        srtt_us8: window.srtt_us,
        snd_una_pkts: replay.acknowledged(row.subflow)?,
        aux1: aux(0),
        aux2: aux(1),
    })
}
