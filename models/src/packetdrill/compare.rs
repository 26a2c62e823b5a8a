//! What the host sent against what the script expects.
//!
//! The rules are packetdrill's: every flag, number and option counts, options
//! in order and with their padding as they would be on the wire; the window
//! where the script gives one; timestamps only by the tick that the script
//! sets. One packet of a script may be several of the host: scripts for kernels
//! see a burst before it is cut into segments.

use super::kernel::Sent;
use super::names::Names;
use super::script::{EcnField, Packet, TcpOption};
use super::translate::{Translation, Trouble};
use crate::mptcp_keys::Version;
use crate::segment::{Ecn, Flags, Segment};
use crate::wire::emit_options;

/// How a packet of the host differs from what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// In this way.
    In(&'static str),
    /// What the script says makes no sense.
    Script(Trouble),
}

/// How strictly packets are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    /// PSH counts. It depends on how a kernel happens to cut its buffers.
    pub(super) strict: bool,
    /// Microseconds per tick of the script's timestamps; 0 not to compare them.
    pub(super) tick_us: u64,
    pub(super) tolerance_us: u64,
}

impl Rule {
    fn flags(self, flags: Flags) -> Flags {
        if self.strict { flags } else { flags.without(Flags::PSH) }
    }
}

/// Compares a packet of `flow` with the one expected.
pub(super) fn packet(
    names: &Names,
    flow: usize,
    expected: &Packet,
    sent: &Sent,
    version: Version,
    rule: Rule,
) -> Result<(), Mismatch> {
    let actual = &sent.segment;
    let translation = Translation { names, flow, version, packet: expected, actual: Some(actual) };
    let wanted = translation.segment().map_err(Mismatch::Script)?;
    let differs = |what| Err(Mismatch::In(what));
    if rule.flags(wanted.flags) != rule.flags(actual.flags) {
        return differs("the flags differ");
    }
    if wanted.seq != actual.seq {
        return differs("the sequence number differs");
    }
    if wanted.payload.len() != actual.payload.len() {
        return differs("the length differs");
    }
    if wanted.flags.has(Flags::ACK) && wanted.ack != actual.ack {
        return differs("the acknowledgement number differs");
    }
    if expected.window.is_some_and(|window| window != actual.window) {
        return differs("the window differs");
    }
    if !ecn_fits(expected.ip.ecn, actual.ecn) {
        return differs("the ECN field differs");
    }
    if expected.ip.tos.is_some_and(|tos| tos != sent.ip.tos | actual.ecn.bits()) {
        return differs("the TOS differs");
    }
    if expected.ip.ttl.is_some_and(|ttl| ttl != sent.ip.ttl) {
        return differs("the TTL differs");
    }
    if expected.options.is_some() && !same_options(&wanted, actual, version) {
        return differs("the options differ");
    }
    if !stamp_fits(names, flow, expected, actual, rule) {
        return differs("the timestamp differs");
    }
    Ok(())
}

fn same_options(wanted: &Segment, actual: &Segment, version: Version) -> bool {
    match (emit_options(wanted, version), emit_options(actual, version)) {
        (Ok(wanted), Ok(actual)) => wanted == actual,
        _ => false,
    }
}

fn ecn_fits(expected: Option<EcnField>, actual: Ecn) -> bool {
    match expected {
        None => true,
        Some(EcnField::Exactly(ecn)) => ecn == actual,
        Some(EcnField::Capable) => matches!(actual, Ecn::Capable0 | Ecn::Capable1),
    }
}

fn stamp_fits(names: &Names, flow: usize, expected: &Packet, actual: &Segment, rule: Rule) -> bool {
    let (Some(val), Some(actual)) = (stamp_of(expected), actual.timestamps) else { return true };
    let first = names.flows.get(flow).and_then(|flow| flow.first_stamp);
    let Some((script, live)) = first.filter(|_| rule.tick_us > 0) else { return true };
    let deviation = val.wrapping_sub(script).wrapping_sub(actual.val.wrapping_sub(live)) as i32;
    u64::from(deviation.unsigned_abs()) * rule.tick_us <= rule.tolerance_us
}

/// The timestamp that a packet of the script has.
pub(super) fn stamp_of(packet: &Packet) -> Option<u32> {
    packet.options.iter().flatten().find_map(|option| match option {
        TcpOption::Timestamps { val, .. } => Some(*val),
        _ => None,
    })
}

/// True if `next` continues the burst that `sofar` is: what a host hands to its device as one.
pub(super) fn continues(sofar: &Segment, next: &Segment, version: Version) -> bool {
    let ends = Flags::PSH | Flags::FIN;
    sofar.seq + sofar.payload.len() == next.seq
        && !next.payload.is_empty()
        && !sofar.flags.has(Flags::FIN)
        && sofar.flags.without(ends) == next.flags.without(ends)
        && sofar.ack == next.ack
        && same_options(sofar, next, version)
}

/// Adds `next` to the burst.
pub(super) fn append(sofar: &mut Segment, next: &Segment) {
    sofar.payload = sofar.payload.concat(&next.payload);
    sofar.flags = sofar.flags | next.flags;
}
