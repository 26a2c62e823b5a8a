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
    let offset =
        flow.and_then(|flow| names.flows.get(flow)).map_or(segment.seq.0, |flow| flow.host_offset);
    let pair = flow.map(|flow| names.pair(flow)).unwrap_or_default();
    let words = Words { names, sender: pair.host, receiver: pair.script };
    let mut text = format!("> {} > {} ", tuple.src, tuple.dst);
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
        let _ = write!(text, " ack {}", segment.ack.0);
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
            Slot::Mss => format!("mss {}", rare?.mss?),
            Slot::SackPermitted => "sackOK".to_owned(),
            Slot::WindowScale => format!("wscale {}", rare?.window_scale?),
            Slot::Timestamps => {
                segment.timestamps.map(|stamp| format!("TS val {} ecr {}", stamp.val, stamp.ecr))?
            }
            Slot::Sack => sack(segment.sack.as_slice(), rare.and_then(|rare| rare.fourth_sack)),
            Slot::Dss => self.dss(segment.dss.as_ref()?),
            Slot::MpCapable => capable(rare?.mp_capable.as_ref()?),
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
                let right = self.receiver == rare?.mp_fastclose.map(Key);
                if right { "mp_fastclose".to_owned() } else { "mp_fastclose wrong_key".to_owned() }
            }
            Slot::MpTcpRst => {
                let reset = rare?.mp_tcprst?;
                let flags = if reset.transient { " flags[flag_t]" } else { "" };
                format!("mp_reset {}{flags}", reset.reason.0)
            }
            Slot::Unknown => return None,
        })
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
    let bytes: String = option.data.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("kind {} {bytes}", option.kind).trim_end().to_owned()
}

fn sack(blocks: &[SeqRange], fourth: Option<SeqRange>) -> String {
    blocks.iter().chain(&fourth).fold("sack".to_owned(), |mut text, block| {
        let _ = write!(text, " {}:{}", block.start.0, block.end.0);
        text
    })
}

fn capable(option: &MpCapable) -> String {
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let flags: Vec<String> = letters
        .iter()
        .enumerate()
        .filter(|(bit, _)| option.flags & (0x80 >> bit) != 0)
        .map(|(_, letter)| format!("flag_{letter}"))
        .collect();
    let flags = if flags.is_empty() { "no_flags".to_owned() } else { flags.join(", ") };
    let keys = match (option.sender_key, option.receiver_key) {
        (None, _) => "nokey".to_owned(),
        (Some(_), None) => "key[sender]".to_owned(),
        (Some(_), Some(_)) => "key[sender, receiver]".to_owned(),
    };
    let mut text = format!("mpcapable v{} flags[{flags}] {keys}", option.version);
    if let Some(len) = option.data_len {
        let _ = write!(text, " mpcdatalen {len}");
    }
    if let Some(checksum) = option.checksum {
        let _ = write!(text, " cksum={checksum}");
    }
    text
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
            format!("mp_join_syn_ack backup={backup} address_id={address_id} sender_hmac=...")
        }
        MpJoin::Ack { .. } => "mp_join_ack sender_hmac=...".to_owned(),
    }
}

fn add_addr(option: &AddAddr) -> String {
    let mut text = format!("add_address address_id={} addr[{}]", option.address_id, option.addr);
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
