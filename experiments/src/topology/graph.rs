//! Nodes and cables, and the ways between two nodes.

use std::collections::VecDeque;

/// More paths between two hosts than anybody chooses from.
const MAX_PATHS: usize = 4_096;

/// The number of a node.
pub(super) type Node = usize;

/// A network without any properties.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub(super) names: Vec<String>,
    /// Name and ends of each cable.
    pub(super) cables: Vec<(String, Node, Node)>,
    /// The nodes that are hosts, in order.
    pub(super) hosts: Vec<Node>,
    /// The neighbours of each node and the cables to them.
    neighbours: Vec<Vec<(Node, usize)>>,
    /// Each node is a host or not.
    is_host: Vec<bool>,
}

/// A cable and whether it is passed from its first end to its second.
pub(super) type Step = (usize, bool);

impl Graph {
    pub(super) fn node(&mut self, name: String) -> Node {
        self.names.push(name);
        self.neighbours.push(Vec::new());
        self.is_host.push(false);
        self.names.len() - 1
    }

    pub(super) fn host(&mut self, name: String) -> Node {
        let node = self.node(name);
        self.hosts.push(node);
        self.is_host[node] = true;
        node
    }

    pub(super) fn cable(&mut self, name: String, a: Node, b: Node) -> usize {
        let cable = self.cables.len();
        self.cables.push((name, a, b));
        for (from, to) in [(a, b), (b, a)] {
            if let Some(neighbours) = self.neighbours.get_mut(from) {
                neighbours.push((to, cable));
            }
        }
        cable
    }

    fn step(&self, cable: usize, from: Node) -> Step {
        (cable, self.cables.get(cable).is_some_and(|(_, first, _)| *first == from))
    }

    /// All ways from `from` to `to` that are at most `detour` cables longer than the shortest, pass no node
    /// twice and no host on the way; the shortest first.
    pub(super) fn ways(&self, from: Node, to: Node, detour: usize) -> Vec<Vec<Step>> {
        let left = self.distances(to);
        let Some(shortest) = left[from] else { return Vec::new() };
        let mut search = Search {
            graph: self,
            to,
            left: &left,
            on_way: vec![from],
            steps: Vec::new(),
            found: Vec::new(),
        };
        search.go_on(from, shortest + detour);
        search.found.sort_by_key(Vec::len);
        search.found
    }

    /// How many cables away each node is from `to`.
    fn distances(&self, to: Node) -> Vec<Option<usize>> {
        let mut distances = vec![None; self.names.len()];
        distances[to] = Some(0);
        let mut next = VecDeque::from([(to, 0)]);
        while let Some((node, distance)) = next.pop_front() {
            for &(neighbour, _) in &self.neighbours[node] {
                if distances[neighbour].is_none() {
                    distances[neighbour] = Some(distance + 1);
                    if !self.is_host[neighbour] {
                        next.push_back((neighbour, distance + 1));
                    }
                }
            }
        }
        distances
    }
}

/// A search in depth that never goes where it cannot arrive in time.
struct Search<'a> {
    graph: &'a Graph,
    to: Node,
    left: &'a [Option<usize>],
    on_way: Vec<Node>,
    steps: Vec<Step>,
    found: Vec<Vec<Step>>,
}

impl Search<'_> {
    fn go_on(&mut self, node: Node, budget: usize) {
        if node == self.to {
            self.found.push(self.steps.clone());
            return;
        }
        for &(neighbour, cable) in &self.graph.neighbours[node] {
            let in_time = self.left[neighbour].is_some_and(|left| left < budget);
            let passable = neighbour == self.to || !self.graph.is_host[neighbour];
            if !in_time
                || !passable
                || self.on_way.contains(&neighbour)
                || self.found.len() >= MAX_PATHS
            {
                continue;
            }
            self.on_way.push(neighbour);
            self.steps.push(self.graph.step(cable, node));
            self.go_on(neighbour, budget - 1);
            self.steps.pop();
            self.on_way.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_shortest_first_and_pass_no_host() {
        let mut graph = Graph::default();
        let (a, b, c) = (graph.host("a".into()), graph.host("b".into()), graph.host("c".into()));
        let (s, t) = (graph.node("s".into()), graph.node("t".into()));
        for (name, from, to) in
            [("1", a, s), ("2", s, b), ("3", a, c), ("4", c, b), ("5", s, t), ("6", b, t)]
        {
            graph.cable(name.into(), from, to);
        }
        assert_eq!(graph.ways(a, b, 0), [vec![(0, true), (1, true)]]);
        let ways = graph.ways(a, b, 1);
        assert_eq!(ways[1], [(0, true), (4, true), (5, false)]);
        assert_eq!(ways.len(), 2, "not through the host c");
        assert_eq!(graph.ways(a, a, 0), [vec![]]);
    }
}
