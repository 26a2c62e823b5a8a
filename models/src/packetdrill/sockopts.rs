//! Socket options: `setsockopt` and `getsockopt`.

use mptcpsim_core::time::Span;

use super::calls::{
    Attempt, Caller, Unsupported, argument, constant, descriptor, error_number, integer,
};
use super::script::{Call, Expression};
use super::sockets::{Answer, Errno, Socket, errno};
use crate::congestion;
use crate::fast_open_keys::FastOpenKeys;
use crate::mptcp::{Connection, Env};
use crate::rules::Procedures;
use crate::wire::Md5Key;

/// Options that change nothing here: they read as they were set, at first 0.
const REMEMBERED: [&str; 25] = [
    "IPV6_FREEBIND",
    "IPV6_MTU_DISCOVER",
    "IPV6_RECVERR",
    "IPV6_TRANSPARENT",
    "IPV6_V6ONLY",
    "IP_BIND_ADDRESS_NO_PORT",
    "IP_FREEBIND",
    "IP_MTU_DISCOVER",
    "IP_RECVERR",
    "IP_TRANSPARENT",
    "SO_BINDTODEVICE",
    "SO_DEBUG",
    "SO_INCOMING_CPU",
    "SO_KEEPALIVE",
    "SO_MARK",
    "SO_OOBINLINE",
    "SO_PRIORITY",
    "SO_REUSEADDR",
    "SO_REUSEPORT",
    "SO_RCVTIMEO",
    "SO_SNDTIMEO",
    "SO_ZEROCOPY",
    "TCP_INQ",
    "TCP_NOTSENT_LOWAT",
    "TCP_SAVE_SYN",
];

/// Options of sockets that are opened with data in the SYN.
const FAST_OPEN: [&str; 3] = ["TCP_FASTOPEN", "TCP_FASTOPEN_CONNECT", "TCP_FASTOPEN_NO_COOKIE"];

/// The bits of a TOS byte that belong to ECN.
const ECN_BITS: i64 = 0x3;
/// Hops of a packet unless the application says otherwise (`ip_default_ttl`).
const DEFAULT_TTL: u8 = 64;

fn name(call: &Call) -> Result<&str, Unsupported> {
    match argument(call, 2)? {
        Expression::Word(word) => Ok(word),
        _ => Err(Unsupported("a socket option by its number".to_owned())),
    }
}

/// `[5]`, `5`, or `"text"`.
fn value(call: &Call) -> Result<&Expression, Unsupported> {
    match argument(call, 3)? {
        Expression::List(values) => {
            values.first().ok_or_else(|| Unsupported("a socket option without value".to_owned()))
        }
        value => Ok(value),
    }
}

/// Sets an option.
pub(super) fn set(caller: &mut Caller<'_>, call: &Call) -> Result<Answer, Unsupported> {
    let fd = descriptor(call)?;
    let option = name(call)?;
    let given = value(call)?;
    let Some(socket) = caller.sockets.get_mut(fd) else {
        return Ok(Answer::Fails(errno::EBADF));
    };
    match option {
        "SO_LINGER" => {
            let field = |name| given.field(name).map_or(Ok(0), integer);
            let seconds = u32::try_from(field("linger")?).unwrap_or(0);
            socket.linger = (field("onoff")? != 0).then_some(seconds);
        }
        "SO_RCVBUF" | "SO_SNDBUF" | "SO_RCVBUFFORCE" | "SO_SNDBUFFORCE" => {
            let bytes = u32::try_from(integer(given)?).unwrap_or(0);
            let sysctl = &caller.kernel.config.sysctl;
            let most = if option == "SO_RCVBUF" { sysctl.rmem_max } else { u32::MAX };
            // The kernel doubles the value for its bookkeeping (`sk_setsockopt`).
            let bytes = bytes.min(most).saturating_mul(2);
            set_buffer(caller, fd, option.starts_with("SO_RCV"), bytes);
        }
        "TCP_CONGESTION" => return set_congestion(socket, given),
        "TCP_NODELAY" => {
            let nodelay = integer(given)? != 0;
            socket.options.nagle.off = nodelay;
            with(caller, fd, |connection, env| connection.set_nodelay(env, nodelay));
        }
        "TCP_CORK" => {
            let cork = integer(given)? != 0;
            socket.options.nagle.cork = cork;
            with(caller, fd, |connection, env| connection.set_cork(env, cork));
        }
        "TCP_USER_TIMEOUT" => return set_user_timeout(caller, fd, integer(given)?),
        "TCP_MD5SIG" => return set_key(caller, fd, given),
        "IP_TOS" | "IPV6_TCLASS" | "IP_TTL" | "IPV6_UNICAST_HOPS" => {
            return set_ip(caller, fd, option, integer(given)?);
        }
        "TCP_FASTOPEN_KEY" => return set_fast_open_keys(caller, fd, call),
        _ if FAST_OPEN.contains(&option) => return set_fast_open(caller, fd, option, given),
        _ if REMEMBERED.contains(&option) => {
            let value = integer(given).unwrap_or(0);
            socket.remembered.insert(option.to_owned(), value);
        }
        _ => return Err(Unsupported(format!("the socket option `{option}`"))),
    }
    Ok(Answer::Returns(0))
}

