//! Middleboxes whose parameters make no sense.

use super::Report;
use super::key::KeyPath;
use crate::scenario::{Action, Middlebox, Only};

/// Reports what is wrong with a middlebox.
pub(super) fn check(middlebox: &Middlebox, key: &KeyPath, report: &mut Report) {
    let action = key.key("action");
    match &middlebox.action {
        Action::Strip { options, .. } if options.is_empty() => {
            let help = "name options, or leave out the key for all of MPTCP's";
            report.invalid(&action.key("options"), "no option is stripped", help);
        }
        Action::Clamp { mss: None, window: None } => {
            report.invalid(&action, "nothing is clamped", "give `mss`, `window` or both");
        }
        Action::Clamp { mss: Some(mss), .. } if *mss < SMALLEST_MSS => {
            let help = format!("write a number from {SMALLEST_MSS}");
            report.invalid(&action.key("mss"), format!("{mss} is too small for an MSS"), help);
        }
        Action::Firewall { drops } if drops.is_empty() => {
            report.invalid(&action.key("drops"), "nothing is dropped", "name what is dropped");
        }
        Action::Hold { delay } if delay.is_zero() => {
            report.invalid(
                &action.key("delay"),
                "nothing is held",
                "write for example `\"50 ms\"`",
            );
        }
        Action::AckProxy { timeout, .. } if timeout.is_zero() => {
            let help = "write for example `\"300 ms\"`";
            report.invalid(&action.key("timeout"), "the proxy never waits", help);
        }
        Action::SplitProxy { buffer: Some(buffer) } if buffer.get() < SMALLEST_BUFFER => {
            let help = format!("write for example `\"{SMALLEST_BUFFER} B\"`, or leave it out");
            report.invalid(&action.key("buffer"), "no segment has room in the proxy", help);
        }
        Action::SplitProxy { .. }
            if middlebox.only != Only { after: middlebox.only.after, ..Only::default() } =>
        {
            let help = "leave out everything but `after`";
            report.invalid(&key.key("only"), "a split proxy takes whole connections", help);
        }
        _ => {}
    }
}

/// What two segments with their overhead take in a receive buffer (`SOCK_MIN_RCVBUF`, doubled).
const SMALLEST_BUFFER: u64 = 4_608;

/// Below this no TCP makes progress worth the name (`TCP_MIN_MSS`).
const SMALLEST_MSS: u16 = 88;
