//! `MSG_ZEROCOPY`: which calls of `send` are done with the application's memory, told by messages
//! on the error queue (Linux `msg_zerocopy_callback`, Documentation/networking/msg_zerocopy.rst).
//!
//! Between a simulated host and its script all data is copied in the end, as on a real loopback.

use std::collections::VecDeque;

use super::calls::integer;
use super::calls::{Unsupported, unsupported};
use super::script::Expression;

/// `SO_EE_ORIGIN_ZEROCOPY` and `SO_EE_CODE_ZEROCOPY_COPIED`.
const ORIGIN: i64 = 5;
const COPIED: i64 = 1;

/// Fragments of a buffer (`MAX_SKB_FRAGS`).
const MOST_FRAGMENTS: usize = 17;
/// Bytes that are one fragment wherever the application has them, next to what its allocator needs.
const LONGEST_FRAGMENT: u64 = 4_000;

/// The calls of a socket with `MSG_ZEROCOPY`.
#[derive(Clone, Debug, Default)]
pub(super) struct ZeroCopy {
    /// Bytes written so far, by any call.
    written: i64,
    /// The number of the next call.
    next: i64,
    /// Where the data of calls ends, those that are not done, in order.
    waiting: VecDeque<(i64, i64)>,
}

/// Where the buffers end that pieces of memory of these lengths fill: each piece is a fragment
/// (`skb_zerocopy_iter_stream`, `zerocopy_fill_skb_from_iter`).
pub(super) fn buffer_ends(pieces: &[u64]) -> Result<Vec<u64>, Unsupported> {
    let pieces: Vec<u64> = pieces.iter().copied().filter(|len| *len > 0).collect();
    if pieces.len() > 1 && pieces.iter().any(|len| *len > LONGEST_FRAGMENT) {
        return unsupported("long pieces of memory with `MSG_ZEROCOPY`");
    }
    let buffers = pieces.chunks(MOST_FRAGMENTS).map(|buffer| buffer.iter().sum::<u64>());
    let ends = buffers.scan(0, |end, len| {
        *end += len;
        Some(*end)
    });
    Ok(ends.collect())
}

impl ZeroCopy {
    /// A call has written `bytes`.
    pub(super) fn wrote(&mut self, bytes: i64, flagged: bool) {
        self.written += bytes;
        if flagged && bytes > 0 {
            self.waiting.push_back((self.written, self.next));
            self.next += 1;
        }
    }

    /// The first and the last call that are done since this was asked last: all their data is
    /// acknowledged. Those that follow each other are told in one message.
    pub(super) fn take_done(&mut self, unacknowledged: i64) -> Option<(i64, i64)> {
        let acked = self.written - unacknowledged;
        let mut done: Option<(i64, i64)> = None;
        while let Some(&(end, number)) = self.waiting.front()
            && end <= acked
        {
            self.waiting.pop_front();
            done = Some((done.map_or(number, |(first, _)| first), number));
        }
        done
    }
}

/// What differs between the message that tells of calls `first` to `last` and what a script
/// expects.
pub(super) fn differs(
    control: &Expression,
    (first, last): (i64, i64),
) -> Result<Option<String>, Unsupported> {
    let Expression::List(messages) = control else { return unsupported("these control messages") };
    let [message] = messages.as_slice() else {
        return Ok(Some(format!("there is one control message, not {}", messages.len())));
    };
    let Some(data) = message.field("cmsg_data") else {
        return unsupported("this control message");
    };
    let told = [
        ("ee_errno", 0),
        ("ee_origin", ORIGIN),
        ("ee_type", 0),
        ("ee_code", COPIED),
        ("ee_info", first),
        ("ee_data", last),
    ];
    for (name, value) in told {
        let expected = match data.field(name) {
            Some(Expression::Word(word)) if word == "SO_EE_ORIGIN_ZEROCOPY" => ORIGIN,
            Some(Expression::Word(word)) if word == "SO_EE_CODE_ZEROCOPY_COPIED" => COPIED,
            Some(number) => integer(number)?,
            None => continue,
        };
        if expected != value {
            return Ok(Some(format!("{name} is {value}, not {expected}")));
        }
    }
    Ok(None)
}