/// `TCP_FASTOPEN` with the number of connections that may be opened so, for sockets that listen or
/// will; `TCP_FASTOPEN_CONNECT` for those that do neither; `TCP_FASTOPEN_NO_COOKIE` for both
/// (`do_tcp_setsockopt`).
fn set_fast_open(
    caller: &mut Caller<'_>,
    fd: i64,
    option: &str,
    given: &Expression,
) -> Result<Answer, Unsupported> {
    let value = integer(given)?;
    let Some(socket) = caller.sockets.get_mut(fd) else {
        return Ok(Answer::Fails(errno::EBADF));
    };
    let listens = socket.is_listening() && option == "TCP_FASTOPEN_CONNECT";
    let most = if option == "TCP_FASTOPEN" { i64::MAX } else { 1 };
    if socket.connection().is_some() || listens || !(0..=most).contains(&value) {
        return Ok(Answer::Fails(errno::EINVAL));
    }
    match option {
        "TCP_FASTOPEN_NO_COOKIE" => socket.options.fast_open_without_cookie = value != 0,
        _ => socket.options.fast_open = value != 0,
    }
    socket.remembered.insert(option.to_owned(), value);
    if let Some(listener) = socket.listener() {
        caller.kernel.set_options(listener, socket.options.clone());
    }
    Ok(Answer::Returns(0))
}

/// `TCP_FASTOPEN_KEY`: at any time, but what it says matters to a listener only
/// (`tcp_fastopen_reset_cipher`).
fn set_fast_open_keys(
    caller: &mut Caller<'_>,
    fd: i64,
    call: &Call,
) -> Result<Answer, Unsupported> {
    let Expression::Text(text) = argument(call, 3)? else {
        return Err(Unsupported("a value of TCP_FASTOPEN_KEY that is no text".to_owned()));
    };
    let bytes = usize::try_from(integer(argument(call, 4)?)?).ok();
    let given = bytes.map(|bytes| text.get(..bytes).unwrap_or(text));
    let keys = given.and_then(FastOpenKeys::from_bytes);
    let (Some(socket), Some(keys)) = (caller.sockets.get_mut(fd), keys) else {
        return Ok(Answer::Fails(errno::EINVAL));
    };
    socket.options.fast_open_keys = Some(Box::new(keys));
    if let Some(listener) = socket.listener() {
        caller.kernel.set_options(listener, socket.options.clone());
    }
    Ok(Answer::Returns(0))
}

/// Milliseconds, for sockets of TCP only (`mptcp_supported_sockopt`).
fn set_user_timeout(caller: &mut Caller<'_>, fd: i64, ms: i64) -> Result<Answer, Unsupported> {
    if caller.sockets.get(fd).is_some_and(|socket| socket.is_of_mptcp(caller.kernel)) {
        return no_mptcp_option(caller, "TCP_USER_TIMEOUT", errno::ENOPROTOOPT);
    }
    let Some(socket) = caller.sockets.get_mut(fd) else {
        return Ok(Answer::Fails(errno::EBADF));
    };
    let Ok(ms) = u32::try_from(ms) else {
        return Ok(Answer::Fails(errno::EINVAL));
    };
    let limit = Span::from_ms(ms.into());
    socket.options.user_timeout = limit;
    if let Some(listener) = socket.listener() {
        caller.kernel.set_options(listener, socket.options.clone());
    }
    with(caller, fd, |connection, env| connection.set_user_timeout(env, limit));
    Ok(Answer::Returns(0))
}

