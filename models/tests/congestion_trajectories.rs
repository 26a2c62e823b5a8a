//! Trajectories of the out-of-tree kernel's own algorithms, compared in every row and column.
//!
//! `data/congestion` holds lists of events and what the kernel's code made of them: S1 two equal
//! paths, S2 paths of 10 and 100 ms, S6 delays that rise and fall as of a filling queue.

use std::path::PathBuf;

use mptcpsim_models::congestion::replay::{Event, EventKind, Replay};
use mptcpsim_models::congestion::{Congestion, Name};

fn rows(file: &str) -> Vec<csv::StringRecord> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/congestion");
    let mut reader = csv::Reader::from_path(folder.join(file)).unwrap();
    reader.records().map(Result::unwrap).collect()
}

fn event(row: &csv::StringRecord) -> Event {
    let number = |column: usize| row[column].parse::<i64>().unwrap();
    let rtt_us = u32::try_from(number(5)).ok();
    let kind = match &row[3] {
        "JOIN" => EventKind::Join { rtt_us: rtt_us.filter(|&rtt_us| rtt_us > 0) },
        "ACK" => EventKind::Ack {
            acked: number(4).try_into().unwrap(),
            rtt_us,
            cwnd_limited: number(6) != 0,
        },
        "LOSS" => EventKind::Loss,
        "RECOVERED" => EventKind::Recovered,
        other => panic!("unknown event {other}"),
    };
    let at_us = number(1).try_into().unwrap();
    Event { at_us, subflow: number(2).try_into().unwrap(), kind }
}

/// A row as the trajectories have it.
fn row(index: usize, replay: &Replay, subflow: u32) -> Vec<String> {
    let window = replay.window(subflow).unwrap();
    let internals = replay.internals(subflow).unwrap();
    let mut row = vec![
        index.to_string(),
        subflow.to_string(),
        (window.ca_state as u8).to_string(),
        window.cwnd.to_string(),
        window.ssthresh.to_string(),
        window.cwnd_cnt.to_string(),
        window.srtt_us.to_string(),
        replay.acknowledged(subflow).unwrap().to_string(),
    ];
    row.extend((0..2).map(|i| internals.get(i).unwrap().1.to_string()));
    row
}

#[test]
fn every_row_equals_the_kernels() {
    for sequence in ["S1", "S2", "S6"] {
        let events = rows(&format!("events_{sequence}.csv"));
        for name in [Name::Lia, Name::Olia, Name::Balia, Name::Wvegas] {
            let expected = rows(&format!("traj_{sequence}_{}.csv", name.name()));
            assert_eq!(events.len(), expected.len());
            let mut replay = Replay::new(Congestion::new(name)).unwrap();
            for (index, (line, expected)) in events.iter().zip(&expected).enumerate() {
                let event = event(line);
                replay.step(&event).unwrap();
                let row = row(index, &replay, event.subflow);
                assert_eq!(row, expected.iter().collect::<Vec<_>>(), "{sequence} {name:?}");
            }
        }
    }
}
