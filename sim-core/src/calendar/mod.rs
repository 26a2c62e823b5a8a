//! The queue of due dates: one entry per actor.
//!
//! Everything that acts (a link, a middlebox, an endpoint, the timeline) is
//! due at some time or never, and is woken in the order of (time, number).
//! Changing one's mind is [`Calendar::set`]; there are no event objects and no
//! cancellations.
//!
//! The structure is a calendar queue (R. Brown, "Calendar queues", CACM 1988)
//! that keeps its order with a heap:
//!
//! ```text
//! now ──► near ──────► inner wheel ──────► outer wheel ──────► far
//!         4-ary heap   4 n buckets         128 buckets, each   one list
//!         exact order  in lists            a whole inner wheel
//! ```
//!
//! Buckets hold unordered lists; the next bucket that is not empty (found in a
//! bitmap) becomes the near heap when the one before is used up. The width of
//! the buckets follows the density of what happens, so a bucket holds about
//! one entry whatever the time scale, and when it holds many, the heap keeps
//! the order at the cost of a logarithm. Few actors are in no order at all:
//! all of them are looked at.
//!
//! Due dates move later much more often than earlier (retransmission timers
//! move with every ACK). A later date is only written down; the entry is moved
//! when its old date comes up.

mod near;
mod wheel;

use crate::prefetch::prefetch_some;
use crate::time::Time;
use near::{Key, Near};
use wheel::Wheel;

/// The number of an actor, in order of creation; at equal times lower numbers act first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub u32);

/// Below this number of actors none is filed: looking at all of them takes less, or no longer.
const FEW: usize = 32;

/// No actor, or no place.
const NONE: u32 = u32::MAX;

/// Set in [`Actor::place`] when the entry is in a list of the wheel; the rest is the list's number.
const LISTED: u32 = 1 << 31;

/// Where an actor stands. `key` is where its entry is filed, at or before `due`; zero if it is not.
#[derive(Clone, Copy)]
struct Actor {
    due: Time,
    key: Time,
    /// A position in the near heap, or a list of the wheel, or nowhere ([`NONE`]).
    place: u32,
    /// Neighbours in the list of the wheel.
    prev: u32,
    next: u32,
}

/// Who is due when.
#[derive(Clone)]
pub struct Calendar {
    actors: Vec<Actor>,
    near: Near,
    /// Keys before this moment are in `near`, all others in `wheel`.
    near_end: Time,
    wheel: Wheel,
    /// Who was told last to be due soon.
    told: Option<u32>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self::new()
    }
}

impl Calendar {
    /// A calendar without actors.
    pub fn new() -> Self {
        Self {
            actors: Vec::new(),
            near: Near::default(),
            near_end: Time::NEVER,
            wheel: Wheel::default(),
            told: None,
        }
    }

    /// How many actors there are.
    pub fn len(&self) -> usize {
        self.actors.len()
    }

    /// True without actors.
    pub fn is_empty(&self) -> bool {
        self.actors.is_empty()
    }

    /// When `actor` is due; [`Time::NEVER`] if it is not.
    pub fn due(&self, actor: ActorId) -> Time {
        self.actors[actor.0 as usize].due
    }

    /// Adds an actor that is never due until [`Calendar::set`] says otherwise.
    pub fn add(&mut self) -> ActorId {
        let id = self.actors.len() as u32;
        let key = if self.files() { Time::NEVER } else { Time::ZERO };
        self.actors.push(Actor { due: Time::NEVER, key, place: NONE, prev: NONE, next: NONE });
        if self.actors.len() >= FEW && self.actors.len() > self.wheel.room() {
            self.rebuild(self.wheel.width_log2());
        }
        ActorId(id)
    }

    /// Makes `actor` due at `due`, whatever it was before.
    #[inline]
    pub fn set(&mut self, actor: ActorId, due: Time) {
        let entry = &mut self.actors[actor.0 as usize];
        entry.due = due;
        if due < entry.key {
            self.advance(actor, due);
        }
    }

