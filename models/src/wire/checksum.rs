//! The Internet checksum (RFC 1071), over bytes that come in pieces.
//!
//! A DSS checksum covers a whole mapping, whose payload arrives in several
//! segments of any length, and payload is mostly a piece of the pattern stream
//! that is stored nowhere. So a [`Sum`] is fed piece by piece, remembers whether
//! the next byte is the high or the low one of its 16-bit word, and adds a
//! pattern word by word without writing it down.

use std::net::IpAddr;

use crate::payload::{PATTERN_OFFSETS, PATTERN_STEP, Payload, pattern_byte, pattern_mix};

/// A running one's complement sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Below 2^16 after each piece.
    total: u32,
    /// The next byte is the low one of a word.
    odd: bool,
}

impl Sum {
    /// Adds bytes.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let words = bytes.chunks_exact(4);
        let mut last = [0; 4];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        let sum = words.fold(u64::from(u32::from_be_bytes(last)), |sum, word| {
            sum + word.try_into().map_or(0, |word| u64::from(u32::from_be_bytes(word)))
        });
        self.add_piece(sum, bytes.len());
    }

    /// Adds a payload.
    pub fn add_payload(&mut self, payload: &Payload) {
        if let Some(start) = payload.pattern_start() {
            self.add_pattern(start, payload.len());
        } else if let Some(bytes) = payload.as_slice() {
            self.add_bytes(bytes);
        }
    }

    /// Adds an address.
    pub(crate) fn add_addr(&mut self, addr: IpAddr) {
        match addr {
            IpAddr::V4(addr) => self.add_bytes(&addr.octets()),
            IpAddr::V6(addr) => self.add_bytes(&addr.octets()),
        }
    }

    fn add_pattern(&mut self, start: u64, len: u32) {
        let head = (start.wrapping_neg() & 3).min(u64::from(len));
        let words = (u64::from(len) - head) / 4;
        let tail = u64::from(len) - head - 4 * words;
        self.add_few(start, head);
        let first = (start + head) / 4;
        self.add_piece(pattern_sum(first, words), 4 * words as usize);
        self.add_few(start + head + 4 * words, tail);
    }

    /// Adds up to three bytes of the pattern.
    fn add_few(&mut self, start: u64, len: u64) {
        let bytes = [0, 1, 2].map(|k| pattern_byte(start + k));
        self.add_bytes(&bytes[..len as usize]);
    }

    /// Adds the sum of a piece of `len` bytes, taken as if it began with a high byte: where it
    /// begins with a low one, all its bytes change places (RFC 1071 section 2, byte order
    /// independence).
    fn add_piece(&mut self, sum: u64, len: usize) {
        let folded = fold(sum);
        self.total += u32::from(if self.odd { folded.swap_bytes() } else { folded });
        self.total = u32::from(fold(u64::from(self.total)));
        self.odd ^= len % 2 == 1;
    }

    /// The checksum: the complement of the sum.
    pub fn checksum(self) -> u16 {
        !fold(u64::from(self.total))
    }
}

/// The sum of `count` words of the pattern.
fn pattern_sum(first: u64, count: u64) -> u64 {
    // In runs in which the offsets do not repeat: there each word takes an addition and an
    // exclusive or, and the compiler makes vectors of them.
    let (mut sum, mut next, end) = (0, first, first + count);
    while next < end {
        let from = (next % 64) as usize;
        let run = (64 - from).min((end - next) as usize);
        let mix = pattern_mix(next);
        let offsets = PATTERN_OFFSETS[from..from + run].iter();
        sum += offsets
            .zip(&STEPS)
            .map(|(offsets, step)| u64::from(mix.wrapping_add(*step) ^ offsets))
            .sum::<u64>();
        next += run as u64;
    }
    sum
}

/// What the mixed part of a pattern word has grown by after so many words.
const STEPS: [u32; 64] = {
    let mut steps = [0; 64];
    let mut at = 1;
    while at < 64 {
        steps[at] = PATTERN_STEP.wrapping_mul(at as u32);
        at += 1;
    }
    steps
};

