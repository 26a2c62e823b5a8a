//! Schedulers: which subflow carries the next data.
//!
//! A scheduler sees plain values ([`ConnView`]) and returns a decision
//! ([`Pick`]); it moves nothing itself. It is asked again as long as there is
//! data, window and a subflow that can take it.
//!
//! [`Name`] is a scheduler's name, [`AnyScheduler`] an instance, [`Scheduler`]
//! what one has to do, and [`AnyScheduler::Custom`] one's own.

mod available;
pub mod blest;
mod choice;
pub mod daps;
pub mod ecf;
pub mod lowest_rtt;
pub mod otias;
pub mod redundant;
mod relief;
pub mod round_robin;
pub mod sttf;
#[cfg(test)]
mod testing;
pub mod upstream;
mod view;

use std::fmt::Debug;

pub use self::choice::{AnyScheduler, Name};
pub use self::view::{ConnView, Piece, SubflowSet, SubflowView};
pub use crate::params::{Param, ParamError};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The next data that no subflow carries yet.
    New(Piece),
    /// Data that a subflow was given and may not deliver: it failed, timed out or was removed.
    Again(Piece),
    /// The oldest unacknowledged data, after the connection's timer ran out.
    Retransmit(Piece),
    /// Data to send into a closed window, to learn whether it has opened (`zero_wnd_test`).
    Probe(Piece),
    /// There is nothing new. Is there a subflow that could repeat something? Asked when the
    /// application waits for room in the send buffer, and always of schedulers that
    /// [`repeat`](Scheduler::repeats).
    Spare,
}

impl Ask {
    /// The data asked about.
    pub const fn piece(&self) -> Option<&Piece> {
        match self {
            Self::New(piece)
            | Self::Again(piece)
            | Self::Retransmit(piece)
            | Self::Probe(piece) => Some(piece),
            Self::Spare => None,
        }
    }
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The data asked about goes to this subflow. If it has carried it already, then all subflows
    /// have: from now on only this one counts as carrier.
    On {
        /// Index of the subflow.
        subflow: usize,
        /// Bytes it may take before the scheduler is asked again.
        limit: u32,
    },
    /// Something else first: this subflow gets data that others carry.
    Copy {
        /// Index of the subflow.
        subflow: usize,
        /// The first stream offset to repeat, not below [`ConnView::una`] and below [`ConnView::nxt`].
        from: u64,
        /// Bytes to repeat at most.
        limit: u32,
    },
    /// None now.
    Wait,
}

/// Why nothing new can leave although a subflow was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The connection's send window is full.
    Window,
    /// The application waits for room in the send buffer, and all that is in it has been sent.
    SendBuffer {
        /// Not even a byte more would fit.
        full: bool,
    },
}

/// What to do about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relief {
    /// Send the oldest data on the subflow that was picked, too.
    pub resend: bool,
    /// Halve the windows of these subflows ([`crate::congestion::Window::penalise`]).
    pub penalise: SubflowSet,
}

/// A packet scheduler.
///
/// One instance serves one end of a connection. [`pick`](Self::pick) is called whenever data could
/// leave: when the application writes, when a window opens, when an acknowledgement frees a subflow;
/// and again until it says [`Pick::Wait`] or nothing is left. It must not assume anything about the
/// time between calls ([`ConnView::now`]).
///
/// Times are microseconds (smoothed round-trip times times 8, as the kernel keeps them), windows
/// packets, everything else bytes. A scheduler must pick only subflows that are
/// [`active`](SubflowView::active), must not allocate per call, and must not panic. It need not test
/// the connection's window: what does not fit is not sent, and [`relieve`](Self::relieve) is asked.
pub trait Scheduler {
    /// Chooses a subflow for what is asked.
    fn pick(&mut self, view: &ConnView<'_>, ask: Ask) -> Pick;

    /// A subflow was given `len` bytes of the stream from offset `from` on, new or repeated.
    fn given(&mut self, _subflow: usize, _from: u64, _len: u32) {}

    /// `picked` could send, but nothing new may: `oldest` is unacknowledged and holds everything up.
    fn relieve(
        &mut self,
        _view: &ConnView<'_>,
        _blocked: Blocked,
        _oldest: &Piece,
        _picked: usize,
    ) -> Relief {
        Relief::default()
    }

    /// True if a subflow may go on to the end of a fragment of the stream, beyond the limit of its
    /// pick, as upstream's sending loop does.
    fn finishes_fragments(&self) -> bool {
        false
    }

    /// True if it wants to repeat data also when nothing new waits.
    fn repeats(&self) -> bool {
        false
    }
}

/// A user's scheduler in a box. Implemented for every [`Scheduler`] that can be cloned, printed and
/// sent to another thread; nothing is left to do by hand.
pub trait DynScheduler: Scheduler + Debug + Send {
    /// The same scheduler in the same state.
    fn clone_box(&self) -> Box<dyn DynScheduler>;
}

impl<T: Scheduler + Clone + Debug + Send + 'static> DynScheduler for T {
    fn clone_box(&self) -> Box<dyn DynScheduler> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn DynScheduler> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}
