//! What an application does with a connected socket: as [`mptcpsim_models::app`] does it.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::app::WRITE_SIZE;
use mptcpsim_models::payload::Payload;
use nix::libc::{MSG_DONTWAIT, MSG_NOSIGNAL};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::clock::WallClock;
use super::{App, Connection};

/// Bytes taken from the kernel at once.
const CHUNK: usize = 65_536;

/// A time given in nanoseconds since time zero.
pub(super) fn time(ns: u64) -> Time {
    Time::ZERO + Span::from_ns(ns)
}

/// Does all that the application does, until both directions are over; reads nothing before `reads_after_ns` have
/// passed.
pub(super) fn work(connection: &Connection, app: &App, reads_after_ns: u64, clock: WallClock) {
    let start = clock.now();
    let (heard, news) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Err(error) = write(connection, app, start, clock, &news) {
                connection.fail("write", &error);
            }
        });
        if !matches!(app, App::Bulk { abort: true, .. }) {
            clock.sleep_until(start + Span::from_ns(reads_after_ns));
            read(connection, clock, &heard);
        }
        drop(heard);
    });
}

/// Reads to the end of the stream; tells how much there is by now.
fn read(connection: &Connection, clock: WallClock, heard: &Sender<u64>) {
    let (mut buffer, mut expected) = (vec![0; CHUNK], Vec::with_capacity(CHUNK));
    let mut socket = &connection.socket;
    let mut received = 0;
    loop {
        let count = match socket.read(&mut buffer) {
            Ok(0) => return connection.note(|report| report.ended = true),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return connection.fail("read", &error),
        };
        let now = clock.now().as_ns();
        expected.clear();
        let length = u32::try_from(count).unwrap_or(u32::MAX);
        Payload::pattern(received, length).write_to(count, &mut expected);
        let differing = match buffer[..count] == expected[..] {
            true => 0,
            false => buffer.iter().zip(&expected).filter(|(got, wanted)| got != wanted).count(),
        };
        received += count as u64;
        connection.note(|report| {
            report.wrong += differing as u64;
            report.note_read(now, received);
        });
        // The writer of a bulk transfer does not listen.
        let _ = heard.send(received);
    }
}

fn write(
    connection: &Connection,
    app: &App,
    start: Time,
    clock: WallClock,
    news: &Receiver<u64>,
) -> io::Result<()> {
    let mut writer = Writer { connection, sent: 0, chunk: Vec::new() };
    match *app {
        App::Bulk { send, until_ns, abort } => {
            if send == Some(0) {
                // A pure receiver waits for the end of the stream.
                news.iter().for_each(drop);
            }
            let until = until_ns.map(|ns| start + Span::from_ns(ns));
            writer.bulk(send, until, clock)?;
            writer.finish(abort)
        }
        App::Request { request, response, count, think_ns, waits } => {
            let wanted =
                Request { request, response, count, think: Duration::from_nanos(think_ns) };
            let asked = wanted.ask(&mut writer, clock, news);
            if waits {
                news.iter().for_each(drop);
            }
            asked?;
            writer.finish(false)
        }
        App::Respond { request, response, close_after } => {
            let most = close_after.unwrap_or(u64::MAX);
            writer.respond((request, response, most), news)?;
            writer.finish(false)
        }
    }
}

struct Writer<'a> {
    connection: &'a Connection,
    sent: u64,
    chunk: Vec<u8>,
}

impl Writer<'_> {
    /// Writes the stream up to `end`, as much at once as there is room for whenever the kernel calls that worth
    /// it. A call that blocks would fill the buffer each time, and more would be assigned to subflows early.
    fn write_to(&mut self, end: u64) -> io::Result<()> {
        let socket = &self.connection.socket;
        while self.sent < end {
            let length = (end - self.sent).min(WRITE_SIZE);
            self.chunk.clear();
            let piece = Payload::pattern(self.sent, u32::try_from(length).unwrap_or(u32::MAX));
            piece.write_to(usize::MAX, &mut self.chunk);
            poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE)?;
            match socket.send_with_flags(&self.chunk, MSG_DONTWAIT | MSG_NOSIGNAL) {
                Ok(count) => self.sent += count as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            self.connection.note(|report| report.sent = self.sent);
        }
        Ok(())
    }

    fn bulk(&mut self, send: Option<u64>, until: Option<Time>, clock: WallClock) -> io::Result<()> {
        let end = send.unwrap_or(u64::MAX);
        match until {
            None => self.write_to(end),
            Some(until) => {
                while clock.now() < until && self.sent < end {
                    self.write_to(end.min(self.sent + WRITE_SIZE))?;
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
            return self.connection.socket.set_linger(Some(Duration::ZERO));
        }
        self.connection.socket.shutdown(Shutdown::Write)
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
            let took = clock.now().as_ns().saturating_sub(asked.as_ns());
            writer.connection.note(|report| report.answers_ns.push(took));
        }
        Ok(())
    }
}
