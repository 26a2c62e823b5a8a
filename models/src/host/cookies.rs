//! Handshakes that leave nothing behind at a host until their third segment (SYN cookies).

use mptcpsim_core::net::RouteId;
use mptcpsim_core::sim::Outbox;
use mptcpsim_core::time::Time;

use super::World;
use super::listen::Listener;
use super::packet::Packet;
use crate::mptcp::SynCookies;
use crate::mptcp_keys::token;
use crate::segment::{Flags, FourTuple, MpJoin, Segment};

impl World {
    /// Answers a SYN and forgets it.
    pub(super) fn answer_by_cookie(
        &mut self,
        now: Time,
        route: RouteId,
        packet: &Packet,
        tuple: FourTuple,
        (host, listener): (u32, &Listener),
        out: &mut Outbox<'_, Packet>,
    ) {
        let stack = &mut self.hosts[host as usize];
        let key = stack.draw_key(false);
        let cookies = std::mem::take(&mut stack.cookies);
        let options = listener.options.clone();
        let mut env = stack.env(now, 0);
        let answer = cookies.answer_syn(&mut env, tuple, key, options, &packet.segment);
        stack.cookies = cookies;
        if let Some(answer) = answer {
            self.send_alone(host, answer, packet, tuple, route, out);
        }
    }

    /// A segment for no connection that may be the third of a handshake. False if it is not.
    pub(super) fn on_cookie(
        &mut self,
        now: Time,
        route: RouteId,
        packet: &Packet,
        tuple: FourTuple,
        host: u32,
        out: &mut Outbox<'_, Packet>,
    ) -> bool {
        let flags = packet.segment.flags;
        let Some(listener) = self.listener(host, tuple).cloned() else { return false };
        let stack = &mut self.hosts[host as usize];
        if !SynCookies::are_used(&stack.env(now, 0)) || flags.has(Flags::RST) {
            return false;
        }
        let cookies = std::mem::take(&mut stack.cookies);
        let syn = cookies.syn_of(&mut stack.env(now, 0), tuple, &packet.segment);
        stack.cookies = cookies;
        let Some(syn) = syn.filter(|_| flags.has(Flags::ACK)) else { return false };
        let joins = matches!(packet.segment.mp_join(), Some(MpJoin::Ack { .. }));
        let opened = if joins && SynCookies::are_used_for_joins(&stack.env(now, 0)) {
            self.join_by_cookie(now, packet, tuple, host, &syn)
        } else {
            Some(self.open_by_cookie(now, packet, tuple, (host, &listener), &syn, out))
        };
        // A third ACK of a join that nobody remembers is dropped.
        if let Some((number, index)) = opened {
            self.bind_passive(number, index, packet, route, out);
            self.deliver(now, number, index, route, packet, out);
        }
        true
    }

    fn open_by_cookie(
        &mut self,
        now: Time,
        packet: &Packet,
        tuple: FourTuple,
        (host, listener): (u32, &Listener),
        syn: &Segment,
        out: &mut Outbox<'_, Packet>,
    ) -> (u32, usize) {
        let number = self.new_actor_number(out);
        let stack = &mut self.hosts[host as usize];
        let version = stack.config.tcp.rules.version;
        let tokens = std::mem::take(&mut stack.tokens);
        let is_free = |key| !tokens.contains_key(&token(key, version));
        let options = listener.options.clone();
        let segments = (syn, &packet.segment);
        let mut env = stack.env(now, number);
        let (key, connection) = SynCookies::open(&mut env, tuple, options, segments, is_free);
        stack.tokens = tokens;
        if let Some(key) = key {
            stack.tokens.insert(token(key, version), number);
        }
        self.add_actor(now, host, listener.flow, connection, &listener.app);
        (number, 0)
    }

    fn join_by_cookie(
        &mut self,
        now: Time,
        packet: &Packet,
        tuple: FourTuple,
        host: u32,
        syn: &Segment,
    ) -> Option<(u32, usize)> {
        let stack = &mut self.hosts[host as usize];
        let saved = stack.cookies.take_join(tuple)?;
        let number = *stack.tokens.get(&saved.token)?;
        let actor = self.actors.get_mut(number as usize)?;
        let mut env = stack.env(now, number);
        let segments = (syn, &packet.segment);
        Some((number, actor.connection.join_by_cookie(&mut env, tuple, saved, segments)))
    }
}
