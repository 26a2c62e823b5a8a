//! MPTCP options, of both versions: `dss dack8=1 dsn8=1 ssn=1 dll=10 nocs` and the like.

use std::net::IpAddr;

use winnow::combinator::{alt, cut_err, empty, fail, opt, preceded, repeat, separated};
use winnow::prelude::*;

use super::lex::{
    Grammar, Input, assigned, bracketed, expected, integer, keyword, name, number, parenthesised,
    quoted, symbol, word,
};
use crate::packetdrill::script::{
    AddAddr, Capable, Checksum, Dss, Hmac, KeyName, Number, NumberValue, TcpOption, Token,
};
use crate::segment::MpCapable;

/// The words that options start with.
pub(super) const NAMES: [&str; 13] = [
    "mpcapable",
    "mp_capable",
    "mp_capable_no_cs",
    "mp_join_syn",
    "mp_join_syn_ack",
    "mp_join_ack",
    "dss",
    "add_address",
    "remove_address",
    "mp_prio",
    "mp_fail",
    "mp_fastclose",
    "mp_reset",
];

/// The option that starts with `name`.
pub(super) fn option(name: &str, input: &mut Input<'_>) -> ModalResult<TcpOption> {
    match name {
        "mpcapable" => capable.map(TcpOption::Capable).parse_next(input),
        "mp_capable" => old_capable(MpCapable::CHECKSUM | MpCapable::HMAC, input),
        "mp_capable_no_cs" => old_capable(MpCapable::HMAC, input),
        "mp_join_syn" => join_syn.parse_next(input),
        "mp_join_syn_ack" => join_syn_ack.parse_next(input),
        "mp_join_ack" => hmac.map(|hmac| TcpOption::JoinAck { hmac }).parse_next(input),
        "dss" => dss.map(TcpOption::Dss).parse_next(input),
        "add_address" => add_address.map(TcpOption::AddAddr).parse_next(input),
        "remove_address" => remove_address.parse_next(input),
        "mp_prio" => (backup, address_id)
            .map(|(backup, address_id)| TcpOption::Prio { backup, address_id })
            .parse_next(input),
        "mp_fail" => opt(dsn).map(TcpOption::Fail).parse_next(input),
        "mp_fastclose" => (opt(key_name), plus)
            .map(|(key, plus)| TcpOption::Fastclose(key, plus))
            .parse_next(input),
        "mp_reset" => reset.parse_next(input),
        _ => fail.context(expected("a TCP option")).parse_next(input),
    }
}

/// `v1 flags[flag_h] key[a, b] mpcdatalen 10`.
fn capable(input: &mut Input<'_>) -> ModalResult<Capable> {
    let version = alt((keyword("v1").value(1), keyword("v0").value(0), keyword("none").value(0)))
        .context(expected("`v0` or `v1`"))
        .parse_next(input)?;
    let list = bracketed(separated(1.., capable_flag, symbol(",")))
        .map(|flags: Vec<u8>| flags.into_iter().fold(0, |flags, flag| flags | flag));
    let flags =
        preceded(keyword("flags"), alt((list, number("a byte of flags")))).parse_next(input)?;
    let named = bracketed(separated(1..=2, key_name, symbol(",")));
    let keys = alt((keyword("nokey").value(Vec::new()), preceded(keyword("key"), cut_err(named))))
        .context(expected("`nokey` or `key[...]`"))
        .parse_next(input)?;
    let len = preceded(keyword("mpcdatalen"), cut_err(number("a length, 0 to 65535")));
    let data_len = opt(len).parse_next(input)?;
    let checksum = opt(checksum).parse_next(input)?.unwrap_or(Checksum::Absent);
    Ok(Capable { version, flags, keys, data_len, checksum })
}

fn capable_flag(input: &mut Input<'_>) -> ModalResult<u8> {
    word.verify_map(|name: &str| match name {
        "no_flags" => Some(0),
        "flag_a" => Some(0x80),
        "flag_b" => Some(0x40),
        "flag_c" => Some(0x20),
        "flag_d" => Some(0x10),
        "flag_e" => Some(0x08),
        "flag_f" => Some(0x04),
        "flag_g" => Some(0x02),
        "flag_h" => Some(0x01),
        _ => None,
    })
    .context(expected("a flag from `flag_a` to `flag_h`, or `no_flags`"))
    .parse_next(input)
}

