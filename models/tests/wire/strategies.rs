//! Arbitrary segments and packets.

use std::net::{IpAddr, SocketAddr};

use mptcpsim_models::mptcp_keys::Version;
use mptcpsim_models::payload::Payload;
use mptcpsim_models::segment::{
    AddAddr, Dss, Ecn, FastOpen, Flags, FourTuple, MpCapable, MpJoin, MpPrio, MpTcpRst, Rare,
    RemoveAddr, ResetReason, SackBlocks, Segment, Timestamps, UnknownOption, Width,
};
use mptcpsim_models::seq::{Seq, SeqRange};
use mptcpsim_models::wire::{IpFields, drop_unheard};
use proptest::option::weighted;
use proptest::prelude::*;

pub(crate) fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V0), Just(Version::V1)]
}

/// Addresses of one family, and what the IP header of that family holds.
pub(crate) fn ip() -> impl Strategy<Value = (FourTuple, IpFields)> {
    let ports = any::<(u16, u16)>();
    let fields = (0u8..64, any::<u8>(), any::<u16>(), any::<bool>(), 0u32..1 << 20);
    let v4 = (any::<([u8; 4], [u8; 4])>(), ports, fields.clone()).prop_map(|(addrs, ports, f)| {
        let ip = IpFields { dscp: f.0, ttl: f.1, id: f.2, dont_fragment: f.3, flow_label: 0 };
        (tuple(addrs.0.into(), addrs.1.into(), ports), ip)
    });
    let v6 = (any::<([u16; 8], [u16; 8])>(), ports, fields).prop_map(|(addrs, ports, f)| {
        let ip = IpFields { dscp: f.0, ttl: f.1, flow_label: f.4, ..IpFields::default() };
        (tuple(addrs.0.into(), addrs.1.into(), ports), ip)
    });
    prop_oneof![v4, v6]
}

fn tuple(src: IpAddr, dst: IpAddr, ports: (u16, u16)) -> FourTuple {
    FourTuple { src: SocketAddr::new(src, ports.0), dst: SocketAddr::new(dst, ports.1) }
}

/// A segment as a host of `version` may send it, whose options a host of that version notices.
pub(crate) fn segment(version: Version) -> impl Strategy<Value = Segment> {
    any_segment(version).prop_map(move |mut segment| {
        drop_unheard(&mut segment, version);
        segment.rare = segment.rare.filter(|rare| **rare != Rare::default());
        segment
    })
}

/// A segment with any mixture of options that fits into a header.
pub(crate) fn any_segment(version: Version) -> impl Strategy<Value = Segment> {
    let header = (any::<(u32, u32, u16)>(), flags(), ecn(), payload());
    let options = (weighted(0.5, timestamps()), sack(), weighted(0.5, dss()));
    (header, options, weighted(0.7, rare(version)))
        .prop_map(|(((seq, ack, window), flags, ecn, payload), (timestamps, sack, dss), rare)| {
            let (sack, fourth) = sack;
            let mut segment = Segment {
                seq: Seq(seq),
                ack: Seq(ack),
                flags,
                ecn,
                window,
                payload,
                timestamps,
                sack,
                dss,
                rare: rare.map(Box::new),
                header_len: 0,
            };
            if let Some(fourth) = fourth {
                segment.rare_mut().fourth_sack = Some(fourth);
            }
            segment
        })
        .prop_filter("options fit into the header", |segment| segment.options_len() <= 40)
}

fn flags() -> impl Strategy<Value = Flags> {
    prop_oneof![
        Just(Flags::SYN),
        Just(Flags::SYN | Flags::ACK),
        Just(Flags::ACK),
        Just(Flags::ACK | Flags::RST),
        any::<u8>().prop_map(Flags),
    ]
}

fn ecn() -> impl Strategy<Value = Ecn> {
    prop_oneof![
        Just(Ecn::NotCapable),
        Just(Ecn::Capable0),
        Just(Ecn::Capable1),
        Just(Ecn::Experienced)
    ]
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        Just(Payload::EMPTY),
        (any::<u32>(), 0u32..60).prop_map(|(start, len)| Payload::pattern(start.into(), len)),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(Payload::bytes),
    ]
}

fn timestamps() -> impl Strategy<Value = Timestamps> {
    any::<(u32, u32)>().prop_map(|(val, ecr)| Timestamps { val, ecr })
}

fn sack() -> impl Strategy<Value = (SackBlocks, Option<SeqRange>)> {
    let block = any::<(u32, u32)>().prop_map(|(start, end)| SeqRange::new(Seq(start), Seq(end)));
    let count = prop_oneof![4 => Just(0usize), 1 => 1usize..=4];
    count.prop_flat_map(move |count| prop::collection::vec(block.clone(), count)).prop_map(
        |blocks| {
            let mut sack = SackBlocks::default();
            let over = blocks.into_iter().filter(|block| !sack.push(*block)).last();
            (sack, over)
        },
    )
}

