//! The events of a script, one after the other, on a virtual clock.
//!
//! Packets and calls of the script happen at their time, everything that the
//! host has to do before happens first. A packet of the host is waited for; it
//! must come within the tolerance. The next relative time counts from when an
//! event should have happened, not from when it did, unless the script leaves
//! that open.

use std::collections::BTreeMap;

use mptcpsim_core::time::{Span, Time};

use super::calls::{self, Caller, Progress, Unsupported};
use super::commands::{self, Done, Shell};
use super::compare::{self, Mismatch};
use super::files::Files;
use super::kernel::{Kernel, Sent};
use super::names::Names;
use super::script::{Action, Call, EcnField, Event, Packet, Script, When};
use super::settings::Settings;
use super::sockets::{Answer, Sockets};
use super::translate::Translation;
use super::{Failure, Options, Outcome, Report, code, info, words};
use crate::mptcp_keys::Version;
use crate::observe::mib::Mib;
use crate::rules::Stack;
use crate::segment::{Ecn, Flags, Segment};
use crate::wire::{emit_options, parse_options};

/// Host time at which scripts start: late enough for timestamps other than 0.
const START: Time = Time::from_ps(1_000_000_000_000);
/// How much longer than the tolerance the host is waited for, to say when a late packet came.
const PATIENCE: Span = Span::from_secs(2);
/// The longest wait for a packet that may come at any time.
const FOREVER: Span = Span::from_secs(1_000);

/// Why a script ends early.
#[derive(Debug)]
enum Stop {
    Fails { what: String, actual: Option<String> },
    Unsupported(String),
}

impl From<Unsupported> for Stop {
    fn from(unsupported: Unsupported) -> Self {
        Self::Unsupported(unsupported.0)
    }
}

fn fails<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fails { what: what.into(), actual: None })
}

/// Runs a script.
pub(super) fn run(script: &Script, options: &Options) -> Report {
    let settings = match Settings::of(&options.settings, script) {
        Ok(settings) => settings,
        Err(setting) => {
            let what = format!("the setting --{}={}", setting.name, setting.value);
            let outcome = Outcome::Unsupported { position: setting.position, what };
            return Report { outcome, trace: Vec::new() };
        }
    };
    let mut runner = Runner::new(settings, options);
    let outcome = runner.script(script);
    Report { outcome, trace: runner.trace.unwrap_or_default() }
}

/// A call that has not returned.
#[derive(Clone, Debug)]
struct Blocked {
    event: Event,
    progress: Progress,
    /// When it should return.
    end: Option<Time>,
}

struct Runner {
    settings: Settings,
    stack: Stack,
    version: Version,
    kernel: Kernel,
    sockets: Sockets,
    files: Files,
    names: Names,
    counted: Mib,
    /// What the script's code has given names to.
    variables: BTreeMap<String, i64>,
    /// What the next relative time counts from.
    reference: Time,
    /// When the current event should happen.
    scheduled: Time,
    blocked: Option<Blocked>,
    /// The call that went wrong while another event was at work.
    culprit: Option<Event>,
    /// What happened, if that is to be noted.
    trace: Option<Vec<String>>,
}

impl Runner {
    fn new(settings: Settings, options: &Options) -> Self {
        let places = settings.places();
        let stack = options.rules.stack;
        let version = options.rules.version;
        let mut kernel = Kernel::new(options.rules, vec![places.local], START);
        kernel.config.mtu = settings.mtu();
        kernel.config.merged_size = settings.mss;
        let names = Names::new(version, places.local, places.remote.ip(), places.bind.port());
        Self {
            settings,
            stack,
            version,
            kernel,
            sockets: Sockets::default(),
            files: Files::default(),
            names,
            counted: Mib::default(),
            variables: BTreeMap::new(),
            reference: START,
            scheduled: START,
            blocked: None,
            culprit: None,
            trace: options.trace.then(Vec::new),
        }
    }

    fn script(&mut self, script: &Script) -> Outcome {
        for event in &script.events {
            if let Err(stop) = self.event(event) {
                return self.outcome(event, stop);
            }
        }
        match (self.finish_call(), script.events.last()) {
            (Err(stop), Some(last)) => self.outcome(last, stop),
            _ => Outcome::Passed,
        }
    }

    fn note(&mut self, at: Time, text: &str) {
        let line = self.stamped(at, text);
        if let Some(trace) = &mut self.trace {
            trace.push(line);
        }
    }

