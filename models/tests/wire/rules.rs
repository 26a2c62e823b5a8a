//! Which options each kernel line takes notice of, rule by rule.

use mptcpsim_models::mptcp_keys::Version;
use mptcpsim_models::payload::Payload;
use mptcpsim_models::segment::{
    AddAddr, Dss, Flags, MpCapable, MpJoin, MpPrio, MpTcpRst, Rare, RemoveAddr, ResetReason,
    Segment, Width,
};
use mptcpsim_models::wire::{WireError, drop_unheard, emit_options, parse_options};

const SYN_ACK: Flags = Flags(0x12);
const RST_ACK: Flags = Flags(0x14);

fn with(flags: Flags, rare: Rare) -> Segment {
    Segment { flags, rare: Some(Box::new(rare)), ..Segment::default() }
}

/// The segment as a host of `version` sees it; bytes and values must agree.
fn heard(segment: &Segment, version: Version) -> Rare {
    let mut filtered = segment.clone();
    drop_unheard(&mut filtered, version);
    let bytes = emit_options(segment, version).unwrap();
    let mut parsed = Segment { rare: None, dss: None, ..segment.clone() };
    parse_options(&bytes, version, &mut parsed);
    assert_eq!(parsed.dss, filtered.dss);
    let filtered = filtered.rare().cloned().unwrap_or_default();
    let parsed = parsed.rare().cloned().unwrap_or_default();
    assert_eq!(Rare { unknown: Vec::new(), layout: Vec::new(), ..parsed }, filtered);
    filtered
}

fn capable(form: usize, version: u8, flags: u8) -> Rare {
    let option = MpCapable {
        version,
        flags,
        sender_key: (form >= 1).then_some(7),
        receiver_key: (form >= 2).then_some(8),
        data_len: (form >= 3).then_some(9),
        checksum: (form >= 4).then_some(10),
    };
    Rare { mp_capable: Some(option), ..Rare::default() }
}

fn hears_capable(flags: Flags, payload: u32, rare: Rare, version: Version) -> bool {
    let payload = Payload::pattern(0, payload);
    heard(&Segment { payload, ..with(flags, rare) }, version).mp_capable.is_some()
}

/// RFC 8684 section 3.1: which form of MP_CAPABLE belongs to which segment.
#[test]
fn upstream_expects_one_form_of_mp_capable_in_each_segment() {
    let expected = [
        (Flags::SYN, 0, vec![0]),
        (SYN_ACK, 0, vec![1]),
        (Flags::ACK, 0, vec![2]),
        (Flags::ACK, 5, vec![3, 4]),
    ];
    for (flags, payload, forms) in expected {
        for form in 0..5 {
            let hears = hears_capable(flags, payload, capable(form, 1, 0x01), Version::V1);
            assert_eq!(hears, forms.contains(&form), "{flags:?}, payload {payload}, form {form}");
        }
    }
}

#[test]
fn upstream_takes_later_versions_on_the_syn_only() {
    for (version, on_syn, later) in [(0, false, false), (1, true, true), (2, true, false)] {
        let hears = |flags, form| hears_capable(flags, 0, capable(form, version, 1), Version::V1);
        assert_eq!(hears(Flags::SYN, 0), on_syn, "version {version}");
        assert_eq!(hears(SYN_ACK, 1), later, "version {version}");
        assert_eq!(hears(Flags::ACK, 2), later, "version {version}");
    }
}

#[test]
fn upstream_wants_its_algorithm_and_nothing_else() {
    for flags in 0..=u8::MAX {
        let expected = matches!(flags, 0x01 | 0x81 | 0x21 | 0xa1);
        let hears = hears_capable(Flags::SYN, 0, capable(0, 1, flags), Version::V1);
        assert_eq!(hears, expected, "flags {flags:#x}");
    }
}