    fn advance(&mut self, actor: ActorId, due: Time) {
        let entry = &mut self.actors[actor.0 as usize];
        match entry.place {
            NONE => {}
            place if place & LISTED != 0 => self.wheel.unlink(&mut self.actors, actor.0),
            place => {
                entry.key = due;
                return self.near.advance(place as usize, Key::new(due, actor.0), &mut self.actors);
            }
        }
        self.insert(actor.0, due);
    }

    /// Takes the first actor that is due at or before `end`, with its date.
    ///
    /// It is never due again until it is set again.
    #[inline]
    pub fn pop(&mut self, end: Time) -> Option<(Time, ActorId)> {
        let (due, actor) = self.first()?;
        if due > end {
            return None;
        }
        let files = self.files();
        let entry = &mut self.actors[actor.0 as usize];
        entry.due = Time::NEVER;
        // An entry in the heap stays until its actor has a new date: most often it only moves.
        if files && entry.place & LISTED != 0 {
            self.wheel.take((entry.place & !LISTED) as usize);
            entry.place = NONE;
            entry.key = Time::NEVER;
        }
        Some((due, actor))
    }

    /// An actor that is due soon and was not told yet, the first one first, if one is known. This is
    /// a hint: not all are told, and some may turn out to be due later.
    #[inline]
    pub fn foresee(&mut self) -> Option<ActorId> {
        if !self.files() {
            return None;
        }
        // Behind the one told last there may be others in its bucket, if it still is in there.
        let neighbour = self.told.and_then(|last| {
            let Actor { place, next, .. } = *self.actors.get(last as usize)?;
            (place == self.wheel.place_foreseen() && next != NONE).then_some(next)
        });
        self.told = neighbour.or_else(|| self.wheel.foresee());
        let actor = ActorId(self.told?);
        self.bring_near(actor);
        Some(actor)
    }

    /// Brings near where what is due at `due` is filed.
    #[inline]
    pub(crate) fn bring_date_near(&self, due: Time) {
        if self.files() && due >= self.near_end {
            self.wheel.bring_near(due);
        }
    }

    /// Brings near where an actor stands.
    #[inline]
    pub(crate) fn bring_near(&self, actor: ActorId) {
        prefetch_some(self.actors.get(actor.0 as usize));
    }

    /// The first date at which an actor is due, and that actor.
    #[inline]
    pub fn first(&mut self) -> Option<(Time, ActorId)> {
        if self.files() { self.first_filed() } else { self.first_of_few() }
    }

    /// There are so many actors that each is filed under its date.
    const fn files(&self) -> bool {
        self.wheel.room() > 0
    }

    #[inline]
    fn first_of_few(&self) -> Option<(Time, ActorId)> {
        let mut first = (Time::NEVER, 0);
        // The branch is guessed well, as flows repeat themselves: selecting without one costs more.
        for (entry, actor) in self.actors.iter().zip(0..) {
            if entry.due < first.0 {
                first = (entry.due, actor);
            }
        }
        (first.0 != Time::NEVER).then_some((first.0, ActorId(first.1)))
    }

    fn first_filed(&mut self) -> Option<(Time, ActorId)> {
        loop {
            let actor = match self.near.first() {
                Some(key) => key.actor(),
                None => match self.first_of_wheel() {
                    Ok(actor) => actor,
                    Err(list) => {
                        self.bring_nearer(list?);
                        continue;
                    }
                },
            };
            let Actor { due, key, .. } = self.actors[actor as usize];
            if due == key {
                return Some((due, ActorId(actor)));
            }
            self.postpone(actor, due);
        }
    }

    /// The first actor of the wheel, if it is alone in its bucket; otherwise the list it is in.
    fn first_of_wheel(&mut self) -> Result<u32, Option<usize>> {
        let list = self.wheel.next_occupied().ok_or(None)?;
        let actor = self.wheel.head(list);
        if self.wheel.is_bucket(list) && self.actors[actor as usize].next == NONE {
            self.near_end = self.wheel.move_to(list);
            Ok(actor)
        } else {
            Err(Some(list))
        }
    }

