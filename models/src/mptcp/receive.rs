//! Receiving: from subflow sequence numbers to the stream
//! (RFC 8684 section 3.3; Linux `get_mapping_status`, `__mptcp_move_skb`, `mptcp_data_queue_ofo`).

use std::collections::VecDeque;

use mptcpsim_core::prefetch::{pop_near, prefetch_some};
use mptcpsim_core::time::{Span, Time};

use super::reading::Tuning;
use super::waits::Waits;
use super::{Connection, Env, MetaState};
use crate::observe::mib::Counter;
use crate::payload::Payload;
use crate::search::partition_from_back;
use crate::segment::{Dss, ResetReason, Width};
use crate::tcp::{Buffer, Error, Space};
use crate::wire::{Sum, dss_checksum_of};

/// The mapping that a subflow is receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Map {
    /// Stream offset of its first byte.
    pub(super) start: u64,
    /// Relative subflow sequence number of its first byte.
    pub(super) ssn: u32,
    /// Bytes of data, without a DATA_FIN.
    pub(super) len: u32,
    /// The checksum to verify, with the DSN and length it covers.
    pub(super) checksum: Option<(u16, u64, u16)>,
    /// The checksum was found right, or there is none.
    pub(super) verified: bool,
}

/// Data that lies ahead of a gap.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) start: u64,
    pub(super) payload: Payload,
    pub(super) buffer: Buffer,
    /// When it arrived.
    pub(super) at: Time,
}

impl Held {
    fn end(&self) -> u64 {
        self.start + u64::from(self.payload.len())
    }
}

/// The receiving half of a connection, in stream offsets.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    /// DSN of stream offset 0; meaningful once the peer's key is known.
    pub(super) first_dsn: u64,
    /// Bytes that the SYN has brought, which have no DSN.
    pub(super) in_syn: u64,
    /// The next offset expected.
    pub(super) next: u64,
    /// In order, not read by the application.
    pub(super) queue: VecDeque<(Payload, Buffer)>,
    held: VecDeque<Held>,
    /// Since when something is held; [`Time::NEVER`] if nothing is.
    held_since: Time,
    /// For how long something was held before.
    blocked: Span,
    /// How far ahead of the first missing byte data arrived at most.
    reach: u64,
    /// How long data waited until it was in order.
    waits: Waits,
    /// The receive buffer.
    pub(super) space: Space,
    /// The highest right edge advertised on any subflow.
    pub(super) window_edge: u64,
    /// The window last advertised, on whichever subflow.
    pub(super) last_window: u32,
    /// Where the peer's DATA_FIN is, before it is reached.
    pub(super) data_fin: Option<u64>,
    /// The peer's stream has ended.
    pub(super) eof: bool,
    /// The peer sends 8-byte DSNs: so do our DATA_ACKs.
    pub(super) peer_uses_64_bit: bool,
    pub(super) error: Option<Error>,
    pub(super) tuning: Tuning,
}

impl Receiver {
    pub(super) fn new(space: Space) -> Self {
        Self {
            first_dsn: 0,
            in_syn: 0,
            next: 0,
            queue: VecDeque::new(),
            held: VecDeque::new(),
            held_since: Time::NEVER,
            blocked: Span::ZERO,
            reach: 0,
            waits: Waits::default(),
            space,
            window_edge: 0,
            last_window: 0,
            data_fin: None,
            eof: false,
            peer_uses_64_bit: false,
            error: None,
            tuning: Tuning::default(),
        }
    }

    /// Brings near the end of what lies ahead of a gap: most of what comes belongs there.
    pub(super) fn prefetch(&self) {
        for behind in [1, 2, 4] {
            prefetch_some(self.held.get(self.held.len().wrapping_sub(behind)));
        }
        prefetch_some(self.held.front());
    }

    /// What a DATA_ACK acknowledges: the DATA_FIN too once it was reached.
    pub(super) fn acked_offset(&self) -> u64 {
        self.next + u64::from(self.eof)
    }

    /// What remains of the window last advertised on any subflow.
    pub(super) fn remaining_window(&self) -> u32 {
        self.window_edge.saturating_sub(self.next).min(u64::from(u32::MAX)) as u32
    }

