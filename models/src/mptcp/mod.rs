//! The connection: subflows bundled into one stream (RFC 8684; Linux `net/mptcp`).
//!
//! A [`Connection`] takes segments and the time, and returns segments, events
//! and a due date; it reads no clock, socket or file. A plain TCP connection is
//! a connection with one subflow that has fallen back: one code path.
//!
//! The contract, in four groups:
//! * **A, getters**: any time.
//! * **B, from below**: [`Connection::on_segment`], [`Connection::join`],
//!   [`Connection::on_timer`], [`Connection::path_event`].
//! * **C, from above**: [`Connection::write`], [`Connection::read`],
//!   [`Connection::close`], [`Connection::abort`].
//! * **D, outputs**: after any B or C, [`Connection::poll_segment`] until `None`; then
//!   [`Connection::due`] is the time by which to call [`Connection::on_timer`].
//!
//! ```text
//!   write ─► Sender: stream offsets ─ scheduler ─► subflow queues ─► poll_segment
//!            send.rs, retransmit.rs                tcp::Subflow       output.rs (options)
//!
//!   on_segment ─► tcp::Subflow ─► options.rs ─► Receiver: mapping, reassembly ─► read
//!                                 open.rs,       receive.rs, fallback.rs
//!                                 addresses.rs
//! ```
//!
//! Inside, data is counted by *stream offsets*: byte 0 is the first byte the
//! application wrote. On the wire that is DSN = IDSN + 1 + offset; the DATA_FIN
//! takes the offset behind the last byte.

mod addresses;
mod ahead;
mod blackhole;
mod close;
mod cookies;
mod fallback;
mod fast_open;
mod fragments;
mod info;
mod open;
mod options;
mod out_of_tree;
mod output;
mod reading;
mod receive;
mod retransmit;
mod send;
mod signed;
mod statistics;
mod touched;
mod waits;

use std::net::IpAddr;

use mptcpsim_core::rng::Stream;
use mptcpsim_core::time::{Span, Time};

pub use self::blackhole::ActiveMptcp;
pub(crate) use self::cookies::SynCookies;
pub use self::fast_open::FastOpenCookies;
pub use self::info::{MptcpInfo, SocketMemory, SubflowInfo};
pub use self::open::{Opening, Refusal};
pub(crate) use self::signed::refuses as refuses_signature;
pub use self::statistics::{Statistics, SubStatistics};

use crate::congestion::{Clock, Congestion, Window};
use crate::fast_open_keys::FastOpenKeys;
use crate::mptcp_keys::{Key, Version, idsn, token};
use crate::observe::event::EventLog;
use crate::observe::mib::{Counter, Mib};
use crate::path_manager::binder::SourceRoute;
use crate::path_manager::userspace::netlink::Netlink;
use crate::path_manager::{AnyPathManager, PathEvent, endpoints};
use crate::scheduler::{AnyScheduler, SubflowView};
use crate::segment::FourTuple;
use crate::tcp::{Nagle, Space, State, Subflow, TcpConfig};
use crate::wire::Md5Key;
use touched::Touched;

/// The surroundings of a connection: its host.
pub struct Env<'a> {
    /// Now.
    pub now: Time,
    /// Now, in the units of congestion control.
    pub clock: Clock,
    /// The host's settings.
    pub config: &'a TcpConfig,
    /// The host's endpoints and limits.
    pub endpoints: &'a endpoints::Config,
    /// The host's addresses.
    pub addresses: &'a [IpAddr],
    /// Those whose interface is down.
    pub down: &'a [IpAddr],
    /// The way to the host's daemon that manages paths.
    pub netlink: &'a mut Netlink,
    /// The host's counters.
    pub mib: &'a mut Mib,
    /// Where events go.
    pub log: &'a mut EventLog,
    /// The host's dice: sequence numbers, nonces.
    pub random: &'a mut Stream,
    /// The host's next ephemeral port.
    pub ports: &'a mut EphemeralPorts,
    /// Whether the host's clients ask for MPTCP.
    pub active: &'a mut ActiveMptcp,
    /// The host's cookies of TCP Fast Open.
    pub fast_open: &'a mut FastOpenCookies,
}

/// Hands out local ports (`net.ipv4.ip_local_port_range`), one after the other.
#[derive(Clone, Debug)]
pub struct EphemeralPorts {
    next: u16,
}

