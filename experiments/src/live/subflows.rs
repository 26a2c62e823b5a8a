//! Subflows of a real kernel as rows of the tables: what a simulated host would say of them.
//!
//! When they are opened and closed, and what is acknowledged and sent again, is counted from the kernel's packets;
//! windows and round-trip times are what `ss` prints from time to time. What neither tells stays empty.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mptcpsim_core::time::Time;
use mptcpsim_models::segment::{Flags, FourTuple, MpJoin, Segment};
use mptcpsim_models::seq::Seq;

use crate::metrics::percentile;
use crate::plan::Plan;
use crate::results::{SubflowRow, TimeseriesRow};

/// The options of `ss` for a sample.
pub(super) const SAMPLE: &[&str] = &["-tinOH"];
/// What the kernel has as long as there is no slow-start threshold.
const INFINITE_SSTHRESH: u64 = 0x7fff_ffff;

/// The subflows of a host.
pub(super) struct Subflows {
    plan: Arc<Plan>,
    host: usize,
    /// In the order in which they were opened, each seen from the host.
    known: Vec<(FourTuple, Subflow)>,
    /// How many connections have come to each port.
    begun: BTreeMap<u16, usize>,
    /// What was acknowledged by when.
    acknowledged: Vec<(Time, Vec<u64>)>,
}

/// What packets tell.
struct Subflow {
    flow: usize,
    number: u32,
    /// The host has opened it.
    client: bool,
    join: bool,
    backup: bool,
    opened: Time,
    established: Option<Time>,
    closed: Option<Time>,
    reset: bool,
    /// FINs sent and received.
    ended: [bool; 2],
    /// The first byte that is not acknowledged, and the end of what was sent.
    unacknowledged: Seq,
    highest: Seq,
    bytes: u64,
    retransmissions: u64,
}

/// What `ss` says of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Socket {
    cwnd: u64,
    ssthresh: Option<u64>,
    srtt_ms: Option<f64>,
    min_rtt_ms: Option<f64>,
    in_flight_bytes: u64,
    window: u64,
    dsack_dups: u64,
}

impl Subflows {
    pub(super) fn new(plan: Arc<Plan>, host: usize) -> Self {
        let (known, acknowledged) = (Vec::new(), Vec::new());
        Self { plan, host, known, begun: BTreeMap::new(), acknowledged }
    }

    /// A packet that the kernel has sent or is given.
    pub(super) fn packet(&mut self, now: Time, sent: bool, tuple: FourTuple, segment: &Segment) {
        let own = if sent { tuple } else { tuple.reversed() };
        let has = |flag| segment.flags.has(flag);
        let known = self.known.iter().rposition(|(known, _)| *known == own);
        let fresh = has(Flags::SYN) && !has(Flags::ACK);
        let index = match known {
            Some(index) if !fresh || self.known[index].1.closed.is_none() => index,
            _ if fresh => match self.open(now, sent, own, segment) {
                Some(index) => index,
                None => return,
            },
            _ => return,
        };
        if let Some((_, subflow)) = self.known.get_mut(index) {
            if sent {
                subflow.sent(segment)
            } else {
                subflow.received(now, segment)
            }
            subflow.ends(now, sent, segment);
        }
    }

    fn open(&mut self, now: Time, client: bool, own: FourTuple, syn: &Segment) -> Option<usize> {
        let join = syn.mp_join();
        let port = if client { own.dst.port() } else { own.src.port() };
        let flow = self.flow(join.is_some(), client, port)?;
        let number = self.known.iter().filter(|(_, known)| known.flow == flow).count();
        self.known.push((
            own,
            Subflow {
                flow,
                number: u32::try_from(number).unwrap_or(u32::MAX),
                client,
                join: join.is_some(),
                backup: matches!(join, Some(MpJoin::Syn { backup: true, .. })),
                opened: now,
                established: None,
                closed: None,
                reset: false,
                ended: [false; 2],
                unacknowledged: Seq(0),
                highest: Seq(0),
                bytes: 0,
                retransmissions: 0,
            },
        ));
        Some(self.known.len() - 1)
    }

