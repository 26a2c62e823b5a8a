//! The keys of TCP Fast Open cookies (RFC 7413 section 4.1.2; Linux `struct tcp_fastopen_context`,
//! `__tcp_fastopen_cookie_gen_cipher`).
//!
//! A server needs no memory of its cookies: each is a keyed hash of the two addresses. While its key
//! is being replaced, the old one is its backup: a cookie made with it still opens, and is answered
//! with one made with the new key.

use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;
use std::str::FromStr;

use siphasher::sip::SipHasher24;
use thiserror::Error;
use winnow::ascii::hex_uint;
use winnow::combinator::{opt, preceded, seq};
use winnow::prelude::*;

use crate::segment::{FastOpen, FourTuple};

/// One key as the hash takes it: two little-endian words.
type Key = [u64; 2];

/// The key that cookies are made with, and the one that old cookies may be from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FastOpenKeys {
    primary: Key,
    backup: Option<Key>,
}

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "expected a key as `01234567-89abcdef-01234567-89abcdef`, perhaps a comma and a second one"
)]
pub struct InvalidKeys;

/// Whose cookie a client has brought (`tcp_fastopen_cookie_gen_check`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    /// That of the key in use.
    Valid,
    /// That of the backup key.
    Outdated,
    /// Of neither.
    Invalid,
}

impl FastOpenKeys {
    /// One key.
    pub const fn new(key: Key) -> Self {
        Self { primary: key, backup: None }
    }

    /// From the bytes of `TCP_FASTOPEN_KEY`: `TCP_FASTOPEN_KEY_LENGTH`, which is 16, or twice as many
    /// with a backup key.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        match words {
            _ if !rest.is_empty() => None,
            [a, b] => Some(Self::new([word(a), word(b)])),
            [a, b, c, d] => {
                Some(Self { primary: [word(a), word(b)], backup: Some([word(c), word(d)]) })
            }
            _ => None,
        }
    }

    /// The bytes of `TCP_FASTOPEN_KEY`.
    pub fn to_bytes(self) -> Vec<u8> {
        self.keys().flatten().flat_map(u64::to_le_bytes).collect()
    }

    /// The cookie for a client, which any of its ports may use.
    pub(crate) fn cookie(&self, tuple: FourTuple, experimental: bool) -> FastOpen {
        cookie(self.primary, tuple, experimental)
    }

    /// Whose cookie `brought` is.
    pub(crate) fn check(&self, tuple: FourTuple, brought: FastOpen) -> Brought {
        let is_of = |key| cookie(key, tuple, brought.experimental) == brought;
        if is_of(self.primary) {
            Brought::Valid
        } else if self.backup.is_some_and(is_of) {
            Brought::Outdated
        } else {
            Brought::Invalid
        }
    }

    fn keys(self) -> impl Iterator<Item = Key> {
        std::iter::once(self.primary).chain(self.backup)
    }
}

fn cookie(key: Key, tuple: FourTuple, experimental: bool) -> FastOpen {
    let mut hash = SipHasher24::new_with_keys(key[0], key[1]);
    for end in [tuple.src, tuple.dst] {
        match end.ip() {
            IpAddr::V4(ip) => hash.write(&ip.octets()),
            IpAddr::V6(ip) => hash.write(&ip.octets()),
        }
    }
    FastOpen::new(&hash.finish().to_le_bytes(), experimental)
        .unwrap_or_else(|| FastOpen::request(experimental))
}

/// As `net.ipv4.tcp_fastopen_key` shows them (`proc_tcp_fastopen_key`).
impl fmt::Display for FastOpenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, key) in self.keys().enumerate() {
            let [a, b] = key.map(|word| (word as u32, (word >> 32) as u32));
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{:08x}-{:08x}-{:08x}-{:08x}", a.0, a.1, b.0, b.1)?;
        }
        Ok(())
    }
}

impl FromStr for FastOpenKeys {
    type Err = InvalidKeys;

    fn from_str(text: &str) -> Result<Self, InvalidKeys> {
        let keys = (key, opt(preceded(',', key)));
        let mut keys = keys.map(|(primary, backup)| Self { primary, backup });
        keys.parse(text.trim()).map_err(|_| InvalidKeys)
    }
}

/// Four groups of hexadecimal digits.
fn key(input: &mut &str) -> winnow::Result<Key> {
    let (a, b, c, d): (u32, u32, u32, u32) =
        seq!(hex_uint, _: '-', hex_uint, _: '-', hex_uint, _: '-', hex_uint).parse_next(input)?;
    let word = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok([word(a, b), word(c, d)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";

    fn tuple(src: &str, dst: &str) -> FourTuple {
        FourTuple { src: src.parse().unwrap(), dst: dst.parse().unwrap() }
    }

    fn v4() -> FourTuple {
        tuple("192.0.2.1:40000", "192.168.0.1:8080")
    }

    fn hex(option: FastOpen) -> String {
        option.cookie().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Cookies that public packet scripts expect of Linux.
    #[test]
    fn cookies_are_the_kernels() {
        let keys: FastOpenKeys = TEXT.parse().unwrap();
        assert_eq!(hex(keys.cookie(v4(), false)), "3021b9d889017eeb");
        let zero: FastOpenKeys = "0-0-0-0".parse().unwrap();
        assert_eq!(hex(zero.cookie(v4(), false)), "b7c12350a90dc8f5");
        let letters = FastOpenKeys::from_bytes(b"d4d4d4d4c3c3c3c3").unwrap();
        assert_eq!(hex(letters.cookie(v4(), false)), "9b57e9a81b0d4005");
        let v6 = tuple("[fd3d:fa7b:d17d::1]:40000", "[fd3d:a0b:17d6::1]:8080");
        assert_eq!(hex(letters.cookie(v6, false)), "ac32529516b4c312");
    }

    #[test]
    fn keys_are_16_bytes_or_twice_as_many() {
        let bytes = b"d4d4d4d4c3c3c3c3b2b2b2b2a1a1a1a1";
        for len in 0..=40 {
            let keys = bytes.get(..len).and_then(FastOpenKeys::from_bytes);
            assert_eq!(keys.is_some(), [16, 32].contains(&len), "{len}");
            assert!(keys.is_none_or(|keys| keys.to_bytes() == bytes[..len]));
        }
    }

    #[test]
    fn keys_are_shown_as_they_are_written() {
        for text in [TEXT.to_owned(), format!("{TEXT},01234567-89abcdef-00000000-00000001")] {
            assert_eq!(text.parse::<FastOpenKeys>().unwrap().to_string(), text);
        }
        for wrong in ["", "1-2-3", "1-2-3-4-5", "1-2-3-4,", "1-2-3-g", "123456789-1-1-1"] {
            assert_eq!(wrong.parse::<FastOpenKeys>(), Err(InvalidKeys), "{wrong}");
        }
    }

    #[test]
    fn a_cookie_of_the_backup_key_is_outdated() {
        let old: FastOpenKeys = TEXT.parse().unwrap();
        let both: FastOpenKeys = format!("1-2-3-4,{TEXT}").parse().unwrap();
        assert_eq!(both.check(v4(), old.cookie(v4(), true)), Brought::Outdated);
        assert_eq!(both.check(v4(), both.cookie(v4(), true)), Brought::Valid);
        assert_eq!(old.check(v4(), both.cookie(v4(), true)), Brought::Invalid);
    }
}
