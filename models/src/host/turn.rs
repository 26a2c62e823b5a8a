//! One connection's turn: it has been told something, now it acts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mptcpsim_core::net::RouteId;
use mptcpsim_core::sim::Outbox;
use mptcpsim_core::time::Time;

use super::{Actor, Binding, Host, Packet, Tap, Tapped, Way, World};
use crate::congestion::Clock;
use crate::mptcp::Env;
use crate::path_manager::binder::SourceRoute;
use crate::segment::{FourTuple, Segment};
use crate::tcp::Outgoing;

/// A connection and what it needs of its host and of the world, gathered once for all that it
/// does at one time.
pub(super) struct Turn<'a, 'o> {
    pub(super) actor: &'a mut Actor,
    pub(super) env: Env<'a>,
    egress: Egress<'a>,
    number: u32,
    tap: &'a mut Tap,
    finished: &'a mut usize,
    out: &'a mut Outbox<'o, Packet>,
}

/// The way out of a host.
pub(super) struct Egress<'a> {
    routes: &'a BTreeMap<(IpAddr, IpAddr), RouteId>,
    source_routes: &'a BTreeMap<(IpAddr, IpAddr, SourceRoute), RouteId>,
    unroutable: &'a mut u64,
}

impl Host {
    /// What connection `number` sees of its host.
    pub(super) fn env(&mut self, now: Time, number: u32) -> Env<'_> {
        self.split(now, number).0
    }

    fn split(&mut self, now: Time, number: u32) -> (Env<'_>, Egress<'_>) {
        self.log.about(number);
        let env = Env {
            now,
            clock: Clock::new(now, self.config.tcp.rules.hz),
            config: &self.config.tcp,
            endpoints: &self.config.endpoints,
            addresses: &self.addresses,
            down: &self.down,
            netlink: &mut self.netlink,
            mib: &mut self.mib,
            log: &mut self.log,
            random: &mut self.random,
            ports: &mut self.ports,
            active: &mut self.active,
            fast_open: &mut self.fast_open,
        };
        let Self { routes, source_routes, unroutable, .. } = self;
        (env, Egress { routes, source_routes, unroutable })
    }
}

impl World {
    /// The turn of connection `number`.
    pub(super) fn turn<'a, 'o>(
        &'a mut self,
        now: Time,
        number: u32,
        out: &'a mut Outbox<'o, Packet>,
    ) -> Option<Turn<'a, 'o>> {
        let actor = self.actors.get_mut(number as usize)?;
        out.expect_due(number + 1);
        let (env, egress) = self.hosts[actor.host as usize].split(now, number);
        Some(Turn {
            actor,
            env,
            egress,
            number,
            tap: &mut self.tap,
            finished: &mut self.finished,
            out,
        })
    }

    /// Lets the application write what leaves with the SYN, if anything does.
    pub(super) fn write_with_syn(&mut self, now: Time, number: u32, out: &mut Outbox<'_, Packet>) {
        let Some(Turn { actor, mut env, .. }) = self.turn(now, number, out) else { return };
        if actor.connection.syn_room() > 0 {
            actor.app.progress(&mut actor.connection, &mut env);
        }
    }

    /// The turn of a connection whose host has dealt with it already.
    pub(super) fn run_actor(&mut self, now: Time, number: u32, out: &mut Outbox<'_, Packet>) {
        if self.turn(now, number, out).is_some_and(|mut turn| turn.run()) {
            self.run_commands(now, number, out);
        }
    }
}

impl Turn<'_, '_> {
    /// Sends what there is to send, lets the application act as long as it can, and notes the
    /// next due date. True if the host's daemon wants something done elsewhere.
    pub(super) fn run(&mut self) -> bool {
        loop {
            self.send_all();
            let Actor { app, connection, .. } = &mut *self.actor;
            let was_done = app.is_done();
            let acted = app.progress(connection, &mut self.env);
            if !was_done && app.is_done() && connection.is_client() {
                *self.finished += 1;
                self.out.request_stop();
            }
            if !acted && !connection.has_output() {
                connection.note_changes();
                let due = connection.due().min(app.due());
                self.out.set_due(self.number + 1, due);
                return self.env.netlink.has_deferred();
            }
        }
    }

    fn send_all(&mut self) {
        if !self.actor.connection.has_output() {
            return;
        }
        let mut next = Outgoing::default();
        while let Some(index) = self.actor.connection.poll_into(&mut self.env, &mut next) {
            let segment = next.take_segment();
            if self.actor.ways.len() < self.actor.connection.subflow_count() {
                self.bind();
            }
            let Way { tuple, route } = self.actor.ways[index];
            if self.tap.is_enabled() {
                self.tap(index, &segment);
            }
            match route {
                Some(route) => self.out.send(route, Packet::new(segment, tuple)),
                None => *self.egress.unroutable += 1,
            }
        }
    }

    #[cold]
    fn tap(&mut self, index: usize, segment: &Segment) {
        let Some(tuple) = self.actor.connection.tuple(index) else { return };
        if self.tap.notes_options() {
            self.env.log.options(self.env.now, index, true, segment);
        }
        if self.tap.notes_mappings() {
            let iss = self.actor.connection.subflow(index).map(|subflow| subflow.iss());
            iss.into_iter().for_each(|iss| self.env.log.mapped(self.env.now, index, iss, segment));
        }
        let (at, host, segment) = (self.env.now, self.actor.host as usize, segment.clone());
        self.tap.push(Tapped { at, host, sent: true, tuple, segment });
        if self.tap.is_full() {
            self.out.request_stop();
        }
    }

    /// Gives new subflows their tuple and route.
    #[cold]
    fn bind(&mut self) {
        let tuples = &mut self.out.tables().tuples;
        for index in self.actor.ways.len()..self.actor.connection.subflow_count() {
            let Some(tuple) = self.actor.connection.tuple(index) else { return };
            let id = tuples.intern(tuple);
            let subflow = index as u32;
            tuples.bind(id.reversed(), Binding { connection: self.number, subflow });
            let route = match self.actor.connection.source_route(index) {
                Some(gateways) => {
                    let way = (tuple.src.ip(), tuple.dst.ip(), gateways);
                    self.egress.source_routes.get(&way).copied()
                }
                None => find_route(self.egress.routes, self.env.addresses, tuple),
            };
            self.actor.ways.push(Way { tuple: id, route });
        }
    }
}

/// The route of packets of `tuple`: the one for its addresses, else any from its source, as
/// routing by source address does.
pub(super) fn find_route(
    routes: &BTreeMap<(IpAddr, IpAddr), RouteId>,
    addresses: &[IpAddr],
    tuple: FourTuple,
) -> Option<RouteId> {
    let (src, dst) = (tuple.src.ip(), tuple.dst.ip());
    routes.get(&(src, dst)).copied().or_else(|| {
        let known = addresses.contains(&src);
        routes.iter().find(|((from, _), _)| known && *from == src).map(|(_, route)| *route)
    })
}