    fn outcome(&self, event: &Event, stop: Stop) -> Outcome {
        let event = self.culprit.as_ref().unwrap_or(event);
        let position = event.position;
        match stop {
            Stop::Unsupported(what) => Outcome::Unsupported { position, what },
            Stop::Fails { what, actual } => Outcome::Failed(Failure {
                position,
                what,
                expected: self.stamped(self.scheduled, &one_line(&event.text)),
                actual,
            }),
        }
    }

    fn stamped(&self, at: Time, text: &str) -> String {
        let us = at.since(START).as_us();
        format!("{}.{:06} {text}", us / 1_000_000, us % 1_000_000)
    }

    fn event(&mut self, event: &Event) -> Result<(), Stop> {
        let (from, to) = match event.when {
            When::Any => (self.reference, Time::NEVER),
            When::Absolute(at) => (START + at, START + at),
            When::Relative(delay) => (self.reference + delay, self.reference + delay),
            When::AbsoluteRange(from, to) => (START + from, START + to),
            When::RelativeRange(from, to) => (self.reference + from, self.reference + to),
        };
        let delay = from.since(self.reference);
        self.scheduled = from;
        let exact = from == to;
        match &event.action {
            Action::Packet(packet) if packet.is_outbound() => {
                let tolerance = self.settings.tolerance(delay);
                let at = self.expect(packet, from, to, tolerance)?;
                self.reference = if exact { from } else { at };
                return Ok(());
            }
            _ if !exact => return fails("only a packet of the host can have an open time"),
            Action::Packet(packet) => {
                self.pass(from)?;
                self.send(packet)?;
            }
            Action::Foreign => {
                return Err(Stop::Unsupported("packets of other protocols than TCP".to_owned()));
            }
            Action::Call(call) => {
                self.pass(from)?;
                self.call(event, call)?;
            }
            Action::Command(command) => {
                self.pass(from)?;
                self.command(command)?;
            }
            Action::Code(statements) => {
                self.pass(from)?;
                self.code(statements)?;
            }
        }
        self.note(from, &one_line(&event.text));
        self.reference = from;
        self.poll_blocked()
    }

    // ---- time ----------------------------------------------------------------------------

    /// Lets time pass until `until`; what it brings may end a call that blocks.
    fn pass(&mut self, until: Time) -> Result<(), Stop> {
        while self.step(until)? {}
        Ok(())
    }

    fn step(&mut self, until: Time) -> Result<bool, Stop> {
        let deadline = self.blocked.as_ref().and_then(|blocked| blocked.progress.deadline);
        let next = deadline.filter(|deadline| *deadline > self.kernel.now()).unwrap_or(until);
        let fired = self.kernel.step(next.min(until));
        self.poll_blocked()?;
        Ok(fired || self.kernel.now() < until)
    }

    // ---- packets of the script -------------------------------------------------------------

    fn send(&mut self, packet: &Packet) -> Result<(), Stop> {
        if packet.ace.is_some() {
            return Err(Stop::Unsupported("accurate ECN".to_owned()));
        }
        let flow = self.names.inbound_flow(packet);
        self.names.learn_inbound(packet, flow);
        let names = &self.names;
        let translation = Translation { names, flow, version: self.version, packet, actual: None };
        let built = translation.segment();
        let Ok(built) = built else {
            return fails(format!("the script asks for {}", built.err().unwrap_or_default()));
        };
        let segment = self.as_heard(packet, &built)?;
        self.note_mapping(packet, flow, &built);
        let tuple = self.names.flows[flow].tuple.reversed();
        self.kernel.receive(tuple, &segment);
        Ok(())
    }

    /// What the host makes of the bytes that the script sends.
    fn as_heard(&self, packet: &Packet, built: &Segment) -> Result<Segment, Stop> {
        let bytes = emit_options(built, self.version);
        let Ok(bytes) = bytes else { return fails("the options do not fit into a TCP header") };
        let mut segment = Segment {
            seq: built.seq,
            ack: built.ack,
            flags: built.flags,
            window: built.window,
            payload: built.payload.clone(),
            ..Segment::default()
        };
        match packet.ip.ecn {
            Some(EcnField::Exactly(ecn)) => segment.ecn = ecn,
            Some(EcnField::Capable) => return fails("the script sends ECT(0) or ECT(1): which?"),
            None => segment.ecn = Ecn::from_bits(packet.ip.tos.unwrap_or(0)),
        }
        parse_options(&bytes, self.version, &mut segment);
        let tuple = self.names.current().and_then(|flow| self.names.flows.get(flow));
        segment.seal(tuple.map_or(20, |flow| flow.tuple.ip_header()));
        Ok(segment)
    }

