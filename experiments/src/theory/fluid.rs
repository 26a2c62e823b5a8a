//! Fluid models: rates at which windows neither grow nor shrink.
//!
//! The window w_r of a path with round-trip time R_r and loss p_r grows by I_r for each packet
//! acknowledged and shrinks by D_r for each lost; x_r = w_r/R_r. A link that is full has a price, a
//! loss that makes its load fit. With X = sum of x over the paths of a connection and a = max x/x_r:
//!
//! | | I | D | source |
//! |---|---|---|---|
//! | reno | 1/w | w/2 | RFC 5681 |
//! | ewtcp | 1/(n^2 w) | w/2 | Honda et al., PFLDNeT 2009, with weight 1/n |
//! | lia | min(max(w_i/R_i^2)/X^2, 1/w) | w/2 | RFC 6356 |
//! | olia | (w/R^2)/X^2 + e/w | w/2 | Khalili et al., CoNEXT 2012 |
//! | balia | x (1+a)(4+a)/(10 R X^2) | w min(a,1.5)/2 | draft-walid-mptcp-congestion-control |
//!
//! The solution is found by letting windows and prices follow their imbalance, in steps relative to
//! their own size: what is at rest there is an equilibrium of the model. Paths that tie may share in
//! many ways; the totals are what counts then.

/// An algorithm that has a fluid model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// NewReno on each path for itself.
    Reno,
    /// Each of n paths is a TCP of weight 1/n.
    Ewtcp,
    /// Linked increases.
    Lia,
    /// Opportunistic linked increases.
    Olia,
    /// Balanced linked adaptation.
    Balia,
}

impl Model {
    /// All models.
    pub const ALL: &'static [Self] = &[Self::Reno, Self::Ewtcp, Self::Lia, Self::Olia, Self::Balia];

    /// The name that the algorithm has in scenarios; `uncoupled` is Reno.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reno => "uncoupled",
            Self::Ewtcp => "ewtcp",
            Self::Lia => "lia",
            Self::Olia => "olia",
            Self::Balia => "balia",
        }
    }
}

/// A path of a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The links on it: their place in [`Network::capacities`].
    pub links: Vec<usize>,
    /// The part of packets that is lost whatever the load.
    pub loss: f64,
    /// Round-trip time in seconds.
    pub rtt_s: f64,
}

/// A connection that always has data to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Its algorithm.
    pub model: Model,
    /// Its paths.
    pub paths: Vec<Path>,
}

/// Links and what uses them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// What each link carries, in packets per second.
    pub capacities: Vec<f64>,
    /// The connections.
    pub connections: Vec<Connection>,
}

/// An equilibrium: rates in packets per second by connection and path, and the prices of the links.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Equilibrium {
    /// Rates.
    pub rates: Vec<Vec<f64>>,
    /// The part of packets lost at each link because it is full.
    pub prices: Vec<f64>,
}

/// Steps of the search; the second half is averaged, since OLIA's windows never rest.
const STEPS: usize = 40_000;
/// How far a window and a price move in a step, at most, relative to themselves.
const WINDOW_STEP: f64 = 0.05;
const PRICE_STEP: f64 = 0.01;
/// Prices and windows never vanish: they would not come back.
const LEAST_PRICE: f64 = 1e-12;
const LEAST_WINDOW: f64 = 1e-3;
/// Windows and paths that differ less than this are equal.
const EQUAL: f64 = 1e-2;

impl Network {
    /// The equilibrium of the network.
    pub fn equilibrium(&self) -> Equilibrium {
        let mut windows: Vec<Vec<f64>> =
            self.connections.iter().map(|it| vec![10.0; it.paths.len()]).collect();
        let mut prices = vec![1e-3; self.capacities.len()];
        let mut mean = Equilibrium {
            rates: windows.iter().map(|windows| vec![0.0; windows.len()]).collect(),
            prices: vec![0.0; prices.len()],
        };
        let averaged = (STEPS - STEPS / 2) as f64;
        for step in 0..STEPS {
            let mut loads = vec![0.0; prices.len()];
            for (connection, windows) in self.connections.iter().zip(&mut windows) {
                connection.step(windows, &prices);
                for (path, window) in connection.paths.iter().zip(windows) {
                    path.links.iter().for_each(|link| loads[*link] += *window / path.rtt_s);
                }
            }
            for ((price, load), capacity) in prices.iter_mut().zip(&loads).zip(&self.capacities) {
                let overload = (load / capacity - 1.0).clamp(-1.0, 1.0);
                *price = (*price * (1.0 + PRICE_STEP * overload)).clamp(LEAST_PRICE, 0.5);
            }
            if step >= STEPS / 2 {
                self.average(&mut mean, &windows, &prices, averaged);
            }
        }
        mean
    }

