//! Addresses: announcing, echoing, withdrawing, and opening what the path manager asks for
//! (RFC 8684 section 3.4; Linux `pm.c`).

use std::net::{IpAddr, SocketAddr};

use mptcpsim_core::prefetch::prefetch;
use mptcpsim_core::time::Span;

use super::{Connection, Env, MetaState};
use crate::mptcp_keys::add_addr_hmac;
use crate::observe::mib::Counter;
use crate::path_manager::endpoints::WithConfig;
use crate::path_manager::userspace::netlink::Command;
use crate::path_manager::{
    AnyPathManager, PathAction, PathEvent, PathManager, PathView, PathsView,
};
use crate::segment::{AddAddr, FourTuple, MAX_OPTIONS, RemoveAddr, Segment};
use crate::tcp::State;

/// Repetitions of an announcement that is not echoed (`ADD_ADDR_RETRANS_MAX`).
const ANNOUNCE_RETRIES: u8 = 3;

/// Options about addresses that wait for a pure ACK.
#[derive(Clone, Debug, Default)]
pub(super) struct Signal {
    announce: Option<AddAddr>,
    echo: Option<AddAddr>,
    remove: Vec<u8>,
    /// The subflow that tells of them: not one that goes with the address.
    teller: usize,
    /// The announcement that is not yet echoed, and how often it was repeated.
    outstanding: Option<(AddAddr, u8)>,
}

impl Signal {
    /// Brings near what each segment asks for.
    pub(super) fn prefetch(&self) {
        prefetch(&self.remove);
    }

    /// Ids of addresses to withdraw.
    pub(super) fn withdrawn(&self) -> &[u8] {
        &self.remove
    }

    /// The subflow that speaks before all others, to withdraw addresses.
    pub(super) fn teller(&self) -> Option<usize> {
        (!self.remove.is_empty()).then_some(self.teller)
    }

    /// The first of them have been.
    pub(super) fn withdrawn_sent(&mut self, count: usize) {
        self.remove.drain(..count);
    }
}

impl Connection {
    /// B: something happened that the path manager should know. What happens on the wire it is
    /// told without this; the administrator's changes come this way.
    pub fn path_event(&mut self, env: &mut Env<'_>, event: PathEvent) {
        if !self.is_mptcp() {
            return;
        }
        let paths: Vec<PathView> = self.subs.iter().map(path_view).collect();
        let view = self.paths_view(env, &paths);
        let mut actions = Vec::new();
        if let AnyPathManager::Endpoints = self.path_manager {
            let mut manager = WithConfig { state: &mut self.endpoints, config: env.endpoints };
            manager.on_event(event, &view, &mut actions);
        } else {
            self.path_manager.on_event(event, &view, &mut actions);
            if let AnyPathManager::Userspace(userspace) = &mut self.path_manager {
                let token = crate::mptcp_keys::token(self.local_key, self.version);
                let (netlink, kernel) = (&mut *env.netlink, env.endpoints);
                userspace.report(token, event, &view, netlink, kernel, &mut actions);
            }
            self.endpoints.count(event, &actions);
        }
        self.path_actions(env, actions);
    }

    /// C: what the host's daemon wants done in this connection.
    pub fn path_command(&mut self, env: &mut Env<'_>, command: Command) {
        let paths: Vec<PathView> = self.subs.iter().map(path_view).collect();
        let view = self.paths_view(env, &paths);
        let mut actions = Vec::new();
        if let AnyPathManager::Userspace(userspace) = &mut self.path_manager {
            userspace.act(command, &view, &mut actions);
            self.path_actions(env, actions);
        }
    }

    /// What a path manager sees.
    fn paths_view<'a>(&self, env: &Env<'a>, subflows: &'a [PathView]) -> PathsView<'a> {
        PathsView {
            now: env.now,
            subflows,
            client: self.client,
            no_join_id0: self.no_join_id0,
            signal_pending: self.signal.announce.is_some() || self.signal.outstanding.is_some(),
            addresses: env.addresses,
            multipath: &env.endpoints.multipath,
            gateways: &env.config.sysctl.mptcp_binder_gateways,
        }
    }

