//! What leaves: the segments of the subflows with their MPTCP options
//! (Linux `mptcp_established_options`, `mptcp_write_options`).

use std::ops::{Deref, DerefMut};

use super::{Connection, Env, NOT_INFINITE, cx, out_of_tree};
use crate::mptcp_keys::{Key, Version, join_hmac};
use crate::observe::mib::Counter;
use crate::segment::{
    Dss, Flags, MAX_OPTIONS, MpCapable, MpJoin, MpPrio, MpTcpRst, Segment, Width,
};
use crate::seq::Seq;
use crate::tcp::{Chunk, Outgoing, State};
use crate::wire::dss_checksum;
use mptcpsim_core::time::Span;

/// Bytes of a DSS with mapping, padded: 4-byte and 8-byte DATA_ACK.
const DSS_SHORT_ACK: u8 = 24;
const DSS_LONG_ACK: u8 = 28;
/// Bytes of MP_FAIL.
const MP_FAIL: u8 = 12;

/// MPTCP options that wait for the next segment of a subflow. Most subflows never have one.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending(Option<Box<Waiting>>);

/// See [`Pending`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    /// To go with a reset.
    pub(super) reset: Option<MpTcpRst>,
    /// To go with a reset that answers a segment, which no counter counts.
    pub(super) answer: Option<MpTcpRst>,
    pub(super) fastclose: Option<Key>,
    /// MP_FAIL: where the mapping with the wrong checksum starts.
    pub(super) fail: Option<u64>,
    /// New priority of the subflow.
    pub(super) prio: Option<bool>,
    /// The checksum of a chunk, computed once.
    checksum: Option<(Seq, u32, u16)>,
}

impl Deref for Pending {
    type Target = Waiting;

    fn deref(&self) -> &Waiting {
        const NOTHING: &Waiting = &Waiting {
            reset: None,
            answer: None,
            fastclose: None,
            fail: None,
            prio: None,
            checksum: None,
        };
        self.0.as_deref().unwrap_or(NOTHING)
    }
}

impl DerefMut for Pending {
    fn deref_mut(&mut self) -> &mut Waiting {
        self.0.get_or_insert_default()
    }
}

impl Connection {
    /// D: the next segment to send and the index of its subflow.
    pub fn poll_segment(&mut self, env: &mut Env<'_>) -> Option<(usize, Segment)> {
        let mut out = Outgoing::default();
        let index = self.poll_into(env, &mut out)?;
        Some((index, out.segment))
    }

    /// D: the same, with the segment written to `out`, a fresh one.
    #[inline(always)]
    pub(crate) fn poll_into(&mut self, env: &mut Env<'_>, out: &mut Outgoing) -> Option<usize> {
        if self.has_output() { self.poll_on(env, out) } else { None }
    }

    #[inline(never)]
    fn poll_on(&mut self, env: &mut Env<'_>, out: &mut Outgoing) -> Option<usize> {
        while self.has_output() {
            if self.ready == 0 {
                self.work = false;
                self.do_work(env);
                continue;
            }
            let bit = self.next_ready(env);
            // The last bit stands for all subflows from the 64th on.
            let last = if bit == 63 { self.subs.len() } else { bit + 1 };
            for index in bit..last.min(self.subs.len()) {
                if self.poll_subflow(env, index, out) {
                    let tcp = &self.subs[index].tcp;
                    let done = bit < 63 && !tcp.has_output();
                    if done || tcp.first_burst_left() {
                        self.maybe_expand_sndbuf(env, index);
                    }
                    if done {
                        self.ready &= !(1 << bit);
                    }
                    return Some(index);
                }
                self.maybe_expand_sndbuf(env, index);
            }
            self.ready &= !(1 << bit);
        }
        None
    }

