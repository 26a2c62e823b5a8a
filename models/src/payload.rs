//! What a segment carries.
//!
//! Byte `k` of every stream an application sends is [`pattern_byte`]`(k)`, a
//! pure function of `k`. A payload cut from such a stream is two numbers, costs
//! nothing to copy, and is still real: captures, DSS checksums, middleboxes
//! that change bytes, and the check at the receiver all see the bytes.

use std::sync::Arc;

/// Byte `offset` of every application stream.
///
/// Consecutive bytes differ and the period (2^32) is longer than any segment,
/// so a byte that is shifted, lost or repeated shows.
pub const fn pattern_byte(offset: u64) -> u8 {
    let word = (offset >> 2) as u32;
    let mixed = word.wrapping_mul(0x9e37_79b1);
    (mixed >> (8 * (3 - (offset & 3) as u32))) as u8 ^ (offset as u8)
}

/// Bytes `4 * index` to `4 * index + 3` of every application stream, the first one highest.
pub const fn pattern_word(index: u64) -> u32 {
    pattern_mix(index) ^ PATTERN_OFFSETS[(index % 64) as usize]
}

/// The part of a pattern word that grows by [`PATTERN_STEP`] from word to word.
pub(crate) const fn pattern_mix(index: u64) -> u32 {
    (index as u32).wrapping_mul(PATTERN_STEP)
}

/// What the mixed part grows by from word to word.
pub(crate) const PATTERN_STEP: u32 = 0x9e37_79b1;

/// The other part of a pattern word: the low bytes of its four offsets, which repeat every 64
/// words.
pub(crate) const PATTERN_OFFSETS: [u32; 64] = {
    let mut offsets = [0x0001_0203; 64];
    let mut at = 1;
    while at < 64 {
        offsets[at] = offsets[at - 1] + 0x0404_0404;
        at += 1;
    }
    offsets
};

/// A run of bytes: a piece of the pattern stream, or literal bytes.
#[derive(Clone, Default)]
pub struct Payload {
    data: Option<Arc<Vec<u8>>>,
    /// Offset in the pattern stream, or in `data`.
    start: u64,
    len: u32,
}

impl Payload {
    /// No bytes.
    pub const EMPTY: Self = Self { data: None, start: 0, len: 0 };

    /// Bytes `start..start + len` of the pattern stream.
    pub const fn pattern(start: u64, len: u32) -> Self {
        Self { data: None, start, len }
    }

    /// Literal bytes.
    pub fn bytes(data: Vec<u8>) -> Self {
        let len = data.len() as u32;
        Self { data: Some(Arc::new(data)), start: 0, len }
    }

    /// How many bytes.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// True without bytes.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The offset in the pattern stream, if this is a piece of it.
    pub fn pattern_start(&self) -> Option<u64> {
        self.data.is_none().then_some(self.start)
    }

    /// The bytes, if they are stored and not a piece of the pattern stream.
    pub fn as_slice(&self) -> Option<&[u8]> {
        let data = self.data.as_ref()?;
        let start = self.start as usize;
        data.get(start..start + self.len as usize)
    }

    /// Byte `index` of the run.
    pub fn byte(&self, index: u32) -> u8 {
        let at = self.start + u64::from(index);
        match &self.data {
            None => pattern_byte(at),
            Some(data) => data.get(at as usize).copied().unwrap_or(0),
        }
    }