/// Version 0 as first written: `mp_capable a b flag_h`; `default` counts where no flag is named.
fn old_capable(default: u8, input: &mut Input<'_>) -> ModalResult<TcpOption> {
    let key = || key_name.verify(|key| !key.name.starts_with("flag_") && key.name != "no_flags");
    let keys = repeat(1..=2, key()).parse_next(input)?;
    let named: Vec<u8> = repeat(0.., capable_flag).parse_next(input)?;
    let flags =
        if named.is_empty() { default } else { named.iter().fold(0, |flags, flag| flags | flag) };
    let (data_len, checksum) = (None, Checksum::Absent);
    Ok(TcpOption::Capable(Capable { version: 0, flags, keys, data_len, checksum }))
}

/// `name` or `name=value`.
fn key_name(input: &mut Input<'_>) -> ModalResult<KeyName> {
    (name, opt(preceded(symbol("="), cut_err(integer))))
        .map(|(name, value)| KeyName { name: name.to_owned(), value })
        .parse_next(input)
}

/// `+ n`, else 0.
fn plus(input: &mut Input<'_>) -> ModalResult<u64> {
    opt(preceded(symbol("+"), cut_err(number("an integer"))))
        .map(Option::unwrap_or_default)
        .parse_next(input)
}

fn backup(input: &mut Input<'_>) -> ModalResult<bool> {
    let flag = number::<u8>("0 or 1").verify(|flag| *flag < 2).context(expected("0 or 1"));
    opt(preceded(assigned("backup"), cut_err(flag))).map(|flag| flag == Some(1)).parse_next(input)
}

fn address_id(input: &mut Input<'_>) -> ModalResult<Option<u8>> {
    let id = alt((keyword("auto").value(None), number("an id, 0 to 255").map(Some)));
    opt(preceded(assigned("address_id"), cut_err(id))).map(Option::flatten).parse_next(input)
}

fn nonce(input: &mut Input<'_>) -> ModalResult<Option<u32>> {
    opt(preceded(assigned("rand"), cut_err(number("a 32-bit number")))).parse_next(input)
}

fn join_syn(input: &mut Input<'_>) -> ModalResult<TcpOption> {
    let of = preceded(
        alt((keyword("sha256_32"), keyword("sha1_32"))),
        cut_err(parenthesised(name.map(|key| Token::Of(key.to_owned())))),
    );
    let token = alt((keyword("auto").value(Token::Auto), of, number("a token").map(Token::Value)));
    (backup, address_id, preceded(assigned("token"), cut_err(token)), nonce)
        .map(|(backup, address_id, token, nonce)| TcpOption::JoinSyn {
            backup,
            address_id,
            token,
            nonce,
        })
        .parse_next(input)
}

fn join_syn_ack(input: &mut Input<'_>) -> ModalResult<TcpOption> {
    (backup, address_id, hmac, nonce)
        .map(|(backup, address_id, hmac, nonce)| TcpOption::JoinSynAck {
            backup,
            address_id,
            hmac,
            nonce,
        })
        .parse_next(input)
}

/// `sender_hmac=auto`, `sender_hmac=trunc_l64_hmac(a b)` and its kin.
fn hmac(input: &mut Input<'_>) -> ModalResult<Hmac> {
    let keys = (name, name).map(|(a, b): (&str, &str)| Hmac::Of(a.to_owned(), b.to_owned()));
    let value = integer.map(|value| Hmac::Value(value as u64));
    let of = preceded(
        alt((keyword("trunc_l64_hmac"), keyword("full_160_hmac"))),
        cut_err(parenthesised(alt((keys, value)))),
    );
    preceded(
        alt((assigned("sender_hmac"), assigned("token"))),
        cut_err(alt((keyword("auto").value(Hmac::Auto), of))),
    )
    .context(expected("`sender_hmac=`"))
    .parse_next(input)
}