#[test]
fn the_out_of_tree_kernel_takes_keys_in_any_segment() {
    for flags in [Flags::SYN, SYN_ACK, Flags::ACK] {
        for form in 0..5 {
            let hears = hears_capable(flags, 0, capable(form, 0, 0x81), Version::V0);
            assert_eq!(hears, form == 1 || form == 2, "{flags:?}, form {form}");
        }
    }
}

/// RFC 6824 section 3.1: without H the option means nothing, with B it drops the SYN, so that
/// must be seen.
#[test]
fn the_out_of_tree_kernel_notices_the_extensibility_flag() {
    for (flags, expected) in [(0x00, false), (0x01, true), (0x40, true), (0x3f, true)] {
        let hears = hears_capable(Flags::SYN, 0, capable(1, 0, flags), Version::V0);
        assert_eq!(hears, expected, "flags {flags:#x}");
    }
}

#[test]
fn announcements_are_signed_in_version_1_and_echoes_are_not() {
    let announcement = AddAddr {
        address_id: 1,
        addr: [10, 0, 0, 1].into(),
        port: None,
        echo: false,
        hmac: Some(5),
    };
    for (echo, hmac, in_v0, in_v1) in
        [(false, Some(5), true, true), (false, None, true, false), (true, None, false, true)]
    {
        let option = AddAddr { echo, hmac, ..announcement };
        let rare = Rare { add_addr: Some(option), ..Rare::default() };
        assert_eq!(heard(&with(Flags::ACK, rare.clone()), Version::V1).add_addr.is_some(), in_v1);
        if !echo {
            assert_eq!(heard(&with(Flags::ACK, rare), Version::V0).add_addr.is_some(), in_v0);
        }
    }
    let mut echo = with(Flags::ACK, Rare::default());
    echo.rare_mut().add_addr = Some(AddAddr { echo: true, hmac: None, ..announcement });
    drop_unheard(&mut echo, Version::V0);
    assert_eq!(echo.rare().unwrap().add_addr, None);
}

#[test]
fn options_of_the_other_version_are_not_heard() {
    let prio = MpPrio { backup: true, address_id: Some(2) };
    let segment = with(Flags::ACK, Rare { mp_prio: Some(prio), ..Rare::default() });
    assert_eq!(heard(&segment, Version::V0).mp_prio, Some(prio));
    assert_eq!(heard(&segment, Version::V1).mp_prio, None);

    let reset = MpTcpRst { transient: true, reason: ResetReason::MIDDLEBOX };
    let reset = Rare { mp_tcprst: Some(reset), ..Rare::default() };
    assert!(heard(&with(RST_ACK, reset.clone()), Version::V1).mp_tcprst.is_some());
    assert!(heard(&with(Flags::ACK, reset.clone()), Version::V1).mp_tcprst.is_none());
    assert!(heard(&with(RST_ACK, reset), Version::V0).mp_tcprst.is_none());
}

#[test]
fn upstream_removes_at_most_eight_addresses_at_once() {
    let ids: Vec<u8> = (1..=16).collect();
    for (count, in_v0, in_v1) in
        [(0, false, false), (1, true, true), (8, true, true), (9, true, false)]
    {
        let option = RemoveAddr::new(&ids[..count]);
        let segment = with(Flags::ACK, Rare { remove_addr: Some(option), ..Rare::default() });
        assert_eq!(heard(&segment, Version::V0).remove_addr.is_some(), in_v0, "{count} ids");
        assert_eq!(heard(&segment, Version::V1).remove_addr.is_some(), in_v1, "{count} ids");
    }
}

type Put = Box<dyn Fn(&mut Segment)>;

/// True if upstream notices all options that `puts` put, written in this order.
fn all_heard<const N: usize>(flags: Flags, puts: [&Put; N]) -> bool {
    let mut bytes = Vec::new();
    for put in puts {
        let mut segment = Segment::default();
        put(&mut segment);
        bytes.extend(emit_options(&segment, Version::V1).unwrap());
    }
    let mut segment = Segment { flags, ..Segment::default() };
    parse_options(&bytes, Version::V1, &mut segment);
    assert_eq!(emit_options(&segment, Version::V1).unwrap()[..], bytes);
    segment.rare().is_none_or(|rare| rare.unknown.is_empty())
}

