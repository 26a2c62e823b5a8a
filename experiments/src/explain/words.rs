//! An explanation as a table and in words.

use mptcpsim_core::time::Span;

use super::{Explanation, Holdup, PathTimes};

/// What takes less of the time than this is not worth a sentence.
const WORTH_SAYING: f64 = 0.02;
/// Packets are this long, in bits.
const PACKET: f64 = 12_000.0;

/// What there is to say if nothing else is.
pub(crate) const ALL_BUSY: &str = "Every path was busy: only faster links would help.";

impl Explanation {
    /// The explanation for people to read.
    pub fn text(&self) -> String {
        let mut text = self.headline();
        text += &self.table();
        let sentences = self.sentences();
        if sentences.is_empty() {
            text += &format!("\n{ALL_BUSY}\n");
        } else {
            text += "\nWhy it was no faster, the greatest loss first:\n";
        }
        for sentence in sentences {
            text += &format!("- {sentence}\n");
        }
        text
    }

    /// The name of the flow, with the sender where both directions are explained.
    pub fn title(&self) -> String {
        if self.both { format!("{} from {}", self.flow, self.sender) } else { self.flow.clone() }
    }

    /// What was transferred how fast, and what would have been possible.
    pub(crate) fn headline(&self) -> String {
        let mut text = format!(
            "{}: {} in {:.3} s, {}",
            self.title(),
            bytes(self.bytes as f64),
            self.time.as_secs_f64(),
            rate(self.goodput_bps)
        );
        if let Some(possible) = self.possible_bps {
            let part = 100.0 * self.goodput_bps / possible;
            let best = 8.0 * self.bytes as f64 / possible;
            text += &format!(
                "\n  its paths carry {}: {part:.0} % of that was used; at best it takes {best:.3} s",
                rate(possible)
            );
        }
        if let Some(theory) = self.theory_bps {
            text +=
                &format!("\n  the fluid model of its congestion control gives {}", rate(theory));
        }
        text + "\n\n"
    }

    /// How much of the time of each path went into what.
    fn table(&self) -> String {
        let mut text = format!("  {:<22}", "of the time");
        for path in &self.paths {
            text += &format!("{:>14}", path.path);
        }
        text.push('\n');
        for holdup in Holdup::ALL {
            let shares = self.paths.iter().map(|path| self.share(path, holdup)).collect::<Vec<_>>();
            if shares.iter().any(|share| *share >= 0.0005) {
                text += &format!("  {:<22}", holdup.name());
                for share in shares {
                    text += &format!("{:>12.1} %", 100.0 * share);
                }
                text.push('\n');
            }
        }
        text
    }

    /// The part of the time that a path spent so.
    pub(crate) fn share(&self, path: &PathTimes, holdup: Holdup) -> f64 {
        let all = self.time.as_secs_f64();
        if all > 0.0 { path.time(holdup).as_secs_f64() / all } else { 0.0 }
    }

    /// A sentence for each path and holdup that cost much, those that cost most data first.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for path in &self.paths {
            for holdup in Holdup::ALL {
                let share = self.share(path, holdup);
                if holdup == Holdup::LinkBusy || share < WORTH_SAYING {
                    continue;
                }
                let cost = share * path.capacity_bps.unwrap_or(1.0);
                found.push((cost, self.sentence(path, holdup)));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.into_iter().map(|(_, sentence)| sentence).collect()
    }

