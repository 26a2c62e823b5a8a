//! Sockets: the calls of an application, answered as the kernel answers them.
//!
//! Only what the calls themselves decide is here (`inet_stream_connect`,
//! `tcp_sendmsg`, `tcp_recvmsg`, `tcp_close` and their MPTCP twins): errors and
//! their order, blocking, descriptors. What goes over the wire is the
//! connection's affair.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::kernel::{IpHeader, Kernel};
use super::zerocopy::ZeroCopy;
use crate::mptcp::{Connection, MetaState, Mode, SocketOptions};
use crate::tcp::{State, Subflow};

/// A number of `errno.h` by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errno(pub(super) &'static str);

/// The numbers that sockets here answer with.
pub(super) mod errno {
    use super::Errno;

    pub(in super::super) const EAFNOSUPPORT: Errno = Errno("EAFNOSUPPORT");
    pub(in super::super) const EAGAIN: Errno = Errno("EAGAIN");
    pub(in super::super) const EALREADY: Errno = Errno("EALREADY");
    pub(in super::super) const EBADF: Errno = Errno("EBADF");
    pub(in super::super) const ECONNRESET: Errno = Errno("ECONNRESET");
    pub(in super::super) const EFAULT: Errno = Errno("EFAULT");
    pub(in super::super) const EINPROGRESS: Errno = Errno("EINPROGRESS");
    pub(in super::super) const EINVAL: Errno = Errno("EINVAL");
    pub(in super::super) const EISCONN: Errno = Errno("EISCONN");
    pub(in super::super) const ENOENT: Errno = Errno("ENOENT");
    pub(in super::super) const ENOPROTOOPT: Errno = Errno("ENOPROTOOPT");
    pub(in super::super) const ENOTCONN: Errno = Errno("ENOTCONN");
    pub(in super::super) const EOPNOTSUPP: Errno = Errno("EOPNOTSUPP");
    pub(in super::super) const EPIPE: Errno = Errno("EPIPE");
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Returns(i64),
    Fails(Errno),
    /// Not yet.
    Blocks,
}

/// What a descriptor stands for.
#[derive(Clone, Debug)]
enum Kind {
    Fresh,
    Listening(usize),
    Connected(usize),
}

/// Events of `poll`.
pub(super) mod events {
    pub(in super::super) const IN: i64 = 0x1;
    pub(in super::super) const OUT: i64 = 0x4;
    pub(in super::super) const ERR: i64 = 0x8;
    pub(in super::super) const HUP: i64 = 0x10;
    pub(in super::super) const RDHUP: i64 = 0x2000;
    pub(in super::super) const READ_NORMAL: i64 = 0x40;
    pub(in super::super) const WRITE_NORMAL: i64 = 0x100;
}

/// A socket.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    kind: Kind,
    /// It was made with `IPPROTO_MPTCP`, or accepted from one that was.
    mptcp: bool,
    pub(super) nonblocking: bool,
    pub(super) options: SocketOptions,
    bound: Option<SocketAddr>,
    /// Where it is to be connected to by the first write (`TCP_FASTOPEN_CONNECT`).
    deferred: Option<SocketAddr>,
    pub(super) ip: IpHeader,
    /// Options that change nothing here, as they were set.
    pub(super) remembered: BTreeMap<String, i64>,
    /// `SO_LINGER` with this many seconds.
    pub(super) linger: Option<u32>,
    /// Data taken from the connection that nobody has read.
    left_over: u64,
    /// The connection's error was reported.
    error_taken: bool,
    /// What is left to report of the connection it had before it was disconnected.
    left_error: Option<Errno>,
    /// `connect` has reported that the connection is open.
    connect_reported: bool,
    write_shut: bool,
    read_shut: bool,
    pub(super) zerocopy: ZeroCopy,
}

impl Socket {
    fn new(kind: Kind, mptcp: bool, options: SocketOptions) -> Self {
        Self {
            kind,
            mptcp,
            nonblocking: false,
            options,
            bound: None,
            deferred: None,
            ip: IpHeader::default(),
            remembered: BTreeMap::new(),
            linger: None,
            left_over: 0,
            error_taken: false,
            left_error: None,
            connect_reported: false,
            write_shut: false,
            read_shut: false,
            zerocopy: ZeroCopy::default(),
        }
    }

    /// True if it waits for connections.
    pub(super) const fn is_listening(&self) -> bool {
        matches!(self.kind, Kind::Listening(_))
    }

    /// Number of the listener.
    pub(super) const fn listener(&self) -> Option<usize> {
        match self.kind {
            Kind::Listening(number) => Some(number),
            Kind::Fresh | Kind::Connected(_) => None,
        }
    }

