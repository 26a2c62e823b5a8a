//! Middleboxes: what stands between hosts and looks into segments.
//!
//! A box is a [`Middlebox`]: it is shown one segment at a time and passes it on,
//! changed or not, keeps it, or answers it. [`Placed`] puts it into a network:
//! it follows the flows, picks the segments the box is meant for ([`Filter`])
//! and notes what it did ([`Touches`]).
//!
//! ```text
//!   Net ──► Placed ── filter: direction, kind of segment, options, n-th, since ──► Middlebox
//!             │                                                                      │
//!             └── Touches: which box did what to which segment first ◄── Effect ─────┘
//! ```
//!
//! What boxes do is what was found on real paths: Honda et al., "Is it still
//! possible to extend TCP?" (IMC 2011), and Hesmans et al., "Are TCP extensions
//! middlebox-proof?" (HotMiddlebox 2013). Built-in boxes are named by [`Spec`].

mod ack_proxy;
mod alg;
mod clamp;
mod coalesce;
mod corrupt;
mod echo;
mod edit;
mod filter;
mod firewall;
mod hold;
mod icmp;
mod nat;
mod placed;
mod reorder;
mod sequence;
mod spec;
mod split;
mod split_proxy;
mod strip;
mod touches;

use std::fmt::Debug;

use mptcpsim_core::middlebox::{Direction, Emit, Passage};
use mptcpsim_core::time::Time;

pub use self::edit::{OptionSet, Replace, strip};
pub use self::filter::{Filter, Kind, Kinds};
pub use self::firewall::Rules as FirewallRules;
pub use self::placed::Placed;
pub use self::reorder::Order;
pub use self::spec::{Shift, Spec};
pub use self::split::Copies;
pub use self::touches::{Touch, Touches};

use crate::host::Packet;
use crate::mptcp_keys::Version;
use crate::seq::Seq;

/// What a box knows of a segment beside the segment itself.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// Now.
    pub now: Time,
    /// Where it passes.
    pub passage: Passage,
    /// What kind of segment it is.
    pub kind: Kind,
    /// The same for both directions of a flow, and for no other flow.
    pub flow: u32,
    /// Whose rules the options follow.
    pub version: Version,
    /// The initial sequence number of this direction, once its SYN was seen.
    pub isn: Option<Seq>,
}

impl Sight {
    /// Which way it goes.
    pub fn direction(&self) -> Direction {
        self.passage.direction()
    }

    /// The other way.
    pub fn opposite(&self) -> Direction {
        match self.direction() {
            Direction::Forward => Direction::Reverse,
            Direction::Reverse => Direction::Forward,
        }
    }

    /// What box state is kept by: a flow, one way.
    pub(crate) fn half(&self) -> (u32, Direction) {
        (self.flow, self.direction())
    }
}

/// What a box did with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Passed it on as it came.
    None,
    /// Took options out.
    Stripped,
    /// Changed something else in its header.
    Rewrote,
    /// Changed its payload.
    Altered,
    /// Dropped it.
    Dropped,
    /// Kept it for a while.
    Delayed,
    /// Made several of it.
    Split,
    /// Joined it with another.
    Merged,
    /// Answered it in the name of the other end.
    Answered,
    /// Carries it in another protocol.
    Wrapped,
}

impl Effect {
    /// The verb for it, in the past tense.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::None => "passed",
            Self::Stripped => "stripped options from",
            Self::Rewrote => "rewrote the header of",
            Self::Altered => "changed the payload of",
            Self::Dropped => "dropped",
            Self::Delayed => "delayed",
            Self::Split => "split",
            Self::Merged => "merged",
            Self::Answered => "answered",
            Self::Wrapped => "wrapped",
        }
    }
}

/// The reset with which a box answers a packet in the name of the end that it is for; none for a reset.
pub fn reset(packet: &Packet) -> Option<Packet> {
    let mut segment = packet.segment.reset_for_nobody()?;
    segment.seal(edit::ip_header(&packet.segment));
    Some(Packet::new(segment, packet.tuple.reversed()))
}

/// A middlebox.
///
/// A segment that is neither sent on nor back nor kept is gone. Headers whose options change must
/// be sealed anew ([`crate::segment::Segment::seal`]).
pub trait Middlebox: Debug + Send {
    /// What kind of box it is, for reports.
    fn kind(&self) -> &'static str;

    /// A segment comes that the box is meant for.
    fn on_packet(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect;

    /// True if it is shown packets too in which TCP hides in another protocol.
    fn sees_all_protocols(&self) -> bool {
        false
    }

    /// When it wants to act by itself.
    fn due(&self) -> Time {
        Time::NEVER
    }

    /// It is due. The due date must change, or it is due again at once.
    fn on_timer(&mut self, _now: Time, _out: &mut Emit<Packet>) {}

    /// A copy, for forking a simulation.
    fn clone_box(&self) -> Box<dyn Middlebox>;
}

impl Clone for Box<dyn Middlebox> {
    fn clone(&self) -> Self {
        self.clone_box()
    }
}
