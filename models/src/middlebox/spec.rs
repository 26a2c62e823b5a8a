//! The built-in boxes by name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mptcpsim_core::middlebox::Direction;
use mptcpsim_core::rng::{Seed, Stream};
use mptcpsim_core::time::Span;

use super::{
    Copies, FirewallRules, Middlebox, OptionSet, Order, Replace, ack_proxy, alg, clamp, coalesce,
    corrupt, echo, firewall, hold, icmp, nat, reorder, sequence, split, split_proxy, strip,
};

/// By how much a box shifts sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// By these numbers: forward, reverse.
    Fixed([u32; 2]),
    /// By random ones for each flow.
    Random,
}

/// A built-in box with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// Takes options out.
    Strip {
        /// Which.
        options: OptionSet,
        /// What takes their place.
        replace: Replace,
    },
    /// Drops segments.
    Drop,
    /// Keeps segments for a time.
    Hold {
        /// How long.
        delay: Span,
    },
    /// Copies MP_CAPABLE of a SYN into the SYN/ACK.
    Echo {
        /// The server does not see it.
        strip_syn: bool,
        /// With a key that is none.
        invent_key: bool,
    },
    /// Translates source addresses and ports.
    Nat {
        /// Which way leads out.
        outwards: Direction,
        /// The address outside.
        address: IpAddr,
        /// What is added to ports.
        port_shift: u16,
        /// A mapping that is idle for so long ends.
        idle: Span,
    },
    /// Shifts sequence numbers.
    Sequence {
        /// By how much.
        shift: Shift,
        /// SACK blocks too.
        sack: bool,
    },
    /// Cuts segments.
    Split {
        /// Most bytes of payload.
        size: u32,
        /// Which pieces get the options.
        copies: Copies,
    },
    /// Joins segments.
    Coalesce {
        /// How long it waits for the next one.
        hold: Span,
        /// Only those with the same MPTCP options.
        same_options: bool,
        /// How many become one.
        parts: u32,
    },
    /// Changes bytes of the payload.
    Corrupt {
        /// Offset of the first in the subflow's stream.
        at: u64,
        /// From one to the next.
        stride: u64,
        /// How many.
        bytes: u64,
    },
    /// Replaces bytes of the payload by others.
    Alg {
        /// In the streams that go this way.
        direction: Direction,
        /// Offset in the subflow's stream.
        at: u32,
        /// Bytes that go.
        remove: u32,
        /// Bytes that come.
        insert: Vec<u8>,
    },
    /// Writes options in another order.
    Reorder {
        /// Which.
        order: Order,
    },
    /// Lowers MSS and window.
    Clamp {
        /// The largest MSS.
        mss: Option<u16>,
        /// The largest window field.
        window: Option<u16>,
    },
    /// Acknowledges data in the receiver's place.
    AckProxy {
        /// What the receiver has not acknowledged by then is sent again.
        timeout: Span,
        /// The receiver's own acknowledgements go no further.
        absorb: bool,
    },
    /// Ends TCP connections and opens others in their place.
    SplitProxy {
        /// Memory for each half and direction in bytes; without it the halves size their buffers.
        buffer: Option<u32>,
    },
    /// Drops what does not fit its idea of TCP.
    Firewall(FirewallRules),
    /// One end of a detour inside ICMP echo requests.
    Icmp {
        /// Which way leads into the network.
        outwards: Direction,
        /// Flows with this port take it.
        port: u16,
        /// Longer packets are not wrapped.
        mtu: u32,
        /// By how much the hosts' segments are made smaller.
        mss_adjust: u16,
    },
}

impl Spec {
    /// The box; what of it is random depends on `seed` and `name`.
    pub fn build(&self, name: &str, seed: Seed) -> Box<dyn Middlebox> {
        match *self {
            Self::Strip { options, replace } => Box::new(strip::Strip { options, replace }),
            Self::Drop => Box::new(strip::Drop),
            Self::Hold { delay } => Box::new(hold::Hold::new(delay)),
            Self::Echo { strip_syn, invent_key } => {
                Box::new(echo::Echo::new(strip_syn, invent_key))
            }
            Self::Nat { outwards, address, port_shift, idle } => {
                Box::new(nat::Nat::new(outwards, address, port_shift, idle))
            }
            Self::Sequence { shift, sack } => {
                let random = Stream::new(seed, &format!("middlebox.{name}.shift"));
                Box::new(sequence::Sequence::new(shift, sack, random))
            }
            Self::Split { size, copies } => Box::new(split::Split { size, copies }),
            Self::Coalesce { hold, same_options, parts } => {
                Box::new(coalesce::Coalesce::new(hold, same_options, parts))
            }
            Self::Corrupt { at, stride, bytes } => Box::new(corrupt::Corrupt { at, stride, bytes }),
            Self::Alg { direction, at, remove, ref insert } => {
                let insert = insert.clone();
                Box::new(alg::Alg { direction, at, remove, insert, isn: BTreeMap::new() })
            }
            Self::Reorder { order } => Box::new(reorder::Reorder { order }),
            Self::Clamp { mss, window } => Box::new(clamp::Clamp { mss, window }),
            Self::AckProxy { timeout, absorb } => {
                Box::new(ack_proxy::AckProxy::new(timeout, absorb))
            }
            Self::SplitProxy { buffer } => {
                let random = Stream::new(seed, &format!("middlebox.{name}.numbers"));
                Box::new(split_proxy::SplitProxy::new(buffer, random))
            }
            Self::Firewall(rules) => Box::new(firewall::Firewall::new(rules)),
            Self::Icmp { outwards, port, mtu, mss_adjust } => {
                Box::new(icmp::Icmp { outwards, port, mtu, mss_adjust })
            }
        }
    }
}
