//! Opening with data in the SYN (RFC 7413; Linux `net/ipv4/tcp_fastopen.c`, `net/mptcp/fastopen.c`).
//!
//! Data in the SYN is no part of the data level: the first mapped byte comes behind it. If the server
//! does not take it, it goes out again without mapping, which makes the connection plain TCP.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mptcpsim_core::time::Span;

use super::{Connection, Env, MetaState, SocketOptions, cx};
use crate::fast_open_keys::{Brought, FastOpenKeys};
use crate::observe::mib::Counter;
use crate::segment::{FastOpen, FourTuple, MAX_OPTIONS, Segment, TCP_HEADER};
use crate::sysctl::Sysctl;
use crate::tcp::Buffer;

/// The bits of `net.ipv4.tcp_fastopen`.
const CLIENT: u32 = 0x1;
const SERVER: u32 = 0x2;
const CLIENT_NO_COOKIE: u32 = 0x4;
const SERVER_NO_COOKIE: u32 = 0x200;
const ALL_SERVERS: u32 = 0x400;

/// What a host gives out as a server, and has learnt as a client (`struct tcp_fastopen_metrics`).
#[derive(Clone, Debug, Default)]
pub struct FastOpenCookies {
    /// Drawn when the host started, for as long as nobody sets others.
    keys: FastOpenKeys,
    known: BTreeMap<(IpAddr, IpAddr), Known>,
}

/// What a client knows of a server.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    mss: Option<u16>,
    cookie: Option<FastOpen>,
    /// The form of the option that was asked with in vain: first the usual, then the experimental one.
    in_vain: Option<bool>,
}

impl FastOpenCookies {
    /// With the key of a host that nobody has given one.
    pub(crate) fn new(key: [u64; 2]) -> Self {
        Self { keys: FastOpenKeys::new(key), known: BTreeMap::new() }
    }

    /// The keys of a listener: its own, else the host's (`tcp_fastopen_get_ctx`).
    pub(crate) fn keys(&self, options: &SocketOptions, sysctl: &Sysctl) -> FastOpenKeys {
        let own = options.fast_open_keys.as_deref().copied();
        own.or(sysctl.tcp_fastopen_key).unwrap_or(self.keys)
    }

    /// True if a SYN `from` an address `to` another could carry data of a socket with these options.
    pub(crate) fn opens(
        &self,
        (from, to): (IpAddr, IpAddr),
        options: &SocketOptions,
        sysctl: &Sysctl,
    ) -> bool {
        let bits = sysctl.tcp_fastopen;
        let known = self.known.get(&(from, to)).is_some_and(|known| known.cookie.is_some());
        let opens = options.fast_open && bits & CLIENT != 0;
        opens && (known || needs_no_cookie(options, bits & CLIENT_NO_COOKIE))
    }

    fn known(&self, tuple: FourTuple) -> Known {
        self.known.get(&(tuple.src.ip(), tuple.dst.ip())).copied().unwrap_or_default()
    }

    /// `tcp_fastopen_cache_set`.
    fn learn(&mut self, tuple: FourTuple, asked: Option<FastOpen>, data: u32, answer: &Segment) {
        let rare = answer.rare();
        let known = self.known.entry((tuple.src.ip(), tuple.dst.ip())).or_default();
        known.mss = rare.and_then(|rare| rare.mss).or(known.mss);
        let Some(asked) = asked else { return };
        let cookie = rare.and_then(|rare| rare.fast_open).filter(|it| !it.cookie().is_empty());
        if cookie.is_some() {
            known.cookie = cookie;
        } else if data == 0 && known.cookie.is_none() {
            known.in_vain = Some(asked.experimental);
        }
    }
}

/// The host or the socket does without (`tcp_fastopen_no_cookie`).
const fn needs_no_cookie(options: &SocketOptions, bit: u32) -> bool {
    bit != 0 || options.fast_open_without_cookie
}

/// How a server answers a SYN.
pub(super) enum Answer {
    /// As if TCP Fast Open did not exist.
    Ordinarily,
    /// With a cookie for the next time.
    Cookie(FastOpen),
    /// It takes it, data and all, perhaps with a cookie that is to replace the client's.
    Open(Option<FastOpen>),
}

/// `tcp_try_fastopen`.
#[cold]
pub(super) fn answer(
    env: &mut Env<'_>,
    options: &SocketOptions,
    tuple: FourTuple,
    syn: &Segment,
) -> Answer {
    let bits = env.config.sysctl.tcp_fastopen;
    let option = syn.rare().and_then(|rare| rare.fast_open);
    let wishes = option.is_some_and(|option| option.cookie().is_empty());
    env.mib.add(Counter::FastOpenCookieReqd, u64::from(wishes));
    let serves = bits & SERVER != 0 && (options.fast_open || bits & ALL_SERVERS != 0);
    if !serves || (option.is_none() && syn.payload.is_empty()) {
        return Answer::Ordinarily;
    }
    if needs_no_cookie(options, bits & SERVER_NO_COOKIE) {
        return Answer::Open(None);
    }
    let Some(option) = option else { return Answer::Ordinarily };
    let keys = env.fast_open.keys(options, &env.config.sysctl);
    let valid = keys.cookie(tuple, option.experimental);
    if wishes {
        return Answer::Cookie(valid);
    }
    match keys.check(tuple, option) {
        Brought::Valid => Answer::Open(None),
        Brought::Outdated => Answer::Open(Some(valid)),
        Brought::Invalid => {
            env.mib.inc(Counter::FastOpenPassiveFail);
            Answer::Cookie(valid)
        }
    }
}