    /// Which flow a SYN to `port` belongs to. Connections to the same port come in the order of the flows; of which
    /// of them a join is, its port does not tell.
    fn flow(&mut self, join: bool, client: bool, port: u16) -> Option<usize> {
        let flows = self.plan.flows.iter().enumerate();
        let end = |host: usize| host == self.host;
        let own =
            flows.filter(|(_, flow)| end(if client { flow.from.host.0 } else { flow.to.host.0 }));
        let (here, elsewhere): (Vec<_>, Vec<_>) = own.partition(|(_, flow)| flow.port == port);
        if join {
            let all = if here.is_empty() { &elsewhere } else { &here };
            return if let [(one, _)] = all.as_slice() { Some(*one) } else { None };
        }
        let begun = self.begun.entry(port).or_default();
        *begun += 1;
        here.get(*begun - 1).map(|(flow, _)| *flow)
    }

    /// Notes what is acknowledged by now, when `ss` is asked too.
    pub(super) fn sample(&mut self, now: Time) {
        self.acknowledged.push((now, self.known.iter().map(|(_, known)| known.bytes).collect()));
    }

    /// The rows of both tables; `listings` is what `ss` printed at the times of the samples.
    pub(super) fn rows(
        &self,
        listings: &[(Time, String)],
    ) -> (Vec<SubflowRow>, Vec<TimeseriesRow>) {
        let mut last = BTreeMap::new();
        let mut srtts = BTreeMap::<usize, Vec<f64>>::new();
        let mut series = Vec::new();
        let mut before: (Time, &[u64]) = (Time::ZERO, &[]);
        for (at, bytes) in &self.acknowledged {
            let listing = listings.iter().find(|(listed, _)| listed == at);
            let sockets: BTreeMap<_, _> =
                listing.into_iter().flat_map(|(_, text)| text.lines().filter_map(socket)).collect();
            for (index, (tuple, subflow)) in self.known.iter().enumerate() {
                let (Some(socket), Some(bytes)) = (sockets.get(tuple), bytes.get(index)) else {
                    continue;
                };
                last.insert(index, *socket);
                srtts.entry(index).or_default().extend(socket.srtt_ms);
                let new = bytes - before.1.get(index).copied().unwrap_or(0);
                let interval = (*at - before.0).as_secs_f64();
                series.push(self.sampled(
                    *at,
                    (tuple, subflow),
                    socket,
                    *bytes,
                    new as f64 / interval,
                ));
            }
            before = (*at, bytes);
        }
        let total = |flow| {
            let own = self.known.iter().filter(move |(_, known)| known.flow == flow);
            own.map(|(_, known)| known.bytes).sum::<u64>()
        };
        let rows = self.known.iter().enumerate().map(|(index, (tuple, subflow))| {
            let srtts = srtts.get(&index).map_or(&[][..], Vec::as_slice);
            self.row((tuple, subflow), total(subflow.flow), last.get(&index), srtts)
        });
        (rows.collect(), series)
    }

    fn sampled(
        &self,
        at: Time,
        (tuple, subflow): (&FourTuple, &Subflow),
        socket: &Socket,
        bytes: u64,
        bytes_per_s: f64,
    ) -> TimeseriesRow {
        TimeseriesRow {
            time_s: at.as_secs_f64(),
            flow: self.name(subflow),
            sender: self.sender(),
            subflow: subflow.number,
            path: self.path(tuple),
            cwnd_packets: socket.cwnd,
            ssthresh_packets: socket.ssthresh,
            srtt_ms: socket.srtt_ms,
            inflight_bytes: socket.in_flight_bytes,
            delivered_bytes: bytes,
            rate_bps: if bytes_per_s.is_finite() { 8.0 * bytes_per_s } else { 0.0 },
            rwnd_bytes: socket.window,
            out_of_order_bytes: None,
        }
    }

