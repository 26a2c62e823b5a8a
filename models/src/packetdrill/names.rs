//! What the names and relative numbers of a script stand for.
//!
//! A script speaks of `addr[saddr1]`, `key[skey]`, sequence number 1 and data
//! sequence number 1; packets hold addresses, keys and numbers counted from
//! random beginnings. [`Names`] learns them from what passes by, one [`Flow`]
//! per TCP connection and one [`Pair`] of keys per MPTCP connection.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::script::{Direction, KeyName, Packet, Place, TcpOption};
use crate::mptcp_keys::{Key, Version, idsn};
use crate::segment::{Flags, FourTuple, MpJoin, Segment};

/// First port of the script's side.
const FIRST_REMOTE_PORT: u16 = 40_000;

/// One TCP connection, or subflow.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    /// As the host sends.
    pub(super) tuple: FourTuple,
    /// What to add to the script's numbers of the host's direction.
    pub(super) host_offset: u32,
    /// The number of the script's SYN, from which its other numbers are counted.
    pub(super) script_offset: u32,
    /// Number of the keys.
    pub(super) pair: usize,
    /// There was a SYN, and the script has sent nothing but SYNs: another one may cross the host's.
    opening: bool,
    /// The host's timestamps by the script's.
    stamps: BTreeMap<u32, u32>,
    /// The first timestamp of the host: the script's, and the real one.
    pub(super) first_stamp: Option<(u32, u32)>,
    /// Timestamps that the script sent.
    echoes: BTreeSet<u32>,
    /// Nonces of MP_JOIN: the host's and the script's.
    pub(super) host_nonce: u32,
    pub(super) script_nonce: u32,
    /// Where the next mapping of the script starts in the subflow.
    pub(super) next_ssn: u32,
}

/// The keys of an MPTCP connection and how far its streams are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    pub(super) host: Option<Key>,
    pub(super) script: Option<Key>,
    /// Relative data sequence numbers behind what the script, and the host, have sent.
    pub(super) script_next: u64,
    pub(super) host_next: u64,
}

/// The names of a script.
#[derive(Clone, Debug)]
pub(super) struct Names {
    version: Version,
    /// First addresses of the host and of the script.
    local: IpAddr,
    remote: IpAddr,
    /// Where the host listens.
    pub(super) listen_port: u16,
    addresses: BTreeMap<String, IpAddr>,
    keys: BTreeMap<String, Key>,
    pub(super) flows: Vec<Flow>,
    pub(super) pairs: Vec<Pair>,
    /// The flow of packets that do not say theirs.
    current: Option<usize>,
}

impl Names {
    pub(super) fn new(version: Version, local: IpAddr, remote: IpAddr, listen_port: u16) -> Self {
        Self {
            version,
            local,
            remote,
            listen_port,
            addresses: BTreeMap::new(),
            keys: BTreeMap::new(),
            flows: Vec::new(),
            pairs: Vec::new(),
            current: None,
        }
    }

    /// The flow that the last packet belonged to.
    pub(super) const fn current(&self) -> Option<usize> {
        self.current
    }

    /// The keys of a flow.
    pub(super) fn pair(&self, flow: usize) -> Pair {
        let pair = self.flows.get(flow).and_then(|flow| self.pairs.get(flow.pair));
        pair.copied().unwrap_or_default()
    }

    fn pair_mut(&mut self, flow: usize) -> Option<&mut Pair> {
        let pair = self.flows.get(flow)?.pair;
        self.pairs.get_mut(pair)
    }

    /// The key with this name.
    pub(super) fn key(&self, name: &str) -> Option<Key> {
        self.keys.get(name).copied()
    }

    /// The name of a key.
    pub(super) fn name_of(&self, key: Key) -> Option<&str> {
        self.keys.iter().find(|(_, known)| **known == key).map(|(name, _)| name.as_str())
    }

    /// The address with this name.
    pub(super) fn address(&self, name: &str) -> Option<IpAddr> {
        self.addresses.get(name).copied()
    }

    /// The initial data sequence number that a key stands for.
    pub(super) fn idsn(&self, key: Key) -> u64 {
        idsn(key, self.version)
    }

    // ---- flows ---------------------------------------------------------------------------

    fn ip_of(&self, place: Option<&Place>) -> Option<IpAddr> {
        match place? {
            Place::Port(_) => None,
            Place::Address(addr) => Some(addr.ip()),
            Place::Variable(name) => self.address(name),
        }
    }

