//! The graph of each shape, and which ways its hosts have to each other.

use std::collections::BTreeMap;

use super::expand::TopologyError;
use super::graph::{Graph, Node, Step};
use crate::scenario::Shape;

/// A graph with its ways.
pub(super) struct Network {
    pub(super) graph: Graph,
    /// Pairs that the shape is about, with their ways; none if any host can send to any other.
    pub(super) pairs: Vec<(Node, Node, Vec<Vec<Step>>)>,
    ways: Ways,
}

/// How ways between other pairs are found.
enum Ways {
    Shortest { detour: usize },
    Bcube { n: usize, levels: u32 },
}

impl Network {
    pub(super) fn of(shape: &Shape) -> Result<Self, TopologyError> {
        Ok(match shape {
            Shape::Parallel { links } => parallel(*links),
            Shape::Dumbbell { pairs } => bottleneck(*pairs, 1),
            Shape::SharedBottleneck { pairs, links } => bottleneck(*pairs, *links),
            Shape::Triangle => ring(3, &[&[0], &[1, 2]]),
            Shape::Torus { links } => ring(*links as usize, &[&[0], &[1]]),
            Shape::Fattree { k } => fattree(*k as usize)?,
            Shape::Bcube { n, levels } => bcube(*n as usize, *levels),
            Shape::Graph { cables, hosts, detour } => graph(cables, hosts, *detour as usize)?,
        })
    }

    /// The ways between two hosts.
    pub(super) fn ways(&self, from: Node, to: Node) -> Vec<Vec<Step>> {
        if let Some((.., ways)) = self.pairs.iter().find(|(a, b, _)| (*a, *b) == (from, to)) {
            return ways.clone();
        }
        match self.ways {
            Ways::Shortest { detour } => self.graph.ways(from, to, detour),
            Ways::Bcube { n, levels } => bcube_ways(&self.graph, n, levels, from, to),
        }
    }

    fn shortest(graph: Graph, pairs: Vec<(Node, Node, Vec<Vec<Step>>)>) -> Self {
        Self { graph, pairs, ways: Ways::Shortest { detour: 0 } }
    }
}

fn parallel(links: u32) -> Network {
    let mut graph = Graph::default();
    let (client, server) = (graph.host("client".into()), graph.host("server".into()));
    let ways =
        (1..=links).map(|link| vec![(graph.cable(format!("link{link}"), client, server), true)]);
    let ways = ways.collect();
    Network::shortest(graph, vec![(client, server, ways)])
}

fn bottleneck(pairs: u32, links: u32) -> Network {
    let mut graph = Graph::default();
    let (left, right) = (graph.node("left".into()), graph.node("right".into()));
    let bottleneck = graph.cable("bottleneck".into(), left, right);
    let pairs = (1..=pairs).map(|pair| {
        let sender = graph.host(format!("left{pair}"));
        let receiver = graph.host(format!("right{pair}"));
        let out = graph.cable(format!("out{pair}"), right, receiver);
        let way = |link: u32| {
            let name = if links == 1 { format!("in{pair}") } else { format!("in{pair}-{link}") };
            vec![(graph.cable(name, sender, left), true), (bottleneck, true), (out, true)]
        };
        (sender, receiver, (1..=links).map(way).collect())
    });
    let pairs = pairs.collect();
    Network::shortest(graph, pairs)
}

/// Links in a ring; pair i has a way over each of `offsets`, counted from link i.
fn ring(links: usize, offsets: &[&[usize]]) -> Network {
    let mut graph = Graph::default();
    let cables = (1..=links).map(|link| {
        let (a, b) = (graph.node(format!("in{link}")), graph.node(format!("out{link}")));
        graph.cable(format!("link{link}"), a, b)
    });
    let cables = cables.collect::<Vec<_>>();
    let pairs = (0..links).map(|pair| {
        let sender = graph.host(format!("from{}", pair + 1));
        let receiver = graph.host(format!("to{}", pair + 1));
        let step = |offset: &usize| cables.get((pair + offset) % links).map(|cable| (*cable, true));
        let ways = offsets.iter().map(|offsets| offsets.iter().filter_map(step).collect());
        (sender, receiver, ways.collect())
    });
    let pairs = pairs.collect();
    Network::shortest(graph, pairs)
}

fn fattree(k: usize) -> Result<Network, TopologyError> {
    if !k.is_multiple_of(2) {
        return Err(TopologyError::OddPorts);
    }
    let half = k / 2;
    let mut graph = Graph::default();
    let core = (0..half * half).map(|core| graph.node(format!("c{core}"))).collect::<Vec<_>>();
    for pod in 0..k {
        let upper =
            (0..half).map(|it| graph.node(format!("a{}", pod * half + it))).collect::<Vec<_>>();
        for (index, switch) in upper.iter().enumerate() {
            for (above, top) in core.iter().skip(index * half).take(half).enumerate() {
                let name = format!("a{}-c{}", pod * half + index, index * half + above);
                graph.cable(name, *switch, *top);
            }
        }
        for index in 0..half {
            let edge = pod * half + index;
            let switch = graph.node(format!("e{edge}"));
            for (above, up) in upper.iter().enumerate() {
                graph.cable(format!("e{edge}-a{}", pod * half + above), switch, *up);
            }
            for port in 0..half {
                let name = format!("h{}", edge * half + port);
                let host = graph.host(name.clone());
                graph.cable(format!("{name}-e{edge}"), host, switch);
            }
        }
    }
    Ok(Network::shortest(graph, Vec::new()))
}

