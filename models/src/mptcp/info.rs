//! What `getsockopt(MPTCP_INFO)` and socket diagnostics would tell of a connection
//! (`mptcp_diag_fill_info`, `subflow_get_info`).

use mptcpsim_core::time::Time;

use super::{Connection, Mode};
use crate::congestion;
use crate::path_manager::endpoints::Config;
use crate::tcp::{State, TcpInfo};

/// The fields of `struct mptcp_info` that the model has, by their names there. Moments are
/// moments and not yet ages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MptcpInfo {
    /// Subflows beyond the first.
    pub subflows: u8,
    /// Addresses announced.
    pub add_addr_signal: u8,
    /// Announced addresses of the peer acted upon.
    pub add_addr_accepted: u8,
    /// The limit of `subflows`.
    pub subflows_max: u8,
    /// Endpoints that may be announced.
    pub add_addr_signal_max: u8,
    /// The limit of `add_addr_accepted`.
    pub add_addr_accepted_max: u8,
    /// `MPTCP_INFO_FLAG_FALLBACK`.
    pub fallback: bool,
    /// `MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED`.
    pub remote_key: bool,
    /// The token of this end.
    pub token: u32,
    /// Data sequence number behind what was written.
    pub write_seq: u64,
    /// First data sequence number not acknowledged.
    pub snd_una: u64,
    /// Next data sequence number expected.
    pub rcv_nxt: u64,
    /// Endpoints subflows were opened from.
    pub local_addr_used: u8,
    /// Endpoints subflows may be opened from.
    pub local_addr_max: u8,
    /// Checksums are in force.
    pub csum_enabled: bool,
    /// Timeouts of the connection itself.
    pub retransmits: u64,
    /// Bytes sent again on another subflow.
    pub bytes_retrans: u64,
    /// Bytes given to subflows, once each.
    pub bytes_sent: u64,
    /// Bytes received in order.
    pub bytes_received: u64,
    /// Bytes acknowledged.
    pub bytes_acked: u64,
    /// Subflows, the first one included.
    pub subflows_total: u32,
    /// When data was last sent on a subflow.
    pub last_data_sent: Time,
    /// When data was last received on one.
    pub last_data_recv: Time,
    /// When an acknowledgement was last received on one.
    pub last_ack_recv: Time,
}

/// What a subflow is within its connection (`struct mptcp_subflow_context`), as socket diagnostics
/// tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubflowInfo {
    /// A letter for each flag: `M` and `m` the peer and this end have sent MP_CAPABLE, `J` and `j`
    /// MP_JOIN, `B` and `b` want a backup, `e` fully established, `c` connected, `v` a mapping is
    /// being received.
    pub flags: String,
    /// The token that the join named, and the peer's address id.
    pub remote: (u32, u8),
    /// The token of this end, and the local address id.
    pub local: (u32, u8),
    /// Data sequence number at which the mapping begins.
    pub map_seq: u64,
    /// Relative subflow sequence number at which the mapping begins.
    pub map_subflow_seq: u32,
    /// What relative subflow sequence numbers count from.
    pub ssn_offset: u32,
    /// Length of the mapping.
    pub map_data_len: u32,
}

/// What a socket takes of the host's memory, in bytes (`sk_get_meminfo`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketMemory {
    /// Segments received and not read (`sk_rmem_alloc`).
    pub received: u32,
    /// The receive buffer.
    pub rcvbuf: u32,
    /// The send buffer.
    pub sndbuf: u32,
    /// Segments to be sent or acknowledged (`sk_wmem_queued`).
    pub queued: u64,
    /// Segments dropped for want of memory (`sk_drops`).
    pub drops: u64,
}

