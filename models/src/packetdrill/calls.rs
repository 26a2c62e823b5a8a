//! Carries out the system calls of a script.

use std::net::{IpAddr, SocketAddr};

use mptcpsim_core::time::{Span, Time};

use super::files::Files;
use super::kernel::Kernel;
use super::script::{Call, Expression, Field};
use super::sockets::{Answer, Shutdown, Socket, Sockets, errno, events};
use super::sockopts;
use super::zerocopy;

/// `O_RDWR`, `O_NONBLOCK` and `SOCK_NONBLOCK`.
const READ_WRITE: i64 = 0x2;
const NONBLOCK: i64 = 0x800;

/// Where sockets are, unless the script says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// The host's first address.
    pub(super) local: IpAddr,
    /// Where `bind` binds.
    pub(super) bind: SocketAddr,
    /// Where `connect` connects to.
    pub(super) remote: SocketAddr,
}

/// A call under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// It has been tried.
    started: bool,
    /// Bytes written so far.
    written: u64,
    /// When `poll` gives up.
    pub(super) deadline: Option<Time>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) answer: Answer,
    /// What the call gave back otherwise than the script says.
    pub(super) wrong: Option<String>,
}

impl From<Answer> for Attempt {
    fn from(answer: Answer) -> Self {
        Self { answer, wrong: None }
    }
}

/// What nobody here can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unsupported(pub(super) String);

pub(super) fn unsupported<T>(what: impl Into<String>) -> Result<T, Unsupported> {
    Err(Unsupported(what.into()))
}

/// Everything that calls need.
pub(super) struct Caller<'a> {
    pub(super) sockets: &'a mut Sockets,
    pub(super) kernel: &'a mut Kernel,
    pub(super) files: &'a mut Files,
    pub(super) places: Places,
}

