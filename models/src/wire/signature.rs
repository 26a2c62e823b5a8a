//! Signatures of segments (RFC 2385; Linux `tcp_v4_md5_hash_skb`): a keyed MD5 digest over pseudo
//! header, TCP header without options, and payload.

use std::net::IpAddr;
use std::sync::Arc;

use etherparse::{TcpHeader, ip_number};
use md5::{Digest, Md5};

use super::tcp;
use crate::segment::{FourTuple, Segment};

/// A key that both ends of a connection sign their segments with (`TCP_MD5SIG`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Md5Key(Arc<[u8]>);

impl Md5Key {
    /// Bytes of the longest key (`TCP_MD5SIG_MAXKEYLEN`).
    pub const MAX_LEN: usize = 80;

    /// The key of these bytes; none if there is no byte or too many of them.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=Self::MAX_LEN).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// The signature of a segment, whatever signature it has; its options must be final.
    pub fn signature(&self, tuple: FourTuple, segment: &Segment) -> [u8; 16] {
        let mut header = tcp::header(tuple, segment);
        let options = [0; 40];
        let len = usize::from(segment.options_len()).min(options.len());
        // They fill whole words, so the header takes them.
        let _ = header.set_options_raw(&options[..len]);
        let mut digest = Md5::new();
        add_pseudo_header(&mut digest, tuple, header.header_len() as u32 + segment.payload.len());
        digest.update(&header.to_bytes()[..TcpHeader::MIN_LEN]);
        let mut payload = Vec::new();
        segment.payload.write_to(usize::MAX, &mut payload);
        digest.update(&payload);
        digest.update(&self.0);
        digest.finalize().into()
    }
}

/// RFC 9293 section 3.1 and RFC 8200 section 8.1.
fn add_pseudo_header(digest: &mut Md5, tuple: FourTuple, len: u32) {
    for end in [tuple.src, tuple.dst] {
        match end.ip() {
            IpAddr::V4(addr) => digest.update(addr.octets()),
            IpAddr::V6(addr) => digest.update(addr.octets()),
        }
    }
    let [protocol, len] = [u32::from(ip_number::TCP.0).to_be_bytes(), len.to_be_bytes()];
    if tuple.src.is_ipv4() {
        digest.update(&protocol[2..]);
        digest.update(&len[2..]);
    } else {
        digest.update(len);
        digest.update(protocol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;
    use crate::segment::Flags;
    use crate::seq::Seq;

    /// Bytes as RFC 2385 section 2.0 lists them, by hand.
    fn by_hand(segment: &Segment, key: &[u8]) -> [u8; 16] {
        let mut bytes = vec![10, 0, 0, 1, 10, 0, 0, 2, 0, 6];
        let len = 20 + segment.options_len() as u16 + segment.payload.len() as u16;
        bytes.extend(len.to_be_bytes());
        bytes.extend([0x9c, 0x40, 0x00, 0xb3]);
        bytes.extend(segment.seq.0.to_be_bytes());
        bytes.extend(segment.ack.0.to_be_bytes());
        bytes.extend([(5 + segment.options_len() / 4) << 4, segment.flags.0]);
        bytes.extend(segment.window.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(segment.payload.iter());
        bytes.extend(key);
        Md5::digest(bytes).into()
    }

    #[test]
    fn what_is_signed_is_what_rfc_2385_lists() {
        let tuple = FourTuple {
            src: "10.0.0.1:40000".parse().unwrap(),
            dst: "10.0.0.2:179".parse().unwrap(),
        };
        let mut segment = Segment {
            seq: Seq(7),
            ack: Seq(9),
            flags: Flags::ACK,
            window: 500,
            payload: Payload::pattern(3, 1_000),
            ..Segment::default()
        };
        segment.rare_mut().md5 = Some([0; 16]);
        let key = Md5Key::new(b"secret").unwrap();
        assert_eq!(key.signature(tuple, &segment), by_hand(&segment, b"secret"));
        let other = Md5Key::new(b"Secret").unwrap();
        assert_ne!(other.signature(tuple, &segment), key.signature(tuple, &segment));
    }
}
