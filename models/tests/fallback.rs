//! What hosts do when something on the path meddles with MPTCP: one test for each row of a table
//! of situations (RFC 8684 section 3.7 and the kernel's functions named in `models/src/mptcp`),
//! for each line of stacks in [`LINES`].
//!
//! Upload of half a megabyte; the boxes stand on the first or on the second path.

use crate::lab::{CLIENT, Lab, Outcome, Path, SERVER, meddle, path};
use mptcpsim_core::middlebox::Direction;
use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::middlebox::{Filter, Kinds, OptionSet, Replace, Spec};
use mptcpsim_models::mptcp::{MetaState, Mode};
use mptcpsim_models::observe::mib::Counter;
use mptcpsim_models::segment::{Dss, ResetReason, Segment};
use mptcpsim_models::tcp::State;
use mptcpsim_models::wire::Md5Key;

const BYTES: u64 = 500_000;
const UP: Option<Direction> = Some(Direction::Forward);
const DOWN: Option<Direction> = Some(Direction::Reverse);

/// A line of stacks: how its hosts are set up.
struct Line {
    checksum: fn(&mut Lab),
    defects: fn(&mut Lab),
}

const UPSTREAM: Line = Line {
    checksum: |lab| {
        lab.client.sysctl.checksum_enabled = true;
        lab.server.sysctl.checksum_enabled = true;
    },
    defects: |lab| {
        lab.client.sysctl.kernel_defects = true;
        lab.server.sysctl.kernel_defects = true;
    },
};

/// The lines whose reactions are tested.
const LINES: [Line; 1] = [UPSTREAM];

fn one(first: Path) -> Lab {
    Lab::upload(vec![first], BYTES)
}

/// With a second path; the connection lives on it when the first one fails, and the reverse.
fn two(first: Path, second: Path) -> Lab {
    Lab::upload(vec![first, second], 3 * BYTES)
}

fn clear() -> Path {
    path(10, 10)
}

fn filter(direction: Option<Direction>, on: &str) -> Filter {
    Filter { direction, on: Kinds::from_name(on).unwrap(), ..Filter::default() }
}

fn options(name: &str) -> OptionSet {
    OptionSet::from_name(name).unwrap()
}

fn strip(path: Path, filter: Filter, what: &str) -> Path {
    path.middlebox(filter, &Spec::Strip { options: options(what), replace: Replace::Nop })
}

/// From the tenth data segment on, `change` for all mappings that go up.
fn mapped(path: Path, count: Option<u64>, change: fn(&mut Dss)) -> Path {
    let filter = Filter { from: 10, count, options: options("dss"), ..filter(UP, "data") };
    path.own_middlebox(filter, meddle::mappings(change))
}

fn mode(outcome: &Outcome, host: usize) -> Mode {
    let actor = if host == CLIENT { outcome.client() } else { outcome.server() };
    actor.connection().mode()
}

fn assert_intact(outcome: &Outcome, bytes: u64) {
    let ledger = outcome.receiver().app().ledger();
    assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (bytes, 0));
    assert!(ledger.ended_at().is_some());
}

fn assert_counted(outcome: &Outcome, host: usize, counters: &[Counter]) {
    for counter in counters {
        assert!(outcome.counter(host, *counter) > 0, "{}", counter.name());
    }
}

/// Both ends are plain TCP and the data is right.
fn assert_fell_back(outcome: &Outcome, client: &[Counter], server: &[Counter]) {
    assert_ne!(mode(outcome, CLIENT), Mode::Mptcp);
    assert_ne!(mode(outcome, SERVER), Mode::Mptcp);
    assert_counted(outcome, CLIENT, client);
    assert_counted(outcome, SERVER, server);
    assert_intact(outcome, BYTES);
}

/// The subflow `index` was reset, the connection is MPTCP, and the data is right.
fn assert_reset(outcome: &Outcome, index: usize, reason: Option<ResetReason>) {
    let client = outcome.client().connection();
    assert_eq!((mode(outcome, CLIENT), mode(outcome, SERVER)), (Mode::Mptcp, Mode::Mptcp));
    assert_eq!(client.subflow(index).unwrap().state(), State::Closed);
    if reason.is_some() {
        let reset = client.subflow_statistics(index).unwrap().reset_reason;
        assert_eq!(reset, reason);
    }
    assert_intact(outcome, 3 * BYTES);
}

fn run(lab: Lab, setting: fn(&mut Lab)) -> Outcome {
    lab.with(setting).run(15)
}

const PLAIN: fn(&mut Lab) = |_| {};

#[test]
fn row_01_syn_ack_without_mp_capable() {
    for _ in LINES {
        let outcome = run(one(strip(clear(), filter(DOWN, "syn-ack"), "mp_capable")), PLAIN);
        assert_fell_back(&outcome, &[Counter::MpCapableFallbackSynAck], &[]);
    }
}

