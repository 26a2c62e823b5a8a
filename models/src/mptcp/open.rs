//! Opening: MP_CAPABLE and MP_JOIN handshakes (RFC 8684 sections 3.1 and 3.2; Linux
//! `subflow_finish_connect`, `subflow_syn_recv_sock`, `subflow_check_req`).

use std::net::{IpAddr, SocketAddr};

use super::receive::Receiver;
use super::retransmit::MetaTimers;
use super::send::Sender;
use super::{
    Connection, Env, MetaState, Mode, NOT_INFINITE, SocketOptions, Statistics, Sub, SynCookies,
    Touched, cx, fast_open, initial_space, out_of_tree,
};
use crate::congestion::{Congestion, Window};
use crate::mptcp_keys::{Key, Version, idsn, join_hmac};
use crate::observe::mib::Counter;
use crate::path_manager::binder::SourceRoute;
use crate::path_manager::endpoints::Endpoints;
use crate::path_manager::multipath::Multipath;
use crate::path_manager::{AnyPathManager, Name, PathEvent};
use crate::rules::{Procedures, Stack};
use crate::scheduler::AnyScheduler;
use crate::segment::{FastOpen, FourTuple, MpCapable, MpJoin, MpTcpRst, ResetReason, Segment};
use crate::seq::Seq;
use crate::tcp::{Error, Offer, Subflow};

/// The secrets of an MP_JOIN handshake.
#[derive(Clone, Debug)]
pub(super) struct Join {
    pub(super) local_nonce: u32,
    pub(super) remote_nonce: u32,
}

/// What a connection is given at birth.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// This host's key, whose token is unique on the host; none could be found without it, and
    /// then the connection is plain TCP.
    pub key: Option<Key>,
    /// Addresses as this host will send.
    pub tuple: FourTuple,
    /// The initial sequence number; a random one without it.
    pub iss: Option<Seq>,
}

/// Why an MP_JOIN is refused: what the reset says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason in the reset.
    pub reason: ResetReason,
}

impl Connection {
    fn new(env: &mut Env<'_>, opening: Opening, options: SocketOptions, client: bool) -> Self {
        // They are the connection's own from here on; nothing is kept twice.
        let mut options = options;
        let sysctl = &env.config.sysctl;
        let congestion = options.congestion_control.take();
        let scheduler = options.scheduler.take();
        let path_manager = options.path_manager.take();
        let rules = env.config.rules;
        let (stack, version) = (rules.stack, rules.version);
        let mode = if options.mptcp { Mode::Mptcp } else { Mode::Plain };
        let local_key = opening.key.unwrap_or(Key(0));
        let first_dsn = idsn(local_key, version).wrapping_add(1);
        Self {
            mode,
            version,
            client,
            state: MetaState::Opening,
            released: false,
            abandoned: false,
            local_key,
            remote_key: None,
            checksum: env.config.sysctl.requires_checksum(rules.stack),
            no_join_id0: false,
            fallback_allowed: true,
            subs: Vec::with_capacity(1),
            windows: Vec::with_capacity(1),
            congestion: congestion
                .unwrap_or_else(|| Congestion::new(sysctl.tcp_congestion_control)),
            scheduler: scheduler
                .unwrap_or_else(|| AnyScheduler::new(sysctl.scheduler(stack), stack)),
            path_manager: path_manager
                .unwrap_or_else(|| AnyPathManager::new(Name::from_sysctl(sysctl, stack), stack)),
            endpoints: Endpoints::default(),
            tx: Sender::new(env.config, &options, first_dsn),
            rx: Receiver::new(initial_space(env.config, &options)),
            timers: MetaTimers::default(),
            signal: super::addresses::Signal::default(),
            ready: 0,
            work: false,
            pushed: false,
            views: Vec::new(),
            dues: Vec::new(),
            touched: Touched::default(),
            out_of_tree: out_of_tree::State::of(env, mode),
            statistics: Statistics { subflows_total: 1, ..Statistics::default() },
            options,
        }
    }

