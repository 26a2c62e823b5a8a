//! A packet script as a value: what the parser found, with its places.
//!
//! Numbers are the script's own: relative sequence numbers, timestamps and keys
//! by name. Only the runner knows what they stand for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use mptcpsim_core::time::Span;

use super::code::Statement;
use crate::segment::{Ecn, Flags};

/// A place in the script; both count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl Position {
    /// The place of the byte at `offset` of `text`.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() as u32 + 1,
            column: before[start..].chars().count() as u32 + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A whole script.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Script {
    /// `--name=value` lines.
    pub(super) settings: Vec<Setting>,
    /// Events in order; a command in front of or behind them has time 0 behind its predecessor.
    pub(super) events: Vec<Event>,
}

/// One `--name=value` line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) position: Position,
}

/// Something that is done or expected at some time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) when: When,
    pub(super) action: Action,
    pub(super) position: Position,
    /// The action as it is written.
    pub(super) text: String,
}

/// When an event happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// `*`: whenever it does.
    Any,
    /// Since the start of the script.
    Absolute(Span),
    /// Since the event before.
    Relative(Span),
    /// Between two times since the start.
    AbsoluteRange(Span, Span),
    /// Between two times since the event before.
    RelativeRange(Span, Span),
}

/// What an event is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Packet(Box<Packet>),
    /// A packet of another protocol, or a TCP packet in another one.
    Foreign,
    Call(Call),
    Command(String),
    Code(Vec<Statement>),
}

/// Who sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// `<`: the script does.
    Inbound,
    /// `>`: the host does.
    Outbound,
}

/// A TCP packet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Packet {
    pub(super) direction: Direction,
    pub(super) ip: IpFields,
    pub(super) from: Option<Place>,
    pub(super) to: Option<Place>,
    pub(super) flags: Flags,
    /// The ACE counter of accurate ECN, which no host here has.
    pub(super) ace: Option<u8>,
    pub(super) seq: u32,
    pub(super) len: u32,
    pub(super) ack: Option<u32>,
    pub(super) window: Option<u16>,
    /// In order; `None` for `<...>`.
    pub(super) options: Option<Vec<TcpOption>>,
}

/// What is said of the IP header; flow labels are not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IpFields {
    pub(super) ecn: Option<EcnField>,
    /// The whole byte: DSCP and ECN.
    pub(super) tos: Option<u8>,
    pub(super) ttl: Option<u8>,
}

/// What is said of the ECN field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EcnField {
    /// This code point.
    Exactly(Ecn),
    /// ECT(0) or ECT(1).
    Capable,
}

/// One end of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Port(u16),
    Address(SocketAddr),
    Variable(String),
}

/// One TCP option.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TcpOption {
    Nop,
    End,
    Mss(u16),
    WindowScale(u8),
    SackPermitted,
    /// Relative to the other direction's first number.
    Sack(Vec<(u32, u32)>),
    Timestamps {
        val: u32,
        ecr: u32,
    },
    /// An option that hosts here do not have: its kind and its bytes.
    Raw {
        kind: u8,
        data: Vec<u8>,
    },
    Capable(Capable),
    JoinSyn {
        backup: bool,
        address_id: Option<u8>,
        token: Token,
        nonce: Option<u32>,
    },
    JoinSynAck {
        backup: bool,
        address_id: Option<u8>,
        hmac: Hmac,
        nonce: Option<u32>,
    },
    JoinAck {
        hmac: Hmac,
    },
    Dss(Dss),
    AddAddr(AddAddr),
    RemoveAddr(Vec<u8>),
    Prio {
        backup: bool,
        address_id: Option<u8>,
    },
    Fail(Option<Number>),
    Fastclose(Option<KeyName>, u64),
    Reset {
        reason: u8,
        transient: bool,
    },
}

/// MP_CAPABLE.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Capable {
    pub(super) version: u8,
    pub(super) flags: u8,
    /// The sender's key, then the receiver's.
    pub(super) keys: Vec<KeyName>,
    pub(super) data_len: Option<u16>,
    pub(super) checksum: Checksum,
}

/// A key by name, perhaps with the value it is given here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyName {
    pub(super) name: String,
    pub(super) value: Option<i64>,
}

/// The token of MP_JOIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Auto,
    Value(u32),
    /// Of this key.
    Of(String),
}

/// An HMAC of MP_JOIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hmac {
    Auto,
    Value(u64),
    /// With these keys, the sender's first.
    Of(String, String),
}

/// The data sequence signal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dss {
    pub(super) ack: Option<Number>,
    pub(super) dsn: Option<Number>,
    pub(super) ssn: Option<u32>,
    pub(super) len: Option<u16>,
    pub(super) checksum: Checksum,
    pub(super) data_fin: bool,
}

/// A data sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// In 8 bytes rather than 4.
    pub(super) long: bool,
    pub(super) value: NumberValue,
}

/// What a data sequence number is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NumberValue {
    /// The one that fits.
    Auto,
    /// Relative to the initial data sequence number of the direction it belongs to.
    Relative(u64),
    /// Relative to the initial data sequence number of the key with this name.
    OfKey(String, u64),
}

/// What is said of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    /// There is none.
    Absent,
    /// The right one.
    Auto,
    /// This one.
    Value(u16),
}

/// ADD_ADDR.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AddAddr {
    pub(super) address_id: Option<u8>,
    pub(super) name: String,
    /// The value that the name is given here.
    pub(super) addr: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) echo: bool,
    /// The HMAC if it is not the right one, which in version 0 is none.
    pub(super) hmac: Option<u64>,
}

/// A system call with what it must return.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    /// When it returns, if it blocks; counted as the event's own time is.
    pub(super) end: Option<Span>,
    pub(super) name: String,
    pub(super) arguments: Vec<Expression>,
    pub(super) result: Expression,
    pub(super) errno: Option<String>,
}

/// An argument or a result of a system call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// `...`: what the runner thinks best.
    Ellipsis,
    Integer(i64),
    Word(String),
    /// Its bytes, without the escapes that it is written with.
    Text(Vec<u8>),
    List(Vec<Self>),
    Or(Vec<Self>),
    Assign(String, Box<Self>),
    /// `name(arguments)`.
    Function(String, Vec<Self>),
    /// `{name=value, ...}`; elements may lack a name.
    Struct(Vec<Field>),
}

/// An element of a structure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: Option<String>,
    /// `n` of `name(n)=value`.
    pub(super) count: Option<Expression>,
    pub(super) value: Expression,
}

impl Expression {
    /// The text that it is.
    pub(super) fn text(&self) -> Option<&str> {
        let Self::Text(bytes) = self else { return None };
        std::str::from_utf8(bytes).ok()
    }

    /// The element `name` of a structure.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Struct(fields) = self else { return None };
        fields.iter().find(|field| field.name.as_deref() == Some(name)).map(|field| &field.value)
    }
}