impl Connection {
    /// The first SYN asks for a cookie, or has one, and then data (`tcp_send_syn_data`,
    /// `tcp_fastopen_cookie_check`).
    #[cold]
    pub(super) fn open_fast(&mut self, env: &Env<'_>, tuple: FourTuple) {
        let bits = env.config.sysctl.tcp_fastopen;
        if bits & CLIENT == 0 {
            return;
        }
        let known = env.fast_open.known(tuple);
        let headers = u16::from(tuple.ip_header()) + u16::from(TCP_HEADER);
        let mss = env.config.mtu.saturating_sub(headers);
        let room = known.mss.map_or(mss, |known| known.min(mss)).saturating_sub(MAX_OPTIONS.into());
        let (option, room) = match known.cookie {
            _ if needs_no_cookie(&self.options, bits & CLIENT_NO_COOKIE) => (None, room),
            Some(cookie) => (Some(cookie), room),
            None => (Some(FastOpen::request(known.in_vain == Some(false))), 0),
        };
        self.subs[0].tcp.open_fast(option, room.into());
    }

    /// True if data of a SYN was taken, by this end or by the peer (`syn_data_acked`).
    pub const fn opened_with_data(&self) -> bool {
        self.tx.in_syn > 0 || self.rx.in_syn > 0
    }

    /// Bytes that, written now, would leave with the SYN; 0 once it has left.
    pub fn syn_room(&self) -> u64 {
        let opening = self.client && self.state == MetaState::Opening;
        let first = self.subs.first().filter(|_| opening);
        first.map_or(0, |sub| u64::from(sub.tcp.syn_room()))
    }

    /// Something was written before the SYN has left.
    #[cold]
    pub(super) fn fill_syn(&mut self) {
        if let Some(sub) = self.subs.first_mut() {
            sub.tcp.offer_syn_data(self.tx.written);
        }
    }

    /// The server has answered: what it has not taken goes out again (`tcp_rcv_fastopen_synack`).
    #[cold]
    pub(super) fn fast_open_answered(&mut self, env: &mut Env<'_>, answer: &Segment) {
        let Some((sent, accepted)) = self.subs[0].tcp.syn_data() else { return };
        let asked = self.subs[0].tcp.fast_open_option();
        env.fast_open.learn(self.subs[0].tuple, asked, sent, answer);
        let accepted = u64::from(accepted);
        self.tx.in_syn = accepted;
        self.tx.first_dsn = self.tx.first_dsn.wrapping_sub(accepted);
        (self.tx.una, self.tx.nxt, self.tx.head) = (accepted, accepted, accepted);
        let left = sent - accepted as u32;
        if left > 0 {
            env.mib.inc(Counter::FastOpenActiveFail);
            env.mib.inc(Counter::RetransSegs);
            let sub = &mut self.subs[0];
            sub.tcp.push(&mut cx!(self, env, 0), accepted, left, false, left);
            sub.tcp.freeze_queue();
            self.tx.head += u64::from(left);
            self.tx.nxt = self.tx.head;
            self.mark_ready(0);
        } else if sent > 0 {
            env.mib.inc(Counter::FastOpenActive);
        }
    }

    /// The SYN is enough: the application has the connection, and the data (`tcp_fastopen_add_skb`,
    /// `mptcp_fastopen_subflow_synack_set_params`). MPTCP sends when the peer's key is there. A
    /// `renewed` cookie goes with the answer.
    #[cold]
    pub(super) fn open_by_syn(
        &mut self,
        env: &mut Env<'_>,
        index: usize,
        syn: &Segment,
        renewed: Option<FastOpen>,
    ) {
        env.mib.inc(Counter::FastOpenPassive);
        let early = !self.is_mptcp();
        let sub = &mut self.subs[index];
        sub.tcp.take_syn(&mut cx!(self, env, index), syn, early, renewed);
        self.rx.start_tuning(env.now);
        if !syn.payload.is_empty() {
            self.rx.in_syn = u64::from(syn.payload.len());
            let buffer = Buffer::of(syn.wire_len(), env.config.rules);
            self.rx.append(syn.payload.clone(), buffer, Span::ZERO);
            self.subs[index].statistics.delivered_bytes += self.rx.in_syn;
            if let Some(key) = self.remote_key {
                self.set_remote_key(key);
            }
        }
        if early {
            self.tx.window_end = u64::MAX;
        }
        self.set_meta_state(env, MetaState::Established);
    }
}
