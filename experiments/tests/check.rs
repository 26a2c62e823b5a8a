//! What the check accepts, what it makes of it, and what it says about everything else.

use mptcpsim::check::{Notation, Override, Source, check};
use mptcpsim::plan::{Change, Plan};
use mptcpsim::scenario::EndpointFlag;
use mptcpsim_core::capacity::Capacity;
use mptcpsim_core::impair;
use mptcpsim_core::queue::{Limit, QueueConfig};
use mptcpsim_core::time::{Span, Time};
use mptcpsim_core::units::{Bytes, Rate};
use proptest::prelude::*;

/// A scenario without faults, for tests that change one thing.
const SOUND: &str = r#"
name = "sound"
duration = "30 s"
seed = 1

[links.wifi]
rate = "30 Mbit/s"
delay = "15 ms"

[links.lte]
rate = "15 Mbit/s"
delay = "35 ms"

[hosts.phone]
addresses = { wlan0 = "10.0.1.1", rmnet0 = "10.0.2.1" }

[hosts.server]
addresses = { eth0 = "10.0.1.2", eth1 = "10.0.2.2" }

[[paths]]
between = ["phone.wlan0", "server.eth0"]
via = ["wifi"]

[[paths]]
between = ["phone.rmnet0", "server.eth1"]
via = ["lte"]

[[flows]]
from = "phone"
to = "server"
app = { kind = "bulk", bytes = "20 MB", direction = "download" }
"#;

fn checked(text: &str) -> Plan {
    check(&Source::new("test.toml", text, Notation::Toml), &[])
        .unwrap_or_else(|faults| panic!("{faults}"))
}

fn with(assignments: &[&str]) -> Result<Plan, String> {
    let overrides = assignments.iter().map(|text| Override::set(text)).collect::<Vec<_>>();
    let source = Source::new("test.toml", SOUND, Notation::Toml);
    check(&source, &overrides).map_err(|faults| faults.to_string())
}

fn faults(text: &str) -> String {
    let source = Source::new("test.toml", text, Notation::Toml);
    check(&source, &[]).expect_err("the scenario is faulty").to_string()
}

#[test]
fn everything_left_out_is_filled_in() {
    let plan = checked(SOUND);
    let wifi = plan.links.iter().find(|link| link.name == "wifi").unwrap();
    // 30 Mbit/s for 30 ms are 75 packets of 1500 bytes.
    let limit = Limit::Packets(75);
    assert_eq!(wifi.up.config.queue, QueueConfig::DropTail { limit });
    assert_eq!(wifi.up.config, wifi.down.config);
    let phone = plan.hosts.iter().find(|host| host.name == "phone").unwrap();
    let endpoints =
        phone.endpoints.iter().map(|endpoint| (endpoint.id, endpoint.address.to_string()));
    assert_eq!(
        endpoints.collect::<Vec<_>>(),
        [(1, "10.0.1.1".to_owned()), (2, "10.0.2.1".to_owned())],
        "in the order of paths, not of names"
    );
    let server = plan.hosts.iter().find(|host| host.name == "server").unwrap();
    assert!(server.endpoints.is_empty(), "a host that only accepts has none by default");
    let flow = &plan.flows[0];
    assert_eq!((flow.from.address.to_string(), flow.port), ("10.0.1.1".to_owned(), 5001));
    assert_eq!(plan.record.interval, Span::from_ms(100));
}