    /// Opens a connection: a SYN will follow, with MP_CAPABLE if the options and the host ask for
    /// MPTCP.
    pub fn connect(env: &mut Env<'_>, opening: Opening, mut options: SocketOptions) -> Self {
        options.mptcp &= speaks_mptcp(env, opening.tuple);
        let signed = options.mptcp && options.md5_key.is_some();
        // Out of tree a socket with a key never was one of MPTCP.
        options.mptcp &= !signed || env.config.rules.procedures == Procedures::Upstream;
        let mut connection = Self::new(env, opening, options, true);
        connection.add_active(env, opening.tuple, opening.iss, false, None);
        connection.start_user_timeout(env);
        if connection.options.fast_open {
            connection.open_fast(env, opening.tuple);
        }
        if connection.out_of_tree.is_none()
            && env.active.is_disabled(env.now, env.config.sysctl.blackhole_timeout)
        {
            connection.fall_back(env, Counter::MpCapableSynTxDisabled);
        } else if signed {
            connection.fall_back(env, Counter::Md5SigFallback);
        } else if opening.key.is_none() {
            connection.fall_back(env, Counter::MpFallbackTokenInit);
        } else if connection.is_mptcp() {
            env.mib.inc(Counter::MpCapableSynTx);
        }
        connection
    }

    /// Answers a SYN that starts a connection: a SYN/ACK will follow.
    pub fn accept(
        env: &mut Env<'_>,
        opening: Opening,
        mut options: SocketOptions,
        syn: &Segment,
    ) -> Self {
        options.mptcp &= speaks_mptcp(env, opening.tuple);
        if options.mptcp && offer_of(env, syn).is_some() {
            env.mib.inc(Counter::MpCapableSynRx);
        }
        Self::accept_uncounted(env, opening, options, syn)
    }

    /// The same for a SYN that was counted when it came.
    pub(super) fn accept_uncounted(
        env: &mut Env<'_>,
        opening: Opening,
        mut options: SocketOptions,
        syn: &Segment,
    ) -> Self {
        let offered = offer_of(env, syn).filter(|_| options.md5_key.is_none());
        options.mptcp &= offered.is_some();
        if options.mptcp && opening.key.is_none() {
            env.mib.inc(Counter::MpFallbackTokenInit);
            options.mptcp = false;
        }
        let mut connection = Self::new(env, opening, options, false);
        if let Some(offer) = offered.filter(|_| connection.is_mptcp()) {
            connection.checksum |= offer.flags & MpCapable::CHECKSUM != 0;
            connection.no_join_id0 = offer.flags & MpCapable::NO_JOIN_ID0 != 0;
            connection.take_offered_key(&offer);
        }
        let index = connection.add_passive(env, opening.tuple, opening.iss, syn, None);
        if connection.options.md5_key.is_some() {
            connection.subs[index].tcp.choose_sack_over_timestamps();
        }
        connection.start_user_timeout(env);
        connection.answer_fast_open(env, index, syn);
        connection
    }

    /// A SYN that may ask for more than to be answered.
    fn answer_fast_open(&mut self, env: &mut Env<'_>, index: usize, syn: &Segment) {
        let asks = !syn.payload.is_empty() || syn.rare().is_some_and(|it| it.fast_open.is_some());
        if !asks || SynCookies::are_used(env) {
            return;
        }
        let tuple = self.subs[index].tuple.reversed();
        match fast_open::answer(env, &self.options, tuple, syn) {
            fast_open::Answer::Ordinarily => {}
            fast_open::Answer::Open(renewed) => {
                self.make_room_for_cookie(index, renewed);
                self.open_by_syn(env, index, syn, renewed);
            }
            fast_open::Answer::Cookie(option) => {
                self.subs[index].tcp.answer_fast_open(option);
                self.make_room_for_cookie(index, Some(option));
            }
        }
    }

    /// A cookie, timestamps and MP_CAPABLE do not fit all three (`subflow_v4_send_synack`).
    fn make_room_for_cookie(&mut self, index: usize, cookie: Option<FastOpen>) {
        if cookie.is_some() && self.is_mptcp() {
            self.subs[index].tcp.forgo_timestamps();
        }
    }

