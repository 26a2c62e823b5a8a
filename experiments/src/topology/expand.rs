//! From a topology and its traffic to links, hosts, paths and flows.
//!
//! A path belongs to a pair of interfaces, and every subflow of a connection
//! shall have a path of its own. So a host that opens connections has an
//! address for each subflow, `out0` and so on, and one that accepts them has
//! the address `in`; all of them go through the same first link. A node that
//! does both is two hosts at one link, `NAME` and `NAME-in`: what one half has
//! to open subflows from, the other would open subflows from as well.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use mptcpsim_core::rng::{Seed, Stream};
use mptcpsim_core::time::Span;
use thiserror::Error;

use super::graph::{Node, Step};
use super::matrix;
use super::shapes::Network;
use crate::scenario::{
    Addresses, Flow, Link, OneWay, Path, Scenario, Selection, Topology, Traffic,
};

/// More hosts than there are addresses of the kind given to them.
const MAX_HOSTS: usize = 65_536;
/// More paths than fit into memory.
const MAX_PATHS: usize = 1_000_000;

/// Why a topology cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum TopologyError {
    /// A FatTree of switches with an odd number of ports.
    #[error("a FatTree needs an even number of ports")]
    OddPorts,
    /// A name that occurs twice.
    #[error("`{0}` is named twice, or joins a node with itself")]
    Twice(String),
    /// Nothing leads from one host to another.
    #[error("no way leads from {0} to {1}")]
    NoWay(String, String),
    /// Too much of something.
    #[error("{0} are too many: at most {1} are possible")]
    TooMany(String, usize),
    /// A link without rate or delay.
    #[error("the links have no {0}")]
    Incomplete(&'static str),
    /// There is no traffic.
    #[error("nobody sends anything in this topology")]
    NoTraffic,
}

impl TopologyError {
    /// The key it concerns, and what would be right.
    pub(crate) fn advice(&self) -> (&'static str, &'static str) {
        match self {
            Self::OddPorts => {
                ("topology", "write for example `shape = { kind = \"fattree\", k = 8 }`")
            }
            Self::Twice(_) => {
                ("topology", "give each node and each pair of nodes a name of its own")
            }
            Self::NoWay(..) => ("topology", "add cables between them, or allow a longer `detour`"),
            Self::TooMany(..) => ("topology", "take a smaller network, or fewer connections"),
            Self::Incomplete(_) => (
                "topology",
                "write for example `link = { rate = \"100 Mbit/s\", delay = \"10 us\" }`",
            ),
            Self::NoTraffic => ("topology", "at least two hosts are needed to send anything"),
        }
    }
}

/// Puts links, hosts, paths and flows in the place of a topology and its traffic.
pub(crate) fn expand(scenario: &mut Scenario) -> Result<(), TopologyError> {
    let Some(topology) = scenario.topology.take() else { return Ok(()) };
    let traffic = scenario.traffic.take();
    if topology.link.rate.is_none() {
        return Err(TopologyError::Incomplete("rate"));
    }
    if topology.link.delay.is_none() {
        return Err(TopologyError::Incomplete("delay"));
    }
    let network = Network::of(&topology.shape)?;
    if network.graph.hosts.len() > MAX_HOSTS {
        return Err(TopologyError::TooMany(
            format!("{} hosts", network.graph.hosts.len()),
            MAX_HOSTS,
        ));
    }
    let seed = Seed(scenario.seed.unwrap_or(1));
    let connections = connections(&network, traffic.as_ref(), seed)?;
    if connections.is_empty() {
        return Err(TopologyError::NoTraffic);
    }
    let paths = connections.iter().map(|connection| connection.ways.len()).sum::<usize>();
    if paths > MAX_PATHS {
        return Err(TopologyError::TooMany(format!("{paths} paths"), MAX_PATHS));
    }
    add_links(scenario, &topology, &network);
    add_hosts(scenario, &topology, &network, &connections);
    add_paths(scenario, &network, &connections);
    if let Some(traffic) = &traffic {
        add_flows(scenario, traffic, &connections, seed);
    }
    Ok(())
}

/// A pair of hosts and the way of each subflow.
struct Connection {
    from: Node,
    to: Node,
    from_name: String,
    to_name: String,
    ways: Vec<Vec<Step>>,
}

