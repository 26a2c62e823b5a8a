//! Links, middleboxes and the routes through them.
//!
//! Routes are source routes. All of them lie behind each other on one tape,
//! each closed by its end, and a packet's position is an index into the tape:
//! going on is adding one.
//!
//! ```text
//! tape: │ link 3 │ box 0 │ link 7 │ end 0 │ link 6 │ box 0 │ link 2 │ end 1 │ ...
//!         └──────── route 0 ─────────────┘ └──────── route 1, its reverse ─┘
//! ```

mod builder;

use std::collections::VecDeque;

pub use builder::{Element, NetBuilder, NetError};

use crate::calendar::{ActorId, Calendar};
use crate::link::{Link, LinkChange, LinkId, Refused};
use crate::middlebox::{Direction, Emission, Emit, Middlebox, Passage, Way};
use crate::packet::Packet;
use crate::pool::Ticket;
use crate::time::Time;
use crate::trace::{Shared, Trace};

/// A route from one host to another. Routes come in pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u32);

impl RouteId {
    /// The route of the answers.
    pub const fn reverse(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// Whether it is the first or the second of its pair.
    pub const fn direction(self) -> Direction {
        if self.0.is_multiple_of(2) { Direction::Forward } else { Direction::Reverse }
    }
}

/// One place on the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Link(u32),
    Box(u32),
    End(RouteId),
}

/// The network.
#[derive(Clone)]
pub struct Net<P> {
    links: Vec<Link>,
    link_names: Vec<String>,
    boxes: Vec<Box<dyn Middlebox<P>>>,
    box_names: Vec<String>,
    tape: Vec<Place>,
    /// Where each route begins on the tape.
    starts: Vec<u32>,
    shared: Shared<P>,
    /// Packets between boxes; empty between events.
    moving: VecDeque<(u32, P)>,
    emit: Emit<P>,
    /// Packets that reached a host without passing a link.
    arrivals: VecDeque<(RouteId, P)>,
}

impl<P: Packet> Net<P> {
    /// Begins a network.
    pub fn builder() -> NetBuilder<P> {
        NetBuilder::default()
    }

    /// The link of a name.
    pub fn link_named(&self, name: &str) -> Option<LinkId> {
        self.link_names.binary_search_by(|other| other.as_str().cmp(name)).ok().map(link_id)
    }

    /// A link; `None` if there is none of that number.
    pub fn link(&self, link: LinkId) -> Option<&Link> {
        self.links.get(link.0 as usize)
    }

    /// All links with their names, in the order of their numbers.
    pub fn links(&self) -> impl ExactSizeIterator<Item = (LinkId, &str, &Link)> {
        self.links
            .iter()
            .zip(&self.link_names)
            .enumerate()
            .map(|(index, (link, name))| (link_id(index), name.as_str(), link))
    }

    /// All boxes with their names, in the order of names.
    pub fn boxes(&self) -> impl ExactSizeIterator<Item = (&str, &dyn Middlebox<P>)> {
        self.box_names.iter().zip(&self.boxes).map(|(name, it)| (name.as_str(), &**it))
    }

    /// The links of a route, in order; nothing for a route that does not exist.
    pub fn links_of(&self, route: RouteId) -> impl Iterator<Item = LinkId> {
        self.places_of(route).filter_map(|(_, place)| match place {
            Place::Link(link) => Some(LinkId(link)),
            _ => None,
        })
    }

    /// How many routes there are, two for each pair.
    pub fn routes(&self) -> usize {
        self.starts.len()
    }

    /// Packets that finished a transmission, summed over all links.
    pub fn packet_hops(&self) -> u64 {
        self.links.iter().map(|link| link.counters().traffic.sent.packets).sum()
    }

    /// Packets that are on links or wait for one.
    pub fn in_flight(&self) -> usize {
        self.shared.pool.len()
    }

    /// Brings counters and backlogs of all links up to `now`. Changes nothing that happens.
    pub(crate) fn settle(&mut self, now: Time) {
        for link in &mut self.links {
            link.catch_up(now, &mut self.shared);
        }
    }

    /// What was recorded.
    pub fn trace(&self) -> &Trace {
        &self.shared.trace
    }

    /// Records from now on as `trace` says.
    pub fn set_trace(&mut self, trace: Trace) {
        self.shared.trace = trace;
    }

    /// How many actors links and boxes are; they are numbered from [`FIRST_LINK`].
    pub(crate) fn actors(&self) -> usize {
        self.links.len() + self.boxes.len()
    }

    /// Gives all boxes their first due dates.
    pub(crate) fn start(&self, calendar: &mut Calendar) {
        for (index, it) in self.boxes.iter().enumerate() {
            calendar.set(self.box_actor(index as u32), it.due());
        }
    }

    fn box_actor(&self, index: u32) -> ActorId {
        ActorId(FIRST_LINK + self.links.len() as u32 + index)
    }

    /// Sends a packet; what arrives without passing a link is found in [`Net::next_arrival`].
    pub(crate) fn send(&mut self, calendar: &mut Calendar, now: Time, route: RouteId, packet: P) {
        // A route that does not exist leads nowhere.
        let Some(&start) = self.starts.get(route.0 as usize) else { return };
        match self.tape[start as usize] {
            Place::Link(link) => {
                let ticket = self.shared.pool.insert(packet, start);
                self.offer(calendar, now, link, ticket);
            }
            _ => self.travel(calendar, now, start, packet),
        }
    }

