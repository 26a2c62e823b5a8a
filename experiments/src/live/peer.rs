//! The application of a host that is a real kernel: a process in its namespace.
//!
//! ```text
//! driver ─► Task (a line of JSON) ─► listen ─► "ready"
//! driver ─► when time zero is     ─► connect, accept, move bytes ─► a Report per connection
//! ```
//!
//! Both directions of a connection have a thread. When its input ends, the process reports what has become of the
//! connections by then, and ends: it does not outlive the program that started it.

mod info;
mod work;

use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use nix::libc;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

pub use self::info::MptcpInfo;
use self::info::read_info;
use self::work::work;
use super::clock::WallClock;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// What a peer is to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) connect: Vec<Connect>,
    pub(super) listen: Vec<Listen>,
}

/// A connection to open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Connect {
    /// Number of the flow.
    pub(super) flow: usize,
    /// When, in nanoseconds since time zero.
    pub(super) at_ns: u64,
    pub(super) from: IpAddr,
    pub(super) to: SocketAddr,
    pub(super) socket: Options,
    pub(super) app: App,
    /// How long after its start it begins to read, in nanoseconds.
    pub(super) reads_after_ns: u64,
}

/// A port to listen on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Listen {
    /// Numbers of the flows, in the order in which they will come.
    pub(super) flows: Vec<usize>,
    pub(super) v6: bool,
    pub(super) port: u16,
    pub(super) socket: Options,
    pub(super) app: App,
    /// How long after its start it begins to read, in nanoseconds.
    pub(super) reads_after_ns: u64,
}

/// Options of a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Options {
    pub(super) mptcp: bool,
    pub(super) congestion_control: String,
    pub(super) receive_buffer: Option<usize>,
    pub(super) send_buffer: Option<usize>,
}

/// What is done with a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum App {
    /// Sends `send` bytes, or for `until_ns`, while it receives; then shuts its side down, or aborts.
    Bulk { send: Option<u64>, until_ns: Option<u64>, abort: bool },
    /// Sends `count` requests, each after the answer to the last one; then closes, or waits until the peer has.
    Request { request: u64, response: u64, count: u32, think_ns: u64, waits: bool },
    /// Answers requests until the peer closes, or so many.
    Respond { request: u64, response: u64, close_after: Option<u64> },
}

/// What became of a connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Number of the flow.
    pub flow: usize,
    /// This end opened it.
    pub client: bool,
    /// Bytes handed to the socket.
    pub sent: u64,
    /// Bytes read.
    pub received: u64,
    /// Bytes that were not those the other end sent.
    pub wrong: u64,
    /// When the first byte was read, in nanoseconds since time zero.
    pub first_byte_ns: Option<u64>,
    /// When the last byte was read.
    pub last_byte_ns: Option<u64>,
    /// The longest time between two reads of data, and when it began.
    pub longest_gap_ns: Option<(u64, u64)>,
    /// The end of the stream was read.
    pub ended: bool,
    /// How long each answer took.
    pub answers_ns: Vec<u64>,
    /// What went wrong: a system call, and what the kernel said.
    pub error: Option<String>,
    /// What `MPTCP_INFO` said at the end; nothing if the socket is one of plain TCP by then.
    pub mptcp: Option<MptcpInfo>,
}

impl Report {
    fn fail(&mut self, what: &str, error: &io::Error) {
        self.error.get_or_insert_with(|| format!("{what}: {error}"));
    }

    fn say(&self) {
        // Nobody listens any more: then nobody misses it.
        let _ = say(&serde_json::to_string(self).unwrap_or_default());
    }

    /// So many bytes have been read by `now`, in nanoseconds since time zero.
    fn note_read(&mut self, now: u64, received: u64) {
        if let Some(last) = self.last_byte_ns {
            let gap = now.saturating_sub(last);
            if self.longest_gap_ns.is_none_or(|(longest, _)| gap > longest) {
                self.longest_gap_ns = Some((gap, last));
            }
        }
        self.first_byte_ns.get_or_insert(now);
        self.last_byte_ns = Some(now);
        self.received = received;
    }
}

/// A socket, and what has become of it so far.
struct Connection {
    socket: Socket,
    report: Mutex<Report>,
}

impl Connection {
    fn note(&self, change: impl FnOnce(&mut Report)) {
        if let Ok(mut report) = self.report.lock() {
            change(&mut report);
        }
    }