    /// Where the first write is to connect it to.
    pub(super) const fn deferred(&self) -> Option<SocketAddr> {
        self.deferred
    }

    /// Number of the connection.
    pub(super) const fn connection(&self) -> Option<usize> {
        match self.kind {
            Kind::Connected(number) => Some(number),
            Kind::Fresh | Kind::Listening(_) => None,
        }
    }

    /// True if it was made for MPTCP and is not connected yet.
    pub(super) const fn is_new_mptcp(&self) -> bool {
        self.mptcp && matches!(self.kind, Kind::Fresh)
    }

    /// True if the program has a socket of MPTCP, even if its connection is plain TCP by now.
    pub(super) fn is_of_mptcp(&self, kernel: &Kernel) -> bool {
        let connection = self.held(kernel);
        connection.map_or(self.mptcp, |connection| connection.mode() != Mode::Plain)
    }

    /// Bytes to read (`SIOCINQ`).
    pub(super) fn unread(&self, kernel: &Kernel) -> i64 {
        let arrived = self.held(kernel).map_or(0, Connection::unread_bytes);
        (self.left_over + arrived) as i64
    }

    /// The same, and one more for the end of the stream (`tcp_inq_hint`).
    pub(super) fn to_read(&self, kernel: &Kernel) -> i64 {
        let unread = self.unread(kernel);
        let ended = self.held(kernel).is_some_and(Connection::has_end);
        if unread == 0 && ended { 1 } else { unread }
    }

    /// Bytes written that the peer has not acknowledged (`SIOCOUTQ`).
    pub(super) fn unacknowledged(&self, kernel: &Kernel) -> i64 {
        self.held(kernel).map_or(0, |held| {
            let (una, _, written) = held.send_offsets();
            (written - una) as i64
        })
    }

    /// Bytes written that have not been sent (`SIOCOUTQNSD`).
    pub(super) fn unsent(&self, kernel: &Kernel) -> i64 {
        self.held(kernel).map_or(0, |held| {
            let (_, sent, written) = held.send_offsets();
            (written - sent) as i64
        })
    }

    fn held<'k>(&self, kernel: &'k Kernel) -> Option<&'k Connection> {
        kernel.connection(self.connection()?)
    }

    /// The error that the next call reports (`sk_err`).
    fn pending_error(&self, kernel: &Kernel) -> Option<Errno> {
        if self.error_taken || self.left_error.is_some() {
            return self.left_error;
        }
        let connection = self.held(kernel)?;
        let over = connection.state() == MetaState::Closed;
        connection.socket_error().filter(|_| over).map(|error| Errno(error.name()))
    }

    fn take_error(&mut self, kernel: &Kernel) -> Option<Errno> {
        let error = self.pending_error(kernel)?;
        self.error_taken = self.left_error.take().is_none();
        Some(error)
    }
}

/// The descriptors of the script.
#[derive(Clone, Debug, Default)]
pub(super) struct Sockets {
    table: BTreeMap<i64, Socket>,
}

impl Sockets {
    /// The socket behind a descriptor.
    pub(super) fn get(&self, fd: i64) -> Option<&Socket> {
        self.table.get(&fd)
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, fd: i64) -> Option<&mut Socket> {
        self.table.get_mut(&fd)
    }

    /// A new socket at descriptor `fd`.
    pub(super) fn socket(&mut self, fd: i64, mptcp: bool, nonblocking: bool) -> Answer {
        let options = SocketOptions { mptcp, ..SocketOptions::default() };
        let mut socket = Socket::new(Kind::Fresh, mptcp, options);
        socket.nonblocking = nonblocking;
        self.table.insert(fd, socket);
        Answer::Returns(fd)
    }

    /// Names the local end.
    pub(super) fn bind(&mut self, fd: i64, addr: SocketAddr) -> Answer {
        let Some(socket) = self.table.get_mut(&fd) else { return Answer::Fails(errno::EBADF) };
        if socket.bound.is_some() || !matches!(socket.kind, Kind::Fresh) {
            return Answer::Fails(errno::EINVAL);
        }
        socket.bound = Some(addr);
        Answer::Returns(0)
    }

    /// Waits for connections.
    pub(super) fn listen(&mut self, fd: i64, default: SocketAddr, kernel: &mut Kernel) -> Answer {
        let Some(socket) = self.table.get_mut(&fd) else { return Answer::Fails(errno::EBADF) };
        match socket.kind {
            Kind::Fresh => {
                let addr = socket.bound.unwrap_or(default);
                socket.kind =
                    Kind::Listening(kernel.listen(addr, socket.options.clone(), socket.ip));
                Answer::Returns(0)
            }
            Kind::Listening(_) => Answer::Returns(0),
            Kind::Connected(_) => Answer::Fails(errno::EINVAL),
        }
    }