    /// Remembers how far the stream of a packet's sender is.
    fn note_mapping(&mut self, packet: &Packet, flow: usize, segment: &Segment) {
        let pair = self.names.pair(flow);
        let sender = if packet.is_outbound() { pair.host } else { pair.script };
        let (dsn, ssn, len) = match (segment.dss, segment.mp_capable().and_then(|o| o.data_len)) {
            (Some(dss), _) if dss.has_mapping() => {
                let base = sender.map_or(0, |key| self.names.idsn(key));
                (dss.dsn_width.cut(dss.dsn.wrapping_sub(base)), dss.ssn, dss.len)
            }
            (_, Some(len)) => (1, 1, len),
            _ => return,
        };
        if packet.is_outbound() {
            self.names.mapped_outbound(flow, dsn, len);
        } else {
            self.names.mapped_inbound(flow, dsn, ssn, len);
        }
    }

    // ---- packets of the host ---------------------------------------------------------------

    /// Waits for a packet between `from` and `to`, `tolerance` more or less; when it came.
    fn expect(
        &mut self,
        packet: &Packet,
        from: Time,
        to: Time,
        tolerance: Span,
    ) -> Result<Time, Stop> {
        if packet.ace.is_some() {
            return Err(Stop::Unsupported("accurate ECN".to_owned()));
        }
        let limit = match to {
            Time::NEVER => self.kernel.now() + FOREVER,
            to => to + tolerance + PATIENCE,
        };
        let Some(mut sent) = self.wait(packet, limit)? else {
            return fails("the host sends no such packet");
        };
        while sent.segment.payload.len() < packet.len
            && let Some(next) = self.kernel.peek_sent()
            && next.tuple == sent.tuple
            && compare::continues(&sent.segment, &next.segment, self.version)
        {
            if let Some(next) = self.kernel.next_sent() {
                compare::append(&mut sent.segment, &next.segment);
            }
        }
        if self.trace.is_some() {
            let text = self.in_words(&sent);
            self.note(sent.at, &text);
        }
        self.check(packet, &sent)?;
        let early = sent.at + tolerance < from;
        let late = to != Time::NEVER && sent.at > to + tolerance;
        if early || late {
            let word = if early { "early" } else { "late" };
            return self.differs(&sent, format!("the packet comes too {word}"));
        }
        Ok(sent.at)
    }

    /// The next packet that the script should speak of.
    fn wait(&mut self, packet: &Packet, limit: Time) -> Result<Option<Sent>, Stop> {
        loop {
            if let Some(sent) = self.kernel.next_sent() {
                // A subflow that the script never speaks of is not its subject.
                let opens = sent.segment.flags.has(Flags::SYN) && !packet.flags.has(Flags::SYN);
                let unspoken = opens && !self.names.knows(sent.tuple);
                // Nor is an earlier connection, unless it is named.
                let named = packet.from.is_some() || packet.to.is_some();
                if !unspoken && (named || !self.names.is_of_earlier_connection(sent.tuple)) {
                    return Ok(Some(sent));
                }
            } else if !self.step(limit)? {
                return Ok(None);
            }
        }
    }

    fn check(&mut self, packet: &Packet, sent: &Sent) -> Result<(), Stop> {
        let Some(flow) = self.names.outbound_flow(packet, sent.tuple) else {
            return self.differs(sent, "the packet is of another subflow".to_owned());
        };
        self.names.learn_outbound(packet, &sent.segment, flow);
        let rule = compare::Rule {
            strict: self.settings.strict,
            tick_us: self.settings.stamp_tick_us,
            tolerance_us: self.settings.tolerance.as_us(),
        };
        let compared = compare::packet(&self.names, flow, packet, sent, self.version, rule);
        match compared {
            Ok(()) => {}
            Err(Mismatch::In(what)) => {
                return self.differs(sent, what.to_owned());
            }
            Err(Mismatch::Script(what)) => {
                return self.differs(sent, format!("the script asks for {what}"));
            }
        }
        let stamp = compare::stamp_of(packet);
        if let (Some(val), Some(live)) = (stamp, sent.segment.timestamps) {
            self.names.note_stamp(flow, val, live.val);
        }
        self.note_mapping(packet, flow, &sent.segment);
        Ok(())
    }