#[test]
fn row_02_syn_ack_with_another_version() {
    let other_version = |segment: &mut Segment| {
        if let Some(capable) = &mut segment.rare_mut().mp_capable {
            capable.version = 0;
        }
    };
    for _ in LINES {
        let path = clear().own_middlebox(filter(DOWN, "syn-ack"), meddle::segments(other_version));
        let outcome = run(one(path), PLAIN);
        assert_fell_back(&outcome, &[Counter::MpCapableFallbackSynAck], &[]);
    }
}

#[test]
fn row_03_the_option_of_the_syn_comes_back_in_the_syn_ack() {
    for _ in LINES {
        for strip_syn in [true, false] {
            let echo = Spec::Echo { strip_syn, invent_key: false };
            let outcome = run(one(clear().middlebox(Filter::default(), &echo)), PLAIN);
            assert_fell_back(&outcome, &[Counter::MpCapableFallbackSynAck], &[]);
        }
        // With a key the echo looks like an answer: the first acknowledgement of data shows it.
        let echo = Spec::Echo { strip_syn: true, invent_key: true };
        let outcome = run(one(clear().middlebox(Filter::default(), &echo)), PLAIN);
        assert_fell_back(&outcome, &[Counter::MpCapableDataFallback], &[]);
    }
}

#[test]
fn row_04_the_last_syn_decides() {
    for _ in LINES {
        let first = Filter { count: Some(1), ..filter(UP, "syn") };
        let path = clear().middlebox(first, &Spec::Drop);
        let outcome = run(one(strip(path, filter(UP, "syn"), "mp_capable")), PLAIN);
        assert_fell_back(&outcome, &[Counter::MpCapableFallbackSynAck], &[]);
        assert_eq!(mode(&outcome, SERVER), Mode::Plain);
    }
}

#[test]
fn row_05_third_ack_without_mp_capable() {
    for _ in LINES {
        let outcome = run(one(strip(clear(), filter(UP, "not-syn"), "mp_capable")), PLAIN);
        let server = [Counter::MpCapableFallbackAck];
        assert_fell_back(&outcome, &[Counter::MpCapableDataFallback], &server);
    }
}

#[test]
fn row_06_syns_with_mp_capable_vanish() {
    for _ in LINES {
        let with = Filter { options: options("mp_capable"), ..filter(UP, "syn") };
        let outcome = run(one(clear().middlebox(with, &Spec::Drop)), PLAIN);
        let client = [Counter::MpCapableSynTxDrop, Counter::Blackhole];
        assert_fell_back(&outcome, &client, &[]);
        let took = outcome.completion().as_secs_f64();
        assert!((3.0..4.0).contains(&took), "{took}");
    }
}

#[test]
fn row_07_first_acknowledgement_of_data_without_dss() {
    for line in LINES {
        for setting in [PLAIN, line.checksum, line.defects] {
            let outcome = run(one(strip(clear(), filter(DOWN, "not-syn"), "mptcp")), setting);
            let client = [Counter::MpCapableDataFallback];
            assert_fell_back(&outcome, &client, &[Counter::DssFallback]);
        }
        let joined = strip(clear(), filter(DOWN, "not-syn"), "mptcp");
        assert_reset(&run(two(clear(), joined), PLAIN), 1, None);
    }
}

#[test]
fn row_08_first_data_without_dss() {
    for line in LINES {
        for setting in [PLAIN, line.checksum] {
            let outcome = run(one(strip(clear(), filter(UP, "not-syn"), "dss")), setting);
            assert_fell_back(&outcome, &[], &[Counter::DssFallback]);
        }
        let joined = strip(clear(), filter(UP, "data"), "dss");
        let reason = Some(ResetReason::MIDDLEBOX);
        assert_reset(&run(two(clear(), joined), PLAIN), 1, reason);
    }
}

#[test]
fn row_10_options_vanish_in_mid_connection() {
    let later = Filter { after: Time::ZERO + Span::from_ms(150), ..filter(None, "not-syn") };
    for line in LINES {
        for setting in [PLAIN, line.checksum] {
            let outcome = run(one(strip(clear(), later.clone(), "mptcp")), setting);
            assert_fell_back(&outcome, &[], &[Counter::DssFallback]);
        }
        // Linux: the client does not notice, and its repetitions arrive as new bytes.
        let outcome = run(one(strip(clear(), later.clone(), "mptcp")), line.defects);
        assert_eq!(mode(&outcome, CLIENT), Mode::Mptcp);
        assert!(outcome.receiver().app().ledger().wrong_bytes() > 0);
        for setting in [PLAIN, line.checksum, line.defects] {
            let joined = strip(clear(), later.clone(), "mptcp");
            assert_reset(&run(two(clear(), joined), setting), 1, None);
            let first = strip(clear(), later.clone(), "mptcp");
            assert_reset(&run(two(first, clear()), setting), 0, None);
        }
    }
}

