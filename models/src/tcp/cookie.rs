//! SYN cookies: a handshake that leaves nothing behind at the server until its third segment
//! (RFC 4987 section 3.6; Linux `net/ipv4/syncookies.c`).
//!
//! What is to be remembered of the SYN travels: the segment size in the sequence number of the
//! SYN/ACK, the other options in the low bits of its timestamp. Without timestamps they are lost.

use mptcpsim_core::time::Time;
use sha2::{Digest, Sha256};

use super::{Negotiated, Subflow, Wants};
use crate::segment::{Flags, FourTuple, Segment, Timestamps};
use crate::seq::Seq;

/// Segment sizes that a cookie can name, for both versions of IP (`msstab`).
const SIZES: [[u16; 4]; 2] = [[536, 1_300, 1_440, 1_460], [1_220, 1_420, 1_440, 8_940]];
/// Cookies are of one minute, and good in the next one too (`MAX_SYNCOOKIE_AGE`).
const MINUTE_MS: u64 = 60_000;
const AGE: u32 = 2;
/// The bits that hold segment size and minute.
const COUNT_SHIFT: u32 = 24;
const SIZE_MASK: u32 = (1 << COUNT_SHIFT) - 1;

/// The low bits of a timestamp: window scale, SACK, ECN (`TSBITS`).
const STAMP_BITS: u32 = 6;
const STAMP_MASK: u32 = (1 << STAMP_BITS) - 1;
const SCALE_MASK: u32 = 0xf;
const SACK: u32 = 1 << 4;
const ECN: u32 = 1 << 5;

/// A host's secret.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Secret(pub(crate) u64);

impl Secret {
    fn hash(self, tuple: FourTuple, count: Option<u32>) -> u32 {
        let mut digest = Sha256::new();
        digest.update(self.0.to_be_bytes());
        for end in [tuple.src, tuple.dst] {
            match end.ip() {
                std::net::IpAddr::V4(ip) => digest.update(ip.octets()),
                std::net::IpAddr::V6(ip) => digest.update(ip.octets()),
            }
            digest.update(end.port().to_be_bytes());
        }
        digest.update(count.map_or(u64::MAX, u64::from).to_be_bytes());
        let digest = digest.finalize();
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }

    /// A number for a tuple that nobody can foretell.
    pub(crate) fn of(self, tuple: FourTuple) -> u32 {
        self.hash(tuple, None)
    }

    /// The number of the SYN/ACK for a SYN from `tuple` (`secure_tcp_syn_cookie`).
    pub(crate) fn cookie(self, now: Time, tuple: FourTuple, syn: &Segment) -> Seq {
        let mss = syn.rare().and_then(|rare| rare.mss).unwrap_or(0);
        let sizes = SIZES[usize::from(tuple.src.is_ipv6())];
        let index = sizes.iter().rposition(|size| *size <= mss).unwrap_or(0) as u32;
        let count = minute(now);
        let low = self.hash(tuple, Some(count)).wrapping_add(index) & SIZE_MASK;
        let base = self.hash(tuple, None).wrapping_add(syn.seq.0);
        Seq(base.wrapping_add(count << COUNT_SHIFT).wrapping_add(low))
    }

    /// The segment size of the SYN that the acknowledgement of a cookie belongs to; none if it is
    /// no cookie, or an old one (`check_tcp_syn_cookie`).
    fn size(self, now: Time, tuple: FourTuple, ack: &Segment) -> Option<u16> {
        let (isn, cookie) = (ack.seq.0.wrapping_sub(1), ack.ack.0.wrapping_sub(1));
        let rest = cookie.wrapping_sub(self.hash(tuple, None)).wrapping_sub(isn);
        let age = minute(now).wrapping_sub(rest >> COUNT_SHIFT) & (u32::MAX >> COUNT_SHIFT);
        if age >= AGE {
            return None;
        }
        let count = minute(now).wrapping_sub(age);
        let index = rest.wrapping_sub(self.hash(tuple, Some(count))) & SIZE_MASK;
        SIZES[usize::from(tuple.src.is_ipv6())].get(index as usize).copied()
    }

    /// The SYN that `ack`, the third segment of a handshake, belongs to, as far as cookie and
    /// timestamp know it; none if it acknowledges no cookie.
    pub(crate) fn syn_of(self, now: Time, tuple: FourTuple, ack: &Segment) -> Option<Segment> {
        let mss = self.size(now, tuple, ack)?;
        let mut syn = Segment {
            seq: ack.seq + u32::MAX,
            flags: Flags::SYN,
            window: ack.window,
            timestamps: ack.timestamps,
            ..Segment::default()
        };
        let told = ack.timestamps.map_or(SCALE_MASK, |stamps| stamps.ecr & STAMP_MASK);
        if told & ECN != 0 {
            syn.flags = syn.flags | Flags::ECE | Flags::CWR;
        }
        let rare = syn.rare_mut();
        rare.mss = Some(mss);
        rare.sack_permitted = told & SACK != 0;
        let scale = told & SCALE_MASK;
        rare.window_scale = (scale != SCALE_MASK).then_some(scale as u8);
        Some(syn)
    }
}

