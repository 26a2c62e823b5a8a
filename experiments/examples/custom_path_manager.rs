//! A path manager of one's own: a second subflow is opened only if the transfer takes longer than a second.
//!
//! `cargo run --release --example custom_path_manager`

use std::error::Error;

use mptcpsim::check::{Notation, Source, check};
use mptcpsim::run::run_with;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::path_manager::{
    AnyPathManager, PathAction, PathEvent, PathManager, PathsView,
};

const SCENARIO: &str = r#"
    paths = [{ rate = "10 Mbit/s", delay = "20 ms" }, { rate = "10 Mbit/s", delay = "20 ms" }]
    flows = [{ app = { kind = "bulk", bytes = "5 MB" } }]
"#;

#[derive(Clone, Debug)]
struct Patient(Time);

impl PathManager for Patient {
    fn on_event(&mut self, event: PathEvent, view: &PathsView<'_>, actions: &mut Vec<PathAction>) {
        self.0 = Time::NEVER;
        let Some(first) = view.subflows.first().filter(|_| view.client) else { return };
        match event {
            PathEvent::FullyEstablished => self.0 = view.now + Span::from_secs(1),
            PathEvent::Timer => actions.extend(view.addresses.get(1).map(|&local| {
                let (remote, remote_id, backup, source_route) = (first.remote, 0, false, None);
                PathAction::Open { local, local_id: 1, remote, remote_id, backup, source_route }
            })),
            _ => {}
        }
    }

    fn due(&self) -> Time {
        self.0
    }
}

/// The subflows of a transfer of so many bytes.
fn subflows(bytes: &str) -> Result<usize, Box<dyn Error>> {
    let scenario = SCENARIO.replace("5 MB", bytes);
    let plan = check(&Source::new("example", &scenario, Notation::Toml), &[])?;
    let policies = &mut |_: &_, socket: &mut mptcpsim_models::mptcp::SocketOptions| {
        socket.path_manager = Some(AnyPathManager::custom(Patient(Time::NEVER)));
    };
    Ok(run_with(&plan, policies, None, &mut |_| ())?.tables.subflows.len())
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("subflows of 5 MB: {}, of 100 KB: {}", subflows("5 MB")?, subflows("100 KB")?);
    Ok(())
}

#[test]
fn only_long_transfers_get_a_second_subflow() {
    assert_eq!((subflows("5 MB").unwrap(), subflows("100 KB").unwrap()), (2, 1));
}
