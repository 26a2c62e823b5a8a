//! Applications: what is done with a connection.
//!
//! An application is told whenever its connection may have changed and then
//! reads and writes as it can. What it reads it compares with the stream that
//! the other end must have sent, byte by byte.

mod custom;
mod ledger;
pub mod messages;
mod script;
pub mod video;

use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;

use self::custom::Running;
pub use self::custom::{AppAction, AppEvent, AppView, DynProgram, Program};
pub use self::ledger::Ledger;
pub use self::messages::Schedule;
pub use self::script::Script;
use self::video::{Player, UNIT, Video};

use crate::mptcp::{Connection, Env, MetaState};

/// Bytes that an application writes at once; then it asks again whether there is room (`poll`). With MPTCP it
/// matters: windows that have rested shrink with each buffer that a call fills before anything leaves.
pub const WRITE_SIZE: u64 = 65_536;

/// What an application does, from one end.
#[derive(Clone, Debug)]
pub enum AppSpec {
    /// Sends, receives, or both, as fast as the connection allows, and closes when it has sent
    /// all and the peer has closed.
    Bulk {
        /// Bytes to send; `None` to send until `until`.
        send: Option<Bytes>,
        /// Stop sending this long after the start.
        until: Option<Span>,
        /// Abort rather than close when done sending.
        abort: bool,
        /// Pause between the establishment and the first byte.
        delay: Span,
    },
    /// Sends the requests of a script, each when the answer to the one before is there, and closes.
    Request {
        /// The exchanges.
        script: Script,
        /// Pause before the first request.
        delay: Span,
        /// After the last answer wait for the server to close first.
        server_closes: bool,
    },
    /// Answers the requests of a script until the client closes.
    Respond {
        /// The exchanges.
        script: Script,
        /// Close after so many answers.
        close_after: Option<u32>,
    },
    /// Writes messages when they are due, and takes those of the other end.
    Messages {
        /// What this end writes.
        send: Schedule,
        /// What the other end writes.
        expect: Schedule,
    },
    /// Plays a video; the other end [`Serve`](Self::Serve)s it.
    Play(Video),
    /// Serves a video until the client closes.
    Serve,
    /// Does what a program of one's own says.
    Custom(Box<dyn DynProgram>),
    /// Reads nothing at first, so that its receive buffer fills and the window closes.
    Late {
        /// How long after the start it begins to read.
        reads_after: Span,
        /// What it does otherwise.
        app: Box<AppSpec>,
    },
}

/// An application at one end of a connection.
#[derive(Clone, Debug)]
pub struct App {
    role: Role,
    ledger: Ledger,
    /// Bytes handed to the connection.
    sent: u64,
    closing: bool,
    done: bool,
    /// When it last acted.
    looked_at: Time,
    /// It reads nothing before.
    reads_from: Time,
    /// Requests sent, or messages received.
    exchanges: Vec<Exchange>,
}

/// A request and what came of it, or a message and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When it was written, or was to be written.
    pub asked_at: Time,
    /// When the first byte of the answer was read.
    pub first_byte_at: Option<Time>,
    /// When the last byte of the answer was read.
    pub answered_at: Option<Time>,
}

impl Exchange {
    const fn asked(at: Time) -> Self {
        Self { asked_at: at, first_byte_at: None, answered_at: None }
    }

    /// Whether the answer has begun and is complete at `now`.
    fn note(&mut self, now: Time, begun: bool, complete: bool) {
        self.first_byte_at = self.first_byte_at.or(begun.then_some(now));
        self.answered_at = self.answered_at.or(complete.then_some(now));
    }
}

#[derive(Clone, Debug)]
enum Role {
    Bulk { send: u64, until: Time, abort: bool, delay: Span, from: Time },
    Request { script: Script, next: Time, waits: bool },
    Respond { script: Script, answers: u64 },
    Messages { send: Schedule, expect: Schedule, written: usize },
    Play { player: Box<Player>, next: Time },
    Custom(Box<Running>),
}

impl App {
    /// The application at its beginning.
    pub fn new(spec: &AppSpec, now: Time) -> Self {
        let role = match spec.clone() {
            AppSpec::Bulk { send, until, abort, delay } => Role::Bulk {
                send: send.map_or(u64::MAX, Bytes::get),
                until: until.map_or(Time::NEVER, |until| now + until),
                abort,
                delay,
                from: Time::NEVER,
            },
            AppSpec::Request { script, delay, server_closes } => {
                let next = now + delay + script.think(0);
                Role::Request { script, next, waits: server_closes }
            }
            AppSpec::Respond { script, close_after } => {
                let answers = close_after.map_or(u64::MAX, u64::from);
                Role::Respond { script, answers }
            }
            AppSpec::Messages { send, expect } => Role::Messages { send, expect, written: 0 },
            AppSpec::Play(video) => {
                let player = Box::new(Player::new(video, now));
                Role::Play { player, next: Time::NEVER }
            }
            AppSpec::Serve => {
                let script = Script::alike(Bytes::new(1), UNIT, Span::ZERO, u64::MAX);
                Role::Respond { script, answers: u64::MAX }
            }
            AppSpec::Custom(program) => Role::Custom(Box::new(Running::new(program))),
            AppSpec::Late { reads_after, app } => {
                return Self { reads_from: now + reads_after, ..Self::new(&app, now) };
            }
        };
        Self {
            role,
            ledger: Ledger::new(now),
            sent: 0,
            closing: false,
            done: false,
            looked_at: now,
            reads_from: now,
            exchanges: Vec::new(),
        }
    }