    /// The subflow that speaks next: the oldest, unless an address is withdrawn, which is told before
    /// subflows close (`mptcp_pm_addr_send_ack_avoid_list`), or SYNs go first.
    fn next_ready(&self, env: &Env<'_>) -> usize {
        if self.ready.is_power_of_two() {
            return self.ready.trailing_zeros() as usize;
        }
        let opening = |index: &usize| {
            self.ready & (1 << index) != 0 && self.subs[*index].tcp.state() == State::SynSent
        };
        let teller = self.signal.teller().map(|index| index.min(63));
        if let Some(bit) = teller.filter(|bit| self.ready & (1 << bit) != 0) {
            return bit;
        }
        let few = self.subs.len().min(63);
        let first = env.config.rules.join_before_echo.then(|| (0..few).find(opening)).flatten();
        first.unwrap_or(self.ready.trailing_zeros() as usize)
    }

    /// Writes the next segment of a subflow to `out`; false if there is none now.
    fn poll_subflow(&mut self, env: &mut Env<'_>, index: usize, out: &mut Outgoing) -> bool {
        let is_mptcp = self.is_mptcp();
        let sub = &mut self.subs[index];
        let cx = &mut cx!(self, env, index);
        if !sub.tcp.poll(cx, out) {
            return false;
        }
        if !is_mptcp && self.out_of_tree.is_none() && sub.infinite_from == NOT_INFINITE {
            if self.options.md5_key.is_some() {
                self.complete_signed(env, index, out);
            } else {
                sub.tcp.complete(cx, out);
            }
            return true;
        }
        let join_ack = if is_mptcp {
            self.add_options(env, index, out)
        } else if self.out_of_tree.is_some() {
            self.infinite_mapping(index, out);
            false
        } else {
            self.infinite_option(index, out);
            false
        };
        let sub = &mut self.subs[index];
        sub.tcp.complete(&mut cx!(self, env, index), out);
        if is_mptcp {
            self.finish_segment(env, index, &mut out.segment, join_ack);
        }
        true
    }

    /// What is left to do when a segment is complete.
    fn finish_segment(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &mut Segment,
        join_ack: bool,
    ) {
        if join_ack {
            self.schedule_third_ack(env, index);
        }
        // Upstream shares it where it writes a DATA_ACK (`mptcp_write_options`).
        let tells = self.out_of_tree.is_some() || segment.dss.is_some_and(|dss| dss.has_ack());
        if self.is_mptcp() && tells && segment.flags.has(Flags::ACK) {
            self.share_window(env, index, segment);
        }
        if segment.rare().is_some() && env.config.rules.dss_written_last && segment.dss.is_some() {
            crate::wire::write_dss_last(segment, self.version);
        }
    }

    /// Adds the options of a segment; true if it is the third ACK of a join.
    fn add_options(&mut self, env: &mut Env<'_>, index: usize, out: &mut Outgoing) -> bool {
        if self.subs[index].tcp.is_shadow() {
            return false;
        }
        let segment = &mut out.segment;
        if segment.flags.has(Flags::RST) {
            self.reset_options(env, index, segment);
            return false;
        }
        if segment.flags.has(Flags::SYN) {
            self.syn_options(env, index, segment);
            return false;
        }
        if self.out_of_tree.is_some() {
            self.options_out_of_tree(env, index, out);
            return false;
        }
        if self.handshake_options(index, out) {
            return self.subs[index].joined;
        }
        self.established_options(env, index, out);
        false
    }

    #[cold]
    fn syn_options(&mut self, env: &mut Env<'_>, index: usize, segment: &mut Segment) {
        let answer = segment.flags.has(Flags::ACK);
        let sub = &self.subs[index];
        if !sub.joined {
            if !answer && self.drops_capable(env) {
                return;
            }
            // RFC 6824 has the client's key in the SYN, RFC 8684 has not.
            // The answer to a SYN that crossed ours is our SYN again.
            let with_key = answer && !self.client || self.version.has_key_in_syn();
            segment.rare_mut().mp_capable = Some(MpCapable {
                version: self.capable_version(),
                flags: self.capable_flags(env),
                sender_key: with_key.then_some(self.local_key.0),
                ..MpCapable::default()
            });
            segment.fit_fast_open();
            return;
        }
        let (Some(remote_key), Some(join)) = (self.remote_key, sub.join.as_deref()) else { return };
        let mirrors = answer && env.config.rules.join_answer_mirrors_backup;
        let backup = if mirrors { sub.backup_by_peer } else { sub.backup_by_us };
        let address_id = sub.local_id;
        let nonce = join.local_nonce;
        segment.rare_mut().mp_join = Some(if answer {
            let hmac =
                join_hmac(self.local_key, remote_key, nonce, join.remote_nonce, self.version);
            MpJoin::SynAck { backup, address_id, hmac: hmac.leftmost64(), nonce }
        } else {
            let token = crate::mptcp_keys::token(remote_key, self.version);
            MpJoin::Syn { backup, address_id, token, nonce }
        });
    }

