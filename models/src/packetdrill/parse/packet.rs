//! Packets: `> addr[a] > addr[b] P. 1:11(10) ack 1 win 256 <options>`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use winnow::combinator::{
    alt, cut_err, fail, opt, peek, preceded, separated, separated_pair, terminated,
};
use winnow::prelude::*;
use winnow::token::{one_of, take_till, take_while};

use super::lex::{
    Grammar, Input, bracketed, expected, gap, integer, keyword, name, number, parenthesised,
    symbol, token, word,
};
use super::options;
use crate::packetdrill::script::{Action, Direction, EcnField, IpFields, Packet, Place};
use crate::segment::{Ecn, Flags};

/// What follows a direction where the packet is not a plain TCP packet.
const FOREIGN: [&str; 7] = ["icmp", "udp", "ipv4", "ipv6", "gre", "GREv0", "mpls"];

/// A packet; those of other protocols end with their line.
pub(super) fn action(input: &mut Input<'_>) -> ModalResult<Action> {
    let direction =
        alt((symbol("<").value(Direction::Inbound), symbol(">").value(Direction::Outbound)))
            .parse_next(input)?;
    let ip = opt(ip_fields).parse_next(input)?.unwrap_or_default();
    if opt(peek(word.verify(|word: &str| FOREIGN.contains(&word)))).parse_next(input)?.is_some() {
        return token(take_till(0.., '\n')).value(Action::Foreign).parse_next(input);
    }
    cut_err(tcp(direction, ip)).map(|packet| Action::Packet(Box::new(packet))).parse_next(input)
}

fn tcp<'s>(direction: Direction, ip: IpFields) -> impl Grammar<'s, Packet> {
    move |input: &mut Input<'s>| {
        let (from, to) = opt(ends).parse_next(input)?.unwrap_or_default();
        let (flags, ace) = flags.parse_next(input)?;
        let (seq, len) = sequence.parse_next(input)?;
        let ack = opt(preceded(keyword("ack"), cut_err(number("an acknowledgement number"))))
            .parse_next(input)?;
        let window = opt(preceded(keyword("win"), cut_err(number("a window, 0 to 65535"))))
            .parse_next(input)?;
        opt(preceded(keyword("urg"), cut_err(number::<u16>("an urgent pointer"))))
            .parse_next(input)?;
        let options = opt(options::list).parse_next(input)?.unwrap_or_else(|| Some(Vec::new()));
        Ok(Packet { direction, ip, from, to, flags, ace, seq, len, ack, window, options })
    }
}

/// `[ect0]`, `(ce)`, `[tos 0x2, ttl 64]` and the like.
fn ip_fields(input: &mut Input<'_>) -> ModalResult<IpFields> {
    let list = || {
        separated(1.., ip_field, symbol(",")).map(|fields: Vec<IpFields>| {
            fields.into_iter().fold(IpFields::default(), |all, field| IpFields {
                ecn: field.ecn.or(all.ecn),
                tos: field.tos.or(all.tos),
                ttl: field.ttl.or(all.ttl),
            })
        })
    };
    alt((bracketed(list()), parenthesised(list()))).parse_next(input)
}

fn ip_field(input: &mut Input<'_>) -> ModalResult<IpFields> {
    let byte = || cut_err(number::<u8>("a byte, 0 to 255"));
    let ecn = |ecn| Ok(IpFields { ecn: Some(ecn), ..IpFields::default() });
    match word.parse_next(input)? {
        "noecn" => ecn(EcnField::Exactly(Ecn::NotCapable)),
        "ect0" => ecn(EcnField::Exactly(Ecn::Capable0)),
        "ect1" => ecn(EcnField::Exactly(Ecn::Capable1)),
        "ce" => ecn(EcnField::Exactly(Ecn::Experienced)),
        "ect01" => ecn(EcnField::Capable),
        "tos" => {
            byte().map(|tos| IpFields { tos: Some(tos), ..IpFields::default() }).parse_next(input)
        }
        "ttl" => {
            byte().map(|ttl| IpFields { ttl: Some(ttl), ..IpFields::default() }).parse_next(input)
        }
        "flowlabel" => {
            cut_err(number::<u32>("a flow label")).value(IpFields::default()).parse_next(input)
        }
        _ => fail.context(expected("a field of the IP header")).parse_next(input),
    }
}

