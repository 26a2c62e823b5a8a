//! Putting a network together, and finding what is wrong with it.

use std::collections::VecDeque;

use thiserror::Error;

use super::tape::{MOST, Tape};
use super::{Kind, Net, RouteId};
use crate::foresight::{Coming, MANY_LINKS};
use crate::link::{Link, LinkConfig, LinkError, LinkId};
use crate::middlebox::{Emit, Middlebox};
use crate::packet::Packet;
use crate::rng::Seed;
use crate::trace::Shared;

/// A link or a box of a network that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element(ElementKind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum ElementKind {
    Link(u32),
    Box(u32),
}

/// Why there is no such network.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NetError {
    /// Two links or two boxes are called the same.
    #[error("there are two elements called `{0}`")]
    SameName(String),
    /// A link is wrong.
    #[error("link `{name}`: {source}")]
    Link {
        /// Its name.
        name: String,
        /// What is wrong.
        source: LinkError,
    },
    /// A route leads through no link.
    #[error("route {} has no link: packets would take no time from host to host", .0.0)]
    RouteWithoutLink(RouteId),
    /// The two routes of a pair do not lead through the same boxes.
    #[error(
        "routes {} and {} must pass the same middleboxes, in opposite order",
        .0.0, .0.reverse().0
    )]
    BoxesDiffer(RouteId),
    /// A route contains something that was made by another builder.
    #[error("route {} contains an element that does not belong to this network", .0.0)]
    Foreign(RouteId),
    /// There are more elements than can be numbered.
    #[error("the network is too large")]
    TooLarge,
}

/// A network that is being built.
///
/// Links and boxes are numbered in the order of their names when it is done, whatever the order
/// in which they were added: that order decides what happens first at equal times.
pub struct NetBuilder<P: Packet> {
    links: Vec<(String, LinkConfig)>,
    boxes: Vec<(String, Box<dyn Middlebox<P>>)>,
    routes: Vec<Vec<Element>>,
}

impl<P: Packet> Default for NetBuilder<P> {
    fn default() -> Self {
        Self { links: Vec::new(), boxes: Vec::new(), routes: Vec::new() }
    }
}

impl<P: Packet> NetBuilder<P> {
    /// Adds one direction of a link.
    pub fn link(&mut self, name: impl Into<String>, config: LinkConfig) -> Element {
        self.links.push((name.into(), config));
        Element(ElementKind::Link(self.links.len() as u32 - 1))
    }

    /// Adds a middlebox.
    pub fn middlebox(
        &mut self,
        name: impl Into<String>,
        middlebox: Box<dyn Middlebox<P>>,
    ) -> Element {
        self.boxes.push((name.into(), middlebox));
        Element(ElementKind::Box(self.boxes.len() as u32 - 1))
    }

    /// Adds a pair of routes, and gives the first; the other is its [`RouteId::reverse`].
    pub fn route(&mut self, forward: &[Element], reverse: &[Element]) -> RouteId {
        let route = RouteId(self.routes.len() as u32);
        self.routes.extend([forward.to_vec(), reverse.to_vec()]);
        route
    }

    /// The network; all its random streams depend on `seed`.
    ///
    /// # Errors
    /// The first thing found that is wrong.
    pub fn build(self, seed: Seed) -> Result<Net<P>, NetError> {
        self.check_routes()?;
        let places: usize = self.routes.iter().map(|route| route.len() + 1).sum();
        let most = places.max(self.links.len() + self.boxes.len());
        if most >= MOST {
            return Err(NetError::TooLarge);
        }
        let (links, link_numbers) = sort_by_name(self.links)?;
        let (boxes, box_numbers) = sort_by_name(self.boxes)?;
        let kind = |&Element(kind): &Element| match kind {
            ElementKind::Link(index) => Kind::Link(link_numbers[index as usize]),
            ElementKind::Box(index) => Kind::Box(box_numbers[index as usize]),
        };
        let tape = Tape::new(self.routes.iter().map(|route| route.iter().map(kind)));
        let (box_names, boxes) = boxes.into_iter().unzip();
        let (link_names, configs): (Vec<_>, Vec<_>) = links.into_iter().unzip();
        Ok(Net {
            links: build_links(&link_names, configs, seed)?,
            coming: coming_of(link_names.len()),
            link_names,
            boxes,
            box_names,
            tape,
            shared: Shared::default(),
            moving: VecDeque::new(),
            emit: Emit::default(),
            arrivals: VecDeque::new(),
        })
    }

    fn check_routes(&self) -> Result<(), NetError> {
        for (pair, routes) in (0..).zip(self.routes.chunks(2)) {
            for (route, elements) in (2 * pair..).map(RouteId).zip(routes) {
                if !elements.iter().all(|element| self.owns(*element)) {
                    return Err(NetError::Foreign(route));
                }
                if !elements.iter().any(|element| matches!(element.0, ElementKind::Link(_))) {
                    return Err(NetError::RouteWithoutLink(route));
                }
            }
            let boxes = |route: &[Element]| -> Vec<Element> {
                let is_box = |element: &Element| matches!(element.0, ElementKind::Box(_));
                route.iter().copied().filter(is_box).collect()
            };
            if let [forward, reverse] = routes
                && !boxes(forward).iter().eq(boxes(reverse).iter().rev())
            {
                return Err(NetError::BoxesDiffer(RouteId(2 * pair)));
            }
        }
        Ok(())
    }

    fn owns(&self, Element(kind): Element) -> bool {
        match kind {
            ElementKind::Link(index) => (index as usize) < self.links.len(),
            ElementKind::Box(index) => (index as usize) < self.boxes.len(),
        }
    }
}

/// Things with their names, in order.
type Named<T> = Vec<(String, T)>;

/// Sorts, and says which number each has got.
fn sort_by_name<T>(things: Named<T>) -> Result<(Named<T>, Vec<u32>), NetError> {
    let mut order: Vec<(usize, (String, T))> = things.into_iter().enumerate().collect();
    order.sort_by(|(_, (a, _)), (_, (b, _))| a.cmp(b));
    if let Some(pair) = order.windows(2).find(|pair| pair[0].1.0 == pair[1].1.0) {
        return Err(NetError::SameName(pair[0].1.0.clone()));
    }
    let mut numbers = vec![0; order.len()];
    for (number, (index, _)) in (0..).zip(&order) {
        numbers[*index] = number;
    }
    Ok((order.into_iter().map(|(_, thing)| thing).collect(), numbers))
}

/// Where what comes is noted, if it is to be.
fn coming_of(links: usize) -> Vec<Coming> {
    if links < MANY_LINKS { Vec::new() } else { vec![Coming::default(); links] }
}

fn build_links(
    names: &[String],
    configs: Vec<LinkConfig>,
    seed: Seed,
) -> Result<Vec<Link>, NetError> {
    let build = |(number, (name, config)): (u32, (&String, LinkConfig))| {
        Link::new(LinkId(number), name, config, seed)
            .map_err(|source| NetError::Link { name: name.clone(), source })
    };
    (0..).zip(names.iter().zip(configs)).map(build).collect()
}