    /// Files the entry of an actor whose key came up under its real, later date.
    fn postpone(&mut self, actor: u32, due: Time) {
        let place = self.actors[actor as usize].place;
        if place & LISTED != 0 {
            self.wheel.take((place & !LISTED) as usize);
        } else if due < self.near_end {
            self.actors[actor as usize].key = due;
            return self.near.replace_first(Key::new(due, actor), &mut self.actors);
        } else {
            self.near.remove_first(&mut self.actors);
        }
        self.refile(actor, due);
    }

    /// Files an entry that was taken out.
    fn refile(&mut self, actor: u32, due: Time) {
        if due == Time::NEVER {
            let entry = &mut self.actors[actor as usize];
            entry.place = NONE;
            entry.key = Time::NEVER;
        } else {
            self.insert(actor, due);
        }
    }

    fn insert(&mut self, actor: u32, key: Time) {
        self.actors[actor as usize].key = key;
        if key < self.near_end {
            self.near.push(Key::new(key, actor), &mut self.actors);
        } else {
            self.wheel.link(&mut self.actors, actor, self.wheel.list_for(key));
        }
    }

    /// Moves a crowded bucket into the heap, or fills the inner wheel.
    #[inline(never)]
    fn bring_nearer(&mut self, list: usize) {
        let bucket = self.wheel.is_bucket(list);
        if (!bucket || self.wheel.count(self.keys_of(list).count()))
            && let Some(width_log2) = self.wheel.better_width(list)
        {
            return self.rebuild(width_log2);
        }
        self.near_end = if bucket {
            self.wheel.move_to(list + 1)
        } else {
            let first = self.keys_of(list).min().unwrap_or(Time::ZERO);
            self.wheel.turn_to(list, first)
        };
        let mut actor = self.wheel.take(list);
        while actor != NONE {
            let Actor { due, next, .. } = self.actors[actor as usize];
            self.refile(actor, due);
            actor = next;
        }
    }

    /// The keys in a list of the wheel.
    fn keys_of(&self, list: usize) -> impl Iterator<Item = Time> {
        let mut actor = self.wheel.head(list);
        std::iter::from_fn(move || {
            let entry = self.actors.get(actor as usize)?;
            actor = entry.next;
            Some(entry.key)
        })
    }

