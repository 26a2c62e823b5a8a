//! Writing options (`mptcp_established_options`, `mptcp_options_write`).
//!
//! Every segment carries a DATA_ACK of four bytes; data its mapping, with a DSN of four bytes. The
//! third ACK has both keys and a DATA_ACK, which fills the header.

use crate::mptcp::output::ones_complement_less_one;
use crate::mptcp::{Connection, Env};
use crate::observe::mib::Counter;
use crate::options::padded;
use crate::segment::{Dss, Flags, MAX_OPTIONS, MpCapable, MpPrio, RemoveAddr, Segment, Width};
use crate::tcp::{Chunk, Outgoing, State as TcpState};
use crate::wire::dss_checksum;

fn room(segment: &Segment) -> u8 {
    MAX_OPTIONS - segment.options_len().min(MAX_OPTIONS)
}

impl Connection {
    /// Adds the options of a segment that is neither SYN nor RST.
    #[inline(never)]
    pub(in crate::mptcp) fn options_out_of_tree(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        out: &mut Outgoing,
    ) {
        if self.subs[index].pre_established {
            self.third_ack_of_join(env, index, &mut out.segment);
            return;
        }
        self.third_ack(index, &mut out.segment);
        self.fastclose_option(env, index, &mut out.segment);
        let mut dss = Dss::default();
        if let Some(chunk) = out.chunk.filter(|chunk| chunk.mapped) {
            self.map_out_of_tree(index, &chunk, &mut dss);
        } else {
            self.lone_data_fin(index, &mut dss);
        }
        self.data_ack_out_of_tree(&mut dss);
        out.segment.dss = Some(dss);
        self.address_options(env, index, &mut out.segment);
        if let Some(backup) = self.subs[index].pending.prio.filter(|_| room(&out.segment) >= 4) {
            self.subs[index].pending.prio = None;
            out.segment.rare_mut().mp_prio = Some(MpPrio { backup, address_id: None });
        }
    }

    fn data_ack_out_of_tree(&self, dss: &mut Dss) {
        dss.ack_width = Width::Four;
        let ack = self.rx.first_dsn.wrapping_add(self.rx.acked_offset());
        dss.data_ack = dss.ack_width.cut(ack);
    }

    /// The client's third ACK: sent once, whether it arrives or not.
    fn third_ack(&mut self, index: usize, segment: &mut Segment) {
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        if !std::mem::take(&mut state.subflows[index].include_mpc) {
            return;
        }
        let checksum = if self.checksum { MpCapable::CHECKSUM } else { 0 };
        segment.rare_mut().mp_capable = Some(MpCapable {
            version: state.version,
            flags: MpCapable::HMAC | checksum,
            sender_key: Some(self.local_key.0),
            receiver_key: self.remote_key.map(|key| key.0),
            ..MpCapable::default()
        });
    }

    /// The third ACK of a join, on every segment until the fourth has arrived.
    fn third_ack_of_join(&mut self, env: &Env<'_>, index: usize, segment: &mut Segment) {
        let Some(third_ack) = self.third_ack_option(index) else { return };
        segment.rare_mut().mp_join = Some(third_ack);
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        let path = &mut state.subflows[index];
        if !path.repeat.is_set() {
            path.repeat.set(env.now, path.interval);
        }
    }

    fn map_out_of_tree(&mut self, index: usize, chunk: &Chunk, dss: &mut Dss) {
        self.map_chunk(index, chunk, dss);
        dss.dsn_width = Width::Four;
        let rides = self.out_of_tree.as_ref().is_some_and(|state| state.data_fin_rides);
        if rides && chunk.stream + u64::from(chunk.len) == self.tx.written {
            dss.data_fin = true;
            dss.len += 1;
            if self.checksum {
                dss.checksum = ones_complement_less_one(dss.checksum);
            }
        }
        dss.dsn = dss.dsn_width.cut(dss.dsn);
    }

    /// A DATA_FIN that no data takes along.
    fn lone_data_fin(&mut self, index: usize, dss: &mut Dss) {
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        if !std::mem::take(&mut state.subflows[index].data_fin) {
            return;
        }
        let dsn = self.tx.first_dsn.wrapping_add(self.tx.written);
        *dss = Dss { data_fin: true, len: 1, checksummed: self.checksum, ..Dss::default() };
        dss.dsn_width = Width::Four;
        dss.dsn = dss.dsn_width.cut(dsn);
        if self.checksum {
            dss.checksum = dss_checksum(dsn, 0, 1, []);
        }
    }