/// What an upstream socket of MPTCP says of an option that it does not have.
fn no_mptcp_option(caller: &Caller<'_>, option: &str, error: Errno) -> Result<Answer, Unsupported> {
    match caller.kernel.config.rules.procedures {
        Procedures::Upstream => Ok(Answer::Fails(error)),
        _ => Err(Unsupported(format!("{option} of a socket of MPTCP"))),
    }
}

/// Tells the connection behind a descriptor, if there is one.
fn with(caller: &mut Caller<'_>, fd: i64, call: impl FnOnce(&mut Connection, &mut Env<'_>)) {
    if let Some(number) = caller.sockets.get(fd).and_then(Socket::connection) {
        caller.kernel.with(number, call);
    }
}

fn set_buffer(caller: &mut Caller<'_>, fd: i64, receive: bool, bytes: u32) {
    let Some(socket) = caller.sockets.get_mut(fd) else { return };
    if receive {
        let bytes = bytes.max(2_304);
        socket.options.rcvbuf = Some(bytes);
        with(caller, fd, |connection, _| connection.set_rcvbuf(bytes));
    } else {
        let bytes = bytes.max(4_608);
        socket.options.sndbuf = Some(bytes);
        with(caller, fd, |connection, _| connection.set_sndbuf(bytes));
    }
}

fn set_congestion(socket: &mut Socket, given: &Expression) -> Result<Answer, Unsupported> {
    let Some(text) = given.text() else {
        return Err(Unsupported("this value of TCP_CONGESTION".to_owned()));
    };
    let Some(algorithm) = congestion::Name::from_name(text) else {
        return Err(Unsupported(format!("the congestion control `{text}`")));
    };
    if socket.connection().is_some() && chosen(socket) != Some(algorithm) {
        return Err(Unsupported("another congestion control for an open connection".to_owned()));
    }
    socket.options.congestion_control = Some(congestion::Congestion::new(algorithm));
    Ok(Answer::Returns(0))
}

/// The key, for all peers. Upstream sockets of MPTCP take none (`mptcp_supported_sockopt`).
fn set_key(caller: &mut Caller<'_>, fd: i64, given: &Expression) -> Result<Answer, Unsupported> {
    let upstream = caller.kernel.config.rules.procedures == Procedures::Upstream;
    let Some(socket) = caller.sockets.get_mut(fd) else {
        return Ok(Answer::Fails(errno::EBADF));
    };
    if upstream && socket.is_new_mptcp() {
        return Ok(Answer::Fails(errno::ENOPROTOOPT));
    }
    let Expression::Text(text) = given else {
        return Err(Unsupported("a value of TCP_MD5SIG that is no text".to_owned()));
    };
    let Some(key) = Md5Key::new(text) else {
        return Ok(Answer::Fails(errno::EINVAL));
    };
    if socket.connection().is_some() || socket.is_listening() {
        return Err(Unsupported("a key for an open socket".to_owned()));
    }
    socket.options.md5_key = Some(key);
    Ok(Answer::Returns(0))
}

/// The bits of ECN are not the application's (`ip_sock_set_tos`); -1 is the default.
fn set_ip(
    caller: &mut Caller<'_>,
    fd: i64,
    option: &str,
    value: i64,
) -> Result<Answer, Unsupported> {
    let Some(socket) = caller.sockets.get_mut(fd) else {
        return Ok(Answer::Fails(errno::EBADF));
    };
    match option {
        "IP_TOS" | "IPV6_TCLASS" => socket.ip.tos = (value.max(0) & 0xff & !ECN_BITS) as u8,
        _ => match (value, u8::try_from(value)) {
            (-1, _) => socket.ip.ttl = DEFAULT_TTL,
            (_, Ok(ttl)) if ttl > 0 => socket.ip.ttl = ttl,
            _ => return Ok(Answer::Fails(errno::EINVAL)),
        },
    }
    let ip = socket.ip;
    if let Some(number) = socket.connection() {
        caller.kernel.set_ip(number, ip);
    }
    Ok(Answer::Returns(0))
}