impl Default for EphemeralPorts {
    fn default() -> Self {
        Self { next: Self::FIRST }
    }
}

impl EphemeralPorts {
    const FIRST: u16 = 32_768;
    const LAST: u16 = 60_999;

    /// The next port.
    pub fn take(&mut self) -> u16 {
        let port = self.next;
        self.next = if port >= Self::LAST { Self::FIRST } else { port + 1 };
        port
    }
}

/// What an application asks of a connection.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// Ask for MPTCP (`IPPROTO_MPTCP`).
    pub mptcp: bool,
    /// Congestion control, if not the host's (`TCP_CONGESTION`): each connection gets it as it is here.
    pub congestion_control: Option<Congestion>,
    /// Scheduler, if not the host's: each connection gets it as it is here.
    pub scheduler: Option<AnyScheduler>,
    /// Path manager, if not the host's: each connection gets it as it is here.
    pub path_manager: Option<AnyPathManager>,
    /// Fixed receive buffer in bytes of memory (`SO_RCVBUF` doubled, as the kernel does).
    pub rcvbuf: Option<u32>,
    /// Fixed send buffer in bytes of memory (`SO_SNDBUF` doubled).
    pub sndbuf: Option<u32>,
    /// Whether small segments wait (`TCP_NODELAY`, `TCP_CORK`).
    pub nagle: Nagle,
    /// The key that signs all segments (`TCP_MD5SIG`); then the connection is plain TCP.
    pub md5_key: Option<Md5Key>,
    /// Opens with data in the SYN (`TCP_FASTOPEN_CONNECT`, or `TCP_FASTOPEN` where it listens).
    pub fast_open: bool,
    /// ... and without a cookie (`TCP_FASTOPEN_NO_COOKIE`).
    pub fast_open_without_cookie: bool,
    /// The keys of the cookies that it gives out, if not the host's (`TCP_FASTOPEN_KEY`).
    pub fast_open_keys: Option<Box<FastOpenKeys>>,
    /// Ends a plain TCP connection whose data is not acknowledged for so long (`TCP_USER_TIMEOUT`);
    /// zero leaves that to the number of retries.
    pub user_timeout: Span,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            mptcp: true,
            congestion_control: None,
            scheduler: None,
            path_manager: None,
            rcvbuf: None,
            sndbuf: None,
            nagle: Nagle::default(),
            md5_key: None,
            fast_open: false,
            fast_open_without_cookie: false,
            fast_open_keys: None,
            user_timeout: Span::ZERO,
        }
    }
}

/// Whether the connection is MPTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// MPTCP was never asked for.
    Plain,
    /// MPTCP, or on the way to it.
    Mptcp,
    /// MPTCP was asked for, the connection is now plain TCP; the reason as the kernel counts it.
    FellBack(Counter),
}

/// The states of the connection itself (the `msk` socket's `sk_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaState {
    /// Waiting for the first subflow.
    Opening,
    /// Open.
    Established,
    /// DATA_FIN sent.
    FinWait1,
    /// DATA_FIN acknowledged.
    FinWait2,
    /// The peer's DATA_FIN received.
    CloseWait,
    /// Both sent, none acknowledged.
    Closing,
    /// DATA_FIN sent after the peer's.
    LastAck,
    /// Over.
    Closed,
}

impl MetaState {
    /// As `ss` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "SYN-SENT",
            Self::Established => "ESTAB",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::Closed => "UNCONN",
        }
    }
}

/// One subflow and what the connection knows of it.
#[derive(Clone, Debug)]
struct Sub {
    tcp: Subflow,
    /// As this host sends.
    tuple: FourTuple,
    /// MP_JOIN rather than MP_CAPABLE.
    joined: bool,
    /// This host sent the SYN.
    opener: bool,
    local_id: u8,
    remote_id: u8,
    /// The peer wants it as a backup; this host does.
    backup_by_peer: bool,
    backup_by_us: bool,
    fully_established: bool,
    /// The peer may not have the third ACK of the join yet: nothing else may be sent
    /// (`pre_established`).
    pre_established: bool,
    pm_notified: bool,
    join: Option<Box<open::Join>>,
    /// The mapping being received.
    map: Option<receive::Map>,
    /// No sign of life: carries nothing until it is heard again.
    stale: bool,
    stale_count: u8,
    stale_heard: Time,
    /// The MPTCP options that wait for a segment of this subflow.
    pending: output::Pending,
    /// Memory that its queues may take.
    sndbuf: u32,
    /// A checksum on it was right once.
    valid_checksum_seen: bool,
    /// The peer reported a wrong checksum: the next data has an infinite mapping.
    send_infinite: bool,
    /// Stream offset from which on it is mapped infinitely, or [`NOT_INFINITE`].
    infinite_from: u64,
    /// What the peer has acknowledged of it, relative to its initial sequence number.
    acked: u32,
    /// The first subflow's loss was noticed and acted upon.
    removed: bool,
    /// The gateways that its packets are to pass.
    source_route: Option<Box<SourceRoute>>,
    statistics: SubStatistics,
}

