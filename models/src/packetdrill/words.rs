//! A segment in script notation, its numbers counted as the script counts them.

use std::fmt::Write;

use super::names::Names;
use crate::mptcp_keys::{Key, Version};
use crate::options::Slot;
use crate::segment::{
    AddAddr, Dss, Ecn, Flags, FourTuple, MpCapable, MpJoin, Segment, UnknownOption, Width,
};
use crate::seq::SeqRange;
use crate::wire::option_layout;

/// A packet of the host in words.
pub(super) fn sent(
    names: &Names,
    flow: Option<usize>,
    tuple: FourTuple,
    segment: &Segment,
    version: Version,
) -> String {
    let (offset, ack_offset) = flow
        .and_then(|flow| names.flows.get(flow))
        .map_or((segment.seq.0, 0), |flow| (flow.host_offset, flow.script_offset));
    // A SYN/ACK acknowledges the script's SYN, whose number is the script's.
    let ack_offset = if segment.flags.has(Flags::SYN) { 0 } else { ack_offset };
    let pair = flow.map(|flow| names.pair(flow)).unwrap_or_default();
    let words = Words { names, sender: pair.host, receiver: pair.script };
    let ends = [tuple.src, tuple.dst].map(|end| format!("{}:{}", end.ip(), end.port()));
    let mut text = format!("> {} > {} ", ends[0], ends[1]);
    if segment.ecn != Ecn::NotCapable {
        let name = match segment.ecn {
            Ecn::Capable0 => "ect0",
            Ecn::Capable1 => "ect1",
            _ => "ce",
        };
        let _ = write!(text, "[{name}] ");
    }
    text += &flags(segment.flags);
    let start = segment.seq.0.wrapping_sub(offset);
    let len = segment.payload.len();
    let _ = write!(text, " {start}:{}({len})", start.wrapping_add(len));
    if segment.flags.has(Flags::ACK) {
        let _ = write!(text, " ack {}", segment.ack.0.wrapping_sub(ack_offset));
    }
    let _ = write!(text, " win {}", segment.window);
    let options = words.options(segment, version);
    if !options.is_empty() {
        let _ = write!(text, " <{}>", options.join(", "));
    }
    text
}

fn flags(flags: Flags) -> String {
    const LETTERS: [(Flags, char); 8] = [
        (Flags::SYN, 'S'),
        (Flags::FIN, 'F'),
        (Flags::RST, 'R'),
        (Flags::PSH, 'P'),
        (Flags::URG, 'U'),
        (Flags::ECE, 'E'),
        (Flags::CWR, 'W'),
        (Flags::ACK, '.'),
    ];
    let text: String =
        LETTERS.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, letter)| letter).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

struct Words<'a> {
    names: &'a Names,
    sender: Option<Key>,
    receiver: Option<Key>,
}

