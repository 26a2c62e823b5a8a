//! What one can see of a run that goes on, as JSON.

use mptcpsim::plan::Plan;
use mptcpsim::session::Session;
use mptcpsim_core::time::Span;
use mptcpsim_models::congestion::{INFINITE_SSTHRESH, Window};
use mptcpsim_models::host::Actor;
use mptcpsim_models::mptcp::{Connection, Mode};
use serde_json::{Value, json};

/// The connections of all hosts.
pub(crate) fn connections(session: &Session) -> Value {
    let world = session.simulation().hosts();
    world.actors().iter().map(|actor| connection(session.plan(), actor)).collect()
}

fn connection(plan: &Plan, actor: &Actor) -> Value {
    let connection = actor.connection();
    let (una, nxt, written) = connection.send_offsets();
    let fallback = match connection.mode() {
        Mode::Plain => Some("never-asked"),
        Mode::Mptcp => None,
        Mode::FellBack(counter) => Some(counter.name()),
    };
    let count = connection.subflow_count();
    json!({
        "flow": plan.flows.get(actor.flow()).map(|flow| &flow.name),
        "host": plan.hosts.get(actor.host()).map(|host| &host.name),
        "client": connection.is_client(),
        "state": format!("{:?}", connection.state()).to_lowercase(),
        "fallback": fallback,
        "closed": connection.is_closed(),
        "done": actor.app().is_done(),
        "error": connection.error().map(|error| format!("{error:?}")),
        "written_bytes": written,
        "sent_bytes": nxt,
        "acked_bytes": una,
        "received_bytes": connection.receive_offset(),
        "read_bytes": actor.app().ledger().bytes(),
        "out_of_order_bytes": connection.out_of_order_bytes(),
        "reinjected_bytes": connection.statistics().reinjected_bytes,
        "subflows": (0..count).filter_map(|id| subflow(plan, connection, id)).collect::<Vec<_>>(),
    })
}

fn subflow(plan: &Plan, connection: &Connection, id: usize) -> Option<Value> {
    let (subflow, window) = (connection.subflow(id)?, connection.window(id)?);
    let tuple = connection.tuple(id)?;
    let path = plan.path_between(tuple.src.ip(), tuple.dst.ip());
    let totals = subflow.totals();
    Some(json!({
        "id": id,
        "path": path.and_then(|(path, _)| plan.paths.get(path.0)).map(|path| &path.name),
        "local": tuple.src.to_string(),
        "remote": tuple.dst.to_string(),
        "state": subflow.state().name(),
        "fully_established": connection.is_fully_established(id),
        "backup": connection.is_backup(id),
        "stale": connection.is_stale(id),
        "congestion_state": format!("{:?}", window.ca_state).to_lowercase(),
        "cwnd_packets": window.cwnd,
        "ssthresh_packets": Some(window.ssthresh).filter(|it| *it < INFINITE_SSTHRESH),
        "inflight_packets": window.in_flight(),
        "mss_bytes": window.mss,
        "srtt_ms": srtt_ms(window),
        "min_rtt_ms": Some(window.min_rtt_us).filter(|it| *it < u32::MAX).map(|us| f64::from(us) / 1e3),
        "rto_ms": 1e3 * subflow.rto().as_secs_f64(),
        "pacing_rate_bps": 8.0 * window.pacing_rate as f64,
        "peer_window_bytes": subflow.snd_wnd(),
        "acked_bytes": totals.bytes_acked,
        "retransmissions": totals.retransmissions,
    }))
}

fn srtt_ms(window: &Window) -> Option<f64> {
    (window.srtt_us > 0).then(|| f64::from(window.srtt_us) / 8_000.0)
}

/// Both directions of all links.
pub(crate) fn links(session: &Session) -> Value {
    let (net, now) = (session.simulation().net(), session.now());
    let directions = session.plan().links.iter().flat_map(|link| [(link, "up"), (link, "down")]);
    let seen = directions.filter_map(|(plan, direction)| {
        let link = net.link(net.link_named(&format!("{}.{direction}", plan.name))?)?;
        let counters = link.counters();
        let delay = Some(link.queueing_delay(now)).filter(|delay| *delay != Span::MAX);
        Some(json!({
            "link": plan.name,
            "direction": direction,
            "backlog_packets": link.backlog().packets,
            "backlog_bytes": link.backlog().bytes.get(),
            "queueing_delay_ms": delay.map(|delay| 1e3 * delay.as_secs_f64()),
            "offered_packets": counters.traffic.offered.packets,
            "delivered_packets": counters.traffic.delivered.packets,
            "delivered_bytes": counters.traffic.delivered.bytes,
            "overflow_packets": counters.incidents.dropped_queue.packets,
            "managed_packets": counters.incidents.dropped_aqm.packets,
            "lost_packets": counters.incidents.lost.packets,
            "down_packets": counters.incidents.dropped_down.packets,
            "marked_packets": counters.incidents.marked.packets,
        }))
    });
    seen.collect()
}

/// The counters of all hosts, by host and by name.
pub(crate) fn counters(session: &Session) -> Value {
    let world = session.simulation().hosts();
    let hosts = session.plan().hosts.iter().enumerate().filter_map(|(number, host)| {
        let counters = world.mib(number)?.iter(host.stack);
        let counters = counters.map(|(counter, value)| (counter.name().to_owned(), value.into()));
        Some((host.name.clone(), Value::Object(counters.collect())))
    });
    Value::Object(hosts.collect())
}
