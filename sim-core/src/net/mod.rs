//! Links, middleboxes and the routes through them.
//!
//! Routes are source routes. All of them lie behind each other on one tape,
//! each closed by its end, and a packet's position is an index into the tape:
//! going on is adding one.

mod builder;
mod tape;

use std::collections::VecDeque;

pub use builder::{Element, NetBuilder, NetError};
pub use tape::RouteId;
pub(crate) use tape::{Kind, Place};

use tape::Tape;

use crate::calendar::{ActorId, Calendar};
use crate::foresight::{Arrival, Coming, Foreseen, LastLink, Move};
use crate::link::{Link, LinkChange, LinkId, Refused};
use crate::middlebox::{Emission, Emit, Middlebox, Passage, Way};
use crate::packet::Packet;
use crate::pool::Ticket;
use crate::prefetch::prefetch_some;
use crate::time::Time;
use crate::trace::{Shared, Trace};

/// A packet that moves on without taking time.
#[derive(Clone)]
struct Moving<P> {
    position: u32,
    /// Boxes since the last link.
    passed: u8,
    packet: P,
}

/// What a link that was due has for hosts.
pub(crate) enum Woken<P> {
    /// A packet is at the end of its route.
    Arrives(RouteId, P),
    /// A packet of this flow is on the last link of its route.
    Approaches(u64),
}

/// A packet that has passed so many boxes without a link in between runs in a circle, and is
/// dropped: its time to live would be used up.
const TIME_TO_LIVE: u8 = 64;

