//! What is seen of a simulation: samples while it runs, sums at its end.
//!
//! Looking changes nothing: an observer only reads, apart from taking away the
//! events that hosts have logged.

mod energy;
pub(crate) mod flows;
mod links;
mod sums;

use std::sync::Arc;

use mptcpsim_core::net::Net;
use mptcpsim_core::sim::Simulation;
use mptcpsim_core::time::Time;
use mptcpsim_models::host::{Packet, World};
use mptcpsim_models::observe::event::{self, Event, Logged};

use crate::plan::{Change, InterfaceId, Plan};
use crate::results::{EventRow, Recorder};
use flows::Flows;
use links::Links;

/// Turns what happens into rows.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    plan: Arc<Plan>,
    links: Links,
    flows: Flows,
    /// How many entries of the timeline have been told.
    told: usize,
}

impl Observer {
    /// An observer of a simulation at time zero.
    pub(crate) fn new(plan: &Arc<Plan>, net: &Net<Packet>) -> Self {
        let links = Links::new(plan, net);
        Self { plan: Arc::clone(plan), links, flows: Flows::new(plan), told: 0 }
    }

    /// From now on the same plan with more in its timeline.
    pub(crate) fn set_plan(&mut self, plan: &Arc<Plan>) {
        self.plan = Arc::clone(plan);
    }

    /// What there is to see now, and what has happened since the last look.
    pub(crate) fn sample(&mut self, simulation: &mut Simulation<World>, recorder: &mut Recorder) {
        let now = simulation.now();
        self.flows.meet(simulation.hosts());
        self.events(now, simulation.hosts_mut(), recorder);
        self.flows.sample(now, simulation.hosts(), recorder);
        self.links.sample(now, simulation.net(), recorder);
    }

    /// The rows about the run as a whole.
    pub(crate) fn sum_up(&self, simulation: &Simulation<World>, recorder: &mut Recorder) {
        let (now, world) = (simulation.now(), simulation.hosts());
        let energy = energy::rows(&self.plan, now, world);
        sums::flows(&self.plan, &self.flows, &energy, now, world, recorder);
        energy.into_iter().for_each(|row| recorder.push(row));
        sums::counters(&self.plan, world, recorder);
        self.links.sum_up(now, simulation.net(), recorder);
    }

    /// Events of the network and of all hosts, in order of time.
    fn events(&mut self, now: Time, world: &mut World, recorder: &mut Recorder) {
        let mut rows = Vec::new();
        let due = self.plan.timeline.iter().skip(self.told).take_while(|timed| timed.at <= now);
        for timed in due {
            self.told += 1;
            rows.push((timed.at, false, change_row(&self.plan, timed.at, &timed.change)));
        }
        for (number, host) in self.plan.hosts.iter().enumerate() {
            for logged in world.drain_events(number) {
                if let Event::Mapped { dsn, len } = logged.event {
                    let row = self.flows.mapped(&logged, dsn, len, world);
                    row.into_iter().for_each(|row| recorder.keep(row));
                    continue;
                }
                let flow = self.flows.name(logged.connection as usize);
                let asked_for = matches!(logged.event, Event::Options { .. });
                rows.push((logged.at, asked_for, event_row(&host.name, flow, &logged)));
            }
        }
        rows.sort_by_key(|(at, ..)| *at);
        for (_, asked_for, row) in rows {
            if asked_for { recorder.keep(row) } else { recorder.push(row) }
        }
    }
}

fn event_row(host: &str, flow: &str, logged: &Logged) -> EventRow {
    let (event, detail) = match &logged.event {
        Event::State { from, to } => {
            let rule = event::rule(*from, *to);
            ("tcp-state", format!("{} to {}: {rule}", from.name(), to.name()))
        }
        Event::Options { sent: true, words } => ("option-sent", words.clone()),
        Event::Options { sent: false, words } => ("option-received", words.clone()),
        Event::Mapped { dsn, len } => ("data-sent", format!("{dsn} len {len}")),
        Event::Congestion(state) => ("congestion-state", format!("{state:?}")),
        Event::Timeout(count) => ("retransmission-timeout", format!("{count} in a row")),
        Event::LossProbe => ("loss-probe", String::new()),
        Event::Undo => ("undo", String::new()),
        Event::Mptcp { what, detail } => (*what, detail.clone()),
    };
    EventRow {
        time_s: logged.at.as_secs_f64(),
        host: host.to_owned(),
        connection: flow.to_owned(),
        subflow: u32::try_from(logged.subflow).ok(),
        event: event.to_owned(),
        detail,
    }
}

fn interface_name(plan: &Plan, id: InterfaceId) -> String {
    let host = plan.hosts.get(id.host.0);
    let interface = host.and_then(|host| host.interfaces.get(id.interface));
    interface.map_or_else(String::new, |interface| interface.name.clone())
}

fn change_row(plan: &Plan, at: Time, change: &Change) -> EventRow {
    let host_name =
        |host: usize| plan.hosts.get(host).map_or(String::new(), |host| host.name.clone());
    let (host, event, detail) = match change {
        Change::Link { link, upwards, set } => {
            let name = plan.links.get(link.0).map_or("", |link| &link.name);
            let event = match set.up {
                Some(true) => "link-up",
                Some(false) => "link-down",
                None => "link-change",
            };
            let direction = if *upwards { "up" } else { "down" };
            (String::new(), event, format!("link {name}, direction {direction}"))
        }
        Change::Interface { interface, up } => {
            let event = if *up { "interface-up" } else { "interface-down" };
            (host_name(interface.host.0), event, interface_name(plan, *interface))
        }
        Change::Multipath { interface, multipath } => {
            let name = interface_name(plan, *interface);
            let detail = format!("{name}: {}", format!("{multipath:?}").to_lowercase());
            (host_name(interface.host.0), "interface-multipath", detail)
        }
        Change::SetLimits(host, subflows, add_addr_accepted) => {
            let detail = format!("subflows {subflows}, add_addr_accepted {add_addr_accepted}");
            (host_name(host.0), "limits-set", detail)
        }
        Change::SetEndpoint(host, endpoint) => {
            let flags = endpoint.flags.iter().map(|flag| format!("{flag:?}").to_lowercase());
            let flags = flags.collect::<Vec<_>>().join(" ");
            let detail = format!("{} with id {}: {flags}", endpoint.address, endpoint.id);
            (host_name(host.0), "endpoint-set", detail)
        }
        Change::RemoveEndpoint(host, id) => {
            (host_name(host.0), "endpoint-removed", format!("id {id}"))
        }
    };
    EventRow {
        time_s: at.as_secs_f64(),
        host,
        event: event.to_owned(),
        detail,
        ..EventRow::default()
    }
}
