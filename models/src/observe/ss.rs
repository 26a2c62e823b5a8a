//! Sockets as `ss -tiM` of iproute2 prints them, with memory as by `-m`.
//!
//! Fields come in the order of `tcp_stats_print`, `mptcp_subflow_info` and
//! `mptcp_stats_print` in `misc/ss.c`; like there, a field that is zero is left
//! out. Fields that the model does not have are missing. Unlike a kernel, which
//! forgets them, the model shows closed sockets too, as `UNCONN`.

use std::fmt::Write;
use std::net::SocketAddr;

use mptcpsim_core::time::{Span, Time};

use crate::congestion;
use crate::mptcp::{Connection, MetaState, Mode, MptcpInfo, SocketMemory, SubflowInfo};
use crate::path_manager::endpoints::Config;
use crate::tcp::{State, TcpInfo};

/// `ss` calls a larger threshold none.
const LARGEST_SSTHRESH: u32 = 0xffff;
/// In which the kernel accounts for the memory of sockets.
const PAGE: u64 = 4_096;
/// The reordering that goes without saying.
const USUAL_REORDERING: u32 = 3;

/// What of a host sockets do not know themselves.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Now.
    pub now: Time,
    /// Length of a timer tick, in which the kernel counts timeouts.
    pub tick: Span,
    /// The congestion control that sockets have if they ask for none.
    pub congestion_control: congestion::Name,
    /// Endpoints and limits of the path manager.
    pub endpoints: &'a Config,
}

/// A socket: the line of columns, and the line of details below it.
struct Row {
    netid: &'static str,
    state: &'static str,
    received: u64,
    queued: u64,
    local: SocketAddr,
    peer: SocketAddr,
    details: String,
}

/// The table of all sockets of a host.
pub fn text<'a>(
    connections: impl IntoIterator<Item = &'a Connection>,
    host: Surroundings<'_>,
) -> String {
    let mut rows = Vec::new();
    for connection in connections {
        rows.extend((0..connection.subflow_count()).filter_map(|i| subflow(connection, i, host)));
        rows.extend(meta(connection, host));
    }
    // As with `-M` and `-t` together: the kinds one after the other.
    rows.sort_by_key(|row| row.netid != "tcp");
    table(&rows)
}

fn table(rows: &[Row]) -> String {
    let length = |pick: fn(&Row) -> &SocketAddr, least: usize| {
        rows.iter().map(|row| host_part(pick(row)).len()).max().unwrap_or(0).max(least)
    };
    let local = length(|row| &row.local, "Local Address".len());
    let peer = length(|row| &row.peer, "Peer Address".len());
    let mut text = format!(
        "{:<5} {:<10} {:<6} {:<6} {:>local$}:{:<5} {:>peer$}:{:<5} Process\n",
        "Netid", "State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address", "Port"
    );
    for row in rows {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{:<5} {:<10} {:<6} {:<6} {:>local$}:{:<5} {:>peer$}:{:<5}\n\t{}",
            row.netid,
            row.state,
            row.received,
            row.queued,
            host_part(&row.local),
            row.local.port(),
            host_part(&row.peer),
            row.peer.port(),
            row.details
        );
    }
    text
}

fn host_part(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

fn subflow(connection: &Connection, index: usize, host: Surroundings<'_>) -> Option<Row> {
    let (info, tuple) = (connection.tcp_info(index)?, connection.tuple(index)?);
    let name = connection.congestion_control(host.congestion_control);
    let mut details = memory_details(&connection.socket_memory(index)?);
    details.push_str(&tcp_details(&info, name, host));
    if connection.is_mptcp_socket()
        && let Some(within) = connection.subflow_info(index)
    {
        details.push_str(&subflow_details(&within));
    }
    Some(Row {
        netid: "tcp",
        state: state_name(info.state),
        received: u64::from(info.unread),
        queued: u64::from(info.queued),
        local: tuple.src,
        peer: tuple.dst,
        details,
    })
}

fn meta(connection: &Connection, host: Surroundings<'_>) -> Option<Row> {
    if !connection.is_mptcp_socket() || connection.mode() == Mode::Plain {
        return None;
    }
    let tuple = connection.tuple(0)?;
    Some(Row {
        netid: "mptcp",
        state: meta_name(connection),
        received: connection.unread_bytes(),
        queued: 0,
        local: tuple.src,
        peer: tuple.dst,
        details: meta_details(&connection.info(host.endpoints), host.now),
    })
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::Closed => "UNCONN",
        other => other.name(),
    }
}

fn meta_name(connection: &Connection) -> &'static str {
    match connection.state() {
        MetaState::Opening if !connection.is_client() => "SYN-RECV",
        state => state.name(),
    }
}

/// The details of a socket, field by field.
struct Details(String);

impl Details {
    /// ` name:value`, if it is not zero.
    fn count(&mut self, name: &str, value: impl Into<u64>) {
        let value = value.into();
        if value != 0 {
            self.word(&format!("{name}:{value}"));
        }
    }

