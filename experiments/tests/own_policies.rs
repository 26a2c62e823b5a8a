//! Applications and middleboxes of one's own take the place of those of a scenario.

use std::error::Error;

use mptcpsim::build::Policies;
use mptcpsim::check::{Notation, Source, check};
use mptcpsim::plan::{FlowPlan, MiddleboxPlan};
use mptcpsim::run::{Outcome, run_with};
use mptcpsim_core::middlebox::Emit;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::Bytes;
use mptcpsim_models::app::{AppAction, AppEvent, AppSpec, AppView, Program};
use mptcpsim_models::host::Packet;
use mptcpsim_models::middlebox::{Effect, Middlebox, Sight, reset};
use mptcpsim_models::mptcp::SocketOptions;

const SCENARIO: &str = r#"
duration = "10 s"
[links.wire]
rate = "10 Mbit/s"
delay = "10 ms"
[middleboxes.box]
action = { kind = "strip" }
only = { on = ["syn"] }
[hosts.a]
addresses = { eth0 = "10.0.0.1" }
[hosts.b]
addresses = { eth0 = "10.0.0.2" }
[[paths]]
between = ["a.eth0", "b.eth0"]
via = ["wire", "box"]
[[flows]]
from = "a"
to = "b"
app = { kind = "bulk", bytes = "1 MB" }
"#;

/// Writes messages at a distance, then closes; the other end answers the end of the stream with its own.
#[derive(Clone, Debug)]
struct Messages {
    left: u32,
    due: Time,
}

impl Program for Messages {
    fn on_event(&mut self, event: AppEvent, view: &AppView, actions: &mut Vec<AppAction>) {
        match event {
            AppEvent::Ended if !view.client => actions.push(AppAction::Close),
            AppEvent::Established | AppEvent::Timer if view.client => {
                actions.push(AppAction::Write(Bytes::new(1_000)));
                self.left -= 1;
                self.due = view.now + Span::from_ms(100);
                if self.left == 0 {
                    self.due = Time::NEVER;
                    actions.push(AppAction::Close);
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Time {
        self.due
    }
}

/// Lets everything through, or resets everything.
#[derive(Clone, Copy, Debug)]
struct Gate {
    open: bool,
}

impl Middlebox for Gate {
    fn kind(&self) -> &'static str {
        "gate"
    }

    fn on_packet(&mut self, sight: &Sight, packet: Packet, out: &mut Emit<Packet>) -> Effect {
        if self.open {
            out.forward(sight.passage, packet);
            return Effect::None;
        }
        if let Some(reset) = reset(&packet) {
            out.back(sight.passage, reset);
        }
        Effect::Answered
    }

    fn clone_box(&self) -> Box<dyn Middlebox> {
        Box::new(*self)
    }
}

struct Own {
    gate: Gate,
}

impl Policies for Own {
    fn socket(&mut self, _flow: &FlowPlan, _options: &mut SocketOptions) {}

    fn apps(&mut self, _flow: &FlowPlan) -> Option<(AppSpec, AppSpec)> {
        let messages = || AppSpec::Custom(Box::new(Messages { left: 5, due: Time::NEVER }));
        Some((messages(), messages()))
    }

    fn middlebox(&mut self, plan: &MiddleboxPlan) -> Option<Box<dyn Middlebox>> {
        assert_eq!(plan.name, "box");
        Some(Box::new(self.gate))
    }
}

fn outcome(open: bool) -> Result<Outcome, Box<dyn Error>> {
    let plan = check(&Source::new("test", SCENARIO, Notation::Toml), &[])?;
    Ok(run_with(&plan, &mut Own { gate: Gate { open } }, None, &mut |_| ())?)
}

#[test]
fn a_program_writes_when_it_is_due() {
    let outcome = outcome(true).unwrap();
    let summary = &outcome.tables.summary[0];
    assert_eq!(summary.bytes, 5_000);
    assert_eq!(summary.fallback, "", "the box that strips options is not there");
    let end = outcome.end.as_secs_f64();
    assert!((0.4..0.6).contains(&end), "five messages, a tenth of a second apart: {end} s");
}

#[test]
fn a_box_answers_in_the_name_of_the_server() {
    let outcome = outcome(false).unwrap();
    assert_eq!(outcome.tables.summary[0].bytes, 0);
    assert!(outcome.end.as_secs_f64() < 0.1);
}