    /// All bytes in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..self.len).map(|index| self.byte(index))
    }

    /// Appends the first `limit` bytes to `out`.
    pub fn write_to(&self, limit: usize, out: &mut Vec<u8>) {
        let len = limit.min(self.len as usize);
        if let Some(bytes) = self.as_slice() {
            out.extend_from_slice(&bytes[..len]);
            return;
        }
        let from = out.len();
        out.resize(from + len, 0);
        let unaligned = (self.start.wrapping_neg() & 3) as usize;
        let (head, words) = out[from..].split_at_mut(unaligned.min(len));
        for (byte, offset) in head.iter_mut().zip(self.start..) {
            *byte = pattern_byte(offset);
        }
        let mut index = self.start.div_ceil(4);
        let mut words = words.chunks_exact_mut(4);
        for word in &mut words {
            word.copy_from_slice(&pattern_word(index).to_be_bytes());
            index += 1;
        }
        let tail = words.into_remainder();
        tail.copy_from_slice(&pattern_word(index).to_be_bytes()[..tail.len()]);
    }

    /// The bytes `from..from + len` of this run; what lies behind its end is cut.
    pub fn slice(&self, from: u32, len: u32) -> Self {
        let from = from.min(self.len);
        let len = len.min(self.len - from);
        Self { data: self.data.clone(), start: self.start + u64::from(from), len }
    }

    /// Drops the first `count` bytes.
    pub fn advance(&mut self, count: u32) {
        let count = count.min(self.len);
        self.start += u64::from(count);
        self.len -= count;
    }

    /// Drops what lies behind the first `len` bytes.
    pub fn truncate(&mut self, len: u32) {
        self.len = self.len.min(len);
    }

    /// This run followed by `other`.
    pub fn concat(&self, other: &Self) -> Self {
        if self.is_empty() {
            return other.clone();
        }
        let continues = self.data.is_none()
            && other.data.is_none()
            && other.start == self.start + u64::from(self.len);
        if other.is_empty() || continues {
            return Self { len: self.len + other.len, ..self.clone() };
        }
        Self::bytes(self.iter().chain(other.iter()).collect())
    }

    /// True if these are the bytes of the pattern stream from `offset` on.
    pub fn matches_pattern(&self, offset: u64) -> bool {
        match self.pattern_start() {
            Some(start) => start == offset || self.is_empty(),
            None => (0..self.len).all(|i| self.byte(i) == pattern_byte(offset + u64::from(i))),
        }
    }
}

/// Equal if the bytes are.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        let same_pattern = self.data.is_none() && other.data.is_none() && self.start == other.start;
        self.len == other.len && (same_pattern || self.iter().eq(other.iter()))
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pattern_start() {
            Some(start) => write!(f, "pattern {start}+{}", self.len),
            None => write!(f, "{} bytes", self.len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_the_pattern_are_the_bytes_of_the_pattern() {
        let piece = Payload::pattern(1_000, 100).slice(10, 20);
        let literal = Payload::bytes((1_010..1_030).map(pattern_byte).collect());
        assert_eq!(piece, literal);
        assert!(piece.matches_pattern(1_010) && literal.matches_pattern(1_010));
        assert!(!literal.matches_pattern(1_011));
    }

    #[test]
    fn words_are_four_bytes_of_the_pattern() {
        for index in (0..300).chain([u64::from(u32::MAX) - 1, 1 << 40]) {
            let bytes = [0, 1, 2, 3].map(|k| pattern_byte(4 * index + k));
            assert_eq!(pattern_word(index).to_be_bytes(), bytes);
        }
    }

    #[test]
    fn written_bytes_are_those_of_the_run() {
        for (start, len, limit) in [(0, 9, 100), (5, 1, 9), (6, 23, 9), (7, 3, 2), (8, 0, 4)] {
            let piece = Payload::pattern(start, len);
            let literal = Payload::bytes(piece.iter().collect());
            let expected: Vec<u8> = piece.iter().take(limit).collect();
            for payload in [piece, literal] {
                let mut out = vec![0xaa];
                payload.write_to(limit, &mut out);
                assert_eq!(out[1..], expected);
            }
        }
    }

    #[test]
    fn joining_neighbours_stores_nothing() {
        let joined = Payload::pattern(5, 10).concat(&Payload::pattern(15, 7));
        assert_eq!(joined.pattern_start(), Some(5));
        assert_eq!(joined, Payload::pattern(5, 17));
        let apart = Payload::pattern(5, 10).concat(&Payload::pattern(20, 7));
        assert_eq!((apart.len(), apart.byte(10)), (17, pattern_byte(20)));
    }

    #[test]
    fn a_shifted_pattern_is_noticed() {
        for shift in 1..2_000 {
            let literal = Payload::bytes((0..64).map(|k| pattern_byte(k + shift)).collect());
            assert!(!literal.matches_pattern(0), "shift {shift}");
        }
    }
}