    /// What the third ACK of a join says: the opener's HMAC.
    pub(super) fn third_ack_option(&self, index: usize) -> Option<MpJoin> {
        let join = self.subs[index].join.as_deref()?;
        let hmac = join_hmac(
            self.local_key,
            self.remote_key?,
            join.local_nonce,
            join.remote_nonce,
            self.version,
        );
        Some(MpJoin::Ack { hmac: hmac.bytes160() })
    }

    fn capable_flags(&self, env: &Env<'_>) -> u8 {
        let checksum = if self.checksum { MpCapable::CHECKSUM } else { 0 };
        let denies = self.version == Version::V1 && !env.config.sysctl.allow_join_initial_addr_port;
        let deny = if denies { MpCapable::NO_JOIN_ID0 } else { 0 };
        MpCapable::HMAC | checksum | deny
    }

    /// MP_CAPABLE or MP_JOIN on segments that start at the first byte, until the peer is known to
    /// have them (`mptcp_established_options_mp`). True if one was added.
    fn handshake_options(&mut self, index: usize, out: &mut Outgoing) -> bool {
        let sub = &self.subs[index];
        let first = out.skb_seq == sub.tcp.iss() + 1;
        if sub.fully_established
            || !first
            || !sub.opener
            || sub.tcp.state() != State::Established
            || self.data_fin_enabled()
        {
            return false;
        }
        // Data that the SYN carried in vain is not of MPTCP.
        let Some(remote_key) = self.remote_key.filter(|_| out.chunk.is_none_or(|it| it.mapped))
        else {
            return false;
        };
        if let Some(third_ack) = self.third_ack_option(index) {
            out.segment.rare_mut().mp_join = Some(third_ack);
            return true;
        }
        let mapping = out.chunk.filter(|chunk| chunk.mapped);
        let checksum = mapping.filter(|_| self.checksum).map(|c| self.chunk_checksum(index, &c));
        let flags = MpCapable::HMAC | if self.checksum { MpCapable::CHECKSUM } else { 0 };
        out.segment.rare_mut().mp_capable = Some(MpCapable {
            version: 1,
            flags,
            sender_key: Some(self.local_key.0),
            receiver_key: Some(remote_key.0),
            data_len: mapping.map(|chunk| chunk.len as u16),
            checksum,
        });
        true
    }

    /// DSS, announcements, priorities.
    fn established_options(&mut self, env: &mut Env<'_>, index: usize, out: &mut Outgoing) {
        let mapping = out.chunk.filter(|chunk| chunk.mapped);
        let mut dss = Dss::default();
        if let Some(chunk) = mapping {
            self.map_chunk(index, &chunk, &mut dss);
        }
        if self.data_fin_enabled() {
            self.add_data_fin(out, &mut dss);
        }
        if self.remote_key.is_some() {
            self.add_data_ack(&mut dss);
        }
        if dss.has_ack() || dss.has_mapping() {
            out.segment.dss = Some(dss);
        }
        if self.subs[index].pending.fail.is_some() {
            self.add_fail(env, index, &mut out.segment);
        }
        let pure_ack = out.segment.payload.is_empty() && !out.segment.flags.has(Flags::FIN);
        if pure_ack && self.signals_address() {
            self.add_address_option(env, index, &mut out.segment);
        }
        self.add_remove_addr(env, &mut out.segment);
        let room = MAX_OPTIONS - out.segment.options_len().min(MAX_OPTIONS);
        if let Some(backup) = self.subs[index].pending.prio.filter(|_| room >= 4) {
            self.subs[index].pending.prio = None;
            out.segment.rare_mut().mp_prio = Some(MpPrio { backup, address_id: None });
            env.mib.inc(Counter::MpPrioTx);
        }
    }

