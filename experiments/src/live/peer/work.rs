//! What an application does with a connected socket: as [`mptcpsim_models::app`] does it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::app::WRITE_SIZE;
use mptcpsim_models::payload::Payload;
use socket2::Socket;

use super::super::clock::WallClock;
use super::App;

/// Bytes taken from the kernel at once.
const CHUNK: usize = 65_536;

/// What happened on a connection.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) wrong: u64,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) gap: Option<(u64, u64)>,
    pub(super) ended: bool,
    pub(super) answers: Vec<u64>,
    pub(super) error: Option<String>,
}

/// A time given in nanoseconds since time zero.
pub(super) fn time(ns: u64) -> Time {
    Time::ZERO + Span::from_ns(ns)
}

/// Does all that the application does, until both directions are over; reads nothing before `reads_after_ns` have
/// passed.
pub(super) fn work(
    socket: &Arc<Socket>,
    app: &App,
    reads_after_ns: u64,
    clock: WallClock,
) -> Account {
    let start = clock.now();
    let (heard, news) = channel();
    let mut account = Account::default();
    let sent = std::thread::scope(|scope| {
        let writer = scope.spawn(move || write(socket, app, start, clock, &news));
        if !matches!(app, App::Bulk { abort: true, .. }) {
            clock.sleep_until(start + Span::from_ns(reads_after_ns));
            read(socket, clock, &mut account, &heard);
        }
        drop(heard);
        writer.join()
    });
    match sent {
        Ok((sent, answers, result)) => {
            (account.sent, account.answers) = (sent, answers);
            if let Err(error) = result {
                account.error.get_or_insert(format!("write: {error}"));
            }
        }
        Err(_) => account.error = Some("the writing thread ended".to_owned()),
    }
    account
}

/// Reads to the end of the stream; tells how much there is by now.
fn read(socket: &Socket, clock: WallClock, account: &mut Account, heard: &Sender<u64>) {
    let (mut buffer, mut expected) = (vec![0; CHUNK], Vec::with_capacity(CHUNK));
    let mut socket = socket;
    loop {
        let count = match socket.read(&mut buffer) {
            Ok(0) => {
                account.ended = true;
                return;
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                account.error = Some(format!("read: {error}"));
                return;
            }
        };
        let now = clock.now().as_ns();
        expected.clear();
        let length = u32::try_from(count).unwrap_or(u32::MAX);
        Payload::pattern(account.received, length).write_to(count, &mut expected);
        if buffer[..count] != expected[..] {
            let differing = buffer.iter().zip(&expected).filter(|(got, wanted)| got != wanted);
            account.wrong += differing.count() as u64;
        }
        if let Some(last) = account.last {
            let gap = now.saturating_sub(last);
            if account.gap.is_none_or(|(longest, _)| gap > longest) {
                account.gap = Some((gap, last));
            }
        }
        account.first.get_or_insert(now);
        account.last = Some(now);
        account.received += count as u64;
        // The writer of a bulk transfer does not listen.
        let _ = heard.send(account.received);
    }
}

type Written = (u64, Vec<u64>, io::Result<()>);

fn write(
    socket: &Socket,
    app: &App,
    start: Time,
    clock: WallClock,
    news: &Receiver<u64>,
) -> Written {
    let mut writer = Writer { socket, sent: 0, chunk: Vec::new() };
    let mut answers = Vec::new();
    let result = match *app {
        App::Bulk { send, until_ns, abort } => {
            if send == Some(0) {
                // A pure receiver waits for the end of the stream.
                news.iter().for_each(drop);
            }
            let until = until_ns.map(|ns| start + Span::from_ns(ns));
            writer.bulk(send, until, clock).and_then(|()| writer.finish(abort))
        }
        App::Request { request, response, count, think_ns, waits } => {
            let wanted =
                Request { request, response, count, think: Duration::from_nanos(think_ns) };
            let asked = wanted.ask(&mut writer, clock, news, &mut answers);
            if waits {
                news.iter().for_each(drop);
            }
            asked.and_then(|()| writer.finish(false))
        }
        App::Respond { request, response, close_after } => {
            let most = close_after.unwrap_or(u64::MAX);
            writer.respond((request, response, most), news).and_then(|()| writer.finish(false))
        }
    };
    (writer.sent, answers, result)
}

struct Writer<'a> {
    socket: &'a Socket,
    sent: u64,
    chunk: Vec<u8>,
}

impl Writer<'_> {
    /// Writes the stream up to `end`.
    fn write_to(&mut self, end: u64) -> io::Result<()> {
        while self.sent < end {
            let length = (end - self.sent).min(WRITE_SIZE);
            self.chunk.clear();
            let piece = Payload::pattern(self.sent, u32::try_from(length).unwrap_or(u32::MAX));
            piece.write_to(usize::MAX, &mut self.chunk);
            self.socket.write_all(&self.chunk)?;
            self.sent += length;
        }
        Ok(())
    }

    fn bulk(&mut self, send: Option<u64>, until: Option<Time>, clock: WallClock) -> io::Result<()> {
        let end = send.unwrap_or(u64::MAX);
        match until {
            None => self.write_to(end),
            Some(until) => {
                while clock.now() < until && self.sent < end {
                    self.write_to(end.min(self.sent + CHUNK as u64))?;
                }
                Ok(())
            }
        }
    }

    /// Answers requests of so many bytes with so many, at most so often.
    fn respond(
        &mut self,
        (request, response, most): (u64, u64, u64),
        news: &Receiver<u64>,
    ) -> io::Result<()> {
        let mut answered = 0;
        while answered < most
            && let Ok(received) = news.recv()
        {
            answered = (received / request.max(1)).min(most);
            self.write_to(answered * response)?;
        }
        Ok(())
    }

    fn finish(&self, abort: bool) -> io::Result<()> {
        if abort {
            // Closing then resets the connection.
            return self.socket.set_linger(Some(Duration::ZERO));
        }
        self.socket.shutdown(Shutdown::Write)
    }
}

struct Request {
    request: u64,
    response: u64,
    count: u32,
    think: Duration,
}

impl Request {
    fn ask(
        &self,
        writer: &mut Writer<'_>,
        clock: WallClock,
        news: &Receiver<u64>,
        answers: &mut Vec<u64>,
    ) -> io::Result<()> {
        let mut received = 0;
        for number in 1..=u64::from(self.count) {
            if number > 1 {
                std::thread::sleep(self.think);
            }
            let asked = clock.now();
            writer.write_to(number * self.request)?;
            while received < number * self.response {
                received = news.recv().map_err(|_| io::ErrorKind::UnexpectedEof)?;
            }
            answers.push(clock.now().as_ns().saturating_sub(asked.as_ns()));
        }
        Ok(())
    }
}