    fn fail(&self, what: &str, error: &io::Error) {
        self.note(|report| report.fail(what, error));
    }

    fn report(&self) {
        self.note(|report| {
            report.mptcp = read_info(&self.socket);
            report.say();
        });
    }
}

/// The connections that are not over.
#[derive(Default)]
struct Connections(Mutex<Vec<Arc<Connection>>>);

impl Connections {
    fn add(&self, connection: &Arc<Connection>) {
        if let Ok(mut all) = self.0.lock() {
            all.push(Arc::clone(connection));
        }
    }

    /// Reports on those that `which` says, each once.
    fn report(&self, which: impl Fn(&Arc<Connection>) -> bool) {
        if let Ok(mut all) = self.0.lock() {
            all.extract_if(.., |it| which(it)).for_each(|connection| connection.report());
        }
    }
}

/// The process: reads its task from the standard input, reports on the standard output.
///
/// # Errors
/// If the task is none, or a port cannot be listened on.
pub fn run() -> io::Result<()> {
    let mut input = io::stdin().lock().lines();
    let mut line = || input.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
    let task: Task = serde_json::from_str(&line()?)?;
    let listening = task.listen.into_iter().map(|it| Ok((listen(&it)?, it)));
    let listening = listening.collect::<io::Result<Vec<_>>>()?;
    say("\"ready\"")?;
    let clock = WallClock::started_at(serde_json::from_str(&line()?)?);
    drop(input);
    let connections = Arc::new(Connections::default());
    let going_on = Arc::clone(&connections);
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        going_on.report(|_| true);
        std::process::exit(0);
    });
    std::thread::scope(|scope| {
        let connections = &*connections;
        for connection in task.connect {
            scope.spawn(move || connect(&connection, connections, clock));
        }
        for (listener, task) in &listening {
            scope.spawn(move || {
                for flow in &task.flows {
                    let accepted = listener.accept();
                    scope.spawn(move || serve(accepted, *flow, task, connections, clock));
                }
            });
        }
    });
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

fn socket(v6: bool, options: &Options) -> io::Result<Socket> {
    let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
    let protocol = if options.mptcp { Protocol::MPTCP } else { Protocol::TCP };
    let socket = match Socket::new(domain, Type::STREAM, Some(protocol)) {
        // What programs do whose kernel has `net.mptcp.enabled = 0`.
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {
            Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?
        }
        made => made?,
    };
    socket.set_tcp_congestion(options.congestion_control.as_bytes())?;
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    Ok(socket)
}

fn listen(task: &Listen) -> io::Result<Socket> {
    let socket = socket(task.v6, &task.socket)?;
    socket.set_reuse_address(true)?;
    let any: IpAddr =
        if task.v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    if task.v6 {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SocketAddr::new(any, task.port).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn connect(task: &Connect, connections: &Connections, clock: WallClock) {
    clock.sleep_until(work::time(task.at_ns));
    let open = || {
        let socket = socket(task.from.is_ipv6(), &task.socket)?;
        socket.bind(&SocketAddr::new(task.from, 0).into())?;
        socket.connect(&task.to.into())?;
        Ok(socket)
    };
    let mut report = Report { flow: task.flow, client: true, ..Report::default() };
    match open() {
        Ok(socket) => {
            carry_out(socket, report, (&task.app, task.reads_after_ns), connections, clock)
        }
        Err(error) => {
            report.fail("connect", &error);
            report.say();
        }
    }
}

fn serve(
    accepted: io::Result<(Socket, socket2::SockAddr)>,
    flow: usize,
    task: &Listen,
    connections: &Connections,
    clock: WallClock,
) {
    let mut report = Report { flow, ..Report::default() };
    match accepted {
        Ok((socket, _)) => {
            carry_out(socket, report, (&task.app, task.reads_after_ns), connections, clock)
        }
        Err(error) => {
            report.fail("accept", &error);
            report.say();
        }
    }
}

/// Does what the application does, which begins to read so many nanoseconds after its start, and reports.
fn carry_out(
    socket: Socket,
    report: Report,
    (app, reads_after_ns): (&App, u64),
    connections: &Connections,
    clock: WallClock,
) {
    let connection = Arc::new(Connection { socket, report: Mutex::new(report) });
    connections.add(&connection);
    work(&connection, app, reads_after_ns, clock);
    connections.report(|it| Arc::ptr_eq(it, &connection));
}
