//! Path managers as scenarios name them: gateways, daemons, interfaces in the timeline.

use mptcpsim::check::{Notation, Source, check};
use mptcpsim::plan::Plan;
use mptcpsim::results::SubflowRow;
use mptcpsim::run::run;

fn plan(scenario: &str) -> Plan {
    check(&Source::new("test", scenario, Notation::Toml), &[]).unwrap()
}

/// The subflows of a run, and of one of the same scenario as the run writes it down.
fn subflows(plan: &Plan) -> Vec<SubflowRow> {
    let rows = run(plan, &mut |_| ()).unwrap().tables.subflows;
    let resolved = serde_json::to_string(&plan.resolved()).unwrap();
    let again = check(&Source::new("again", &resolved, Notation::Json), &[]).unwrap();
    let again = run(&again, &mut |_| ()).unwrap().tables.subflows;
    assert_eq!(rows.len(), again.len());
    assert!(rows.iter().zip(&again).all(|(a, b)| (a.bytes, &a.path) == (b.bytes, &b.path)));
    rows.into_iter().filter(|row| row.sender == "server").collect()
}

const PATHS: &str = r#"
    flows = [{ app = { kind = "bulk", bytes = "3 MB" }, mptcp = { path_manager = "MANAGER" } }]
    [[paths]]
    name = "wifi"
    rate = "8 Mbit/s"
    delay = "10 ms"
    [[paths]]
    name = "lte"
    rate = "8 Mbit/s"
    delay = "20 ms"
"#;

fn managed(manager: &str, more: &str) -> Plan {
    plan(&(PATHS.replace("MANAGER", manager) + more))
}

const OUT_OF_TREE: &str = r#"
    [hosts.client]
    stack = "out-of-tree"
    module_parameters = { "mptcp_ndiffports.num_subflows" = 3 }
    [hosts.server]
    stack = "out-of-tree"
"#;

#[test]
fn the_name_of_a_path_manager_counts_on_both_lines() {
    let count = |manager, more| subflows(&managed(manager, more)).len();
    assert_eq!(count("ndiffports", ""), 2);
    assert_eq!(count("ndiffports", OUT_OF_TREE), 3);
    assert_eq!(count("default", OUT_OF_TREE), 1);
    assert_eq!(count("fullmesh", OUT_OF_TREE), 4);
    assert_eq!(count("default", ""), 2);
    assert_eq!(count("endpoints", ""), 2);
}

#[test]
fn a_line_without_endpoints_says_so() {
    let scenario = PATHS.replace("MANAGER", "endpoints") + OUT_OF_TREE;
    let faults = check(&Source::new("test", &scenario, Notation::Toml), &[]).unwrap_err();
    assert!(format!("{faults:?}").contains("have no `endpoints`"), "{faults:?}");
}

#[test]
fn binder_takes_the_paths_of_its_gateways() {
    let relayed = r#"
        [[paths]]
        name = "relay"
        between = ["client.wifi", "server.wifi"]
        relays = ["10.9.0.1"]
        rate = "8 Mbit/s"
        delay = "30 ms"
        [hosts.client.sysctl]
        "net.mptcp.mptcp_binder_gateways" = "10.9.0.1"
        [hosts.client]
        stack = "out-of-tree"
        [hosts.server]
        stack = "out-of-tree"
    "#;
    let paths = subflows(&managed("binder", relayed)).into_iter().map(|row| row.path);
    assert_eq!(paths.collect::<Vec<_>>(), ["wifi", "relay"]);
}

const DAEMON: &str = r#"
    [hosts.client.mptcpd]
    load_plugins = ["addr_adv"]
    addr_flags = ["subflow", "backup"]
"#;

#[test]
fn mptcpd_configures_the_kernel_with_its_flags() {
    let plan = managed("default", DAEMON);
    assert!(plan.warnings.is_empty() && plan.hosts[0].endpoints.is_empty());
    let rows = subflows(&plan);
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.backup), "{rows:#?}");
}

#[test]
fn two_managers_of_a_host_are_warned_of() {
    let endpoints =
        "[hosts.client.mptcp]\nendpoints = [{ interface = \"lte\", flags = [\"subflow\"] }]";
    let plan = managed("default", &format!("{DAEMON}\n{endpoints}"));
    assert!(plan.warnings[0].contains("two managers configure client"), "{:?}", plan.warnings);
    let plan = managed("userspace", "");
    assert!(plan.warnings[0].contains("no daemon manages"), "{:?}", plan.warnings);
    assert_eq!(subflows(&plan).len(), 1);
}

#[test]
fn interfaces_come_and_go_with_the_timeline() {
    let timeline = r#"
        [[timeline]]
        at = "500 ms"
        host = "client"
        interface = "lte"
        multipath = "off"
        [[timeline]]
        at = "1500 ms"
        host = "client"
        interface = "lte"
        multipath = "on"
    "#;
    let single = r#"
        [[timeline]]
        at = "0 s"
        host = "client"
        limits = { subflows = 0 }
    "#;
    let rows = subflows(&managed("fullmesh", &format!("{OUT_OF_TREE}{timeline}")));
    assert_eq!(rows.iter().filter(|row| row.path == "lte").count(), 4, "{rows:#?}");
    assert_eq!(subflows(&managed("endpoints", single)).len(), 1);
}