    /// True if packets of `flow` may have these ends, the host's and the script's.
    fn fits(&self, flow: &Flow, local: Option<&Place>, remote: Option<&Place>) -> bool {
        let port = |place: Option<&Place>| match place {
            Some(Place::Port(port)) => Some(*port),
            Some(Place::Address(addr)) => Some(addr.port()),
            _ => None,
        };
        let fits = |place: Option<&Place>, end: SocketAddr| {
            self.ip_of(place).is_none_or(|ip| ip == end.ip())
                && port(place).is_none_or(|port| port == end.port())
        };
        fits(local, flow.tuple.src) && fits(remote, flow.tuple.dst)
    }

    /// The flow of a packet with these ends: the newest that may be it.
    fn find(&self, local: Option<&Place>, remote: Option<&Place>) -> Option<usize> {
        let fits =
            |flow: &usize| self.flows.get(*flow).is_some_and(|flow| self.fits(flow, local, remote));
        (0..self.flows.len()).rev().find(fits)
    }

    fn add_flow(&mut self, tuple: FourTuple, opening: bool, joins: bool) -> usize {
        let pair = match self.current.and_then(|flow| self.flows.get(flow)) {
            Some(flow) if joins => flow.pair,
            _ => {
                let (script_next, host_next) = (1, 1);
                self.pairs.push(Pair { script_next, host_next, ..Pair::default() });
                self.pairs.len() - 1
            }
        };
        let number = self.flows.len();
        self.flows.push(Flow {
            tuple,
            host_offset: 0,
            script_offset: 0,
            pair,
            opening,
            stamps: BTreeMap::new(),
            first_stamp: None,
            echoes: BTreeSet::new(),
            host_nonce: 0,
            script_nonce: 0x5eed_0000 + number as u32,
            next_ssn: 1,
        });
        self.current = Some(number);
        number
    }

    /// The flow of a packet that the script sends; a SYN begins one.
    pub(super) fn inbound_flow(&mut self, packet: &Packet) -> usize {
        let (local, remote) = (packet.to.as_ref(), packet.from.as_ref());
        let opens = packet.flags.has(Flags::SYN) && !packet.flags.has(Flags::ACK);
        let found = self.find(local, remote);
        let repeats = found.filter(|flow| {
            !opens
                || self.flows.get(*flow).is_some_and(|f| f.opening && self.fits(f, local, remote))
        });
        // An unknown name is a new address, even where a flow would do.
        let repeats = repeats.filter(|_| !opens || self.known(remote));
        let flow = match repeats {
            Some(flow) => flow,
            None => self.begin_inbound(packet),
        };
        if let Some(flow) = self.flows.get_mut(flow) {
            flow.opening &= opens;
        }
        self.current = Some(flow);
        flow
    }

    fn known(&self, place: Option<&Place>) -> bool {
        match place {
            Some(Place::Variable(name)) => self.addresses.contains_key(name),
            _ => true,
        }
    }

    fn begin_inbound(&mut self, packet: &Packet) -> usize {
        let port = FIRST_REMOTE_PORT + self.flows.len() as u16;
        let src = self.end(packet.from.as_ref(), SocketAddr::new(self.remote, port));
        let dst = self.end(packet.to.as_ref(), SocketAddr::new(self.local, self.listen_port));
        let joins = packet.options.iter().flatten().any(|o| matches!(o, TcpOption::JoinSyn { .. }));
        self.add_flow(FourTuple { src: dst, dst: src }, true, joins)
    }

    /// The end that `place` names; an unknown name with a number is that far from the first.
    fn end(&mut self, place: Option<&Place>, first: SocketAddr) -> SocketAddr {
        match place {
            None => first,
            Some(Place::Port(port)) => SocketAddr::new(first.ip(), *port),
            Some(Place::Address(addr)) => *addr,
            Some(Place::Variable(name)) => {
                let ip = self.define_address(name, first.ip());
                SocketAddr::new(ip, first.port())
            }
        }
    }

    fn define_address(&mut self, name: &str, first: IpAddr) -> IpAddr {
        let ip = self.address(name).unwrap_or_else(|| nth_address(first, number_of(name)));
        self.addresses.insert(name.to_owned(), ip);
        ip
    }