    /// The first round of measuring the rate begins (`mptcp_rcv_space_init`).
    pub(super) fn start_tuning(&mut self, now: Time) {
        self.tuning.since = now;
    }

    /// The time that 99 of 100 pieces of data did not wait longer than.
    pub(super) fn reorder_delay(&self) -> Option<Span> {
        self.waits.percentile(99)
    }

    /// How far ahead of the first missing byte data arrived at most.
    pub(super) const fn reorder_reach(&self) -> u64 {
        self.reach
    }

    /// How long data waited for data before it, until `now`.
    pub(super) fn blocked(&self, now: Time) -> Span {
        self.blocked + (now.max(self.held_since) - self.held_since)
    }

    /// Forgets what lies ahead of a gap.
    pub(super) fn drop_held(&mut self) {
        self.held_since = Time::NEVER;
        for held in self.held.drain(..) {
            self.space.used -= held.buffer.truesize;
        }
    }

    pub(super) fn holds_out_of_order(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn out_of_order_bytes(&self) -> u64 {
        self.held.iter().map(|held| u64::from(held.payload.len())).sum()
    }

    /// Adds data. Returns the bytes of it that were new.
    pub(super) fn insert(&mut self, env: &mut Env<'_>, mut data: Held) -> u32 {
        if data.end() <= self.next {
            env.mib.inc(Counter::DuplicateData);
            return 0;
        }
        if data.start < self.next {
            env.mib.inc(Counter::DuplicateData);
            data.payload.advance((self.next - data.start) as u32);
            data.start = self.next;
        }
        if data.start > self.next {
            return self.hold(env, data);
        }
        let new = data.payload.len();
        self.append(data.payload, data.buffer, env.now - data.at);
        self.release_held(env);
        new
    }

    pub(super) fn append(&mut self, payload: Payload, mut buffer: Buffer, waited: Span) {
        self.waits.note(waited);
        self.next += u64::from(payload.len());
        self.space.used += buffer.truesize;
        if let Some((_, last)) = self.queue.back_mut() {
            self.space.used -= last.absorb(payload.len(), &mut buffer).unwrap_or(0);
        }
        self.queue.push_back((payload, buffer));
    }

    /// Data ahead of a gap (`mptcp_data_queue_ofo`): the first copy counts.
    fn hold(&mut self, env: &mut Env<'_>, mut new: Held) -> u32 {
        if new.end() > self.window_edge {
            env.mib.inc(Counter::NoDssInWindow);
            return 0;
        }
        env.mib.inc(Counter::OfoQueue);
        self.reach = self.reach.max(new.end() - self.next);
        let mut at = partition_from_back(&self.held, |held| held.end() <= new.start);
        if at == self.held.len() && at > 0 {
            env.mib.inc(Counter::OfoQueueTail);
        }
        if let Some(held) = self.held.get(at)
            && held.start <= new.start
        {
            if held.end() >= new.end() {
                env.mib.inc(Counter::DuplicateData);
                return 0;
            }
            new.payload.advance((held.end() - new.start) as u32);
            new.start = held.end();
            at += 1;
        }
        while let Some(held) = self.held.get(at)
            && held.start < new.end()
        {
            if held.end() > new.end() {
                new.payload.truncate((held.start - new.start) as u32);
                break;
            }
            env.mib.inc(Counter::DuplicateData);
            self.space.used -= held.buffer.truesize;
            self.held.remove(at);
        }
        let kept = new.payload.len();
        self.space.used += new.buffer.truesize;
        if let Some(before) = at.checked_sub(1).and_then(|at| self.held.get_mut(at))
            && before.end() == new.start
            && let Some(freed) = before.buffer.absorb(kept, &mut new.buffer)
        {
            env.mib.inc(Counter::OfoMerge);
            self.space.used -= freed;
        }
        self.held.insert(at, new);
        self.held_since = self.held_since.min(env.now);
        kept
    }

    /// Moves data that is no longer ahead of a gap to the application's queue.
    fn release_held(&mut self, env: &mut Env<'_>) {
        while let Some(held) = self.held.front()
            && held.start <= self.next
        {
            let Some(mut held) = pop_near(&mut self.held) else { break };
            self.space.used -= held.buffer.truesize;
            if held.end() <= self.next {
                env.mib.inc(Counter::DuplicateData);
                continue;
            }
            held.payload.advance((self.next - held.start) as u32);
            self.append(held.payload, held.buffer, env.now - held.at);
        }
        if self.held.is_empty() && self.held_since != Time::NEVER {
            self.blocked += env.now - self.held_since;
            self.held_since = Time::NEVER;
        }
    }
}

/// What stands at the head of a subflow's queue.
enum Status {
    /// Nothing to do until more arrives.
    Wait,
    /// Data with a valid mapping.
    Mapped(Map),
    /// Data without any mapping.
    Unmapped,
    /// A mapping that does not fit.
    Invalid,
    /// A mapping whose checksum is wrong.
    BadChecksum(Map),
}

impl Connection {
    /// Moves what a subflow has in order into the stream.
    #[inline]
    pub(super) fn data_ready(&mut self, env: &mut Env<'_>, index: usize) {
        if !self.is_mptcp() {
            self.plain_data_ready(env, index);
        } else if self.out_of_tree.is_some() {
            self.data_ready_out_of_tree(env, index);
        } else {
            self.mapped_data_ready(env, index);
        }
    }

