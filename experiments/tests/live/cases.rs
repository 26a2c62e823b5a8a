//! What the simulated stack and the kernel have to master together.

/// What becomes of MPTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It stays, with so many subflows beyond the first.
    Joins(u64),
    /// It stays or goes; the bytes come.
    Arrives,
    /// The connection is plain TCP in the end.
    Tcp,
    /// The connection is ended at once; nobody asks for its bytes.
    Aborted,
    /// Who receives falls back to plain TCP, and nothing on the way tells the sender. A kernel that sends goes on
    /// as before, and its data never becomes whole; who sends here notices.
    ReceiverFallsBack,
}

/// A scenario and what has to come of it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) scenario: String,
    pub(crate) expected: Expected,
    /// Errors that the kernel may count: the case causes them.
    pub(crate) causes: Vec<&'static str>,
    /// What a kernel has to count that is the client.
    pub(crate) client_counts: Vec<&'static str>,
    /// What a kernel has to count that is the server.
    pub(crate) server_counts: Vec<&'static str>,
}

/// Two paths between two hosts, and what a case changes of it.
#[derive(Clone, Debug)]
struct Network {
    duration: &'static str,
    first_link: &'static str,
    second_link: &'static str,
    first_via: &'static str,
    second_via: &'static str,
    client_addresses: &'static str,
    server_addresses: &'static str,
    client_sysctl: &'static str,
    server_sysctl: &'static str,
    client_mptcp: &'static str,
    server_mptcp: &'static str,
    app: &'static str,
    flow: &'static str,
    rest: &'static str,
}

const PLAIN: Network = Network {
    duration: "15 s",
    first_link: "",
    second_link: "",
    first_via: r#""a""#,
    second_via: r#""b""#,
    client_addresses: r#"c0 = "10.0.0.1", c1 = "10.0.1.1""#,
    server_addresses: r#"s0 = "10.0.0.2", s1 = "10.0.1.2""#,
    client_sysctl: "",
    server_sysctl: "",
    client_mptcp: r#"{ endpoints = [{ interface = "c1", id = 2, flags = ["subflow"] }], limits = { subflows = 2, add_addr_accepted = 2 } }"#,
    server_mptcp: "{ endpoints = [], limits = { subflows = 2, add_addr_accepted = 2 } }",
    app: r#"{ kind = "bulk", bytes = "5 MB", direction = "both" }"#,
    flow: "",
    rest: "",
};

impl Network {
    fn case(self, name: &'static str, expected: Expected) -> Case {
        let Self { duration, first_link, second_link, first_via, second_via, .. } = self;
        let Self { client_addresses, server_addresses, client_sysctl, server_sysctl, .. } = self;
        let Self { client_mptcp, server_mptcp, app, flow, rest, .. } = self;
        let scenario = format!(
            r#"
            duration = "{duration}"
            [links.a]
            rate = "100 Mbit/s"
            delay = "5 ms"
            {first_link}
            [links.b]
            rate = "100 Mbit/s"
            delay = "10 ms"
            {second_link}
            [hosts.client]
            addresses = {{ {client_addresses} }}
            sysctl = {{ {client_sysctl} }}
            mptcp = {client_mptcp}
            [hosts.server]
            addresses = {{ {server_addresses} }}
            sysctl = {{ {server_sysctl} }}
            mptcp = {server_mptcp}
            [[paths]]
            between = ["client.c0", "server.s0"]
            via = [{first_via}]
            [[paths]]
            between = ["client.c1", "server.s1"]
            via = [{second_via}]
            [[flows]]
            from = "client"
            to = "server"
            app = {app}
            {flow}
            {rest}
            "#
        );
        Case {
            name,
            scenario,
            expected,
            causes: Vec::new(),
            client_counts: Vec::new(),
            server_counts: Vec::new(),
        }
    }