    /// A SYN with MP_JOIN for this connection's token arrived at the host. On success a SYN/ACK
    /// follows on the new subflow, whose index is returned.
    pub fn join(
        &mut self,
        env: &mut Env<'_>,
        tuple: FourTuple,
        syn: &Segment,
    ) -> Result<usize, Refusal> {
        let Some(&MpJoin::Syn { backup, address_id, nonce, .. }) = syn.mp_join() else {
            return Err(Refusal { reason: ResetReason::MPTCP });
        };
        self.admit_join(env, backup)?;
        let local_nonce = env.random.next_u64() as u32;
        let join = Join { local_nonce, remote_nonce: nonce };
        let index = self.add_passive(env, tuple, None, syn, Some(Box::new(join)));
        let (local_id, backup_by_us) = self.join_id(env, tuple.src.ip());
        let sub = &mut self.subs[index];
        sub.remote_id = address_id;
        sub.backup_by_peer = backup;
        sub.local_id = local_id;
        sub.backup_by_us = backup_by_us;
        if env.config.rules.joins_timed_by_echo {
            sub.tcp.forget_answer_time();
        }
        if self.out_of_tree.is_none() && self.has_other_port(index) {
            env.mib.inc(Counter::MpJoinPortSynRx);
        }
        Ok(index)
    }

    /// True if a subflow uses another port of the server than the first one: one that was announced
    /// (`subflow_use_different_sport`, `subflow_use_different_dport`).
    fn has_other_port(&self, index: usize) -> bool {
        let port = |index| {
            let tuple = self.tuple(index)?;
            Some(if self.is_client() { tuple.dst.port() } else { tuple.src.port() })
        };
        port(index) != port(0)
    }

    /// Whether a SYN with MP_JOIN is answered by a SYN/ACK.
    pub(super) fn admit_join(&self, env: &mut Env<'_>, backup: bool) -> Result<(), Refusal> {
        if self.out_of_tree.is_some() {
            return self.admit_join_out_of_tree(env);
        }
        Self::count_join(env, backup);
        // A connection that has ended and that nobody holds is no longer found (`mptcp_token_destroy`).
        if self.state == MetaState::Closed && self.released {
            env.mib.inc(Counter::MpJoinNoTokenFound);
            return Err(Refusal { reason: ResetReason::MPTCP });
        }
        let capable = self.is_mptcp() && self.remote_key.is_some();
        if !capable || self.subs.first().is_none_or(|first| !first.fully_established) {
            return Err(Refusal { reason: ResetReason::PROHIBITED });
        }
        Ok(())
    }

    /// A SYN with MP_JOIN names no connection (`subflow_check_req`).
    pub(crate) fn count_unknown_token(env: &mut Env<'_>, syn: &Segment) {
        if env.config.rules.stack == Stack::Upstream {
            let backup = matches!(syn.mp_join(), Some(MpJoin::Syn { backup: true, .. }));
            Self::count_join(env, backup);
        }
        env.mib.inc(Counter::MpJoinNoTokenFound);
    }

    fn count_join(env: &mut Env<'_>, backup: bool) {
        env.mib.inc(Counter::MpJoinSynRx);
        if backup {
            env.mib.inc(Counter::MpJoinSynBackupRx);
        }
    }

    /// The id of a local address that the peer joins to, and whether it is a backup.
    pub(super) fn join_id(&self, env: &Env<'_>, local: IpAddr) -> (u8, bool) {
        if !matches!(self.path_manager, AnyPathManager::Endpoints) {
            let backup = env.endpoints.multipath.of(local) == Multipath::Backup;
            return (self.path_manager.local_id(env.addresses, local), backup);
        }
        let id = self.endpoints.local_id(env.endpoints, local);
        (id, env.endpoints.by_addr(local).is_some_and(|endpoint| endpoint.backup))
    }

