//! Runs cases with `mptcpsim live` and looks at what came out.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

use crate::cases::{Case, Expected, cases};

/// Counters that must not move unless the case makes them.
const ERRORS: [&str; 15] = [
    "TcpInCsumErrors",
    "TcpInErrs",
    "MPTcpExtDataCsumErr",
    "MPTcpExtDSSNotMatching",
    "MPTcpExtDSSNoMatchTCP",
    "MPTcpExtDSSCorruptionFallback",
    "MPTcpExtDSSCorruptionReset",
    "MPTcpExtInfiniteMapTx",
    "MPTcpExtInfiniteMapRx",
    "MPTcpExtMPFailTx",
    "MPTcpExtMPFailRx",
    "MPTcpExtMPJoinNoTokenFound",
    "MPTcpExtMPJoinSynAckHMacFailure",
    "MPTcpExtMPJoinAckHMacFailure",
    "MPTcpExtMismatchPortSynRx",
];

pub(crate) fn main() {
    let mut arguments = Arguments::from_args();
    // The machine is to be quiet: packets have to come in time.
    arguments.test_threads = Some(1);
    let missing = missing();
    if let Some(missing) = &missing {
        eprintln!("\nNOT TESTED: interoperation with the kernel of this machine: {missing}\n");
    }
    let trials = cases().into_iter().flat_map(|case| {
        [("sim", "kernel"), ("kernel", "sim")].map(|(client, server)| {
            let case = case.clone();
            let name = format!("{}::{client}_and_{server}", case.name);
            Trial::test(name, move || run(&case, client, server))
        })
    });
    let trials = trials.map(|trial| trial.with_ignored_flag(missing.is_some())).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// What this machine lacks.
fn missing() -> Option<&'static str> {
    let lacks = |path: &str| !Path::new(path).exists();
    if !rustix::process::geteuid().is_root() {
        Some("it takes root")
    } else if lacks("/proc/sys/net/mptcp/enabled") {
        Some("the kernel has no MPTCP")
    } else if lacks("/dev/net/tun") {
        Some("the kernel has no TUN devices")
    } else if !program_runs("ip") || !program_runs("nstat") || !program_runs("ss") {
        Some("iproute2 is not installed")
    } else {
        None
    }
}

fn program_runs(program: &str) -> bool {
    Command::new(program).arg("-V").output().is_ok()
}

fn run(case: &Case, client: &str, server: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("scenario.toml");
    std::fs::write(&scenario, &case.scenario)?;
    let out = folder.path().join("out");
    let output = Command::new(env!("CARGO_BIN_EXE_mptcpsim"))
        .args(["live", "--no-plots", "--format", "json", "--client", client, "--server", server])
        .arg("--out")
        .args([&out, &scenario])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("cannot set") {
        return Err(said.into_owned().into());
    }
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let kernel = if client == "kernel" { "client" } else { "server" };
    let counters = counters(&out.join("counters.csv"), kernel)?;
    let seen = Seen { report, counters };
    seen.check(case, client)
        .map_err(|what| format!("{what}\n{}\n{:?}", seen.report, seen.moved()).into())
}

fn counters(file: &Path, host: &str) -> Result<BTreeMap<String, u64>, Failed> {
    let text = std::fs::read_to_string(file)?;
    let rows = text.lines().filter_map(|line| {
        let mut fields = line.split(',');
        let own = fields.next() == Some(host);
        let (name, value) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
        own.then_some((name, value))
    });
    Ok(rows.collect())
}

struct Seen {
    report: Value,
    counters: BTreeMap<String, u64>,
}

impl Seen {
    /// The kernel's counters that say something.
    fn moved(&self) -> Vec<(&String, &u64)> {
        let mptcp = |name: &str| name.starts_with("MPTcpExt") || ERRORS.contains(&name);
        self.counters.iter().filter(|(name, value)| **value > 0 && mptcp(name)).collect()
    }

    fn check(&self, case: &Case, client: &str) -> Result<(), String> {
        let rows = self.report["summary"].as_array().ok_or("no summary")?;
        let kernel_sends = client == "kernel";
        let kernel = if kernel_sends { "client" } else { "server" };
        let unasked = match case.expected {
            Expected::Aborted => true,
            Expected::ReceiverFallsBack => kernel_sends,
            _ => false,
        };
        for row in rows {
            let is = |what: &str| row[what] == Value::Bool(true);
            if !(unasked || is("complete") && is("intact")) {
                return Err(format!("{}: not all bytes came as they were sent", row["flow"]));
            }
        }
        let count = |name: &str| self.counters.get(name).copied().unwrap_or(0);
        let caused = |name: &str| case.causes.contains(&name);
        if let Some(error) = ERRORS.iter().find(|name| !caused(name) && count(name) > 0) {
            return Err(format!("the kernel counted {error}"));
        }
        let wanted = if client == "kernel" { &case.client_counts } else { &case.server_counts };
        if let Some(counter) = wanted.iter().find(|name| count(name) == 0) {
            return Err(format!("the kernel did not count {counter}"));
        }
        let own = |row: &&Value| row["sender"] == kernel;
        let subflows =
            self.report["subflows"].as_array().map_or(0, |it| it.iter().filter(own).count());
        let joins = count("MPTcpExtMPJoinAckRx") + count("MPTcpExtMPJoinSynAckRx");
        let capable = count("MPTcpExtMPCapableACKRX") > 0 || self.kernel_has_mptcp();
        match case.expected {
            Expected::Joins(wanted) if joins != wanted => {
                Err(format!("{joins} joins in place of {wanted}"))
            }
            Expected::Joins(wanted) if (subflows as u64) < wanted + 1 => {
                Err(format!("{subflows} subflows of the kernel in the tables"))
            }
            Expected::Joins(_) if !capable => Err("no MPTCP".to_owned()),
            Expected::Tcp if self.kernel_has_mptcp() || joins > 0 => Err("MPTCP".to_owned()),
            Expected::ReceiverFallsBack if self.kernel_has_mptcp() && !kernel_sends => {
                Err("MPTCP".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The kernel's socket was one of MPTCP to the end.
    fn kernel_has_mptcp(&self) -> bool {
        self.report["kernels"][0]["flows"][0]["mptcp"].is_object()
    }
}