    fn row(
        &self,
        (tuple, subflow): (&FourTuple, &Subflow),
        total: u64,
        socket: Option<&Socket>,
        srtts: &[f64],
    ) -> SubflowRow {
        let (source, destination) =
            if subflow.client { (tuple.src, tuple.dst) } else { (tuple.dst, tuple.src) };
        let end = self.acknowledged.last().map_or(subflow.opened, |(at, _)| *at);
        let time = subflow
            .established
            .map(|from| (subflow.closed.unwrap_or(end.max(from)) - from).as_secs_f64());
        let rate = time.filter(|time| *time > 0.0).map(|time| 8.0 * subflow.bytes as f64 / time);
        SubflowRow {
            flow: self.name(subflow),
            sender: self.sender(),
            subflow: subflow.number,
            path: self.path(tuple),
            source: source.to_string(),
            destination: destination.to_string(),
            backup: subflow.backup,
            opened_s: subflow.opened.as_secs_f64(),
            opened_because: if subflow.join { "join" } else { "initial" }.to_owned(),
            established_s: subflow.established.map(Time::as_secs_f64),
            closed_s: subflow.closed.map(Time::as_secs_f64),
            closed_because: if subflow.reset { "reset" } else { "" }.to_owned(),
            bytes: subflow.bytes,
            share: (total > 0).then(|| subflow.bytes as f64 / total as f64),
            goodput_bps: rate,
            srtt_ms: socket.and_then(|socket| socket.srtt_ms),
            min_rtt_ms: socket.and_then(|socket| socket.min_rtt_ms),
            srtt_p50_ms: percentile(srtts, 50.0),
            srtt_p99_ms: percentile(srtts, 99.0),
            chosen: None,
            losses: None,
            retransmissions: subflow.retransmissions,
            spurious_retransmissions: socket.map(|socket| socket.dsack_dups),
            timeouts: None,
            reinjected_bytes: None,
        }
    }

    fn name(&self, subflow: &Subflow) -> String {
        self.plan.flows.get(subflow.flow).map_or_else(String::new, |flow| flow.name.clone())
    }

    fn sender(&self) -> String {
        self.plan.hosts.get(self.host).map_or_else(String::new, |host| host.name.clone())
    }

    /// The path between its ends, or, where an address is translated on the way, from its own end.
    fn path(&self, tuple: &FourTuple) -> String {
        let (own, peer) = (tuple.src.ip(), tuple.dst.ip());
        let routes = || self.plan.routes.iter();
        let whole = routes().find(|it| (it.a, it.b) == (own, peer) || (it.b, it.a) == (own, peer));
        let route = whole.or_else(|| routes().find(|it| it.a == own || it.b == own));
        let path = route.and_then(|route| self.plan.paths.get(route.path.0));
        path.map_or_else(String::new, |path| path.name.clone())
    }
}

impl Subflow {
    fn sent(&mut self, segment: &Segment) {
        if segment.flags.has(Flags::SYN) {
            let first = Seq(segment.seq.0.wrapping_add(1));
            (self.unacknowledged, self.highest) = (first, first);
        } else if !segment.payload.is_empty() {
            self.retransmissions += u64::from(segment.seq.before(self.highest));
            let end = Seq(segment.seq.0.wrapping_add(segment.payload.len()));
            self.highest = self.highest.latest(end);
        }
    }

    fn received(&mut self, now: Time, segment: &Segment) {
        if !segment.flags.has(Flags::ACK) || segment.flags.has(Flags::RST) {
            return;
        }
        self.established.get_or_insert(now);
        // A FIN is acknowledged beyond the last byte.
        let ack = segment.ack.earliest(self.highest);
        if ack.after(self.unacknowledged) {
            self.bytes += u64::from(ack.0.wrapping_sub(self.unacknowledged.0));
            self.unacknowledged = ack;
        }
    }

    /// It is closed by a reset, or when both ends have sent a FIN.
    fn ends(&mut self, now: Time, sent: bool, segment: &Segment) {
        self.ended[usize::from(sent)] |= segment.flags.has(Flags::FIN);
        let reset = segment.flags.has(Flags::RST);
        if self.closed.is_none() && (reset || self.ended == [true; 2]) {
            (self.closed, self.reset) = (Some(now), reset);
        }
    }
}

/// A line of `ss -tinO`: state, queues, both ends, and then `name:value`.
fn socket(line: &str) -> Option<(FourTuple, Socket)> {
    let mut words = line.split_whitespace().skip(3);
    let tuple = FourTuple { src: address(words.next()?)?, dst: address(words.next()?)? };
    let fields: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once(':')).collect();
    let number = |name: &str| fields.get(name).and_then(|text| text.parse::<u64>().ok());
    let first = |name: &str| fields.get(name).and_then(|text| text.split('/').next());
    let some = |name: &str| number(name).unwrap_or(0);
    let again = first("retrans").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let packets = (some("unacked") + again).saturating_sub(some("sacked") + some("lost"));
    Some((
        tuple,
        Socket {
            cwnd: number("cwnd")?,
            ssthresh: number("ssthresh").filter(|packets| *packets < INFINITE_SSTHRESH),
            srtt_ms: first("rtt").and_then(|text| text.parse().ok()),
            min_rtt_ms: first("minrtt").and_then(|text| text.parse().ok()),
            in_flight_bytes: packets * some("mss"),
            window: some("snd_wnd"),
            dsack_dups: some("dsack_dups"),
        },
    ))
}