/// Host x has the digits of x to the base n; switch (l, y) joins the hosts that differ in digit l only.
fn bcube(n: usize, levels: u32) -> Network {
    let hosts = n.pow(levels + 1);
    let mut graph = Graph::default();
    let nodes = (0..hosts).map(|host| graph.host(format!("h{host}"))).collect::<Vec<_>>();
    for level in 0..=levels {
        let size = n.pow(level);
        for switch in 0..hosts / n {
            let node = graph.node(format!("s{level}-{switch}"));
            let (high, low) = (switch / size, switch % size);
            for digit in 0..n {
                let host = high * size * n + digit * size + low;
                if let Some(port) = nodes.get(host) {
                    graph.cable(format!("h{host}-s{level}-{switch}"), *port, node);
                }
            }
        }
    }
    Network { graph, pairs: Vec::new(), ways: Ways::Bcube { n, levels } }
}

/// The disjoint paths of BCube: path i puts the digits right from digit i downwards, and where digit i is right
/// already it goes by a neighbour that differs there (`BuildPathSet` of the paper, section 3.2).
fn bcube_ways(graph: &Graph, n: usize, levels: u32, from: Node, to: Node) -> Vec<Vec<Step>> {
    let digit = |host: usize, level: u32| host / n.pow(level) % n;
    let with = |host: usize, level: u32, value: usize| {
        host - digit(host, level) * n.pow(level) + value * n.pow(level)
    };
    let mut ways = Vec::new();
    for first in (0..=levels).rev() {
        let mut hosts = vec![from];
        let mut at = from;
        let detour = digit(from, first) == digit(to, first);
        if detour {
            at = with(at, first, (digit(from, first) + 1) % n);
            hosts.push(at);
        }
        let order = (0..=levels).map(|step| (first + levels + 1 - step) % (levels + 1));
        for level in order.filter(|level| !(detour && *level == first)) {
            if digit(at, level) != digit(to, level) {
                at = with(at, level, digit(to, level));
                hosts.push(at);
            }
        }
        if detour {
            hosts.push(to);
        }
        let mut steps = Vec::new();
        for (a, b) in hosts.iter().zip(hosts.iter().skip(1)) {
            steps.extend(graph.ways(*a, *b, 0).into_iter().next().unwrap_or_default());
        }
        ways.push(steps);
    }
    ways
}

fn graph(
    cables: &[[String; 2]],
    hosts: &[String],
    detour: usize,
) -> Result<Network, TopologyError> {
    let mut graph = Graph::default();
    let mut nodes = BTreeMap::new();
    for host in hosts {
        if nodes.insert(host.clone(), graph.host(host.clone())).is_some() {
            return Err(TopologyError::Twice(host.clone()));
        }
    }
    let mut names = std::collections::BTreeSet::new();
    for [a, b] in cables {
        let [a_node, b_node] = [a, b]
            .map(|name| *nodes.entry(name.clone()).or_insert_with(|| graph.node(name.clone())));
        let name = format!("{a}-{b}");
        if a == b || !names.insert(name.clone()) {
            return Err(TopologyError::Twice(name));
        }
        graph.cable(name, a_node, b_node);
    }
    Ok(Network { graph, pairs: Vec::new(), ways: Ways::Shortest { detour } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_fattree_has_the_paths_of_the_paper() {
        let network = Network::of(&Shape::Fattree { k: 4 }).unwrap();
        let graph = &network.graph;
        assert_eq!((graph.hosts.len(), graph.cables.len()), (16, 48));
        let ways = |a: usize, b: usize| network.ways(graph.hosts[a], graph.hosts[b]);
        let size = |ways: Vec<Vec<Step>>| (ways.len(), ways[0].len());
        assert_eq!(size(ways(0, 1)), (1, 2), "under one switch");
        assert_eq!(size(ways(0, 2)), (2, 4), "in one pod");
        assert_eq!(size(ways(0, 15)), (4, 6), "between pods: k^2/4");
        assert!(matches!(Network::of(&Shape::Fattree { k: 3 }), Err(TopologyError::OddPorts)));
        let large = Network::of(&Shape::Fattree { k: 8 }).unwrap();
        assert_eq!((large.graph.hosts.len(), large.graph.cables.len()), (128, 384));
    }

    #[test]
    fn paths_of_a_bcube_share_nothing() {
        for (n, levels) in [(2, 2), (3, 1), (4, 1)] {
            let network = Network::of(&Shape::Bcube { n, levels }).unwrap();
            let graph = &network.graph;
            assert_eq!(graph.hosts.len(), (n as usize).pow(levels + 1));
            for (from, to) in [(0, 1), (0, graph.hosts.len() - 1), (1, 2)] {
                let ways = network.ways(from, to);
                assert_eq!(ways.len(), levels as usize + 1);
                let steps = ways.iter().flatten().map(|(cable, _)| cable).collect::<Vec<_>>();
                let different = steps.iter().collect::<BTreeSet<_>>().len();
                assert_eq!(different, steps.len(), "{n} {levels}: {from} to {to}: {ways:?}");
                for way in ways {
                    let end = way.iter().fold(from, |at, (cable, forwards)| {
                        let (_, a, b) = graph.cables[*cable];
                        let (near, far) = if *forwards { (a, b) } else { (b, a) };
                        assert_eq!(near, at);
                        far
                    });
                    assert_eq!(end, to);
                }
            }
        }
    }

    #[test]
    fn pairs_of_a_torus_share_their_links_with_their_neighbours() {
        let network = Network::of(&Shape::Torus { links: 5 }).unwrap();
        assert_eq!(network.pairs[4].2, [[(4, true)], [(0, true)]]);
        let triangle = Network::of(&Shape::Triangle).unwrap();
        assert_eq!(triangle.pairs[1].2, [vec![(1, true)], vec![(2, true), (0, true)]]);
    }
}
