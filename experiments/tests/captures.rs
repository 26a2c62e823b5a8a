//! What Wireshark's dissectors find in captures: no fault, and the MPTCP that there was.

use crate::dissect::{Frame, Run, run};

const MP_JOIN: u32 = 1;
const ADD_ADDR: u32 = 3;
const REMOVE_ADDR: u32 = 4;
const MP_PRIO: u32 = 5;

/// Two hosts with two interfaces each and a path between each pair.
fn two_paths(hosts: &str, rest: &str) -> String {
    format!(
        r#"
        duration = "20 s"
        [links.wifi]
        rate = "30 Mbit/s"
        delay = "10 ms"
        [links.lte]
        rate = "15 Mbit/s"
        delay = "25 ms"
        {hosts}
        [[paths]]
        between = ["phone.wlan0", "server.eth0"]
        via = ["wifi"]
        [[paths]]
        between = ["phone.rmnet0", "server.eth1"]
        via = ["lte"]
        {rest}
        "#
    )
}

const HOSTS: &str = r#"
    [hosts.phone]
    addresses = { wlan0 = "10.0.1.1", rmnet0 = "10.0.2.1" }
    [hosts.server]
    addresses = { eth0 = "10.0.1.2", eth1 = "10.0.2.2" }
"#;

fn bulk(direction: &str) -> String {
    format!(
        "[[flows]]\nfrom = \"phone\"\nto = \"server\"\n\
         app = {{ kind = \"bulk\", bytes = \"400 KB\", direction = \"{direction}\" }}\n"
    )
}

/// All bytes and the DATA_FIN behind them.
const BULK: u64 = 400_001;
/// A side that only closes.
const FIN: u64 = 1;

fn checked(scenario: &str) -> Run {
    let run = run(scenario);
    run.assert_clean();
    run
}

#[test]
fn an_upload_over_two_subflows() {
    let run = checked(&two_paths(HOSTS, &bulk("upload")));
    assert_eq!(run.subflows("phone"), [2]);
    assert_eq!((run.mapped("phone"), run.mapped("server")), (BULK, FIN));
}

#[test]
fn a_download_over_two_subflows() {
    let run = checked(&two_paths(HOSTS, &bulk("download")));
    assert_eq!((run.subflows("phone"), run.subflows("server")), (vec![2], vec![2]));
    assert_eq!((run.mapped("phone"), run.mapped("server")), (FIN, BULK));
}

#[test]
fn checksums_of_data_in_both_directions() {
    let hosts = HOSTS
        .replace("addresses", "sysctl = { \"net.mptcp.checksum_enabled\" = 1 }\n    addresses");
    let run = checked(&two_paths(&hosts, &bulk("both")));
    assert_eq!((run.mapped("phone"), run.mapped("server")), (BULK, BULK));
    for host in ["phone", "server"] {
        assert!(run.assert_dss_checksums(host) > 5, "{host}");
    }
}

/// Hosts of the out-of-tree line with further settings.
fn version_0(sysctl: &str) -> String {
    let settings = format!("stack = \"out-of-tree\"\n    sysctl = {{ {sysctl} }}\n    addresses");
    HOSTS.replace("addresses", &settings)
}

#[test]
fn version_0_with_checksums() {
    let run = checked(&two_paths(&version_0(""), &bulk("both")));
    assert!(run.has_option(MP_JOIN) && run.has_option(ADD_ADDR));
    for host in ["phone", "server"] {
        assert_eq!(run.versions(host), [0]);
        assert!(run.mapped(host) >= BULK);
        assert!(run.assert_dss_checksums(host) > 5, "{host}");
    }
}

#[test]
fn version_0_without_checksums() {
    let hosts = version_0("\"net.mptcp.mptcp_checksum\" = 0");
    let run = checked(&two_paths(&hosts, &bulk("download")));
    assert!(run.has_option(MP_JOIN));
    assert!(run.mapped("server") >= BULK);
    assert_eq!(run.mapped("phone"), FIN);
}

#[test]
fn version_0_through_boxes() {
    for middlebox in [
        r#"action = { kind = "nat", address = "203.0.113.7", port_shift = 1000 }"#,
        r#"action = { kind = "corrupt", at = 100000 }"#,
        r#"action = { kind = "split-proxy" }"#,
    ] {
        let scenario = two_paths(&version_0(""), &bulk("download"))
            .replace("via = [\"wifi\"]", "via = [\"box\", \"wifi\"]");
        let run = checked(&format!("{scenario}\n[middleboxes.box]\n{middlebox}\n"));
        let bytes = |frame: &Frame| frame.payload().len();
        let sent = run.frames["server"].iter().filter(|frame| frame.is_sent());
        assert!(sent.map(bytes).sum::<usize>() >= 400_000, "{middlebox}");
    }
}

#[test]
fn ipv6() {
    let hosts = r#"
        [hosts.phone]
        addresses = { wlan0 = "2001:db8:1::1", rmnet0 = "2001:db8:2::1" }
        [hosts.server]
        addresses = { eth0 = "2001:db8:1::2", eth1 = "2001:db8:2::2" }
    "#;
    let run = checked(&two_paths(hosts, &bulk("download")));
    assert!(run.all().all(|frame| frame.text("ipv6.version").is_some()));
    assert_eq!(run.subflows("phone"), [2]);
    assert_eq!(run.mapped("server"), BULK);
}

