//! Finding a place in a queue.

use std::collections::VecDeque;

/// [`VecDeque::partition_point`] for what most often lies near the end: it looks at few entries there
/// and not at some all over a long queue, each of which would have to be fetched from far away.
pub(crate) fn partition_from_back<T>(queue: &VecDeque<T>, is_before: impl Fn(&T) -> bool) -> usize {
    let (mut from, mut to) = (queue.len(), queue.len());
    let mut reach = 1;
    while from > 0 {
        from = queue.len().saturating_sub(reach);
        if is_before(&queue[from]) {
            from += 1;
            break;
        }
        to = from;
        reach *= 2;
    }
    while from < to {
        let middle = from.midpoint(to);
        if is_before(&queue[middle]) { from = middle + 1 } else { to = middle }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_search_of_all_finds() {
        for len in 0..40 {
            let queue: VecDeque<u32> = (0..len).collect();
            for limit in 0..=len {
                let is_before = |it: &u32| *it < limit;
                assert_eq!(
                    partition_from_back(&queue, is_before),
                    queue.partition_point(is_before),
                    "{limit} of {len}"
                );
            }
        }
    }
}
