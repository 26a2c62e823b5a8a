//! The table at the end of a run.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use mptcpsim::results::{Manifest, SubflowRow, SummaryRow, Tables};

/// More rows than fit on a screen; the rest stands in the CSV files.
const MOST_ROWS: usize = 20;

/// What a run found out, for people.
pub(super) fn text(manifest: &Manifest, tables: &Tables, folder: &str) -> String {
    let mut text = format!(
        "{}, seed {}: {} simulated\n\n",
        manifest.name,
        manifest.seed,
        seconds(manifest.simulated_s)
    );
    text.push_str(&connections(&tables.summary));
    text.push_str(&all_flows(manifest));
    text.push('\n');
    text.push_str(&subflows(&tables.subflows));
    let speed = manifest.packet_hops as f64 / manifest.wall_s.max(1e-9);
    text.push_str(&format!("\ndigest  {}\n", manifest.digest));
    text.push_str(&format!(
        "speed   {} packet-hops per second ({} in {})\n",
        scaled(speed, ""),
        manifest.packet_hops,
        seconds(manifest.wall_s)
    ));
    text.push_str(&format!("files   {folder}\n"));
    text
}

fn connections(rows: &[SummaryRow]) -> String {
    let heads = ["flow", "way", "bytes", "time", "goodput", "retransmitted", "reinjected", "state"];
    let mut table = table(&heads, 2..7);
    for row in rows.iter().take(MOST_ROWS) {
        table.add_row([
            row.flow.clone(),
            format!("{} > {}, {}", row.from, row.to, row.kind),
            scaled(row.bytes as f64, "B"),
            row.completion_s.map_or("-".to_owned(), seconds),
            scaled(row.goodput_bps, "bit/s"),
            format!("{} packets", row.retransmitted_packets),
            scaled(row.reinjected_bytes as f64, "B"),
            state(row),
        ]);
    }
    finished(&table, rows.len(), "summary.csv")
}

/// What several connections have together.
fn all_flows(manifest: &Manifest) -> String {
    let known = |name: &str| manifest.all_flows.get(name).copied();
    let (Some(sum), Some(fairness), true) =
        (known("goodput_sum_bps"), known("jain_index"), manifest.flows > 1)
    else {
        return String::new();
    };
    let mut text = format!(
        "all {} together: {}, Jain's index {fairness:.3}",
        manifest.flows,
        scaled(sum, "bit/s")
    );
    if let (Some(median), Some(p99)) = (known("completion_p50_s"), known("completion_p99_s")) {
        text += &format!(", time {} at the median, {} at p99", seconds(median), seconds(p99));
    }
    text + "\n"
}

/// What became of a connection.
fn state(row: &SummaryRow) -> String {
    let protocol = match (row.protocol.as_str(), row.fallback.as_str()) {
        ("tcp", _) => "TCP".to_owned(),
        (_, "") => "MPTCP".to_owned(),
        (_, why) => format!("fell back to TCP: {why}"),
    };
    let end = match (row.complete, row.intact) {
        (_, false) => ", DATA CORRUPTED",
        (true, true) => "",
        (false, true) => ", not finished",
    };
    protocol + end
}

fn subflows(rows: &[SubflowRow]) -> String {
    let heads = [
        "subflow",
        "path",
        "sender",
        "share",
        "goodput",
        "srtt",
        "losses",
        "retransmitted",
        "reinjected",
    ];
    let mut table = table(&heads, 3..9);
    for row in rows.iter().take(MOST_ROWS) {
        table.add_row([
            format!("{}.{}", row.flow, row.subflow),
            row.path.clone(),
            row.sender.clone(),
            row.share.map_or("-".to_owned(), |share| format!("{:.1} %", 100.0 * share)),
            row.goodput_bps.map_or("-".to_owned(), |rate| scaled(rate, "bit/s")),
            row.srtt_ms.map_or("-".to_owned(), |ms| format!("{ms:.1} ms")),
            row.losses.map_or("-".to_owned(), |losses| format!("{losses} packets")),
            format!("{} packets", row.retransmissions),
            row.reinjected_bytes.map_or("-".to_owned(), |bytes| scaled(bytes as f64, "B")),
        ]);
    }
    finished(&table, rows.len(), "subflows.csv")
}

/// A table with the columns of `numbers` to the right.
pub(super) fn table(heads: &[&str], numbers: std::ops::Range<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(heads);
    for column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

pub(super) fn finished(table: &Table, rows: usize, file: &str) -> String {
    let text = table.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
    match rows.saturating_sub(MOST_ROWS) {
        0 => text,
        more => format!("{text}... and {more} more in {file}\n"),
    }
}

/// A number in the unit that shows it with three digits.
pub(super) fn scaled(value: f64, unit: &str) -> String {
    let (size, prefix) = match value {
        value if value >= 1e12 => (1e12, "T"),
        value if value >= 1e9 => (1e9, "G"),
        value if value >= 1e6 => (1e6, "M"),
        value if value >= 1e3 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let (shown, unit) = (value / size, format!("{prefix}{unit}"));
    let digits = match shown {
        shown if size == 1.0 && shown.fract() == 0.0 => 0,
        shown if shown >= 100.0 => 0,
        shown if shown >= 10.0 => 1,
        _ => 2,
    };
    format!("{shown:.digits$} {unit}").trim_end().to_owned()
}

fn seconds(value: f64) -> String {
    match value {
        value if value < 1e-3 => format!("{:.1} us", value * 1e6),
        value if value < 1.0 => format!("{:.1} ms", value * 1e3),
        value => format!("{value:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        for (value, shown) in
            [(0.0, "0 B"), (999.0, "999 B"), (1_500.0, "1.50 kB"), (19_700_000.0, "19.7 MB")]
        {
            assert_eq!(scaled(value, "B"), shown);
        }
        assert_eq!([seconds(2.5), seconds(0.0213)], ["2.50 s", "21.3 ms"]);
    }

    #[test]
    fn the_summary_says_what_became_of_each_connection() {
        let row = |flow: &str, fallback: &str, complete: bool, intact| SummaryRow {
            flow: flow.into(),
            kind: "bulk".into(),
            protocol: "mptcp".into(),
            scheduler: "default".into(),
            congestion_control: "cubic".into(),
            from: "phone".into(),
            to: "server".into(),
            bytes: 20_000_000,
            completion_s: complete.then_some(8.0),
            goodput_bps: 2e7,
            fallback: fallback.into(),
            complete,
            intact,
            ..SummaryRow::default()
        };
        let subflow = SubflowRow {
            flow: "a".into(),
            sender: "server".into(),
            path: "wifi".into(),
            share: Some(0.351),
            goodput_bps: Some(7e6),
            srtt_ms: Some(31.25),
            losses: Some(12),
            reinjected_bytes: Some(0),
            ..SubflowRow::default()
        };
        let tables = Tables {
            summary: vec![
                row("a", "", true, true),
                row("b", "options stripped", false, true),
                row("c", "", true, false),
            ],
            subflows: vec![subflow; 23],
            ..Tables::default()
        };
        let manifest = Manifest {
            name: "test".into(),
            version: "0".into(),
            seed: 1,
            digest: "00ff".into(),
            simulated_s: 8.0,
            wall_s: 0.05,
            packet_hops: 100_000,
            flows: 3,
            links: 2,
            all_flows: [("goodput_sum_bps", 3e7), ("jain_index", 0.75)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            rows: std::collections::BTreeMap::new(),
        };
        insta::assert_snapshot!(text(&manifest, &tables, "results/test"));
    }
}