fn connections(
    network: &Network,
    traffic: Option<&Traffic>,
    seed: Seed,
) -> Result<Vec<Connection>, TopologyError> {
    let own = network.pairs.iter().map(|(from, to, _)| (*from, *to)).collect::<Vec<_>>();
    let mut dice = Stream::new(seed, "topology.matrix");
    let matrix = traffic.map(|traffic| traffic.matrix.clone()).unwrap_or_default();
    let pairs = matrix::pairs(&matrix, &own, &network.graph.hosts, &mut dice);
    let senders = pairs.iter().map(|(from, _)| *from).collect::<BTreeSet<_>>();
    let name = |node: Node| network.graph.names.get(node).cloned().unwrap_or_default();
    let mut connections = Vec::new();
    for (from, to) in pairs {
        let ways = network.ways(from, to);
        if ways.is_empty() {
            return Err(TopologyError::NoWay(name(from), name(to)));
        }
        let ways = match traffic {
            // The pairs of a small topology use all that they have.
            Some(traffic) if network.pairs.is_empty() => {
                let label = format!("topology.path.{}.{}", name(from), name(to));
                select(ways, traffic.subflows as usize, traffic.selection, seed, &label)
            }
            _ => ways,
        };
        let half = if senders.contains(&to) { "-in" } else { "" };
        let (from_name, to_name) = (name(from), format!("{}{half}", name(to)));
        connections.push(Connection { from, to, from_name, to_name, ways });
    }
    Ok(connections)
}

fn select(
    ways: Vec<Vec<Step>>,
    subflows: usize,
    selection: Selection,
    seed: Seed,
    label: &str,
) -> Vec<Vec<Step>> {
    // A hash of the ends alone, which no seed changes.
    let seed = if selection == Selection::Ecmp { Seed(0) } else { seed };
    let mut dice = Stream::new(seed, label);
    let mut order = (0..ways.len()).collect::<Vec<_>>();
    matrix::shuffle(&mut order, &mut dice);
    let pick = |index: usize| match selection {
        Selection::Distinct => order.get(index % ways.len()).copied().unwrap_or_default(),
        Selection::Ecmp | Selection::Random => dice.below(ways.len() as u64) as usize,
    };
    (0..subflows).map(pick).filter_map(|index| ways.get(index).cloned()).collect()
}

fn add_links(scenario: &mut Scenario, topology: &Topology, network: &Network) {
    let hosts = network.graph.hosts.iter().collect::<BTreeSet<_>>();
    for (name, a, b) in &network.graph.cables {
        let is_access = hosts.contains(a) || hosts.contains(b);
        let access = topology.access.as_ref().filter(|_| is_access);
        let both: &OneWay = access.unwrap_or(&topology.link);
        let link = || Link { both: both.clone(), ..Link::default() };
        scenario.links.entry(name.clone()).or_insert_with(link);
    }
}

fn add_hosts(
    scenario: &mut Scenario,
    topology: &Topology,
    network: &Network,
    connections: &[Connection],
) {
    let mut interfaces = BTreeMap::<String, (usize, BTreeSet<usize>)>::new();
    let numbers = network.graph.hosts.iter().enumerate().map(|(number, node)| (*node, number));
    let numbers = numbers.collect::<BTreeMap<_, _>>();
    for connection in connections {
        let ends = [
            (connection.from, &connection.from_name, 1..=connection.ways.len()),
            (connection.to, &connection.to_name, 0..=0),
        ];
        for (node, name, used) in ends {
            let number = numbers.get(&node).copied().unwrap_or_default();
            interfaces.entry(name.clone()).or_insert((number, BTreeSet::new())).1.extend(used);
        }
    }
    for (name, (number, interfaces)) in interfaces {
        let host = scenario.hosts.entry(name).or_insert_with(|| topology.host.clone());
        for interface in &interfaces {
            let address = Addresses::One(address(number, *interface));
            host.addresses.entry(interface_name(*interface)).or_insert(address);
        }
    }
}

/// `in`, or `out0` and so on.
fn interface_name(interface: usize) -> String {
    interface.checked_sub(1).map_or("in".to_owned(), |number| format!("out{number}"))
}

/// 10.HIGH.LOW.N for host HIGH x 256 + LOW.
fn address(host: usize, interface: usize) -> IpAddr {
    let [.., high, low] = host.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, high, low, u8::try_from(interface + 1).unwrap_or(u8::MAX)))
}

fn add_paths(scenario: &mut Scenario, network: &Network, connections: &[Connection]) {
    for connection in connections {
        let Connection { from_name: from, to_name: to, .. } = connection;
        for (index, way) in connection.ways.iter().enumerate() {
            let station = |(cable, forwards): &Step| {
                let (name, ..) = network.graph.cables.get(*cable)?;
                Some(if *forwards { name.clone() } else { format!("{name}.down") })
            };
            scenario.paths.push(Path {
                name: Some(format!("{from}-{to}-{index}")),
                between: Some([
                    format!("{from}.{}", interface_name(index + 1)),
                    format!("{to}.in"),
                ]),
                via: Some(way.iter().filter_map(station).collect()),
                ..Path::default()
            });
        }
    }
}

