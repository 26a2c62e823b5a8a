//! Reading options (`mptcp_handle_options`, `mptcp_data_ack`).

use mptcpsim_core::time::Span;

use crate::mptcp::{Connection, Env, cx, look};
use crate::mptcp_keys::draft_add_addr_hmac;
use crate::observe::mib::Counter;
use crate::path_manager::PathEvent;
use crate::segment::{AddAddr, Dss, MpJoin, MpPrio, Rare, RemoveAddr, Segment};
use crate::tcp::State as TcpState;

/// How long the answer to a repeated third ACK may take (`TCP_DELACK_MIN`).
const DELAYED: Span = Span::from_ms(40);

impl Connection {
    /// A DATA_ACK is read, and data sent, before the subflow learns what the segment acknowledges
    /// there: its congestion window is as full as it was, so another subflow may be given what the
    /// DATA_ACK lets out (`mptcp_handle_options` in `tcp_validate_incoming`).
    #[inline(never)]
    pub(in crate::mptcp) fn data_ack_before_tcp(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
    ) {
        let Some(dss) = segment.dss.filter(Dss::has_ack) else { return };
        let accepts = match self.subs.get_mut(index) {
            Some(sub) => !sub.removed && sub.tcp.accepts(&mut look!(self, env, index), segment),
            None => false,
        };
        if !accepts || !self.is_mptcp() {
            return;
        }
        self.subflow_heard(env, index);
        self.leave_pre_established(env, index);
        self.take_data_ack(env, index, segment, &dss);
        self.push_segments(env);
    }

    fn take_data_ack(&mut self, env: &mut Env<'_>, index: usize, segment: &Segment, dss: &Dss) {
        if segment.ack != self.subs[index].tcp.iss() + 1 {
            self.become_fully_established(env, index);
        }
        self.data_ack(env, dss, self.subs[index].tcp.window_of(segment));
    }

    /// Reads the options of a segment. False if it must not be looked at any further.
    #[inline(never)]
    pub(in crate::mptcp) fn incoming_out_of_tree(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
    ) -> bool {
        self.leave_pre_established(env, index);
        let acked = self.note_acknowledged(index);
        let data_ack = segment.dss.filter(Dss::has_ack);
        if acked && data_ack.is_none() && !self.subs[index].fully_established {
            self.acknowledged_without_dss(env, index);
            return self.subs[index].tcp.state() != TcpState::Closed;
        }
        if let Some(rare) = segment.rare.as_deref() {
            self.rare_out_of_tree(env, index, rare);
            if !self.is_mptcp() || self.subs[index].tcp.state() == TcpState::Closed {
                return self.subs[index].tcp.state() != TcpState::Closed;
            }
        }
        if let Some(dss) = data_ack {
            self.take_data_ack(env, index, segment, &dss);
        }
        if let Some(dss) = segment.dss
            && dss.data_fin
            && dss.has_mapping()
            && segment.payload.is_empty()
        {
            self.data_fin_arrived(index, &dss);
        }
        true
    }

    /// True if the segment acknowledged data of the subflow that was not acknowledged before.
    fn note_acknowledged(&mut self, index: usize) -> bool {
        let una = self.windows[index].snd_una;
        let Some(state) = self.out_of_tree.as_deref_mut() else { return false };
        let before = std::mem::replace(&mut state.subflows[index].acked, una);
        una.after(before)
    }

    /// A DATA_FIN without data. One that was taken already is answered again: its
    /// acknowledgement may have been lost.
    fn data_fin_arrived(&mut self, index: usize, dss: &Dss) {
        if let Some(state) = self.out_of_tree.as_deref_mut() {
            state.data_fin_from = Some(index);
        }
        if self.rx.eof {
            self.answer_data_fin();
            return;
        }
        let offset = self.expand_received(dss);
        self.data_fin_received(offset);
    }

    fn rare_out_of_tree(&mut self, env: &mut Env<'_>, index: usize, rare: &Rare) {
        let sub = &self.subs[index];
        if matches!(rare.mp_join, Some(MpJoin::Ack { .. })) && sub.joined && !sub.opener {
            // The fourth segment was lost.
            let sub = &mut self.subs[index];
            sub.tcp.schedule_ack(&cx!(self, env, index), DELAYED);
        }
        if let Some(option) = rare.add_addr {
            self.add_addr_out_of_tree(env, index, &option);
        }
        if let Some(option) = rare.remove_addr {
            self.remove_addr_out_of_tree(env, &option);
        }
        if let Some(option) = rare.mp_prio {
            self.prio_out_of_tree(env, index, option);
        }
        if rare.mp_fail.is_some() {
            self.mp_fail_received(env, index);
        }
        if let Some(key) = rare.mp_fastclose {
            env.mib.inc(Counter::MpFastcloseRxOld);
            self.fastclose_received(env, key);
        }
    }

    fn add_addr_out_of_tree(&mut self, env: &mut Env<'_>, index: usize, option: &AddAddr) {
        let AddAddr { address_id: id, addr, port, hmac, .. } = *option;
        let Some(remote_key) = self.remote_key else { return };
        if self.capable_version() == 1
            && hmac != Some(draft_add_addr_hmac(remote_key, id, addr, port))
        {
            env.log.mptcp(env.now, index, "add-addr-ignored", || "wrong HMAC".into());
            return;
        }
        env.mib.inc(Counter::AddAddrRxOld);
        let port = port.unwrap_or(self.subs[0].tuple.dst.port());
        let addr = std::net::SocketAddr::new(addr, port);
        env.log.mptcp(env.now, index, "add-addr", || format!("peer announced {addr} as id {id}"));
        self.path_event(env, PathEvent::AddAddr { id, addr });
    }

    fn remove_addr_out_of_tree(&mut self, env: &mut Env<'_>, option: &RemoveAddr) {
        env.mib.inc(Counter::RemAddrRx);
        for &id in option.ids() {
            env.log.mptcp(env.now, 0, "remove-addr", || format!("peer withdrew id {id}"));
            self.path_event(env, PathEvent::RemoveAddr { id });
        }
    }

    /// The priority of the subflow that carries the option, or of all with the address it names.
    fn prio_out_of_tree(&mut self, env: &mut Env<'_>, index: usize, option: MpPrio) {
        for at in 0..self.subs.len() {
            let sub = &mut self.subs[at];
            if option.address_id.map_or(at == index, |id| sub.remote_id == id) {
                sub.backup_by_peer = option.backup;
                self.touched.mark(at);
                env.log.mptcp(env.now, at, "mp-prio", || {
                    format!("peer sets backup {}", u8::from(option.backup))
                });
                let backup = option.backup;
                self.path_news(env, PathEvent::PriorityReceived { subflow: at, backup });
            }
        }
    }
}