/// A subflow that is not mapped infinitely.
const NOT_INFINITE: u64 = u64::MAX;

impl Sub {
    /// May carry data (`mptcp_subflow_active`).
    fn active(&self) -> bool {
        !self.stale && !self.pre_established && self.tcp.state().can_send()
    }

    fn backup(&self) -> bool {
        self.backup_by_peer || self.backup_by_us
    }

    /// The peer has asked for it, and it is no subflow yet: a mere request to the kernel.
    fn is_requested(&self) -> bool {
        self.joined && !self.opener && !self.fully_established
    }
}

/// One end of a TCP or MPTCP connection.
#[derive(Clone, Debug)]
pub struct Connection {
    mode: Mode,
    version: Version,
    /// This host opened the connection.
    client: bool,
    state: MetaState,
    /// The application is gone.
    released: bool,
    /// It has lost its last subflow while it was open.
    abandoned: bool,
    options: SocketOptions,
    local_key: Key,
    remote_key: Option<Key>,
    /// Checksums are in force.
    checksum: bool,
    /// The peer forbids joins to its first address.
    no_join_id0: bool,
    /// One end still may turn to plain TCP (`allow_infinite_fallback`).
    fallback_allowed: bool,
    subs: Vec<Sub>,
    windows: Vec<Window>,
    congestion: Congestion,
    scheduler: AnyScheduler,
    path_manager: AnyPathManager,
    /// What the endpoints of the host are used for, and how many subflows there are.
    endpoints: endpoints::Endpoints,
    tx: send::Sender,
    rx: receive::Receiver,
    timers: retransmit::MetaTimers,
    signal: addresses::Signal,
    /// Subflows that may have something to send, one bit each.
    ready: u64,
    /// Something is to be done when all segments are polled.
    work: bool,
    /// What could be given to subflows since a segment came, has been.
    pushed: bool,
    /// What policies see of each subflow.
    views: Vec<SubflowView>,
    /// When each subflow wants to be called.
    dues: Vec<Time>,
    touched: Touched,
    /// What the out-of-tree line keeps beside all this.
    out_of_tree: Option<Box<out_of_tree::State>>,
    statistics: Statistics,
}

/// The context of one subflow, borrowed from the parts of the connection that are not the subflow.
macro_rules! cx {
    ($connection:ident, $env:ident, $index:expr) => {{
        $connection.touched.mark($index);
        $crate::mptcp::look!($connection, $env, $index)
    }};
}

/// The same for a call that changes nothing.
macro_rules! look {
    ($connection:ident, $env:ident, $index:expr) => {
        crate::tcp::Cx {
            now: $env.now,
            config: $env.config,
            mib: &mut *$env.mib,
            log: &mut *$env.log,
            congestion: &mut $connection.congestion,
            flow: crate::congestion::Flow::new(&mut $connection.windows, $index, $env.clock),
            space: &mut $connection.rx.space,
            starved: $connection.tx.starved,
        }
    };
}
use {cx, look};

impl Connection {
    // ---- A: getters ----------------------------------------------------------------------

    /// MPTCP, plain TCP, or fallen back.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The state of the connection.
    pub const fn state(&self) -> MetaState {
        self.state
    }

    /// This host opened it.
    pub const fn is_client(&self) -> bool {
        self.client
    }

    /// The token by which the peer names this end.
    pub fn local_token(&self) -> u32 {
        token(self.local_key, self.version)
    }

    /// The token by which this host names the peer's end.
    pub fn remote_token(&self) -> Option<u32> {
        self.remote_key.map(|key| token(key, self.version))
    }

