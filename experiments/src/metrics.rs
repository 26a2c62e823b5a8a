//! Metrics of a whole run: what its flows got together, and how evenly.

/// Jain's fairness index: 1 if all values are equal, 1/n if one has everything (R. Jain, D. Chiu, W. Hawe,
/// "A quantitative measure of fairness", DEC TR-301, 1984). None without values, or if all are 0.
pub fn jain_index(values: &[f64]) -> Option<f64> {
    let sum = values.iter().sum::<f64>();
    let squares = values.iter().map(|value| value * value).sum::<f64>();
    (squares > 0.0).then(|| sum * sum / (values.len() as f64 * squares))
}

/// The value below which `percent` of the values lie: the smallest one that at least so many do not exceed
/// (nearest rank). None without values.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    nearest_rank(&sorted, percent)
}

/// The same of values in ascending order.
pub fn nearest_rank(sorted: &[f64], percent: f64) -> Option<f64> {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

/// What the flows of a run have together, by the names that results have for it: their goodputs in bits per second,
/// and the times of those that are complete.
pub fn of_all_flows(goodputs: &[f64], completions: &[f64]) -> [(&'static str, Option<f64>); 7] {
    let sum = (!goodputs.is_empty()).then(|| goodputs.iter().sum::<f64>());
    let completion = |percent| percentile(completions, percent);
    [
        ("goodput_sum_bps", sum),
        ("goodput_mean_bps", sum.map(|sum| sum / goodputs.len() as f64)),
        ("goodput_min_bps", percentile(goodputs, 0.0)),
        ("jain_index", jain_index(goodputs)),
        ("completion_p50_s", completion(50.0)),
        ("completion_p99_s", completion(99.0)),
        ("completion_max_s", completion(100.0)),
    ]
}

/// What several paths are worth: 0 if the connection got what the best path alone gives, 1 if it got the sum of
/// all, -1 if it got nothing (S. Ferlin et al., "Multi-path transport over heterogeneous wireless networks:
/// does it really pay off?", GLOBECOM 2014, after Kaspar). `alone` is what each path gives by itself. None
/// without two paths that give something.
pub fn aggregation_benefit(together: f64, alone: &[f64]) -> Option<f64> {
    let sum = alone.iter().sum::<f64>();
    let best = alone.iter().copied().fold(0.0, f64::max);
    if best <= 0.0 || sum <= best {
        return None;
    }
    let range = if together >= best { sum - best } else { best };
    Some((together - best) / range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fairness_is_between_one_over_n_and_one() {
        assert_eq!(jain_index(&[2.0, 2.0, 2.0]), Some(1.0));
        assert_eq!(jain_index(&[5.0, 0.0, 0.0, 0.0]), Some(0.25));
        assert_eq!((jain_index(&[]), jain_index(&[0.0])), (None, None));
    }

    #[test]
    fn percentiles_are_values_that_occur() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        let at = [0.0, 20.0, 50.0, 99.0, 100.0].map(|percent| percentile(&values, percent));
        assert_eq!(at, [1.0, 1.0, 3.0, 5.0, 5.0].map(Some));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn aggregation_is_measured_from_the_best_path() {
        let alone = [6.0, 2.0];
        let benefit = [0.0, 3.0, 6.0, 7.0, 8.0].map(|rate| aggregation_benefit(rate, &alone));
        assert_eq!(benefit, [-1.0, -0.5, 0.0, 0.5, 1.0].map(Some));
        assert_eq!(aggregation_benefit(1.0, &[6.0]), None);
    }
}