    /// One announcement on each segment that has room for it, and withdrawals.
    fn address_options(&mut self, env: &mut Env<'_>, index: usize, segment: &mut Segment) {
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        if let Some(&option) = state.announce.front()
            && padded(option.wire_len()) <= room(segment)
        {
            state.announce.pop_front();
            env.mib.inc(Counter::AddAddrTxOld);
            segment.rare_mut().add_addr = Some(option);
        }
        let more = !state.announce.is_empty();
        let pure = segment.payload.is_empty() && !segment.flags.has(Flags::FIN);
        if more && pure && self.subs[index].tcp.state().can_send() {
            self.subs[index].tcp.request_ack();
            self.mark_ready(index);
        }
        let option = RemoveAddr::new(self.signal.withdrawn());
        if !option.ids().is_empty() && padded(option.wire_len()) <= room(segment) {
            env.mib.inc(Counter::RemAddrTx);
            self.signal.withdrawn_sent(option.ids().len());
            segment.rare_mut().remove_addr = Some(option);
        }
    }

    fn fastclose_option(&mut self, env: &mut Env<'_>, index: usize, segment: &mut Segment) {
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        if std::mem::take(&mut state.subflows[index].fastclose)
            && let Some(key) = self.remote_key
        {
            env.mib.inc(Counter::MpFastcloseTxOld);
            segment.rare_mut().mp_fastclose = Some(key.0);
        }
    }

    /// A reset carries a DATA_ACK like any other segment, and says if a checksum was wrong.
    pub(in crate::mptcp) fn reset_options_out_of_tree(&mut self, index: usize, out: &mut Segment) {
        if !out.flags.has(Flags::ACK) || self.remote_key.is_none() {
            return;
        }
        let mut dss = Dss::default();
        self.data_ack_out_of_tree(&mut dss);
        out.dss = Some(dss);
        let Some(state) = self.out_of_tree.as_deref_mut() else { return };
        out.rare_mut().mp_fail = state.subflows[index].mp_fail.take();
    }

    /// The options of a connection whose mappings have ended: none, apart from the one that says
    /// so, mappings of data sent before, and MP_FAIL for as long as the peer has not reacted.
    #[cold]
    pub(in crate::mptcp) fn infinite_mapping(&mut self, index: usize, out: &mut Outgoing) {
        let Some(state) = self.out_of_tree.as_deref() else { return };
        let infinite = state.infinite;
        let plain = infinite.sent_from.is_none() && infinite.failed.is_none();
        if plain || out.segment.flags.intersects(Flags::SYN | Flags::RST) {
            return;
        }
        let mut dss = Dss::default();
        match (out.chunk, infinite.sent_from) {
            (Some(chunk), _) if chunk.mapped => self.map_out_of_tree(index, &chunk, &mut dss),
            (Some(_), Some((seq, offset))) if seq == out.segment.seq => {
                dss.dsn_width = Width::Four;
                dss.dsn = dss.dsn_width.cut(self.tx.first_dsn.wrapping_add(offset));
                dss.ssn = seq - self.subs[index].tcp.iss();
                dss.checksummed = self.checksum;
            }
            _ => {}
        }
        if dss.has_mapping() || infinite.failed.is_some() {
            self.data_ack_out_of_tree(&mut dss);
            out.segment.dss = Some(dss);
        }
        if let Some(dsn) = infinite.failed.filter(|_| room(&out.segment) >= 12) {
            out.segment.rare_mut().mp_fail = Some(dsn);
        }
    }

    /// Asks the first subflow that can for a segment (`mptcp_select_ack_sock`).
    pub(super) fn ack_subflow(&self) -> Option<usize> {
        let able = |sub: &crate::mptcp::Sub| {
            sub.tcp.state().synchronised() && !sub.pre_established && !sub.stale
        };
        let closed = |sub: &crate::mptcp::Sub| sub.tcp.state() == TcpState::Closed;
        let first = self.subs.iter().position(able);
        first.or_else(|| self.subs.iter().position(|sub| !closed(sub)))
    }
}
