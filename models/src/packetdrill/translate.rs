//! Script options as the options of a real segment.
//!
//! The same translation serves both directions: what the script sends gets the
//! values that fit, what it expects gets the values that the host had to send.
//! Where a script leaves a choice to the host ([`Translation::actual`]) the
//! host's own value counts.

use std::net::IpAddr;

use super::names::{Names, Pair};
use super::script::{
    AddAddr, Capable, Checksum, Dss, Hmac, KeyName, Number, NumberValue, Packet, TcpOption, Token,
};
use crate::mptcp_keys::{Key, Version, add_addr_hmac, join_hmac, token};
use crate::options::Slot;
use crate::payload::Payload;
use crate::segment::{
    self, Flags, MpCapable, MpJoin, MpPrio, MpTcpRst, RemoveAddr, ResetReason, Segment, Timestamps,
    UnknownOption, Width,
};
use crate::seq::{Seq, SeqRange};
use crate::wire::{dss_checksum, take_tcp_option};

/// One packet's translation.
pub(super) struct Translation<'a> {
    pub(super) names: &'a Names,
    pub(super) flow: usize,
    pub(super) version: Version,
    pub(super) packet: &'a Packet,
    /// What the host sent, where the script expects something.
    pub(super) actual: Option<&'a Segment>,
}

/// Why there is no translation.
pub(super) type Trouble = String;