#[test]
fn a_pair_of_addresses_without_a_path_is_routed_by_its_source() {
    let plan = checked(SOUND);
    let path = |from: &str, to: &str| {
        let (path, forwards) =
            plan.path_between(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        (plan.paths[path.0].name.as_str(), forwards)
    };
    assert_eq!(path("10.0.1.1", "10.0.1.2"), ("wifi", true));
    assert_eq!(path("10.0.2.2", "10.0.2.1"), ("lte", false));
    assert_eq!(path("10.0.2.1", "10.0.1.2"), ("lte", true), "a join to the first address");
    assert_eq!(path("10.0.1.2", "10.0.2.1"), ("lte", false), "and the way back");
    assert!(plan.path_between("10.0.1.1".parse().unwrap(), "10.0.2.1".parse().unwrap()).is_none());
}

#[test]
fn the_short_form_is_two_hosts_and_a_link_per_path() {
    let plan = checked(
        r#"
        [[paths]]
        rate = "10 Mbit/s"
        delay = "10 ms"
        [[paths]]
        name = "slow"
        down = { rate = "2 Mbit/s" }
        up = { rate = "1 Mbit/s" }
        delay = "10 ms"
        [[flows]]
        app = { kind = "timed", duration = "5 s" }
        "#,
    );
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let links = plan.links.iter().map(|link| link.name.clone()).collect::<Vec<_>>();
    assert_eq!(links, names(&["path1", "slow"]));
    let hosts = plan.hosts.iter().map(|host| host.name.clone()).collect::<Vec<_>>();
    assert_eq!(hosts, names(&["client", "server"]));
    let addresses = plan.hosts.iter().flat_map(|host| &host.interfaces);
    let addresses = addresses.map(|interface| interface.addresses[0].to_string());
    let expected = ["10.0.1.1", "10.0.2.1", "10.0.1.2", "10.0.2.2"];
    assert_eq!(addresses.collect::<Vec<_>>(), names(&expected));
    assert_eq!(plan.links[1].up.config.capacity, Capacity::Fixed(Rate::from_bps(1_000_000)));
    assert_eq!(plan.links[1].down.config.capacity, Capacity::Fixed(Rate::from_bps(2_000_000)));
}

#[test]
fn the_scenario_of_the_readme_is_sound() {
    let readme = include_str!("../../README.md");
    let block = readme.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(checked(block).paths.len(), 2);
}

#[test]
fn every_algorithm_of_the_models_has_its_name_in_scenarios() {
    for name in mptcpsim_models::congestion::Name::ALL {
        let plan = with(&[&format!("flows.0.congestion_control={}", name.name())]).unwrap();
        assert_eq!(plan.flows[0].to.congestion_control.name, *name);
    }
    for name in mptcpsim_models::scheduler::Name::ALL {
        let plan = with(&[&format!("flows.0.mptcp.scheduler={}", name.name())]).unwrap();
        assert_eq!(plan.flows[0].from.scheduler.name, *name);
    }
}

#[test]
fn parameters_come_from_modules_and_over_them_from_flows() {
    let plan = with(&[
        "hosts.server.sysctl.\"net.ipv4.tcp_congestion_control\"=wvegas",
        "hosts.server.sysctl.\"net.mptcp.scheduler\"=roundrobin",
        "hosts.server.module_parameters.\"mptcp_wvegas.total_alpha\"=20",
        "hosts.server.module_parameters.\"mptcp_rr.num_segments\"=3",
    ])
    .unwrap();
    let param = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let [from, to] = [&plan.flows[0].from, &plan.flows[0].to];
    assert_eq!(to.congestion_control.params, param("total_alpha", "20"));
    assert_eq!(to.scheduler.params, param("num_segments", "3"));
    assert_eq!((from.congestion_control.params.len(), from.scheduler.params.len()), (0, 0));
    let plan = with(&[
        "flows.0.congestion_control=wvegas",
        "flows.0.congestion_parameters.gamma=2",
        "hosts.server.module_parameters.\"mptcp_wvegas.gamma\"=3",
    ])
    .unwrap();
    assert_eq!(plan.flows[0].from.congestion_control.params, param("gamma", "2"));
    // The later one counts.
    assert_eq!(plan.flows[0].to.congestion_control.params.last(), param("gamma", "2").last());
    for (wrong, complaint) in [
        ("flows.0.congestion_parameters.gamma=2", "unknown parameter of cubic `gamma`"),
        ("flows.0.mptcp.scheduler_parameters.x=2", "unknown parameter of default `x`"),
        ("hosts.server.module_parameters.\"tcp_cubic.beto\"=2", "unknown module parameter"),
        ("hosts.server.module_parameters.\"tcp_cubic.beta\"=2000", "2000 is no value for `beta`"),
    ] {
        let faults = with(&[wrong]).unwrap_err();
        assert!(faults.contains(complaint), "{faults}");
    }
}

#[test]
fn the_same_tree_as_json_gives_the_same_plan() {
    let tree: serde_json::Value = toml::from_str(SOUND).unwrap();
    let json = Source::new("test.toml", &tree.to_string(), Notation::Json);
    assert_eq!(check(&json, &[]).unwrap(), checked(SOUND));
}

#[test]
fn the_resolved_scenario_gives_the_same_plan() {
    let full = format!(
        "{SOUND}{}",
        r#"
        congestion_control = "reno"
        repeat = { times = 3, every = "1 s" }
        receive_buffer = "256 KiB"

        [[flows]]
        from = "server"
        to = "phone"
        protocol = "tcp"
        app = { kind = "request", response_bytes = "5 KB", count = 4, think_time = "10 ms" }

        [[timeline]]
        at = "3 s"
        host = "phone"
        endpoint = { action = "remove", interface = "rmnet0" }

        [[timeline]]
        at = "2 s"
        link = "wifi"
        direction = "down"
        set = { rate = "1 Mbit/s", limit = "2 BDP" }

        [links.dsl]
        up = { rate = "10 Mbit/s", delay = "9 ms", queue = { discipline = "red", ecn = true } }
        down = { rate = { steps = [{ at = "0 s", rate = "9 Mbit/s" }, { at = "4 s", rate = "3 Mbit/s" }] }, delay = "9 ms", outages = [{ from = "1 s", to = "2 s" }], jitter = { distribution = "normal", mean = "3 ms", deviation = "1 ms" } }
        loss = { model = "list", numbers = [3, 5], direction = "down", filter = "data" }
        "#
    );
    let plan = checked(&full);
    let text = toml::to_string(&plan.resolved()).unwrap();
    let again = checked(&text);
    assert_eq!((&again.links, &again.hosts, &again.paths), (&plan.links, &plan.hosts, &plan.paths));
    assert_eq!((&again.routes, &again.flows), (&plan.routes, &plan.flows));
    assert_eq!((&again.timeline, &again.record), (&plan.timeline, &plan.record));
    assert_eq!(again.resolved(), plan.resolved(), "resolving is done after one step");
    assert_eq!(plan.flows.len(), 4);
    assert_eq!(plan.timeline[0].at, Time::ZERO + Span::from_secs(2), "the timeline is in order");
    assert!(matches!(plan.timeline[1].change, Change::RemoveEndpoint(_, 2)));
    let dsl = plan.links.iter().find(|link| link.name == "dsl").unwrap();
    assert_eq!(dsl.up.config.impairments.loss, impair::Loss::None);
    assert_eq!(dsl.down.config.impairments.loss, impair::Loss::Listed(vec![3, 5]));
    // Until 2 s nothing is served, so the packet waits for the end of the outage.
    let start = Time::ZERO + Span::from_ms(1_500);
    let finish = dsl.down.config.capacity.finish(start, Bytes::new(1_125));
    assert_eq!(finish, Time::ZERO + Span::from_ms(2_001));
}

#[test]
fn fullmesh_is_a_flag_of_every_endpoint() {
    let plan = with(&["flows.0.mptcp.path_manager=fullmesh"]).unwrap();
    let phone = plan.hosts.iter().find(|host| host.name == "phone").unwrap();
    assert!(
        phone.endpoints.iter().all(|endpoint| endpoint.flags.contains(&EndpointFlag::Fullmesh))
    );
    assert_eq!((phone.subflow_limit, phone.add_addr_accepted), (8, 8));
}

#[test]
fn values_from_the_command_line_replace_those_of_the_file() {
    let plan = with(&[
        "links.wifi.delay=40 ms",
        "links.lte.loss.model=\"bernoulli\"",
        "links.lte.loss.probability = 0.01",
        "flows.0.app.bytes=1 MB",
        "hosts.server.sysctl.net.ipv4.tcp_sack=0",
    ])
    .unwrap();
    let wifi = plan.links.iter().find(|link| link.name == "wifi").unwrap();
    assert_eq!(wifi.down.config.delay, Span::from_ms(40));
    assert!(!plan.hosts.iter().find(|host| host.name == "server").unwrap().sysctl.tcp_sack);
}

#[test]
fn wrong_values_from_the_command_line_name_the_option() {
    for (assignment, said) in [
        (
            "links.wifi.delay",
            "command line:1:7: `links.wifi.delay` assigns nothing: there is no `=`",
        ),
        ("links.wifi.delay=fast", "command line:1:24: links.wifi.delay: `fast` is not a time"),
        ("links.wfi.delay=1 ms", "links.wfi.rate: `rate` is missing"),
        ("flows.7.port=80", "`flows` is a list with 1 elements, counted from 0: it has no `7`"),
        ("name.x=1", "`name` is the text `sound`: it has no key `x`"),
        ("a b=1", "`a b` is not the path of a key"),
        ("seed=-1", "command line:1:12: seed: -1 is too small"),
    ] {
        let faults = with(&[assignment]).unwrap_err();
        assert!(faults.contains(said), "{assignment}:\n{faults}");
    }
}

/// A change of the sound scenario, and what the check has to say about it.
const UNSOUND: &[(&str, &str, &str)] = &[
    ("seed = 1", "sed = 1", "sed: unknown key `sed` (did you mean `seed`?)"),
    ("\"30 s\"", "\"0 s\"", "duration: a run of no length"),
    ("\"30 s\"", "\"900 h\"", "duration: the run is longer than 30 days"),
    ("\"30 s\"", "30", "duration: expected a time such as `\"15 ms\"`, found the number 30"),
    ("\"30 Mbit/s\"", "\"-5 Mbit/s\"", "links.wifi.rate: `-5 Mbit/s` is not a rate"),
    ("\"30 Mbit/s\"", "\"0 Mbit/s\"", "links.wifi.rate: a link of rate 0 carries nothing"),
    ("\"30 Mbit/s\"", "\"900 Tbit/s\"", "links.wifi.rate: a rate of 900 Tbit/s is absurd"),
    ("\"30 Mbit/s\"", "\"30 ms\"", "unknown unit `ms`"),
    (
        "rate = \"30 Mbit/s\"",
        "",
        "links.wifi.rate: `rate` is missing (write for example `rate = \"30 Mbit/s\"`)",
    ),
    (
        "\"30 Mbit/s\"",
        "{ trace = \"no.trace\" }",
        "links.wifi.rate.trace: cannot use the trace `no.trace`",
    ),
    ("\"30 Mbit/s\"", "{ steps = [] }", "the link carries nothing at any time"),
    ("\"15 ms\"", "\"2 h\"", "links.wifi.delay: a delay of 7200 s is absurd"),
    (
        "delay = \"15 ms\"",
        "delai = \"15 ms\"",
        "links.wifi.delai: unknown key `delai` (did you mean `delay`?)",
    ),
    (
        "\"15 ms\"",
        "\"15 ms\"\nqueue = { discipline = \"fifo\" }",
        "unknown discipline `fifo` (known: droptail, red, codel",
    ),
    (
        "\"15 ms\"",
        "\"15 ms\"\nqueue = { discipline = \"droptail\", limit = \"10\" }",
        "`10` is not a queue limit",
    ),
    (
        "\"15 ms\"",
        "\"15 ms\"\nqueue = { discipline = \"droptail\", limit = \"99 B\" }",
        "99 B have no room for a packet of 1500 B",
    ),
    (
        "\"15 ms\"",
        "\"15 ms\"\nqueue = { discipline = \"codel\", target = \"1 s\" }",
        "a target of 1 s with an interval of 100 ms",
    ),
    (
        "\"15 ms\"",
        "\"15 ms\"\nqueue = { discipline = \"red\", max = \"9 packets\" }",
        "`max`, 9 packets, must be above `min`, 19 packets",
    ),
    (
        "\"15 ms\"",
        "\"15 ms\"\nqueue = { limit = \"1 BDP\" }",
        "links.wifi.queue.discipline: `discipline` is missing",
    ),
    (
        "\"15 ms\"",
        "\"15 ms\"\nqueue = \"codel\"",
        "expected a table such as `{ discipline = \"droptail\", ... }`, found the text `codel`",
    ),
    (
        "\"15 ms\"",
        "\"15 ms\"\nloss = { model = \"bernoulli\", probability = \"120 %\" }",
        "`120 %` is not a probability",
    ),
    ("\"15 ms\"", "\"15 ms\"\nloss = { model = \"list\", numbers = [0] }", "there is no packet 0"),
    (
        "\"15 ms\"",
        "\"15 ms\"\nup = { loss = { model = \"list\", numbers = [1], direction = \"down\" } }",
        "this is the `up` direction",
    ),
    (
        "\"15 ms\"",
        "\"15 ms\"\noutages = [{ from = \"2 s\", to = \"1 s\" }]",
        "the outage ends at 1 s and begins at 2 s",
    ),
    ("wlan0 = \"10.0.1.1\"", "wlan0 = \"10.0.1.300\"", "`10.0.1.300` is not an IP address"),
    (
        "wlan0 = \"10.0.1.1\"",
        "wlan0 = \"10.0.2.1\"",
        "the address 10.0.2.1 is already used at `hosts.phone.addresses.",
    ),
    (
        "wlan0 = \"10.0.1.1\"",
        "wlan0 = \"255.255.255.255\"",
        "cannot be the address of an interface",
    ),
    (
        "wlan0 = \"10.0.1.1\"",
        "wlan0 = \"fd00::1\"",
        "one end has only IPv4 addresses and the other only IPv6",
    ),
    (
        "[hosts.phone]",
        "[hosts.\"a phone\"]\n[hosts.phone]",
        "`a phone` cannot be the name of a host",
    ),
    ("[hosts.phone]", "[hosts.phone]\nstack = \"windows\"", "unknown stack `windows`"),
    (
        "[hosts.phone]",
        "[hosts.phone]\nsysctl = { \"net.mptcp.enable\" = 1 }",
        "did you mean `net.mptcp.enabled`?",
    ),
    (
        "[hosts.phone]",
        "[hosts.phone]\nmptcp.endpoints = [{ interface = \"wlan1\", flags = [\"subflow\"] }]",
        "unknown interface of phone `wlan1` (did you mean `wlan0`?)",
    ),
    (
        "[hosts.phone]",
        "[hosts.phone]\nmptcp.endpoints = [{ interface = \"wlan0\" }]",
        "neither `subflow` nor `signal`",
    ),
    (
        "[hosts.phone]",
        "[hosts.phone]\nmptcp.endpoints = [{ interface = \"wlan0\", flags = [\"sublow\"] }]",
        "unknown flag `sublow` (did you mean `subflow`?)",
    ),
    (
        "[hosts.phone]",
        "[hosts.phone]\nmptcp.limits = { subflows = 9 }",
        "9 is too large (write a whole number from 0 to 8)",
    ),
    ("via = [\"wifi\"]", "via = [\"wifi\", \"wlan\"]", "paths.0.via.1: unknown link `wlan`"),
    (
        "via = [\"wifi\"]",
        "via = [\"wifi\", \"lte\", \"wifi\"]",
        "the path runs in a circle: it passes `wifi` twice",
    ),
    ("via = [\"wifi\"]", "via = []", "paths.0.via: the path is empty"),
    (
        "via = [\"wifi\"]",
        "via = [\"wifi\"]\nrate = \"1 Mbit/s\"",
        "a path with `via` has no rate, delay or queue of its own",
    ),
    ("\"server.eth0\"", "\"phone.rmnet0\"", "the path leads from a host to itself"),
    ("\"server.eth0\"", "\"server.eth9\"", "unknown interface of server `eth9`"),
    ("\"server.eth0\"", "\"server\"", "`server` names no interface"),
    (
        "[\"phone.wlan0\", \"server.eth0\"]",
        "[\"phone.wlan0\"]",
        "expected a list of 2, found a list of 1",
    ),
    (
        "\"phone.rmnet0\", \"server.eth1\"",
        "\"phone.wlan0\", \"server.eth0\"",
        "this pair of interfaces is already used at `paths.0`",
    ),
    ("from = \"phone\"", "from = \"phon\"", "unknown host `phon` (did you mean `phone`?)"),
    ("to = \"server\"", "to = \"phone\"", "a host has no connection to itself"),
    (
        "to = \"server\"",
        "to = \"server\"\nsource = \"10.9.9.9\"",
        "unknown address of phone `10.9.9.9`",
    ),
    ("\"20 MB\"", "\"0 B\"", "flows.0.app.bytes: nothing would be sent"),
    ("\"20 MB\"", "\"20 Mbit/s\"", "`20 Mbit/s` is not a number of bytes"),
    ("kind = \"bulk\"", "kind = \"bluk\"", "unknown app `bluk` (did you mean `bulk`?)"),
    (
        "to = \"server\"",
        "to = \"server\"\nmptcp = { scheduler = \"blesst\" }",
        "unknown scheduler `blesst`",
    ),
    ("to = \"server\"", "to = \"server\"\nmd5_key = \"\"", "a key of 0 bytes"),
    ("to = \"server\"", "to = \"server\"\nreceive_buffer = \"9 GB\"", "a buffer of 9 GB"),
    (
        "[[flows]]",
        "[[timeline]]\nat = \"1 s\"\nlink = \"wifi\"\n[[flows]]",
        "timeline.0: the entry is no change of a link and none of a host",
    ),
    (
        "[[flows]]",
        "[[timeline]]\nat = \"1 s\"\nhost = \"phone\"\nendpoint = { action = \"remove\", id = 7 }\n[[flows]]",
        "phone has no such endpoint at this time (it has 1 (10.0.1.1), 2 (10.0.2.1))",
    ),
    (
        "[[flows]]",
        "[record]\ninterval = \"0 s\"\n[[flows]]",
        "record.interval: samples need time between them",
    ),
    (
        "[[flows]]",
        "[record]\ntables = [\"sumary\"]\n[[flows]]",
        "unknown table `sumary` (did you mean `summary`?)",
    ),
    (
        "[[flows]]",
        "[sweep]\n\"links.wifi.dealy\" = [\"1 ms\"]\n[[flows]]",
        "sweep.\"links.wifi.dealy\".0: links.wifi.dealy: unknown key `dealy` (did you mean `delay`?)",
    ),
    ("[[flows]]", "[sweep]\nseeds = \"9..3\"\n[[flows]]", "`9..3` is not a range of seeds"),
    ("[[flows]]", "[[flow]]", "unknown key `flow` (did you mean `flows`?)"),
    ("[[flows]]", "[[flows]", "not valid TOML"),
    ("seed = 1", "seed = 1\nseed = 2", "not valid TOML: duplicate key"),
];

#[test]
fn each_fault_is_found_where_it_is_and_said_in_plain_words() {
    for (sound, unsound, said) in UNSOUND {
        assert!(SOUND.contains(sound), "{sound}");
        let faults = faults(&SOUND.replacen(sound, unsound, 1));
        assert!(faults.contains(said), "{unsound}:\n{faults}\nshould say:\n{said}");
        assert_eq!(faults.lines().count(), 1, "one mistake, one message; {unsound}:\n{faults}");
    }
}

#[test]
fn all_faults_are_found_at_once() {
    // Mistakes that do not hide each other, one of them in each part of the scenario.
    let changes = [
        ("\"30 s\"", "\"0 s\""),
        ("\"30 Mbit/s\"", "\"30 Mbps\""),
        ("\"35 ms\"", "\"3 h\""),
        ("wlan0 = \"10.0.1.1\"", "wlan0 = \"10.0.2.1\""),
        ("via = [\"lte\"]", "via = [\"ltee\"]"),
        ("\"20 MB\"", "\"0 B\""),
    ];
    let text = changes.iter().fold(SOUND.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let faults = faults(&text);
    assert_eq!(faults.lines().count(), changes.len(), "{faults}");
}

#[test]
fn places_are_lines_and_columns() {
    let faults = faults(&SOUND.replacen("\"15 Mbit/s\"", "15", 1));
    assert!(faults.starts_with("test.toml:11:8: links.lte.rate: expected a rate"), "{faults}");
    let json = Source::new("a.json", "{\n  \"sed\": 1\n}", Notation::Json);
    let faults = check(&json, &[]).unwrap_err().to_string();
    assert!(faults.contains("a.json:2:3: sed: unknown key `sed`"), "{faults}");
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(faults(&deep).contains("not valid TOML"));
    let json = Source::new("a.json", &"[".repeat(100_000), Notation::Json);
    assert!(check(&json, &[]).unwrap_err().to_string().contains("not valid JSON"));
}

proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in "\\PC*") {
        for notation in [Notation::Toml, Notation::Json] {
            let _ = check(&Source::new("x", &text, notation), &[]);
        }
    }

    #[test]
    fn no_damage_makes_the_check_panic(at in 0..SOUND.len(), length in 0..40_usize, with in "[ -~]{0,8}") {
        let end = (at + length).min(SOUND.len());
        let damaged = format!("{}{with}{}", &SOUND[..at], &SOUND[end..]);
        let _ = check(&Source::new("x", &damaged, Notation::Toml), &[]);
    }

    #[test]
    fn no_assignment_makes_the_check_panic(key in "[a-z0-9.\"_]{0,30}", value in "\\PC{0,20}") {
        let _ = with(&[&format!("{key}={value}")]);
    }
}
