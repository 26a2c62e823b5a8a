//! TCP options: `<mss 1460, sackOK, TS val 100 ecr 0, nop, wscale 8>`.

use winnow::combinator::{alt, cut_err, opt, preceded, repeat, separated, separated_pair};
use winnow::prelude::*;

use super::lex::{Input, expected, keyword, number, symbol, word};
use super::mptcp;
use crate::packetdrill::script::TcpOption;

/// Kinds of the options that hosts here do not have.
mod kind {
    pub(super) const MD5: u8 = 19;
    pub(super) const FAST_OPEN: u8 = 34;
    /// Accurate ECN, the counter of ECT(0) first or that of ECT(1).
    pub(super) const ECN_ZERO_FIRST: u8 = 172;
    pub(super) const ECN_ONE_FIRST: u8 = 174;
    pub(super) const EXPERIMENTAL: u8 = 254;
}

/// The number that marks the experimental form of fast open (RFC 6994, RFC 7413).
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

const NAMES: [&str; 11] =
    ["nop", "eol", "mss", "wscale", "sackOK", "sack", "TS", "FO", "FOEXP", "md5", "ECN"];

/// The options in order; `None` for `<...>`.
pub(super) fn list(input: &mut Input<'_>) -> ModalResult<Option<Vec<TcpOption>>> {
    symbol("<").parse_next(input)?;
    let any = symbol("...").value(None);
    let these = separated(1.., cut_err(option), symbol(",")).map(Some);
    let options = alt((any, these)).parse_next(input)?;
    cut_err(symbol(">")).context(expected("`,` or `>`")).parse_next(input)?;
    Ok(options)
}

fn option(input: &mut Input<'_>) -> ModalResult<TcpOption> {
    let name = word
        .verify(|name: &str| NAMES.contains(&name) || mptcp::NAMES.contains(&name))
        .context(expected("a TCP option"))
        .parse_next(input)?;
    match name {
        "nop" => Ok(TcpOption::Nop),
        "eol" => Ok(TcpOption::End),
        "mss" => number("a segment size, 0 to 65535").map(TcpOption::Mss).parse_next(input),
        "wscale" => number("a shift, 0 to 255").map(TcpOption::WindowScale).parse_next(input),
        "sackOK" => Ok(TcpOption::SackPermitted),
        "sack" => repeat(1.., block).map(TcpOption::Sack).parse_next(input),
        "TS" => timestamps.parse_next(input),
        "FO" => {
            fast_open.map(|data| TcpOption::Raw { kind: kind::FAST_OPEN, data }).parse_next(input)
        }
        "FOEXP" => fast_open
            .map(|cookie| TcpOption::Raw {
                kind: kind::EXPERIMENTAL,
                data: FAST_OPEN_MAGIC.into_iter().chain(cookie).collect(),
            })
            .parse_next(input),
        "md5" => bytes.map(|data| TcpOption::Raw { kind: kind::MD5, data }).parse_next(input),
        "ECN" => ecn_counters.parse_next(input),
        name => mptcp::option(name, input),
    }
}

fn block(input: &mut Input<'_>) -> ModalResult<(u32, u32)> {
    let edge = || number::<u32>("a sequence number");
    separated_pair(edge(), symbol(":"), cut_err(edge())).parse_next(input)
}

fn timestamps(input: &mut Input<'_>) -> ModalResult<TcpOption> {
    let value = || number::<u32>("a timestamp, 0 to 4294967295");
    (preceded(keyword("val"), value()), preceded(keyword("ecr"), value()))
        .map(|(val, ecr)| TcpOption::Timestamps { val, ecr })
        .parse_next(input)
}

/// Counters of bytes that came with each codepoint, 24 bits each: `e0b 1 ceb 0 e1b 1`.
fn ecn_counters(input: &mut Input<'_>) -> ModalResult<TcpOption> {
    let name =
        alt((keyword("e0b").value(true), keyword("ceb").value(false), keyword("e1b").value(false)));
    let what = "a number of bytes, 0 to 16777215";
    let bytes = number::<u32>(what).verify(|bytes| *bytes < 1 << 24).context(expected(what));
    let counter = (name, cut_err(bytes));
    let counters: Vec<(bool, u32)> = repeat(1..=3, counter).parse_next(input)?;
    let zero_first = counters.first().is_some_and(|(zero, _)| *zero);
    Ok(TcpOption::Raw {
        kind: if zero_first { kind::ECN_ZERO_FIRST } else { kind::ECN_ONE_FIRST },
        data: counters
            .iter()
            .flat_map(|(_, bytes)| bytes.to_be_bytes().into_iter().skip(1))
            .collect(),
    })
}

/// A cookie in hexadecimal; none asks for one.
fn fast_open(input: &mut Input<'_>) -> ModalResult<Vec<u8>> {
    opt(bytes).map(Option::unwrap_or_default).parse_next(input)
}

fn bytes(input: &mut Input<'_>) -> ModalResult<Vec<u8>> {
    word.verify_map(from_hex)
        .context(expected("bytes in hexadecimal, at most 36"))
        .parse_next(input)
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    const MOST: usize = 36;
    if !digits.len().is_multiple_of(2) || digits.len() > 2 * MOST {
        return None;
    }
    let pairs = (0..digits.len()).step_by(2).map(|at| digits.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