    /// A packet that has reached a host without passing a link.
    pub(crate) fn next_arrival(&mut self) -> Option<(RouteId, P)> {
        self.arrivals.pop_front()
    }

    /// A link is due: takes a packet out and moves it on. Gives what has arrived at a host.
    pub(crate) fn wake_link(
        &mut self,
        calendar: &mut Calendar,
        now: Time,
        link: u32,
    ) -> Option<(RouteId, P)> {
        let index = link as usize;
        let ticket = self.links[index].pop(now, &mut self.shared);
        calendar.set(link_actor(link), self.links[index].due());
        let mut ticket = ticket?;
        ticket.position += 1;
        match self.tape[ticket.position as usize] {
            Place::Link(next) => self.offer(calendar, now, next, ticket),
            Place::End(route) => return Some((route, self.shared.pool.take(ticket)?)),
            Place::Box(_) => {
                let position = ticket.position;
                let packet = self.shared.pool.take(ticket)?;
                self.travel(calendar, now, position, packet);
            }
        }
        None
    }

    /// A box is due.
    pub(crate) fn wake_box(&mut self, calendar: &mut Calendar, now: Time, index: u32) {
        let mut emit = std::mem::take(&mut self.emit);
        self.boxes[index as usize].on_timer(now, &mut emit);
        self.collect(emit);
        calendar.set(self.box_actor(index), self.boxes[index as usize].due());
        self.move_all(calendar, now);
    }

    pub(crate) fn change_link(
        &mut self,
        calendar: &mut Calendar,
        now: Time,
        link: LinkId,
        change: &LinkChange,
    ) {
        if let Some(changing) = self.links.get_mut(link.0 as usize) {
            changing.change(now, change, &mut self.shared);
            calendar.set(link_actor(link.0), changing.due());
        }
    }

    /// Gives a packet to a link.
    fn offer(&mut self, calendar: &mut Calendar, now: Time, index: u32, ticket: Ticket) {
        let link = &mut self.links[index as usize];
        match link.push(now, ticket, &mut self.shared) {
            Ok(Some(due)) => calendar.set(link_actor(index), due),
            Ok(None) => {}
            Err(Refused(ticket)) => self.shared.pool.discard(ticket),
        }
    }

    /// Moves a packet from a place that is no link.
    #[cold]
    #[inline(never)]
    fn travel(&mut self, calendar: &mut Calendar, now: Time, position: u32, packet: P) {
        self.moving.push_back((position, packet));
        self.move_all(calendar, now);
    }

    /// Moves packets through boxes until each has come to a link or a host.
    fn move_all(&mut self, calendar: &mut Calendar, now: Time) {
        while let Some((position, packet)) = self.moving.pop_front() {
            match self.tape[position as usize] {
                Place::Link(link) => {
                    let ticket = self.shared.pool.insert(packet, position);
                    self.offer(calendar, now, link, ticket);
                }
                Place::End(route) => self.arrivals.push_back((route, packet)),
                Place::Box(index) => {
                    let passage = Passage::at(self.route_at(position), position);
                    let mut emit = std::mem::take(&mut self.emit);
                    self.boxes[index as usize].on_packet(now, passage, packet, &mut emit);
                    self.collect(emit);
                    calendar.set(self.box_actor(index), self.boxes[index as usize].due());
                }
            }
        }
    }

    /// Takes over what a box has sent.
    fn collect(&mut self, mut emit: Emit<P>) {
        for Emission { passage, way, packet } in emit.drain() {
            let position = match way {
                Way::Forward => passage.position + 1,
                Way::Back => self.position_back(passage),
            };
            self.moving.push_back((position, packet));
        }
        self.emit = emit;
    }

    /// The route that a position belongs to.
    fn route_at(&self, position: u32) -> RouteId {
        let rest = self.tape[position as usize..].iter();
        let end = rest.copied().find_map(|place| match place {
            Place::End(route) => Some(route),
            _ => None,
        });
        end.unwrap_or(RouteId(0))
    }

    /// Behind the same box on the reverse route: boxes stand there in the opposite order.
    fn position_back(&self, passage: Passage) -> u32 {
        let boxes = |route| {
            let places = self.places_of(route);
            places.filter(|(_, place)| matches!(place, Place::Box(_))).map(|(at, _)| at)
        };
        let route = passage.route();
        let behind = boxes(route).filter(|&at| at > passage.position).count();
        boxes(route.reverse()).nth(behind).map_or(passage.position, |at| at) + 1
    }

    /// The places of a route with their positions, without the end.
    fn places_of(&self, route: RouteId) -> impl Iterator<Item = (u32, Place)> {
        let start = self.starts.get(route.0 as usize).map_or(self.tape.len() as u32, |&at| at);
        let places = self.tape[start as usize..].iter().copied();
        (start..).zip(places).take_while(|(_, place)| !matches!(place, Place::End(_)))
    }
}

/// The timeline is actor 0; links follow.
pub(crate) const FIRST_LINK: u32 = 1;

fn link_actor(link: u32) -> ActorId {
    ActorId(FIRST_LINK + link)
}

fn link_id(index: usize) -> LinkId {
    LinkId(index as u32)
}