/// The network.
#[derive(Clone)]
pub struct Net<P: Packet> {
    links: Vec<Link>,
    link_names: Vec<String>,
    boxes: Vec<Box<dyn Middlebox<P>>>,
    box_names: Vec<String>,
    tape: Tape,
    /// What each link will do next, apart from the links: it is asked before they are near. Empty in
    /// networks of few links.
    coming: Vec<Coming>,
    shared: Shared<P>,
    /// Packets between boxes; empty between events.
    moving: VecDeque<Moving<P>>,
    /// Empty between events, but for the tables.
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
        self.tape.route(route).filter_map(|(_, kind)| match kind {
            Kind::Link(link) => Some(LinkId(link)),
            _ => None,
        })
    }

    /// How many routes there are, two for each pair.
    pub fn routes(&self) -> usize {
        self.tape.routes()
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

    /// What packets refer to by number.
    pub const fn tables(&self) -> &P::Tables {
        &self.emit.tables
    }

    /// What packets refer to by number.
    pub const fn tables_mut(&mut self) -> &mut P::Tables {
        &mut self.emit.tables
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
        let Some(start) = self.tape.start(route) else { return };
        match self.tape.at(start).kind() {
            Kind::Link(link) => {
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

    /// A link is due: takes a packet out and moves it on. Says what comes of it for hosts.
    pub(crate) fn wake_link(
        &mut self,
        calendar: &mut Calendar,
        now: Time,
        link: u32,
    ) -> Option<Woken<P>> {
        let index = link as usize;
        let ticket = self.links[index].pop(now, &mut self.shared);
        calendar.set(link_actor(link), self.links[index].due());
        let mut ticket = ticket?;
        self.prefetch_next(index);
        ticket.position += 1;
        match ticket.next.kind() {
            Kind::Link(next) => {
                let place = ticket.place();
                if self.offer(calendar, now, next, ticket) && !self.is_large() {
                    return self
                        .shared
                        .pool
                        .at(place)
                        .map(|packet| Woken::Approaches(packet.flow()));
                }
            }
            Kind::End(route) => return Some(Woken::Arrives(route, self.shared.pool.take(ticket)?)),
            Kind::Box(_) => {
                let position = ticket.position;
                let packet = self.shared.pool.take(ticket)?;
                self.travel(calendar, now, position, packet);
            }
        }
        None
    }

    /// Brings near what the next packet of a link meets, or notes it, if that would be too early.
    #[inline]
    fn prefetch_next(&mut self, link: usize) {
        let Some(ticket) = self.links[link].next_ticket() else { return };
        if let Some(coming) = self.coming.get_mut(link) {
            coming.note(ticket);
            return;
        }
        self.shared.pool.prefetch(ticket.place());
        self.links[link].bring_departure_near();
        if let Kind::Link(next) = ticket.next.kind() {
            self.links[next as usize].bring_near();
        }
    }

    /// True if it has so many links that the calendar is asked what comes.
    #[inline]
    pub(crate) fn is_large(&self) -> bool {
        !self.coming.is_empty()
    }

    /// A link that is due need not be foreseen any more. True if it was.
    #[inline]
    pub(crate) fn forget(&mut self, link: u32) -> bool {
        std::mem::take(&mut self.coming[link as usize].foreseen)
    }

    /// Brings near what an actor will do, if it is a link.
    #[inline]
    pub(crate) fn bring_coming_near(&self, actor: ActorId) {
        let link = actor.0.wrapping_sub(FIRST_LINK);
        prefetch_some(self.coming.get(link as usize));
    }

    /// Brings near what an actor that is due soon will meet, if it is a link, and says what comes of it.
    #[inline]
    pub(crate) fn foresee(&mut self, calendar: &Calendar, actor: ActorId) -> Option<Foreseen> {
        let link = actor.0.checked_sub(FIRST_LINK)?;
        let Coming { to, slot, position, foreseen } = *self.coming.get(link as usize)?;
        if foreseen {
            return None;
        }
        let foreseen = match to.kind() {
            Kind::Link(next) => {
                self.links[next as usize].bring_near();
                self.tape.bring_near(position + 2);
                calendar.bring_near(link_actor(next));
                Foreseen::Move(Move { link, next })
            }
            Kind::End(route) => {
                let answer = route.reverse();
                self.shared.pool.prefetch(slot);
                self.tape.bring_start_near(answer);
                let from = Some(LastLink { link, slot, answer });
                Foreseen::Arrival(Arrival { flow: None, from })
            }
            Kind::Box(_) => return None,
        };
        self.links[link as usize].bring_near();
        self.coming[link as usize].foreseen = true;
        Some(foreseen)
    }

    /// Brings near more of what a packet that goes on will meet: queues, then where the links will stand in the
    /// calendar.
    #[inline]
    pub(crate) fn bring_move_near(&self, calendar: &Calendar, step: usize, coming: &Move) {
        let [link, next] = [coming.link, coming.next].map(|link| &self.links[link as usize]);
        if step == 0 {
            link.bring_departures_near();
            next.bring_departures_near();
            next.bring_entrance_near();
            return;
        }
        let forwards = link.next_ticket().and_then(|it| next.due_from(link.due(), it));
        for due in [link.second_due(), forwards].into_iter().flatten() {
            calendar.bring_date_near(due);
        }
    }

    /// Brings near more of what a packet that arrives, and what is answered, will meet, and notes whose it is.
    #[inline]
    pub(crate) fn bring_arrival_near(
        &self,
        calendar: &Calendar,
        step: usize,
        arrival: &mut Arrival,
    ) {
        let Some(LastLink { link, slot, answer }) = arrival.from else { return };
        match step {
            0 => {
                self.links[link as usize].bring_departures_near();
                arrival.flow = self.shared.pool.at(slot).map(Packet::flow);
                if let Some(start) = self.tape.start(answer) {
                    self.tape.bring_near(start);
                }
            }
            1 => {
                if let Some(first) = self.first_link(answer) {
                    first.bring_near();
                }
            }
            2 => {
                if let Some(first) = self.first_link(answer) {
                    first.bring_departures_near();
                    first.bring_entrance_near();
                }
                if let Some(due) = self.links[link as usize].second_due() {
                    calendar.bring_date_near(due);
                }
            }
            _ => {}
        }
    }

    /// A box is due.
    #[cold]
    pub(crate) fn wake_box(&mut self, calendar: &mut Calendar, now: Time, index: u32) {
        let mut emit = std::mem::take(&mut self.emit);
        self.boxes[index as usize].on_timer(now, &mut emit);
        self.collect(emit, 0);
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

    /// The link on which packets of `route` set out.
    fn first_link(&self, route: RouteId) -> Option<&Link> {
        let Kind::Link(link) = self.tape.at(self.tape.start(route)?).kind() else { return None };
        Some(&self.links[link as usize])
    }

    /// Gives a packet to a link; true if that is the last one of its route.
    fn offer(
        &mut self,
        calendar: &mut Calendar,
        now: Time,
        index: u32,
        mut ticket: Ticket,
    ) -> bool {
        ticket.next = self.tape.at(ticket.position + 1);
        let last = match ticket.next.kind() {
            Kind::End(route) => {
                if !self.is_large()
                    && let Some(first) = self.first_link(route.reverse())
                {
                    first.bring_near();
                }
                true
            }
            _ => false,
        };
        let link = &mut self.links[index as usize];
        match link.push(now, ticket, &mut self.shared) {
            Ok(Some(due)) => {
                calendar.set(link_actor(index), due);
                if let Some(coming) = self.coming.get_mut(index as usize)
                    && let Some(first) = link.next_ticket()
                {
                    coming.note(first);
                }
            }
            Ok(None) => {}
            Err(Refused(ticket)) => self.shared.pool.discard(ticket),
        }
        last
    }

    /// Moves a packet from a place that is no link.
    #[cold]
    #[inline(never)]
    fn travel(&mut self, calendar: &mut Calendar, now: Time, position: u32, packet: P) {
        self.moving.push_back(Moving { position, passed: 0, packet });
        self.move_all(calendar, now);
    }

    /// Moves packets through boxes until each has come to a link or a host.
    fn move_all(&mut self, calendar: &mut Calendar, now: Time) {
        while let Some(Moving { position, passed, packet }) = self.moving.pop_front() {
            match self.tape.at(position).kind() {
                Kind::Link(link) => {
                    let ticket = self.shared.pool.insert(packet, position);
                    self.offer(calendar, now, link, ticket);
                }
                Kind::End(route) => self.arrivals.push_back((route, packet)),
                Kind::Box(_) if passed == TIME_TO_LIVE => {}
                Kind::Box(index) => {
                    let passage = Passage::at(self.tape.route_at(position), position);
                    let mut emit = std::mem::take(&mut self.emit);
                    self.boxes[index as usize].on_packet(now, passage, packet, &mut emit);
                    self.collect(emit, passed + 1);
                    calendar.set(self.box_actor(index), self.boxes[index as usize].due());
                }
            }
        }
    }

    /// Takes over what a box has sent.
    fn collect(&mut self, mut emit: Emit<P>, passed: u8) {
        for Emission { passage, way, packet } in emit.drain() {
            let position = match way {
                Way::Forward => passage.position + 1,
                Way::Back => self.tape.behind_on_reverse(passage.route(), passage.position),
            };
            self.moving.push_back(Moving { position, passed, packet });
        }
        self.emit = emit;
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