    /// The flow of a packet that the host sent, if it may be the one that the script expects.
    pub(super) fn outbound_flow(&mut self, packet: &Packet, tuple: FourTuple) -> Option<usize> {
        let (local, remote) = (packet.from.as_ref(), packet.to.as_ref());
        let opens = packet.flags.has(Flags::SYN) && !packet.flags.has(Flags::ACK);
        let known = self.flows.iter().position(|flow| flow.tuple == tuple);
        let flow = match known {
            None if opens => {
                let joins =
                    packet.options.iter().flatten().any(|o| matches!(o, TcpOption::JoinSyn { .. }));
                self.add_flow(tuple, true, joins)
            }
            None => return None,
            Some(flow) => flow,
        };
        let named = local.is_some() || remote.is_some();
        let fits = self.flows.get(flow).is_some_and(|flow| self.fits(flow, local, remote));
        let newest = flow + 1 == self.flows.len();
        if !fits || !(named || opens || newest || self.current == Some(flow)) {
            return None;
        }
        for (place, end) in [(local, tuple.src), (remote, tuple.dst)] {
            if let Some(Place::Variable(name)) = place {
                self.addresses.entry(name.clone()).or_insert(end.ip());
            }
        }
        self.current = Some(flow);
        Some(flow)
    }

    /// True if the script has spoken of packets of this tuple.
    pub(super) fn knows(&self, tuple: FourTuple) -> bool {
        self.flows.iter().any(|flow| flow.tuple == tuple)
    }

    /// True if a packet of this tuple is of a connection before the one that the script last spoke of.
    pub(super) fn is_of_earlier_connection(&self, tuple: FourTuple) -> bool {
        let flow = self.flows.iter().find(|flow| flow.tuple == tuple);
        let current = self.current.and_then(|current| self.flows.get(current));
        flow.zip(current).is_some_and(|(flow, current)| flow.pair < current.pair)
    }

    // ---- learning ------------------------------------------------------------------------

    /// Takes in the names that a packet of the script defines.
    pub(super) fn learn_inbound(&mut self, packet: &Packet, flow: usize) {
        if packet.flags.has(Flags::SYN)
            && let Some(flow) = self.flows.get_mut(flow)
        {
            flow.script_offset = packet.seq;
        }
        for option in packet.options.iter().flatten() {
            match option {
                TcpOption::Capable(capable) => self.learn_script_key(&capable.keys, flow),
                TcpOption::AddAddr(add) => {
                    let first = add.addr.unwrap_or(self.remote);
                    if let Some(addr) = add.addr {
                        self.addresses.insert(add.name.clone(), addr);
                    } else {
                        self.define_address(&add.name, first);
                    }
                }
                TcpOption::JoinSyn { nonce: Some(nonce), .. }
                | TcpOption::JoinSynAck { nonce: Some(nonce), .. } => {
                    if let Some(flow) = self.flows.get_mut(flow) {
                        flow.script_nonce = *nonce;
                    }
                }
                TcpOption::Fastclose(Some(key), _) => self.define_key(key),
                TcpOption::Timestamps { val, .. } => {
                    if let Some(flow) = self.flows.get_mut(flow) {
                        flow.echoes.insert(*val);
                    }
                }
                _ => {}
            }
        }
    }

    /// A number gives a key the bytes of its memory, the lowest first.
    fn define_key(&mut self, key: &KeyName) {
        if let Some(value) = key.value {
            self.keys.insert(key.name.clone(), Key((value as u64).swap_bytes()));
        }
    }

    fn learn_script_key(&mut self, keys: &[KeyName], flow: usize) {
        keys.iter().for_each(|key| self.define_key(key));
        let Some(own) = keys.first() else { return };
        let fresh = Key(0x6b65_7900_0000_0001 + self.pairs.len() as u64);
        let value = *self.keys.entry(own.name.clone()).or_insert(fresh);
        let Some(pair) = self.pair_mut(flow) else { return };
        pair.script.get_or_insert(value);
        let host = pair.host;
        if let (Some(other), Some(host)) = (keys.get(1), host) {
            self.keys.entry(other.name.clone()).or_insert(host);
        }
    }

    /// Takes in the names that a packet of the host gives values.
    pub(super) fn learn_outbound(&mut self, packet: &Packet, actual: &Segment, flow: usize) {
        if packet.flags.has(Flags::SYN) && actual.flags.has(Flags::SYN) {
            self.flows[flow].host_offset = actual.seq.0.wrapping_sub(packet.seq);
        }
        for option in packet.options.iter().flatten() {
            match option {
                TcpOption::Capable(capable) => {
                    let sender = actual.mp_capable().and_then(|option| option.sender_key);
                    self.learn_host_key(&capable.keys, sender.map(Key), flow);
                }
                TcpOption::AddAddr(add) => {
                    let actual = actual.rare().and_then(|rare| rare.add_addr);
                    if let Some(addr) = add.addr.or(actual.map(|option| option.addr)) {
                        self.addresses.entry(add.name.clone()).or_insert(addr);
                    }
                }
                TcpOption::JoinSyn { .. } | TcpOption::JoinSynAck { .. } => {
                    if let Some(MpJoin::Syn { nonce, .. } | MpJoin::SynAck { nonce, .. }) =
                        actual.mp_join()
                    {
                        self.flows[flow].host_nonce = *nonce;
                    }
                }
                _ => {}
            }
        }
    }

