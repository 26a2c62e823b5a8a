//! Split-connection proxies: they end each TCP connection and open another one in its place
//! (RFC 3135 section 2.1.1).
//!
//! The box answers a SYN itself, in the server's name, and opens a connection to the server in the
//! client's name. Each half has windows, buffers and retransmissions of its own: data is
//! acknowledged when it has reached the box, and what is lost behind the box is the box's to repair.
//! Both halves are plain TCP: options of MPTCP end here, and a join is answered as any other SYN.
//!
//! ```text
//!   client ◄─ SYN, data, ACK ─► Connection ─ read ─► write ─ Connection ◄─ SYN, data, ACK ─► server
//! ```

use std::collections::{BTreeMap, VecDeque};

use mptcpsim_core::middlebox::{Emit, Passage};
use mptcpsim_core::rng::Stream;
use mptcpsim_core::time::Time;

use super::{Effect, Kind, Middlebox, Sight, edit};
use crate::congestion::Clock;
use crate::host::Packet;
use crate::host::TupleId;
use crate::mptcp::{
    ActiveMptcp, Connection, Env, EphemeralPorts, FastOpenCookies, MetaState, Opening,
    SocketOptions,
};
use crate::observe::event::EventLog;
use crate::observe::mib::Mib;
use crate::path_manager::endpoints;
use crate::path_manager::userspace::netlink::Netlink;
use crate::payload::Payload;
use crate::rules::Stack;
use crate::segment::{FourTuple, Segment};
use crate::seq::Seq;
use crate::tcp::TcpConfig;

/// The largest packet that the box sends in bytes.
const MTU: u16 = 1_500;

/// What a connection needs of the box it lives in.
#[derive(Clone, Debug)]
struct Inside {
    config: TcpConfig,
    endpoints: endpoints::Config,
    netlink: Netlink,
    mib: Mib,
    log: EventLog,
    random: Stream,
    ports: EphemeralPorts,
    active: ActiveMptcp,
    fast_open: FastOpenCookies,
}

impl Inside {
    fn new(random: Stream) -> Self {
        let rules = Stack::Upstream.rules();
        let config = TcpConfig { mtu: MTU, ..TcpConfig::new(rules) };
        Self {
            config,
            endpoints: endpoints::Config::default(),
            netlink: Netlink::new(Vec::new(), None),
            mib: Mib::default(),
            log: EventLog::new(false),
            random,
            ports: EphemeralPorts::default(),
            active: ActiveMptcp::default(),
            fast_open: FastOpenCookies::default(),
        }
    }

    fn env(&mut self, now: Time) -> Env<'_> {
        Env {
            now,
            clock: Clock::new(now, self.config.rules.hz),
            config: &self.config,
            endpoints: &self.endpoints,
            addresses: &[],
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
}

/// One of the two connections, and what it has to send.
#[derive(Clone, Debug)]
struct Half {
    connection: Connection,
    /// Read from the other half, not yet taken by this one.
    waiting: VecDeque<Payload>,
    /// Bytes taken.
    written: u64,
    /// What of those is not the pattern that a connection sends by itself: a box in front has
    /// changed it. By stream offset, until acknowledged.
    changed: VecDeque<(u64, Payload)>,
    closed: bool,
}

impl Half {
    fn new(connection: Connection) -> Self {
        let (waiting, changed) = (VecDeque::new(), VecDeque::new());
        Self { connection, waiting, written: 0, changed, closed: false }
    }

    /// Writes what waits, as far as there is room.
    fn take(&mut self, env: &mut Env<'_>) -> bool {
        let mut any = false;
        while let Some(first) = self.waiting.front_mut() {
            let taken = self.connection.write(env, u64::from(first.len())) as u32;
            if taken == 0 {
                break;
            }
            let payload = first.slice(0, taken);
            if payload.pattern_start() != Some(self.written) {
                self.changed.push_back((self.written, payload));
            }
            self.written += u64::from(taken);
            first.advance(taken);
            if first.is_empty() {
                self.waiting.pop_front();
            }
            any = true;
        }
        any
    }

    /// The bytes that were read in place of those that the connection knows.
    fn put_back(&mut self, segment: &mut Segment) {
        if self.changed.is_empty() || segment.payload.is_empty() {
            return;
        }
        let acked = self.acknowledged();
        let old = |(start, payload): &(u64, Payload)| start + u64::from(payload.len()) <= acked;
        while self.changed.front().is_some_and(old) {
            self.changed.pop_front();
        }
        let Some(start) = segment.payload.pattern_start() else { return };
        for (at, payload) in &self.changed {
            segment.payload = overlaid(&segment.payload, start, *at, payload);
        }
        segment.seal(edit::ip_header(segment));
    }

    /// The stream offset up to which the peer has everything.
    fn acknowledged(&self) -> u64 {
        let connection = &self.connection;
        let first = connection.subflow(0).map(|subflow| subflow.iss() + 1);
        let una = connection.window(0).map(|window| window.snd_una);
        let Some((first, una)) = first.zip(una) else { return 0 };
        // Numbers wrap, offsets do not: less than half of the number space is under way.
        let low = una - first;
        let behind = (self.written as u32).wrapping_sub(low);
        self.written.saturating_sub(u64::from(behind))
    }
}

/// `under`, which starts at offset `start`, with the bytes of `over` from offset `at` on.
fn overlaid(under: &Payload, start: u64, at: u64, over: &Payload) -> Payload {
    let end = start + u64::from(under.len());
    let (from, to) = (at.max(start), (at + u64::from(over.len())).min(end));
    if from >= to {
        return under.clone();
    }
    let before = under.slice(0, (from - start) as u32);
    let middle = over.slice((from - at) as u32, (to - from) as u32);
    before.concat(&middle).concat(&under.slice((to - start) as u32, (end - to) as u32))
}

/// A connection that passes the box.
#[derive(Clone, Debug)]
struct Relay {
    /// The client's first number: another one is another connection.
    isn: Seq,
    /// The way of the client's segments.
    passage: Passage,
    tuple: TupleId,
    /// Towards the client, towards the server.
    halves: [Half; 2],
}

impl Relay {
    fn due(&self) -> Time {
        self.halves.iter().map(|half| half.connection.due()).min().unwrap_or(Time::NEVER)
    }

