//! Which hosts open connections to which.

use mptcpsim_core::rng::Stream;

use super::graph::Node;
use crate::scenario::Matrix;

/// The pairs of a matrix over `hosts`.
pub(super) fn pairs(
    matrix: &Matrix,
    own: &[(Node, Node)],
    hosts: &[Node],
    dice: &mut Stream,
) -> Vec<(Node, Node)> {
    match matrix {
        Matrix::Pairs if !own.is_empty() => own.to_vec(),
        Matrix::Pairs | Matrix::Permutation => permutation(hosts, dice),
        Matrix::OneToMany { fan } => {
            let mut pairs = Vec::new();
            for host in hosts {
                let mut others = without(hosts, *host);
                shuffle(&mut others, dice);
                pairs.extend(others.into_iter().take(*fan as usize).map(|other| (*host, other)));
            }
            pairs
        }
        Matrix::Sparse { percent } => {
            let mut pairs = permutation(hosts, dice);
            shuffle(&mut pairs, dice);
            pairs.truncate((hosts.len() * *percent as usize).div_ceil(100));
            pairs
        }
        Matrix::Incast { senders } => {
            let mut drawn = hosts.to_vec();
            shuffle(&mut drawn, dice);
            let Some(sink) = drawn.pop() else { return Vec::new() };
            drawn.into_iter().take(*senders as usize).map(|sender| (sender, sink)).collect()
        }
        Matrix::AllToAll => {
            let all = hosts.iter().flat_map(|a| hosts.iter().map(move |b| (*a, *b)));
            all.filter(|(a, b)| a != b).collect()
        }
    }
}

/// Everybody to the next one of a random circle: nobody sends to himself.
///
/// Two hosts never send to each other unless there are but two.
fn permutation(hosts: &[Node], dice: &mut Stream) -> Vec<(Node, Node)> {
    let mut circle = hosts.to_vec();
    shuffle(&mut circle, dice);
    let next = circle.iter().skip(1).chain(circle.first());
    let mut pairs =
        circle.iter().copied().zip(next.copied()).filter(|(a, b)| a != b).collect::<Vec<_>>();
    pairs.sort_unstable();
    pairs
}

fn without(hosts: &[Node], host: Node) -> Vec<Node> {
    hosts.iter().copied().filter(|other| *other != host).collect()
}

/// The shuffle of Fisher and Yates.
pub(super) fn shuffle<T>(list: &mut [T], dice: &mut Stream) {
    for last in (1..list.len()).rev() {
        let other = dice.below(last as u64 + 1) as usize;
        list.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mptcpsim_core::rng::Seed;

    use super::*;

    #[test]
    fn matrices_are_what_their_names_say() {
        let hosts = (10..30).collect::<Vec<_>>();
        for seed in 0..20 {
            let mut dice = Stream::new(Seed(seed), "matrix");
            let mut draw = |matrix| pairs(&matrix, &[], &hosts, &mut dice);
            let permutation = draw(Matrix::Permutation);
            let from = permutation.iter().map(|pair| pair.0).collect::<BTreeSet<_>>();
            let to = permutation.iter().map(|pair| pair.1).collect::<BTreeSet<_>>();
            assert_eq!((from.len(), to.len(), permutation.len()), (20, 20, 20));
            assert_eq!(draw(Matrix::Sparse { percent: 30 }).len(), 6);
            let incast = draw(Matrix::Incast { senders: 7 });
            assert_eq!(incast.iter().map(|pair| pair.1).collect::<BTreeSet<_>>().len(), 1);
            assert_eq!(incast.len(), 7);
            let all = draw(Matrix::AllToAll);
            assert_eq!(all.len(), 20 * 19);
            let many = draw(Matrix::OneToMany { fan: 3 });
            assert_eq!(many.iter().collect::<BTreeSet<_>>().len(), 60);
            for pairs in [permutation, incast, all, many] {
                assert!(pairs.iter().all(|(a, b)| a != b));
            }
        }
    }
}