    /// ` name:value` in milliseconds with fractions.
    fn milliseconds(&mut self, name: &str, microseconds: u64) {
        if microseconds != 0 {
            self.word(&format!("{name}:{}", general(microseconds as f64 / 1e3)));
        }
    }

    /// ` name:value`: how long ago something was, in whole milliseconds.
    fn age(&mut self, name: &str, moment: Time, now: Time) {
        self.count(name, (now.max(moment) - moment).as_ms());
    }

    fn rate(&mut self, name: &str, bits_per_second: f64) {
        if bits_per_second != 0.0 {
            self.word(&format!("{name} {bits_per_second:.0}bps"));
        }
    }

    fn word(&mut self, word: &str) {
        self.0.push(' ');
        self.0.push_str(word);
    }
}

/// C's `%g` for numbers that need no exponent: six digits, no zeros behind.
fn general(value: f64) -> String {
    let whole = (value as u64).to_string().len();
    let text = format!("{value:.*}", 6_usize.saturating_sub(whole));
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `-m`. What a socket has in reserve is the rest of its last page.
fn memory_details(memory: &SocketMemory) -> String {
    let SocketMemory { received, rcvbuf, sndbuf, queued, drops } = *memory;
    let used = u64::from(received) + queued;
    let reserve = used.next_multiple_of(PAGE) - used;
    format!(" skmem:(r{received},rb{rcvbuf},t0,tb{sndbuf},f{reserve},w{queued},o0,bl0,d{drops})")
}

fn tcp_details(info: &TcpInfo, name: congestion::Name, host: Surroundings<'_>) -> String {
    let mut details = Details(format!(" {}", name.name()));
    if info.options.window_scaling {
        let (snd, rcv) = (info.options.snd_wscale, info.options.rcv_wscale);
        details.word(&format!("wscale:{snd},{rcv}"));
    }
    let ticks = info.rto.as_ps().div_ceil(host.tick.as_ps().max(1));
    details.milliseconds("rto", ticks * host.tick.as_us());
    details.count("backoff", info.backoff);
    if info.rtt != 0 {
        let [rtt, rttvar] = [info.rtt, info.rttvar].map(|us| general(f64::from(us) / 1e3));
        details.word(&format!("rtt:{rtt}/{rttvar}"));
    }
    details.milliseconds("ato", info.ato.as_us());
    details.count("mss", info.snd_mss);
    details.count("pmtu", info.pmtu);
    details.count("rcvmss", info.rcv_mss);
    details.count("advmss", info.advmss);
    details.count("cwnd", info.snd_cwnd);
    if info.snd_ssthresh < LARGEST_SSTHRESH {
        details.count("ssthresh", info.snd_ssthresh);
    }
    tcp_counts(&mut details, info);
    tcp_rates(&mut details, info, host.now);
    tcp_flight(&mut details, info);
    details.0
}

fn tcp_counts(details: &mut Details, info: &TcpInfo) {
    let totals = &info.totals;
    details.count("bytes_sent", totals.bytes_sent);
    details.count("bytes_retrans", totals.bytes_retransmitted);
    details.count("bytes_acked", totals.bytes_acked);
    details.count("bytes_received", totals.bytes_received);
    details.count("segs_out", totals.segs_out);
    details.count("segs_in", totals.segs_in);
    details.count("data_segs_out", totals.data_segs_out);
    details.count("data_segs_in", totals.data_segs_in);
}

fn tcp_rates(details: &mut Details, info: &TcpInfo, now: Time) {
    let window = 8.0 * f64::from(info.snd_cwnd) * f64::from(info.snd_mss);
    if info.rtt != 0 {
        details.rate("send", window * 1e6 / f64::from(info.rtt));
    }
    details.age("lastsnd", info.last_data_sent, now);
    details.age("lastrcv", info.last_data_recv, now);
    details.age("lastack", info.last_ack_recv, now);
    details.rate("pacing_rate", 8.0 * info.pacing_rate as f64);
    details.rate("delivery_rate", 8.0 * info.delivery_rate as f64);
    details.count("delivered", info.delivered);
    details.count("delivered_ce", u64::from(info.totals.delivered_ce));
    if info.app_limited {
        details.word("app_limited");
    }
    let busy = info.chrono.busy(now);
    if !busy.is_zero() {
        details.word(&format!("busy:{}ms", busy.as_ms()));
    }
    let limits = [
        ("rwnd_limited", info.chrono.window_limited(now)),
        ("sndbuf_limited", info.chrono.buffer_limited(now)),
    ];
    for (name, limited) in limits.into_iter().filter(|(_, limited)| !limited.is_zero()) {
        let percent = 100.0 * limited.as_secs_f64() / busy.as_secs_f64();
        details.word(&format!("{name}:{}ms({percent:.1}%)", limited.as_ms()));
    }
}

fn tcp_flight(details: &mut Details, info: &TcpInfo) {
    details.count("unacked", info.unacked);
    if info.retrans != 0 || info.totals.retransmissions != 0 {
        details.word(&format!("retrans:{}/{}", info.retrans, info.totals.retransmissions));
    }
    details.count("lost", info.lost);
    details.count("sacked", info.sacked);
    details.count("dsack_dups", info.totals.dsack_dups);
    if info.reordering != USUAL_REORDERING {
        details.count("reordering", info.reordering);
    }
    details.count("reord_seen", info.totals.reord_seen);
    details.milliseconds("rcv_rtt", u64::from(info.rcv_rtt));
    details.count("rcv_space", info.rcv_space);
    details.count("rcv_ssthresh", info.rcv_ssthresh);
    details.count("notsent", info.notsent_bytes);
    if info.min_rtt != u32::MAX {
        details.milliseconds("minrtt", u64::from(info.min_rtt));
    }
    details.count("rcv_ooopack", info.totals.rcv_ooopack);
    details.count("snd_wnd", info.snd_wnd);
    details.count("rcv_wnd", info.rcv_wnd);
}

fn subflow_details(info: &SubflowInfo) -> String {
    let mut details = Details(" tcp-ulp-mptcp".to_owned());
    if !info.flags.is_empty() {
        details.word(&format!("flags:{}", info.flags));
    }
    let ((remote, remote_id), (local, local_id)) = (info.remote, info.local);
    details.word(&format!("token:{remote:04x}(id:{remote_id})/{local:04x}(id:{local_id})"));
    details.word(&format!("seq:{}", info.map_seq));
    details.word(&format!("sfseq:{}", info.map_subflow_seq));
    details.word(&format!("ssnoff:{}", info.ssn_offset));
    details.word(&format!("maplen:{}", info.map_data_len));
    details.0
}

fn meta_details(info: &MptcpInfo, now: Time) -> String {
    let mut details = Details(String::new());
    details.count("subflows", info.subflows);
    details.count("add_addr_signal", info.add_addr_signal);
    details.count("add_addr_accepted", info.add_addr_accepted);
    details.count("subflows_max", info.subflows_max);
    details.count("add_addr_signal_max", info.add_addr_signal_max);
    details.count("add_addr_accepted_max", info.add_addr_accepted_max);
    if info.fallback {
        details.word("fallback");
    }
    if info.remote_key {
        details.word("remote_key");
    }
    details.word(&format!("token:{:x}", info.token));
    details.count("write_seq", info.write_seq);
    details.count("snd_una", info.snd_una);
    details.count("rcv_nxt", info.rcv_nxt);
    details.count("local_addr_used", info.local_addr_used);
    details.count("local_addr_max", info.local_addr_max);
    details.count("csum_enabled", u64::from(info.csum_enabled));
    details.count("retransmits", info.retransmits);
    details.count("bytes_retrans", info.bytes_retrans);
    details.count("bytes_sent", info.bytes_sent);
    details.count("bytes_received", info.bytes_received);
    details.count("bytes_acked", info.bytes_acked);
    details.count("subflows_total", info.subflows_total);
    details.age("last_data_sent", info.last_data_sent, now);
    details.age("last_data_recv", info.last_data_recv, now);
    details.age("last_ack_recv", info.last_ack_recv, now);
    details.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_by_g() {
        let shown = [0.5, 40.486, 1_000.0, 49.0, 0.094, 123_456.789].map(general);
        assert_eq!(shown, ["0.5", "40.486", "1000", "49", "0.094", "123457"]);
    }

    #[test]
    fn memory_is_told_as_by_ss() {
        let memory = SocketMemory {
            received: 4_608,
            rcvbuf: 131_072,
            sndbuf: 87_040,
            queued: 2_000,
            drops: 3,
        };
        assert_eq!(
            memory_details(&memory),
            " skmem:(r4608,rb131072,t0,tb87040,f1584,w2000,o0,bl0,d3)"
        );
    }

    #[test]
    fn a_subflow_is_told_as_by_ss() {
        let info = SubflowInfo {
            flags: "Jjec".into(),
            remote: (0x8a27_b616, 0),
            local: (0xeb4c_68d6, 1),
            map_seq: 5,
            map_subflow_seq: 1,
            ssn_offset: 7,
            map_data_len: 0,
        };
        assert_eq!(
            subflow_details(&info),
            " tcp-ulp-mptcp flags:Jjec token:8a27b616(id:0)/eb4c68d6(id:1) seq:5 sfseq:1 ssnoff:7 maplen:0"
        );
    }

    #[test]
    fn what_is_zero_is_left_out() {
        let info = MptcpInfo { subflows: 1, remote_key: true, token: 0xab, ..MptcpInfo::default() };
        assert_eq!(meta_details(&info, Time::ZERO), " subflows:1 remote_key token:ab");
    }
}