/// `10.0.0.1%eth0:80`, `[fd00::1]:80`.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').split([']', '%']).next()?;
    Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Notation, Source, check};

    const LINE: &str = "ESTAB 0 1428 10.0.0.1%c0:40000 10.0.0.2:5001 cubic wscale:7,7 rto:224 \
        rtt:20.5/0.25 mss:1428 cwnd:12 ssthresh:9 bytes_acked:100 unacked:5 retrans:1/3 lost:2 \
        dsack_dups:1 minrtt:20.1 snd_wnd:65536 tcp-ulp-mptcp flags:Mmec token:0000(id:0)/1(id:0)";

    fn subflows() -> Subflows {
        let text = r#"
            [[paths]]
            name = "a"
            rate = "10 Mbit/s"
            delay = "10 ms"
            [[flows]]
            app = { kind = "bulk", bytes = "1 MB" }
        "#;
        let plan = check(&Source::new("test", text, Notation::Toml), &[]).unwrap();
        Subflows::new(Arc::new(plan), 0)
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + mptcpsim_core::time::Span::from_ms(ms)
    }

    fn segment(flags: Flags, seq: u32, ack: u32, bytes: u32) -> Segment {
        let payload = mptcpsim_models::payload::Payload::pattern(0, bytes);
        Segment { flags, seq: Seq(seq), ack: Seq(ack), payload, ..Segment::default() }
    }

    #[test]
    fn a_line_of_ss_becomes_a_socket() {
        let (tuple, read) = socket(LINE).unwrap();
        assert_eq!(tuple.src, "10.0.0.1:40000".parse().unwrap());
        let wanted = Socket {
            cwnd: 12,
            ssthresh: Some(9),
            srtt_ms: Some(20.5),
            min_rtt_ms: Some(20.1),
            in_flight_bytes: 4 * 1428,
            window: 65_536,
            dsack_dups: 1,
        };
        assert_eq!(read, wanted);
        assert_eq!(address("[fd00::1]%c0:80"), Some("[fd00::1]:80".parse().unwrap()));
        assert!(socket("LISTEN 0 1024 0.0.0.0:5001 0.0.0.0:*").is_none());
    }

    #[test]
    fn packets_tell_when_a_subflow_lived_and_what_it_carried() {
        let mut subflows = subflows();
        let tuple = FourTuple {
            src: "10.0.1.1:40000".parse().unwrap(),
            dst: "10.0.1.2:5001".parse().unwrap(),
        };
        let (syn, ack) = (Flags::SYN, Flags::ACK);
        let start = u32::MAX - 500;
        subflows.packet(at(1), true, tuple, &segment(syn, start, 0, 0));
        subflows.packet(at(21), false, tuple.reversed(), &segment(syn | ack, 7, start + 1, 0));
        subflows.packet(at(22), true, tuple, &segment(ack, start + 1, 8, 1_000));
        subflows.packet(at(30), true, tuple, &segment(ack, start + 1, 8, 1_000));
        let all = start.wrapping_add(1_001);
        subflows.packet(at(50), true, tuple, &segment(ack | Flags::FIN, all, 8, 0));
        subflows.sample(at(60));
        let over = segment(ack | Flags::FIN, 8, all.wrapping_add(1), 0);
        subflows.packet(at(71), false, tuple.reversed(), &over);
        let line = LINE.replace("10.0.0.1%c0", "10.0.1.1").replace("10.0.0.2", "10.0.1.2");
        let (rows, series) = subflows.rows(&[(at(60), line)]);
        assert_eq!((rows.len(), series.len()), (1, 1));
        let row = &rows[0];
        assert_eq!((row.bytes, row.retransmissions, row.path.as_str()), (1_000, 1, "a"));
        assert_eq!(
            (row.opened_s, row.established_s, row.closed_s),
            (0.001, Some(0.021), Some(0.071))
        );
        assert_eq!((row.share, row.srtt_ms, row.losses), (Some(1.0), Some(20.5), None));
        assert_eq!((series[0].cwnd_packets, series[0].delivered_bytes), (12, 0));
    }
}