/// Minutes as cookies count them.
const fn minute(now: Time) -> u32 {
    (now.as_ms() / MINUTE_MS) as u32
}

/// Without timestamps nobody will remember the options (`tcp_clear_options`).
pub(crate) fn forget_options(syn: &Segment) -> Segment {
    let mut bare = syn.clone();
    if syn.timestamps.is_none() {
        let rare = bare.rare_mut();
        (rare.window_scale, rare.sack_permitted) = (None, false);
        bare.flags = bare.flags.without(Flags::ECE | Flags::CWR);
    }
    bare
}

impl Subflow {
    /// What the timestamp of a SYN/ACK says of the options (`cookie_init_timestamp`): it is never
    /// later than the clock.
    pub fn write_stamp(&self, syn_ack: &mut Segment) {
        let Some(stamps) = syn_ack.timestamps else { return };
        let Negotiated { sack, ecn, window_scaling, snd_wscale, .. } = self.negotiated;
        let scale = if window_scaling { u32::from(snd_wscale) } else { SCALE_MASK };
        let options = scale | if sack { SACK } else { 0 } | if ecn { ECN } else { 0 };
        let told = stamps.val & !STAMP_MASK | options;
        let late = u32::from(told & STAMP_MASK > stamps.val & STAMP_MASK);
        let val = told.wrapping_sub(late << STAMP_BITS);
        syn_ack.timestamps = Some(Timestamps { val, ..stamps });
    }

    /// The SYN/ACK was sent before this subflow was made: nobody knows when.
    pub fn answered_before(&mut self) {
        self.wants.clear(Wants::SYN);
        self.timers.stop_retransmit();
        self.forget_answer_time();
    }

    /// When the SYN/ACK was sent is not remembered: the handshake measures no time by itself.
    pub fn forget_answer_time(&mut self) {
        self.unmeasured = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mptcpsim_core::time::Span;

    fn syn(mss: u16) -> Segment {
        let mut syn = Segment { seq: Seq(0xffff_fffe), flags: Flags::SYN, ..Segment::default() };
        syn.rare_mut().mss = Some(mss);
        syn
    }

    fn ack(cookie: Seq, syn: &Segment) -> Segment {
        Segment { seq: syn.seq + 1, ack: cookie + 1, flags: Flags::ACK, ..Segment::default() }
    }

    fn tuple(addr: &str) -> FourTuple {
        let src = format!("{addr}:4000").parse().unwrap();
        FourTuple { src, dst: format!("{addr}:80").parse().unwrap() }
    }

    #[test]
    fn a_cookie_remembers_the_segment_size_for_a_minute_or_two() {
        let (secret, made) = (Secret(42), Time::ZERO + Span::from_secs(59));
        let cases = [("10.0.0.1", 1_460, 1_460), ("10.0.0.1", 1_400, 1_300), ("10.0.0.1", 9, 536)];
        for (addr, mss, remembered) in cases.into_iter().chain([("[::1]", 1_440, 1_440)]) {
            let syn = syn(mss);
            let cookie = secret.cookie(made, tuple(addr), &syn);
            let ack = ack(cookie, &syn);
            let size = |after| {
                let found = secret.syn_of(made + Span::from_secs(after), tuple(addr), &ack);
                found.map(|syn| (syn.seq, syn.rare().unwrap().mss.unwrap()))
            };
            assert_eq!(size(0), Some((syn.seq, remembered)));
            assert_eq!(size(60), Some((syn.seq, remembered)));
            assert_eq!(size(200), None);
        }
    }

    #[test]
    fn what_is_no_cookie_is_found_out() {
        let (secret, now) = (Secret(42), Time::ZERO);
        let syn = syn(1_460);
        let cookie = secret.cookie(now, tuple("10.0.0.1"), &syn);
        let found = |secret: Secret, addr, by| {
            secret.syn_of(now, tuple(addr), &ack(cookie + by, &syn)).is_some()
        };
        assert!(found(secret, "10.0.0.1", 0));
        assert!(!found(secret, "10.0.0.1", 10));
        assert!(!found(secret, "10.0.0.2", 0));
        assert!(!found(Secret(43), "10.0.0.1", 0));
    }
}
