//! Opening (`mptcp_rcv_synsent_state_process`, `mptcp_check_req_master`, `mptcp_check_req_child`,
//! `mptcp_init_buffer_space`; RFC 6824 sections 3.1 and 3.2).

use crate::mptcp::{Connection, Env, MetaState, Refusal};
use crate::mptcp_keys::Key;
use crate::observe::mib::Counter;
use crate::path_manager::PathEvent;
use crate::rules::ReceiveTuning;
use crate::segment::{Flags, MpCapable, ResetReason, Segment};
use crate::tcp::{Nagle, Space, State as TcpState};

/// Memory of a segment beside its payload when a receive buffer is made: headers, `sk_buff`,
/// `skb_shared_info` (`SKB_TRUESIZE(mss + MAX_TCP_HEADER)`).
const SEGMENT_OVERHEAD: u32 = 896;
/// Initial windows that a receive buffer holds at first (`tcp_fixup_rcvbuf`).
const INITIAL_WINDOWS: u32 = 8;

impl Connection {
    /// A listening socket of this line drops a SYN that wants an extended MP_CAPABLE
    /// (`mptcp_parse_options`: `drop_me`).
    pub fn drops_syn(env: &Env<'_>, syn: &Segment) -> bool {
        let rules = env.config.rules;
        rules.version == crate::mptcp_keys::Version::V0
            && env.config.sysctl.allows_mptcp(rules.stack)
            && syn.mp_capable().is_some_and(|o| o.flags & MpCapable::EXTENSIBILITY != 0)
    }

    /// Small segments wait at the connection, not at its subflows.
    pub(in crate::mptcp) fn subflow_nagle(&self) -> Nagle {
        let mut nagle = self.options.nagle;
        nagle.off |= self.out_of_tree.is_some();
        nagle
    }

    /// The version number in MP_CAPABLE.
    pub(in crate::mptcp) fn capable_version(&self) -> u8 {
        self.out_of_tree.as_ref().map_or(1, |state| state.version)
    }

    /// Version 0 brings the client's key with the SYN.
    pub(in crate::mptcp) fn take_offered_key(&mut self, offer: &MpCapable) {
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        state.version = state.version.min(offer.version);
        if let Some(key) = offer.sender_key {
            self.set_remote_key(Key(key));
        }
    }

    /// A SYN that comes again without MP_CAPABLE: the client has given it up.
    #[cold]
    pub(in crate::mptcp) fn syn_repeated(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
    ) {
        let repeated = !self.client
            && segment.flags.has(Flags::SYN)
            && self.subs[index].tcp.state() == TcpState::SynReceived
            && segment.mp_capable().is_none();
        if repeated && index == 0 && self.is_mptcp() && self.out_of_tree.is_some() {
            self.fall_back(env, Counter::MpCapableFallbackAck);
        }
    }

    /// The TCP handshake of a subflow is complete.
    #[cold]
    pub(in crate::mptcp) fn start_out_of_tree(&mut self, index: usize) {
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        let sub = &self.subs[index];
        let path = &mut state.subflows[index];
        path.init_rcv_wnd = i64::from(sub.tcp.advertised_window());
        path.acked = sub.tcp.iss() + 1;
        path.reinjected = sub.tcp.iss() + 1;
        path.include_mpc = sub.opener && !sub.joined;
        path.interval = sub.tcp.rto();
    }

    // ---- joins -----------------------------------------------------------------------------

    /// A SYN with MP_JOIN is answered unless the connection is no MPTCP any more or about to end
    /// (`mptcp_do_join_short`).
    pub(in crate::mptcp) fn admit_join_out_of_tree(
        &self,
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        if !self.is_mptcp() {
            env.mib.inc(Counter::MpJoinAlreadyFallback);
            return Err(Refusal { reason: ResetReason::PROHIBITED });
        }
        env.mib.inc(Counter::MpJoinSynRx);
        if matches!(self.state, MetaState::Opening | MetaState::Closed) {
            return Err(Refusal { reason: ResetReason::PROHIBITED });
        }
        Ok(())
    }

    /// The third ACK of a join was right: the responder may send.
    pub(in crate::mptcp) fn accept_join_out_of_tree(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
    ) -> bool {
        if !self.is_mptcp() || self.state == MetaState::Closed {
            self.reset_subflow(env, index, ResetReason::PROHIBITED);
            return false;
        }
        self.statistics.subflows_total += 1;
        env.mib.inc(Counter::MpJoinAckRx);
        env.log.mptcp(env.now, index, "mp-join", || "third ACK carries a valid MP_JOIN".into());
        // The fourth ACK: only then may the initiator send.
        self.subs[index].tcp.request_ack();
        self.mark_ready(index);
        self.path_news(env, PathEvent::SubflowEstablished { subflow: index });
        true
    }