    /// Opens a further subflow (`__mptcp_subflow_connect`). Returns its index.
    pub(super) fn open_subflow(
        &mut self,
        env: &mut Env<'_>,
        local: IpAddr,
        remote: SocketAddr,
        ids: (u8, u8),
        backup: bool,
        source_route: Option<SourceRoute>,
    ) -> usize {
        let tuple = FourTuple { src: SocketAddr::new(local, env.ports.take()), dst: remote };
        let index = self.add_active(env, tuple, None, true, source_route);
        self.subs[index].source_route = source_route.map(Box::new);
        let sub = &mut self.subs[index];
        (sub.local_id, sub.remote_id) = ids;
        sub.backup_by_us = backup;
        self.statistics.subflows_total += 1;
        env.mib.inc(Counter::MpJoinSynTx);
        index
    }

    fn offer(&self, env: &mut Env<'_>, tuple: FourTuple, iss: Option<Seq>) -> Offer {
        // Upstream the buffer of each subflow grows by itself, from the start.
        let rcvbuf = match &self.out_of_tree {
            Some(_) => self.rx.space.rcvbuf,
            None => initial_space(env.config, &self.options).rcvbuf,
        };
        Offer {
            iss: iss.unwrap_or_else(|| Seq(env.random.next_u64() as u32)),
            ip_header: tuple.ip_header(),
            rcvbuf,
            rcvbuf_locked: self.options.rcvbuf.is_some(),
            nagle: self.subflow_nagle(),
            option_reserve: self.option_reserve(),
        }
    }

    fn add_active(
        &mut self,
        env: &mut Env<'_>,
        tuple: FourTuple,
        iss: Option<Seq>,
        joined: bool,
        source_route: Option<SourceRoute>,
    ) -> usize {
        let mut offer = self.offer(env, tuple, iss);
        offer.ip_header += source_route.map_or(0, |route| route.option_len());
        let index = self.add_window(env, offer.iss);
        let tcp = Subflow::connect(&mut cx!(self, env, index), offer);
        let join = joined.then(|| {
            let local_nonce = env.random.next_u64() as u32;
            Box::new(Join { local_nonce, remote_nonce: 0 })
        });
        self.add_sub(env, tcp, tuple, true, join);
        index
    }

    pub(super) fn add_passive(
        &mut self,
        env: &mut Env<'_>,
        tuple: FourTuple,
        iss: Option<Seq>,
        syn: &Segment,
        join: Option<Box<Join>>,
    ) -> usize {
        let offer = self.offer(env, tuple, iss);
        let index = self.add_window(env, offer.iss);
        let tcp = Subflow::accept(&mut cx!(self, env, index), offer, syn);
        self.add_sub(env, tcp, tuple, false, join);
        index
    }

    fn add_window(&mut self, env: &Env<'_>, iss: Seq) -> usize {
        let window = Window::new(env.config.initial_cwnd, iss);
        self.windows.push(Window { multipath: self.is_mptcp(), ..window });
        self.windows.len() - 1
    }

    fn add_sub(
        &mut self,
        env: &Env<'_>,
        tcp: Subflow,
        tuple: FourTuple,
        opener: bool,
        join: Option<Box<Join>>,
    ) {
        self.mark_ready(self.subs.len());
        if let Some(state) = &mut self.out_of_tree {
            state.add_subflow();
        }
        self.subs.push(Sub {
            tcp,
            tuple,
            joined: join.is_some(),
            opener,
            local_id: 0,
            remote_id: 0,
            backup_by_peer: false,
            backup_by_us: false,
            fully_established: false,
            pre_established: opener && join.is_some(),
            pm_notified: false,
            join,
            map: None,
            stale: false,
            stale_count: 0,
            stale_heard: env.now,
            pending: super::output::Pending::default(),
            sndbuf: self.tx.initial_sndbuf(env.config),
            valid_checksum_seen: false,
            send_infinite: false,
            infinite_from: NOT_INFINITE,
            acked: 1,
            removed: false,
            source_route: None,
            statistics: super::SubStatistics::default(),
        });
    }