    /// Takes a connection from the queue; it gets descriptor `new`.
    pub(super) fn accept(
        &mut self,
        fd: i64,
        new: i64,
        nonblocking: bool,
        kernel: &mut Kernel,
    ) -> Answer {
        let Some(socket) = self.table.get(&fd) else { return Answer::Fails(errno::EBADF) };
        let Kind::Listening(listener) = socket.kind else { return Answer::Fails(errno::EINVAL) };
        let Some(number) = kernel.accept(listener) else { return socket.would_block() };
        let mut accepted =
            Socket::new(Kind::Connected(number), socket.mptcp, socket.options.clone());
        accepted.nonblocking = nonblocking;
        // The keys are the listener's own (`inet_csk_clone_lock`).
        accepted.options.fast_open_keys = None;
        accepted.ip = socket.ip;
        accepted.remembered = socket.remembered.clone();
        accepted.connect_reported = true;
        self.table.insert(new, accepted);
        Answer::Returns(new)
    }

    /// Opens a connection; repeated calls tell how it went (`__inet_stream_connect`).
    pub(super) fn connect(
        &mut self,
        fd: i64,
        from: IpAddr,
        to: SocketAddr,
        kernel: &mut Kernel,
    ) -> Answer {
        let Some(socket) = self.table.get_mut(&fd) else { return Answer::Fails(errno::EBADF) };
        match socket.kind {
            Kind::Listening(_) => return Answer::Fails(errno::EISCONN),
            Kind::Connected(_) => {}
            Kind::Fresh => {
                let local = socket.local(from);
                if kernel.opens_fast((local.ip(), to.ip()), &socket.options) {
                    socket.deferred = Some(to);
                    return Answer::Returns(0);
                }
                socket.left_error = None;
                let options = socket.options.clone();
                let (number, _) = kernel.connect((local, to), options, socket.ip, 0);
                socket.kind = Kind::Connected(number);
                return if socket.nonblocking {
                    Answer::Fails(errno::EINPROGRESS)
                } else {
                    Answer::Blocks
                };
            }
        }
        if let Some(error) = socket.take_error(kernel) {
            return Answer::Fails(error);
        }
        let opening = socket.held(kernel).is_some_and(|held| held.state() == MetaState::Opening);
        match (opening, socket.nonblocking) {
            (true, true) => Answer::Fails(errno::EALREADY),
            (true, false) => Answer::Blocks,
            (false, _) if std::mem::replace(&mut socket.connect_reported, true) => {
                Answer::Fails(errno::EISCONN)
            }
            (false, _) => Answer::Returns(0),
        }
    }

    /// Connects to no address: what it was it is no more, and it can be used again
    /// (`tcp_disconnect`, `mptcp_disconnect`).
    pub(super) fn disconnect(&mut self, fd: i64, kernel: &mut Kernel) -> Answer {
        let Some(socket) = self.table.get_mut(&fd) else { return Answer::Fails(errno::EBADF) };
        let left_error = socket.error_of_disconnecting(kernel);
        match socket.kind {
            Kind::Fresh => {}
            Kind::Listening(listener) => kernel.close_listener(listener),
            Kind::Connected(number) => {
                kernel.with(number, |connection, env| connection.abort(env));
            }
        }
        *socket = Socket {
            nonblocking: socket.nonblocking,
            bound: socket.bound,
            ip: socket.ip,
            remembered: std::mem::take(&mut socket.remembered),
            linger: socket.linger,
            left_error,
            ..Socket::new(Kind::Fresh, socket.mptcp, socket.options.clone())
        };
        Answer::Returns(0)
    }

    /// Connects with `bytes` bytes to be written, as many of them as fit in the SYN; `done` of them
    /// did (`tcp_sendmsg_fastopen`).
    pub(super) fn connect_writing(
        &mut self,
        fd: i64,
        (from, to): (IpAddr, SocketAddr),
        bytes: u64,
        done: &mut u64,
        kernel: &mut Kernel,
    ) -> Answer {
        let Some(socket) = self.table.get_mut(&fd) else { return Answer::Fails(errno::EBADF) };
        if kernel.config.sysctl.tcp_fastopen & 1 == 0 {
            return Answer::Fails(errno::EOPNOTSUPP);
        }
        socket.options.fast_open = true;
        let (local, options) = (socket.local(from), socket.options.clone());
        let (number, written) = kernel.connect((local, to), options, socket.ip, bytes);
        socket.kind = Kind::Connected(number);
        *done = written;
        match (socket.nonblocking, written) {
            (false, _) => Answer::Blocks,
            (true, 0) => Answer::Fails(errno::EINPROGRESS),
            (true, written) => Answer::Returns(written as i64),
        }
    }

