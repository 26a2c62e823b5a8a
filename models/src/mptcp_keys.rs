//! Keys and what is derived from them: tokens, initial data sequence numbers, HMACs.
//!
//! Version 0 is RFC 6824 (SHA-1), version 1 is RFC 8684 (SHA-256). Kernel
//! functions to read beside: `mptcp_key_sha1`, `mptcp_hmac_sha1` (out-of-tree),
//! `mptcp_crypto_key_sha`, `mptcp_crypto_hmac_sha`, `add_addr_generate_hmac`
//! (upstream).

use std::net::IpAddr;

use arrayvec::ArrayVec;
use hmac::digest::Update;
use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit, Mac};
use mptcpsim_core::rng::Stream;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Which MPTCP a host speaks, and with it which digest and which option formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// RFC 6824.
    V0,
    /// RFC 8684.
    V1,
}

impl Version {
    /// MP_CAPABLE of a SYN has the client's key (RFC 6824 section 3.1); later only the third
    /// segment brings it (RFC 8684 section 3.1).
    pub const fn has_key_in_syn(self) -> bool {
        matches!(self, Self::V0)
    }
}

/// A host's key for one connection: the eight bytes of the wire, the first one highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u64);

/// The 32-bit name that MP_JOIN gives a connection: the first bytes of the key's digest
/// (RFC 8684 section 3.2).
pub fn token(key: Key, version: Version) -> u32 {
    let digest = key_digest(key, version);
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// Draws a key whose token is not `taken` (RFC 8684 section 3.1); `attempts` says how often at most.
pub(crate) fn draw_key(
    random: &mut Stream,
    version: Version,
    attempts: Option<u32>,
    taken: impl Fn(u32) -> bool,
) -> Option<Key> {
    let draws = 0..attempts.unwrap_or(u32::MAX);
    let mut keys = draws.map(|_| Key(random.next_u64()));
    keys.find(|key| key.0 != 0 && !taken(token(*key, version)))
}

/// The initial data sequence number: the last 64 bits of the key's digest (RFC 8684 section 3.1).
///
/// The SYN consumes it; the first byte of data has the number behind it.
pub fn idsn(key: Key, version: Version) -> u64 {
    let digest = key_digest(key, version);
    let last = match version {
        Version::V0 => &digest[12..20],
        Version::V1 => &digest[24..32],
    };
    last.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The digest of a key; SHA-1 leaves the last twelve bytes zero.
fn key_digest(key: Key, version: Version) -> [u8; 32] {
    let mut digest = [0; 32];
    match version {
        Version::V0 => digest[..20].copy_from_slice(&Sha1::digest(key.0.to_be_bytes())),
        Version::V1 => digest.copy_from_slice(&Sha256::digest(key.0.to_be_bytes())),
    }
    digest
}

/// The proof that the sender of an MP_JOIN knows both keys (RFC 8684 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinHmac([u8; 20]);

impl JoinHmac {
    /// The leftmost 64 bits, as the SYN/ACK carries them.
    pub fn leftmost64(&self) -> u64 {
        self.0[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The leftmost 160 bits, as the third ACK carries them.
    pub fn bytes160(&self) -> [u8; 20] {
        self.0
    }
}

/// The HMAC with which the host of `local` answers or concludes an MP_JOIN handshake.
pub fn join_hmac(
    local: Key,
    remote: Key,
    local_nonce: u32,
    remote_nonce: u32,
    version: Version,
) -> JoinHmac {
    let message = (u64::from(local_nonce) << 32 | u64::from(remote_nonce)).to_be_bytes();
    let mut leftmost = [0; 20];
    match version {
        Version::V0 => leftmost.copy_from_slice(&hmac_sha1(local, remote.0, &[&message])),
        Version::V1 => leftmost.copy_from_slice(&hmac_sha256(local, remote, &[&message])[..20]),
    }
    JoinHmac(leftmost)
}

/// The HMAC of ADD_ADDR: the rightmost 64 bits of an HMAC-SHA256 over id, address and port
/// (RFC 8684 section 3.4.1).
///
/// An option without a port is signed as if it held port 0.
pub fn add_addr_hmac(
    sender: Key,
    receiver: Key,
    address_id: u8,
    addr: IpAddr,
    port: Option<u16>,
) -> u64 {
    let port = port.unwrap_or(0).to_be_bytes();
    let mac = hmac_sha256(sender, receiver, &[&[address_id], &octets(addr), &port]);
    mac[24..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The HMAC of ADD_ADDR of the out-of-tree kernel with `mptcp_version` 1, which follows a draft
/// and not RFC 8684: the leftmost 64 bits of an HMAC-SHA1 without the receiver's key, over id,
/// address and, only where there is one, port (`mptcp_handle_add_addr`).
pub fn draft_add_addr_hmac(sender: Key, address_id: u8, addr: IpAddr, port: Option<u16>) -> u64 {
    let port = port.map(u16::to_be_bytes);
    let port = port.as_ref().map_or(&[][..], |bytes| bytes);
    let mac = hmac_sha1(sender, 0, &[&[address_id], &octets(addr), port]);
    mac[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn octets(addr: IpAddr) -> ArrayVec<u8, 16> {
    match addr {
        IpAddr::V4(addr) => addr.octets().into_iter().collect(),
        IpAddr::V6(addr) => addr.octets().into(),
    }
}

fn hmac_sha1(first: Key, second: u64, message: &[&[u8]]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new(&Array(key_block(first, second)));
    message.iter().for_each(|part| Update::update(&mut mac, part));
    mac.finalize().into_bytes().into()
}

fn hmac_sha256(first: Key, second: Key, message: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new(&Array(key_block(first, second.0)));
    message.iter().for_each(|part| Update::update(&mut mac, part));
    mac.finalize().into_bytes().into()
}

/// Both keys in a row, padded to the digests' block as HMAC pads short keys (RFC 2104).
fn key_block(first: Key, second: u64) -> [u8; 64] {
    let mut block = [0; 64];
    block[..8].copy_from_slice(&first.0.to_be_bytes());
    block[8..16].copy_from_slice(&second.to_be_bytes());
    block
}