    fn is_over(&self) -> bool {
        self.halves.iter().all(|half| half.connection.is_closed())
    }

    fn on_timer(&mut self, now: Time, inside: &mut Inside, out: &mut Emit<Packet>) {
        for half in &mut self.halves {
            if half.connection.due() <= now {
                half.connection.on_timer(&mut inside.env(now));
            }
        }
        self.run(now, inside, out);
    }

    /// Moves data, ends and segments until nothing moves any more.
    fn run(&mut self, now: Time, inside: &mut Inside, out: &mut Emit<Packet>) {
        loop {
            self.send(now, inside, out);
            let [client, server] = &mut self.halves;
            let up = relay(client, server, &mut inside.env(now));
            let down = relay(server, client, &mut inside.env(now));
            let output = |half: &Half| half.connection.has_output();
            if !up && !down && !self.halves.iter().any(output) {
                return;
            }
        }
    }

    fn send(&mut self, now: Time, inside: &mut Inside, out: &mut Emit<Packet>) {
        let [client, server] = &mut self.halves;
        while let Some((_, mut segment)) = client.connection.poll_segment(&mut inside.env(now)) {
            client.put_back(&mut segment);
            out.back(self.passage, Packet::new(segment, self.tuple.reversed()));
        }
        while let Some((_, mut segment)) = server.connection.poll_segment(&mut inside.env(now)) {
            server.put_back(&mut segment);
            out.forward(self.passage, Packet::new(segment, self.tuple));
        }
    }
}

/// Passes on what one half has read: data, the end, a failure. True if something moved.
fn relay(from: &mut Half, to: &mut Half, env: &mut Env<'_>) -> bool {
    if from.connection.error().is_some() && !to.closed {
        to.closed = true;
        to.connection.abort(env);
        return true;
    }
    if to.connection.state() == MetaState::Opening {
        return false;
    }
    let mut moved = to.take(env);
    while to.waiting.is_empty()
        && let Some(payload) = from.connection.read()
    {
        from.connection.after_read(env);
        to.waiting.push_back(payload);
        to.take(env);
        moved = true;
    }
    let ended = from.connection.at_end() && to.waiting.is_empty();
    if ended && !std::mem::replace(&mut to.closed, true) {
        to.connection.close(env);
        moved = true;
    }
    moved
}

/// Ends TCP connections on both sides of itself.
#[derive(Clone, Debug)]
pub(super) struct SplitProxy {
    /// Memory for each half and direction in bytes; without it the halves size their buffers.
    buffer: Option<u32>,
    inside: Inside,
    relays: BTreeMap<u32, Relay>,
}

impl SplitProxy {
    pub(super) fn new(buffer: Option<u32>, random: Stream) -> Self {
        Self { buffer, inside: Inside::new(random), relays: BTreeMap::new() }
    }

    /// A client opens a connection: the box answers, and opens one to the server.
    fn open(&mut self, sight: &Sight, packet: &Packet, tuple: FourTuple) {
        let (rcvbuf, sndbuf) = (self.buffer, self.buffer);
        let mut options =
            SocketOptions { mptcp: false, rcvbuf, sndbuf, ..SocketOptions::default() };
        // What came in small segments leaves in small segments.
        options.nagle.off = true;
        let mut env = self.inside.env(sight.now);
        let as_server = Opening { key: None, tuple: tuple.reversed(), iss: None };
        let client = Connection::accept(&mut env, as_server, options.clone(), &packet.segment);
        let as_client = Opening { key: None, tuple, iss: None };
        let server = Connection::connect(&mut env, as_client, options);
        let relay = Relay {
            isn: packet.segment.seq,
            passage: sight.passage,
            tuple: packet.tuple,
            halves: [Half::new(client), Half::new(server)],
        };
        self.relays.insert(sight.flow, relay);
    }
}

impl Middlebox for SplitProxy {
    fn kind(&self) -> &'static str {
        "split-proxy"
    }

    fn on_packet(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let known = self.relays.get(&sight.flow);
        let opens = sight.kind == Kind::Syn
            && known.is_none_or(|relay| relay.isn != packet.segment.seq && relay.is_over());
        if opens && let Some(tuple) = out.tables.tuples.tuple(packet.tuple) {
            self.open(sight, &packet, tuple);
        }
        let Some(relay) = self.relays.get_mut(&sight.flow) else {
            out.forward(sight.passage, packet);
            return Effect::None;
        };
        if !opens {
            let from_server = sight.direction() != relay.passage.direction();
            let half = &mut relay.halves[usize::from(from_server)];
            half.connection.on_segment(&mut self.inside.env(sight.now), 0, &packet.segment);
        }
        relay.run(sight.now, &mut self.inside, out);
        Effect::Answered
    }

    fn due(&self) -> Time {
        self.relays.values().map(Relay::due).min().unwrap_or(Time::NEVER)
    }

    fn on_timer(&mut self, now: Time, out: &mut Emit<Packet>) {
        for relay in self.relays.values_mut() {
            if relay.due() <= now {
                relay.on_timer(now, &mut self.inside, out);
            }
        }
        self.relays.retain(|_, relay| !relay.is_over() || relay.due() < Time::NEVER);
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}