    /// What was received, and when.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The requests it has sent, or the messages it has received, in order.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Bytes handed to the connection.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// True once both directions are finished, or the connection has failed.
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// When it wants to act without being told.
    pub fn due(&self) -> Time {
        let ahead = |moment| if moment > self.looked_at { moment } else { Time::NEVER };
        let acts = match self.role {
            Role::Bulk { until, from, .. } if !self.closing => ahead(from).min(ahead(until)),
            Role::Request { next, .. } | Role::Play { next, .. } => ahead(next),
            Role::Messages { .. } => ahead(self.next_message()),
            Role::Custom(ref running) => ahead(running.due()),
            _ => Time::NEVER,
        };
        acts.min(ahead(self.reads_from))
    }

    /// Reads what can be read and takes one step more: one call of the socket. True if it wrote or
    /// closed; then call again when what that caused is sent, for a real application too makes its
    /// next call after the kernel has sent what the last one caused.
    #[inline]
    pub fn progress(&mut self, connection: &mut Connection, env: &mut Env<'_>) -> bool {
        self.looked_at = env.now;
        let opening = connection.state() == MetaState::Opening && connection.syn_room() == 0;
        if self.done || opening {
            self.note_end(connection, env);
            return false;
        }
        if env.now >= self.reads_from {
            self.receive(connection, env);
        }
        let acted = match self.role {
            Role::Bulk { .. } => self.progress_bulk(connection, env),
            Role::Request { .. } => self.progress_request(connection, env),
            Role::Respond { .. } => self.progress_respond(connection, env),
            Role::Messages { .. } => self.progress_messages(connection, env),
            Role::Play { .. } => self.progress_video(connection, env),
            Role::Custom(_) => self.progress_custom(connection, env),
        };
        self.note_end(connection, env);
        acted
    }

    fn receive(&mut self, connection: &mut Connection, env: &mut Env<'_>) {
        let mut any = false;
        while let Some(payload) = connection.read() {
            self.ledger.received(env.now, &payload);
            any = true;
        }
        if any {
            connection.after_read(env);
        }
        if connection.at_end() {
            self.ledger.ended(env.now);
            if self.closing {
                connection.release(env);
            }
        }
    }

    /// Writes towards stream offset `end`; true if something was taken.
    fn write_to(&mut self, end: u64, connection: &mut Connection, env: &mut Env<'_>) -> bool {
        if end <= self.sent {
            return false;
        }
        let taken = connection.write(env, (end - self.sent).min(WRITE_SIZE));
        self.sent += taken;
        taken > 0
    }

    fn close(&mut self, connection: &mut Connection, env: &mut Env<'_>) -> bool {
        if std::mem::replace(&mut self.closing, true) {
            return false;
        }
        connection.close(env);
        true
    }

    fn progress_bulk(&mut self, connection: &mut Connection, env: &mut Env<'_>) -> bool {
        let Role::Bulk { send, until, abort, delay, ref mut from } = self.role else {
            return false;
        };
        if *from == Time::NEVER {
            *from = env.now + delay;
        }
        if env.now < *from {
            return false;
        }
        if env.now < until && self.write_to(send, connection, env) {
            return true;
        }
        let sent_all = self.sent >= send || env.now >= until;
        if !sent_all || self.closing {
            return false;
        }
        if abort {
            self.closing = true;
            connection.abort(env);
            return true;
        }
        // A pure receiver waits for the end of the stream, as `read` until 0 does.
        (send > 0 || connection.at_end()) && self.close(connection, env)
    }

    /// Notes the end of the connection.
    #[inline]
    fn note_end(&mut self, connection: &Connection, env: &Env<'_>) {
        let closed = connection.state() == MetaState::Closed;
        if !self.done && (closed || self.closing && self.is_complete(connection)) {
            self.done = true;
            self.ledger.finished(env.now);
        }
    }

    /// True if all has been sent and, where somebody waits for it, received.
    fn is_complete(&self, connection: &Connection) -> bool {
        let aborts = match &self.role {
            Role::Bulk { abort, .. } => *abort,
            Role::Custom(running) => running.aborts(),
            _ => false,
        };
        (aborts || connection.at_end()) && connection.all_acknowledged()
    }
}