    /// The infinite mapping of the first data behind a wrong checksum.
    #[cold]
    fn infinite_option(&self, index: usize, out: &mut Outgoing) {
        let from = self.subs[index].infinite_from;
        if from == NOT_INFINITE {
            return;
        }
        if let Some(chunk) = out.chunk.filter(|chunk| chunk.mapped && chunk.stream == from) {
            let mut dss = Dss {
                dsn: self.first_sent_dsn().wrapping_add(from),
                dsn_width: Width::Eight,
                ssn: chunk.seq - self.subs[index].tcp.iss(),
                ..Dss::default()
            };
            self.add_data_ack(&mut dss);
            out.segment.dss = Some(dss);
        }
    }

    /// MP_FAIL, if one waits and there is room.
    fn add_fail(&mut self, env: &mut Env<'_>, index: usize, segment: &mut Segment) {
        let room = MAX_OPTIONS - segment.options_len().min(MAX_OPTIONS);
        if let Some(dsn) = self.subs[index].pending.fail.take_if(|_| room >= MP_FAIL) {
            segment.rare_mut().mp_fail = Some(dsn);
            env.mib.inc(Counter::MpFailTx);
        }
    }

    pub(super) fn map_chunk(&mut self, index: usize, chunk: &Chunk, dss: &mut Dss) {
        dss.dsn = self.first_sent_dsn().wrapping_add(chunk.stream);
        dss.dsn_width = Width::Eight;
        dss.ssn = chunk.seq - self.subs[index].tcp.iss();
        dss.len = chunk.len as u16;
        if self.checksum {
            dss.checksummed = true;
            dss.checksum = self.chunk_checksum(index, chunk);
        }
    }

    /// The checksum over a whole chunk, remembered for its other segments.
    fn chunk_checksum(&mut self, index: usize, chunk: &Chunk) -> u16 {
        let key = (chunk.seq, chunk.len);
        if let Some((seq, len, sum)) = self.subs[index].pending.checksum
            && (seq, len) == key
        {
            return sum;
        }
        let dsn = self.first_sent_dsn().wrapping_add(chunk.stream);
        let ssn = chunk.seq - self.subs[index].tcp.iss();
        let payload = crate::payload::Payload::pattern(chunk.stream, chunk.len);
        let sum = dss_checksum(dsn, ssn, chunk.len as u16, [&payload]);
        self.subs[index].pending.checksum = Some((chunk.seq, chunk.len, sum));
        sum
    }

    /// DATA_FIN: on the last mapping one number more, else a mapping of its own with SSN 0
    /// (`mptcp_write_data_fin`).
    fn add_data_fin(&self, out: &Outgoing, dss: &mut Dss) {
        let fin_dsn = self.first_sent_dsn().wrapping_add(self.tx.written);
        if !dss.has_mapping() || out.segment.payload.is_empty() {
            dss.dsn = fin_dsn;
            dss.dsn_width = Width::Eight;
            dss.ssn = 0;
            dss.len = 1;
            dss.data_fin = true;
            dss.checksummed = self.checksum;
            if self.checksum {
                dss.checksum = dss_checksum(dss.dsn, 0, 1, []);
            }
        } else if dss.dsn.wrapping_add(u64::from(dss.len)) == fin_dsn {
            dss.data_fin = true;
            dss.len += 1;
            if self.checksum {
                // The length is part of what is summed: one more there is one less here.
                dss.checksum = ones_complement_less_one(dss.checksum);
            }
        }
    }

