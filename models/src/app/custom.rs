//! Applications of one's own: a program is told what happened and says what it does.

use std::fmt::Debug;

use mptcpsim_core::time::Time;
use mptcpsim_core::units::Bytes;

use super::{App, Role};
use crate::mptcp::{Connection, Env};

/// What a program is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppEvent {
    /// The connection is there.
    Established,
    /// More has been read.
    Received,
    /// The other end will write no more, and all that it wrote has been read.
    Ended,
    /// All that was to be written has been taken by the connection, after some of it had to wait.
    Written,
    /// The program's own due date has come.
    Timer,
}

/// What a program sees.
#[derive(Clone, Copy, Debug)]
pub struct AppView {
    /// Now.
    pub now: Time,
    /// This end opened the connection.
    pub client: bool,
    /// Bytes read so far.
    pub received: u64,
    /// Bytes that the connection has taken.
    pub written: u64,
    /// Bytes that wait until the connection takes them.
    pub waiting: u64,
}

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppAction {
    /// Writes so many bytes more, as soon as the connection takes them.
    Write(Bytes),
    /// Closes, once all is written.
    Close,
    /// Aborts.
    Abort,
}

/// What is done with one end of a connection. What comes is read at once.
pub trait Program {
    /// Something happened; what is to be done goes into `actions`, in order.
    fn on_event(&mut self, event: AppEvent, view: &AppView, actions: &mut Vec<AppAction>);

    /// When it wants to hear [`AppEvent::Timer`]; a date that has passed does not count.
    fn due(&self) -> Time {
        Time::NEVER
    }
}

/// A user's program in a box. Implemented for every [`Program`] that can be cloned, printed and
/// sent to another thread; nothing is left to do by hand.
pub trait DynProgram: Program + Debug + Send {
    /// The same program in the same state.
    fn clone_box(&self) -> Box<dyn DynProgram>;
}

impl<T: Program + Clone + Debug + Send + 'static> DynProgram for T {
    fn clone_box(&self) -> Box<dyn DynProgram> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynProgram> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

/// A program at work: what it was told, and what it has yet to do.
#[derive(Clone, Debug)]
pub(super) struct Running {
    program: Box<dyn DynProgram>,
    /// Up to where it wants to write.
    end: u64,
    established: bool,
    received: u64,
    ended: bool,
    /// Some of what it writes had to wait.
    waited: bool,
    due: Time,
    close: bool,
    abort: bool,
}

impl Running {
    pub(super) fn new(program: Box<dyn DynProgram>) -> Self {
        Self {
            program,
            end: 0,
            established: false,
            received: 0,
            ended: false,
            waited: false,
            due: Time::NEVER,
            close: false,
            abort: false,
        }
    }

    pub(super) const fn due(&self) -> Time {
        self.due
    }

    /// What it has not been told yet, the first first.
    fn next_event(&mut self, now: Time, received: u64, ended: bool, sent: u64) -> Option<AppEvent> {
        if !std::mem::replace(&mut self.established, true) {
            return Some(AppEvent::Established);
        }
        if std::mem::replace(&mut self.received, received) < received {
            return Some(AppEvent::Received);
        }
        if ended && !std::mem::replace(&mut self.ended, true) {
            return Some(AppEvent::Ended);
        }
        if sent >= self.end && std::mem::take(&mut self.waited) {
            return Some(AppEvent::Written);
        }
        (self.due <= now).then_some(AppEvent::Timer)
    }

    fn tell(&mut self, event: AppEvent, view: &AppView) {
        let mut actions = Vec::new();
        self.program.on_event(event, view, &mut actions);
        let due = self.program.due();
        self.due = if due > view.now { due } else { Time::NEVER };
        for action in actions {
            match action {
                AppAction::Write(bytes) => self.end = self.end.saturating_add(bytes.get()),
                AppAction::Close => self.close = true,
                AppAction::Abort => self.abort = true,
            }
        }
    }

    pub(super) const fn aborts(&self) -> bool {
        self.abort
    }
}

impl App {
    pub(super) fn progress_custom(
        &mut self,
        connection: &mut Connection,
        env: &mut Env<'_>,
    ) -> bool {
        loop {
            let (received, sent, closing) = (self.ledger.bytes(), self.sent, self.closing);
            let Role::Custom(running) = &mut self.role else { return false };
            if running.abort && !closing {
                self.closing = true;
                connection.abort(env);
                return true;
            }
            let (end, close) = (running.end, running.close);
            if self.write_to(end, connection, env) {
                return true;
            }
            if close && sent >= end && self.close(connection, env) {
                return true;
            }
            let Role::Custom(running) = &mut self.role else { return false };
            running.waited |= sent < running.end;
            let ended = connection.at_end();
            let Some(event) = running.next_event(env.now, received, ended, sent) else {
                return false;
            };
            let view = AppView {
                now: env.now,
                client: connection.is_client(),
                received,
                written: sent,
                waiting: running.end.saturating_sub(sent),
            };
            running.tell(event, &view);
        }
    }
}