    fn mapped_data_ready(&mut self, env: &mut Env<'_>, index: usize) {
        let mut moved = false;
        loop {
            match self.mapping_status(env, index) {
                Status::Wait => break,
                Status::Mapped(map) => {
                    moved |= !self.is_old(index, map);
                    if !self.take_mapped(env, index, map) {
                        break;
                    }
                }
                Status::Unmapped => {
                    self.no_mapping(env, index, ResetReason::MIDDLEBOX);
                    return;
                }
                Status::Invalid => {
                    self.no_mapping(env, index, ResetReason::MPTCP);
                    return;
                }
                Status::BadChecksum(map) => {
                    if !self.bad_checksum(env, index, map) {
                        return;
                    }
                }
            }
        }
        // No reader will acknowledge what it cannot read yet. What is old it is not even asked about
        // (`subflow_data_ready`, `mptcp_subflow_discard_data`).
        if moved && self.rx.queue.is_empty() {
            self.subs[index].tcp.acknowledge_beyond_a_segment();
        }
        self.check_received_fin();
    }

    /// All that a subflow has at the head of its queue is in the stream already.
    fn is_old(&self, index: usize, map: Map) -> bool {
        let tcp = &self.subs[index].tcp;
        tcp.peek_arrived().is_some_and(|first| {
            let offset = map.offset(first.seq - tcp.irs());
            map.start + u64::from(offset) + u64::from(first.payload.len()) <= self.rx.next
        })
    }

    /// `get_mapping_status`.
    fn mapping_status(&mut self, env: &mut Env<'_>, index: usize) -> Status {
        let sub = &self.subs[index];
        let Some(first) = sub.tcp.peek_arrived() else { return Status::Wait };
        let ssn = first.seq - sub.tcp.irs();
        let len = first.payload.len();
        let dss = first.dss;
        if len == 0 {
            // A FIN alone: nothing to map.
            self.subs[index].tcp.take_arrived(0);
            return self.mapping_status_again(env, index);
        }
        let map = match (sub.map, dss) {
            (None, None) => return Status::Unmapped,
            (Some(map), None) => map,
            (current, Some(dss)) => {
                if dss.len == 0 {
                    env.mib.inc(Counter::InfiniteMapRx);
                    return Status::Invalid;
                }
                // RFC 8684 section 3.3: with a checksum if and only if that was agreed upon.
                if dss.checksummed != self.checksum {
                    return Status::Invalid;
                }
                let new = self.map_from(&dss);
                match current {
                    None => new,
                    Some(map) if map.same_range(&new) => map,
                    Some(map) if map.covers(ssn, len) => {
                        env.mib.inc(Counter::DssNotMatching);
                        return Status::Invalid;
                    }
                    Some(map) => map,
                }
            }
        };
        if !map.contains(ssn) {
            env.mib.inc(Counter::DssNoMatchTcp);
            return Status::Invalid;
        }
        self.subs[index].map = Some(map);
        self.verify(env, index, map)
    }