    /// The peer has answered on a joined subflow: it has the third ACK.
    pub(super) fn leave_pre_established(&mut self, env: &mut Env<'_>, index: usize) {
        if !std::mem::replace(&mut self.subs[index].pre_established, false) {
            return;
        }
        if let Some(state) = self.out_of_tree.as_deref_mut() {
            state.subflows[index].repeat.stop();
        }
        env.log.mptcp(env.now, index, "established", || "the fourth segment arrived".into());
        self.mark_ready(index);
        self.path_news(env, PathEvent::SubflowEstablished { subflow: index });
    }

    /// Both ends are known to see each other's DSS on this subflow
    /// (`mptcp_become_fully_estab`).
    pub(super) fn become_fully_established(&mut self, env: &mut Env<'_>, index: usize) {
        if std::mem::replace(&mut self.subs[index].fully_established, true) {
            return;
        }
        // Schedulers may give it any data from now on.
        self.touched.mark(index);
        env.log.mptcp(env.now, index, "fully-established", String::new);
        if !self.subs[index].joined {
            self.path_event(env, PathEvent::FullyEstablished);
        }
    }

    // ---- buffers ---------------------------------------------------------------------------

    /// The receive buffer grows with each subflow that joins, and starts at several initial
    /// windows (`mptcp_init_buffer_space`, `tcp_fixup_rcvbuf`).
    pub(in crate::mptcp) fn fix_receive_buffer(&mut self, env: &Env<'_>, index: usize) {
        let sysctl = &env.config.sysctl;
        let rules = env.config.rules;
        if rules.receive_tuning != ReceiveTuning::TwoRounds {
            return;
        }
        let tcp = &self.subs[index].tcp;
        let segments = rules.initial_window_segments.unwrap_or(0);
        if index == 0 {
            self.rx.tuning.space = u64::from(tcp.advertised_window());
        }
        if !self.tunes_rcvbuf(env) {
            return;
        }
        let segment = u32::from(tcp.advmss()) + SEGMENT_OVERHEAD;
        let initial = (INITIAL_WINDOWS * segments * segment).max(sysctl.tcp_rmem.default);
        let others = if index == 0 { 0 } else { self.rx.space.rcvbuf };
        let wanted = initial.min(sysctl.tcp_rmem.max).saturating_add(others);
        self.rx.space.rcvbuf = wanted.min(sysctl.tcp_rmem.max).max(self.rx.space.rcvbuf);
        self.spread_rcvbuf();
    }

    /// Grows the receive buffer after a round trip that brought more than any before
    /// (`tcp_rcv_space_adjust`, 4.14).
    #[inline(never)]
    pub(in crate::mptcp) fn tune_by_two_rounds(&mut self, env: &mut Env<'_>) {
        let tuning = self.rx.tuning;
        if tuning.copied <= tuning.space {
            return;
        }
        let advmss = self.subs.iter().map(|sub| sub.tcp.advmss()).max().unwrap_or(536);
        let advmss = u32::from(advmss);
        let mut window = 2 * tuning.copied + 16 * u64::from(advmss);
        if tuning.copied >= tuning.space + tuning.space / 2 {
            window *= 2;
        } else if tuning.copied >= tuning.space + tuning.space / 4 {
            window += window / 2;
        }
        self.rx.tuning.space = tuning.copied;
        if self.tunes_rcvbuf(env) {
            self.make_room_for(env, u32::try_from(window).unwrap_or(u32::MAX), advmss);
        }
    }

    /// Room for a window counts whole segments with what they take beside their data, so that more
    /// fits than the window says: a little may wait before the window closes.
    fn make_room_for(&mut self, env: &Env<'_>, window: u32, advmss: u32) {
        let mut segment = advmss + SEGMENT_OVERHEAD;
        while Space::window_from(self.rx.space.ratio, segment) < advmss {
            segment += 128;
        }
        if self.enlarge_rcvbuf(env, (window / advmss).saturating_mul(segment)) {
            let rcvbuf = self.rx.space.rcvbuf;
            self.subs.iter_mut().for_each(|sub| sub.tcp.set_rcvbuf(rcvbuf, window));
        }
    }

    // ---- repetition ------------------------------------------------------------------------

    /// The third ACK of a join again, at doubling intervals (`mptcp_ack_handler`).
    pub(super) fn repeat_third_ack(&mut self, env: &mut Env<'_>, index: usize) {
        let longest = mptcpsim_core::time::Span::from_secs(120);
        let limit = u32::from(env.config.sysctl.tcp_retries2);
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        let path = &mut state.subflows[index];
        path.repeats = path.repeats.saturating_add(1);
        if u32::from(path.repeats) > limit {
            env.mib.inc(Counter::MpJoinAckRto);
            self.reset_subflow(env, index, ResetReason::UNSPECIFIED);
            return;
        }
        path.interval = (path.interval * 2).min(longest);
        let interval = path.interval;
        path.repeat.set(env.now, interval);
        env.mib.inc(Counter::MpJoinAckRexmit);
        let sub = &mut self.subs[index];
        sub.tcp.request_ack();
        self.mark_ready(index);
    }
}
