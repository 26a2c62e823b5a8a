use mptcpsim_core::time::Span;
use proptest::prelude::*;

use super::*;
use crate::packetdrill::script::{
    Call, Checksum, Direction, Dss, Expression, Hmac, Number, NumberValue, Packet, Place,
    TcpOption, Token,
};
use crate::segment::Flags;

fn parsed(text: &str) -> Script {
    script(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn packet(text: &str) -> Packet {
    match parsed(&format!("0 {text}")).events.remove(0).action {
        Action::Packet(packet) => *packet,
        other => panic!("{other:?}"),
    }
}

fn call(text: &str) -> Call {
    match parsed(&format!("0 {text}")).events.remove(0).action {
        Action::Call(call) => call,
        other => panic!("{other:?}"),
    }
}

fn options(text: &str) -> Vec<TcpOption> {
    packet(&format!("> . 1:1(0) ack 1 <{text}>")).options.unwrap()
}

fn error(text: &str) -> String {
    script(text).unwrap_err().to_string()
}

#[test]
fn settings_come_first() {
    let script = parsed("// about\n--tolerance_usecs=100000\n--tcp_ts_tick_usecs=1\n`true`\n");
    assert_eq!(script.settings[0].name, "tolerance_usecs");
    assert_eq!(script.settings[0].value, "100000");
    assert_eq!(script.settings[1].position, Position { line: 3, column: 1 });
    assert_eq!(script.events[0].action, Action::Command("true".into()));
}

#[test]
fn times_are_absolute_or_relative_points_or_ranges() {
    let ms = Span::from_ms;
    let script = parsed("0.1 `a` +.2 `b` * `c` +0.4~+0.6 `d` 1~2 `e`");
    let whens: Vec<When> = script.events.iter().map(|event| event.when).collect();
    let ranges = [When::RelativeRange(ms(400), ms(600)), When::AbsoluteRange(ms(1_000), ms(2_000))];
    let points = [When::Absolute(ms(100)), When::Relative(ms(200)), When::Any];
    assert_eq!(whens, [&points[..], &ranges[..]].concat());
}

#[test]
fn packets_have_ends_flags_numbers_and_options() {
    let syn =
        packet("< addr[caddr0] > addr[saddr0] SEW 0:0(0) win 65535 <mss 1460, nop, wscale 7>");
    assert_eq!(syn.direction, Direction::Inbound);
    assert_eq!(syn.from, Some(Place::Variable("caddr0".into())));
    assert_eq!(syn.flags, Flags::SYN | Flags::ECE | Flags::CWR);
    assert_eq!((syn.ack, syn.window), (None, Some(65_535)));
    let expected = [TcpOption::Mss(1_460), TcpOption::Nop, TcpOption::WindowScale(7)];
    assert_eq!(syn.options.unwrap(), expected);

    let data = packet("> P. 1:11(10) ack 7 <...>");
    assert_eq!((data.seq, data.len, data.ack, data.options), (1, 10, Some(7), None));
    assert_eq!(packet("< - 1:1(0) win 0").flags, Flags::NONE);
    assert_eq!(
        packet("< [ce] . 1:1(0) ack 1").ip.ecn,
        Some(crate::packetdrill::script::EcnField::Exactly(crate::segment::Ecn::Experienced))
    );
    let to_only = packet(">     > addr[saddr1] S 0:0(0) <...>");
    assert_eq!((to_only.from, to_only.to), (None, Some(Place::Variable("saddr1".into()))));
    assert_eq!(packet("< 44444 > 8080 R 1:1(0)").from, Some(Place::Port(44_444)));
    let v6 = packet("< fd3d::1:80 > 2001:db8::2:8080 R 1:1(0)");
    assert_eq!(v6.to, Some(Place::Address("[2001:db8::2]:8080".parse().unwrap())));
}

#[test]
fn packets_of_other_protocols_end_with_their_line() {
    let script =
        parsed("0 < icmp unreachable frag_needed mtu 1400 [1:1(0)]\n+0 > udp (1000)\n+0 `a`");
    let foreign = script.events.iter().filter(|event| event.action == Action::Foreign).count();
    assert_eq!((foreign, script.events.len()), (2, 3));
}

#[test]
fn counters_of_accurate_ecn_are_24_bits_each() {
    let raw = |kind, data: &[u8]| [TcpOption::Raw { kind, data: data.to_vec() }];
    assert_eq!(options("ECN e0b 1 ceb 0 e1b 258"), raw(172, &[0, 0, 1, 0, 0, 0, 0, 1, 2]));
    assert_eq!(options("ECN e1b 16777215"), raw(174, &[255, 255, 255]));
    let wrong = error("0 > . 1:1(0) ack 1 <ECN e0b 16777216>");
    assert!(wrong.contains("0 to 16777215"), "{wrong}");
}

#[test]
fn mptcp_options_of_the_handshakes() {
    let [TcpOption::Capable(capable)] =
        &options("mpcapable v1 flags[flag_a,flag_h] key[a=2, b] mpcdatalen 5")[..]
    else {
        panic!("one MP_CAPABLE");
    };
    assert_eq!((capable.version, capable.flags, capable.data_len), (1, 0x81, Some(5)));
    assert_eq!((capable.keys[0].value, capable.keys[1].name.as_str()), (Some(2), "b"));
    let [TcpOption::Capable(old)] = &options("mp_capable a b")[..] else {
        panic!("one MP_CAPABLE")
    };
    assert_eq!((old.version, old.keys.len(), old.flags), (0, 2, 0x81));

    let syn = TcpOption::JoinSyn {
        backup: true,
        address_id: None,
        token: Token::Of("skey".into()),
        nonce: None,
    };
    assert_eq!(options("mp_join_syn backup=1 address_id=auto token=sha256_32(skey)"), [syn]);
    let ack = TcpOption::JoinAck { hmac: Hmac::Of("a".into(), "b".into()) };
    assert_eq!(options("mp_join_ack sender_hmac=full_160_hmac(a b)"), [ack]);
}

#[test]
fn data_sequence_signals() {
    let short = |value| Some(Number { long: false, value: NumberValue::Relative(value) });
    let long = |value| Some(Number { long: true, value });
    let dss = |text: &str| match &options(text)[..] {
        [TcpOption::Dss(dss)] => dss.clone(),
        other => panic!("{other:?}"),
    };
    let full = Dss {
        ack: short(1),
        dsn: long(NumberValue::OfKey("k".into(), 2)),
        ssn: Some(0),
        len: Some(1),
        checksum: Checksum::Absent,
        data_fin: true,
    };
    assert_eq!(dss("dss dack4=1 dsn8=trunc_r64_hmac(k)+2 ssn=0 dll=1 nocs fin"), full);
    assert_eq!(dss("dss dack8").ack, long(NumberValue::Auto));
    assert_eq!(dss("dss dsn4=1 cksum=7").checksum, Checksum::Value(7));
}

#[test]
fn mptcp_options_about_addresses_and_ends() {
    let [TcpOption::AddAddr(add)] =
        &options("add_address address_id=10 addr[ep=inet_addr(\"198.51.100.2\")] port=4 hmac=auto")
            [..]
    else {
        panic!("one ADD_ADDR");
    };
    assert_eq!((add.addr, add.port), (Some("198.51.100.2".parse().unwrap()), Some(4)));
    assert_eq!(options("remove_address address_id=[1, 2]"), [TcpOption::RemoveAddr(vec![1, 2])]);
    assert_eq!(
        options("mp_prio backup=1, mp_reset 3 flags[flag_t]"),
        [
            TcpOption::Prio { backup: true, address_id: None },
            TcpOption::Reset { reason: 3, transient: true }
        ]
    );
    assert_eq!(options("mp_fastclose, mp_fail")[0], TcpOption::Fastclose(None, 0));
}

#[test]
fn calls_have_arguments_results_and_errors() {
    let connect = call("connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)");
    assert_eq!((connect.name.as_str(), connect.arguments.len()), ("connect", 3));
    assert_eq!(connect.result, Expression::Integer(-1));
    assert_eq!(connect.errno.as_deref(), Some("EINPROGRESS"));
    let flags = call("fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0x2 (flags O_RDWR)");
    assert!(matches!(&flags.arguments[2], Expression::Or(words) if words.len() == 2));
    assert_eq!(call("...0.5 read(4, ..., 100) = 100").end, Some(Span::from_ms(500)));
    let poll = call("poll([{fd=3, events=POLLIN, revents=0}], 1, 0) = 0");
    let Expression::List(list) = &poll.arguments[0] else { panic!("a list") };
    assert_eq!(list[0].field("fd"), Some(&Expression::Integer(3)));
    call(
        "sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 500}], msg_flags=0}, MSG_FASTOPEN) = 500",
    );
    call(
        "connect(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr(\"1.2.3.4\")}, ...) = 0",
    );
    call("setsockopt(3, SOL_TCP, TCP_CONGESTION, \"reno\", 4) = 0");
}

#[test]
fn errors_name_place_and_remedy() {
    assert_eq!(
        error("0 > S. 0:0(0) ack 1 <mss 99999>"),
        "line 1, column 26: expected a segment size, 0 to 65535"
    );
    assert!(error("0 `a`\n+x `b`").starts_with("line 2, column 2: expected a time in seconds"));
    assert!(error("0 < . 1:3(1)").contains("a length that is end minus start"));
    assert_eq!(error("0 < . 1:1(0) <nonsense>"), "line 1, column 15: expected a TCP option");
    assert!(error("0 bind(3, ...").contains("expected"));
    assert!(error("0 `never closed").contains("closing quote"));
    assert!(error("0 %{ assert 1 ").contains("expected"));
    assert!(error("nonsense").contains("a time and what happens"));
}

#[test]
fn nesting_has_an_end() {
    assert!(error(&format!("0 f({}", "[".repeat(10_000))).contains("less nesting"));
    assert!(error(&format!("0 %{{ assert {}", "(".repeat(10_000))).contains("less nesting"));
}

proptest! {
    #[test]
    fn arbitrary_text_is_read_or_refused(text in "\\PC*") {
        let _ = script(&text);
    }

    /// Pieces of the language in any order.
    #[test]
    fn arbitrary_pieces_are_read_or_refused(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)
    ) {
        let _ = script(&pieces.join(" "));
        let _ = script(&pieces.concat());
    }
}

const PIECES: &[&str] = &[
    "0",
    "+0.1",
    "*",
    "~",
    "+",
    ">",
    "<",
    "addr[a]",
    "S.",
    ".",
    "-",
    "P.",
    "1:2(1)",
    "0:0(0)",
    "ack",
    "1",
    "win",
    "<",
    ">",
    ",",
    "mss",
    "1460",
    "nop",
    "TS val 1 ecr 2",
    "sack 1:2",
    "dss",
    "dack8=1",
    "dsn4",
    "ssn=1",
    "dll=1",
    "nocs",
    "fin",
    "mpcapable",
    "v1",
    "flags[flag_h]",
    "nokey",
    "key[a=2]",
    "add_address",
    "hmac=auto",
    "`",
    "`a`",
    "%{",
    "}%",
    "assert",
    "==",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "=",
    "|",
    "\"",
    "\"a\"",
    "socket",
    "...",
    "//",
    "/*",
    "*/",
    "\n",
    "--",
    "--a=1",
    "icmp",
    "0x1f",
    "-1",
    "E",
    "EAGAIN",
    "\u{fffd}",
    "é",
];

#[test]
fn texts_have_escapes() {
    let argument = |text: &str| call(&format!("f({text}) = 0")).arguments.remove(0);
    assert_eq!(argument(r#""a\x00\xfF\n\\\"""#), Expression::Text(b"a\0\xff\n\\\"".to_vec()));
    assert_eq!(argument(r#""one " "text""#), Expression::Text(b"one text".to_vec()));
    for wrong in [r#""\x1""#, r#""\q""#] {
        assert!(error(&format!("0 f({wrong}) = 0")).contains("escapes"), "{wrong}");
    }
}