    fn mapping_status_again(&mut self, env: &mut Env<'_>, index: usize) -> Status {
        match self.subs[index].tcp.peek_arrived() {
            Some(_) => self.mapping_status(env, index),
            None => Status::Wait,
        }
    }

    pub(super) fn map_from(&mut self, dss: &Dss) -> Map {
        // Only mappings of data count: a DATA_FIN by itself changes nothing (`use_64bit_ack`).
        self.rx.peer_uses_64_bit = dss.dsn_width == Width::Eight;
        let start = self.expand_received(dss);
        let mut len = u32::from(dss.len);
        if dss.data_fin {
            len -= 1;
            self.data_fin_received(start + u64::from(len));
        }
        let dsn = self.rx.first_dsn.wrapping_add(start);
        let checksum = (self.checksum && dss.checksummed).then_some((dss.checksum, dsn, dss.len));
        Map { start, ssn: dss.ssn, len, checksum, verified: checksum.is_none() }
    }

    /// A checksum covers a whole mapping: nothing of it counts before all of it is there
    /// (`validate_data_csum`).
    fn verify(&mut self, env: &mut Env<'_>, index: usize, map: Map) -> Status {
        if map.verified {
            return Status::Mapped(map);
        }
        let have: u32 = self.pieces_of(index, map).map(|piece| piece.len()).sum();
        if have < map.len {
            return Status::Wait;
        }
        if !self.checksum_holds(index, map) {
            env.mib.inc(Counter::DataCsumErr);
            return Status::BadChecksum(map);
        }
        let verified = Map { verified: true, ..map };
        let sub = &mut self.subs[index];
        sub.map = Some(verified);
        sub.valid_checksum_seen = true;
        Status::Mapped(verified)
    }

    /// What has arrived of a mapping on a subflow, in order.
    fn pieces_of(&self, index: usize, map: Map) -> impl Iterator<Item = Payload> {
        let tcp = &self.subs[index].tcp;
        tcp.arrived()
            .map(move |arrived| (map.offset(arrived.seq - tcp.irs()), arrived))
            .take_while(move |(offset, _)| *offset < map.len)
            .map(move |(offset, arrived)| arrived.payload.slice(0, map.len - offset))
    }

    /// Whether a mapping that has arrived has the checksum it came with, if it came with one.
    pub(super) fn checksum_holds(&self, index: usize, map: Map) -> bool {
        let Some((expected, dsn, len)) = map.checksum else { return true };
        let mut sum = Sum::default();
        self.pieces_of(index, map).for_each(|piece| sum.add_payload(&piece));
        dss_checksum_of(dsn, map.ssn, len, sum) == expected
    }

    /// Takes mapped data from the head of a subflow's queue; false to stop for now.
    fn take_mapped(&mut self, env: &mut Env<'_>, index: usize, map: Map) -> bool {
        let sub = &self.subs[index];
        let Some(first) = sub.tcp.peek_arrived() else { return false };
        let offset = map.offset(first.seq - sub.tcp.irs());
        let start = map.start + u64::from(offset);
        let at = first.at;
        let left = map.len - offset;
        let full = self.rx.space.used > self.rx.space.rcvbuf;
        let defective = env.config.sysctl.kernel_defects;
        if full && (defective || (start > self.rx.next && !self.closes_gap(index))) {
            return false;
        }
        let beyond = first.payload.len() > left;
        // Linux moves the whole buffer before it sees that the mapping ends inside of it.
        let most = if beyond && defective { u32::MAX } else { left };
        let sub = &mut self.subs[index];
        let Some((payload, buffer)) = sub.tcp.take_arrived(most) else { return false };
        let len = payload.len();
        if len >= left {
            sub.map = None;
        }
        let new = self.rx.insert(env, Held { start, payload, buffer, at });
        let sub = &mut self.subs[index];
        sub.statistics.delivered_bytes += u64::from(new);
        sub.statistics.duplicate_bytes += u64::from(len - new);
        self.statistics.duplicate_bytes += u64::from(len - new);
        if beyond {
            self.mapping_corrupt(env, index);
        }
        !beyond
    }

