//! `mptcpsim bench`: how fast is the simulator on this machine?

use std::process::Stdio;

use clap::{Args, ValueEnum};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use mptcpsim::bench::{BenchError, Measured, Workload, measure};
use mptcpsim::launcher::Launcher;

use super::summary::scaled;
use super::{BAD_INPUT, FAILED, Failure, Format, faults, print};

#[derive(Args)]
pub(super) struct BenchArgs {
    /// Which workloads; without any all of them, each in a process of its own
    workloads: Vec<Name>,
    /// Virtual time of each workload, such as `20 s`
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// How to print the measurements
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// One TCP flow, one link of 1 Gbit/s and 10 ms, 10 s
    #[value(name = "W1")]
    W1,
    /// One MPTCP connection (LIA), two links of 100 Mbit/s, 60 s
    #[value(name = "W2")]
    W2,
    /// All FatTrees
    #[value(name = "W3")]
    W3,
    /// FatTree of 4-port switches, 16 hosts, MPTCP with 8 subflows (LIA), 1 s
    #[value(name = "W3-k4-mptcp8")]
    W3k4,
    /// FatTree of 8-port switches, 128 hosts, TCP (Reno), 1 s
    #[value(name = "W3-k8-tcp")]
    W3k8Tcp,
    /// FatTree of 8-port switches, 128 hosts, MPTCP with 8 subflows (LIA), 1 s
    #[value(name = "W3-k8-mptcp8")]
    W3k8,
    /// FatTree of 16-port switches, 1024 hosts, MPTCP with 8 subflows (LIA), 1 s
    #[value(name = "W3-k16-mptcp8")]
    W3k16,
    /// 1000 TCP flows through one link of 10 Gbit/s, 1 s
    #[value(name = "W4")]
    W4,
    /// No protocol at all: links and hosts that send back what comes, 1 s
    Engine,
}

impl From<Name> for Workload {
    fn from(name: Name) -> Self {
        match name {
            Name::W1 => Self::W1,
            Name::W2 => Self::W2,
            Name::W3k4 => Self::W3 { k: 4, subflows: 8 },
            Name::W3k8Tcp => Self::W3 { k: 8, subflows: 1 },
            Name::W3k8 | Name::W3 => Self::W3 { k: 8, subflows: 8 },
            Name::W3k16 => Self::W3 { k: 16, subflows: 8 },
            Name::W4 => Self::W4,
            Name::Engine => Self::Engine,
        }
    }
}

pub(super) fn bench(args: &BenchArgs, launcher: &Launcher) -> Result<(), Failure> {
    let fat_trees = [Name::W3k4, Name::W3k8Tcp, Name::W3k8, Name::W3k16];
    let all = [Name::W1, Name::W2, Name::W3, Name::W4, Name::Engine];
    let asked = if args.workloads.is_empty() { &all[..] } else { &args.workloads };
    let names = asked.iter().flat_map(|name| match name {
        Name::W3 => fat_trees.to_vec(),
        other => vec![*other],
    });
    let rows = match names.collect::<Vec<_>>().as_slice() {
        [only] => measure_here(*only, args)?,
        several => {
            let each = several.iter().map(|name| measure_apart(*name, args, launcher));
            each.collect::<Result<Vec<_>, _>>()?.concat()
        }
    };
    match args.format {
        Format::Text => print(&text(&rows)),
        Format::Json => print(&format!("{:#}\n", serde_json::json!(rows))),
    }
}

fn measure_here(name: Name, args: &BenchArgs) -> Result<Vec<Measured>, Failure> {
    measure(Workload::from(name), args.duration.as_deref()).map_err(|error| match error {
        BenchError::Scenario(found) => Failure { message: faults::render(&found), code: BAD_INPUT },
        other => Failure::failed(other),
    })
}

/// In a process of its own, whose memory holds nothing else.
fn measure_apart(
    name: Name,
    args: &BenchArgs,
    launcher: &Launcher,
) -> Result<Vec<Measured>, Failure> {
    let workload =
        name.to_possible_value().map_or(String::new(), |name| name.get_name().to_owned());
    let mut command = launcher.command();
    command.args(["bench", &workload, "--format", "json"]);
    if let Some(duration) = &args.duration {
        command.args(["--duration", duration]);
    }
    let output = command.stderr(Stdio::piped()).output().map_err(Failure::failed)?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        let code = output.status.code().and_then(|code| u8::try_from(code).ok());
        return Err(Failure { message, code: code.unwrap_or(FAILED) });
    }
    serde_json::from_slice(&output.stdout).map_err(Failure::failed)
}

fn text(rows: &[Measured]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header([
        "workload",
        "packet-hops",
        "CPU time",
        "packet-hops per CPU second",
        "utilisation",
        "peak memory",
        "bytes per flow",
    ]);
    let bytes = |bytes: Option<u64>| bytes.map_or("-".into(), |bytes| scaled(bytes as f64, "B"));
    for row in rows {
        table.add_row([
            row.workload.clone(),
            row.packet_hops.to_string(),
            format!("{:.3} s", row.cpu_s),
            scaled(row.packet_hops_per_cpu_s, ""),
            row.utilisation.map_or("-".into(), |part| format!("{part:.3}")),
            bytes(row.peak_bytes),
            bytes(row.bytes_per_flow),
        ]);
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