    fn differs<T>(&self, sent: &Sent, what: String) -> Result<T, Stop> {
        let text = self.in_words(sent);
        Err(Stop::Fails { what, actual: Some(self.stamped(sent.at, &text)) })
    }

    fn in_words(&self, sent: &Sent) -> String {
        let flow = self.names.flows.iter().position(|flow| flow.tuple == sent.tuple);
        words::sent(&self.names, flow, sent.tuple, &sent.segment, self.version)
    }

    // ---- calls ---------------------------------------------------------------------------

    fn call(&mut self, event: &Event, call: &Call) -> Result<(), Stop> {
        self.finish_call()?;
        let end = call.end.map(|end| match event.when {
            When::Relative(_) => self.reference + end,
            _ => START + end,
        });
        self.blocked = Some(Blocked { event: event.clone(), progress: Progress::default(), end });
        self.poll_blocked()?;
        let stuck = self
            .blocked
            .as_ref()
            .is_some_and(|blocked| blocked.end.is_none() && blocked.progress.deadline.is_none());
        if stuck { fails("the call blocks") } else { Ok(()) }
    }

    /// Tries the call under way again.
    fn poll_blocked(&mut self) -> Result<(), Stop> {
        let Some(mut blocked) = self.blocked.take() else { return Ok(()) };
        let Action::Call(call) = &blocked.event.action else { return Ok(()) };
        let places = self.settings.places();
        let mut caller = Caller {
            sockets: &mut self.sockets,
            kernel: &mut self.kernel,
            files: &mut self.files,
            places,
        };
        let attempt = caller.attempt(call, &mut blocked.progress)?;
        if attempt.answer == Answer::Blocks {
            self.blocked = Some(blocked);
            return Ok(());
        }
        let wrong = calls::difference(call, attempt.answer).or(attempt.wrong);
        let checked = match wrong {
            Some(wrong) => fails(wrong),
            None => self.returned_in_time(blocked.end),
        };
        if checked.is_err() {
            self.culprit = Some(blocked.event);
        }
        checked
    }

    fn returned_in_time(&self, end: Option<Time>) -> Result<(), Stop> {
        let Some(end) = end else { return Ok(()) };
        let now = self.kernel.now();
        let off = if now > end { now.since(end) } else { end.since(now) };
        if off <= self.settings.tolerance(Span::ZERO) {
            return Ok(());
        }
        fails(format!("the call returns at {}", self.stamped(now, "").trim_end()))
    }

    /// Waits for the call under way.
    fn finish_call(&mut self) -> Result<(), Stop> {
        while let Some(blocked) = &self.blocked {
            let tolerance = self.settings.tolerance(Span::ZERO);
            let end = blocked.end.or(blocked.progress.deadline).unwrap_or(self.kernel.now());
            if !self.step(end + tolerance)?
                && let Some(blocked) = self.blocked.take()
            {
                self.culprit = Some(blocked.event);
                return fails("the call does not return");
            }
        }
        Ok(())
    }

    // ---- commands and code -----------------------------------------------------------------

    fn command(&mut self, command: &str) -> Result<(), Stop> {
        let local = self.settings.places().local;
        let mut shell = Shell {
            kernel: &mut self.kernel,
            stack: self.stack,
            local,
            counted: &mut self.counted,
            files: &mut self.files,
        };
        match commands::run(command, &mut shell) {
            Done::Well => Ok(()),
            Done::Failed(what) => fails(format!("the command fails: {what}")),
            Done::Unsupported(what) => Err(Stop::Unsupported(what)),
        }
    }

    fn code(&mut self, statements: &[code::Statement]) -> Result<(), Stop> {
        let flow = self.names.current().and_then(|flow| self.names.flows.get(flow));
        let owner = flow.and_then(|flow| self.kernel.owner(flow.tuple));
        let (connection, index) = owner.unzip();
        let (mib, now) = (&self.kernel.mib, self.kernel.now());
        let names = |name: &str| info::value(connection, index.unwrap_or(0), (mib, now), name);
        match code::run(statements, &mut self.variables, &names) {
            code::Outcome::Holds => Ok(()),
            code::Outcome::Fails(what) => fails(what),
            code::Outcome::Unsupported(what) => Err(Stop::Unsupported(what)),
        }
    }
}

/// A text without needless blanks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