    /// The keys: this host's and, once known, the peer's.
    pub const fn keys(&self) -> (Key, Option<Key>) {
        (self.local_key, self.remote_key)
    }

    /// True if checksums are in force.
    pub const fn checksum(&self) -> bool {
        self.checksum
    }

    /// Totals.
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Number of subflows there have been, closed ones included.
    pub fn subflow_count(&self) -> usize {
        self.subs.len()
    }

    /// The subflow with index `index`.
    pub fn subflow(&self, index: usize) -> Option<&Subflow> {
        self.subs.get(index).map(|sub| &sub.tcp)
    }

    /// The window of the subflow with index `index`.
    pub fn window(&self, index: usize) -> Option<&Window> {
        self.windows.get(index)
    }

    /// Addresses of the subflow with index `index`, as this host sends.
    pub fn tuple(&self, index: usize) -> Option<FourTuple> {
        self.subs.get(index).map(|sub| sub.tuple)
    }

    /// What the subflow with index `index` did.
    pub fn subflow_statistics(&self, index: usize) -> Option<&SubStatistics> {
        self.subs.get(index).map(|sub| &sub.statistics)
    }

    /// The gateways that packets of the subflow with index `index` are to pass.
    pub fn source_route(&self, index: usize) -> Option<SourceRoute> {
        self.subs.get(index).and_then(|sub| sub.source_route.as_deref().copied())
    }

    /// Address ids of the subflow with index `index`: local and remote.
    pub fn address_ids(&self, index: usize) -> Option<(u8, u8)> {
        self.subs.get(index).map(|sub| (sub.local_id, sub.remote_id))
    }

    /// True if one end wants the subflow with index `index` as a backup.
    pub fn is_backup(&self, index: usize) -> bool {
        self.subs.get(index).is_some_and(Sub::backup)
    }

    /// True once the subflow with index `index` is fully established.
    pub fn is_fully_established(&self, index: usize) -> bool {
        self.subs.get(index).is_some_and(|sub| sub.fully_established)
    }

    /// True if the subflow with index `index` is taken for dead.
    pub fn is_stale(&self, index: usize) -> bool {
        self.subs.get(index).is_some_and(|sub| sub.stale)
    }

    /// Stream offsets of the sender: first unacknowledged, next to send, behind the last written.
    pub const fn send_offsets(&self) -> (u64, u64, u64) {
        (self.tx.una, self.tx.nxt, self.tx.written)
    }

    /// How much more the peer's window takes at the connection level.
    pub const fn send_window(&self) -> u64 {
        self.tx.window_end.saturating_sub(self.tx.nxt)
    }

    /// The subflow that the oldest data not acknowledged at the connection level was last given to, if it is
    /// still under way there.
    pub fn oldest_data_on(&self) -> Option<usize> {
        let holds = |index: &usize| {
            let (Some(sub), Some(window)) = (self.subs.get(*index), self.windows.get(*index))
            else {
                return false;
            };
            let mut chunks = sub.tcp.outstanding(window.snd_una);
            chunks.any(|it| (it.stream..it.stream + u64::from(it.len)).contains(&self.tx.una))
        };
        (0..self.subs.len()).find(holds)
    }

    /// Stream offset that the receiver expects next.
    pub const fn receive_offset(&self) -> u64 {
        self.rx.next
    }

    /// Bytes of memory in the receive buffer, and its size.
    pub const fn receive_memory(&self) -> (u32, u32) {
        (self.rx.space.used, self.rx.space.rcvbuf)
    }

    /// Bytes held out of order at the connection level.
    pub fn out_of_order_bytes(&self) -> u64 {
        self.rx.out_of_order_bytes()
    }

    /// How long data received waited, at the subflow or the connection, for data before it: the
    /// 99th percentile over its pieces as they arrived.
    pub fn reorder_delay(&self) -> Option<Span> {
        self.rx.reorder_delay()
    }

    /// How many bytes ahead of the first missing one data arrived at most: how deep reordering was.
    pub fn reorder_depth(&self) -> u64 {
        self.rx.reorder_reach()
    }

    /// For how long data waited at the connection for data before it, until `now`: head-of-line blocking.
    pub fn blocked(&self, now: Time) -> Span {
        self.rx.blocked(now)
    }