pub(crate) fn dss() -> impl Strategy<Value = Dss> {
    let width = || prop_oneof![Just(Width::Absent), Just(Width::Four), Just(Width::Eight)];
    let numbers = any::<(u64, u64, u32, u16, u16)>();
    (width(), width(), numbers, any::<(bool, bool)>()).prop_map(
        |(ack_width, dsn_width, (data_ack, dsn, ssn, len, checksum), (data_fin, checksummed))| {
            let ack = Dss { data_ack: ack_width.cut(data_ack), ack_width, ..Dss::default() };
            if dsn_width == Width::Absent {
                return ack;
            }
            let checksum = if checksummed { checksum } else { 0 };
            let dsn = dsn_width.cut(dsn);
            Dss { dsn, ssn, len, checksum, dsn_width, data_fin, checksummed, ..ack }
        },
    )
}

fn rare(version: Version) -> impl Strategy<Value = Rare> {
    let tcp = (
        weighted(0.2, any::<u16>()),
        weighted(0.2, any::<u8>()),
        any::<bool>(),
        weighted(0.1, any::<[u8; 16]>()),
        weighted(0.1, fast_open()),
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(unknown(), 1..3)],
    );
    let open = (weighted(0.15, mp_capable()), weighted(0.15, mp_join()));
    let addresses = (
        weighted(0.15, add_addr(version)),
        weighted(0.15, prop::collection::vec(any::<u8>(), 0..=16)),
        weighted(0.15, (any::<bool>(), weighted(0.3, any::<u8>()))),
    );
    let failures = (
        weighted(0.15, any::<u64>()),
        weighted(0.15, any::<u64>()),
        weighted(0.15, (any::<bool>(), any::<u8>())),
    );
    (tcp, open, addresses, failures).prop_map(|(tcp, open, addresses, failures)| Rare {
        mss: tcp.0,
        window_scale: tcp.1,
        sack_permitted: tcp.2,
        md5: tcp.3,
        fast_open: tcp.4,
        unknown: tcp.5,
        mp_capable: open.0,
        mp_join: open.1,
        add_addr: addresses.0,
        remove_addr: addresses.1.map(|ids| RemoveAddr::new(&ids)),
        mp_prio: addresses.2.map(|(backup, address_id)| MpPrio { backup, address_id }),
        mp_fail: failures.0,
        mp_fastclose: failures.1,
        mp_tcprst: failures
            .2
            .map(|(transient, reason)| MpTcpRst { transient, reason: ResetReason(reason) }),
        ..Rare::default()
    })
}

fn fast_open() -> impl Strategy<Value = FastOpen> {
    (prop::sample::select(vec![0, 4, 6, 8, 16]), any::<[u8; 16]>(), any::<bool>()).prop_map(
        |(len, cookie, experimental)| FastOpen::new(&cookie[..len], experimental).unwrap(),
    )
}

/// An option of nobody, an experiment, and subtypes of MPTCP that nobody knows.
fn unknown() -> impl Strategy<Value = UnknownOption> {
    let kind = prop_oneof![Just(76), Just(253), Just(30)];
    (kind, prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(kind, mut data)| {
        if kind == 30 {
            data[0] |= 0xf0;
        }
        UnknownOption { kind, data }
    })
}

fn mp_capable() -> impl Strategy<Value = MpCapable> {
    let version = prop_oneof![4 => 0u8..=1, 1 => 2u8..16];
    let flags = prop_oneof![4 => Just(0x01), 2 => Just(0x81), 1 => any::<u8>()];
    (version, flags, 0..5, any::<(u64, u64, u16, u16)>()).prop_map(
        |(version, flags, form, (sender, receiver, len, checksum))| MpCapable {
            version,
            flags,
            sender_key: (form >= 1).then_some(sender),
            receiver_key: (form >= 2).then_some(receiver),
            data_len: (form >= 3).then_some(len),
            checksum: (form >= 4).then_some(checksum),
        },
    )
}

fn mp_join() -> impl Strategy<Value = MpJoin> {
    let syn = any::<(bool, u8, u32, u32)>()
        .prop_map(|(backup, address_id, token, nonce)| MpJoin::Syn {
            backup,
            address_id,
            token,
            nonce,
        })
        .boxed();
    let syn_ack = any::<(bool, u8, u64, u32)>().prop_map(|(backup, address_id, hmac, nonce)| {
        MpJoin::SynAck { backup, address_id, hmac, nonce }
    });
    let ack = any::<[u8; 20]>().prop_map(|hmac| MpJoin::Ack { hmac });
    prop_oneof![syn, syn_ack, ack]
}

/// Version 0 has no echoes.
fn add_addr(version: Version) -> impl Strategy<Value = AddAddr> {
    let addr = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u16; 8]>().prop_map(IpAddr::from)
    ];
    (any::<u8>(), addr, any::<Option<u16>>(), any::<bool>(), any::<Option<u64>>()).prop_map(
        move |(address_id, addr, port, echo, hmac)| AddAddr {
            address_id,
            addr,
            port,
            echo: echo && version == Version::V1,
            hmac,
        },
    )
}