/// The table in upstream's `mptcp_write_options`, as far as two options fit into a header.
#[test]
fn upstream_holds_senders_to_its_table() {
    let ack = Dss { data_ack: 1, ack_width: Width::Four, ..Dss::default() };
    let prio = MpPrio { backup: true, address_id: None };
    let addr = [10, 0, 0, 1].into();
    let add = AddAddr { address_id: 1, addr, port: None, echo: true, hmac: None };
    let reset = MpTcpRst { transient: false, reason: ResetReason::MPTCP };
    let join = MpJoin::Syn { backup: false, address_id: 1, token: 2, nonce: 3 };
    let options: Vec<(&str, Put)> = vec![
        ("MPC", Box::new(|s| s.rare_mut().mp_capable = capable(0, 1, 1).mp_capable)),
        ("MPJ", Box::new(move |s| s.rare_mut().mp_join = Some(join))),
        ("DSS", Box::new(move |s| s.dss = Some(ack))),
        ("ADD", Box::new(move |s| s.rare_mut().add_addr = Some(add))),
        ("RM", Box::new(|s| s.rare_mut().remove_addr = Some(RemoveAddr::new(&[1])))),
        ("PRIO", Box::new(move |s| s.rare_mut().mp_prio = Some(prio))),
        ("FAIL", Box::new(|s| s.rare_mut().mp_fail = Some(1))),
        ("FC", Box::new(|s| s.rare_mut().mp_fastclose = Some(1))),
        ("RST", Box::new(move |s| s.rare_mut().mp_tcprst = Some(reset))),
    ];
    let together = [
        "MPC RM", "MPJ RM", "MPJ PRIO", "DSS ADD", "DSS RM", "DSS PRIO", "DSS FAIL", "ADD RM",
        "ADD PRIO", "RM PRIO", "FAIL RST", "FC RST",
    ];
    for (at, (first, put_first)) in options.iter().enumerate() {
        for (second, put_second) in &options[at + 1..] {
            // A SYN for MP_CAPABLE without a key, a RST for MP_TCPRST: each accepts both here.
            let flags = Flags::SYN | Flags::RST;
            let mut segment = with(flags, Rare::default());
            put_first(&mut segment);
            put_second(&mut segment);
            let mut filtered = segment.clone();
            drop_unheard(&mut filtered, Version::V1);
            assert_eq!(all_heard(flags, [put_first, put_second]), filtered == segment);
            let expected = together.contains(&format!("{first} {second}").as_str());
            assert_eq!(filtered == segment, expected, "{first} with {second}");
            assert_eq!(all_heard(flags, [put_second, put_first]), expected, "{second}, {first}");
            // The out-of-tree kernel has no such table.
            let known = |name: &str| !matches!(name, "MPC" | "ADD" | "RST");
            if known(first) && known(second) {
                let mut filtered = segment.clone();
                drop_unheard(&mut filtered, Version::V0);
                assert_eq!(filtered, segment, "{first} with {second}");
            }
        }
    }
}

#[test]
fn of_an_option_that_comes_twice_the_first_counts() {
    let bytes = [2, 4, 0, 1, 2, 4, 0, 2, 30, 3, 0x51, 30, 3, 0x50, 1, 1];
    for version in [Version::V0, Version::V1] {
        let mut segment = Segment::default();
        parse_options(&bytes, version, &mut segment);
        let rare = segment.rare().unwrap();
        assert_eq!(rare.mss, Some(1));
        assert_eq!(rare.mp_prio, Some(MpPrio { backup: true, address_id: None }));
        assert_eq!(rare.unknown.len(), 2);
        assert_eq!(emit_options(&segment, version).unwrap()[..], bytes);
    }
}

