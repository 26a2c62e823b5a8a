//! Data in the SYN (RFC 7413; Linux `tcp_send_syn_data`, `tcp_rcv_fastopen_synack`,
//! `tcp_fastopen_create_child`).
//!
//! What the SYN carries and the SYN/ACK acknowledges is behind the subflow when it is established:
//! its initial sequence numbers move on by as much, and whoever counts from them counts on.

use super::scoreboard::TxQueue;
use super::{Cx, State, Subflow};
use crate::observe::mib::Counter;
use crate::payload::Payload;
use crate::segment::{FastOpen, Segment};
use crate::seq::Seq;

/// How a subflow was opened fast.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FastOpening {
    /// Goes with the first SYN, or the first SYN/ACK.
    option: Option<FastOpen>,
    /// Data bytes that the SYN may carry.
    room: u32,
    /// Those it carries, or has brought.
    data: u32,
    /// Those that the SYN/ACK acknowledges.
    accepted: u32,
    /// The SYN or SYN/ACK has left: the next one is an ordinary one.
    sent: bool,
    /// Data may leave before the handshake is complete.
    early: bool,
    /// ... after which there is no more.
    closing: bool,
    /// The SYN was enough to open it.
    by_syn: bool,
}

impl Subflow {
    /// Opens fast: the SYN carries `option` and up to `room` bytes of data.
    #[cold]
    pub(crate) fn open_fast(&mut self, option: Option<FastOpen>, room: u32) {
        let opening = FastOpening { option, room, ..FastOpening::default() };
        self.fast_open = Some(Box::new(opening));
    }

    /// Answers the wish for a cookie.
    #[cold]
    pub(crate) fn answer_fast_open(&mut self, option: FastOpen) {
        self.open_fast(Some(option), 0);
    }

    /// Data bytes that, written now, would leave with the SYN.
    pub(crate) fn syn_room(&self) -> u32 {
        let fast = self.fast_open.as_ref().filter(|fast| !fast.sent);
        fast.filter(|_| self.state == State::SynSent).map_or(0, |fast| fast.room)
    }

    /// `written` bytes are there to be sent: those that fit go with the SYN.
    #[cold]
    pub(crate) fn offer_syn_data(&mut self, written: u64) {
        if let Some(fast) = self.fast_open.as_mut().filter(|fast| !fast.sent) {
            fast.data = u64::from(fast.room).min(written) as u32;
        }
    }

    /// The data bytes that the SYN has carried, and those of them that count.
    pub(crate) fn syn_data(&self) -> Option<(u32, u32)> {
        self.fast_open.as_ref().map(|fast| (fast.data, fast.accepted))
    }

    /// What the SYN asked with.
    pub(crate) fn fast_open_option(&self) -> Option<FastOpen> {
        self.fast_open.as_ref().and_then(|fast| fast.option)
    }

    /// Puts option and data on the first SYN or SYN/ACK.
    #[cold]
    pub(super) fn add_fast_open(&mut self, cx: &mut Cx<'_>, segment: &mut Segment) {
        let active = self.state == State::SynSent;
        let Some(fast) = self.fast_open.as_mut() else { return };
        if std::mem::replace(&mut fast.sent, true) {
            return;
        }
        segment.rare_mut().fast_open = fast.option;
        if active && fast.data > 0 {
            segment.payload = Payload::pattern(0, fast.data);
            self.totals.data_segs_out += 1;
            self.totals.bytes_sent += u64::from(fast.data);
            cx.mib.inc(Counter::OrigDataSent);
        }
    }

    /// True if `ack` acknowledges the SYN, and no more than it carried.
    pub(super) fn acknowledges_syn(&self, ack: Seq) -> bool {
        let beyond = ack - (self.iss + 1);
        beyond == 0 || self.fast_open.as_ref().is_some_and(|fast| beyond <= fast.data)
    }

    /// The SYN/ACK acknowledges up to `ack`: the data before is done with.
    #[cold]
    pub(super) fn take_accepted(&mut self, cx: &mut Cx<'_>, ack: Seq) {
        let accepted = ack - (self.iss + 1);
        let Some(fast) = self.fast_open.as_mut() else { return };
        fast.accepted = accepted;
        if accepted == 0 {
            return;
        }
        self.iss += accepted;
        self.tx = TxQueue::new(self.iss + 1);
        self.small_sent = self.iss + 1;
        self.totals.bytes_acked += u64::from(accepted);
        cx.w().snd_nxt = self.iss + 1;
        cx.mib.inc(Counter::Delivered);
    }

    /// The SYN opens the subflow at once, with the data it brought; data may leave `early`, before
    /// the handshake is complete. The answer has a cookie if it is `renewed`.
    #[cold]
    pub(crate) fn take_syn(
        &mut self,
        cx: &mut Cx<'_>,
        syn: &Segment,
        early: bool,
        renewed: Option<FastOpen>,
    ) {
        let data = syn.payload.len();
        let option = renewed;
        let opening = FastOpening {
            option,
            data,
            accepted: data,
            early,
            by_syn: true,
            ..FastOpening::default()
        };
        self.fast_open = Some(Box::new(opening));
        self.irs += data;
        self.rx.start_at(self.irs + 1);
        self.totals.bytes_received += u64::from(data);
        self.totals.data_segs_in += u64::from(data > 0);
        cx.mib.inc(Counter::PassiveOpens);
        cx.w().snd_una = self.iss + 1;
        if early {
            cx.w().mss = self.current_mss();
            self.start_congestion_control(cx);
        }
    }

    /// The peer's SYN, as it was numbered.
    pub(super) fn syn_seq(&self) -> Seq {
        let data = self.fast_open.as_ref().map_or(0, |fast| fast.data);
        if self.state == State::SynReceived { Seq(self.irs.0.wrapping_sub(data)) } else { self.irs }
    }

    /// True if data may leave although the handshake is not complete.
    pub(super) fn is_open_early(&self) -> bool {
        self.state == State::SynReceived && self.fast_open.as_ref().is_some_and(|fast| fast.early)
    }

    /// True if the SYN was enough to open it.
    pub(super) fn opened_by_syn(&self) -> bool {
        self.state == State::SynReceived && self.fast_open.as_ref().is_some_and(|it| it.by_syn)
    }

    /// Closes as soon as the handshake is complete.
    #[cold]
    pub(super) fn close_later(&mut self) {
        if let Some(fast) = &mut self.fast_open {
            fast.closing = true;
        }
    }

    /// True if it is to be closed now.
    #[cold]
    pub(super) fn closes_now(&mut self) -> bool {
        self.fast_open.as_mut().is_some_and(|fast| std::mem::take(&mut fast.closing))
    }
}