#[test]
fn an_announced_address_of_the_server() {
    for (one, other) in [("10.0.1.1", "10.0.2.1"), ("2001:db8:1::1", "2001:db8:2::1")] {
        let hosts = format!(
            r#"
            [hosts.phone]
            addresses = {{ wlan0 = "{one}", rmnet0 = "{other}" }}
            mptcp = {{ endpoints = [], limits = {{ subflows = 2, add_addr_accepted = 2 }} }}
            [hosts.server]
            addresses = {{ eth0 = "{one}0", eth1 = "{other}0" }}
            mptcp = {{ endpoints = [{{ interface = "eth1", flags = ["signal"] }}] }}
            "#
        );
        let run = checked(&two_paths(&hosts, &bulk("download")));
        assert!(run.has_option(ADD_ADDR) && run.has_option(MP_JOIN));
        assert_eq!(run.subflows("server"), [2]);
        assert_eq!(run.mapped("server"), BULK);
    }
}

#[test]
fn loss_is_repaired_with_sack() {
    let scenario = two_paths(HOSTS, &bulk("download")).replace(
        "delay = \"10 ms\"",
        "delay = \"10 ms\"\nloss = { model = \"bernoulli\", probability = \"5 %\" }",
    );
    let run = checked(&scenario);
    assert!(run.all().any(|frame| frame.text("tcp.options.sack_le").is_some()));
    assert_eq!(run.mapped("server"), BULK);
}

#[test]
fn a_backup_a_priority_and_an_address_that_goes() {
    let hosts = r#"
        [hosts.phone]
        addresses = { wlan0 = "10.0.1.1", rmnet0 = "10.0.2.1" }
        mptcp = { endpoints = [{ interface = "rmnet0", flags = ["subflow", "backup"], id = 2 }] }
        [hosts.server]
        addresses = { eth0 = "10.0.1.2", eth1 = "10.0.2.2" }
    "#;
    let changes = r#"
        [[flows]]
        from = "phone"
        to = "server"
        app = { kind = "timed", duration = "1500 ms", direction = "upload" }
        [[timeline]]
        at = "500 ms"
        host = "phone"
        endpoint = { action = "change", id = 2, flags = ["subflow"] }
        [[timeline]]
        at = "1 s"
        host = "phone"
        endpoint = { action = "remove", id = 2 }
    "#;
    let run = checked(&two_paths(hosts, changes));
    for option in [MP_JOIN, MP_PRIO, REMOVE_ADDR] {
        assert!(run.has_option(option), "{option}");
    }
    assert!(run.mapped("phone") > 1_000_000);
}

#[test]
fn requests_on_many_connections() {
    let flows = r#"
        [[flows]]
        from = "phone"
        to = "server"
        repeat = { times = 5, every = "50 ms" }
        app = { kind = "request", count = 3, request_bytes = "200 B", response_bytes = "20 KB" }
    "#;
    let run = checked(&two_paths(HOSTS, flows));
    assert_eq!(run.subflows("phone"), [2; 5]);
}

#[test]
fn a_server_without_mptcp() {
    let hosts = HOSTS
        .replace("[hosts.server]", "[hosts.server]\n    sysctl = { \"net.mptcp.enabled\" = 0 }");
    let run = checked(&two_paths(&hosts, &bulk("download")));
    assert!(run.has_option(0) && !run.has_option(2), "MP_CAPABLE goes unanswered");
}

#[test]
fn boxes_that_take_options_or_translate_addresses() {
    let boxes = [
        r#"action = { kind = "strip", options = ["mp_capable"] }
           only = { on = ["syn"] }"#,
        r#"action = { kind = "strip", options = ["mp_capable"] }
           only = { on = ["syn-ack"] }"#,
        r#"action = { kind = "strip", options = ["dss"] }"#,
        r#"action = { kind = "nat", address = "203.0.113.7", port_shift = 1000 }"#,
        r#"action = { kind = "split-proxy", buffer = "100 kB" }"#,
    ];
    for middlebox in boxes {
        let scenario = two_paths(HOSTS, &bulk("download"))
            .replace("via = [\"wifi\"]", "via = [\"box\", \"wifi\"]");
        let run = checked(&format!("{scenario}\n[middleboxes.box]\n{middlebox}\n"));
        let bytes = |frame: &Frame| frame.payload().len();
        let sent = run.frames["server"].iter().filter(|frame| frame.is_sent());
        assert!(sent.map(bytes).sum::<usize>() >= 400_000, "{middlebox}");
    }
}

#[test]
fn plain_tcp() {
    let run =
        checked(&two_paths(HOSTS, &bulk("both")).replace("app =", "protocol = \"tcp\"\napp ="));
    assert!(run.all().all(|frame| frame.text("tcp.options.mptcp.subtype").is_none()));
}

#[test]
fn capturing_changes_nothing() {
    let scenario = two_paths(HOSTS, &bulk("download"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, &scenario).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mptcpsim"))
        .args(["run", "--no-plots", "--format", "json", "--out"])
        .args([&folder.path().join("out"), &file])
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["manifest"]["digest"], run(&scenario).digest);
    assert!(!folder.path().join("out/capture").exists());
}