    fn path_actions(&mut self, env: &mut Env<'_>, actions: Vec<PathAction>) {
        self.timers.path_manager = self.path_manager.due();
        for action in actions {
            match self.out_of_tree {
                Some(_) => self.path_action_out_of_tree(env, action),
                None => self.path_action(env, action),
            }
        }
    }

    /// Tells those path managers that want to know everything.
    pub(super) fn path_news(&mut self, env: &mut Env<'_>, event: PathEvent) {
        if matches!(self.path_manager, AnyPathManager::Userspace(_) | AnyPathManager::Custom(_)) {
            self.path_event(env, event);
        }
    }

    /// Whether the path manager lets the peer join once more; counts it.
    pub(super) fn accepts_subflow(&mut self, env: &Env<'_>) -> bool {
        match self.path_manager {
            AnyPathManager::Endpoints => self.endpoints.accept_subflow(env.endpoints.limits),
            AnyPathManager::Userspace(_) if !env.netlink.is_heard() => false,
            _ => {
                self.endpoints.extra_subflows = self.endpoints.extra_subflows.saturating_add(1);
                true
            }
        }
    }

    pub(super) fn path_action(&mut self, env: &mut Env<'_>, action: PathAction) {
        env.log.mptcp(env.now, 0, "path-manager", || format!("{action:?}"));
        match action {
            PathAction::Announce { id, addr, port } => self.announce(env, id, addr, port),
            PathAction::Echo { id, addr, with_port } => {
                let port = with_port.then_some(addr.port());
                self.queue_echo(env, id, addr.ip(), port);
            }
            PathAction::Open { local, local_id, remote, remote_id, backup, source_route } => {
                if env.down.contains(&local) {
                    self.path_event(env, PathEvent::Unreachable { local, remote_id });
                } else if self.state == MetaState::Established {
                    // A connection that closes opens nothing more (`__mptcp_subflow_connect`).
                    let ids = (local_id, remote_id);
                    self.open_subflow(env, local, remote, ids, backup, source_route);
                }
            }
            PathAction::Close { local, remote } => {
                let tuple = FourTuple { src: local, dst: remote };
                let closed = self.close_where(env, |sub| sub.tuple == tuple);
                env.mib.add(Counter::RmSubflow, closed);
            }
            PathAction::SetPriority { local, remote, backup } => {
                let tuple = FourTuple { src: local, dst: remote };
                self.prioritise(env, backup, |sub| sub.tuple == tuple);
            }
            PathAction::Withdraw { id } => {
                self.signal.remove.push(id);
                let usable = |sub: &super::Sub| sub.tcp.state().can_send() && !sub.stale;
                let other = self.subs.iter().position(|sub| usable(sub) && sub.local_id != id);
                self.signal.teller = other.unwrap_or(0);
                self.send_ack(other);
            }
            PathAction::CloseLocal { id } => {
                let closed = self.close_where(env, |sub| sub.local_id == id);
                env.mib.add(Counter::RmSubflow, closed);
            }
            PathAction::CloseRemote { id } => {
                self.close_where(env, |sub| sub.remote_id == id);
            }
            PathAction::Prioritise { id, backup } => {
                self.prioritise(env, backup, |sub| sub.local_id == id);
            }
        }
    }

    // ---- ADD_ADDR ------------------------------------------------------------------------

    fn announce(&mut self, env: &mut Env<'_>, id: u8, addr: IpAddr, port: Option<u16>) {
        let Some(remote_key) = self.remote_key else { return };
        let hmac = add_addr_hmac(self.local_key, remote_key, id, addr, port);
        let option = AddAddr { address_id: id, addr, port, echo: false, hmac: Some(hmac) };
        self.signal.announce = Some(option);
        self.signal.outstanding = Some((option, 0));
        self.send_ack(None);
        let timeout = self.announce_interval(env, 0);
        self.timers.announce.set(env.now, timeout);
    }

