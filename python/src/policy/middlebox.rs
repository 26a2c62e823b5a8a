//! Middleboxes in Python.

use std::collections::BTreeMap;

use mptcpsim_core::middlebox::{Direction, Emit, Passage};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::Packet;
use mptcpsim_models::middlebox::{
    Effect, Kind, Middlebox, OptionSet, Replace, Sight, reset, strip,
};
use mptcpsim_models::segment::{Flags, Segment};
use mptcpsim_models::seq::Seq;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::Policy;

/// A segment that a box looks at and may change.
#[pyclass(module = "mptcpsim._mptcpsim", name = "BoxSegment")]
pub(crate) struct SegmentObject {
    segment: Segment,
    sight: Sight,
    effect: Effect,
}

#[pymethods]
impl SegmentObject {
    /// The virtual time in seconds.
    #[getter]
    fn now(&self) -> f64 {
        self.sight.now.as_secs_f64()
    }
    /// `up` if it goes from the first end of the path to the second, else `down`.
    #[getter]
    fn direction(&self) -> &'static str {
        match self.sight.direction() {
            Direction::Forward => "up",
            Direction::Reverse => "down",
        }
    }
    /// `syn`, `syn-ack`, `third-ack`, `ack`, `data` or `rst`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.sight.kind {
            Kind::Syn => "syn",
            Kind::SynAck => "syn-ack",
            Kind::ThirdAck => "third-ack",
            Kind::Ack => "ack",
            Kind::Data => "data",
            Kind::Rst => "rst",
        }
    }
    /// A number that both directions of a subflow have in common.
    #[getter]
    fn flow(&self) -> u32 {
        self.sight.flow
    }
    /// Its flags as letters: `S`, `F`, `R`, `P`, `E` (ECE), `W` (CWR), and `.` for ACK.
    #[getter]
    fn flags(&self) -> String {
        const LETTERS: [(Flags, char); 7] = [
            (Flags::SYN, 'S'),
            (Flags::FIN, 'F'),
            (Flags::RST, 'R'),
            (Flags::PSH, 'P'),
            (Flags::ECE, 'E'),
            (Flags::CWR, 'W'),
            (Flags::ACK, '.'),
        ];
        let set = LETTERS.iter().filter(|(flag, _)| self.segment.flags.has(*flag));
        set.map(|(_, letter)| letter).collect()
    }
    /// Its sequence number.
    #[getter]
    fn seq(&self) -> u32 {
        self.segment.seq.0
    }
    #[setter]
    fn set_seq(&mut self, seq: u32) {
        self.segment.seq = Seq(seq);
        self.rewrote();
    }
    /// Its acknowledgement number.
    #[getter]
    fn ack(&self) -> u32 {
        self.segment.ack.0
    }
    #[setter]
    fn set_ack(&mut self, ack: u32) {
        self.segment.ack = Seq(ack);
        self.rewrote();
    }
    /// Its window as in the header, not scaled.
    #[getter]
    fn window(&self) -> u16 {
        self.segment.window
    }
    #[setter]
    fn set_window(&mut self, window: u16) {
        self.segment.window = window;
        self.rewrote();
    }
    /// Bytes of its payload.
    #[getter]
    fn payload_len(&self) -> u32 {
        self.segment.payload.len()
    }
    /// The names of its options.
    #[getter]
    fn options(&self) -> Vec<&'static str> {
        let has = OptionSet::of(&self.segment);
        let single = OptionSet::names().filter(|name| *name != "mptcp");
        single.filter(|name| OptionSet::from_name(name).is_some_and(|it| has.meets(it))).collect()
    }
    /// Takes options out by their names, `mptcp` for all of MPTCP's, and puts NOPs in their place; false
    /// if there was none of them.
    #[pyo3(signature = (*names))]
    fn strip(&mut self, names: Vec<String>) -> PyResult<bool> {
        let mut options = OptionSet::EMPTY;
        for name in &names {
            let named = OptionSet::from_name(name);
            let named = named.ok_or_else(|| {
                let known = OptionSet::names().collect::<Vec<_>>().join(", ");
                PyValueError::new_err(format!("strip: there is no option `{name}`; known: {known}"))
            })?;
            options = options.and(named);
        }
        let hit = strip(&mut self.segment, options, Replace::Nop, self.sight.version);
        if hit {
            self.effect = Effect::Stripped;
        }
        Ok(hit)
    }

    fn __repr__(&self) -> String {
        let (flags, seq, len) = (self.flags(), self.seq(), self.payload_len());
        format!("<{} {flags} {seq} ({len} bytes) {}>", self.direction(), self.options().join(" "))
    }
}

