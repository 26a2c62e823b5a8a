//! What assertions can ask of a socket: the fields of `tcp_info` and `mptcp_info`.

use mptcpsim_core::time::Time;

use crate::mptcp::{Connection, Mode};
use crate::observe::mib::{Counter, Mib};
use crate::tcp::{Negotiated, State};

/// The value of the name `name` at `now` for a connection's subflow, if the simulated host has it.
pub(super) fn value(
    connection: Option<&Connection>,
    index: usize,
    (mib, now): (&Mib, Time),
    name: &str,
) -> Option<i64> {
    constant(name).or_else(|| counter(mib, name)).or_else(|| {
        let connection = connection?;
        match name.strip_prefix("tcpi_") {
            Some(field) => tcp(connection, index, now, field),
            None if name == "SK_MEMINFO_RCVBUF" => {
                connection.subflow(index).map(|subflow| i64::from(subflow.rcvbuf()))
            }
            None => mptcp(connection, name.strip_prefix("mptcpi_")?),
        }
    })
}

/// Python's and the kernel's constants.
fn constant(name: &str) -> Option<i64> {
    Some(match name {
        "True" => 1,
        "False" | "None" => 0,
        "TCP_CA_Open" => 0,
        "TCP_CA_Disorder" => 1,
        "TCP_CA_CWR" => 2,
        "TCP_CA_Recovery" => 3,
        "TCP_CA_Loss" => 4,
        "TCP_ESTABLISHED" => 1,
        "TCP_SYN_SENT" => 2,
        "TCP_SYN_RECV" => 3,
        "TCP_FIN_WAIT1" => 4,
        "TCP_FIN_WAIT2" => 5,
        "TCP_TIME_WAIT" => 6,
        "TCP_CLOSE" => 7,
        "TCP_CLOSE_WAIT" => 8,
        "TCP_LAST_ACK" => 9,
        "TCP_LISTEN" => 10,
        "TCP_CLOSING" => 11,
        "TCPI_OPT_TIMESTAMPS" => 1,
        "TCPI_OPT_SACK" => 2,
        "TCPI_OPT_WSCALE" => 4,
        "TCPI_OPT_ECN" => 8,
        "TCPI_OPT_SYN_DATA" => 32,
        _ => return None,
    })
}

/// A counter of the host by the name that `nstat` has for it.
fn counter(mib: &Mib, name: &str) -> Option<i64> {
    let counter = Counter::ALL.iter().find(|counter| counter.name() == name)?;
    i64::try_from(mib.get(*counter)).ok()
}

fn tcp(connection: &Connection, index: usize, now: Time, field: &str) -> Option<i64> {
    let info = connection.tcp_info(index)?;
    let totals = &info.totals;
    let value = match field {
        "state" => i64::from(state(info.state)),
        "ca_state" => info.ca_state as i64,
        "retransmits" => i64::from(info.retransmits),
        "probes" => i64::from(info.probes),
        "backoff" => i64::from(info.backoff),
        "options" => {
            let by_syn = index == 0 && connection.opened_with_data();
            options(info.options) | i64::from(by_syn) << 5
        }
        "snd_wscale" => i64::from(info.options.snd_wscale),
        "rcv_wscale" => i64::from(info.options.rcv_wscale),
        "rto" => info.rto.as_us() as i64,
        "ato" => info.ato.as_us() as i64,
        "snd_mss" => i64::from(info.snd_mss),
        "rcv_mss" => i64::from(info.rcv_mss),
        "advmss" => i64::from(info.advmss),
        "pmtu" => i64::from(info.pmtu),
        "unacked" => i64::from(info.unacked),
        "sacked" => i64::from(info.sacked),
        "lost" => i64::from(info.lost),
        "retrans" => i64::from(info.retrans),
        "rcv_ssthresh" => i64::from(info.rcv_ssthresh),
        "rtt" => i64::from(info.rtt),
        "rttvar" => i64::from(info.rttvar),
        "min_rtt" => i64::from(info.min_rtt),
        "snd_ssthresh" => i64::from(info.snd_ssthresh),
        "snd_cwnd" => i64::from(info.snd_cwnd),
        "reordering" => i64::from(info.reordering),
        "rcv_rtt" => i64::from(info.rcv_rtt),
        "total_retrans" => totals.retransmissions as i64,
        "pacing_rate" => info.pacing_rate as i64,
        "delivery_rate" => info.delivery_rate as i64,
        "delivered" => i64::from(info.delivered),
        "delivered_ce" => i64::from(totals.delivered_ce),
        "busy_time" => info.chrono.busy(now).as_us() as i64,
        "rwnd_limited" => info.chrono.window_limited(now).as_us() as i64,
        "sndbuf_limited" => info.chrono.buffer_limited(now).as_us() as i64,
        "bytes_acked" => totals.bytes_acked as i64,
        "bytes_received" => totals.bytes_received as i64,
        "bytes_sent" => totals.bytes_sent as i64,
        "bytes_retrans" => totals.bytes_retransmitted as i64,
        "last_data_sent" => now.since(info.last_data_sent).as_ms() as i64,
        "last_data_recv" => now.since(info.last_data_recv).as_ms() as i64,
        "last_ack_recv" => now.since(info.last_ack_recv).as_ms() as i64,
        "segs_out" => totals.segs_out as i64,
        "segs_in" => totals.segs_in as i64,
        "data_segs_out" => totals.data_segs_out as i64,
        "data_segs_in" => totals.data_segs_in as i64,
        "notsent_bytes" => i64::from(info.notsent_bytes),
        "reord_seen" => totals.reord_seen as i64,
        "rcv_ooopack" => totals.rcv_ooopack as i64,
        "rcv_space" => i64::from(info.rcv_space),
        "dsack_dups" => totals.dsack_dups as i64,
        "snd_wnd" => i64::from(info.snd_wnd),
        "rcv_wnd" => i64::from(info.rcv_wnd),
        _ => return None,
    };
    Some(value)
}

fn state(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Closing => 11,
    }
}

fn options(agreed: Negotiated) -> i64 {
    i64::from(agreed.timestamps)
        | i64::from(agreed.sack) << 1
        | i64::from(agreed.window_scaling) << 2
        | i64::from(agreed.ecn) << 3
}

fn mptcp(connection: &Connection, field: &str) -> Option<i64> {
    let statistics = connection.statistics();
    let fell_back = matches!(connection.mode(), Mode::FellBack(_));
    let joined = (1..connection.subflow_count()).filter(|index| {
        connection.subflow(*index).is_some_and(|subflow| subflow.state() == State::Established)
    });
    let (una, _, written) = connection.send_offsets();
    let value = match field {
        "subflows" => joined.count() as i64,
        "flags" => i64::from(fell_back) | i64::from(connection.keys().1.is_some()) << 1,
        "token" => i64::from(connection.local_token()),
        "csum_enabled" => i64::from(connection.checksum()),
        "retransmits" => statistics.retransmits as i64,
        "bytes_retrans" => statistics.reinjected_bytes as i64,
        "bytes_acked" => una as i64,
        "bytes_sent" => written as i64,
        "bytes_received" => connection.receive_offset() as i64,
        _ => return None,
    };
    Some(value)
}