    /// A middlebox called `x` on the first path.
    const fn with_box(rest: &'static str) -> Self {
        Self { first_via: r#""a", "x""#, rest, ..PLAIN }
    }

    /// A middlebox called `x` on the second path.
    const fn with_second_box(rest: &'static str) -> Self {
        Self { second_via: r#""b", "x""#, rest, ..PLAIN }
    }
}

impl Case {
    fn causing(self, causes: &[&'static str]) -> Self {
        Self { causes: causes.to_vec(), ..self }
    }

    /// Counters of the kernel that must move, where it is the client and where it is the server.
    fn counting(self, client: &[&'static str], server: &[&'static str]) -> Self {
        Self { client_counts: client.to_vec(), server_counts: server.to_vec(), ..self }
    }
}

const CHECKSUM: &str = r#""net.mptcp.checksum_enabled" = 1"#;
const OFF: &str = r#""net.mptcp.enabled" = 0"#;
const LOSS: &str = r#"loss = { model = "bernoulli", probability = "1 %" }"#;
const NO_ENDPOINTS: &str = "{ endpoints = [], limits = { subflows = 2, add_addr_accepted = 2 } }";

pub(crate) fn cases() -> Vec<Case> {
    let groups = [handshakes(), addresses(), applications(), paths(), middleboxes(), tcp()];
    groups.into_iter().flatten().collect()
}

fn handshakes() -> Vec<Case> {
    use Expected::{Joins, Tcp};
    vec![
        Network { client_mptcp: NO_ENDPOINTS, ..PLAIN }.case("one_path", Joins(0)),
        PLAIN.case("two_paths", Joins(1)),
        three_paths(),
        Network { client_sysctl: CHECKSUM, server_sysctl: CHECKSUM, ..PLAIN }
            .case("checksum", Joins(1)),
        Network { client_sysctl: CHECKSUM, ..PLAIN }.case("checksum_of_client", Joins(1)),
        Network { server_sysctl: CHECKSUM, ..PLAIN }.case("checksum_of_server", Joins(1)),
        Network { client_sysctl: OFF, ..PLAIN }.case("client_without_mptcp", Tcp),
        Network { server_sysctl: OFF, ..PLAIN }.case("server_without_mptcp", Tcp),
        Network { server_sysctl: r#""net.ipv4.tcp_syncookies" = 2"#, ..PLAIN }
            .case("syn_cookies", Joins(1))
            .counting(&[], &["TcpExtSyncookiesSent", "TcpExtSyncookiesRecv"]),
        Network {
            client_addresses: r#"c0 = "fd00:0::1", c1 = "fd00:1::1""#,
            server_addresses: r#"s0 = "fd00:0::2", s1 = "fd00:1::2""#,
            ..PLAIN
        }
        .case("ipv6", Joins(1)),
    ]
}

fn three_paths() -> Case {
    Network {
        client_addresses: r#"c0 = "10.0.0.1", c1 = "10.0.1.1", c2 = "10.0.2.1""#,
        server_addresses: r#"s0 = "10.0.0.2", s1 = "10.0.1.2", s2 = "10.0.2.2""#,
        client_mptcp: r#"{ endpoints = [{ interface = "c1", flags = ["subflow"] }, { interface = "c2", flags = ["subflow"] }], limits = { subflows = 2, add_addr_accepted = 2 } }"#,
        rest: r#"
            [links.c]
            rate = "100 Mbit/s"
            delay = "15 ms"
            [[paths]]
            between = ["client.c2", "server.s2"]
            via = ["c"]
        "#,
        ..PLAIN
    }
    .case("three_paths", Expected::Joins(2))
}

fn addresses() -> Vec<Case> {
    use Expected::{Arrives, Joins};
    let signal = r#"{ endpoints = [{ interface = "s1", id = 7, flags = ["signal"] }], limits = { subflows = 4, add_addr_accepted = 4 } }"#;
    let with_port = r#"{ endpoints = [{ interface = "s1", flags = ["signal"], port = 5555 }], limits = { subflows = 2, add_addr_accepted = 2 } }"#;
    let mesh = r#"{ endpoints = [{ interface = "c0", flags = ["subflow", "fullmesh"] }, { interface = "c1", flags = ["subflow", "fullmesh"] }], limits = { subflows = 4, add_addr_accepted = 4 } }"#;
    let backup = r#"{ endpoints = [{ interface = "c1", flags = ["subflow", "backup"] }], limits = { subflows = 2, add_addr_accepted = 2 } }"#;
    let announced = Network { client_mptcp: NO_ENDPOINTS, server_mptcp: signal, ..PLAIN };
    vec![
        announced.clone().case("add_addr", Joins(1)),
        Network { server_mptcp: with_port, ..announced.clone() }
            .case("add_addr_with_port", Joins(1)),
        Network { client_mptcp: mesh, ..announced.clone() }.case("fullmesh", Joins(3)),
        Network { client_mptcp: backup, ..PLAIN }.case("backup", Joins(1)),
        Network {
            rest: r#"
                [[timeline]]
                at = "200 ms"
                host = "client"
                endpoint = { action = "change", id = 2, flags = ["subflow", "backup"] }
            "#,
            ..PLAIN
        }
        .case("priority_changes", Joins(1)),
        Network {
            client_mptcp: NO_ENDPOINTS,
            rest: r#"
                [[timeline]]
                at = "150 ms"
                host = "client"
                endpoint = { action = "add", interface = "c1", flags = ["subflow"] }
            "#,
            ..PLAIN
        }
        .case("endpoint_added", Joins(1)),
        Network {
            rest: r#"
                [[timeline]]
                at = "200 ms"
                host = "client"
                endpoint = { action = "remove", id = 2 }
            "#,
            ..PLAIN
        }
        .case("endpoint_removed", Arrives),
        Network {
            rest: r#"
                [[timeline]]
                at = "200 ms"
                host = "server"
                endpoint = { action = "remove", id = 7 }
            "#,
            ..announced
        }
        .case("announcement_withdrawn", Arrives),
    ]
}

fn applications() -> Vec<Case> {
    use Expected::{Aborted, Joins};
    let app = |app| Network { app, ..PLAIN };
    vec![
        app(r#"{ kind = "bulk", bytes = "5 MB", direction = "download" }"#).case("download", Joins(1)),
        app(r#"{ kind = "bulk", bytes = "5 MB", direction = "upload" }"#).case("upload", Joins(1)),
        app(r#"{ kind = "request", count = 20, request_bytes = "200 B", response_bytes = "100 kB" }"#)
            .case("requests", Joins(1)),
        app(r#"{ kind = "bulk", bytes = "2 MB", direction = "download", abort = true }"#)
            .case("server_aborts", Aborted),
        app(r#"{ kind = "bulk", bytes = "2 MB", direction = "upload", abort = true }"#)
            .case("client_aborts", Aborted),
        Network { flow: r#"receive_buffer = "64 kB""#, ..app(r#"{ kind = "bulk", bytes = "2 MB" }"#) }
            .case("small_receive_buffer", Joins(1)),
        Network { flow: r#"send_buffer = "64 kB""#, ..app(r#"{ kind = "bulk", bytes = "2 MB" }"#) }
            .case("small_send_buffer", Joins(1)),
        Network { flow: r#"congestion_control = "reno""#, ..PLAIN }.case("reno", Joins(1)),
    ]
}

fn paths() -> Vec<Case> {
    use Expected::{Arrives, Joins};
    vec![
        Network { first_link: LOSS, second_link: LOSS, ..PLAIN }.case("loss", Joins(1)),
        Network { second_link: r#"duplication = "2 %""#, ..PLAIN }.case("duplication", Joins(1)),
        Network {
            second_link: r#"jitter = { distribution = "uniform", max = "3 ms", reorder = true }"#,
            ..PLAIN
        }
        .case("reordering", Arrives),
        Network {
            rest: r#"
                [[timeline]]
                at = "200 ms"
                link = "b"
                set = { up = false }
                [[timeline]]
                at = "1 s"
                link = "b"
                set = { up = true }
            "#,
            ..PLAIN
        }
        .case("path_dies_and_returns", Joins(1)),
    ]
}

fn middleboxes() -> Vec<Case> {
    use Expected::{Arrives, Joins, ReceiverFallsBack, Tcp};
    const UPLOAD: &str = r#"{ kind = "bulk", bytes = "2 MB", direction = "upload" }"#;
    const STRIP_LATER: &str = r#"
        [middleboxes.x]
        action = { kind = "strip" }
        only = { direction = "up", on = ["not-syn"], from = 10 }
    "#;
    const STRIP_SYN: &str = r#"
        [middleboxes.x]
        action = { kind = "strip", options = ["mp_capable"] }
        only = { on = ["syn"] }
    "#;
    const STRIP_SYN_ACK: &str = r#"
        [middleboxes.x]
        action = { kind = "strip", options = ["mp_capable"] }
        only = { on = ["syn-ack"] }
    "#;
    const STRIP_DATA: &str = r#"
        [middleboxes.x]
        action = { kind = "strip" }
        only = { on = ["data"], from = 1 }
    "#;
    const STRIP_THIRD: &str = r#"
        [middleboxes.x]
        action = { kind = "strip" }
        only = { on = ["third-ack"] }
    "#;
    const STRIP_JOIN: &str = r#"
        [middleboxes.x]
        action = { kind = "strip" }
        only = { on = ["syn-ack"], with = ["mp_join"] }
    "#;
    const NAT: &str = r#"
        [middleboxes.x]
        action = { kind = "nat", address = "203.0.113.7", port_shift = 1000 }
    "#;
    const CORRUPT: &str = r#"
        [middleboxes.x]
        action = { kind = "corrupt", at = 300000 }
        only = { direction = "up" }
    "#;
    let boxed = Network::with_box;
    let checksums = Network { client_sysctl: CHECKSUM, server_sysctl: CHECKSUM, ..boxed(CORRUPT) };
    let other = |action: &'static str| boxed(action);
    vec![
        boxed(STRIP_SYN).case("capable_stripped_from_syn", Tcp),
        boxed(STRIP_SYN_ACK).case("capable_stripped_from_answer", Tcp),
        boxed(STRIP_THIRD).case("third_ack_stripped", Tcp),
        boxed(STRIP_DATA).case("data_stripped", Tcp),
        Network { duration: "3 s", client_mptcp: NO_ENDPOINTS, app: UPLOAD, ..boxed(STRIP_LATER) }
            .case("stripped_from_tenth_segment", ReceiverFallsBack)
            .counting(&["MPTcpExtMPTCPRetrans"], &["MPTcpExtDssFallback"]),
        Network { app: UPLOAD, ..Network::with_second_box(STRIP_LATER) }
            .case("stripped_from_tenth_segment_of_second_path", Joins(1))
            .counting(&["MPTcpExtMPRstRx"], &["MPTcpExtMPRstTx"]),
        Network::with_second_box(STRIP_JOIN).case("join_stripped", Arrives),
        boxed(NAT).case("nat_on_first_path", Joins(1)),
        Network::with_second_box(NAT).case("nat_on_second_path", Joins(1)),
        checksums.case("payload_changed", Joins(1)).causing(&[
            "MPTcpExtDataCsumErr",
            "MPTcpExtMPFailTx",
            "MPTcpExtMPFailRx",
        ]),
        other("[middleboxes.x]\naction = { kind = \"sequence\" }").case("other_sequence", Joins(1)),
        other("[middleboxes.x]\naction = { kind = \"split\", size = 700 }").case("split", Joins(1)),
        other("[middleboxes.x]\naction = { kind = \"coalesce\" }").case("coalesce", Joins(1)),
        other("[middleboxes.x]\naction = { kind = \"reorder-options\" }")
            .case("options_reordered", Joins(1)),
        other("[middleboxes.x]\naction = { kind = \"clamp\", mss = 1000 }")
            .case("mss_clamped", Joins(1)),
    ]
}

fn tcp() -> Vec<Case> {
    use Expected::{Arrives, Tcp};
    const PLAIN_TCP: &str = r#"protocol = "tcp""#;
    let tcp = Network { flow: PLAIN_TCP, ..PLAIN };
    let ecn = r#""net.ipv4.tcp_ecn" = 1"#;
    vec![
        tcp.clone().case("tcp", Tcp),
        Network {
            app: r#"{ kind = "bulk", bytes = "2 MB", direction = "upload" }"#,
            flow: r#"
                protocol = "tcp"
                receive_buffer = "64 kB"
                reads_after = "1 s"
            "#,
            ..tcp.clone()
        }
        .case("tcp_with_zero_window", Tcp)
        .counting(&["TcpExtTCPWinProbe"], &["TcpExtTCPToZeroWindowAdv"]),
        // A segment every 60 ms: nobody waits that long for a second one.
        Network {
            first_link: r#"up = { rate = "200 kbit/s", queue = { discipline = "droptail", limit = "100 packets" } }"#,
            app: r#"{ kind = "bulk", bytes = "60 kB", direction = "upload" }"#,
            ..tcp.clone()
        }
        .case("tcp_with_delayed_acks", Tcp)
        .counting(&[], &["TcpExtDelayedACKs"]),
        Network { first_link: LOSS, ..tcp.clone() }.case("tcp_with_loss", Tcp),
        Network { client_sysctl: ecn, server_sysctl: ecn, ..tcp.clone() }.case("tcp_with_ecn", Tcp),
        Network { client_sysctl: r#""net.ipv4.tcp_sack" = 0"#, first_link: LOSS, ..tcp.clone() }
            .case("tcp_without_sack", Tcp),
        Network {
            client_sysctl: r#""net.ipv4.tcp_timestamps" = 0"#,
            first_link: LOSS,
            ..tcp.clone()
        }
        .case("tcp_without_timestamps", Tcp),
        Network { client_sysctl: r#""net.ipv4.tcp_window_scaling" = 0"#, ..tcp }
            .case("tcp_without_window_scaling", Tcp),
        Network { first_link: r#"corruption = "0.5 %""#, ..PLAIN }
            .case("damaged_packets", Arrives)
            .causing(&["TcpInCsumErrors", "TcpInErrs"]),
    ]
}