impl SegmentObject {
    fn rewrote(&mut self) {
        if self.effect == Effect::None {
            self.effect = Effect::Rewrote;
        }
    }
}

/// What is to be done with a segment.
enum Verdict {
    Forward,
    Drop,
    Reset,
    Hold(Span),
}

/// A box that asks an object of Python.
#[derive(Clone, Debug)]
pub(super) struct InPython {
    policy: Policy,
    /// Segments that wait, by the time when they go on and the order in which they came.
    held: BTreeMap<(Time, u64), (Passage, Packet)>,
    count: u64,
}

impl InPython {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, held: BTreeMap::new(), count: 0 }
    }
}

impl Middlebox for InPython {
    fn kind(&self) -> &'static str {
        "python"
    }

    fn on_packet(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect {
        let mut packet = packet;
        let segment = packet.segment.clone();
        let (verdict, effect) = self.policy.call((Verdict::Forward, Effect::None), |py, object| {
            let shown = SegmentObject { segment, sight: *sight, effect: Effect::None };
            let shown = Bound::new(py, shown)?;
            let answer = object.bind(py).call_method1("on_segment", (&shown,))?;
            let changed = shown.try_borrow()?;
            if changed.effect != Effect::None {
                packet.segment = changed.segment.clone();
            }
            Ok((verdict(&answer)?, changed.effect))
        });
        match verdict {
            Verdict::Forward => out.forward(sight.passage, packet),
            Verdict::Drop => return Effect::Dropped,
            Verdict::Reset => {
                if let Some(reset) = reset(&packet) {
                    out.back(sight.passage, reset);
                }
                return Effect::Answered;
            }
            Verdict::Hold(span) => {
                self.count += 1;
                self.held.insert((sight.now + span, self.count), (sight.passage, packet));
                return Effect::Delayed;
            }
        }
        effect
    }

    fn due(&self) -> Time {
        self.held.first_key_value().map_or(Time::NEVER, |((due, _), _)| *due)
    }

    fn on_timer(&mut self, now: Time, out: &mut Emit<Packet>) {
        while self.due() <= now
            && let Some((_, (passage, packet))) = self.held.pop_first()
        {
            out.forward(passage, packet);
        }
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(self.clone())
    }
}

/// `None`, `DROP`, `RESET` or `Hold`.
fn verdict(answer: &Bound<'_, PyAny>) -> PyResult<Verdict> {
    if answer.is_none() {
        return Ok(Verdict::Forward);
    }
    match answer.extract::<String>().as_deref() {
        Ok("drop") => return Ok(Verdict::Drop),
        Ok("reset") => return Ok(Verdict::Reset),
        _ => {}
    }
    let Some(seconds) = answer.getattr_opt("seconds")? else {
        let what = answer.repr()?;
        return Err(PyTypeError::new_err(format!(
            "on_segment: expected None, DROP, RESET or Hold, found {what}"
        )));
    };
    let seconds: f64 = seconds.extract()?;
    if !seconds.is_finite() || !(0.0..1e6).contains(&seconds) {
        return Err(PyValueError::new_err(format!("Hold.seconds: {seconds} is no time")));
    }
    Ok(Verdict::Hold(Span::from_ps((seconds * 1e12) as u64)))
}