    pub(super) fn add_data_ack(&self, dss: &mut Dss) {
        dss.ack_width = if self.rx.peer_uses_64_bit { Width::Eight } else { Width::Four };
        let ack = self.rx.first_dsn.wrapping_add(self.rx.acked_offset());
        dss.data_ack = dss.ack_width.cut(ack);
    }

    #[cold]
    fn reset_options(&mut self, env: &mut Env<'_>, index: usize, segment: &mut Segment) {
        if self.out_of_tree.is_some() {
            self.reset_options_out_of_tree(index, segment);
            return;
        }
        let pending = &mut self.subs[index].pending;
        if let Some(key) = pending.fastclose.take() {
            segment.rare_mut().mp_fastclose = Some(key.0);
            env.mib.inc(Counter::MpFastcloseTx);
        }
        self.add_fail(env, index, segment);
        let pending = &mut self.subs[index].pending;
        let room = MAX_OPTIONS - segment.options_len().min(MAX_OPTIONS);
        if let Some(reset) = pending.reset.take().filter(|_| room >= 4) {
            segment.rare_mut().mp_tcprst = Some(reset);
            env.mib.inc(Counter::MpRstTx);
        } else if let Some(reset) = pending.answer.take().filter(|_| room >= 4) {
            segment.rare_mut().mp_tcprst = Some(reset);
        }
    }

    /// The third ACK of a join is repeated until the fourth arrives, every two round trips, on
    /// the delayed-ACK timer (`schedule_3rdack_retransmission`).
    #[cold]
    fn schedule_third_ack(&mut self, env: &mut Env<'_>, index: usize) {
        let srtt_us = u64::from(self.windows[index].srtt_us);
        let delay = if srtt_us > 0 { Span::from_us(srtt_us >> 2) } else { Span::from_secs(1) };
        let sub = &mut self.subs[index];
        sub.tcp.schedule_ack(&cx!(self, env, index), delay);
    }

    /// The window belongs to the connection: no subflow advertises less than another one has
    /// (`mptcp_set_rwin`).
    fn share_window(&mut self, env: &mut Env<'_>, index: usize, segment: &mut Segment) {
        if segment.flags.intersects(Flags::SYN | Flags::RST) {
            return;
        }
        let sub = &mut self.subs[index];
        let next = self.rx.next;
        let edge = next + u64::from(sub.tcp.advertised_window());
        if edge < self.rx.window_edge {
            let window = (self.rx.window_edge - next).min(u64::from(u32::MAX)) as u32;
            let rounds_up = env.config.rules.kept_window_rounds_up;
            segment.window = sub.tcp.raise_advertised_window(window, rounds_up);
            if self.out_of_tree.is_none() {
                env.mib.inc(Counter::RcvWndShared);
            }
        }
        self.rx.last_window = sub.tcp.advertised_window();
        self.rx.window_edge = self.rx.window_edge.max(next + u64::from(self.rx.last_window));
    }

    /// Bytes that options take in a data segment, for the segment size.
    pub(super) fn option_reserve(&self) -> u8 {
        match (self.is_mptcp(), self.rx.peer_uses_64_bit) {
            (false, _) if self.has_infinite_mapping() => out_of_tree::DSS_RESERVE,
            (false, _) if self.options.md5_key.is_some() => super::signed::SIGNATURE,
            (false, _) => 0,
            (true, _) if self.out_of_tree.is_some() => out_of_tree::DSS_RESERVE,
            (true, false) => DSS_SHORT_ACK,
            (true, true) => DSS_LONG_ACK,
        }
    }

    /// Tells the subflows how much room options take now.
    pub(super) fn update_reserve(&mut self, env: &mut Env<'_>, index: usize) {
        let reserve = self.option_reserve();
        let sub = &mut self.subs[index];
        sub.tcp.reserve_options(&mut cx!(self, env, index), reserve);
    }
}

/// The checksum of data whose length field is larger by one.
pub(super) fn ones_complement_less_one(checksum: u16) -> u16 {
    match checksum {
        0 => 0xfffe,
        sum => sum - 1,
    }
}