/// Reads an option and compares it with the script's.
pub(super) fn get(caller: &mut Caller<'_>, call: &Call) -> Result<Attempt, Unsupported> {
    let fd = descriptor(call)?;
    let option = name(call)?;
    let Some(socket) = caller.sockets.get(fd) else {
        return Ok(Answer::Fails(errno::EBADF).into());
    };
    if option == "TCP_CONGESTION" {
        return get_congestion(caller, socket, value(call)?);
    }
    if option == "TCP_FASTOPEN_KEY" {
        let keys = caller.kernel.fast_open_keys(&socket.options);
        return get_bytes(call, &keys.to_bytes());
    }
    if option == "TCP_USER_TIMEOUT" && socket.is_of_mptcp(caller.kernel) {
        return no_mptcp_option(caller, option, errno::EOPNOTSUPP).map(Attempt::from);
    }
    let found = match option {
        "TCP_USER_TIMEOUT" => socket.options.user_timeout.as_ms() as i64,
        "SO_ERROR" => {
            caller.sockets.take_error(fd, caller.kernel).map_or(0, |error| error_number(error.0))
        }
        "TCP_IS_MPTCP" => i64::from(caller.sockets.is_mptcp(fd, caller.kernel)),
        "SO_PROTOCOL" if socket.options.mptcp => 262,
        "SO_PROTOCOL" => 6,
        "SO_TYPE" => 1,
        "TCP_NODELAY" => i64::from(socket.options.nagle.off),
        "TCP_CORK" => i64::from(socket.options.nagle.cork),
        "IP_TOS" | "IPV6_TCLASS" => i64::from(socket.ip.tos),
        "IP_TTL" | "IPV6_UNICAST_HOPS" => i64::from(socket.ip.ttl),
        "TCP_MAXSEG" => maxseg(caller, socket),
        "SO_SNDBUF" if socket.options.sndbuf.is_some() => {
            i64::from(socket.options.sndbuf.unwrap_or(0))
        }
        "SO_RCVBUF" if socket.options.rcvbuf.is_some() => {
            i64::from(socket.options.rcvbuf.unwrap_or(0))
        }
        "SO_ACCEPTCONN" => i64::from(socket.is_listening()),
        _ if REMEMBERED.contains(&option) || FAST_OPEN.contains(&option) => {
            socket.remembered.get(option).copied().unwrap_or(0)
        }
        _ => return Err(Unsupported(format!("the socket option `{option}`"))),
    };
    let wrong = match value(call)? {
        Expression::Ellipsis => None,
        Expression::Word(error) if option == "SO_ERROR" && constant(error).is_none() => {
            mismatch(option, error_number(error), found)
        }
        expected => mismatch(option, integer(expected)?, found),
    };
    Ok(Attempt { answer: Answer::Returns(0), wrong })
}

/// The segment size in use, or the default before there is one.
fn maxseg(caller: &Caller<'_>, socket: &Socket) -> i64 {
    let connection = socket.connection().and_then(|number| caller.kernel.connection(number));
    let subflow = connection.and_then(|connection| connection.subflow(0));
    subflow.map_or(536, |subflow| i64::from(subflow.current_mss()))
}

/// The congestion control that the program has asked for.
fn chosen(socket: &Socket) -> Option<congestion::Name> {
    socket.options.congestion_control.as_ref().and_then(congestion::Congestion::name)
}

fn get_congestion(
    caller: &Caller<'_>,
    socket: &Socket,
    expected: &Expression,
) -> Result<Attempt, Unsupported> {
    let default = caller.kernel.config.sysctl.tcp_congestion_control;
    let found = chosen(socket).unwrap_or(default).name();
    let wrong = match expected {
        Expression::Ellipsis => None,
        expected => match expected.text() {
            Some(text) if text == found => None,
            Some(text) => Some(format!("TCP_CONGESTION is {found} where {text} is expected")),
            None => return Err(Unsupported("this value of TCP_CONGESTION".to_owned())),
        },
    };
    Ok(Attempt { answer: Answer::Returns(0), wrong })
}

/// An option that is bytes: the script has room for so many of them.
fn get_bytes(call: &Call, found: &[u8]) -> Result<Attempt, Unsupported> {
    let room = match argument(call, 4)? {
        Expression::List(lens) => lens.first().map(integer).transpose()?,
        len => Some(integer(len)?),
    };
    let room = room.and_then(|room| usize::try_from(room).ok()).unwrap_or(0);
    let found = found.get(..room).unwrap_or(found);
    let wrong = match value(call)? {
        Expression::Ellipsis => None,
        Expression::Text(text) if text == found => None,
        Expression::Text(_) => Some(format!("the bytes are \"{}\"", found.escape_ascii())),
        _ => return Err(Unsupported("a value that is no text".to_owned())),
    };
    Ok(Attempt { answer: Answer::Returns(0), wrong })
}

fn mismatch(option: &str, expected: i64, found: i64) -> Option<String> {
    (expected != found).then(|| format!("{option} is {found} where {expected} is expected"))
}
