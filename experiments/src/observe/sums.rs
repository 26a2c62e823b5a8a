//! What a run comes to: a row per flow, per subflow, per counter.

use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::app::Exchange;
use mptcpsim_models::app::video::Viewing;
use mptcpsim_models::host::{Actor, World};
use mptcpsim_models::mptcp::{Connection, Mode};

use super::energy;
use super::flows::{Flows, srtt_ms};
use crate::explain::{PAYLOAD, directions, paths_of, slowest};
use crate::metrics;
use crate::plan::{FlowPlan, HostId, Plan, Work};
use crate::results::{CounterRow, EnergyRow, Recorder, RequestRow, SubflowRow, SummaryRow};
use crate::scenario::{App, AppDirection, Protocol};

/// The rows of all flows and of their subflows.
pub(super) fn flows(
    plan: &Plan,
    flows: &Flows,
    energy: &[EnergyRow],
    now: Time,
    world: &World,
    recorder: &mut Recorder,
) {
    let carried = carried(plan, flows, world);
    for (number, flow) in plan.flows.iter().enumerate() {
        let ends = flows.ends(number, world);
        let energy_j = flow
            .ends()
            .into_iter()
            .filter_map(|end| {
                let part = share(&carried, plan, number, end.host);
                energy::of_host(plan, energy, end.host, part)
            })
            .reduce(|a, b| a + b);
        recorder.push(SummaryRow { energy_j, ..summary(plan, flow, ends, now) });
        let exchanges = ends.iter().flatten().flat_map(|end| end.app().exchanges());
        for (exchange, number) in exchanges.zip(1..) {
            recorder.push(request(flow, number, exchange));
        }
        for (side, end) in ends.into_iter().enumerate() {
            if let Some(end) = end.filter(|end| end.app().sent() > 0) {
                subflows(flow, flows, (number, side), end, now, recorder);
            }
        }
    }
}

/// The bytes that each flow has carried.
fn carried(plan: &Plan, flows: &Flows, world: &World) -> Vec<u64> {
    let bytes = |number| {
        let ends = flows.ends(number, world);
        ends.iter().flatten().map(|end| end.app().ledger().bytes()).sum()
    };
    (0..plan.flows.len()).map(bytes).collect()
}

/// The part of a flow in what all flows of a host have carried.
fn share(carried: &[u64], plan: &Plan, number: usize, host: HostId) -> f64 {
    let there = plan.flows.iter().zip(carried);
    let there = there.filter(|(flow, _)| flow.ends().iter().any(|end| end.host == host));
    let all = there.map(|(_, bytes)| *bytes).sum::<u64>();
    let own = carried.get(number).copied().unwrap_or(0);
    if all > 0 { own as f64 / all as f64 } else { 0.0 }
}

/// The counters of all hosts.
pub(super) fn counters(plan: &Plan, world: &World, recorder: &mut Recorder) {
    for (number, host) in plan.hosts.iter().enumerate() {
        let Some(mib) = world.mib(number) else { continue };
        for (counter, value) in mib.iter(host.stack) {
            let counter = counter.name().to_owned();
            recorder.push(CounterRow { host: host.name.clone(), counter, value });
        }
    }
}