    fn sentence(&self, path: &PathTimes, holdup: Holdup) -> String {
        let (name, time) = (&path.path, seconds(path.time(holdup)));
        match holdup {
            Holdup::LinkBusy => format!("{name} was busy for {time}"),
            Holdup::NoSubflow => format!("{name} had no subflow for {time}"),
            Holdup::PathDown => format!("{name} was down or taken for dead for {time}"),
            Holdup::Timeout => format!(
                "{name} spent {time} in timeouts: {} lost, and nothing came back that told so earlier",
                packets(path.losses)
            ),
            Holdup::Recovery => {
                format!("{name} spent {time} repairing losses ({} lost)", packets(path.losses))
            }
            Holdup::CongestionWindow => self.congestion_window(path, &time),
            Holdup::Application => {
                format!("{name} was idle for {time}: the application had written nothing more")
            }
            Holdup::LastData => {
                format!("{name} was idle for {time} while the last data was under way elsewhere")
            }
            Holdup::SendBuffer => format!(
                "{name} was idle for {time}: the send buffer was full of data not yet acknowledged"
            ),
            Holdup::HeadOfLine => self.head_of_line(path, &time),
            Holdup::ReceiveWindow => {
                format!("{name} was idle for {time}: the receive window was full{}", self.buffer())
            }
            Holdup::Backup => format!("{name} was idle for {time}: it is a backup"),
            Holdup::Scheduler => format!(
                "{name} was idle for {time}: it could have taken data, but the scheduler {} kept it \
                 for another path",
                self.scheduler
            ),
        }
    }

    fn congestion_window(&self, path: &PathTimes, time: &str) -> String {
        let mut text = format!("{} was idle for {time} with its congestion window full", path.path);
        if let (Some(window), Some(rtt), Some(capacity)) =
            (path.window(), path.rtt_s(), path.capacity_bps)
        {
            let needed = capacity * rtt / PACKET;
            text += &format!(
                ": {window:.0} packets on average, and {} x {:.0} ms take {needed:.0}",
                rate(capacity),
                1e3 * rtt
            );
        }
        match path.losses {
            0 => text + "; it was still growing",
            lost => text + &format!("; {} lost made it smaller", packets(lost)),
        }
    }

    fn head_of_line(&self, path: &PathTimes, time: &str) -> String {
        let culprit = path.waited_for.iter().max_by_key(|(_, span)| **span);
        let culprit = culprit.and_then(|(number, _)| self.paths.get(*number));
        let sent_over = match culprit {
            Some(culprit) if culprit.path == path.path => "older data on the same path".to_owned(),
            Some(culprit) => format!("data sent over {}", culprit.path),
            None => "data that is late".to_owned(),
        };
        format!(
            "the connection waited {time} for {sent_over} while {} was idle{}",
            path.path,
            self.buffer()
        )
    }

    /// The receive buffer beside what it takes to keep all paths busy.
    fn buffer(&self) -> String {
        let known = self.paths.iter().filter_map(|path| Some((path.capacity_bps?, path.rtt_s()?)));
        let known = known.collect::<Vec<_>>();
        let rates = known.iter().map(|(rate, _)| rate).sum::<f64>();
        let rtt = known.iter().map(|(_, rtt)| *rtt).fold(0.0, f64::max);
        let (needed, has) = (rates * rtt / 8.0, self.receive_buffer.get() as f64);
        if needed <= 0.0 {
            return String::new();
        }
        let sum = known.iter().map(|(rate, _)| format!("{:.1}", rate / 1e6)).collect::<Vec<_>>();
        let sum = match sum.as_slice() {
            [one] => format!("{one} Mbit/s"),
            several => format!("({}) Mbit/s", several.join(" + ")),
        };
        let than = if has < needed { "less than" } else { "more than" };
        let product = format!("{sum} x {:.0} ms = {}", 1e3 * rtt, bytes(needed));
        format!(": the receive buffer of {} is {than} {product}", bytes(has))
    }
}

fn seconds(span: Span) -> String {
    format!("{:.2} s", span.as_secs_f64())
}

fn packets(count: u64) -> String {
    if count == 1 { "1 packet".to_owned() } else { format!("{count} packets") }
}

fn rate(bps: f64) -> String {
    format!("{:.1} Mbit/s", bps / 1e6)
}

fn bytes(count: f64) -> String {
    match count {
        large if large >= 1e6 => format!("{:.1} MB", large / 1e6),
        small => format!("{:.0} KB", small / 1e3),
    }
}