    /// The largest timeout of the subflows, doubled with each repetition, at most
    /// `net.mptcp.add_addr_timeout` (`mptcp_adjust_add_addr_timeout`).
    fn announce_interval(&self, env: &Env<'_>, repetitions: u8) -> Span {
        let rto = self.subs.iter().map(|sub| sub.tcp.rto()).max().unwrap_or(Span::from_secs(1));
        let longest = Span::from_secs(u64::from(env.config.sysctl.add_addr_timeout));
        if !env.config.rules.add_addr_timeout_adapts {
            return longest;
        }
        (rto * (1 << repetitions)).min(longest)
    }

    pub(super) fn announce_timeout(&mut self, env: &mut Env<'_>) {
        let Some((option, repetitions)) = self.signal.outstanding else { return };
        if repetitions >= ANNOUNCE_RETRIES {
            self.signal.outstanding = None;
            self.path_event(env, PathEvent::AddAddrDone { id: option.address_id });
            return;
        }
        self.signal.outstanding = Some((option, repetitions + 1));
        self.signal.announce = Some(option);
        self.send_ack(None);
        let timeout = self.announce_interval(env, repetitions + 1);
        self.timers.announce.set(env.now, timeout);
    }

    /// The peer announced an address: tell the path manager, and confirm
    /// (`mptcp_pm_add_addr_received`).
    pub(super) fn announced(&mut self, env: &mut Env<'_>, index: usize, option: &AddAddr) {
        let initial = self.subs[0].tuple.dst;
        let addr = SocketAddr::new(option.addr, option.port.unwrap_or(initial.port()));
        env.log.mptcp(env.now, index, "add-addr", || {
            format!("peer announced {addr} as id {}", option.address_id)
        });
        if option.address_id != 0 || addr == initial {
            self.path_event(env, PathEvent::AddAddr { id: option.address_id, addr });
        }
        self.queue_echo(env, option.address_id, option.addr, option.port);
        self.send_ack(Some(index));
    }

    fn queue_echo(&mut self, env: &mut Env<'_>, id: u8, addr: IpAddr, port: Option<u16>) {
        if self.signal.echo.is_some() {
            env.mib.inc(Counter::EchoAddTxDrop);
            return;
        }
        let echo = AddAddr { address_id: id, addr, port, echo: true, hmac: None };
        self.signal.echo = Some(echo);
    }

    pub(super) fn echo_received(&mut self, env: &mut Env<'_>, echo: &AddAddr) {
        let matches =
            |option: &AddAddr| option.address_id == echo.address_id && option.addr == echo.addr;
        if self.signal.outstanding.is_some_and(|(option, _)| matches(&option)) {
            self.signal.outstanding = None;
            self.timers.announce.stop();
            self.path_event(env, PathEvent::AddAddrDone { id: echo.address_id });
        }
    }

    pub(super) fn signals_address(&self) -> bool {
        self.signal.announce.is_some() || self.signal.echo.is_some()
    }

    /// ADD_ADDR goes on a pure ACK and drives every other MPTCP option out of it
    /// (`mptcp_established_options_add_addr`).
    #[cold]
    pub(super) fn add_address_option(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        segment: &mut Segment,
    ) {
        if env.config.rules.add_addr_beside_dss && !self.fits_beside_dss(segment) {
            return;
        }
        let echo = self.signal.echo.take();
        let Some(option) = echo.or_else(|| self.signal.announce.take()) else { return };
        let timestamps = if segment.timestamps.is_some() { 12 } else { 0 };
        let fits = crate::options::padded(option.wire_len()) <= MAX_OPTIONS - timestamps;
        env.mib.inc(match (option.echo, fits) {
            (true, true) => Counter::EchoAddTx,
            (true, false) => Counter::EchoAddTxDrop,
            (false, true) => Counter::AddAddrTx,
            (false, false) => Counter::AddAddrTxDrop,
        });
        if fits {
            if !env.config.rules.add_addr_beside_dss || goes_alone(&option) {
                segment.dss = None;
            }
            segment.rare_mut().add_addr = Some(option);
        }
        if self.signals_address() {
            self.send_ack(Some(index));
        }
    }

