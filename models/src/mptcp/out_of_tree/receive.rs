//! Receiving: a mapping counts when all its bytes are there (`mptcp_data_ready`,
//! `mptcp_prevalidate_skb`, `mptcp_detect_mapping`, `mptcp_validate_mapping`).

use crate::mptcp::receive::{Held, Map};
use crate::mptcp::{Connection, Env};
use crate::observe::mib::Counter;
use crate::segment::{Dss, ResetReason};
use crate::tcp::State as TcpState;

/// Bytes without mapping that a subflow may hold (`mptcp_detect_mapping`).
const UNMAPPED_LIMIT: u32 = 65_536;

/// What is at the head of a subflow's queue.
enum Head {
    /// Nothing to do until more arrives.
    Wait,
    /// All data of a mapping.
    Whole(Map),
    /// The subflow, or the mappings of the connection, have ended.
    Ended,
}

impl Connection {
    /// Moves what a subflow has in order into the stream.
    #[inline(never)]
    pub(in crate::mptcp) fn data_ready_out_of_tree(&mut self, env: &mut Env<'_>, index: usize) {
        let tcp = &mut self.subs[index].tcp;
        if tcp.state() == TcpState::Closed {
            // It was reset: what it holds does not count.
            while tcp.take_arrived(u32::MAX).is_some() {}
            return;
        }
        self.count_first_window(env, index);
        loop {
            match self.head_of_queue(env, index) {
                Head::Wait => break,
                Head::Whole(map) => self.take_mapping(env, index, map),
                Head::Ended => {
                    if !self.is_mptcp() {
                        self.plain_data_ready(env, index);
                    }
                    return;
                }
            }
        }
        self.check_received_fin();
    }

    /// A receiver trusts a subflow once a whole initial window has come with mappings. What waits
    /// for the rest of its mapping is counted each time it is looked at, as in the kernel.
    fn count_first_window(&mut self, env: &mut Env<'_>, index: usize) {
        let sub = &self.subs[index];
        if sub.fully_established {
            return;
        }
        let bytes = |arrived: &crate::tcp::Arrived| i64::from(arrived.payload.len());
        let queued: i64 = sub.tcp.arrived().map(bytes).sum();
        let mapped = sub.map.is_some()
            || sub.tcp.peek_arrived().is_some_and(|a| a.dss.is_some_and(|dss| dss.has_mapping()));
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        if mapped {
            let path = &mut state.subflows[index];
            path.init_rcv_wnd -= queued;
            if path.init_rcv_wnd < 0 {
                self.become_fully_established(env, index);
            }
        }
    }

    fn head_of_queue(&mut self, env: &mut Env<'_>, index: usize) -> Head {
        let sub = &mut self.subs[index];
        while sub.tcp.peek_arrived().is_some_and(|first| first.payload.is_empty()) {
            sub.tcp.take_arrived(0);
        }
        if sub.tcp.peek_arrived().is_none() {
            return Head::Wait;
        }
        match sub.map {
            Some(map) => self.go_on_with(env, index, map),
            None => self.detect_mapping(env, index),
        }
    }

    /// Looks for the next mapping.
    fn detect_mapping(&mut self, env: &mut Env<'_>, index: usize) -> Head {
        let sub = &self.subs[index];
        let mapping = |arrived: &crate::tcp::Arrived| arrived.dss.filter(Dss::has_mapping);
        let found = sub.tcp.arrived().position(|arrived| mapping(arrived).is_some());
        if found != Some(0) && !sub.fully_established {
            self.data_without_dss(env, index);
            return Head::Ended;
        }
        let Some(at) = found else { return self.hold_unmapped(env, index) };
        let Some((dss, seq, len)) = sub
            .tcp
            .arrived()
            .nth(at)
            .and_then(|a| Some((mapping(a)?, a.seq - sub.tcp.irs(), a.payload.len())))
        else {
            return Head::Wait;
        };
        if dss.len == 0 {
            self.infinite_mapping_received(env, index, &dss);
            return Head::Ended;
        }
        if self.checksum && !dss.checksummed {
            self.reset_subflow(env, index, ResetReason::MPTCP);
            return Head::Ended;
        }
        if dss.data_fin
            && let Some(state) = self.out_of_tree.as_deref_mut()
        {
            state.data_fin_from = Some(index);
        }
        let map = self.map_from(&dss);
        let behind = map.ssn.wrapping_sub(seq) as i32;
        if behind >= len as i32 || behind + (map.len as i32) <= 0 {
            env.mib.inc(Counter::DssNoMatchTcp);
            self.reset_subflow(env, index, ResetReason::MPTCP);
            return Head::Ended;
        }
        self.skip_unmapped(env, index, at, map);
        self.subs[index].map = Some(map);
        self.go_on_with(env, index, map)
    }

