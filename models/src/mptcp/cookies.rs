//! Handshakes by SYN cookies: MP_CAPABLE and MP_JOIN without a trace until the third segment
//! (Linux `mptcp_subflow_init_cookie_req`, `net/mptcp/syncookies.c`).
//!
//! The third ACK of MP_CAPABLE brings both keys back. That of MP_JOIN brings an HMAC alone, so what
//! was said before is kept, in a table of fixed size in which later joins overwrite earlier ones.

use super::open::{Join, Opening, Refusal};
use super::{Connection, Env, SocketOptions};
use crate::mptcp_keys::{Key, join_hmac};
use crate::observe::mib::Counter;
use crate::segment::{FourTuple, MpCapable, MpJoin, ResetReason, Segment};
use crate::seq::Seq;
use crate::tcp::cookie::{Secret, forget_options};

/// Joins that can be under way at a time (`COOKIE_JOIN_SLOTS`).
const JOIN_SLOTS: usize = 1_024;

/// What is kept of a join between its SYN and its third ACK.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SavedJoin {
    /// The connection that it is for.
    pub(crate) token: u32,
    local_nonce: u32,
    remote_nonce: u32,
    local_id: u8,
    remote_id: u8,
    backup_by_us: bool,
    backup_by_peer: bool,
}

/// A host's SYN cookies.
#[derive(Clone, Debug, Default)]
pub(crate) struct SynCookies {
    secret: Secret,
    /// Empty until the first join.
    joins: Vec<Option<SavedJoin>>,
}

impl SynCookies {
    pub(crate) const fn new(secret: u64) -> Self {
        Self { secret: Secret(secret), joins: Vec::new() }
    }

    /// True if SYNs are answered by cookies on this host (`net.ipv4.tcp_syncookies`).
    pub(crate) const fn are_used(env: &Env<'_>) -> bool {
        env.config.sysctl.tcp_syncookies == 2
    }

    /// The same for SYNs with MP_JOIN.
    pub(crate) const fn are_used_for_joins(env: &Env<'_>) -> bool {
        Self::are_used(env) && env.config.rules.join_cookies
    }

    /// The SYN/ACK for a SYN from `tuple`; nothing else is left of it.
    pub(crate) fn answer_syn(
        &self,
        env: &mut Env<'_>,
        tuple: FourTuple,
        key: Option<Key>,
        options: SocketOptions,
        syn: &Segment,
    ) -> Option<Segment> {
        let syn = forget_options(syn);
        let opening = self.opening(env, tuple, key, &syn);
        let options = SocketOptions { fast_open: false, ..options };
        env.mib.inc(Counter::SyncookiesSent);
        let mut connection = Connection::accept(env, opening, options, &syn);
        let (_, mut syn_ack) = connection.poll_segment(env)?;
        connection.subs.first()?.tcp.write_stamp(&mut syn_ack);
        Some(syn_ack)
    }

    fn opening(&self, env: &Env<'_>, tuple: FourTuple, key: Option<Key>, syn: &Segment) -> Opening {
        let iss = Some(self.secret.cookie(env.now, tuple, syn));
        Opening { key, tuple: tuple.reversed(), iss }
    }

    /// The SYN that a segment for no connection acknowledges the answer to.
    pub(crate) fn syn_of(
        &self,
        env: &mut Env<'_>,
        tuple: FourTuple,
        ack: &Segment,
    ) -> Option<Segment> {
        let syn = self.secret.syn_of(env.now, tuple, ack);
        let counter =
            if syn.is_some() { Counter::SyncookiesRecv } else { Counter::SyncookiesFailed };
        env.mib.inc(counter);
        syn
    }