fn add_flows(scenario: &mut Scenario, traffic: &Traffic, connections: &[Connection], seed: Seed) {
    let mut dice = Stream::new(seed, "topology.start");
    let begin = traffic.flow.start.unwrap_or_default();
    for connection in connections {
        let Connection { from_name: from, to_name: to, .. } = connection;
        let later = traffic.spread.map_or(0, |spread| dice.below(spread.as_ps()));
        scenario.flows.push(Flow {
            name: Some(format!("{from}-{to}")),
            from: Some(from.clone()),
            to: Some(to.clone()),
            start: Some(begin + Span::from_ps(later)),
            ..traffic.flow.clone()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Notation, Source, check};
    use crate::plan::{Plan, Station};

    fn plan(shape: &str, traffic: &str) -> Result<Plan, String> {
        let text = format!(
            "[topology]\nshape = {{ {shape} }}\nlink = {{ rate = \"10 Mbit/s\", delay = \"1 ms\" }}\n\
             [traffic]\n{traffic}\n[traffic.flow]\napp = {{ kind = \"bulk\", bytes = \"1 MB\" }}\n"
        );
        check(&Source::new("test", &text, Notation::Toml), &[]).map_err(|faults| faults.to_string())
    }

    #[test]
    fn every_shape_makes_a_faultless_scenario() {
        for (shape, links, flows, paths) in [
            ("kind = \"parallel\", links = 3", 3, 1, 3),
            ("kind = \"dumbbell\", pairs = 4", 9, 4, 4),
            ("kind = \"shared-bottleneck\", pairs = 2, links = 2", 7, 2, 4),
            ("kind = \"triangle\"", 3, 3, 6),
            ("kind = \"torus\"", 5, 5, 10),
            ("kind = \"fattree\", k = 4", 48, 16, 32),
            ("kind = \"bcube\", n = 3, levels = 1", 18, 9, 18),
            (
                "kind = \"graph\", hosts = [\"a\", \"b\"], cables = [[\"a\", \"s\"], [\"s\", \"b\"], [\"s\", \"t\"], [\"t\", \"b\"]], detour = 1",
                4,
                2,
                4,
            ),
        ] {
            let plan = plan(shape, "subflows = 2").unwrap();
            let found = (plan.links.len(), plan.flows.len(), plan.paths.len());
            assert_eq!(found, (links, flows, paths), "{shape}");
            let text = toml::to_string(&plan.resolved()).unwrap();
            let again = check(&Source::new("test", &text, Notation::Toml), &[]).unwrap();
            assert_eq!((again.links, again.paths), (plan.links, plan.paths), "{shape}");
        }
    }

    #[test]
    fn a_link_is_shared_by_what_goes_up_and_what_comes_down() {
        let plan = plan("kind = \"fattree\", k = 4", "matrix = { kind = \"all-to-all\" }").unwrap();
        assert_eq!(plan.flows.len(), 16 * 15);
        let port = plan.links.iter().position(|link| link.name == "h3-e1").unwrap();
        let ends = plan.paths.iter().map(|path| (path.via[0], path.via[path.via.len() - 1]));
        let id = crate::plan::LinkId(port);
        let out = ends.clone().filter(|(first, _)| *first == Station::Link(id)).count();
        let home = ends.filter(|(_, last)| *last == Station::Reversed(id)).count();
        assert_eq!((out, home), (15, 15));
    }

    #[test]
    fn seeds_move_what_is_random_and_nothing_else() {
        let ways = |seed: u64, selection: &str| {
            let traffic = format!(
                "subflows = 4\nselection = \"{selection}\"\nmatrix = {{ kind = \"all-to-all\" }}"
            );
            let text = format!(
                "seed = {seed}\n[topology]\nshape = {{ kind = \"fattree\", k = 4 }}\n\
                 link = {{ rate = \"10 Mbit/s\", delay = \"1 ms\" }}\n[traffic]\n{traffic}\n\
                 [traffic.flow]\napp = {{ kind = \"bulk\", bytes = \"1 MB\" }}\n"
            );
            let plan = check(&Source::new("test", &text, Notation::Toml), &[]).unwrap();
            plan.paths.iter().map(|path| path.via.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ways(1, "ecmp"), ways(2, "ecmp"));
        assert_ne!(ways(1, "random"), ways(2, "random"));
        let distinct = ways(1, "distinct");
        for four in distinct.chunks(4).filter(|four| four[0].len() == 6) {
            let different = four.iter().collect::<BTreeSet<_>>().len();
            assert_eq!(different, 4);
        }
    }

    #[test]
    fn what_is_impossible_is_said() {
        for (shape, traffic, complaint) in [
            ("kind = \"fattree\", k = 5", "", "an even number of ports"),
            ("kind = \"fattre\", k = 4", "", "did you mean `fattree`?"),
            (
                "kind = \"graph\", hosts = [\"a\", \"b\"], cables = [[\"a\", \"s\"]]",
                "",
                "no way leads from",
            ),
            ("kind = \"graph\", hosts = [\"a\", \"a\"], cables = []", "", "named twice"),
            ("kind = \"parallel\"", "subflows = 9", "9 is too large"),
        ] {
            let found = plan(shape, traffic).unwrap_err();
            assert!(found.contains(complaint), "{shape}: {found}");
        }
    }
}
