//! All routes, one behind the other.
//!
//! ```text
//! │ link 3 │ box 0 │ link 7 │ end 0 │ link 6 │ box 0 │ link 2 │ end 1 │ ...
//!  └──────── route 0 ─────────────┘ └──────── route 1, its reverse ─┘
//! ```

use crate::middlebox::Direction;
use crate::prefetch::prefetch_some;

/// A route from one host to another. Routes come in pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u32);

impl RouteId {
    /// The route of the answers.
    pub const fn reverse(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// The number of its pair, in the order in which routes were added.
    pub const fn pair(self) -> usize {
        self.0 as usize / 2
    }

    /// Whether it is the first or the second of its pair.
    pub const fn direction(self) -> Direction {
        if self.0.is_multiple_of(2) { Direction::Forward } else { Direction::Reverse }
    }
}

/// What can stand on the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Link(u32),
    Box(u32),
    End(RouteId),
}

/// One place of the tape: a [`Kind`] in four bytes, as there are very many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place(u32);

/// How large the numbers in places can be.
pub(super) const MOST: usize = (u32::MAX / 4) as usize;

impl Place {
    pub(crate) const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Link(index) => Self(index << 2),
            Kind::Box(index) => Self(index << 2 | 1),
            Kind::End(RouteId(route)) => Self(route << 2 | 2),
        }
    }

    pub(crate) const fn kind(self) -> Kind {
        match self.0 % 4 {
            0 => Kind::Link(self.0 >> 2),
            1 => Kind::Box(self.0 >> 2),
            _ => Kind::End(RouteId(self.0 >> 2)),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Tape {
    places: Vec<Place>,
    /// Where each route begins.
    starts: Vec<u32>,
}

impl Tape {
    /// The tape of routes that are given by what they lead through.
    pub(super) fn new(routes: impl Iterator<Item = impl Iterator<Item = Kind>>) -> Self {
        let (mut places, mut starts) = (Vec::new(), Vec::new());
        for (number, route) in (0..).zip(routes) {
            starts.push(places.len() as u32);
            places.extend(route.chain([Kind::End(RouteId(number))]).map(Place::new));
        }
        Self { places, starts }
    }

    pub(super) fn routes(&self) -> usize {
        self.starts.len()
    }

    /// Where a route begins, if it exists.
    pub(super) fn start(&self, route: RouteId) -> Option<u32> {
        self.starts.get(route.0 as usize).copied()
    }

    pub(super) fn at(&self, position: u32) -> Place {
        self.places[position as usize]
    }

    /// Brings near where it is written down where a route begins.
    #[inline]
    pub(super) fn bring_start_near(&self, route: RouteId) {
        prefetch_some(self.starts.get(route.0 as usize));
    }

    /// Brings near what stands at a position.
    #[inline]
    pub(super) fn bring_near(&self, position: u32) {
        prefetch_some(self.places.get(position as usize));
    }

    /// The route that a position belongs to.
    pub(super) fn route_at(&self, position: u32) -> RouteId {
        let end = self.places[position as usize..].iter().find_map(|place| match place.kind() {
            Kind::End(route) => Some(route),
            _ => None,
        });
        end.unwrap_or(RouteId(0))
    }

    /// The places of a route with their positions, without the end.
    pub(super) fn route(&self, route: RouteId) -> impl Iterator<Item = (u32, Kind)> {
        let start = self.start(route).unwrap_or(self.places.len() as u32);
        let kinds = self.places[start as usize..].iter().map(|place| place.kind());
        (start..).zip(kinds).take_while(|(_, kind)| !matches!(kind, Kind::End(_)))
    }

    /// Behind the box at `position` on the reverse route, where boxes stand in opposite order.
    pub(super) fn behind_on_reverse(&self, route: RouteId, position: u32) -> u32 {
        let boxes = |route| {
            let kinds = self.route(route);
            kinds.filter(|(_, kind)| matches!(kind, Kind::Box(_))).map(|(at, _)| at)
        };
        let boxes_ahead = boxes(route).filter(|&at| at > position).count();
        boxes(route.reverse()).nth(boxes_ahead).unwrap_or(position) + 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_keep_their_kinds(index in 0..MOST as u32) {
            for kind in [Kind::Link(index), Kind::Box(index), Kind::End(RouteId(index))] {
                prop_assert_eq!(Place::new(kind).kind(), kind);
            }
        }
    }

    #[test]
    fn the_way_back_starts_behind_the_same_box() {
        use Kind::{Box, Link};
        let routes = [
            vec![Link(0), Box(0), Link(1), Box(1), Box(0)],
            vec![Box(0), Box(1), Link(2), Link(3), Box(0), Link(4)],
        ];
        let tape = Tape::new(routes.into_iter().map(Vec::into_iter));
        let back = |position| tape.behind_on_reverse(tape.route_at(position), position);
        assert_eq!([1, 3, 4].map(back), [11, 8, 7]);
        assert_eq!([6, 7, 10].map(back), [5, 4, 2]);
        assert_eq!(tape.route(RouteId(1)).count(), 6);
        assert_eq!(tape.route(RouteId(2)).count(), 0);
    }
}