    /// True if the connection behind a descriptor is not open yet.
    pub(super) fn is_opening(&self, fd: i64, kernel: &Kernel) -> bool {
        let held = self.table.get(&fd).and_then(|socket| socket.held(kernel));
        held.is_some_and(|held| held.state() == MetaState::Opening)
    }

    /// Reads up to `bytes`; `peek` leaves them.
    pub(super) fn read(
        &mut self,
        fd: i64,
        bytes: u64,
        peek: bool,
        dontwait: bool,
        kernel: &mut Kernel,
    ) -> Answer {
        let Some(socket) = self.table.get_mut(&fd) else { return Answer::Fails(errno::EBADF) };
        let Some(number) = socket.connection() else {
            return Answer::Fails(socket.take_error(kernel).unwrap_or(errno::ENOTCONN));
        };
        if bytes == 0 {
            return Answer::Returns(0);
        }
        let mut drained = 0;
        while socket.left_over < bytes {
            let payload = kernel.with(number, |connection, _| connection.read()).flatten();
            let Some(payload) = payload else { break };
            socket.left_over += u64::from(payload.len());
            drained += u64::from(payload.len());
        }
        if drained > 0 {
            kernel.with(number, |connection, env| connection.after_read(env));
        }
        let taken = socket.left_over.min(bytes);
        if taken > 0 {
            socket.left_over -= if peek { 0 } else { taken };
            return Answer::Returns(taken as i64);
        }
        if let Some(error) = socket.take_error(kernel) {
            return Answer::Fails(error);
        }
        let Some(connection) = socket.held(kernel) else { return Answer::Fails(errno::ENOTCONN) };
        if connection.at_end() || socket.read_shut {
            return Answer::Returns(0);
        }
        if connection.state() == MetaState::Closed {
            // A closed socket of TCP is at its end once the error was told; one of MPTCP is not
            // connected (`mptcp_recvmsg`, `tcp_recvmsg_locked`).
            let told = socket.error_taken || connection.mode() != Mode::Mptcp;
            return if told { Answer::Returns(0) } else { Answer::Fails(errno::ENOTCONN) };
        }
        socket.would_block_unless(dontwait)
    }

    /// Writes `bytes` bytes; `done` of them went before this call blocked.
    pub(super) fn write(
        &mut self,
        fd: i64,
        bytes: u64,
        done: &mut u64,
        dontwait: bool,
        kernel: &mut Kernel,
    ) -> Answer {
        let Some(socket) = self.table.get_mut(&fd) else { return Answer::Fails(errno::EBADF) };
        let Some(number) = socket.connection() else {
            return Answer::Fails(socket.take_error(kernel).unwrap_or(errno::EPIPE));
        };
        if *done == 0
            && let Some(error) = socket.take_error(kernel)
        {
            return Answer::Fails(error);
        }
        let state = socket.held(kernel).map_or(MetaState::Closed, Connection::state);
        if socket.write_shut || state == MetaState::Closed {
            return Answer::Fails(errno::EPIPE);
        }
        // Only after the handshake (`sk_stream_wait_connect`).
        let opening = state == MetaState::Opening;
        if opening && socket.held(kernel).is_some_and(Connection::is_client) {
            return socket.would_block_unless(dontwait);
        }
        let taken = kernel.with(number, |connection, env| connection.write(env, bytes - *done));
        *done += taken.unwrap_or(0);
        let blocks = socket.nonblocking || dontwait;
        if *done == bytes || (blocks && *done > 0) {
            Answer::Returns(*done as i64)
        } else {
            socket.would_block_unless(dontwait)
        }
    }

    /// Ends a direction, or both.
    pub(super) fn shutdown(&mut self, fd: i64, how: Shutdown, kernel: &mut Kernel) -> Answer {
        let Some(socket) = self.table.get_mut(&fd) else { return Answer::Fails(errno::EBADF) };
        let Some(number) = socket.connection() else { return Answer::Fails(errno::ENOTCONN) };
        if socket.held(kernel).is_none_or(|held| held.state() == MetaState::Closed) {
            return Answer::Fails(errno::ENOTCONN);
        }
        socket.read_shut |= how != Shutdown::Write;
        if how != Shutdown::Read {
            socket.write_shut = true;
            kernel.with(number, |connection, env| connection.close(env));
        }
        Answer::Returns(0)
    }