type Ends = (Option<Place>, Option<Place>);

/// `from > to`; each may be missing.
fn ends(input: &mut Input<'_>) -> ModalResult<Ends> {
    separated_pair(opt(place), symbol(">"), opt(place)).parse_next(input)
}

fn place(input: &mut Input<'_>) -> ModalResult<Place> {
    let variable = preceded(keyword("addr"), cut_err(bracketed(name)))
        .map(|name: &str| Place::Variable(name.to_owned()));
    let socket = separated_pair(address, token(':'), number("a port"))
        .map(|(addr, port)| Place::Address(SocketAddr::new(addr, port)));
    let port = terminated(number("a port"), peek(symbol(">"))).map(Place::Port);
    let last_port = number("a port").map(Place::Port);
    alt((variable, socket, port, last_port)).parse_next(input)
}

/// An address that a `:` and a port may follow.
fn address(input: &mut Input<'_>) -> ModalResult<IpAddr> {
    let v4 = take_while(7.., |c: char| c.is_ascii_digit() || c == '.')
        .verify_map(|text: &str| text.parse::<Ipv4Addr>().ok())
        .map(IpAddr::V4);
    alt((v4, v6)).parse_next(input)
}

/// An IPv6 address up to the last colon, which belongs to the port.
fn v6(input: &mut Input<'_>) -> ModalResult<IpAddr> {
    let text: &str = peek(take_while(3.., |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.'))
        .parse_next(input)?;
    let len = text.rfind(':').unwrap_or(text.len());
    winnow::token::take(len)
        .verify_map(|text: &str| text.parse::<Ipv6Addr>().ok())
        .map(IpAddr::V6)
        .parse_next(input)
}

/// Letters, `.` for ACK, and the ACE counter; `-` for none.
fn flags(input: &mut Input<'_>) -> ModalResult<(Flags, Option<u8>)> {
    let letters = take_while(0.., |c| "FSRPUEWCA".contains(c));
    let ace = opt(one_of('0'..='9').map(|c: char| c as u8 - b'0'));
    let some = (letters, opt(preceded('.', ace)))
        .verify(|(letters, ack): &(&str, Option<_>)| !letters.is_empty() || ack.is_some())
        .map(|(letters, ack)| {
            let acks = if ack.is_some() { Flags::ACK } else { Flags::NONE };
            let flags = letters.chars().map(flag).fold(acks, |flags, flag| flags | flag);
            // `A` is the third bit of the counter.
            let ace = ack.flatten().or(letters.contains('A').then_some(4));
            (flags, ace)
        });
    token(alt((some, '-'.value((Flags::NONE, None)))))
        .context(expected("TCP flags such as `S`, `P.` or `-`"))
        .parse_next(input)
}

fn flag(letter: char) -> Flags {
    match letter {
        'F' => Flags::FIN,
        'S' => Flags::SYN,
        'R' => Flags::RST,
        'P' => Flags::PSH,
        'U' => Flags::URG,
        'E' => Flags::ECE,
        'W' | 'C' => Flags::CWR,
        _ => Flags::NONE,
    }
}

/// `start:end(length)`.
fn sequence(input: &mut Input<'_>) -> ModalResult<(u32, u32)> {
    let start = number::<u32>("a sequence number").parse_next(input)?;
    cut_err(symbol(":")).parse_next(input)?;
    let end = cut_err(number::<u32>("the number behind the last byte")).parse_next(input)?;
    symbol("(").parse_next(input)?;
    let len = cut_err(
        integer
            .verify_map(|len| u16::try_from(len).ok())
            .verify(|len| start.wrapping_add(u32::from(*len)) == end),
    )
    .context(expected("a length that is end minus start, at most 65535"))
    .parse_next(input)?;
    cut_err(symbol(")")).parse_next(input)?;
    gap.parse_next(input)?;
    Ok((start, u32::from(len)))
}