    /// The connection that `ack` opens, the third segment of a handshake that began with `syn`; it
    /// has still to be given `ack`. `is_free` says whether a token is.
    pub(crate) fn open(
        env: &mut Env<'_>,
        tuple: FourTuple,
        options: SocketOptions,
        (syn, ack): (&Segment, &Segment),
        is_free: impl Fn(Key) -> bool,
    ) -> (Option<Key>, Connection) {
        let mut syn = syn.clone();
        let returned = ack
            .mp_capable()
            .and_then(|capable| Some((*capable, capable.sender_key?, Key(capable.receiver_key?))));
        let mut key = None;
        if let Some((capable, theirs, ours)) = returned
            && theirs != 0
            && is_free(ours)
        {
            key = Some(ours);
            let brought = env.config.rules.version.has_key_in_syn();
            syn.rare_mut().mp_capable = Some(MpCapable {
                sender_key: brought.then_some(theirs),
                receiver_key: None,
                data_len: None,
                checksum: None,
                ..capable
            });
        }
        let options =
            SocketOptions { mptcp: options.mptcp && key.is_some(), fast_open: false, ..options };
        let iss = Some(Seq(ack.ack.0.wrapping_sub(1)));
        let opening = Opening { key, tuple: tuple.reversed(), iss };
        let mut connection = Connection::accept_uncounted(env, opening, options, &syn);
        if let Some(sub) = connection.subs.first_mut() {
            sub.tcp.answered_before();
        }
        (key, connection)
    }

    /// The SYN/ACK for a SYN with MP_JOIN from `tuple`, for `connection`.
    pub(crate) fn answer_join(
        &mut self,
        env: &mut Env<'_>,
        (connection, tuple): (&Connection, FourTuple),
        syn: &Segment,
    ) -> Result<Segment, Refusal> {
        let refusal = Refusal { reason: ResetReason::MPTCP };
        let Some(&MpJoin::Syn { backup, address_id, nonce, token }) = syn.mp_join() else {
            return Err(refusal);
        };
        connection.admit_join(env, backup)?;
        let (local_id, backup_by_us) = connection.join_id(env, tuple.dst.ip());
        let saved = SavedJoin {
            token,
            local_nonce: env.random.next_u64() as u32,
            remote_nonce: nonce,
            local_id,
            remote_id: address_id,
            backup_by_us,
            backup_by_peer: backup,
        };
        let options = SocketOptions { mptcp: false, ..connection.options.clone() };
        let mut syn_ack = self.answer_syn(env, tuple, None, options, syn).ok_or(refusal)?;
        syn_ack.rare_mut().mp_join = Some(connection.join_answer(&saved).ok_or(refusal)?);
        syn_ack.seal(tuple.ip_header());
        self.joins.resize(JOIN_SLOTS, None);
        let slot = self.slot(tuple);
        self.joins[slot] = Some(saved);
        Ok(syn_ack)
    }

    /// What was kept of the join from `tuple`; it is not kept any longer.
    pub(crate) fn take_join(&mut self, tuple: FourTuple) -> Option<SavedJoin> {
        let slot = self.slot(tuple);
        self.joins.get_mut(slot)?.take()
    }

    fn slot(&self, tuple: FourTuple) -> usize {
        self.secret.of(tuple) as usize % JOIN_SLOTS
    }
}

impl Connection {
    fn join_answer(&self, saved: &SavedJoin) -> Option<MpJoin> {
        let (ours, theirs) = (saved.local_nonce, saved.remote_nonce);
        let hmac = join_hmac(self.local_key, self.remote_key?, ours, theirs, self.version);
        Some(MpJoin::SynAck {
            backup: saved.backup_by_us,
            address_id: saved.local_id,
            hmac: hmac.leftmost64(),
            nonce: ours,
        })
    }

    /// The subflow that `ack` opens, the third segment of a join that began with `syn`; it has
    /// still to be given `ack`. Returns its index.
    pub(crate) fn join_by_cookie(
        &mut self,
        env: &mut Env<'_>,
        tuple: FourTuple,
        saved: SavedJoin,
        (syn, ack): (&Segment, &Segment),
    ) -> usize {
        let iss = Seq(ack.ack.0.wrapping_sub(1));
        let join = Join { local_nonce: saved.local_nonce, remote_nonce: saved.remote_nonce };
        let index = self.add_passive(env, tuple.reversed(), Some(iss), syn, Some(Box::new(join)));
        let sub = &mut self.subs[index];
        sub.local_id = saved.local_id;
        sub.remote_id = saved.remote_id;
        sub.backup_by_us = saved.backup_by_us;
        sub.backup_by_peer = saved.backup_by_peer;
        sub.tcp.answered_before();
        index
    }
}