impl Words<'_> {
    fn options(&self, segment: &Segment, version: Version) -> Vec<String> {
        let Ok(layout) = option_layout(segment, version) else {
            return vec!["options that do not fit".to_owned()];
        };
        let mut unknown = segment.rare().map_or(&[][..], |rare| &rare.unknown).iter();
        layout
            .iter()
            .filter_map(|slot| match slot {
                Slot::Unknown => unknown.next().map(raw),
                slot => self.option(segment, *slot),
            })
            .collect()
    }

    fn option(&self, segment: &Segment, slot: Slot) -> Option<String> {
        let rare = segment.rare();
        Some(match slot {
            Slot::Nop => "nop".to_owned(),
            Slot::End => "eol".to_owned(),
            Slot::Md5 => format!("md5 {}", hex(&rare?.md5?)),
            Slot::FastOpen => {
                let option = rare?.fast_open?;
                let name = if option.experimental { "FOEXP" } else { "FO" };
                format!("{name} {}", hex(option.cookie())).trim_end().to_owned()
            }
            Slot::Mss => format!("mss {}", rare?.mss?),
            Slot::SackPermitted => "sackOK".to_owned(),
            Slot::WindowScale => format!("wscale {}", rare?.window_scale?),
            Slot::Timestamps => {
                segment.timestamps.map(|stamp| format!("TS val {} ecr {}", stamp.val, stamp.ecr))?
            }
            Slot::Sack => sack(segment.sack.as_slice(), rare.and_then(|rare| rare.fourth_sack)),
            Slot::Dss => self.dss(segment.dss.as_ref()?),
            Slot::MpCapable => self.capable(rare?.mp_capable.as_ref()?),
            Slot::MpJoin => join(rare?.mp_join.as_ref()?),
            Slot::AddAddr => add_addr(rare?.add_addr.as_ref()?),
            Slot::RemoveAddr => {
                let ids: Vec<String> = rare?.remove_addr?.ids().iter().map(u8::to_string).collect();
                format!("remove_address address_id=[{}]", ids.join(", "))
            }
            Slot::MpPrio => format!("mp_prio backup={}", u8::from(rare?.mp_prio?.backup)),
            Slot::MpFail => {
                format!("mp_fail dsn8={}", self.relative(self.receiver, rare?.mp_fail?))
            }
            Slot::MpFastclose => {
                let key = rare?.mp_fastclose.map(Key)?;
                match self.names.name_of(key) {
                    _ if self.receiver == Some(key) => "mp_fastclose".to_owned(),
                    Some(name) => format!("mp_fastclose {name}"),
                    None => format!("mp_fastclose {}", unnamed_key(key.0)),
                }
            }
            Slot::MpTcpRst => {
                let reset = rare?.mp_tcprst?;
                let flags = if reset.transient { " flags[flag_t]" } else { "" };
                format!("mp_reset {}{flags}", reset.reason.0)
            }
            Slot::Unknown => return None,
        })
    }

    fn capable(&self, option: &MpCapable) -> String {
        let keys: Vec<String> = [option.sender_key, option.receiver_key]
            .into_iter()
            .flatten()
            .map(|key| self.names.name_of(Key(key)).map_or_else(|| unnamed_key(key), str::to_owned))
            .collect();
        let keys =
            if keys.is_empty() { "nokey".to_owned() } else { format!("key[{}]", keys.join(", ")) };
        let flags = capable_flags(option.flags);
        let mut text = format!("mpcapable v{} flags[{flags}] {keys}", option.version);
        if let Some(len) = option.data_len {
            let _ = write!(text, " mpcdatalen {len}");
        }
        if let Some(checksum) = option.checksum {
            let _ = write!(text, " cksum={checksum}");
        }
        text
    }

    fn relative(&self, key: Option<Key>, number: u64) -> u64 {
        key.map_or(number, |key| number.wrapping_sub(self.names.idsn(key)))
    }

    /// The same for the low half of a number.
    fn number(&self, key: Option<Key>, number: u64, width: Width) -> u64 {
        width.cut(self.relative(key, number))
    }

    fn dss(&self, dss: &Dss) -> String {
        let mut text = "dss".to_owned();
        if dss.has_ack() {
            let ack = self.number(self.receiver, dss.data_ack, dss.ack_width);
            let _ = write!(text, " dack{}={ack}", dss.ack_width.bytes());
        }
        if dss.has_mapping() {
            let dsn = self.number(self.sender, dss.dsn, dss.dsn_width);
            let _ =
                write!(text, " dsn{}={dsn} ssn={} dll={}", dss.dsn_width.bytes(), dss.ssn, dss.len);
        }
        if dss.checksummed {
            let _ = write!(text, " cksum={}", dss.checksum);
        } else {
            text += " nocs";
        }
        if dss.data_fin {
            text += " fin";
        }
        text
    }
}

