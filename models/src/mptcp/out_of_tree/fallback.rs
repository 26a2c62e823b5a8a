//! The end of mappings: fallback to plain TCP (RFC 6824 section 3.6; `mptcp_prevalidate_skb`,
//! `mptcp_mp_fail_rcvd`, `mptcp_fallback_infinite`).
//!
//! Before full establishment a first subflow falls back without a word: what was sent so far is in
//! order. Later, one end says MP_FAIL and the other answers with an infinite mapping: from here on,
//! byte after byte.

use crate::mptcp::receive::Map;
use crate::mptcp::{Connection, Env};
use crate::observe::mib::Counter;
use crate::segment::{Dss, ResetReason};
use crate::tcp::State as TcpState;

impl Connection {
    /// Own data was acknowledged by a segment without DATA_ACK, before full establishment.
    pub(super) fn acknowledged_without_dss(&mut self, env: &mut Env<'_>, index: usize) {
        let counters = (Counter::FallbackAckInit, Counter::FallbackAckSub);
        self.fall_back_silently(env, index, counters);
    }

    /// Data came without a mapping, before full establishment.
    pub(super) fn data_without_dss(&mut self, env: &mut Env<'_>, index: usize) {
        let counters = (Counter::FallbackDataInit, Counter::FallbackDataSub);
        self.fall_back_silently(env, index, counters);
    }

    fn fall_back_silently(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        (first, joined): (Counter, Counter),
    ) {
        if index != 0 {
            env.mib.inc(joined);
            self.reset_subflow(env, index, ResetReason::MIDDLEBOX);
            return;
        }
        self.reset_others(env, index);
        self.subs[index].fully_established = true;
        self.touched.mark(index);
        self.fall_back(env, first);
    }

    fn reset_others(&mut self, env: &mut Env<'_>, survivor: usize) {
        for index in 0..self.subs.len() {
            if index != survivor && self.subs[index].tcp.state() != TcpState::Closed {
                self.reset_subflow(env, index, ResetReason::UNSPECIFIED);
            }
        }
    }

    /// True if another subflow could carry what this one gets wrong.
    fn has_other(&self, index: usize) -> bool {
        let useful = |sub: &crate::mptcp::Sub| {
            sub.fully_established && sub.tcp.state().synchronised() && !sub.removed
        };
        self.subs.iter().enumerate().any(|(other, sub)| other != index && useful(sub))
    }

    /// A checksum was wrong (`mptcp_verif_dss_csum`).
    pub(super) fn checksum_failed(&mut self, env: &mut Env<'_>, index: usize, map: Map) {
        env.log.mptcp(env.now, index, "checksum-error", String::new);
        let dsn = self.rx.first_dsn.wrapping_add(map.start);
        if index != 0 || self.has_other(index) {
            env.mib.inc(Counter::MpCsumFail);
            if let Some(state) = self.out_of_tree.as_deref_mut() {
                state.subflows[index].mp_fail = Some(dsn);
            }
            self.reset_subflow(env, index, ResetReason::MIDDLEBOX);
            return;
        }
        self.reset_others(env, index);
        self.subs[index].map = None;
        while self.subs[index].tcp.take_arrived(u32::MAX).is_some() {}
        self.end_mappings(env, index, self.tx.head, Counter::MpCsumFail);
        if let Some(state) = self.out_of_tree.as_deref_mut() {
            state.infinite.awaited = true;
            state.infinite.failed = Some(dsn);
        }
        self.subs[index].tcp.request_ack();
    }

    /// The peer found a checksum wrong: everything it has not acknowledged is sent again, under an
    /// infinite mapping.
    pub(super) fn mp_fail_received(&mut self, env: &mut Env<'_>, index: usize) {
        if index != 0 {
            env.mib.inc(Counter::MpFailRxOld);
            return;
        }
        self.reset_others(env, index);
        self.end_mappings(env, index, self.tx.una, Counter::MpFailRxOld);
        self.push_pending(env);
    }

    /// The peer's mappings end: so do this host's, and what was out of order will come in order.
    pub(super) fn infinite_mapping_received(&mut self, env: &mut Env<'_>, index: usize, dss: &Dss) {
        if index != 0 {
            env.mib.inc(Counter::InfiniteMapRx);
            self.reset_subflow(env, index, ResetReason::MIDDLEBOX);
            return;
        }
        self.reset_others(env, index);
        self.end_mappings(env, index, self.tx.una, Counter::InfiniteMapRx);
        self.drop_before(index, dss.ssn);
        self.push_pending(env);
    }

    /// From stream offset `from` on, bytes follow each other on the first subflow.
    fn end_mappings(&mut self, env: &mut Env<'_>, index: usize, from: u64, why: Counter) {
        self.fall_back(env, why);
        self.rx.drop_held();
        let tcp = &self.subs[index].tcp;
        self.tx.head = from;
        self.tx.plain_acked = tcp.write_seq() - tcp.iss();
        if let Some(state) = self.out_of_tree.as_deref_mut() {
            state.infinite.sent_from = Some((tcp.write_seq(), from));
            state.again.clear();
            state.sent.clear();
        }
        let una = self.tx.una;
        self.tx.una = una.max(from.min(self.tx.nxt));
        self.update_reserve(env, index);
        env.log.mptcp(env.now, index, "infinite-mapping", || format!("from offset {from}"));
    }

    pub(in crate::mptcp) fn awaits_infinite_mapping(&self) -> bool {
        self.out_of_tree.as_ref().is_some_and(|state| state.infinite.awaited)
    }

    /// True if mappings ended with a word about it: options still take room.
    pub(in crate::mptcp) fn has_infinite_mapping(&self) -> bool {
        self.out_of_tree.as_ref().is_some_and(|state| state.infinite.sent_from.is_some())
    }

    /// Drops data until the infinite mapping that follows an MP_FAIL. True once it is there.
    #[cold]
    pub(in crate::mptcp) fn find_infinite_mapping(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
    ) -> bool {
        while let Some(first) = self.subs[index].tcp.peek_arrived() {
            let infinite = first.dss.filter(|dss| dss.has_mapping() && dss.len == 0);
            if let Some(dss) = infinite {
                env.mib.inc(Counter::InfiniteMapRx);
                let start = self.expand_received(&dss);
                let known = self.rx.next.saturating_sub(start) as u32;
                self.drop_before(index, dss.ssn.wrapping_add(known));
                if let Some(state) = self.out_of_tree.as_deref_mut() {
                    state.infinite.awaited = false;
                    state.infinite.failed = None;
                }
                return true;
            }
            self.subs[index].tcp.take_arrived(u32::MAX);
        }
        false
    }

    /// Drops data before the relative number `ssn`.
    fn drop_before(&mut self, index: usize, ssn: u32) {
        let tcp = &mut self.subs[index].tcp;
        while let Some(first) = tcp.peek_arrived() {
            let before = ssn.wrapping_sub(first.seq - tcp.irs()) as i32;
            if before <= 0 {
                return;
            }
            tcp.take_arrived(before as u32);
        }
    }
}