#[test]
fn row_11_one_segment_of_a_mapping_without_dss() {
    let one_segment = Filter { from: 5, count: Some(1), ..filter(UP, "data") };
    for line in LINES {
        for setting in [PLAIN, line.checksum] {
            let outcome = run(one(strip(clear(), one_segment.clone(), "dss")), setting);
            assert_eq!(mode(&outcome, CLIENT), Mode::Mptcp);
            assert_eq!(mode(&outcome, SERVER), Mode::Mptcp);
            assert_intact(&outcome, BYTES);
        }
    }
}

#[test]
fn row_12_a_mapping_of_other_bytes_of_the_subflow() {
    for _ in LINES {
        let shifted = |dss: &mut Dss| dss.ssn += 1_000_000;
        let outcome = run(one(mapped(clear(), None, shifted)), PLAIN);
        assert_counted(&outcome, SERVER, &[Counter::DssFallback]);
        assert_intact(&outcome, BYTES);
        let outcome = run(two(clear(), mapped(clear(), None, shifted)), PLAIN);
        assert_reset(&outcome, 1, Some(ResetReason::MPTCP));
    }
}

#[test]
fn row_13_a_mapping_that_ends_inside_its_segment() {
    for line in LINES {
        let shorter = |dss: &mut Dss| dss.len -= 100;
        let outcome = run(one(mapped(clear(), None, shorter)), PLAIN);
        assert_intact(&outcome, BYTES);
        let outcome = run(two(clear(), mapped(clear(), None, shorter)), line.defects);
        assert_reset(&outcome, 1, Some(ResetReason::MPTCP));
    }
}

#[test]
fn row_14_a_mapping_that_differs_from_the_active_one() {
    for _ in LINES {
        let other = |dss: &mut Dss| dss.dsn += 1;
        let outcome = run(one(mapped(clear(), Some(1), other)), PLAIN);
        assert_counted(&outcome, SERVER, &[Counter::DssNotMatching, Counter::DssFallback]);
        assert_intact(&outcome, BYTES);
    }
}

#[test]
fn row_15_a_mapping_that_lies_before_its_segment() {
    for _ in LINES {
        let stale = |dss: &mut Dss| dss.ssn = 1;
        let outcome = run(one(mapped(clear(), None, stale)), PLAIN);
        assert_counted(&outcome, SERVER, &[Counter::DssFallback]);
        assert_intact(&outcome, BYTES);
        let outcome = run(two(clear(), mapped(clear(), None, stale)), PLAIN);
        assert_reset(&outcome, 1, Some(ResetReason::MPTCP));
    }
}

#[test]
fn rows_16_and_17_checksums_against_what_was_agreed() {
    for line in LINES {
        let without = |dss: &mut Dss| dss.checksummed = false;
        let outcome = run(one(mapped(clear(), None, without)), line.checksum);
        assert_counted(&outcome, SERVER, &[Counter::DssFallback]);
        let with = |dss: &mut Dss| dss.checksummed = true;
        let outcome = run(one(mapped(clear(), None, with)), PLAIN);
        assert_counted(&outcome, SERVER, &[Counter::DssFallback]);
        let outcome = run(two(clear(), mapped(clear(), None, with)), PLAIN);
        assert_reset(&outcome, 1, Some(ResetReason::MPTCP));
    }
}

#[test]
fn rows_18_and_21_wrong_checksum_with_another_subflow() {
    let corrupt = Spec::Corrupt { at: 100_000, stride: 0, bytes: 1 };
    for line in LINES {
        for bad in [0, 1] {
            let mut paths = [clear(), clear()];
            paths[bad] = clear().middlebox(filter(UP, "data"), &corrupt);
            let [first, second] = paths;
            let outcome = run(two(first, second), line.checksum);
            assert_reset(&outcome, bad, Some(ResetReason::MIDDLEBOX));
            assert_counted(&outcome, SERVER, &[Counter::DataCsumErr, Counter::MpFailTx]);
            assert_counted(&outcome, CLIENT, &[Counter::MpFailRx]);
        }
        // Without checksums nobody notices.
        let second = clear().middlebox(filter(UP, "data"), &corrupt);
        let outcome = run(two(clear(), second), PLAIN);
        assert_eq!(outcome.receiver().app().ledger().wrong_bytes(), 1);
    }
}