    fn average(&self, mean: &mut Equilibrium, windows: &[Vec<f64>], prices: &[f64], count: f64) {
        let connections = self.connections.iter().zip(windows);
        for ((connection, windows), rates) in connections.zip(&mut mean.rates) {
            for ((path, window), rate) in connection.paths.iter().zip(windows).zip(rates) {
                *rate += window / path.rtt_s / count;
            }
        }
        for (mean, price) in mean.prices.iter_mut().zip(prices) {
            *mean += price / count;
        }
    }
}

impl Connection {
    fn step(&self, windows: &mut [f64], prices: &[f64]) {
        let old = windows.to_vec();
        let losses: Vec<f64> = self.paths.iter().map(|path| path.loss_at(prices)).collect();
        for (r, window) in windows.iter_mut().enumerate() {
            let imbalance = self.imbalance(r, &old, &losses);
            *window = (*window * (1.0 + WINDOW_STEP * imbalance)).max(LEAST_WINDOW);
        }
    }

    /// What window `r` gains for a packet acknowledged less what it loses for one sent, relative to the
    /// size of both. That size must not jump where OLIA's shift does: what is averaged is at rest then.
    fn imbalance(&self, r: usize, windows: &[f64], losses: &[f64]) -> f64 {
        let (w, rtt, loss) = (windows[r], self.paths[r].rtt_s, losses[r]);
        let rates = || windows.iter().zip(&self.paths).map(|(w, path)| w / path.rtt_s);
        let total: f64 = rates().sum();
        let half = loss * w / 2.0;
        let (gain, loss) = match self.model {
            Model::Reno => (1.0 / w, half),
            Model::Ewtcp => (1.0 / (w * (windows.len() * windows.len()) as f64), half),
            Model::Lia => {
                let best = windows.iter().zip(&self.paths);
                let best = best.map(|(w, path)| w / (path.rtt_s * path.rtt_s)).fold(0.0, f64::max);
                ((best / (total * total)).min(1.0 / w), half)
            }
            Model::Olia => {
                let shift = self.olia_shift(r, windows, losses) / w;
                let gain = w / (rtt * rtt * total * total);
                let most = 1.0 / (windows.len() as f64 * w);
                return (gain + shift - half) / (gain + half + most);
            }
            Model::Balia => {
                let a = rates().fold(0.0, f64::max) / (w / rtt);
                let gain = (w / rtt) * (1.0 + a) * (4.0 + a) / (10.0 * rtt * total * total);
                (gain, half * a.min(1.5))
            }
        };
        (gain - loss) / (gain + loss)
    }

    /// OLIA's re-forwarding: from the paths with the largest windows to the best ones that have not
    /// got them. Between losses a path carries 1/p packets.
    fn olia_shift(&self, r: usize, windows: &[f64], losses: &[f64]) -> f64 {
        let worth = |i: usize| 1.0 / (losses[i] * self.paths[i].rtt_s * self.paths[i].rtt_s);
        let count = windows.len();
        let best = (0..count).map(worth).fold(0.0, f64::max);
        let largest = windows.iter().copied().fold(0.0, f64::max);
        let is_best = |i: usize| worth(i) >= best * (1.0 - EQUAL);
        let is_largest = |i: usize| windows[i] >= largest * (1.0 - EQUAL);
        let collected = (0..count).filter(|&i| is_best(i) && !is_largest(i)).count();
        if collected == 0 {
            return 0.0;
        }
        let of = |size: usize| 1.0 / (count * size.max(1)) as f64;
        if is_best(r) && !is_largest(r) {
            of(collected)
        } else if is_largest(r) {
            -of((0..count).filter(|&i| is_largest(i)).count())
        } else {
            0.0
        }
    }
}

