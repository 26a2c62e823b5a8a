//! The simulated host under test: connections, listeners, counters, and no network.
//!
//! What the script sends is handed in, what the host sends is collected with
//! its time. A listener's answers are those of `tcp_v4_rcv`: a SYN opens, a
//! SYN with MP_JOIN goes to the connection that its token names, everything
//! else is answered by a reset (RFC 9293 section 3.10.7.1).

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use mptcpsim_core::rng::{Seed, Stream};
use mptcpsim_core::time::Time;

use crate::congestion::Clock;
use crate::fast_open_keys::FastOpenKeys;
use crate::mptcp::{
    ActiveMptcp, Connection, Env, EphemeralPorts, FastOpenCookies, MetaState, Opening,
    SocketOptions, SynCookies, refuses_signature,
};
use crate::mptcp_keys::{Key, Version, draw_key, token};
use crate::observe::event::EventLog;
use crate::observe::mib::{Counter, Mib};
use crate::path_manager::userspace::netlink::Netlink;
use crate::path_manager::{PathEvent, endpoints};
use crate::rules::Rules;
use crate::segment::{Flags, FourTuple, MpJoin, MpTcpRst, ResetReason, Segment};
use crate::tcp::{State, TcpConfig};

/// Packets of a connection in a row without time passing that no host sends.
const RUNAWAY: usize = 100_000;

/// A segment that left the host.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Time,
    pub(super) ip: IpHeader,
    pub(super) tuple: FourTuple,
    pub(super) segment: Segment,
}

/// What an application sets in the IP header of its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IpHeader {
    /// `IP_TOS`, without the bits of ECN.
    pub(super) tos: u8,
    /// `IP_TTL`, `IPV6_UNICAST_HOPS`.
    pub(super) ttl: u8,
}

impl Default for IpHeader {
    fn default() -> Self {
        Self { tos: 0, ttl: 64 }
    }
}

/// A socket that listens.
#[derive(Clone, Debug)]
struct Listener {
    addr: SocketAddr,
    options: SocketOptions,
    ip: IpHeader,
    /// Established connections that nobody has accepted.
    queue: VecDeque<usize>,
    open: bool,
}

#[derive(Clone, Debug)]
struct Held {
    connection: Connection,
    /// Whose accept queue it goes to when it is established.
    listener: Option<usize>,
    ip: IpHeader,
    /// Subflows whose addresses are known.
    bound: usize,
}

/// The key that the suites' `defaults.sh` sets: a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4.
const FAST_OPEN_KEY: [u64; 2] = [0xb2b2_b2b2_a1a1_a1a1, 0xd4d4_d4d4_c3c3_c3c3];

/// The host.
#[derive(Debug)]
pub(super) struct Kernel {
    version: Version,
    pub(super) config: TcpConfig,
    pub(super) endpoints: endpoints::Config,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) mib: Mib,
    log: EventLog,
    random: Stream,
    ports: EphemeralPorts,
    active: ActiveMptcp,
    fast_open: FastOpenCookies,
    cookies: SynCookies,
    netlink: Netlink,
    held: Vec<Held>,
    /// Which subflow of which connection packets of a tuple are for.
    bindings: BTreeMap<FourTuple, (usize, usize)>,
    tokens: BTreeMap<u32, usize>,
    listeners: Vec<Listener>,
    now: Time,
    sent: VecDeque<Sent>,
}

impl Kernel {
    /// A host with `addresses`, at time `now`.
    pub(super) fn new(rules: &'static Rules, addresses: Vec<IpAddr>, now: Time) -> Self {
        Self {
            version: rules.version,
            config: TcpConfig::new(rules),
            endpoints: endpoints::Config::default(),
            addresses,
            mib: Mib::default(),
            log: EventLog::new(false),
            random: Stream::new(Seed(1), "packetdrill.host"),
            ports: EphemeralPorts::default(),
            active: ActiveMptcp::default(),
            fast_open: FastOpenCookies::new(FAST_OPEN_KEY),
            cookies: SynCookies::new(1),
            netlink: Netlink::default(),
            held: Vec::new(),
            bindings: BTreeMap::new(),
            tokens: BTreeMap::new(),
            listeners: Vec::new(),
            now,
            sent: VecDeque::new(),
        }
    }