    /// A segment goes beyond its mapping: something joined it with another one
    /// (`mptcp_dss_corruption`).
    #[cold]
    fn mapping_corrupt(&mut self, env: &mut Env<'_>, index: usize) {
        if self.fallback_allowed && index == 0 && !self.rx.holds_out_of_order() {
            self.fall_back(env, Counter::DssCorruptionFallback);
            self.plain_data_ready(env, index);
            return;
        }
        env.mib.inc(Counter::DssCorruptionReset);
        self.reset_subflow(env, index, ResetReason::UNSPECIFIED);
        self.subs[index].tcp.purge_arrived();
    }

    /// True if the data that everything else waits for stands in the subflow's queue. It may stand
    /// behind data for which the buffer has no room: waiting for room would be waiting for ever.
    #[inline(never)]
    fn closes_gap(&self, index: usize) -> bool {
        let tcp = &self.subs[index].tcp;
        tcp.arrived().any(|arrived| {
            let Some(dss) = arrived.dss.filter(Dss::has_mapping) else { return false };
            let offset = (arrived.seq - tcp.irs()).wrapping_sub(dss.ssn);
            let start = self.expand_received(&dss) + u64::from(offset);
            start <= self.rx.next && start + u64::from(arrived.payload.len()) > self.rx.next
        })
    }

    /// Data came without a usable mapping (the `fallback` part of `subflow_check_data_avail`).
    fn no_mapping(&mut self, env: &mut Env<'_>, index: usize, reason: ResetReason) {
        if self.fallback_allowed && index == 0 && !self.rx.holds_out_of_order() {
            self.fall_back(env, Counter::DssFallback);
            self.plain_data_ready(env, index);
            return;
        }
        self.reset_subflow(env, index, reason);
        self.subs[index].tcp.purge_arrived();
    }

    /// True if the data counts although its checksum is wrong.
    #[cold]
    fn bad_checksum(&mut self, env: &mut Env<'_>, index: usize, map: Map) -> bool {
        let sub = &mut self.subs[index];
        if !sub.joined && !sub.valid_checksum_seen {
            self.no_mapping(env, index, ResetReason::MPTCP);
            return false;
        }
        sub.map = Some(Map { verified: true, ..map });
        let dsn = self.rx.first_dsn.wrapping_add(map.start);
        self.report_checksum(env, index, dsn)
    }

    /// Without MPTCP the subflow's stream is the stream.
    pub(super) fn plain_data_ready(&mut self, env: &mut Env<'_>, index: usize) {
        if self.awaits_infinite_mapping() && !self.find_infinite_mapping(env, index) {
            return;
        }
        self.share_only_rcvbuf();
        let sub = &mut self.subs[index];
        while let Some(first) = sub.tcp.peek_arrived() {
            let (len, at) = (first.payload.len(), first.at);
            let Some((payload, buffer)) = sub.tcp.take_arrived(len) else { break };
            if len > 0 {
                self.rx.append(payload, buffer, env.now - at);
                sub.statistics.delivered_bytes += u64::from(len);
            }
        }
        if sub.tcp.fin_arrived() && !self.rx.eof {
            self.rx.eof = true;
            match self.state {
                MetaState::Established => self.set_meta_state(env, MetaState::CloseWait),
                MetaState::FinWait1 => self.set_meta_state(env, MetaState::Closing),
                _ => {}
            }
        }
    }
}

impl Map {
    pub(super) fn same_range(&self, other: &Self) -> bool {
        (self.start, self.ssn, self.len) == (other.start, other.ssn, other.len)
    }

    /// Where in the mapping the byte with relative number `ssn` is.
    pub(super) const fn offset(&self, ssn: u32) -> u32 {
        ssn.wrapping_sub(self.ssn)
    }

    /// The byte with relative number `ssn` belongs to the mapping.
    fn contains(&self, ssn: u32) -> bool {
        self.offset(ssn) < self.len
    }

    /// All `len` bytes from `ssn` on do.
    fn covers(&self, ssn: u32, len: u32) -> bool {
        let offset = self.offset(ssn);
        offset < self.len && len <= self.len - offset
    }
}