    /// Drops what lies before a mapping.
    fn skip_unmapped(&mut self, env: &mut Env<'_>, index: usize, segments: usize, map: Map) {
        let sub = &mut self.subs[index];
        if segments > 0 {
            env.mib.inc(Counter::DssPurgeOldSubSegs);
        }
        for _ in 0..segments {
            sub.tcp.take_arrived(u32::MAX);
        }
        let Some(first) = sub.tcp.peek_arrived() else { return };
        let before = map.ssn.wrapping_sub(first.seq - sub.tcp.irs());
        if (before as i32) > 0 {
            env.mib.inc(Counter::DssTrimHead);
            sub.tcp.take_arrived(before);
        }
    }

    /// Data without mapping on a subflow that has proved itself waits, up to a limit.
    fn hold_unmapped(&mut self, env: &mut Env<'_>, index: usize) -> Head {
        let sub = &self.subs[index];
        let held: u32 = sub.tcp.arrived().map(|arrived| arrived.payload.len()).sum();
        if held <= UNMAPPED_LIMIT {
            return Head::Wait;
        }
        env.mib.inc(Counter::NoDssInWindow);
        self.reset_subflow(env, index, ResetReason::MIDDLEBOX);
        Head::Ended
    }

    /// A mapping is known: it must not change, and all of it must come.
    fn go_on_with(&mut self, env: &mut Env<'_>, index: usize, map: Map) -> Head {
        let sub = &self.subs[index];
        let irs = sub.tcp.irs();
        let end = map.ssn.wrapping_add(map.len);
        let Some(first) = sub.tcp.peek_arrived() else { return Head::Wait };
        let missing = end.wrapping_sub(first.seq - irs);
        let within = |seq| (end.wrapping_sub(seq - irs) as i32) > 0;
        let inside = sub.tcp.arrived().take_while(|arrived| within(arrived.seq));
        let mut have = 0;
        let mut changed = false;
        for arrived in inside {
            have += arrived.payload.len();
            let infinite = |dss: &Dss| dss.has_mapping() && dss.len == 0;
            if let Some(dss) = arrived.dss.filter(|dss| dss.has_mapping() && !infinite(dss)) {
                changed |= !self.is_same_mapping(&dss, &map);
            }
        }
        if changed {
            env.mib.inc(Counter::DssNotMatching);
            self.reset_subflow(env, index, ResetReason::MPTCP);
            return Head::Ended;
        }
        if have < missing {
            return Head::Wait;
        }
        if have > missing {
            env.mib.inc(Counter::DssSplitTail);
        }
        if !self.checksum_holds(index, map) {
            self.checksum_failed(env, index, map);
            return Head::Ended;
        }
        Head::Whole(map)
    }

    fn is_same_mapping(&self, dss: &Dss, map: &Map) -> bool {
        let start = self.expand_received(dss);
        let len = u32::from(dss.len) - u32::from(dss.data_fin);
        (start, dss.ssn, len) == (map.start, map.ssn, map.len)
    }

    /// Takes all data of a mapping (`mptcp_queue_skb`).
    fn take_mapping(&mut self, env: &mut Env<'_>, index: usize, map: Map) {
        self.subs[index].map = None;
        // Little is left of the window: whoever sends is to know soon what arrives.
        let most = u64::from(self.rx.remaining_window() >> 2) * 3;
        if map.start > self.rx.next + most {
            self.subs[index].tcp.acknowledge_quickly();
        }
        loop {
            let sub = &mut self.subs[index];
            let Some(first) = sub.tcp.peek_arrived() else { return };
            let offset = map.offset(first.seq - sub.tcp.irs());
            if offset >= map.len {
                return;
            }
            let at = first.at;
            let ends_inside = first.payload.len() > map.len - offset;
            let Some((payload, buffer)) = sub.tcp.take_arrived(map.len - offset) else { return };
            if ends_inside {
                sub.tcp.unmap_arrived();
            }
            let len = payload.len();
            let start = map.start + u64::from(offset);
            let new = self.rx.insert(env, Held { start, payload, buffer, at });
            let sub = &mut self.subs[index];
            sub.statistics.delivered_bytes += u64::from(new);
            sub.statistics.duplicate_bytes += u64::from(len - new);
            self.statistics.duplicate_bytes += u64::from(len - new);
        }
    }
}