impl Caller<'_> {
    /// Tries a call; one that blocks is to be tried again.
    pub(super) fn attempt(
        &mut self,
        call: &Call,
        progress: &mut Progress,
    ) -> Result<Attempt, Unsupported> {
        let first = !std::mem::replace(&mut progress.started, true);
        let answer = match call.name.as_str() {
            "socket" => self.socket(call)?,
            "bind" => {
                let place = self.address(call, 1, self.places.bind)?;
                self.sockets.bind(descriptor(call)?, place)
            }
            "listen" => self.sockets.listen(descriptor(call)?, self.places.bind, self.kernel),
            "accept" | "accept4" => self.accept(call)?,
            "connect" => self.connect(call)?,
            "read" | "recv" | "recvfrom" | "readv" => self.read(call)?,
            "write" | "send" | "sendto" if points_nowhere(call)? => Answer::Fails(errno::EFAULT),
            "recvmsg" if self.transfer(call)?.1 & MSG_ERRQUEUE != 0 => {
                return self.read_errors(call);
            }
            "recvmsg" => {
                let answer = self.read(call)?;
                let wrong = self.control_differs(call, answer)?;
                return Ok(Attempt { answer, wrong });
            }
            "write" | "send" | "sendto" | "writev" | "sendmsg" => self.write(call, progress)?,
            "open" => self.open(call)?,
            "sendfile" => self.sendfile(call, progress)?,
            "close" if self.files.close(descriptor(call)?) => Answer::Returns(0),
            "close" => self.sockets.close(descriptor(call)?, self.kernel),
            "shutdown" => self.shutdown(call)?,
            "fcntl" => self.fcntl(call)?,
            "poll" => return self.poll(call, progress, first),
            "pipe" => self.pipe(call)?,
            "splice" => self.splice(call, progress)?,
            "ioctl" => return self.ioctl(call),
            "setsockopt" => sockopts::set(self, call)?,
            "getsockopt" => return sockopts::get(self, call),
            name => return unsupported(format!("the system call `{name}`")),
        };
        Ok(answer.into())
    }

    fn socket(&mut self, call: &Call) -> Result<Answer, Unsupported> {
        let kind = integer(argument(call, 1)?)?;
        let protocol = integer(argument(call, 2)?)?;
        let stream = kind & 0xf == 1;
        let mptcp = match protocol {
            0 | 6 if stream => false,
            262 if stream => true,
            _ => return unsupported("a socket that is neither TCP nor MPTCP"),
        };
        let fd = new_descriptor(call)?;
        Ok(self.sockets.socket(fd, mptcp, kind & NONBLOCK != 0))
    }

    fn accept(&mut self, call: &Call) -> Result<Answer, Unsupported> {
        let nonblocking = match call.arguments.get(3) {
            Some(flags) => integer(flags)? & NONBLOCK != 0,
            None => false,
        };
        let new = new_descriptor(call)?;
        Ok(self.sockets.accept(descriptor(call)?, new, nonblocking, self.kernel))
    }

    fn connect(&mut self, call: &Call) -> Result<Answer, Unsupported> {
        if *argument(call, 1)? == Expression::Word("AF_PACKET".to_owned()) {
            let mptcp = self.sockets.get(descriptor(call)?).is_some_and(Socket::is_new_mptcp);
            if mptcp {
                self.kernel.client_asks();
            }
            return Ok(Answer::Fails(errno::EAFNOSUPPORT));
        }
        if is_nowhere(argument(call, 1)?) {
            return Ok(self.sockets.disconnect(descriptor(call)?, self.kernel));
        }
        let to = self.address(call, 1, self.places.remote)?;
        Ok(self.sockets.connect(descriptor(call)?, self.places.local, to, self.kernel))
    }

    fn read(&mut self, call: &Call) -> Result<Answer, Unsupported> {
        let (bytes, flags) = self.transfer(call)?;
        let known = MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC;
        if flags & !known != 0 {
            return unsupported(format!("the flags {flags:#x} of `{}`", call.name));
        }
        let nowhere = points_nowhere(call)?;
        let (peek, dontwait) = (flags & MSG_PEEK != 0 || nowhere, flags & MSG_DONTWAIT != 0);
        Ok(match self.sockets.read(descriptor(call)?, bytes, peek, dontwait, self.kernel) {
            Answer::Returns(1..) if nowhere => Answer::Fails(errno::EFAULT),
            answer => answer,
        })
    }

    /// The control messages of `recvmsg`: only what is left to read is told (`TCP_CM_INQ`).
    fn control_differs(&self, call: &Call, answer: Answer) -> Result<Option<String>, Unsupported> {
        let control = argument(call, 1)?.field("msg_control");
        let (Some(control), Answer::Returns(_)) = (control, answer) else { return Ok(None) };
        let Expression::List(messages) = control else {
            return unsupported("these control messages");
        };
        let Some(socket) = self.sockets.get(descriptor(call)?) else { return Ok(None) };
        let left = socket.to_read(self.kernel);
        for message in messages {
            let kind = message.field("cmsg_type");
            let data = message.field("cmsg_data");
            match (kind, data) {
                (Some(Expression::Word(kind)), Some(data)) if kind == "TCP_CM_INQ" => {
                    let expected = integer(data)?;
                    if expected != left {
                        return Ok(Some(format!("TCP_CM_INQ is {left}, not {expected}")));
                    }
                }
                _ => return unsupported("this control message"),
            }
        }
        Ok(None)
    }

    /// `recvmsg` with `MSG_ERRQUEUE`: which calls with `MSG_ZEROCOPY` are done.
    fn read_errors(&mut self, call: &Call) -> Result<Attempt, Unsupported> {
        let Some(socket) = self.sockets.get_mut(descriptor(call)?) else {
            return Ok(Answer::Fails(errno::EBADF).into());
        };
        let unacknowledged = socket.unacknowledged(self.kernel);
        let Some(done) = socket.zerocopy.take_done(unacknowledged) else {
            return Ok(Answer::Fails(errno::EAGAIN).into());
        };
        let control = argument(call, 1)?.field("msg_control");
        let wrong = control.map_or(Ok(None), |control| zerocopy::differs(control, done))?;
        Ok(Attempt { answer: Answer::Returns(0), wrong })
    }

    fn write(&mut self, call: &Call, progress: &mut Progress) -> Result<Answer, Unsupported> {
        let (bytes, flags) = self.transfer(call)?;
        let known = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_ZEROCOPY | MSG_FASTOPEN;
        if flags & !known != 0 {
            return unsupported(format!("the flags {flags:#x} of `{}`", call.name));
        }
        let dontwait = flags & MSG_DONTWAIT != 0;
        let fd = descriptor(call)?;
        let connection = self.sockets.get(fd).and_then(Socket::connection);
        if let Some(number) = connection.filter(|_| flags & MSG_MORE != 0) {
            self.kernel.with(number, |connection, _| connection.expect_more(true));
        }
        let agreed = self.sockets.get(fd).and_then(|socket| socket.remembered.get("SO_ZEROCOPY"));
        let uncopied = flags & MSG_ZEROCOPY != 0 && agreed.is_some_and(|value| *value != 0);
        let answer = match self.fast_open(call, fd, bytes, flags, progress)? {
            Some(answer) => answer,
            None if uncopied => self.write_uncopied(call, progress, dontwait)?,
            None => self.sockets.write(fd, bytes, &mut progress.written, dontwait, self.kernel),
        };
        if let (Some(socket), Answer::Returns(bytes)) = (self.sockets.get_mut(fd), answer) {
            socket.zerocopy.wrote(bytes, uncopied);
        }
        if let Some(number) = connection {
            self.kernel.with(number, |connection, _| {
                connection.expect_more(false);
                if flags & MSG_EOR != 0 {
                    connection.end_record();
                }
            });
        }
        Ok(answer)
    }

    /// Pieces of memory that are not copied fill buffers by their number, not by their length
    /// (`tcp_sendmsg_locked`).
    fn write_uncopied(
        &mut self,
        call: &Call,
        progress: &mut Progress,
        dontwait: bool,
    ) -> Result<Answer, Unsupported> {
        let fd = descriptor(call)?;
        let (bytes, _) = self.transfer(call)?;
        let ends = match argument(call, 1)?.field("msg_iov") {
            Some(pieces) => zerocopy::buffer_ends(&lengths(pieces)?)?,
            None => Vec::new(),
        };
        let waiting = self.sockets.get(fd).map_or(0, |socket| socket.unsent(self.kernel));
        if ends.len() > 1 && progress.written == 0 && waiting > 0 {
            return unsupported("many pieces of memory behind data that waits");
        }
        for end in ends.into_iter().filter(|end| *end < bytes) {
            let written = &mut progress.written;
            let answer = self.sockets.write(fd, end.max(*written), written, dontwait, self.kernel);
            if *written < end {
                return Ok(answer);
            }
            if let Some(number) = self.sockets.get(fd).and_then(Socket::connection) {
                self.kernel.with(number, |connection, _| connection.end_record());
            }
        }
        Ok(self.sockets.write(fd, bytes, &mut progress.written, dontwait, self.kernel))
    }

    /// What a write gives that connects; none if it does not.
    fn fast_open(
        &mut self,
        call: &Call,
        fd: i64,
        bytes: u64,
        flags: i64,
        progress: &mut Progress,
    ) -> Result<Option<Answer>, Unsupported> {
        let Some(socket) = self.sockets.get(fd) else { return Ok(None) };
        let asked = flags & MSG_FASTOPEN != 0;
        if !asked && socket.deferred().is_none() {
            return Ok(None);
        }
        if socket.connection().is_some() || socket.is_listening() {
            let waits = self.sockets.is_opening(fd, self.kernel) && !socket.nonblocking;
            return Ok(waits.then_some(Answer::Blocks));
        }
        let to = match socket.deferred() {
            Some(to) => to,
            None if call.name == "sendto" => self.address(call, 4, self.places.remote)?,
            None => self.places.remote,
        };
        let ends = (self.places.local, to);
        Ok(Some(self.sockets.connect_writing(fd, ends, bytes, &mut progress.written, self.kernel)))
    }

    /// How many bytes a call moves, and its flags.
    fn transfer(&self, call: &Call) -> Result<(u64, i64), Unsupported> {
        let (bytes, flags) = match call.name.as_str() {
            "readv" | "writev" => (vector_len(argument(call, 1)?)?, None),
            "recvmsg" | "sendmsg" => {
                let message = argument(call, 1)?;
                let vector = message.field("msg_iov");
                let control = message.field("msg_control").is_some();
                let readable = call.name == "recvmsg" || !control;
                let Some(vector) = vector.filter(|_| readable) else {
                    return unsupported(format!("this message of `{}`", call.name));
                };
                (vector_len(vector)?, call.arguments.get(2))
            }
            _ => (size(argument(call, 2)?)?, call.arguments.get(3)),
        };
        Ok((bytes, flags.map_or(Ok(0), integer)?))
    }

    /// `pipe([5, 6])`: what is spliced into it is gone, what is spliced out of it was there.
    fn pipe(&self, call: &Call) -> Result<Answer, Unsupported> {
        match argument(call, 0)? {
            Expression::List(ends) if ends.len() == 2 => Ok(Answer::Returns(0)),
            _ => unsupported("this argument of `pipe`"),
        }
    }

    /// From a socket it reads, into one it writes.
    fn splice(&mut self, call: &Call, progress: &mut Progress) -> Result<Answer, Unsupported> {
        let bytes = size(argument(call, 4)?)?;
        let (from, to) = (descriptor(call)?, integer(argument(call, 2)?)?);
        if self.sockets.get(from).is_some() {
            return Ok(self.sockets.read(from, bytes, false, false, self.kernel));
        }
        Ok(self.sockets.write(to, bytes, &mut progress.written, false, self.kernel))
    }

    /// `open("/tmp/file", O_RDONLY) = 5`, of a file that the script has made.
    fn open(&mut self, call: &Call) -> Result<Answer, Unsupported> {
        let Some(path) = argument(call, 0)?.text() else {
            return unsupported("this path of a file");
        };
        if integer(argument(call, 1)?)? & 0x3 != 0 {
            return unsupported("files to be written");
        }
        let fd = new_descriptor(call)?;
        let there = self.files.open(fd, path);
        Ok(if there { Answer::Returns(fd) } else { Answer::Fails(errno::ENOENT) })
    }

    /// `sendfile(4, 5, [0], 5) = 5`: no more than there is.
    fn sendfile(&mut self, call: &Call, progress: &mut Progress) -> Result<Answer, Unsupported> {
        let (to, from) = (descriptor(call)?, integer(argument(call, 1)?)?);
        let offset = match argument(call, 2)? {
            Expression::List(offset) => offset.first().map(size).transpose()?,
            Expression::Word(null) if null == "NULL" => None,
            _ => return unsupported("this offset of `sendfile`"),
        };
        let Some(bytes) = self.files.left(from, offset, size(argument(call, 3)?)?) else {
            return Ok(Answer::Fails(errno::EBADF));
        };
        let answer = self.sockets.write(to, bytes, &mut progress.written, false, self.kernel);
        if let (Answer::Returns(sent), None) = (answer, offset) {
            self.files.advance(from, sent as u64);
        }
        Ok(answer)
    }

    /// `ioctl(4, SIOCINQ, 1000) = 0`: bytes to read, bytes not acknowledged, bytes not sent.
    fn ioctl(&self, call: &Call) -> Result<Attempt, Unsupported> {
        let Some(socket) = self.sockets.get(descriptor(call)?) else {
            return Ok(Answer::Fails(errno::EBADF).into());
        };
        let Expression::Word(request) = argument(call, 1)? else {
            return unsupported("an `ioctl` by its number");
        };
        let found = match request.as_str() {
            "SIOCINQ" | "FIONREAD" => socket.unread(self.kernel),
            "SIOCOUTQ" | "TIOCOUTQ" => socket.unacknowledged(self.kernel),
            "SIOCOUTQNSD" => socket.unsent(self.kernel),
            _ => return unsupported(format!("the request `{request}` of `ioctl`")),
        };
        let wrong = match argument(call, 2)? {
            Expression::Ellipsis => None,
            Expression::List(values) => match values.first().map(integer).transpose()? {
                Some(expected) if expected == found => None,
                expected => Some(format!("{request} is {found}, not {}", expected.unwrap_or(0))),
            },
            expected if integer(expected)? == found => None,
            expected => Some(format!("{request} is {found}, not {}", integer(expected)?)),
        };
        Ok(Attempt { answer: Answer::Returns(0), wrong })
    }

    fn shutdown(&mut self, call: &Call) -> Result<Answer, Unsupported> {
        let how = match integer(argument(call, 1)?)? {
            0 => Shutdown::Read,
            1 => Shutdown::Write,
            2 => Shutdown::Both,
            _ => return Ok(Answer::Fails(errno::EINVAL)),
        };
        Ok(self.sockets.shutdown(descriptor(call)?, how, self.kernel))
    }

    fn fcntl(&mut self, call: &Call) -> Result<Answer, Unsupported> {
        let Some(socket) = self.sockets.get_mut(descriptor(call)?) else {
            return Ok(Answer::Fails(errno::EBADF));
        };
        match argument(call, 1)? {
            Expression::Word(word) if word == "F_GETFL" => {
                let flags = if socket.nonblocking { READ_WRITE | NONBLOCK } else { READ_WRITE };
                Ok(Answer::Returns(flags))
            }
            Expression::Word(word) if word == "F_SETFL" => {
                socket.nonblocking = integer(argument(call, 2)?)? & NONBLOCK != 0;
                Ok(Answer::Returns(0))
            }
            _ => unsupported("this command of `fcntl`"),
        }
    }

    fn poll(
        &mut self,
        call: &Call,
        progress: &mut Progress,
        first: bool,
    ) -> Result<Attempt, Unsupported> {
        let Expression::List(entries) = argument(call, 0)? else {
            return unsupported("this argument of `poll`");
        };
        let timeout = integer(argument(call, 2)?)?;
        if first && timeout > 0 {
            progress.deadline = Some(self.kernel.now() + Span::from_ms(timeout as u64));
        }
        let mut wrong = None;
        let mut ready = 0;
        for entry in entries {
            let field = |name| entry.field(name).map_or(Ok(0), integer);
            let wanted = field("events")? | events::ERR | events::HUP;
            let found = self.sockets.poll(field("fd")?, self.kernel) & wanted;
            ready += i64::from(found != 0);
            let expected = field("revents")?;
            if found != expected {
                wrong = Some(format!("revents {found:#x} where {expected:#x} is expected"));
            }
        }
        let over = progress.deadline.is_some_and(|deadline| deadline <= self.kernel.now());
        if ready == 0 && timeout != 0 && !over {
            return Ok(Answer::Blocks.into());
        }
        Ok(Attempt { answer: Answer::Returns(ready), wrong })
    }

    /// The address in argument `index`, or `default` for `...`.
    fn address(
        &self,
        call: &Call,
        index: usize,
        default: SocketAddr,
    ) -> Result<SocketAddr, Unsupported> {
        let given = argument(call, index)?;
        if *given == Expression::Ellipsis {
            return Ok(default);
        }
        let ip = given.field("sin_addr").or(given.field("sin6_addr")).and_then(ip_address);
        let port = given.field("sin_port").or(given.field("sin6_port")).and_then(port_number);
        match ip.zip(port) {
            Some((ip, port)) => Ok(SocketAddr::new(ip, port)),
            None => unsupported(format!("this address of `{}`", call.name)),
        }
    }
}