    fn learn_host_key(&mut self, keys: &[KeyName], sender: Option<Key>, flow: usize) {
        let (Some(own), Some(key)) = (keys.first(), sender) else { return };
        let Some(pair) = self.pair_mut(flow) else { return };
        if pair.host.is_none() {
            pair.host = Some(key);
            self.keys.insert(own.name.clone(), key);
        }
        let script = self.pair(flow).script;
        if let (Some(other), Some(script)) = (keys.get(1), script) {
            self.keys.entry(other.name.clone()).or_insert(script);
        }
    }

    // ---- streams and timestamps --------------------------------------------------------------

    /// A packet of the script has carried a mapping: relative DSN and SSN, and length.
    pub(super) fn mapped_inbound(&mut self, flow: usize, dsn: u64, ssn: u32, len: u16) {
        if let Some(flow) = self.flows.get_mut(flow) {
            flow.next_ssn = flow.next_ssn.max(ssn.saturating_add(u32::from(len)));
        }
        if let Some(pair) = self.pair_mut(flow) {
            pair.script_next = pair.script_next.max(dsn.saturating_add(u64::from(len)));
        }
    }

    /// A packet of the host has carried a mapping.
    pub(super) fn mapped_outbound(&mut self, flow: usize, dsn: u64, len: u16) {
        if let Some(pair) = self.pair_mut(flow) {
            pair.host_next = pair.host_next.max(dsn.saturating_add(u64::from(len)));
        }
    }

    /// The host's timestamp that the script calls `val`.
    pub(super) fn live_stamp(&self, flow: usize, val: u32) -> Option<u32> {
        self.flows.get(flow)?.stamps.get(&val).copied()
    }

    /// The host sent `live` where the script has `val`.
    pub(super) fn note_stamp(&mut self, flow: usize, val: u32, live: u32) {
        if let Some(flow) = self.flows.get_mut(flow) {
            flow.stamps.insert(val, live);
            flow.first_stamp.get_or_insert((val, live));
        }
    }

    /// True if the script has sent the timestamp `ecr`.
    pub(super) fn may_echo(&self, flow: usize, ecr: u32) -> bool {
        ecr == 0 || self.flows.get(flow).is_some_and(|flow| flow.echoes.contains(&ecr))
    }

    /// The address id of the script's end of a flow, if the script does not say it.
    pub(super) fn address_id(&self, flow: usize) -> u8 {
        let remote = self.flows.get(flow).map(|flow| flow.tuple.dst.ip());
        let name = self.addresses.iter().find(|(_, addr)| Some(**addr) == remote);
        name.map_or(0, |(name, _)| number_of(name))
    }
}

/// The number at the end of a name.
pub(super) fn number_of(name: &str) -> u8 {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap_or(0)
}

/// The address `n` behind `first`.
fn nth_address(first: IpAddr, n: u8) -> IpAddr {
    match first {
        IpAddr::V4(addr) => IpAddr::V4(u32::from(addr).wrapping_add(u32::from(n)).into()),
        IpAddr::V6(addr) => IpAddr::V6(u128::from(addr).wrapping_add(u128::from(n)).into()),
    }
}

impl Packet {
    /// True if the host sends it.
    pub(super) fn is_outbound(&self) -> bool {
        self.direction == Direction::Outbound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_numbers_are_neighbours() {
        assert_eq!(number_of("caddr12"), 12);
        assert_eq!(number_of("ep"), 0);
        let first: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(nth_address(first, 2), "192.0.2.3".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn keys_are_given_as_memory_holds_them() {
        let addr: IpAddr = "192.0.2.1".parse().unwrap();
        let mut names = Names::new(Version::V1, addr, addr, 8_080);
        names.define_key(&KeyName { name: "ckey".into(), value: Some(2) });
        assert_eq!(names.key("ckey"), Some(Key(0x0200_0000_0000_0000)));
    }
}
