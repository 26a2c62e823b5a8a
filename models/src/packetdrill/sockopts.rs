//! Socket options: `setsockopt` and `getsockopt`.

use super::calls::{Attempt, Caller, Unsupported, argument, descriptor, error_number, integer};
use super::script::{Call, Expression};
use super::sockets::{Answer, errno};
use crate::congestion;

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
    let Some(socket) = caller.sockets.get_mut(fd) else {
        return Ok(Answer::Fails(errno::EBADF));
    };
    let fresh = socket.connection().is_none();
    match option {
        "SO_REUSEADDR" | "SO_REUSEPORT" | "SO_PRIORITY" | "SO_MARK" => {}
        "SO_LINGER" => {
            let given = value(call)?;
            let field = |name| given.field(name).map_or(Ok(0), integer);
            let seconds = u32::try_from(field("linger")?).unwrap_or(0);
            socket.linger = (field("onoff")? != 0).then_some(seconds);
        }
        "SO_RCVBUF" | "SO_SNDBUF" if fresh => {
            // The kernel doubles the value for its bookkeeping (`sk_setsockopt`).
            let bytes = u32::try_from(integer(value(call)?)?).unwrap_or(0).saturating_mul(2);
            if option == "SO_RCVBUF" {
                socket.options.rcvbuf = Some(bytes.max(2_304));
            } else {
                socket.options.sndbuf = Some(bytes.max(4_608));
            }
        }
        "TCP_CONGESTION" if fresh => {
            let Expression::Text(text) = value(call)? else {
                return Err(Unsupported("this value of TCP_CONGESTION".to_owned()));
            };
            let Some(algorithm) = congestion::Name::from_name(text) else {
                return Err(Unsupported(format!("the congestion control `{text}`")));
            };
            socket.options.congestion_control = Some(algorithm);
        }
        "TCP_NODELAY" => {
            let nodelay = integer(value(call)?)? != 0;
            socket.options.nodelay = nodelay;
            if let Some(number) = socket.connection() {
                caller.kernel.with(number, |connection, env| connection.set_nodelay(env, nodelay));
            }
        }
        _ => return Err(Unsupported(format!("the socket option `{option}`"))),
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
    let found = match option {
        "SO_ERROR" => {
            caller.sockets.take_error(fd, caller.kernel).map_or(0, |error| error_number(error.0))
        }
        "TCP_IS_MPTCP" => i64::from(caller.sockets.is_mptcp(fd, caller.kernel)),
        "SO_PROTOCOL" => {
            if socket.options.mptcp {
                262
            } else {
                6
            }
        }
        "TCP_NODELAY" => i64::from(socket.options.nodelay),
        _ => return Err(Unsupported(format!("the socket option `{option}`"))),
    };
    let wrong = match value(call)? {
        Expression::Ellipsis => None,
        Expression::Word(error) if option == "SO_ERROR" => {
            let expected = error_number(error);
            mismatch(option, expected, found)
        }
        expected => mismatch(option, integer(expected)?, found),
    };
    Ok(Attempt { answer: Answer::Returns(0), wrong })
}

fn mismatch(option: &str, expected: i64, found: i64) -> Option<String> {
    (expected != found).then(|| format!("{option} is {found} where {expected} is expected"))
}
