//! The memory of what was received (Linux `struct sk_buff`).

use crate::rules::Rules;

/// Memory of an `sk_buff`.
const SKB_STRUCT: u32 = 256;
/// Bytes beside the packet in its buffer: `NET_SKB_PAD`, `NET_IP_ALIGN`, `skb_shared_info`.
const SKB_BESIDE_DATA: u32 = 66 + 320;

/// Bytes of a page of memory.
const PAGE: u32 = 4_096;

/// The buffer that a packet came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// Bytes of memory it takes.
    pub truesize: u32,
    /// Bytes free behind the data; none where a line copies nothing there.
    pub tailroom: u32,
}

impl Buffer {
    /// That of a packet of `wire_len` bytes: a power of two beside the structure that describes it
    /// (2304 bytes for a packet of 1500, as measured on a TUN device).
    pub(crate) const fn of(wire_len: u32, rules: &Rules) -> Self {
        let used = wire_len + SKB_BESIDE_DATA;
        let size = used.next_power_of_two();
        let tailroom = if rules.buffers_coalesce { size - used } else { 0 };
        Self { truesize: size + SKB_STRUCT, tailroom }
    }

    /// That of a packet that is longer than a page: the first one beside the structures, then whole
    /// pages (`tun_alloc_skb`).
    #[cold]
    pub(crate) const fn in_pages(wire_len: u32) -> Self {
        let rest = wire_len.saturating_sub(PAGE - SKB_BESIDE_DATA);
        Self { truesize: PAGE + SKB_STRUCT + rest.next_multiple_of(PAGE), tailroom: 0 }
    }

    /// `len` bytes that follow are copied behind the data here if there is room, and their own buffer
    /// is freed (`skb_try_coalesce`). What is here then is kept until they are read too, so it is
    /// `next` that has the buffer. Returns the memory that was freed, if so.
    pub(crate) const fn absorb(&mut self, len: u32, next: &mut Self) -> Option<u32> {
        if self.tailroom < len || len == 0 {
            return None;
        }
        let freed = next.truesize;
        *next = Self { truesize: self.truesize, tailroom: self.tailroom - len };
        *self = Self { truesize: 0, tailroom: 0 };
        Some(freed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{OUT_OF_TREE, UPSTREAM};

    #[test]
    fn a_packet_of_1500_bytes_takes_2304() {
        let of = |wire_len| Buffer::of(wire_len, &UPSTREAM);
        assert_eq!(of(1_500), Buffer { truesize: 2_304, tailroom: 162 });
        assert_eq!(of(52), Buffer { truesize: 768, tailroom: 74 });
        assert_eq!(Buffer::of(52, &OUT_OF_TREE), Buffer { truesize: 768, tailroom: 0 });
    }

    #[test]
    fn long_packets_take_pages() {
        assert_eq!(Buffer::in_pages(4_040).truesize, 8_448);
        assert_eq!(Buffer::in_pages(20_040).truesize, 20_736);
    }

    /// The pieces of a segment of 1424 bytes that a box has cut at 700.
    #[test]
    fn small_pieces_share_a_buffer_while_it_has_room() {
        let [mut first, mut second, mut third, mut fourth] =
            [700, 700, 24, 700].map(|len| Buffer::of(len + 72, &UPSTREAM));
        assert_eq!(first.absorb(700, &mut second), Some(2_304));
        assert_eq!(second.absorb(24, &mut third), Some(768));
        assert_eq!(third.absorb(700, &mut fourth), None);
        let sizes = [first, second, third, fourth].map(|buffer| buffer.truesize);
        assert_eq!(sizes, [0, 0, 2_304, 2_304]);
    }
}