fn summary(plan: &Plan, flow: &FlowPlan, ends: [Option<&Actor>; 2], now: Time) -> SummaryRow {
    let name = |host: usize| plan.hosts.get(host).map_or(String::new(), |host| host.name.clone());
    let both = || ends.iter().flatten();
    let bytes = both().map(|end| end.app().ledger().bytes()).sum();
    let complete = is_complete(&flow.work, ends);
    let last = both().filter_map(|end| end.app().ledger().last_byte_at()).max();
    // An end that is not simulated cannot say that all has come: the last byte here is what is known.
    let end = last.filter(|_| complete || !both().count().is_multiple_of(2));
    let time = (end.unwrap_or(now) - flow.start).as_secs_f64();
    let gap = both().map(|end| end.app().ledger().longest_gap()).max_by_key(|(gap, _)| *gap);
    let gap = gap.filter(|(gap, _)| !gap.is_zero());
    let durations = durations(both().flat_map(|end| end.app().exchanges()));
    let viewing = ends[0].and_then(|end| end.app().viewing());
    let goodput_bps = if time > 0.0 { 8.0 * bytes as f64 / time } else { 0.0 };
    let of_subflows = |count: fn(&Connection, usize) -> u64| -> u64 {
        both().flat_map(|end| all_subflows(end.connection(), count)).sum()
    };
    SummaryRow {
        flow: flow.name.clone(),
        kind: kind(&flow.app).to_owned(),
        protocol: protocol(flow.from.protocol).to_owned(),
        scheduler: of_ends(flow.ends().map(|end| end.scheduler.name.name())),
        congestion_control: of_ends(flow.ends().map(|end| end.congestion_control.name.name())),
        from: name(flow.from.host.0),
        to: name(flow.to.host.0),
        bytes,
        start_s: flow.start.as_secs_f64(),
        end_s: end.map(Time::as_secs_f64),
        completion_s: end.map(|_| time),
        goodput_bps,
        complete,
        intact: both().all(|end| end.app().ledger().wrong_bytes() == 0),
        fallback: fallback(ends),
        subflows: ends[0].map_or(0, |end| established(end.connection())),
        retransmitted_packets: of_subflows(|connection, index| {
            connection.subflow(index).map_or(0, |subflow| subflow.totals().retransmissions)
        }),
        reinjected_bytes: both().map(|end| end.connection().statistics().reinjected_bytes).sum(),
        duplicate_bytes: both().map(|end| end.connection().statistics().duplicate_bytes).sum(),
        aggregation_benefit: aggregation_benefit(plan, flow, goodput_bps),
        reorder_depth_bytes: both().map(|end| end.connection().reorder_depth()).max().unwrap_or(0),
        reorder_p99_s: both()
            .filter_map(|end| end.connection().reorder_delay())
            .max()
            .map(Span::as_secs_f64),
        blocked_s: both()
            .map(|end| end.connection().blocked(now))
            .max()
            .unwrap_or(Span::ZERO)
            .as_secs_f64(),
        longest_gap_s: gap.map_or(0.0, |(gap, _)| gap.as_secs_f64()),
        longest_gap_start_s: gap.map(|(_, from)| from.as_secs_f64()),
        energy_j: None,
        requests: requests(ends),
        request_p50_s: metrics::percentile(&durations, 50.0),
        request_p99_s: metrics::percentile(&durations, 99.0),
        request_max_s: metrics::percentile(&durations, 100.0),
        late_messages: late(&flow.work, ends),
        startup_s: viewing.and_then(|viewing| viewing.startup).map(Span::as_secs_f64),
        stalls: viewing.map(|viewing| viewing.stalls),
        stalled_s: viewing.map(|viewing| viewing.stalled.as_secs_f64()),
        mean_bitrate_bps: viewing.and_then(Viewing::mean_bitrate).map(|rate| rate.as_bps()),
        quality_switches: viewing.map(|viewing| viewing.switches),
    }
}

/// As [`metrics::aggregation_benefit`], for flows that send one way as fast as they can; what paths with a link in
/// common can carry together is not known so simply.
fn aggregation_benefit(plan: &Plan, flow: &FlowPlan, goodput_bps: f64) -> Option<f64> {
    let (Work::Bulk { direction, .. } | Work::Timed { direction, .. }) = flow.work else {
        return None;
    };
    let upwards = match direction {
        AppDirection::Upload => true,
        AppDirection::Download => false,
        AppDirection::Both => return None,
    };
    let paths = paths_of(plan, flow);
    let mut passed = std::collections::BTreeSet::new();
    let mut alone = Vec::new();
    for (path, forwards) in paths {
        let links = directions(plan, path, forwards == upwards);
        if !links.into_iter().all(|link| passed.insert(link)) {
            return None;
        }
        alone.push(PAYLOAD * slowest(plan, path, forwards == upwards)?);
    }
    metrics::aggregation_benefit(goodput_bps, &alone)
}