    pub(super) const fn now(&self) -> Time {
        self.now
    }

    /// The connection with this number.
    pub(super) fn connection(&self, number: usize) -> Option<&Connection> {
        self.held.get(number).map(|held| &held.connection)
    }

    /// All connections.
    pub(super) fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.held.iter().map(|held| &held.connection)
    }

    /// The connection and the subflow whose packets from the host have this tuple.
    pub(super) fn owner(&self, tuple: FourTuple) -> Option<(&Connection, usize)> {
        let (number, index) = *self.bindings.get(&tuple.reversed())?;
        Some((self.connection(number)?, index))
    }

    // ---- time ----------------------------------------------------------------------------

    fn due(&self) -> Option<(Time, usize)> {
        let dues =
            self.held.iter().enumerate().map(|(number, held)| (held.connection.due(), number));
        dues.min().filter(|(due, _)| *due != Time::NEVER)
    }

    /// Fires the next timer if it is due by `until`; false if none is, and then it is `until`.
    pub(super) fn step(&mut self, until: Time) -> bool {
        let Some((due, number)) = self.due().filter(|(due, _)| *due <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(due);
        self.with(number, |connection, env| connection.on_timer(env));
        true
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, until: Time) {
        while self.step(until) {}
    }

    // ---- packets -------------------------------------------------------------------------

    /// The next packet that the host has sent.
    pub(super) fn next_sent(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }

    /// The packet behind it.
    pub(super) fn peek_sent(&self) -> Option<&Sent> {
        self.sent.front()
    }

    /// Calls a connection and sends what it then wants to send.
    pub(super) fn with<R>(
        &mut self,
        number: usize,
        call: impl FnOnce(&mut Connection, &mut Env<'_>) -> R,
    ) -> Option<R> {
        let held = self.held.get_mut(number)?;
        let mut env = Env {
            now: self.now,
            clock: Clock::new(self.now, self.config.rules.hz),
            config: &self.config,
            endpoints: &self.endpoints,
            addresses: &self.addresses,
            down: &[],
            netlink: &mut self.netlink,
            mib: &mut self.mib,
            log: &mut self.log,
            random: &mut self.random,
            ports: &mut self.ports,
            active: &mut self.active,
            fast_open: &mut self.fast_open,
        };
        let result = call(&mut held.connection, &mut env);
        for _ in 0..RUNAWAY {
            let Some((index, segment)) = held.connection.poll_segment(&mut env) else { break };
            let Some(tuple) = held.connection.tuple(index) else { continue };
            self.sent.push_back(Sent { at: self.now, ip: held.ip, tuple, segment });
        }
        self.settle(number);
        Some(result)
    }

    /// Notes what a call has changed: new subflows, and whether the connection can be accepted.
    fn settle(&mut self, number: usize) {
        let Some(held) = self.held.get_mut(number) else { return };
        while let Some(tuple) = held.connection.tuple(held.bound) {
            self.bindings.insert(tuple.reversed(), (number, held.bound));
            held.bound += 1;
        }
        let state = held.connection.state();
        // Of a handshake that fails nothing is left to accept (`inet_csk_reqsk_queue_drop`).
        if state != MetaState::Opening
            && let Some(listener) = held.listener.take()
            && state != MetaState::Closed
            && let Some(listener) = self.listeners.get_mut(listener)
            && listener.open
        {
            listener.queue.push_back(number);
        }
    }

    /// A packet arrives; `tuple` is as its sender sees it.
    pub(super) fn receive(&mut self, tuple: FourTuple, segment: &Segment) {
        if let Some(&(number, index)) = self.bindings.get(&tuple)
            && !self.is_over(number, index)
        {
            self.with(number, |connection, env| connection.on_segment(env, index, segment));
            return;
        }
        self.mib.inc(Counter::InSegs);
        if let Some(listener) = self.listener(tuple.dst) {
            let key = self.listeners[listener].options.md5_key.as_ref();
            if refuses_signature(key, tuple, segment, &mut self.mib) {
                return;
            }
        }
        let flags = segment.flags;
        if !flags.has(Flags::SYN) || flags.intersects(Flags::ACK | Flags::RST) {
            if self.receive_cookie(tuple, segment) {
                return;
            }
            self.answer_stray(tuple, segment, None);
        } else if let Some(&MpJoin::Syn { token, .. }) = segment.mp_join() {
            self.receive_join(tuple, segment, token);
        } else {
            self.receive_syn(tuple, segment);
        }
    }

    fn is_over(&self, number: usize, index: usize) -> bool {
        let subflow = self.connection(number).and_then(|connection| connection.subflow(index));
        subflow.is_none_or(|subflow| subflow.state() == State::Closed)
    }

    fn listener(&self, to: SocketAddr) -> Option<usize> {
        self.listeners.iter().position(|listener| {
            let addr = listener.addr;
            listener.open
                && addr.port() == to.port()
                && (addr.ip().is_unspecified() || addr.ip() == to.ip())
        })
    }

    fn receive_syn(&mut self, tuple: FourTuple, syn: &Segment) {
        let Some(listener) = self.listener(tuple.dst) else {
            self.answer_stray(tuple, syn, None);
            return;
        };
        let (options, ip) = (self.listeners[listener].options.clone(), self.listeners[listener].ip);
        let opening = self.opening(tuple.reversed(), false);
        if SynCookies::are_used(&self.env()) {
            let cookies = std::mem::take(&mut self.cookies);
            let answer = cookies.answer_syn(&mut self.env(), tuple, opening.key, options, syn);
            self.cookies = cookies;
            self.send_alone(tuple, answer, ip);
            return;
        }
        let connection = {
            let mut env = self.env();
            Connection::accept(&mut env, opening, options, syn)
        };
        self.hold(connection, opening.key, Some(listener), ip);
    }

    fn receive_join(&mut self, tuple: FourTuple, syn: &Segment, token: u32) {
        let number = self.tokens.get(&token).copied();
        let connection = number.and_then(|number| self.connection(number));
        if !connection.is_some_and(Connection::is_client) && self.listener(tuple.dst).is_none() {
            self.answer_stray(tuple, syn, None);
            return;
        }
        let Some(number) = number else {
            Connection::count_unknown_token(&mut self.env(), syn);
            self.answer_stray(tuple, syn, Some(ResetReason::MPTCP));
            return;
        };
        if SynCookies::are_used_for_joins(&self.env()) {
            self.answer_join_by_cookie(number, tuple, syn);
            return;
        }
        let joined =
            self.with(number, |connection, env| connection.join(env, tuple.reversed(), syn));
        if let Some(Err(refusal)) = joined {
            self.answer_stray(tuple, syn, Some(refusal.reason));
        }
    }

    fn send_alone(&mut self, tuple: FourTuple, segment: Option<Segment>, ip: IpHeader) {
        let at = self.now;
        let tuple = tuple.reversed();
        self.sent.extend(segment.map(|segment| Sent { at, ip, tuple, segment }));
    }

    fn answer_join_by_cookie(&mut self, number: usize, tuple: FourTuple, syn: &Segment) {
        let Some(held) = self.held.get(number).cloned() else { return };
        let mut cookies = std::mem::take(&mut self.cookies);
        let joined = (&held.connection, tuple);
        let answer = cookies.answer_join(&mut self.env(), joined, syn);
        self.cookies = cookies;
        match answer {
            Ok(answer) => self.send_alone(tuple, Some(answer), held.ip),
            Err(refusal) => self.answer_stray(tuple, syn, Some(refusal.reason)),
        }
    }

    /// A segment that may be the third of a handshake by cookie; false if it is not.
    fn receive_cookie(&mut self, tuple: FourTuple, ack: &Segment) -> bool {
        let usable = ack.flags.has(Flags::ACK) && !ack.flags.has(Flags::RST);
        let Some(listener) = self.listener(tuple.dst) else { return false };
        if !usable || !SynCookies::are_used(&self.env()) {
            return false;
        }
        let cookies = std::mem::take(&mut self.cookies);
        let syn = cookies.syn_of(&mut self.env(), tuple, ack);
        self.cookies = cookies;
        let Some(syn) = syn else { return false };
        let joins = matches!(ack.mp_join(), Some(MpJoin::Ack { .. }));
        let opened = if joins && SynCookies::are_used_for_joins(&self.env()) {
            let saved = self.cookies.take_join(tuple);
            let number = saved.and_then(|saved| self.tokens.get(&saved.token).copied());
            saved.zip(number).and_then(|(saved, number)| {
                let segments = (&syn, ack);
                let index = self.with(number, |connection, env| {
                    connection.join_by_cookie(env, tuple, saved, segments)
                })?;
                Some((number, index))
            })
        } else {
            let Listener { options, ip, .. } = self.listeners[listener].clone();
            let (tokens, version) = (self.tokens.clone(), self.version);
            let is_free = |key| !tokens.contains_key(&token(key, version));
            let (key, connection) =
                SynCookies::open(&mut self.env(), tuple, options, (&syn, ack), is_free);
            Some((self.hold(connection, key, Some(listener), ip), 0))
        };
        if let Some((number, index)) = opened {
            self.with(number, |connection, env| connection.on_segment(env, index, ack));
        }
        true
    }

    /// A segment for nobody.
    fn answer_stray(&mut self, tuple: FourTuple, stray: &Segment, reason: Option<ResetReason>) {
        let Some(mut reset) = stray.reset_for_nobody() else { return };
        self.mib.inc(Counter::OutSegs);
        self.mib.inc(Counter::OutRsts);
        if let Some(reason) = reason.filter(|_| self.config.rules.reset_reasons) {
            self.mib.inc(Counter::MpRstTx);
            reset.rare_mut().mp_tcprst = Some(MpTcpRst { transient: false, reason });
        }
        reset.seal(tuple.ip_header());
        let ip = IpHeader::default();
        let sent = Sent { at: self.now, ip, tuple: tuple.reversed(), segment: reset };
        self.sent.push_back(sent);
    }

    // ---- sockets -------------------------------------------------------------------------

    fn env(&mut self) -> Env<'_> {
        Env {
            now: self.now,
            clock: Clock::new(self.now, self.config.rules.hz),
            config: &self.config,
            endpoints: &self.endpoints,
            addresses: &self.addresses,
            down: &[],
            netlink: &mut self.netlink,
            mib: &mut self.mib,
            log: &mut self.log,
            random: &mut self.random,
            ports: &mut self.ports,
            active: &mut self.active,
            fast_open: &mut self.fast_open,
        }
    }

    /// A key whose token no other connection has (RFC 8684 section 3.1).
    fn opening(&mut self, tuple: FourTuple, client: bool) -> Opening {
        let attempts = self.config.rules.key_draws.map(|draws| draws[usize::from(!client)]);
        let taken = |token| self.tokens.contains_key(&token);
        let key = draw_key(&mut self.random, self.version, attempts, taken);
        Opening { key, tuple, iss: None }
    }

    fn hold(
        &mut self,
        connection: Connection,
        key: Option<Key>,
        listener: Option<usize>,
        ip: IpHeader,
    ) -> usize {
        let number = self.held.len();
        let mut connection = connection;
        connection.await_accept(listener.is_some());
        if let Some(key) = key {
            self.tokens.insert(token(key, self.version), number);
        }
        self.held.push(Held { connection, listener, ip, bound: 0 });
        self.with(number, |_, _| ());
        number
    }

    /// Opens a connection with up to `bytes` bytes in the SYN; its number, and how many there are.
    pub(super) fn connect(
        &mut self,
        (from, to): (SocketAddr, SocketAddr),
        options: SocketOptions,
        ip: IpHeader,
        bytes: u64,
    ) -> (usize, u64) {
        let mut from = from;
        if from.port() == 0 {
            from.set_port(self.ports.take());
        }
        let opening = self.opening(FourTuple { src: from, dst: to }, true);
        let (connection, written) = {
            let mut env = self.env();
            let mut connection = Connection::connect(&mut env, opening, options);
            let fitting = bytes.min(connection.syn_room());
            let written = connection.write(&mut env, fitting);
            (connection, written)
        };
        (self.hold(connection, opening.key, None, ip), written)
    }

    /// True if a SYN to there could carry data.
    pub(super) fn opens_fast(&self, ends: (IpAddr, IpAddr), options: &SocketOptions) -> bool {
        self.fast_open.opens(ends, options, &self.config.sysctl)
    }

    /// The keys of the cookies that a socket gives out.
    pub(super) fn fast_open_keys(&self, options: &SocketOptions) -> FastOpenKeys {
        self.fast_open.keys(options, &self.config.sysctl)
    }

    /// Gives a listener other options.
    pub(super) fn set_options(&mut self, listener: usize, options: SocketOptions) {
        if let Some(listener) = self.listeners.get_mut(listener) {
            listener.options = options;
        }
    }

    /// Listens; the listener's number.
    pub(super) fn listen(
        &mut self,
        addr: SocketAddr,
        options: SocketOptions,
        ip: IpHeader,
    ) -> usize {
        self.listeners.push(Listener { addr, options, ip, queue: VecDeque::new(), open: true });
        self.listeners.len() - 1
    }

    /// Changes the IP header of a connection's packets.
    pub(super) fn set_ip(&mut self, number: usize, ip: IpHeader) {
        if let Some(held) = self.held.get_mut(number) {
            held.ip = ip;
        }
    }

    /// A client would ask for MPTCP now: counted if it may not (`mptcp_connect`).
    pub(super) fn client_asks(&mut self) {
        let timeout = self.config.sysctl.blackhole_timeout;
        if self.active.is_disabled(self.now, timeout) {
            self.mib.inc(Counter::MpCapableSynTxDisabled);
        }
    }

    /// The connection that has waited longest to be accepted.
    pub(super) fn accept(&mut self, listener: usize) -> Option<usize> {
        let number = self.listeners.get_mut(listener)?.queue.pop_front()?;
        self.with(number, |connection, _| connection.await_accept(false));
        Some(number)
    }

    /// The ports of the sockets that listen.
    pub(super) fn listening_ports(&self) -> impl Iterator<Item = u16> {
        self.listeners.iter().filter(|listener| listener.open).map(|it| it.addr.port())
    }

    /// True if a connection waits to be accepted.
    pub(super) fn acceptable(&self, listener: usize) -> bool {
        self.listeners.get(listener).is_some_and(|listener| !listener.queue.is_empty())
    }

    /// Listens no more; what nobody has accepted is reset (`inet_csk_listen_stop`).
    pub(super) fn close_listener(&mut self, listener: usize) {
        let Some(closing) = self.listeners.get_mut(listener) else { return };
        closing.open = false;
        let waiting = std::mem::take(&mut closing.queue);
        let opening =
            self.held.iter().enumerate().filter(|(_, held)| held.listener == Some(listener));
        let opening: Vec<usize> = opening.map(|(number, _)| number).collect();
        for number in waiting {
            self.with(number, |connection, env| connection.abort(env));
        }
        // Requests are forgotten without a word.
        let sent = self.sent.len();
        for number in opening {
            self.with(number, |connection, env| connection.abort(env));
        }
        self.sent.truncate(sent);
    }

    // ---- administration ------------------------------------------------------------------

    /// Tells every connection of a change of the endpoints.
    pub(super) fn tell_all(&mut self, event: PathEvent) {
        for number in 0..self.held.len() {
            let over = self.connection(number).is_none_or(Connection::is_closed);
            if !over {
                self.with(number, |connection, env| connection.path_event(env, event));
            }
        }
    }
}