    /// True once nothing will happen any more, apart from TIME_WAIT.
    pub fn is_closed(&self) -> bool {
        self.state == MetaState::Closed
            && self
                .subs
                .iter()
                .all(|sub| matches!(sub.tcp.state(), State::Closed | State::TimeWait))
    }

    /// True once everything written, and the end of the stream, is acknowledged.
    pub const fn all_acknowledged(&self) -> bool {
        self.tx.fin_acked
    }

    /// Why the connection ended against its will.
    pub fn error(&self) -> Option<crate::tcp::Error> {
        self.rx.error
    }

    /// The error that the application is told of (`sk_err`): none if the subflows were lost one by
    /// one while the connection was MPTCP.
    pub fn socket_error(&self) -> Option<crate::tcp::Error> {
        self.rx.error.filter(|_| !self.abandoned)
    }

    // ---- D: outputs ----------------------------------------------------------------------

    /// True if [`Connection::poll_segment`] may have something.
    pub const fn has_output(&self) -> bool {
        self.ready != 0 || self.work
    }

    /// When [`Connection::on_timer`] wants to be called.
    #[inline]
    pub fn due(&self) -> Time {
        let fresh = |index| self.due_of(index);
        let subflows = if self.touched.dues_hold() && self.dues.len() == self.subs.len() {
            debug_assert!((0..self.subs.len()).all(|index| self.dues[index] == fresh(index)));
            self.dues.iter().copied().min()
        } else {
            (0..self.subs.len()).map(fresh).min()
        };
        subflows.unwrap_or(Time::NEVER).min(self.timers.due())
    }

    fn due_of(&self, index: usize) -> Time {
        let other = self.out_of_tree.as_ref().map_or(Time::NEVER, |state| state.due(index));
        self.subs[index].tcp.due().min(other)
    }

    /// Notes what is asked of all subflows later on, while those that have changed are at hand.
    pub(crate) fn note_changes(&mut self) {
        let (known, count) = (self.dues.len(), self.subs.len());
        let mut touched = self.touched.take_dues();
        while let Some(index) = touched.next(known) {
            self.dues[index] = self.due_of(index);
        }
        (known..count).for_each(|index| self.dues.push(self.due_of(index)));
        if !self.views.is_empty() {
            self.refresh_known_views();
        }
    }

    // ---- inside --------------------------------------------------------------------------

    fn is_mptcp(&self) -> bool {
        self.mode == Mode::Mptcp
    }

    fn mark_ready(&mut self, index: usize) {
        self.touched.mark(index);
        self.ready |= 1 << (index as u32 & 63);
    }

    fn mark_all_ready(&mut self) {
        self.touched.mark_all();
        self.ready = u64::MAX;
    }

    /// DSN of the first byte sent, and of the first byte received.
    fn first_sent_dsn(&self) -> u64 {
        self.tx.first_dsn
    }

    #[cold]
    fn set_remote_key(&mut self, key: Key) {
        self.remote_key = Some(key);
        self.rx.first_dsn = idsn(key, self.version).wrapping_add(1).wrapping_sub(self.rx.in_syn);
    }

    fn fail_all(&mut self, env: &mut Env<'_>, error: crate::tcp::Error) {
        self.rx.error = self.rx.error.or(Some(error));
        self.set_meta_state(env, MetaState::Closed);
    }

    fn set_meta_state(&mut self, env: &mut Env<'_>, state: MetaState) {
        if self.state == state {
            return;
        }
        let counts = |state| !matches!(state, MetaState::Opening | MetaState::Closed);
        if self.options.mptcp && self.mode != Mode::Plain {
            match (counts(self.state), counts(state)) {
                (false, true) => env.mib.inc(Counter::MpCurrEstab),
                (true, false) => env.mib.dec(Counter::MpCurrEstab),
                _ => {}
            }
        }
        self.state = state;
        env.log.mptcp(env.now, 0, "connection-state", || format!("{state:?}"));
        if state == MetaState::Closed {
            self.path_news(env, PathEvent::Closed);
        }
    }
}

/// What one window of the receive buffer looks like before anything is known.
fn initial_space(config: &TcpConfig, options: &SocketOptions) -> Space {
    Space {
        rcvbuf: options.rcvbuf.unwrap_or(config.sysctl.tcp_rmem.default),
        used: 0,
        ratio: crate::tcp::initial_ratio(config),
        rcv_ssthresh: 0,
        plain: !options.mptcp,
    }
}