    /// Gives a descriptor back. Unread data, or lingering for no time, resets the connection.
    pub(super) fn close(&mut self, fd: i64, kernel: &mut Kernel) -> Answer {
        let Some(socket) = self.table.remove(&fd) else { return Answer::Fails(errno::EBADF) };
        match socket.kind {
            Kind::Fresh => {}
            Kind::Listening(listener) => kernel.close_listener(listener),
            Kind::Connected(number) => {
                let unread = socket.left_over > 0
                    || kernel.connection(number).is_some_and(Connection::readable);
                kernel.with(number, |connection, env| {
                    if unread || socket.linger == Some(0) {
                        connection.abort(env);
                    } else {
                        connection.release(env);
                    }
                });
            }
        }
        Answer::Returns(0)
    }

    // ---- what one can ask ----------------------------------------------------------------

    /// What `poll` says of a descriptor (`tcp_poll`, `mptcp_poll`).
    pub(super) fn poll(&self, fd: i64, kernel: &Kernel) -> i64 {
        use events::{ERR, HUP, IN, OUT, RDHUP, READ_NORMAL, WRITE_NORMAL};
        let Some(socket) = self.table.get(&fd) else { return 0x20 };
        let connection = match socket.kind {
            Kind::Fresh => {
                let failed = socket.pending_error(kernel).map_or(0, |_| ERR);
                return OUT | HUP | WRITE_NORMAL | failed;
            }
            Kind::Listening(listener) => {
                return if kernel.acceptable(listener) { IN | READ_NORMAL } else { 0 };
            }
            Kind::Connected(_) => match socket.held(kernel) {
                Some(connection) => connection,
                None => return 0,
            },
        };
        let state = connection.state();
        if state == MetaState::Opening {
            return 0;
        }
        let closed = state == MetaState::Closed;
        let ended = connection.at_end() || socket.read_shut || closed;
        let mut ready = 0;
        if socket.left_over > 0 || connection.readable() || ended {
            ready |= IN | READ_NORMAL;
        }
        if ended {
            ready |= RDHUP;
        }
        if closed || (ended && socket.write_shut) {
            ready |= HUP;
        }
        if socket.write_shut || closed || connection.writable() > 0 {
            ready |= OUT | WRITE_NORMAL;
        }
        if socket.pending_error(kernel).is_some() {
            ready |= ERR;
        }
        ready
    }

    /// `SO_ERROR`, which forgets it.
    pub(super) fn take_error(&mut self, fd: i64, kernel: &Kernel) -> Option<Errno> {
        self.table.get_mut(&fd)?.take_error(kernel)
    }

    /// `TCP_IS_MPTCP`.
    pub(super) fn is_mptcp(&self, fd: i64, kernel: &Kernel) -> bool {
        self.table.get(&fd).is_some_and(|socket| match socket.held(kernel) {
            Some(connection) => connection.mode() == Mode::Mptcp,
            None => socket.mptcp,
        })
    }
}

impl Socket {
    /// What is to be reported after it is disconnected: that a connection of TCP was reset, if this
    /// did so, and otherwise what was not told yet.
    fn error_of_disconnecting(&self, kernel: &Kernel) -> Option<Errno> {
        use State::{CloseWait, Established, FinWait1, FinWait2, SynReceived, SynSent};
        let pending = self.pending_error(kernel);
        let subflow = self.held(kernel).and_then(|held| held.subflow(0));
        let state = subflow.filter(|_| !self.is_of_mptcp(kernel)).map(Subflow::state);
        let resets = matches!(
            state,
            Some(Established | CloseWait | FinWait1 | FinWait2 | SynReceived | SynSent)
        );
        if resets { Some(errno::ECONNRESET) } else { pending }
    }

    /// The address that it connects from, if nothing else was said `from`.
    fn local(&self, from: IpAddr) -> SocketAddr {
        match self.bound {
            None => SocketAddr::new(from, 0),
            Some(bound) if bound.ip().is_unspecified() => SocketAddr::new(from, bound.port()),
            Some(bound) => bound,
        }
    }

    const fn would_block(&self) -> Answer {
        self.would_block_unless(false)
    }

    const fn would_block_unless(&self, dontwait: bool) -> Answer {
        if self.nonblocking || dontwait { Answer::Fails(errno::EAGAIN) } else { Answer::Blocks }
    }
}

/// Which direction `shutdown` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    Read,
    Write,
    Both,
}
