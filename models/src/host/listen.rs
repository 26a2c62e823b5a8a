//! Segments that belong to no connection yet: SYNs, joins, strays.

use std::net::IpAddr;

use mptcpsim_core::net::RouteId;
use mptcpsim_core::sim::Outbox;
use mptcpsim_core::time::Time;

use super::packet::Packet;
use super::{Binding, Tapped, Way, World};
use crate::app::AppSpec;
use crate::mptcp::{Connection, Opening, SocketOptions, SynCookies, refuses_signature};
use crate::observe::mib::Counter;
use crate::path_manager::endpoints::Endpoint;
use crate::segment::{Flags, FourTuple, MpJoin, MpTcpRst, ResetReason, Segment};

/// A listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its port.
    pub port: u16,
    /// Its address; `None` for all of the host's.
    pub addr: Option<IpAddr>,
    /// Options that accepted sockets inherit.
    pub options: SocketOptions,
    /// What the application does with an accepted connection.
    pub app: AppSpec,
    /// Number of the flow it serves.
    pub flow: usize,
}

impl World {
    /// A packet whose tuple nobody has.
    pub(super) fn on_unbound(
        &mut self,
        now: Time,
        route: RouteId,
        packet: &Packet,
        out: &mut Outbox<'_, Packet>,
    ) {
        let packet = &self.heard(route, packet);
        let (Some(&host), Some(tuple)) =
            (self.ends.get(route.0 as usize), out.tables().tuples.tuple(packet.tuple))
        else {
            return;
        };
        let segment = &packet.segment;
        if !self.hosts[host as usize].addresses.contains(&tuple.dst.ip()) {
            return;
        }
        self.hosts[host as usize].mib.inc(Counter::InSegs);
        if let Some(key) = self.listener(host, tuple).map(|it| it.options.md5_key.clone())
            && refuses_signature(key.as_ref(), tuple, segment, &mut self.hosts[host as usize].mib)
        {
            return;
        }
        let opens =
            segment.flags.has(Flags::SYN) && !segment.flags.intersects(Flags::ACK | Flags::RST);
        if !opens {
            if self.on_cookie(now, route, packet, tuple, host, out) {
                return;
            }
            self.answer_stray(route, packet, tuple, None, host, out);
        } else if let Some(&MpJoin::Syn { token, .. }) = segment.mp_join() {
            self.on_join(now, route, packet, tuple, token, host, out);
        } else {
            self.on_syn(now, route, packet, tuple, host, out);
        }
    }

    /// A segment for a subflow that is over.
    #[cold]
    pub(super) fn on_stray(
        &mut self,
        route: RouteId,
        packet: &Packet,
        out: &mut Outbox<'_, Packet>,
    ) {
        if let (Some(&host), Some(tuple)) =
            (self.ends.get(route.0 as usize), out.tables().tuples.tuple(packet.tuple))
        {
            self.answer_stray(route, packet, tuple, None, host, out);
        }
    }

    pub(super) fn listener(&self, host: u32, tuple: FourTuple) -> Option<&Listener> {
        self.hosts[host as usize].listeners.iter().find(|listener| {
            listener.port == tuple.dst.port()
                && listener.addr.is_none_or(|addr| addr == tuple.dst.ip())
        })
    }

    fn on_syn(
        &mut self,
        now: Time,
        route: RouteId,
        packet: &Packet,
        tuple: FourTuple,
        host: u32,
        out: &mut Outbox<'_, Packet>,
    ) {
        let Some(listener) = self.listener(host, tuple).cloned() else {
            self.answer_stray(route, packet, tuple, None, host, out);
            return;
        };
        let stack = &mut self.hosts[host as usize];
        if Connection::drops_syn(&stack.env(now, 0), &packet.segment) {
            return;
        }
        if SynCookies::are_used(&stack.env(now, 0)) {
            self.answer_by_cookie(now, route, packet, tuple, (host, &listener), out);
            return;
        }
        let number = self.new_actor_number(out);
        let stack = &mut self.hosts[host as usize];
        let key = stack.unused_key(number, false);
        let opening = Opening { key, tuple: tuple.reversed(), iss: None };
        let mut env = stack.env(now, number);
        let connection =
            Connection::accept(&mut env, opening, listener.options.clone(), &packet.segment);
        self.add_actor(now, host, listener.flow, connection, &listener.app);
        self.bind_passive(number, 0, packet, route, out);
        self.run_actor(now, number, out);
    }