    // ---- the end of the TCP handshake --------------------------------------------------------

    /// The TCP handshake of a subflow is complete with `segment`: do the MPTCP part. False if the
    /// subflow was reset.
    pub(super) fn subflow_connected(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
    ) -> bool {
        self.subs[index].statistics.established = env.now;
        self.update_sndbuf(env, index);
        let sub = &self.subs[index];
        let (joined, opener) = (sub.joined, sub.opener);
        self.fix_receive_buffer(env, index);
        if self.out_of_tree.is_some() {
            self.start_out_of_tree(index);
        }
        match (joined, opener) {
            (false, true) => self.capable_syn_ack(env, segment),
            (false, false) => self.capable_third_ack(env, segment),
            (true, true) => return self.join_syn_ack(env, index, segment),
            (true, false) => return self.join_third_ack(env, index, segment),
        }
        self.statistics.established_at = Some(env.now);
        if opener {
            self.fast_open_answered(env, segment);
        }
        self.tx.window_end = match self.mode {
            Mode::Mptcp => self.tx.in_syn + u64::from(self.subs[index].tcp.snd_wnd()),
            Mode::Plain | Mode::FellBack(_) => u64::MAX,
        };
        self.rx.start_tuning(env.now);
        if self.state == MetaState::Opening {
            self.set_meta_state(env, MetaState::Established);
        }
        if !matches!(self.path_manager, AnyPathManager::Endpoints) {
            self.path_event(env, PathEvent::Created);
        }
        true
    }

    /// The SYN/ACK of the first subflow (`subflow_finish_connect`).
    #[cold]
    fn capable_syn_ack(&mut self, env: &mut Env<'_>, segment: &Segment) {
        if !self.is_mptcp() {
            self.detect_blackhole(env);
            return;
        }
        let version = self.version;
        let option = segment.mp_capable().filter(|option| answers(option, version));
        let Some((option, key)) = option.and_then(|o| Some((o, o.sender_key?))) else {
            self.fall_back(env, Counter::MpCapableFallbackSynAck);
            return;
        };
        // RFC 6824 section 3.1: no answer may have a higher version than what was asked for.
        if self.out_of_tree.is_some() && option.version > self.capable_version() {
            self.fall_back(env, Counter::MpCapableSynAckRx);
            return;
        }
        self.checksum |= option.flags & MpCapable::CHECKSUM != 0;
        self.no_join_id0 = option.flags & MpCapable::NO_JOIN_ID0 != 0;
        self.set_remote_key(Key(key));
        env.mib.inc(Counter::MpCapableSynAckRx);
        if self.checksum && self.out_of_tree.is_some() {
            env.mib.inc(Counter::CsumEnabled);
        }
        if !self.subs[0].tuple.dst.ip().is_loopback() {
            env.active.enable();
        }
        env.log.mptcp(env.now, 0, "mp-capable", || "SYN/ACK carries MP_CAPABLE".into());
    }

    /// The third segment of the first subflow: it must bring the client's key
    /// (`subflow_syn_recv_sock`).
    fn capable_third_ack(&mut self, env: &mut Env<'_>, segment: &Segment) {
        if !self.is_mptcp() {
            return;
        }
        if self.out_of_tree.is_some() {
            // The SYN brought the key: what the third ACK says does not matter.
            env.mib.inc(Counter::MpCapableAckRx);
            return;
        }
        let keys = segment
            .mp_capable()
            .and_then(|option| Some((option, Key(option.sender_key?), Key(option.receiver_key?))));
        let Some((option, key, _)) = keys.filter(|keys| keys.2 == self.local_key) else {
            self.fall_back(env, Counter::MpCapableFallbackAck);
            return;
        };
        self.checksum |= option.flags & MpCapable::CHECKSUM != 0;
        self.set_remote_key(key);
        env.mib.inc(Counter::MpCapableAckRx);
        self.fully_established(env, 0);
    }

