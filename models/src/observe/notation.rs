//! Segments in words, as tcpdump and packet scripts write them.

use std::fmt;

use crate::segment::{Dss, Flags, MpJoin, Segment, Width};
use crate::seq::Seq;

/// A segment with its numbers relative to where both directions began.
#[derive(Clone, Copy, Debug)]
pub struct Notation<'a> {
    /// The segment.
    pub segment: &'a Segment,
    /// Initial sequence number of its sender.
    pub iss: Seq,
    /// Initial sequence number of its receiver.
    pub irs: Seq,
}

impl fmt::Display for Notation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let segment = self.segment;
        write_flags(f, segment.flags)?;
        let start = segment.seq - self.iss;
        let len = segment.payload.len();
        write!(f, " {start}:{}({len})", start.wrapping_add(len))?;
        if segment.flags.has(Flags::ACK) {
            write!(f, " ack {}", segment.ack - self.irs)?;
        }
        write!(f, " win {}", segment.window)?;
        let options = option_words(segment, self.irs);
        if options.is_empty() { Ok(()) } else { write!(f, " <{}>", options.join(", ")) }
    }
}

fn write_flags(f: &mut fmt::Formatter<'_>, flags: Flags) -> fmt::Result {
    let letters = [
        (Flags::SYN, "S"),
        (Flags::FIN, "F"),
        (Flags::RST, "R"),
        (Flags::PSH, "P"),
        (Flags::ACK, "."),
        (Flags::ECE, "E"),
        (Flags::CWR, "W"),
    ];
    let text: String =
        letters.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, letter)| *letter).collect();
    f.write_str(if text.is_empty() { "-" } else { &text })
}

fn option_words(segment: &Segment, irs: Seq) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(rare) = segment.rare() {
        words.extend(rare.mss.map(|mss| format!("mss {mss}")));
        words.extend(rare.sack_permitted.then(|| "sackOK".to_owned()));
        words.extend(rare.window_scale.map(|shift| format!("wscale {shift}")));
    }
    if let Some(stamp) = segment.timestamps {
        words.push(format!("TS val {} ecr {}", stamp.val, stamp.ecr));
    }
    for block in segment.sack.as_slice() {
        words.push(format!("sack {}:{}", block.start - irs, block.end - irs));
    }
    words.extend(mptcp_words(segment));
    words
}

/// The MPTCP options of a segment.
pub fn mptcp_words(segment: &Segment) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(segment.dss.as_ref().map(dss_words));
    let Some(rare) = segment.rare() else { return words };
    if let Some(option) = &rare.mp_capable {
        let mut text = format!("mpcapable v{} flags {:02x}", option.version, option.flags);
        for key in [option.sender_key, option.receiver_key].into_iter().flatten() {
            text += &format!(" key {key:016x}");
        }
        if let Some(len) = option.data_len {
            text += &format!(" mpcdatalen {len}");
        }
        words.push(text);
    }
    words.extend(rare.mp_join.as_ref().map(join_words));
    if let Some(option) = &rare.add_addr {
        let echo = if option.echo { " echo" } else { "" };
        let port = option.port.map(|port| format!(":{port}")).unwrap_or_default();
        words.push(format!("add_address id {} {}{port}{echo}", option.address_id, option.addr));
    }
    words.extend(rare.remove_addr.as_ref().map(|o| format!("remove_address {:?}", o.ids())));
    words.extend(rare.mp_prio.map(|o| format!("mp_prio backup {}", u8::from(o.backup))));
    words.extend(rare.mp_fail.map(|dsn| format!("mp_fail dsn {dsn}")));
    words.extend(rare.mp_fastclose.map(|key| format!("mp_fastclose key {key:016x}")));
    words.extend(rare.mp_tcprst.map(|o| format!("mp_reset {}", o.reason.0)));
    words
}

fn join_words(option: &MpJoin) -> String {
    match option {
        MpJoin::Syn { backup, address_id, token, .. } => {
            format!("mp_join_syn backup {} id {address_id} token {token:08x}", u8::from(*backup))
        }
        MpJoin::SynAck { backup, address_id, .. } => {
            format!("mp_join_syn_ack backup {} id {address_id}", u8::from(*backup))
        }
        MpJoin::Ack { .. } => "mp_join_ack".to_owned(),
    }
}

fn dss_words(dss: &Dss) -> String {
    let mut text = "dss".to_owned();
    match dss.ack_width {
        Width::Absent => {}
        Width::Four => text += &format!(" dack4={}", dss.data_ack),
        Width::Eight => text += &format!(" dack8={}", dss.data_ack),
    }
    if dss.has_mapping() {
        let width = dss.dsn_width.bytes();
        text += &format!(" dsn{width}={} ssn={} dll={}", dss.dsn, dss.ssn, dss.len);
        if dss.checksummed {
            text += &format!(" cksum={}", dss.checksum);
        }
        if dss.data_fin {
            text += " fin";
        }
    }
    text
}