#[test]
fn rows_19_and_20_wrong_checksum_on_the_only_subflow() {
    for line in LINES {
        let corrupt = Spec::Corrupt { at: 200_000, stride: 0, bytes: 1 };
        let bad = || clear().middlebox(filter(UP, "data"), &corrupt);
        let outcome = run(one(bad()), line.checksum);
        assert_counted(&outcome, SERVER, &[Counter::DataCsumErr, Counter::MpFailTx]);
        assert_counted(&outcome, CLIENT, &[Counter::MpFailRx, Counter::MpFailTx]);
        assert_eq!(mode(&outcome, CLIENT), Mode::FellBack(Counter::InfiniteMapTx));
        let ledger = outcome.receiver().app().ledger();
        assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (BYTES, 1));
        assert!(ledger.ended_at().is_some());
        // Linux 6.18 sends segments that are too long for its own IP layer, and stops.
        let lab = one(bad()).with(line.checksum);
        let outcome = run(lab, line.defects);
        assert!(outcome.receiver().app().ledger().bytes() < BYTES);
    }
}

#[test]
fn row_19_the_first_checksum_is_wrong() {
    for line in LINES {
        let corrupt = Spec::Corrupt { at: 5_000, stride: 0, bytes: 1 };
        let outcome = run(one(clear().middlebox(filter(UP, "data"), &corrupt)), line.checksum);
        assert_counted(&outcome, SERVER, &[Counter::DataCsumErr, Counter::DssFallback]);
        assert_eq!(outcome.counter(SERVER, Counter::MpFailTx), 0);
        let ledger = outcome.receiver().app().ledger();
        assert_eq!((ledger.bytes(), ledger.wrong_bytes()), (BYTES, 1));
    }
}

#[test]
fn row_22_an_infinite_mapping() {
    for _ in LINES {
        let infinite = |dss: &mut Dss| dss.len = 0;
        let outcome = run(one(mapped(clear(), None, infinite)), PLAIN);
        assert_counted(&outcome, SERVER, &[Counter::InfiniteMapRx, Counter::DssFallback]);
        assert_intact(&outcome, BYTES);
    }
}

#[test]
fn row_23_a_join_to_a_connection_that_fell_back() {
    for line in LINES {
        let late = Spec::Hold { delay: Span::from_ms(300) };
        let second = clear().middlebox(filter(UP, "syn"), &late);
        let later = Filter { after: Time::ZERO + Span::from_ms(100), ..filter(None, "not-syn") };
        let outcome = run(two(strip(clear(), later, "mptcp"), second), line.defects);
        assert!(matches!(mode(&outcome, SERVER), Mode::FellBack(_)));
        assert_counted(&outcome, SERVER, &[Counter::MpRstTx]);
        let client = outcome.client().connection();
        assert_eq!(client.subflow(1).unwrap().state(), State::Closed);
    }
}

/// TCP MD5 signatures: one end has the first key, the other one the second.
fn signed(keys: [Option<&str>; 2]) -> Outcome {
    let mut lab = one(clear());
    let key = |text: Option<&str>| text.and_then(|text| Md5Key::new(text.as_bytes()));
    lab.options.md5_key = key(keys[0]);
    lab.server_options.md5_key = key(keys[1]);
    run(lab, PLAIN)
}

#[test]
fn row_24_signed_segments_are_plain_tcp() {
    for _ in LINES {
        let outcome = signed([Some("secret"), Some("secret")]);
        assert_eq!(mode(&outcome, CLIENT), Mode::FellBack(Counter::Md5SigFallback));
        assert_fell_back(&outcome, &[Counter::Md5SigFallback], &[]);
        let negotiated = outcome.client().connection().subflow(0).unwrap().negotiated();
        assert!(negotiated.sack && !negotiated.timestamps);
    }
}

#[test]
fn row_24_a_listening_socket_with_a_key() {
    for _ in LINES {
        let outcome = signed([None, Some("secret")]);
        assert_counted(&outcome, SERVER, &[Counter::Md5NotFound]);
        let outcome = signed([Some("secret"), None]);
        assert_counted(&outcome, SERVER, &[Counter::Md5Unexpected]);
        let outcome = signed([Some("secret"), Some("other")]);
        assert_counted(&outcome, SERVER, &[Counter::Md5Failure]);
        assert_eq!(outcome.client().connection().state(), MetaState::Opening);
    }
}

#[test]
fn row_25_segments_joined_across_mappings() {
    let join = || {
        let hold = Span::from_us(2_500);
        clear()
            .middlebox(filter(UP, "any"), &Spec::Coalesce { hold, same_options: false, parts: 2 })
    };
    for line in LINES {
        let outcome = run(one(join()), PLAIN);
        assert_intact(&outcome, BYTES);
        let outcome = run(one(join()), line.defects);
        assert_counted(&outcome, SERVER, &[Counter::DssCorruptionFallback]);
        let outcome = run(two(clear(), join()), PLAIN);
        assert_counted(&outcome, SERVER, &[Counter::DssCorruptionReset]);
        assert_reset(&outcome, 1, None);
    }
}
