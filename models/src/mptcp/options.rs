//! Taking in a segment and its MPTCP options (Linux `mptcp_incoming_options`,
//! `check_fully_established`, `ack_update_msk`).

use super::{Connection, Env, MetaState, Mode, cx};
use crate::mptcp_keys::add_addr_hmac;
use crate::observe::mib::Counter;
use crate::path_manager::PathEvent;
use crate::segment::{AddAddr, Dss, MpTcpRst, ResetReason, Segment, Width};
use crate::seq::expand_dsn;
use crate::tcp::{State, Step, Subflow};

impl Connection {
    /// B: a segment arrived on the subflow with index `index`.
    pub fn on_segment(&mut self, env: &mut Env<'_>, index: usize, segment: &Segment) {
        let may_be_signed = self.options.md5_key.is_some() || segment.rare.is_some();
        if may_be_signed && self.refuses_signature(env, index, segment) {
            return;
        }
        if self.out_of_tree.is_some() {
            self.data_ack_before_tcp(env, index, segment);
        }
        let Some(sub) = self.subs.get_mut(index) else { return };
        let step = sub.tcp.on_segment(&mut cx!(self, env, index), segment);
        let disposed = sub.removed && sub.joined;
        self.mark_ready(index);
        if disposed {
            self.on_segment_disposed(env, index, segment, step);
            return;
        }
        match step {
            Step::Drop => {
                self.syns_crossed(env, index);
                self.syn_repeated(env, index, segment);
                self.after_segment(env, index);
                return;
            }
            Step::Reset => {
                self.subflow_reset(env, index, segment);
                return;
            }
            Step::Established => {
                if !self.subflow_connected(env, index, segment) {
                    self.after_segment(env, index);
                    return;
                }
            }
            Step::Accepted => {}
        }
        self.subflow_heard(env, index);
        let handshake = step == Step::Established && self.subs[index].opener;
        if !handshake {
            if !self.incoming_options(env, index, segment) {
                self.after_segment(env, index);
                return;
            }
            self.take_data(env, index, segment);
        }
        let sub = &mut self.subs[index];
        if sub.tcp.owes_ack() {
            sub.tcp.segment_done(&mut cx!(self, env, index));
        }
        self.after_segment(env, index);
    }

    /// The peer opens the connection too: that is plain TCP (`subflow_simultaneous_connect`).
    #[inline]
    fn syns_crossed(&mut self, env: &mut Env<'_>, index: usize) {
        let crossed = self.subs[index].tcp.opened_both_ways() && self.state == MetaState::Opening;
        if crossed {
            self.fall_back(env, Counter::SimultConnectFallback);
        }
    }

    /// A segment for a subflow that the connection has given up: TCP ends by itself. (The first one
    /// is never disposed of: what still arrives on it is data of the connection.)
    #[cold]
    fn on_segment_disposed(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
        step: Step,
    ) {
        if step == Step::Reset {
            self.take_reset_options(env, index, segment);
        }
        if step == Step::Accepted {
            let sub = &mut self.subs[index];
            if segment.dss.is_some_and(|dss| dss.has_mapping()) {
                sub.pending.answer = Some(MpTcpRst::new(ResetReason::UNSPECIFIED));
            }
            sub.tcp.receive_data(&mut cx!(self, env, index), segment, None);
            sub.tcp.segment_done(&mut cx!(self, env, index));
        }
    }

    /// Whatever a segment did to the subflow's life. A closed window, from which something is under way, is no
    /// reason to ask the scheduler, nor for how long the connection's timer is to wait (`ack_update_msk`).
    fn after_segment(&mut self, env: &mut Env<'_>, index: usize) {
        let closed = !self.tx.has_window() && self.tx.una < self.tx.nxt;
        let waits = closed && self.is_mptcp() && self.out_of_tree.is_none();
        if !std::mem::take(&mut self.pushed) && !waits {
            self.push_pending(env);
        }
        self.check_subflow_state(env, index);
    }

    fn take_data(&mut self, env: &mut Env<'_>, index: usize, segment: &Segment) {
        if Subflow::brings_data(segment) {
            let dss = self.mapping_of(segment);
            let sub = &mut self.subs[index];
            sub.tcp.receive_data(&mut cx!(self, env, index), segment, dss);
        }
        self.data_ready(env, index);
    }

    /// The mapping a segment carries, MP_CAPABLE with data included: its data starts the stream.
    fn mapping_of(&self, segment: &Segment) -> Option<Dss> {
        if !self.is_mptcp() && !self.awaits_infinite_mapping() {
            return None;
        }
        let capable = segment.mp_capable().and_then(|option| Some((option, option.data_len?)));
        if let Some((option, len)) = capable {
            return Some(Dss {
                dsn: self.rx.first_dsn.wrapping_add(self.rx.in_syn),
                ssn: 1,
                len,
                checksum: option.checksum.unwrap_or(0),
                dsn_width: Width::Eight,
                checksummed: option.checksum.is_some(),
                ..Dss::default()
            });
        }
        segment.dss.filter(Dss::has_mapping)
    }