fn dss(input: &mut Input<'_>) -> ModalResult<Dss> {
    let ack = opt(data_number("dack4", "dack8")).parse_next(input)?;
    let dsn = opt(dsn).parse_next(input)?;
    let ssn =
        opt(preceded(assigned("ssn"), cut_err(number("a 32-bit number")))).parse_next(input)?;
    let len = opt(preceded(assigned("dll"), cut_err(number("a length, 0 to 65535"))))
        .parse_next(input)?;
    let checksum = opt(checksum).parse_next(input)?;
    let data_fin = opt(keyword("fin")).parse_next(input)?.is_some();
    let checksum = checksum.unwrap_or(Checksum::Auto);
    Ok(Dss { ack, dsn, ssn, len, checksum, data_fin })
}

fn dsn(input: &mut Input<'_>) -> ModalResult<Number> {
    data_number("dsn4", "dsn8").parse_next(input)
}

fn data_number<'s>(short: &'static str, long: &'static str) -> impl Grammar<'s, Number> {
    let width = alt((keyword(long).value(true), keyword(short).value(false)));
    (width, opt(preceded(symbol("="), cut_err(number_value))))
        .map(|(long, value)| Number { long, value: value.unwrap_or(NumberValue::Auto) })
}

fn number_value(input: &mut Input<'_>) -> ModalResult<NumberValue> {
    let hash = alt((
        keyword("trunc_r64_hmac"),
        keyword("trunc_r64_hmac_sha1"),
        keyword("trunc_r64_hmac_sha256"),
    ));
    let of_key = (preceded(hash, cut_err(parenthesised(name))), plus)
        .map(|(key, plus): (&str, u64)| NumberValue::OfKey(key.to_owned(), plus));
    let relative = integer.map(|value| NumberValue::Relative(value as u64));
    alt((of_key, relative)).parse_next(input)
}

fn checksum(input: &mut Input<'_>) -> ModalResult<Checksum> {
    let value = alt((
        keyword("auto").value(Checksum::Auto),
        number("a checksum, 0 to 65535").map(Checksum::Value),
    ));
    alt((keyword("nocs").value(Checksum::Absent), preceded(assigned("cksum"), cut_err(value))))
        .parse_next(input)
}

fn add_address(input: &mut Input<'_>) -> ModalResult<AddAddr> {
    let address_id = address_id.parse_next(input)?;
    keyword("addr").parse_next(input)?;
    let (name, addr) = cut_err(bracketed((name, opt(preceded(symbol("="), cut_err(address))))))
        .parse_next(input)?;
    let port = opt(preceded(assigned("port"), cut_err(number("a port")))).parse_next(input)?;
    let value = alt((keyword("auto").value(None), integer.map(|hmac| Some(hmac as u64))));
    let (echo, hmac) = alt((
        keyword("addr_echo").value((true, None)),
        preceded(assigned("hmac"), cut_err(value)).map(|hmac| (false, hmac)),
        // Version 0 has no HMAC.
        empty.value((false, None)),
    ))
    .parse_next(input)?;
    Ok(AddAddr { address_id, name: name.to_owned(), addr, port, echo, hmac })
}

/// `inet_addr("...")` or `inet6_addr("...")`.
fn address(input: &mut Input<'_>) -> ModalResult<IpAddr> {
    let text = quoted('"').verify_map(|text: &str| text.parse().ok());
    preceded(
        alt((keyword("inet_addr"), keyword("inet6_addr"))),
        cut_err(parenthesised(text)).context(expected("an IP address in quotes")),
    )
    .parse_next(input)
}

fn remove_address(input: &mut Input<'_>) -> ModalResult<TcpOption> {
    let ids = bracketed(separated(1..=16, number::<u8>("an id, 0 to 255"), symbol(",")));
    preceded(assigned("address_id"), cut_err(ids)).map(TcpOption::RemoveAddr).parse_next(input)
}

fn reset(input: &mut Input<'_>) -> ModalResult<TcpOption> {
    let reason = number("a reason, 0 to 255").parse_next(input)?;
    let flag = alt((keyword("flag_t").value(true), keyword("no_flags").value(false)));
    let transient = opt(preceded(keyword("flags"), cut_err(bracketed(flag)))).parse_next(input)?;
    Ok(TcpOption::Reset { reason, transient: transient.unwrap_or(false) })
}
