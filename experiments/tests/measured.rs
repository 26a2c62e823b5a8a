//! The simulation beside what was measured on real kernels (`measured/`).
//!
//! What misses its tolerance stands in `misses.csv` with its cause. The tests fail on a miss that is not listed
//! and on a listed one that agrees by now. `mptcpsim validate --measured linux-6.18` prints everything.

use mptcpsim::validate::reference::REFERENCES;
use rayon::prelude::*;

fn assert_as_listed(name: &str) {
    let reference = REFERENCES.iter().find(|reference| reference.name == name).unwrap();
    let scenarios = reference.scenarios().unwrap();
    let compared = scenarios.par_iter().map(|measured| (measured, measured.compare().unwrap()));
    let (mut unlisted, mut stale) = (Vec::new(), Vec::new());
    for (measured, rows) in compared.collect::<Vec<_>>() {
        stale.extend(measured.stale(&rows).map(|metric| format!("{},{metric}", measured.name)));
        unlisted.extend(rows.into_iter().filter(|row| !row.agrees && row.cause.is_none()));
    }
    assert!(unlisted.is_empty() && stale.is_empty(), "misses: {unlisted:#?}\nagree: {stale:#?}");
}

#[test]
fn the_simulation_agrees_with_linux_6_18_where_no_miss_is_listed() {
    assert_as_listed("linux-6.18");
}

#[test]
fn the_simulation_agrees_with_v0_94_where_no_miss_is_listed() {
    assert_as_listed("mptcp-0.94.7");
}