fn request(flow: &FlowPlan, number: u64, exchange: &Exchange) -> RequestRow {
    RequestRow {
        flow: flow.name.clone(),
        request: number,
        asked_s: exchange.asked_at.as_secs_f64(),
        first_byte_s: exchange.first_byte_at.map(Time::as_secs_f64),
        answered_s: exchange.answered_at.map(Time::as_secs_f64),
        duration_s: duration(exchange).map(Span::as_secs_f64),
    }
}

fn duration(exchange: &Exchange) -> Option<Span> {
    exchange.answered_at.map(|at| at - exchange.asked_at)
}

/// How long the requests that were answered took, in seconds.
fn durations<'a>(exchanges: impl Iterator<Item = &'a Exchange>) -> Vec<f64> {
    exchanges.filter_map(duration).map(Span::as_secs_f64).collect()
}

fn all_subflows<'a>(
    connection: &'a Connection,
    count: fn(&Connection, usize) -> u64,
) -> impl Iterator<Item = u64> + 'a {
    (0..connection.subflow_count()).map(move |index| count(connection, index))
}

fn established(connection: &Connection) -> u32 {
    let ever = |index: &usize| {
        let statistics = connection.subflow_statistics(*index);
        statistics.is_some_and(|statistics| statistics.established_at().is_some())
    };
    u32::try_from((0..connection.subflow_count()).filter(ever).count()).unwrap_or(u32::MAX)
}

/// Why MPTCP is not in use, by the name of the counter that says so; empty if it is.
fn fallback(ends: [Option<&Actor>; 2]) -> String {
    let reason = ends.into_iter().flatten().find_map(|end| match end.connection().mode() {
        Mode::FellBack(counter) => Some(counter.name()),
        Mode::Mptcp | Mode::Plain => None,
    });
    reason.unwrap_or("").to_owned()
}

/// Whether everything that was to be read was read.
fn is_complete(work: &Work, ends: [Option<&Actor>; 2]) -> bool {
    let [Some(opener), Some(acceptor)] = ends else { return false };
    let read = |end: &Actor| end.app().ledger().bytes();
    let finished = |end: &Actor| end.app().is_done() && end.connection().error().is_none();
    match work {
        Work::Bulk { bytes, direction, .. } => {
            let (down, up) = (read(opener) >= bytes.get(), read(acceptor) >= bytes.get());
            match direction {
                AppDirection::Download => down,
                AppDirection::Upload => up,
                AppDirection::Both => down && up,
            }
        }
        Work::Timed { .. } => finished(opener),
        Work::Exchanges { script, .. } => read(opener) >= script.answered(script.count()),
        Work::Messages { down, up, .. } => {
            read(opener) >= down.bytes() && read(acceptor) >= up.bytes()
        }
        Work::Video(video) => {
            opener.app().viewing().is_some_and(|viewing| viewing.segments >= video.segments)
        }
    }
}

/// Requests that were answered, messages that came.
fn requests(ends: [Option<&Actor>; 2]) -> u64 {
    let exchanges = ends.into_iter().flatten().flat_map(|end| end.app().exchanges());
    exchanges.filter(|exchange| exchange.answered_at.is_some()).count() as u64
}

/// Messages that did not come within the deadline, those that did not come at all among them.
fn late(work: &Work, ends: [Option<&Actor>; 2]) -> Option<u64> {
    let Work::Messages { down, up, deadline: Some(deadline) } = work else { return None };
    let exchanges = ends.into_iter().flatten().flat_map(|end| end.app().exchanges());
    let in_time = exchanges.filter_map(duration).filter(|time| time <= deadline).count();
    Some((down.len() + up.len()).saturating_sub(in_time) as u64)
}

fn subflows(
    flow: &FlowPlan,
    flows: &Flows,
    (number, side): (usize, usize),
    end: &Actor,
    now: Time,
    recorder: &mut Recorder,
) {
    let connection = end.connection();
    let acked = |connection: &Connection, index| {
        connection.subflow(index).map_or(0, |subflow| subflow.totals().bytes_acked)
    };
    let total: u64 = all_subflows(connection, acked).sum();
    for index in 0..connection.subflow_count() {
        if let Some(row) = subflow(flow, flows, end, index, total, now) {
            let [srtt_p50_ms, srtt_p99_ms] = flows.srtt_quantiles(number, side, index);
            recorder.push(SubflowRow { srtt_p50_ms, srtt_p99_ms, ..row });
        }
    }
}