impl Path {
    fn loss_at(&self, prices: &[f64]) -> f64 {
        let full: f64 = self.links.iter().filter_map(|link| prices.get(*link)).sum();
        (self.loss + full).clamp(LEAST_PRICE, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(links: &[usize], loss: f64, rtt_s: f64) -> Path {
        Path { links: links.to_vec(), loss, rtt_s }
    }

    /// Rates of one connection under fixed losses.
    fn alone(model: Model, paths: &[(f64, f64)]) -> Vec<f64> {
        let paths = paths.iter().map(|(loss, rtt)| path(&[], *loss, *rtt)).collect();
        let network =
            Network { capacities: Vec::new(), connections: vec![Connection { model, paths }] };
        network.equilibrium().rates.remove(0)
    }

    fn assert_near(found: f64, expected: f64, part: f64) {
        assert!((found / expected - 1.0).abs() < part, "{found} {expected}");
    }

    #[test]
    fn under_fixed_losses_the_closed_forms_hold() {
        let unequal = [(0.001, 0.05), (0.004, 0.05)];
        let reno = alone(Model::Reno, &unequal);
        assert_near(reno[0], 894.427, 0.01);
        assert_near(reno[1], 447.214, 0.01);
        let lia = alone(Model::Lia, &unequal);
        assert_near(lia[0], 715.542, 0.01);
        assert_near(lia[1], 178.885, 0.01);
        let balia = alone(Model::Balia, &unequal);
        assert_near(balia[0], 754.451, 0.01);
        assert_near(balia[1], 139.976, 0.01);
        let olia = alone(Model::Olia, &unequal);
        assert_near(olia[0], 894.427, 0.02);
        assert!(olia[1] < 10.0, "{olia:?}");
        let distant = alone(Model::Lia, &[(0.002, 0.02), (0.002, 0.2)]);
        assert_near(distant[0], 1437.4, 0.01);
        assert_near(distant[1], 143.74, 0.01);
    }

    #[test]
    fn a_shared_bottleneck_is_shared_as_designed() {
        let totals = |model| {
            let mp = Connection { model, paths: vec![path(&[0], 0.0, 0.1), path(&[0], 0.0, 0.1)] };
            let tcp = Connection { model: Model::Reno, paths: vec![path(&[0], 0.0, 0.1)] };
            let connections = std::iter::once(mp).chain(std::iter::repeat_n(tcp, 4)).collect();
            let network = Network { capacities: vec![1000.0], connections };
            network.equilibrium().rates[0].iter().sum::<f64>()
        };
        assert_near(totals(Model::Reno), 333.333, 0.02);
        for model in [Model::Ewtcp, Model::Lia, Model::Olia, Model::Balia] {
            assert_near(totals(model), 200.0, 0.03);
        }
    }

    /// D. Wischik et al., NSDI 2011: 250 packets/s and 500 ms, 500 packets/s and 50 ms, a TCP on each.
    #[test]
    fn round_trip_times_are_compensated_for() {
        let rates = |model| {
            let (slow, fast) = (path(&[0], 0.0, 0.5), path(&[1], 0.0, 0.05));
            let tcp = |path: &Path| Connection { model: Model::Reno, paths: vec![path.clone()] };
            let connections =
                vec![tcp(&slow), tcp(&fast), Connection { model, paths: vec![slow, fast] }];
            let network = Network { capacities: vec![250.0, 500.0], connections };
            network.equilibrium().rates.remove(2)
        };
        for (model, slow, fast) in [
            (Model::Reno, 125.0, 250.0),
            (Model::Ewtcp, 83.333, 166.667),
            (Model::Lia, 125.0, 187.5),
            (Model::Balia, 62.5, 218.75),
        ] {
            let found = rates(model);
            assert_near(found[0], slow, 0.02);
            assert_near(found[1], fast, 0.02);
        }
    }

    /// The torus of five links of NSDI 2011, one of them a tenth as fast: prices of two links.
    #[test]
    fn a_torus_is_balanced_as_far_as_the_algorithm_goes() {
        let solve = |model| {
            let capacities = vec![1000.0, 1000.0, 100.0, 1000.0, 1000.0];
            let flow = |i: usize| {
                let paths = vec![path(&[i], 0.0, 0.1), path(&[(i + 1) % 5], 0.0, 0.1)];
                Connection { model, paths }
            };
            Network { capacities, connections: (0..5).map(flow).collect() }.equilibrium()
        };
        let total = |found: &Equilibrium, flow: usize| found.rates[flow].iter().sum::<f64>();
        let lia = solve(Model::Lia);
        for (flow, expected) in [(0, 895.681), (1, 706.478), (3, 895.681)] {
            assert_near(total(&lia, flow), expected, 0.02);
        }
        assert_near(lia.prices[0] / lia.prices[2], 0.0473849, 0.1);
        let balia = solve(Model::Balia);
        assert_near(total(&balia, 0), 853.37, 0.03);
        assert_near(total(&balia, 1), 769.945, 0.03);
        let olia = solve(Model::Olia);
        for flow in 0..5 {
            assert_near(total(&olia, flow), 820.0, 0.03);
        }
        let reno = solve(Model::Reno);
        assert_near(reno.prices[0] / reno.prices[2], 0.01, 0.1);
    }
}