const MSG_PEEK: i64 = 0x2;
const MSG_TRUNC: i64 = 0x20;
const MSG_DONTWAIT: i64 = 0x40;
const MSG_EOR: i64 = 0x80;
const MSG_ERRQUEUE: i64 = 0x2000;
const MSG_ZEROCOPY: i64 = 0x400_0000;
const MSG_FASTOPEN: i64 = 0x2000_0000;
const MSG_NOSIGNAL: i64 = 0x4000;
const MSG_MORE: i64 = 0x8000;

/// An address of no family.
fn is_nowhere(address: &Expression) -> bool {
    let family = address.field("sa_family").unwrap_or(address);
    *family == Expression::Word("AF_UNSPEC".to_owned())
}

/// `inet_addr("...")`.
fn ip_address(expression: &Expression) -> Option<IpAddr> {
    match expression {
        Expression::Function(_, arguments) => arguments.first()?.text()?.parse().ok(),
        _ => None,
    }
}

/// `htons(8080)`.
fn port_number(expression: &Expression) -> Option<u16> {
    match expression {
        Expression::Function(_, arguments) => match arguments.first()? {
            Expression::Integer(port) => u16::try_from(*port).ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The argument with this number.
pub(super) fn argument(call: &Call, index: usize) -> Result<&Expression, Unsupported> {
    let found = call.arguments.get(index);
    found.ok_or_else(|| Unsupported(format!("`{}` with so few arguments", call.name)))
}

/// True if the buffer of a call is `NULL` and not empty.
fn points_nowhere(call: &Call) -> Result<bool, Unsupported> {
    let null = *argument(call, 1)? == Expression::Word("NULL".to_owned());
    Ok(null && size(argument(call, 2)?)? > 0)
}

/// The descriptor that a call is about.
pub(super) fn descriptor(call: &Call) -> Result<i64, Unsupported> {
    integer(argument(call, 0)?)
}

/// The descriptor that a call makes: the script names it with the result.
fn new_descriptor(call: &Call) -> Result<i64, Unsupported> {
    Ok(integer(&call.result)?.max(0))
}

/// Bytes of a buffer or vector.
fn size(expression: &Expression) -> Result<u64, Unsupported> {
    let bytes = integer(expression)?;
    u64::try_from(bytes).map_err(|_| Unsupported(format!("a length of {bytes}")))
}

/// Bytes of `[{..., 500}, {..., 10}]`.
fn vector_len(expression: &Expression) -> Result<u64, Unsupported> {
    Ok(lengths(expression)?.into_iter().fold(0, u64::saturating_add))
}

/// Bytes of each.
fn lengths(expression: &Expression) -> Result<Vec<u64>, Unsupported> {
    let Expression::List(parts) = expression else { return unsupported("this vector") };
    let length = |part: &Expression| match part {
        Expression::Struct(fields) => match fields.last() {
            Some(Field { value, .. }) => size(value),
            None => unsupported("an empty vector"),
        },
        _ => unsupported("this vector"),
    };
    parts.iter().map(length).collect()
}

/// The number that an expression stands for.
pub(super) fn integer(expression: &Expression) -> Result<i64, Unsupported> {
    match expression {
        Expression::Integer(value) => Ok(*value),
        Expression::Word(word) => {
            constant(word).ok_or_else(|| Unsupported(format!("the word `{word}`")))
        }
        Expression::Or(parts) => parts.iter().try_fold(0, |sum, part| Ok(sum | integer(part)?)),
        // An address family that is left open.
        Expression::Ellipsis => Ok(0),
        _ => unsupported("an expression where a number is needed"),
    }
}

/// The words of the system's headers.
pub(super) fn constant(word: &str) -> Option<i64> {
    Some(match word {
        "AF_INET" | "PF_INET" => 2,
        "AF_INET6" | "PF_INET6" => 10,
        "SOCK_STREAM" => 1,
        "SOCK_DGRAM" => 2,
        "SOCK_NONBLOCK" | "O_NONBLOCK" => NONBLOCK,
        "SOCK_CLOEXEC" | "O_CLOEXEC" => 0x80000,
        "IPPROTO_IP" | "O_RDONLY" | "IP_PMTUDISC_DONT" => 0,
        "IP_PMTUDISC_WANT" => 1,
        "IP_PMTUDISC_DO" => 2,
        "IP_PMTUDISC_PROBE" => 3,
        "IPPROTO_TCP" => 6,
        "IPPROTO_MPTCP" => 262,
        "O_RDWR" => READ_WRITE,
        "SHUT_RD" => 0,
        "SHUT_WR" => 1,
        "SHUT_RDWR" => 2,
        "MSG_PEEK" => MSG_PEEK,
        "MSG_TRUNC" => MSG_TRUNC,
        "MSG_DONTWAIT" => MSG_DONTWAIT,
        "MSG_NOSIGNAL" => MSG_NOSIGNAL,
        "MSG_MORE" => MSG_MORE,
        "MSG_EOR" => MSG_EOR,
        "MSG_ERRQUEUE" => MSG_ERRQUEUE,
        "MSG_ZEROCOPY" => MSG_ZEROCOPY,
        "MSG_FASTOPEN" => MSG_FASTOPEN,
        "POLLIN" => events::IN,
        "POLLOUT" => events::OUT,
        "POLLERR" => events::ERR,
        "POLLHUP" => events::HUP,
        "POLLRDHUP" => events::RDHUP,
        "POLLRDNORM" => events::READ_NORMAL,
        "POLLWRNORM" => events::WRITE_NORMAL,
        _ => return None,
    })
}

/// The number of an error (`errno.h`).
pub(super) fn error_number(name: &str) -> i64 {
    match name {
        "EPIPE" => 32,
        "ENETUNREACH" => 101,
        "ECONNABORTED" => 103,
        "ECONNRESET" => 104,
        "ENOTCONN" => 107,
        "ETIMEDOUT" => 110,
        "ECONNREFUSED" => 111,
        "EHOSTUNREACH" => 113,
        "EINPROGRESS" => 115,
        _ => 22,
    }
}

/// How the script's result differs from what a call gave.
pub(super) fn difference(call: &Call, answer: Answer) -> Option<String> {
    let text = match answer {
        Answer::Returns(value) => value.to_string(),
        Answer::Fails(error) => format!("-1 {}", error.0),
        Answer::Blocks => return Some("the call blocks".to_owned()),
    };
    let expected = match (&call.result, &call.errno) {
        (Expression::Ellipsis, _) => return None,
        (result, None) => integer(result).ok().map(|value| value.to_string()),
        (result, Some(error)) => integer(result).ok().map(|value| format!("{value} {error}")),
    };
    // EAGAIN has a second name.
    let expected = expected.map(|text| text.replace("EWOULDBLOCK", "EAGAIN"));
    if expected.as_deref() == Some(text.as_str()) {
        return None;
    }
    // A failure without a name is any.
    if matches!(answer, Answer::Fails(_)) && expected.as_deref() == Some("-1") {
        return None;
    }
    let expected = expected.unwrap_or_else(|| "something else".to_owned());
    Some(format!("the call gives {text} where {expected} is expected"))
}