    /// A SYN with MP_JOIN: the token names the connection.
    #[allow(clippy::too_many_arguments, reason = "the parts of one packet")]
    fn on_join(
        &mut self,
        now: Time,
        route: RouteId,
        packet: &Packet,
        tuple: FourTuple,
        token: u32,
        host: u32,
        out: &mut Outbox<'_, Packet>,
    ) {
        let number = self.hosts[host as usize].tokens.get(&token).copied();
        if !self.accepts_join(host, number, tuple) {
            self.answer_stray(route, packet, tuple, None, host, out);
            return;
        }
        let Some(number) = number else {
            Connection::count_unknown_token(
                &mut self.hosts[host as usize].env(now, 0),
                &packet.segment,
            );
            let reason = Some(ResetReason::MPTCP);
            self.answer_stray(route, packet, tuple, reason, host, out);
            return;
        };
        let actor = &mut self.actors[number as usize];
        let stack = &mut self.hosts[host as usize];
        if SynCookies::are_used_for_joins(&stack.env(now, number)) {
            let mut cookies = std::mem::take(&mut stack.cookies);
            let mut env = stack.env(now, number);
            let joined = (&actor.connection, tuple);
            let answer = cookies.answer_join(&mut env, joined, &packet.segment);
            stack.cookies = cookies;
            match answer {
                Ok(answer) => self.send_alone(host, answer, packet, tuple, route, out),
                Err(refusal) => {
                    self.answer_stray(route, packet, tuple, Some(refusal.reason), host, out);
                }
            }
            return;
        }
        let mut env = stack.env(now, number);
        match actor.connection.join(&mut env, tuple.reversed(), &packet.segment) {
            Ok(index) => {
                self.bind_passive(number, index, packet, route, out);
                self.run_actor(now, number, out);
            }
            Err(refusal) => {
                let reason = Some(refusal.reason);
                self.answer_stray(route, packet, tuple, reason, host, out);
            }
        }
    }

    /// A join is handled by a listening socket: there must be one for its address, or the host
    /// must be the client, whose own address the peer learnt. An endpoint with a port has a socket
    /// of its own (`mptcp_pm_nl_create_listen_socket`).
    fn accepts_join(&self, host: u32, number: Option<u32>, tuple: FourTuple) -> bool {
        let actor = number.and_then(|number| self.actors.get(number as usize));
        let client = actor.is_some_and(|actor| actor.connection.is_client());
        let endpoints = &self.hosts[host as usize].config.endpoints.endpoints;
        let of_endpoint = |endpoint: &Endpoint| {
            endpoint.addr == tuple.dst.ip() && endpoint.port == Some(tuple.dst.port())
        };
        client || self.listener(host, tuple).is_some() || endpoints.iter().any(of_endpoint)
    }

    /// Answers go back the way the SYN came.
    pub(super) fn bind_passive(
        &mut self,
        number: u32,
        subflow: usize,
        packet: &Packet,
        route: RouteId,
        out: &mut Outbox<'_, Packet>,
    ) {
        let binding = Binding { connection: number, subflow: subflow as u32 };
        out.tables().tuples.bind(packet.tuple, binding);
        let back = packet.tuple.reversed();
        let ways = &mut self.actors[number as usize].ways;
        if ways.len() == subflow {
            ways.push(Way { tuple: back, route: Some(route.reverse()) });
        }
    }

    /// A segment for nobody is answered by a reset (RFC 9293 section 3.10.7.1).
    fn answer_stray(
        &mut self,
        route: RouteId,
        packet: &Packet,
        tuple: FourTuple,
        reason: Option<ResetReason>,
        host: u32,
        out: &mut Outbox<'_, Packet>,
    ) {
        let stray = &packet.segment;
        let Some(mut reset) = stray.reset_for_nobody() else { return };
        let owner = &mut self.hosts[host as usize];
        let gives_reasons = owner.config.tcp.rules.reset_reasons;
        let mib = &mut owner.mib;
        mib.inc(Counter::OutSegs);
        mib.inc(Counter::OutRsts);
        if let Some(reason) = reason.filter(|_| gives_reasons) {
            mib.inc(Counter::MpRstTx);
            reset.rare_mut().mp_tcprst = Some(MpTcpRst::new(reason));
        }
        reset.seal(tuple.ip_header());
        self.send_alone(host, reset, packet, tuple, route, out);
    }

    /// A segment that no connection has sent.
    pub(super) fn send_alone(
        &mut self,
        host: u32,
        segment: Segment,
        to: &Packet,
        tuple: FourTuple,
        route: RouteId,
        out: &mut Outbox<'_, Packet>,
    ) {
        if self.tap.is_enabled() {
            let (at, tuple, segment) = (out.now(), tuple.reversed(), segment.clone());
            self.tap.push(Tapped { at, host: host as usize, sent: true, tuple, segment });
        }
        out.send(route.reverse(), Packet::new(segment, to.tuple.reversed()));
    }
}