/// A middlebox may change what a segment carries after it came in an order of its own.
#[test]
fn an_order_counts_for_as_long_as_it_describes_the_options() {
    let prio_first = [30, 3, 0x51, 1, 30, 8, 0x20, 0x01, 0, 0, 0, 9];
    let mut segment = Segment::default();
    parse_options(&prio_first, Version::V1, &mut segment);
    let emitted = |segment: &Segment| {
        let options = emit_options(segment, Version::V1).unwrap();
        assert_eq!(usize::from(segment.options_len()), options.len());
        options.to_vec()
    };
    assert_eq!(emitted(&segment), prio_first);

    let mut wider = segment.clone();
    wider.dss = Some(Dss { data_ack: 9, ack_width: Width::Eight, ..Dss::default() });
    assert_eq!(emitted(&wider)[..4], prio_first[..4]);

    let mut removed = segment.clone();
    removed.rare_mut().mp_prio = None;
    assert_eq!(emitted(&removed), prio_first[4..]);

    let mut added = segment.clone();
    added.rare_mut().mss = Some(1);
    assert_eq!(emitted(&added)[..4], [2, 4, 0, 1]);

    let mut uneven = segment.clone();
    uneven.rare_mut().mp_prio = Some(MpPrio { backup: true, address_id: Some(7) });
    assert_eq!(emitted(&uneven), [&prio_first[4..], &[30, 4, 0x51, 7]].concat());
}

#[test]
fn an_order_that_has_become_too_long_is_given_up() {
    let mut bytes = vec![1; 32];
    bytes.extend([30, 8, 0x20, 0x01, 0, 0, 0, 9]);
    let mut segment = Segment::default();
    parse_options(&bytes, Version::V1, &mut segment);
    assert_eq!(segment.options_len(), 40);
    segment.dss = Some(Dss { data_ack: 9, ack_width: Width::Eight, ..Dss::default() });
    assert_eq!(segment.options_len(), 12);
    assert_eq!(emit_options(&segment, Version::V1).unwrap().len(), 12);
}

#[test]
fn too_many_options_are_an_error() {
    let mut segment = with(SYN_ACK, capable(4, 1, 1));
    segment.rare_mut().mp_fail = Some(1);
    segment.rare_mut().mp_fastclose = Some(1);
    assert_eq!(emit_options(&segment, Version::V1), Err(WireError::OptionsTooLong));
}

/// The order in which each line writes what it may send together.
#[test]
fn the_lines_write_in_their_own_order() {
    let mut segment = with(Flags::ACK, Rare::default());
    segment.dss = Some(Dss { data_ack: 0x0a0b_0c0d, ack_width: Width::Four, ..Dss::default() });
    segment.rare_mut().mp_fail = Some(0x1122_3344_5566_7788);
    segment.rare_mut().remove_addr = Some(RemoveAddr::new(&[1, 2]));
    segment.rare_mut().mp_prio = Some(MpPrio { backup: true, address_id: None });
    let dss = [30, 8, 0x20, 0x01, 0x0a, 0x0b, 0x0c, 0x0d];
    let fail = [30, 12, 0x60, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
    let remove = [30, 5, 0x40, 1, 2, 1, 1, 1];
    let prio = [30, 3, 0x51, 1];
    let v0 = [&remove[..], &fail, &dss, &prio].concat();
    let v1 = [&dss[..], &fail, &prio, &remove].concat();
    assert_eq!(emit_options(&segment, Version::V0).unwrap()[..], v0);
    assert_eq!(emit_options(&segment, Version::V1).unwrap()[..], v1);
}

/// `tcp_options_write` without timestamps: SACK-permitted and window scale padded in front.
#[test]
fn a_syn_without_timestamps_is_padded_as_linux_pads() {
    let mut segment = with(Flags::SYN, capable(0, 1, 1));
    segment.rare_mut().mss = Some(1460);
    segment.rare_mut().sack_permitted = true;
    segment.rare_mut().window_scale = Some(8);
    let expected = [2, 4, 0x05, 0xb4, 1, 1, 4, 2, 1, 3, 3, 8, 30, 4, 0x01, 0x01];
    assert_eq!(emit_options(&segment, Version::V1).unwrap()[..], expected);
}