    /// The SYN/ACK of a joined subflow: its sender must know the keys.
    #[cold]
    fn join_syn_ack(&mut self, env: &mut Env<'_>, index: usize, segment: &Segment) -> bool {
        let Some(&MpJoin::SynAck { backup, address_id, hmac, nonce }) = segment.mp_join() else {
            if self.out_of_tree.is_some() {
                env.mib.inc(Counter::MpJoinSynAckHmacFailure);
            }
            self.reset_subflow(env, index, ResetReason::MPTCP);
            return false;
        };
        let Some(remote_key) = self.remote_key else { return false };
        if self.state != MetaState::Established {
            self.reset_subflow(env, index, ResetReason::MPTCP);
            return false;
        }
        let sub = &mut self.subs[index];
        sub.backup_by_peer = backup;
        sub.remote_id = address_id;
        let Some(join) = sub.join.as_deref_mut() else { return false };
        join.remote_nonce = nonce;
        let expected = join_hmac(remote_key, self.local_key, nonce, join.local_nonce, self.version);
        if expected.leftmost64() != hmac {
            env.mib.inc(Counter::MpJoinSynAckHmacFailure);
            self.reset_subflow(env, index, ResetReason::MPTCP);
            return false;
        }
        self.fallback_allowed = false;
        env.mib.inc(Counter::MpJoinSynAckRx);
        if self.has_other_port(index) {
            env.mib.inc(Counter::MpJoinPortSynAckRx);
        }
        if backup {
            env.mib.inc(Counter::MpJoinSynAckBackupRx);
        }
        env.log.mptcp(env.now, index, "mp-join", || "SYN/ACK carries a valid MP_JOIN".into());
        true
    }

    /// The third ACK of a joined subflow: the last proof, and the limits
    /// (`subflow_syn_recv_sock`, `mptcp_finish_join`).
    #[cold]
    fn join_third_ack(&mut self, env: &mut Env<'_>, index: usize, segment: &Segment) -> bool {
        let Some(&MpJoin::Ack { hmac }) = segment.mp_join() else {
            if self.out_of_tree.is_some() {
                env.mib.inc(Counter::MpJoinAckMissing);
            }
            self.refuse_third_ack(env, index, segment, ResetReason::MPTCP);
            return false;
        };
        let Some(remote_key) = self.remote_key else { return false };
        let Some(join) = self.subs[index].join.as_deref() else { return false };
        let expected = join_hmac(
            remote_key,
            self.local_key,
            join.remote_nonce,
            join.local_nonce,
            self.version,
        );
        if expected.bytes160() != hmac {
            env.mib.inc(Counter::MpJoinAckHmacFailure);
            self.refuse_third_ack(env, index, segment, ResetReason::MPTCP);
            return false;
        }
        if self.out_of_tree.is_some() {
            return self.accept_join_out_of_tree(env, index);
        }
        let open = self.state == MetaState::Established && self.is_mptcp();
        if !open || !self.accepts_subflow(env) {
            env.mib.inc(Counter::MpJoinRejected);
            self.refuse_third_ack(env, index, segment, ResetReason::PROHIBITED);
            return false;
        }
        self.fallback_allowed = false;
        self.statistics.subflows_total += 1;
        env.mib.inc(Counter::MpJoinAckRx);
        if self.has_other_port(index) {
            env.mib.inc(Counter::MpJoinPortAckRx);
        }
        env.log.mptcp(env.now, index, "mp-join", || "third ACK carries a valid MP_JOIN".into());
        self.fully_established(env, index);
        true
    }

    /// The third ACK of a join was not good enough: the answer is a reset, and the subflow was never
    /// there.
    fn refuse_third_ack(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
        reason: ResetReason,
    ) {
        let sub = &mut self.subs[index];
        sub.statistics.reset_reason = Some(reason);
        if env.config.rules.reset_reasons {
            sub.pending.answer = Some(MpTcpRst::new(reason));
        }
        sub.tcp.abort_by_answer(&mut cx!(self, env, index), segment);
        env.log.mptcp(env.now, index, "reset", || format!("reason {}", reason.0));
        self.mark_ready(index);
    }