impl Connection {
    /// What there is to tell of the connection on a host with these endpoints.
    pub fn info(&self, config: &Config) -> MptcpInfo {
        let endpoints = |counts: fn(&crate::path_manager::endpoints::Endpoint) -> bool| {
            config.endpoints.iter().filter(|endpoint| counts(endpoint)).count() as u8
        };
        let infos = || (0..self.subs.len()).filter_map(|index| self.tcp_info(index));
        let alive = infos().filter(|info| info.state.synchronised());
        let latest = |moment: fn(&TcpInfo) -> Time| {
            infos().map(|info| moment(&info)).max().unwrap_or(Time::ZERO)
        };
        MptcpInfo {
            subflows: self.endpoints.extra_subflows,
            add_addr_signal: self.endpoints.add_addr_signaled,
            add_addr_accepted: self.endpoints.add_addr_accepted,
            subflows_max: config.limits.subflows,
            add_addr_signal_max: endpoints(|endpoint| endpoint.signal),
            add_addr_accepted_max: config.limits.add_addr_accepted,
            fallback: matches!(self.mode, Mode::FellBack(_)),
            remote_key: self.remote_key.is_some(),
            token: self.local_token(),
            write_seq: self.tx.first_dsn.wrapping_add(self.tx.written),
            snd_una: self.tx.first_dsn.wrapping_add(self.tx.una),
            rcv_nxt: self.rx.first_dsn.wrapping_add(self.rx.next),
            local_addr_used: self.endpoints.local_addr_used,
            local_addr_max: endpoints(|endpoint| endpoint.subflow),
            csum_enabled: self.checksum,
            retransmits: self.statistics.retransmits,
            bytes_retrans: self.statistics.reinjected_bytes,
            bytes_sent: self.tx.nxt,
            bytes_received: self.rx.next,
            bytes_acked: self.tx.una,
            subflows_total: alive.count() as u32,
            last_data_sent: latest(|info| info.last_data_sent),
            last_data_recv: latest(|info| info.last_data_recv),
            last_ack_recv: latest(|info| info.last_ack_recv),
        }
    }

    /// `tcp_info` of the subflow with index `index`.
    pub fn tcp_info(&self, index: usize) -> Option<TcpInfo> {
        let info = self.subs.get(index)?.tcp.info(self.windows.get(index)?);
        // Out of tree only the connection measures.
        let rcv_space = match self.rx.tuning.space {
            measured if self.out_of_tree.is_some() && measured > 0 => {
                u32::try_from(measured).unwrap_or(u32::MAX)
            }
            _ => info.rcv_space,
        };
        let rcv_ssthresh = info.rcv_ssthresh.max(self.rx.space.rcv_ssthresh);
        Some(TcpInfo { rcv_space, rcv_ssthresh, ..info })
    }

    /// The memory of the socket of the subflow with index `index`.
    pub fn socket_memory(&self, index: usize) -> Option<SocketMemory> {
        let sub = self.subs.get(index)?;
        // Of a plain connection what waits for the application is the subflow's.
        let read = if self.is_mptcp() { 0 } else { self.rx.space.used };
        Some(SocketMemory {
            received: sub.tcp.receive_memory() + read,
            rcvbuf: sub.tcp.rcvbuf(),
            sndbuf: sub.sndbuf,
            queued: self.queued_memory(index),
            drops: u64::from(sub.tcp.totals().drops),
        })
    }

    /// What the subflow with index `index` is within the connection.
    pub fn subflow_info(&self, index: usize) -> Option<SubflowInfo> {
        let sub = self.subs.get(index)?;
        let offered = |state| !matches!(state, State::Closed | State::SynSent);
        let connected = offered(sub.tcp.state()) || sub.statistics.established_at().is_some();
        let known = self.remote_key.is_some();
        let flags = [
            (!sub.joined && known, 'M'),
            (!sub.joined && sub.opener, 'm'),
            (sub.joined && (connected || !sub.opener), 'J'),
            (sub.joined && sub.opener, 'j'),
            (sub.backup_by_peer, 'B'),
            (sub.backup_by_us, 'b'),
            (sub.fully_established, 'e'),
            (connected, 'c'),
            (sub.map.is_some(), 'v'),
        ];
        let token = if sub.joined && sub.opener { self.remote_token() } else { None };
        let (map_seq, map_subflow_seq, map_data_len) = match &sub.map {
            Some(map) => (map.start, map.ssn, map.len),
            // Where the next mapping would begin.
            None => (self.rx.next, sub.tcp.rcv_nxt() - sub.tcp.irs(), 0),
        };
        Some(SubflowInfo {
            flags: flags.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect(),
            remote: (token.unwrap_or(0), sub.remote_id),
            local: (self.local_token(), sub.local_id),
            map_seq: self.rx.first_dsn.wrapping_add(map_seq),
            map_subflow_seq,
            ssn_offset: sub.tcp.irs().0,
            map_data_len,
        })
    }

    /// The socket asked for MPTCP.
    pub const fn is_mptcp_socket(&self) -> bool {
        self.options.mptcp
    }

    /// The congestion control; `default` if it is a user's own and has no name.
    pub fn congestion_control(&self, default: congestion::Name) -> congestion::Name {
        self.congestion.name().unwrap_or(default)
    }
}