fn raw(option: &UnknownOption) -> String {
    format!("kind {} {}", option.kind, hex(&option.data)).trim_end().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sack(blocks: &[SeqRange], fourth: Option<SeqRange>) -> String {
    blocks.iter().chain(&fourth).fold("sack".to_owned(), |mut text, block| {
        let _ = write!(text, " {}:{}", block.start.0, block.end.0);
        text
    })
}

/// A key as memory holds it.
fn unnamed_key(key: u64) -> String {
    format!("key={:#x}", key.swap_bytes())
}

fn capable_flags(flags: u8) -> String {
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let flags: Vec<String> = letters
        .iter()
        .enumerate()
        .filter(|(bit, _)| flags & (0x80 >> bit) != 0)
        .map(|(_, letter)| format!("flag_{letter}"))
        .collect();
    if flags.is_empty() { "no_flags".to_owned() } else { flags.join(", ") }
}

fn join(option: &MpJoin) -> String {
    match option {
        MpJoin::Syn { backup, address_id, token, .. } => {
            format!(
                "mp_join_syn backup={} address_id={address_id} token={token}",
                u8::from(*backup)
            )
        }
        MpJoin::SynAck { backup, address_id, .. } => {
            let backup = u8::from(*backup);
            format!("mp_join_syn_ack backup={backup} address_id={address_id} sender_hmac=auto")
        }
        MpJoin::Ack { .. } => "mp_join_ack sender_hmac=auto".to_owned(),
    }
}

fn add_addr(option: &AddAddr) -> String {
    let call = if option.addr.is_ipv4() { "inet_addr" } else { "inet6_addr" };
    let (id, addr) = (option.address_id, option.addr);
    let mut text = format!("add_address address_id={id} addr[other={call}(\"{addr}\")]");
    if let Some(port) = option.port {
        let _ = write!(text, " port={port}");
    }
    match option.hmac {
        _ if option.echo => text += " addr_echo",
        Some(hmac) => {
            let _ = write!(text, " hmac={hmac:#018x}");
        }
        None => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packetdrill::compare::{self, Rule};
    use crate::packetdrill::kernel::{IpHeader, Sent};
    use crate::packetdrill::parse;
    use crate::packetdrill::script::{Action, Packet};
    use crate::payload::Payload;
    use crate::segment::{MpPrio, MpTcpRst, RemoveAddr, ResetReason, Timestamps};
    use crate::seq::Seq;

    fn packet(text: &str) -> Packet {
        match parse::script(&format!("0 {text}")).unwrap().events.remove(0).action {
            Action::Packet(packet) => *packet,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// Names behind a handshake, and the flow's addresses.
    fn names() -> (Names, FourTuple) {
        let local = "192.168.0.2".parse().unwrap();
        let mut names = Names::new(Version::V1, local, "192.0.2.1".parse().unwrap(), 8_080);
        let capable = "mpcapable v1 flags[flag_h]";
        let syn = packet(&format!("< S 0:0(0) win 9 <{capable} nokey>"));
        let flow = names.inbound_flow(&syn);
        let answer = packet(&format!("> S. 0:0(0) ack 1 <{capable} key[own]>"));
        let mut live =
            Segment { seq: Seq(5_000), flags: Flags::SYN | Flags::ACK, ..Segment::default() };
        live.rare_mut().mp_capable =
            Some(MpCapable { version: 1, sender_key: Some(99), ..MpCapable::default() });
        names.learn_outbound(&answer, &live, flow);
        names.learn_inbound(
            &packet(&format!("< . 1:1(0) ack 1 <{capable} key[peer=7, own]>")),
            flow,
        );
        let tuple = names.flows[flow].tuple;
        (names, tuple)
    }

    fn dss() -> impl Strategy<Value = Dss> {
        let width = prop::sample::select(vec![Width::Absent, Width::Four, Width::Eight]);
        (width.clone(), width, any::<(u64, u64, u32, u16, bool, bool, u16)>()).prop_map(
            |(ack_width, dsn_width, (ack, dsn, ssn, len, data_fin, checksummed, checksum))| {
                let mapped = dsn_width != Width::Absent;
                Dss {
                    ack_width,
                    dsn_width,
                    data_ack: ack_width.cut(ack),
                    dsn: dsn_width.cut(dsn),
                    ssn: if mapped { ssn } else { 0 },
                    len: if mapped { len } else { 0 },
                    data_fin: data_fin && mapped,
                    checksummed: checksummed && mapped,
                    checksum: if checksummed && mapped { checksum } else { 0 },
                }
            },
        )
    }

    fn add_addr() -> impl Strategy<Value = AddAddr> {
        let addr = prop_oneof![
            any::<[u8; 4]>().prop_map(std::net::IpAddr::from),
            any::<[u8; 16]>().prop_map(std::net::IpAddr::from),
        ];
        (any::<u8>(), addr, any::<Option<u16>>(), any::<Option<u64>>()).prop_map(
            |(address_id, addr, port, hmac)| AddAddr {
                address_id,
                addr,
                port,
                echo: hmac.is_none(),
                hmac,
            },
        )
    }

    prop_compose! {
        fn segment()(
            seq: u32, ack: u32, window: u16, len in 0_u32..3_000, flags: u8,
            stamps: Option<(u32, u32)>,
            dss in prop::option::of(dss()),
            announced in prop::option::of(add_addr()),
            ids in prop::option::of(prop::collection::vec(any::<u8>(), 1..8)),
            (prio, reset, fail) in any::<(Option<bool>, Option<(bool, u8)>, Option<u64>)>(),
        ) -> Segment {
            let flags = if flags & 1 == 0 { Flags::ACK } else { Flags::ACK | Flags::PSH };
            let mut segment = Segment {
                seq: Seq(seq), ack: Seq(ack), window, flags, dss,
                payload: Payload::bytes(vec![0; len as usize]),
                timestamps: stamps.map(|(val, ecr)| Timestamps { val, ecr }),
                ..Segment::default()
            };
            let rare = segment.rare_mut();
            rare.add_addr = announced;
            rare.remove_addr = ids.map(|ids| RemoveAddr::new(&ids));
            rare.mp_prio = prio.map(|backup| MpPrio { backup, address_id: None });
            rare.mp_fail = fail;
            rare.mp_tcprst =
                reset.map(|(transient, reason)| MpTcpRst { transient, reason: ResetReason(reason) });
            segment
        }
    }

    proptest! {
        /// What is shown of a packet is the script line that expects it.
        #[test]
        fn packets_in_words_expect_themselves(segment in segment()) {
            let (names, tuple) = names();
            prop_assume!(crate::wire::emit_options(&segment, Version::V1).is_ok());
            let text = sent(&names, Some(0), tuple, &segment, Version::V1);
            let expected = packet(&text);
            let sent = Sent { at: mptcpsim_core::time::Time::ZERO, ip: IpHeader::default(), tuple, segment };
            // The echo of a timestamp that the script never sent cannot be expected.
            let stamped = sent.segment.timestamps.is_some_and(|stamps| !names.may_echo(0, stamps.ecr));
            let rule = Rule { strict: true, ..Rule::default() };
            let compared = compare::packet(&names, 0, &expected, &sent, Version::V1, rule);
            prop_assert!(compared.is_ok() || stamped, "{text}: {compared:?}");
        }
    }
}