    /// A subflow is fully established: both ends know that the other one speaks MPTCP
    /// (`__mptcp_subflow_fully_established`).
    pub(super) fn fully_established(&mut self, env: &mut Env<'_>, index: usize) {
        if std::mem::replace(&mut self.subs[index].fully_established, true) {
            return;
        }
        self.touched.mark(index);
        let sub = &mut self.subs[index];
        sub.pre_established = false;
        if sub.joined && sub.opener {
            // The fourth ACK: the third need not be repeated.
            sub.tcp.cancel_scheduled_ack();
        }
        env.log.mptcp(env.now, index, "fully-established", String::new);
        self.mark_ready(index);
        self.notify_established(env, index);
    }

    /// Tells the path manager once that a subflow is ready.
    fn notify_established(&mut self, env: &mut Env<'_>, index: usize) {
        let sub = &mut self.subs[index];
        if std::mem::replace(&mut sub.pm_notified, true) {
            return;
        }
        let event = if self.subs[index].joined {
            PathEvent::SubflowEstablished { subflow: index }
        } else {
            PathEvent::FullyEstablished
        };
        self.path_event(env, event);
    }

    /// Resets one subflow with a reason; the connection lives on if it has others.
    pub(super) fn reset_subflow(&mut self, env: &mut Env<'_>, index: usize, reason: ResetReason) {
        if self.out_of_tree.is_some() {
            self.reinject(env, index);
        }
        let speaks = self.is_mptcp() && env.config.rules.reset_reasons;
        let sub = &mut self.subs[index];
        sub.statistics.reset_reason = Some(reason);
        if speaks {
            sub.pending.reset = Some(MpTcpRst::new(reason));
        }
        sub.tcp.abort(&mut cx!(self, env, index));
        env.log.mptcp(env.now, index, "reset", || format!("reason {}", reason.0));
        self.mark_ready(index);
    }

    /// The first subflow could not be opened.
    pub(super) fn connect_failed(&mut self, env: &mut Env<'_>, error: Error) {
        self.fail_all(env, error);
    }
}

/// Whether connections with these addresses use MPTCP on this host (`mptcp_doit`).
fn speaks_mptcp(env: &Env<'_>, tuple: FourTuple) -> bool {
    let loopback = tuple.src.ip().is_loopback() || tuple.dst.ip().is_loopback();
    let rules = env.config.rules;
    env.config.sysctl.allows_mptcp(rules.stack) && (rules.loopback || !loopback)
}

/// The MP_CAPABLE of a SYN that this host answers.
fn offer_of(env: &Env<'_>, syn: &Segment) -> Option<MpCapable> {
    let version = env.config.rules.version;
    syn.mp_capable().copied().filter(|option| offers(option, version))
}

/// True if an MP_CAPABLE of a SYN is one this host answers (`mptcp_parse_option`,
/// `mptcp_parse_options`): upstream version 1, HMAC-SHA256, no extension; out of tree any version,
/// with the sender's key.
fn offers(option: &MpCapable, version: Version) -> bool {
    match version {
        Version::V0 => is_version_0(option),
        Version::V1 => is_version_1(option) && option.sender_key.is_none(),
    }
}

/// The same for the MP_CAPABLE of a SYN/ACK.
fn answers(option: &MpCapable, version: Version) -> bool {
    match version {
        Version::V0 => is_version_0(option),
        Version::V1 => is_version_1(option) && option.sender_key.is_some(),
    }
}

fn is_version_0(option: &MpCapable) -> bool {
    option.flags & MpCapable::HMAC != 0
        && option.sender_key.is_some()
        && option.receiver_key.is_none()
}

fn is_version_1(option: &MpCapable) -> bool {
    const UNKNOWN: u8 = 0x1e;
    option.version == 1
        && option.flags & MpCapable::EXTENSIBILITY == 0
        && option.flags & MpCapable::HMAC != 0
        && option.flags & UNKNOWN == 0
        && option.receiver_key.is_none()
}