    /// Files everything anew in buckets of another width or number.
    #[cold]
    fn rebuild(&mut self, width_log2: u32) {
        self.near.clear();
        let dues = || self.actors.iter().map(|entry| entry.due);
        let first = dues().filter(|&due| due != Time::NEVER).min().unwrap_or(Time::ZERO);
        self.wheel.reset(self.actors.len(), width_log2, first);
        self.near_end = self.wheel.start();
        for actor in 0..self.actors.len() as u32 {
            self.refile(actor, self.actors[actor as usize].due);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Span;

    /// Dates on scales from picoseconds to days, many of them equal.
    fn date() -> impl Strategy<Value = u64> {
        (0u64..200, 0u32..58).prop_map(|(digits, scale)| digits << scale)
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add,
        Set { actor: usize, later: u64 },
        Never { actor: usize },
        Pop { later: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => Just(Step::Add),
            6 => (any::<usize>(), date()).prop_map(|(actor, later)| Step::Set { actor, later }),
            1 => any::<usize>().prop_map(|actor| Step::Never { actor }),
            6 => date().prop_map(|later| Step::Pop { later }),
        ]
    }

    /// The same with a list that is searched.
    #[derive(Default)]
    struct Reference(Vec<Time>);

    impl Reference {
        fn first(&self) -> Option<(Time, ActorId)> {
            let dated = self.0.iter().zip(0..).filter(|(due, _)| **due != Time::NEVER);
            dated.min().map(|(due, actor)| (*due, ActorId(actor)))
        }
    }

    fn agree(actors: usize, steps: Vec<Step>) -> Result<(), TestCaseError> {
        let (mut calendar, mut reference) = (Calendar::new(), Reference::default());
        let mut now = 0u64;
        for step in std::iter::repeat_n(Step::Add, actors).chain(steps) {
            let count = reference.0.len();
            match step {
                Step::Set { actor, later } if count > 0 => {
                    let due = Time::from_ps(now.saturating_add(later));
                    calendar.set(ActorId((actor % count) as u32), due);
                    reference.0[actor % count] = due;
                }
                Step::Never { actor } if count > 0 => {
                    calendar.set(ActorId((actor % count) as u32), Time::NEVER);
                    reference.0[actor % count] = Time::NEVER;
                }
                Step::Pop { later } => {
                    let end = Time::from_ps(now.saturating_add(later));
                    let expected = reference.first().filter(|(due, _)| *due <= end);
                    prop_assert_eq!(calendar.pop(end), expected);
                    if let Some((due, actor)) = expected {
                        now = due.as_ps();
                        reference.0[actor.0 as usize] = Time::NEVER;
                    }
                    prop_assert_eq!(calendar.first(), reference.first());
                }
                _ => {
                    let actor = calendar.add();
                    prop_assert_eq!(actor, ActorId(count as u32));
                    reference.0.push(Time::NEVER);
                }
            }
        }
        for (due, actor) in reference.0.iter().zip(0..) {
            prop_assert_eq!(calendar.due(ActorId(actor)), *due);
        }
        prop_assert_eq!(calendar.len(), reference.0.len());
        Ok(())
    }

    proptest! {
        #[test]
        fn equals_a_searched_list_of_few(steps in prop::collection::vec(step(), 0..300)) {
            agree(1, steps)?;
        }

        #[test]
        fn equals_a_searched_list_of_many(steps in prop::collection::vec(step(), 0..1_500)) {
            agree(60, steps)?;
        }
    }

    /// What comes at a steady pace is told before it comes, and telling changes nothing.
    #[test]
    fn foresees_most_of_what_comes() {
        let mut calendar = Calendar::new();
        for number in 0..200u64 {
            let actor = calendar.add();
            calendar.set(actor, Time::from_ps(1_000 * number));
        }
        let mut told = 0;
        for _ in 0..20_000u64 {
            let (now, actor) = calendar.pop(Time::NEVER).unwrap();
            assert_eq!(now.as_ps() % 200_000, 1_000 * u64::from(actor.0));
            calendar.set(actor, now + Span::from_ps(200_000));
            while let Some(soon) = calendar.foresee() {
                assert!(calendar.due(soon) > now, "{soon:?} is told at {now}");
                told += 1;
            }
        }
        assert!(told > 15_000, "{told}");
    }

    /// Long enough to turn the outer wheel and to change the width of buckets.
    #[test]
    fn keeps_the_order_over_changing_scales() {
        let (mut calendar, mut reference) = (Calendar::new(), Reference::default());
        let mut random = crate::rng::Stream::new(crate::rng::Seed(1), "calendar");
        for _ in 0..100 {
            let actor = calendar.add();
            reference.0.push(Time::from_ps(random.below(1_000_000)));
            calendar.set(actor, reference.0[actor.0 as usize]);
        }
        for round in 0..60_000u64 {
            let expected = reference.first();
            assert_eq!(calendar.pop(Time::NEVER), expected, "round {round}");
            let Some((now, actor)) = expected else { panic!("someone is always due") };
            let scale = 1 << (4 + round / 2_000 % 10 * 3);
            for (actor, scale) in [(actor.0, scale), (random.below(100) as u32, scale << 8)] {
                let due = Time::from_ps(now.as_ps() + random.below(scale));
                calendar.set(ActorId(actor), due);
                reference.0[actor as usize] = due;
            }
        }
    }
}