/// `sum` in 16 bits, carries added at the low end.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The checksum of a mapping (RFC 8684 section 3.3.1) over all its payload in order.
///
/// `dsn` is the full 64-bit number whatever the option carries; `len` counts a DATA_FIN. An
/// infinite mapping (`len` 0) has no checksum: its field is zero.
pub fn dss_checksum<'a>(
    dsn: u64,
    ssn: u32,
    len: u16,
    payload: impl IntoIterator<Item = &'a Payload>,
) -> u16 {
    let mut sum = Sum::default();
    payload.into_iter().for_each(|piece| sum.add_payload(piece));
    dss_checksum_of(dsn, ssn, len, sum)
}

/// The checksum of a mapping whose payload has been summed already.
pub fn dss_checksum_of(dsn: u64, ssn: u32, len: u16, payload: Sum) -> u16 {
    with_pseudo_header(dsn, ssn, len, payload).checksum()
}

/// True if `checksum` is right for the mapping.
///
/// Both forms of zero are, as for the kernels, which sum the received checksum up with the rest.
pub fn dss_checksum_holds(checksum: u16, dsn: u64, ssn: u32, len: u16, payload: Sum) -> bool {
    let mut sum = with_pseudo_header(dsn, ssn, len, payload);
    sum.add_bytes(&checksum.to_be_bytes());
    sum.checksum() == 0
}

fn with_pseudo_header(dsn: u64, ssn: u32, len: u16, payload: Sum) -> Sum {
    // An odd payload is padded with a zero byte, so the pseudo header starts a word.
    let mut sum = Sum { odd: false, ..payload };
    sum.add_bytes(&dsn.to_be_bytes());
    sum.add_bytes(&ssn.to_be_bytes());
    sum.add_bytes(&len.to_be_bytes());
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 1071 section 4.1, word by word.
    fn plain_checksum(bytes: &[u8]) -> u16 {
        let words = bytes.chunks(2).map(|pair| {
            u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
        });
        !fold(words.sum())
    }

    #[test]
    fn the_example_of_rfc_1071() {
        let mut sum = Sum::default();
        sum.add_bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(!sum.checksum(), 0xddf2);
    }

    #[test]
    fn both_zeros_are_right() {
        let mut payload = Sum::default();
        payload.add_bytes(&[0xff, 0xfe]);
        let checksum = dss_checksum_of(0, 0, 1, payload);
        assert_eq!(checksum, 0);
        assert!(dss_checksum_holds(0, 0, 0, 1, payload));
        assert!(dss_checksum_holds(0xffff, 0, 0, 1, payload));
        assert!(!dss_checksum_holds(1, 0, 0, 1, payload));
    }

    proptest! {
        #[test]
        fn pieces_sum_to_the_whole(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cuts in prop::collection::vec(0usize..200, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut sum = Sum::default();
            for pair in cuts.windows(2) {
                sum.add_bytes(&bytes[pair[0]..pair[1]]);
            }
            prop_assert_eq!(sum.checksum(), plain_checksum(&bytes));
        }

        #[test]
        fn a_pattern_sums_like_its_bytes(
            pieces in prop::collection::vec((any::<u32>(), 0u32..100), 0..5),
        ) {
            let pieces: Vec<Payload> =
                pieces.into_iter().map(|(start, len)| Payload::pattern(start.into(), len)).collect();
            let mut sum = Sum::default();
            pieces.iter().for_each(|piece| sum.add_payload(piece));
            let bytes: Vec<u8> = pieces.iter().flat_map(Payload::iter).collect();
            prop_assert_eq!(sum.checksum(), plain_checksum(&bytes));
        }

        #[test]
        fn a_checksum_holds_and_a_flipped_bit_does_not(
            dsn: u64, ssn: u32, len in 1u16.., start: u32, bit in 0u32..800,
        ) {
            let payload = Payload::pattern(start.into(), 100);
            let checksum = dss_checksum(dsn, ssn, len, [&payload]);
            let mut bytes: Vec<u8> = payload.iter().collect();
            let mut sum = Sum::default();
            sum.add_bytes(&bytes);
            prop_assert!(dss_checksum_holds(checksum, dsn, ssn, len, sum));
            bytes[bit as usize / 8] ^= 1 << (bit % 8);
            let mut sum = Sum::default();
            sum.add_bytes(&bytes);
            prop_assert!(!dss_checksum_holds(checksum, dsn, ssn, len, sum));
        }
    }
}