    /// Reads the options. False if the segment must not be looked at any further.
    fn incoming_options(&mut self, env: &mut Env<'_>, index: usize, segment: &Segment) -> bool {
        match self.mode {
            Mode::Plain | Mode::FellBack(_) => {
                self.plain_ack(index);
                return true;
            }
            Mode::Mptcp if self.out_of_tree.is_some() => {
                return self.incoming_out_of_tree(env, index, segment);
            }
            Mode::Mptcp => {}
        }
        if !self.check_fully_established(env, index, segment) {
            return self.subs[index].tcp.state() != State::Closed;
        }
        if let Some(rare) = segment.rare.as_deref() {
            if let Some(option) = rare.add_addr {
                self.add_addr_received(env, index, option);
            }
            if let Some(option) = rare.remove_addr {
                self.remove_addr_received(env, &option);
            }
            if let Some(option) = rare.mp_prio {
                env.mib.inc(Counter::MpPrioRx);
                self.subs[index].backup_by_peer = option.backup;
                self.touched.mark(index);
                env.log.mptcp(env.now, index, "mp-prio", || {
                    format!("peer sets backup {}", u8::from(option.backup))
                });
                let backup = option.backup;
                self.path_news(env, PathEvent::PriorityReceived { subflow: index, backup });
            }
            if let Some(key) = rare.mp_fastclose {
                self.fastclose_received(env, key);
            }
            if rare.mp_fail.is_some() {
                self.fail_received(env, index);
            }
        }
        self.notice_plain_ack(env, index, segment);
        if !self.is_mptcp() {
            return true;
        }
        let Some(dss) = segment.dss else { return true };
        if dss.has_ack() {
            self.data_ack(env, &dss, self.subs[index].tcp.snd_wnd());
        }
        let ends = dss.data_fin && segment.payload.is_empty() && dss.len == 1;
        if dss.has_mapping() && ends {
            let dsn = self.expand_received(&dss);
            self.data_fin_received(dsn);
        }
        true
    }

    /// The offset in the received stream that a DSN means.
    pub(super) fn expand_received(&self, dss: &Dss) -> u64 {
        let reference = self.rx.first_dsn.wrapping_add(self.rx.next);
        let dsn = match dss.dsn_width {
            Width::Four => expand_dsn(reference, dss.dsn as u32),
            Width::Eight | Width::Absent => dss.dsn,
        };
        dsn.wrapping_sub(self.rx.first_dsn)
    }

    /// The connection becomes plain TCP in the middle: what the first subflow has acknowledged is
    /// acknowledged.
    pub(super) fn count_plain_acks(&mut self) {
        let una = self.windows[0].snd_una;
        let queued = u64::from(self.subs[0].tcp.queued_bytes(una));
        self.tx.count_plain_acks(una - self.subs[0].tcp.iss(), queued);
    }

    /// Without MPTCP what the subflow acknowledges is what the connection has acknowledged.
    fn plain_ack(&mut self, index: usize) {
        if index != 0 {
            return;
        }
        let acked = self.windows[0].snd_una - self.subs[0].tcp.iss();
        self.tx.note_plain_ack(acked);
    }

    /// The rules by which a subflow becomes fully established, or fails to
    /// (`check_fully_established`). False if the options must not be processed.
    fn check_fully_established(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
    ) -> bool {
        let sub = &mut self.subs[index];
        let first_segment = segment.seq == sub.tcp.irs() + 1;
        if sub.fully_established {
            // The third ACK of a join, also when repeated, is answered by the fourth: only then
            // may the peer send.
            let third_ack = first_segment
                && segment.payload.is_empty()
                && sub.joined
                && !sub.opener
                && segment.mp_join().is_some();
            if third_ack {
                sub.tcp.request_ack();
            }
            return true;
        }
        if !first_segment {
            if sub.joined {
                self.reset_subflow(env, index, ResetReason::UNSPECIFIED);
                return false;
            }
            return true;
        }
        let acked = segment.dss.is_some_and(|dss| dss.has_ack());
        let announced = segment
            .rare()
            .and_then(|rare| rare.add_addr)
            .is_some_and(|option| !option.echo || sub.joined);
        if self.remote_key.is_some() && (acked || announced) {
            self.fully_established(env, index);
            return true;
        }
        if segment.mp_capable().is_some_and(|option| option.receiver_key.is_some()) {
            self.fully_established(env, index);
            return true;
        }
        if sub.joined {
            self.reset_subflow(env, index, ResetReason::UNSPECIFIED);
            return false;
        }
        self.try_fall_back(env, index, Counter::MpCapableDataFallback);
        false
    }

    #[cold]
    fn add_addr_received(&mut self, env: &mut Env<'_>, index: usize, option: AddAddr) {
        let Some(remote_key) = self.remote_key else { return };
        if option.port.is_some() && !option.echo {
            env.mib.inc(Counter::PortAdd);
        }
        if option.echo {
            env.mib.inc(Counter::EchoAdd);
            self.echo_received(env, &option);
            return;
        }
        let expected =
            add_addr_hmac(remote_key, self.local_key, option.address_id, option.addr, option.port);
        if option.hmac != Some(expected) {
            env.log.mptcp(env.now, index, "add-addr-ignored", || "wrong HMAC".into());
            return;
        }
        env.mib.inc(Counter::AddAddr);
        self.announced(env, index, &option);
    }

    #[cold]
    fn remove_addr_received(&mut self, env: &mut Env<'_>, option: &crate::segment::RemoveAddr) {
        for &id in option.ids() {
            env.mib.inc(Counter::RmAddr);
            env.log.mptcp(env.now, 0, "remove-addr", || format!("peer withdrew id {id}"));
            self.path_event(env, PathEvent::RemoveAddr { id });
        }
    }
}
