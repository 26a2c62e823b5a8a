//! What people know from the command line of Linux: sockets as of `ss`, counters as of `nstat`.

use mptcpsim_core::time::Time;
use mptcpsim_models::host::World;
use mptcpsim_models::observe::{nstat, ss};

/// Listings as text; empty if not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listings {
    /// All sockets of all hosts at one time or several, as `ss -tiM` prints them.
    pub sockets: String,
    /// All counters of all hosts in the end, as `nstat -az` prints them.
    pub counters: String,
}

impl Listings {
    /// The listings that there are, by the names of their files.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let files = [("ss.txt", self.sockets.as_str()), ("nstat.txt", self.counters.as_str())];
        files.into_iter().filter(|(_, text)| !text.is_empty())
    }

    /// Adds the sockets of all hosts as they are now.
    pub(crate) fn sockets(&mut self, now: Time, world: &World) {
        for number in 0..world.host_count() {
            let Some(host) = world.host_config(number) else { continue };
            let connections = world.actors().iter().filter(|actor| actor.host() == number);
            let around = ss::Surroundings {
                now,
                tick: host.tcp.rules.tick,
                congestion_control: host.tcp.sysctl.tcp_congestion_control,
                endpoints: &host.endpoints,
            };
            let table = ss::text(connections.map(|actor| actor.connection()), around);
            self.sockets.push_str(&format!("# {} at {now}\n{table}\n", host.name));
        }
    }

    /// Adds the counters of all hosts.
    pub(crate) fn counters(&mut self, world: &World) {
        for number in 0..world.host_count() {
            if let (Some(host), Some(mib)) = (world.host_config(number), world.mib(number)) {
                self.counters.push_str(&nstat::text(&host.name, host.tcp.rules.stack, mib));
            }
        }
    }
}