impl Translation<'_> {
    /// The segment that the script describes.
    pub(super) fn segment(&self) -> Result<Segment, Trouble> {
        let packet = self.packet;
        let offsets = self.offsets();
        let mut segment = Segment {
            seq: Seq(packet.seq.wrapping_add(offsets.0)),
            flags: packet.flags,
            window: packet.window.unwrap_or(0),
            ..Segment::default()
        };
        if packet.flags.has(Flags::ACK) {
            segment.ack = Seq(packet.ack.unwrap_or(0).wrapping_add(offsets.1));
        }
        if packet.len > 0 {
            segment.payload = Payload::bytes(vec![0; packet.len as usize]);
        }
        let mut layout = Vec::new();
        for option in packet.options.iter().flatten() {
            let slot = self.put(option, &mut segment)?;
            let repeated = !matches!(slot, Slot::Nop | Slot::End | Slot::Unknown);
            if repeated && layout.contains(&slot) {
                return Err(format!("{slot:?} twice in one packet"));
            }
            layout.push(slot);
        }
        if !layout.is_empty() && segment.layout_len(&layout).is_none() {
            return Err("options that do not fill whole words of four bytes, 40 at most".to_owned());
        }
        if !layout.is_empty() {
            segment.rare_mut().layout = layout;
        }
        Ok(segment)
    }

    /// What to add to the script's sequence and acknowledgement numbers.
    pub(super) fn offsets(&self) -> (u32, u32) {
        let flow = self.names.flows.get(self.flow);
        let (host, script) = flow.map_or((0, 0), |flow| (flow.host_offset, flow.script_offset));
        match (self.packet.is_outbound(), self.packet.flags.has(Flags::SYN)) {
            (true, false) => (host, script),
            // The numbers of the script's SYN are what all others are counted from.
            (true, true) => (host, 0),
            (false, true) => (0, host),
            (false, false) => (script, host),
        }
    }

    fn put(&self, option: &TcpOption, segment: &mut Segment) -> Result<Slot, Trouble> {
        match option {
            TcpOption::Nop => Ok(Slot::Nop),
            TcpOption::End => Ok(Slot::End),
            TcpOption::Mss(mss) => {
                segment.rare_mut().mss = Some(*mss);
                Ok(Slot::Mss)
            }
            TcpOption::WindowScale(shift) => {
                segment.rare_mut().window_scale = Some(*shift);
                Ok(Slot::WindowScale)
            }
            TcpOption::SackPermitted => {
                segment.rare_mut().sack_permitted = true;
                Ok(Slot::SackPermitted)
            }
            TcpOption::Sack(blocks) => {
                self.put_sack(blocks, segment);
                Ok(Slot::Sack)
            }
            TcpOption::Timestamps { val, ecr } => {
                segment.timestamps = Some(self.timestamps(*val, *ecr)?);
                Ok(Slot::Timestamps)
            }
            TcpOption::Raw { kind, data } => {
                if let Some(slot) = take_tcp_option(*kind, data, segment) {
                    self.take_signature(segment);
                    return Ok(slot);
                }
                let option = UnknownOption { kind: *kind, data: data.clone() };
                segment.rare_mut().unknown.push(option);
                Ok(Slot::Unknown)
            }
            mptcp => self.put_mptcp(mptcp, segment),
        }
    }

    /// What the host has signed holds numbers that the script does not know.
    fn take_signature(&self, segment: &mut Segment) {
        let actual = self.actual.and_then(Segment::rare).and_then(|rare| rare.md5);
        if let Some(rare) = &mut segment.rare
            && rare.md5.is_some()
            && actual.is_some()
        {
            rare.md5 = actual;
        }
    }

    fn put_mptcp(&self, option: &TcpOption, segment: &mut Segment) -> Result<Slot, Trouble> {
        if let TcpOption::Dss(dss) = option {
            segment.dss = Some(self.dss(dss)?);
            return Ok(Slot::Dss);
        }
        let capable = match option {
            TcpOption::Capable(capable) => Some(self.capable(capable)?),
            _ => None,
        };
        let rare = segment.rare_mut();
        let slot = match option {
            TcpOption::Capable(_) => {
                rare.mp_capable = capable;
                Slot::MpCapable
            }
            TcpOption::AddAddr(add) => {
                rare.add_addr = Some(self.add_addr(add)?);
                Slot::AddAddr
            }
            TcpOption::RemoveAddr(ids) => {
                rare.remove_addr = Some(RemoveAddr::new(ids));
                Slot::RemoveAddr
            }
            TcpOption::Prio { backup, address_id } => {
                rare.mp_prio = Some(MpPrio { backup: *backup, address_id: *address_id });
                Slot::MpPrio
            }
            TcpOption::Fail(number) => {
                rare.mp_fail = Some(self.fail(number.as_ref())?);
                Slot::MpFail
            }
            TcpOption::Fastclose(name, plus) => {
                rare.mp_fastclose = Some(self.fastclose(name.as_ref(), *plus)?);
                Slot::MpFastclose
            }
            TcpOption::Reset { reason, transient } => {
                let reason = ResetReason(*reason);
                rare.mp_tcprst = Some(MpTcpRst { transient: *transient, reason });
                Slot::MpTcpRst
            }
            join => {
                rare.mp_join = Some(self.join(join)?);
                Slot::MpJoin
            }
        };
        Ok(slot)
    }

    fn put_sack(&self, blocks: &[(u32, u32)], segment: &mut Segment) {
        let offset = self.offsets().1;
        for (start, end) in blocks {
            let block =
                SeqRange::new(Seq(start.wrapping_add(offset)), Seq(end.wrapping_add(offset)));
            if !segment.sack.push(block) {
                segment.rare_mut().fourth_sack = Some(block);
            }
        }
    }

    /// The host's timestamps are what they are; the script echoes those it has called by the same
    /// number, and any that it has sent may be echoed.
    fn timestamps(&self, val: u32, ecr: u32) -> Result<Timestamps, Trouble> {
        if let Some(actual) = self.actual.and_then(|actual| actual.timestamps) {
            let echoed = self.names.may_echo(self.flow, actual.ecr);
            return Ok(Timestamps { val: actual.val, ecr: if echoed { actual.ecr } else { ecr } });
        }
        if self.packet.is_outbound() || !self.packet.flags.has(Flags::ACK) || ecr == 0 {
            return Ok(Timestamps { val, ecr });
        }
        match self.names.live_stamp(self.flow, ecr) {
            Some(ecr) => Ok(Timestamps { val, ecr }),
            None => Err(format!("the echo of a timestamp, {ecr}, that no packet has had")),
        }
    }

    // ---- keys ----------------------------------------------------------------------------

    fn pair(&self) -> Pair {
        self.names.pair(self.flow)
    }

    /// Keys of the packet's sender and of its receiver.
    fn sides(&self) -> (Option<Key>, Option<Key>) {
        let pair = self.pair();
        if self.packet.is_outbound() { (pair.host, pair.script) } else { (pair.script, pair.host) }
    }

    fn both_keys(&self) -> Result<(Key, Key), Trouble> {
        let (sender, receiver) = self.sides();
        sender.zip(receiver).ok_or_else(|| "keys that no packet has had".to_owned())
    }

    fn named_key(&self, name: &str) -> Result<Key, Trouble> {
        self.names.key(name).ok_or_else(|| format!("the key `{name}`, which has no value"))
    }

    fn capable(&self, capable: &Capable) -> Result<MpCapable, Trouble> {
        let key = |name: Option<&KeyName>| {
            name.map(|name| self.named_key(&name.name)).transpose().map(|key| key.map(|key| key.0))
        };
        let mut option = MpCapable {
            version: capable.version,
            flags: capable.flags,
            sender_key: key(capable.keys.first())?,
            receiver_key: key(capable.keys.get(1))?,
            data_len: capable.data_len,
            checksum: None,
        };
        option.checksum = match capable.checksum {
            Checksum::Absent => None,
            Checksum::Value(value) => Some(value),
            Checksum::Auto => {
                let (sender, _) = self.sides();
                let first = self.names.idsn(sender.unwrap_or(Key(0))).wrapping_add(1);
                let len = capable.data_len.unwrap_or(0);
                Some(dss_checksum(first, 1, len, [&self.mapped(1, len)]))
            }
        };
        Ok(option)
    }

    // ---- joins ---------------------------------------------------------------------------

    fn join(&self, option: &TcpOption) -> Result<MpJoin, Trouble> {
        let actual = self.actual.and_then(Segment::mp_join).copied();
        let flow = self.names.flows.get(self.flow).ok_or("a flow")?;
        let nonce = if self.packet.is_outbound() { flow.host_nonce } else { flow.script_nonce };
        let own_id = || self.names.address_id(self.flow);
        match option {
            TcpOption::JoinSyn { backup, address_id, token, .. } => Ok(MpJoin::Syn {
                backup: *backup,
                address_id: address_id.unwrap_or_else(|| match actual {
                    Some(MpJoin::Syn { address_id, .. }) => address_id,
                    _ => own_id(),
                }),
                token: self.token(token)?,
                nonce,
            }),
            TcpOption::JoinSynAck { backup, address_id, hmac, .. } => Ok(MpJoin::SynAck {
                backup: *backup,
                // packetdrill does not compare the id of the host's answer.
                address_id: match actual {
                    Some(MpJoin::SynAck { address_id, .. }) => address_id,
                    _ => address_id.unwrap_or_else(own_id),
                },
                hmac: match hmac {
                    Hmac::Value(value) => *value,
                    hmac => self.join_proof(hmac)?.leftmost64(),
                },
                nonce,
            }),
            TcpOption::JoinAck { hmac } => Ok(MpJoin::Ack {
                hmac: match hmac {
                    Hmac::Value(value) => {
                        let mut bytes = [0; 20];
                        bytes[..8].copy_from_slice(&value.to_be_bytes());
                        bytes
                    }
                    hmac => self.join_proof(hmac)?.bytes160(),
                },
            }),
            _ => Err("an option that is no MP_JOIN".to_owned()),
        }
    }

    fn token(&self, token_of: &Token) -> Result<u32, Trouble> {
        match token_of {
            Token::Value(value) => Ok(*value),
            Token::Of(name) => Ok(token(self.named_key(name)?, self.version)),
            Token::Auto => Ok(token(self.both_keys()?.1, self.version)),
        }
    }

    fn join_proof(&self, hmac: &Hmac) -> Result<crate::mptcp_keys::JoinHmac, Trouble> {
        let (sender, receiver) = match hmac {
            Hmac::Of(sender, receiver) => (self.named_key(sender)?, self.named_key(receiver)?),
            Hmac::Auto | Hmac::Value(_) => self.both_keys()?,
        };
        let flow = self.names.flows.get(self.flow).ok_or("a flow")?;
        let (own, other) = if self.packet.is_outbound() {
            (flow.host_nonce, flow.script_nonce)
        } else {
            (flow.script_nonce, flow.host_nonce)
        };
        Ok(join_hmac(sender, receiver, own, other, self.version))
    }

    fn add_addr(&self, add: &AddAddr) -> Result<segment::AddAddr, Trouble> {
        let actual = self.actual.and_then(Segment::rare).and_then(|rare| rare.add_addr);
        let known: Option<IpAddr> = add.addr.or_else(|| self.names.address(&add.name));
        let addr =
            known.ok_or_else(|| format!("the address `{}`, which has no value", add.name))?;
        let address_id = add
            .address_id
            .or(actual.map(|actual| actual.address_id))
            .unwrap_or_else(|| super::names::number_of(&add.name));
        let hmac = match (add.echo, add.hmac) {
            (true, _) => None,
            (false, Some(hmac)) => Some(hmac),
            (false, None) if self.version == Version::V0 => None,
            (false, None) => {
                let (sender, receiver) = self.both_keys()?;
                Some(add_addr_hmac(sender, receiver, address_id, addr, add.port))
            }
        };
        Ok(segment::AddAddr { address_id, addr, port: add.port, echo: add.echo, hmac })
    }

    // ---- data sequence numbers ----------------------------------------------------------------

    /// `number`, or `auto` if it leaves that open, counted from the number that `key` stands for.
    fn dsn(&self, number: &Number, key: Option<Key>, auto: u64) -> Result<u64, Trouble> {
        let base = |key: Key| self.names.idsn(key);
        match &number.value {
            NumberValue::Auto => Ok(auto),
            NumberValue::Relative(value) => {
                let key = key.ok_or("a data sequence number before the keys are known")?;
                Ok(base(key).wrapping_add(*value))
            }
            NumberValue::OfKey(name, plus) => Ok(base(self.named_key(name)?).wrapping_add(*plus)),
        }
    }

    fn dss(&self, dss: &Dss) -> Result<segment::Dss, Trouble> {
        let (sender, receiver) = self.sides();
        let actual = self.actual.and_then(|actual| actual.dss);
        let pair = self.pair();
        let next_dsn = |key: Option<Key>, next: u64| {
            key.map_or(next, |key| self.names.idsn(key).wrapping_add(next))
        };
        let width = |number: Option<&Number>| match number {
            None => Width::Absent,
            Some(number) if number.long => Width::Eight,
            Some(_) => Width::Four,
        };
        let mut option = segment::Dss {
            ack_width: width(dss.ack.as_ref()),
            dsn_width: width(dss.dsn.as_ref()),
            data_fin: dss.data_fin,
            ..segment::Dss::default()
        };
        if let Some(ack) = &dss.ack {
            let auto = actual.map_or(next_dsn(receiver, pair.host_next), |dss| dss.data_ack);
            option.data_ack = option.ack_width.cut(self.dsn(ack, receiver, auto)?);
        }
        let Some(dsn) = &dss.dsn else { return Ok(option) };
        let auto = actual.map_or(next_dsn(sender, pair.script_next), |dss| dss.dsn);
        let full = self.dsn(dsn, sender, auto)?;
        option.dsn = option.dsn_width.cut(full);
        let flow = self.names.flows.get(self.flow);
        option.ssn = dss
            .ssn
            .or(actual.map(|dss| dss.ssn))
            .unwrap_or_else(|| flow.map_or(1, |flow| flow.next_ssn));
        let own_len = self.packet.len as u16 + u16::from(dss.data_fin);
        option.len = dss.len.or(actual.map(|dss| dss.len)).unwrap_or(own_len);
        option.checksummed = dss.checksum != Checksum::Absent;
        option.checksum = match dss.checksum {
            Checksum::Absent => 0,
            Checksum::Value(value) => value,
            Checksum::Auto => self.mapping_checksum(&option, full, sender),
        };
        Ok(option)
    }

    /// The right checksum of a mapping: over its data, which a DATA_FIN is not part of.
    fn mapping_checksum(&self, option: &segment::Dss, dsn: u64, sender: Option<Key>) -> u16 {
        if option.len == 0 {
            return 0;
        }
        let base = sender.map_or(0, |key| self.names.idsn(key));
        let data = option.len - u16::from(option.data_fin);
        let payload = self.mapped(dsn.wrapping_sub(base), data);
        dss_checksum(dsn, option.ssn, option.len, [&payload])
    }

    /// The data of a mapping at the relative number `dsn`: the host sends the pattern, the script
    /// zeros.
    fn mapped(&self, dsn: u64, len: u16) -> Payload {
        if self.packet.is_outbound() {
            Payload::pattern(dsn.wrapping_sub(1), u32::from(len))
        } else {
            Payload::bytes(vec![0; usize::from(len)])
        }
    }

    /// MP_FAIL names a mapping of the peer (RFC 8684 section 3.7).
    fn fail(&self, number: Option<&Number>) -> Result<u64, Trouble> {
        let (_, receiver) = self.sides();
        let actual = self.actual.and_then(Segment::rare).and_then(|rare| rare.mp_fail);
        let pair = self.pair();
        let next = if self.packet.is_outbound() { pair.script_next } else { pair.host_next };
        let auto = actual.unwrap_or_else(|| {
            receiver.map_or(next, |key| self.names.idsn(key).wrapping_add(next))
        });
        match number {
            Some(number) => self.dsn(number, receiver, auto),
            None => Ok(auto),
        }
    }

    /// MP_FASTCLOSE has the receiver's key.
    fn fastclose(&self, name: Option<&KeyName>, plus: u64) -> Result<u64, Trouble> {
        let key = match name {
            Some(name) => self.named_key(&name.name)?,
            None => self.both_keys()?.1,
        };
        Ok(key.0.wrapping_add(plus))
    }
}