fn subflow(
    flow: &FlowPlan,
    flows: &Flows,
    end: &Actor,
    index: usize,
    total: u64,
    now: Time,
) -> Option<SubflowRow> {
    let connection = end.connection();
    let (subflow, window) = (connection.subflow(index)?, connection.window(index)?);
    let statistics = connection.subflow_statistics(index)?;
    let tuple = connection.tuple(index)?;
    let (source, destination) =
        if connection.is_client() { (tuple.src, tuple.dst) } else { (tuple.dst, tuple.src) };
    let totals = subflow.totals();
    let time = statistics
        .established_at()
        .map(|from| (statistics.closed_at().unwrap_or(now) - from).as_secs_f64());
    let rate = time.filter(|time| *time > 0.0).map(|time| 8.0 * totals.bytes_acked as f64 / time);
    Some(SubflowRow {
        flow: flow.name.clone(),
        sender: flows.host(end).to_owned(),
        subflow: u32::try_from(index).ok()?,
        path: flows.path(end, index).to_owned(),
        source: source.to_string(),
        destination: destination.to_string(),
        backup: connection.is_backup(index),
        opened_s: subflow.opened_at().as_secs_f64(),
        opened_because: opened_because(connection, index),
        established_s: statistics.established_at().map(Time::as_secs_f64),
        closed_s: statistics.closed_at().map(Time::as_secs_f64),
        closed_because: closed_because(connection, index),
        bytes: totals.bytes_acked,
        share: (total > 0).then(|| totals.bytes_acked as f64 / total as f64),
        goodput_bps: rate,
        srtt_ms: srtt_ms(window),
        min_rtt_ms: (window.min_rtt_us < u32::MAX).then(|| f64::from(window.min_rtt_us) / 1e3),
        srtt_p50_ms: None,
        srtt_p99_ms: None,
        chosen: Some(statistics.chosen.into()),
        losses: Some(totals.lost.into()),
        retransmissions: totals.retransmissions,
        spurious_retransmissions: Some(u64::from(totals.dsack_dups)),
        timeouts: Some(totals.timeouts.into()),
        reinjected_bytes: Some(statistics.reinjected_bytes),
    })
}

/// The address identifiers of a join, as the end that opened the connection counts them.
fn opened_because(connection: &Connection, index: usize) -> String {
    match connection.address_ids(index) {
        _ if index == 0 => "initial".to_owned(),
        Some((local, remote)) if connection.is_client() => join(local, remote),
        Some((local, remote)) => join(remote, local),
        None => String::new(),
    }
}

fn join(from: u8, to: u8) -> String {
    format!("join from address id {from} to {to}")
}

fn closed_because(connection: &Connection, index: usize) -> String {
    let reset = connection.subflow_statistics(index).and_then(|statistics| statistics.reset_reason);
    let error = connection.subflow(index).and_then(|subflow| subflow.error());
    match (reset, error) {
        (Some(reason), _) => format!("reset, reason {}", reason.0),
        (None, Some(error)) => error.name().to_owned(),
        (None, None) => String::new(),
    }
}

fn kind(app: &App) -> &'static str {
    match app {
        App::Bulk { .. } => "bulk",
        App::Timed { .. } => "timed",
        App::Request { .. } => "request",
        App::Page { .. } => "page",
        App::ConstantRate { .. } => "constant-rate",
        App::OnOff { .. } => "on-off",
        App::Trace { .. } => "trace",
        App::Video { .. } => "video",
    }
}

fn of_ends([from, to]: [&str; 2]) -> String {
    if from == to { from.to_owned() } else { format!("{from}, {to}") }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Mptcp => "mptcp",
        Protocol::Tcp => "tcp",
    }
}