    /// True if the option that is next has room beside what a segment carries, or needs none.
    fn fits_beside_dss(&self, segment: &Segment) -> bool {
        let room = MAX_OPTIONS - segment.options_len().min(MAX_OPTIONS);
        let next = self.signal.echo.or(self.signal.announce);
        next.is_some_and(|option| {
            goes_alone(&option) || crate::options::padded(option.wire_len()) <= room
        })
    }

    // ---- REMOVE_ADDR and MP_PRIO ---------------------------------------------------------

    pub(super) fn add_remove_addr(&mut self, env: &mut Env<'_>, segment: &mut Segment) {
        if self.signal.remove.is_empty() {
            return;
        }
        let option = RemoveAddr::new(&self.signal.remove);
        let room = MAX_OPTIONS - segment.options_len().min(MAX_OPTIONS);
        if crate::options::padded(option.wire_len()) > room {
            return;
        }
        env.mib.add(Counter::RmAddrTx, option.ids().len() as u64);
        self.signal.remove.drain(..option.ids().len());
        segment.rare_mut().remove_addr = Some(option);
    }

    fn prioritise(
        &mut self,
        env: &mut Env<'_>,
        backup: bool,
        chosen: impl Fn(&super::Sub) -> bool,
    ) {
        for index in 0..self.subs.len() {
            let sub = &mut self.subs[index];
            if chosen(sub) && sub.tcp.state().synchronised() {
                sub.backup_by_us = backup;
                sub.pending.prio = Some(backup);
                sub.tcp.request_ack();
                env.log.mptcp(env.now, index, "mp-prio", || {
                    format!("this host sets backup {}", u8::from(backup))
                });
                self.mark_ready(index);
            }
        }
    }

    /// Closes the subflows that `chosen` picks, since their addresses are gone; says how many.
    pub(super) fn close_where(
        &mut self,
        env: &mut Env<'_>,
        chosen: impl Fn(&super::Sub) -> bool,
    ) -> u64 {
        let mut closed = 0;
        for index in 0..self.subs.len() {
            let sub = &self.subs[index];
            if chosen(sub) && !sub.removed {
                closed += 1;
                self.discard_subflow(env, index);
            }
        }
        closed
    }

    // ---- acknowledgements that carry the options ---------------------------------------------

    /// Asks one subflow for an ACK: `wanted`, or the first that is active and not stale
    /// (`mptcp_pm_addr_send_ack`).
    pub(super) fn send_ack(&mut self, wanted: Option<usize>) {
        let usable = |sub: &super::Sub| sub.tcp.state().can_send() && !sub.stale;
        let index = wanted.or_else(|| self.subs.iter().position(usable));
        if let Some(index) = index {
            self.subs[index].tcp.request_ack();
            self.mark_ready(index);
        }
    }

    /// Asks every subflow for an ACK behind what it sends now.
    pub(super) fn ack_behind_all(&mut self) {
        for sub in &mut self.subs {
            if sub.tcp.state().synchronised() {
                sub.tcp.request_last_ack();
            }
        }
        self.mark_all_ready();
    }

    /// Asks every subflow for an ACK (`mptcp_send_ack`).
    pub(super) fn ack_all(&mut self) {
        for sub in &mut self.subs {
            if sub.tcp.state().synchronised() {
                sub.tcp.request_ack();
            }
        }
        self.mark_all_ready();
    }
}

/// Announcements too long to stand beside a DSS always drove it out.
fn goes_alone(option: &AddAddr) -> bool {
    !option.echo && (option.addr.is_ipv6() || option.port.is_some())
}

fn path_view(sub: &super::Sub) -> PathView {
    PathView {
        local: sub.tuple.src,
        remote: sub.tuple.dst,
        local_id: sub.local_id,
        remote_id: sub.remote_id,
        joined: sub.joined,
        alive: !matches!(sub.tcp.state(), State::Closed | State::TimeWait),
        backup: sub.backup(),
    }
}
