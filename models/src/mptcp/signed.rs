//! Connections whose segments are signed (RFC 2385; Linux `tcp_inbound_md5_hash`,
//! `tcp_syn_options`). They are plain TCP: MPTCP is not used where a socket has a key, as there would
//! be no room for its options.

use super::{Connection, Env, cx};
use crate::observe::mib::{Counter, Mib};
use crate::segment::{Flags, FourTuple, Segment};
use crate::tcp::Outgoing;
use crate::wire::Md5Key;

/// Bytes that a signature takes in each segment, padding included (`TCPOLEN_MD5SIG_ALIGNED`).
pub(super) const SIGNATURE: u8 = 20;

/// True if a socket with this key, or without one, drops `segment` from `tuple`.
#[cold]
pub(crate) fn refuses(
    key: Option<&Md5Key>,
    tuple: FourTuple,
    segment: &Segment,
    mib: &mut Mib,
) -> bool {
    let found = segment.rare().and_then(|rare| rare.md5);
    let why = match (key, found) {
        (None, None) => return false,
        (Some(_), None) => Counter::Md5NotFound,
        (None, Some(_)) => Counter::Md5Unexpected,
        (Some(key), Some(found)) if key.signature(tuple, segment) == found => return false,
        (Some(_), Some(_)) => Counter::Md5Failure,
    };
    mib.inc(why);
    true
}

impl Connection {
    /// True if a segment is not looked at because of its signature, or for want of one.
    #[cold]
    pub(super) fn refuses_signature(
        &self,
        env: &mut Env<'_>,
        index: usize,
        segment: &Segment,
    ) -> bool {
        let Some(sub) = self.subs.get(index) else { return true };
        let tuple = sub.tuple.reversed();
        let refused = refuses(self.options.md5_key.as_ref(), tuple, segment, env.mib);
        env.mib.add(Counter::InSegs, u64::from(refused));
        refused
    }

    /// Completes a segment and signs it.
    #[cold]
    pub(super) fn complete_signed(&mut self, env: &mut Env<'_>, index: usize, out: &mut Outgoing) {
        let Some(key) = &self.options.md5_key else { return };
        let sub = &mut self.subs[index];
        // There is room for timestamps or SACK blocks beside a signature, not for both.
        if out.segment.flags.has(Flags::SYN) && !out.segment.flags.has(Flags::ACK) {
            out.segment.timestamps = None;
        }
        out.segment.rare_mut().md5 = Some([0; 16]);
        out.segment.fit_fast_open();
        sub.tcp.complete(&mut cx!(self, env, index), out);
        let signature = key.signature(sub.tuple, &out.segment);
        out.segment.rare_mut().md5 = Some(signature);
    }
}
