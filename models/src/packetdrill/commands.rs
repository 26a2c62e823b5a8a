//! The shell commands of scripts, done to the simulated host instead.
//!
//! A handful of programs and of the suites' own helper scripts is known by
//! name; whatever else a script wants to run is reported, not guessed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use winnow::combinator::{alt, delimited, opt, repeat, separated};
use winnow::prelude::*;
use winnow::token::{take_until, take_while};

use super::files::Files;
use super::kernel::Kernel;
use super::parse::arithmetic;
use crate::mptcp::{MetaState, Mode};
use crate::observe::mib::{Counter, Mib};
use crate::path_manager::{PathEvent, endpoints};
use crate::rules::Stack;
use crate::sysctl::{BufferLimits, Qdisc};
use crate::tcp::State;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Well,
    /// Its exit status is not 0.
    Failed(String),
    Unsupported(String),
}

/// What commands act upon.
pub(super) struct Shell<'a> {
    pub(super) kernel: &'a mut Kernel,
    pub(super) stack: Stack,
    pub(super) local: IpAddr,
    /// The counters when `nstat -n` was last run.
    pub(super) counted: &'a mut Mib,
    pub(super) files: &'a mut Files,
}

/// Splits commands at line ends, `;` and `&&`, and each into its words.
fn split(text: &str) -> Option<Vec<Vec<String>>> {
    let end = alt(("&&", ";", "\n"));
    let mut commands = separated(0.., command, end);
    commands.parse(text).ok()
}

fn command(input: &mut &str) -> winnow::Result<Vec<String>> {
    let comment = opt(('#', take_while(0.., |c| c != '\n')));
    let words = repeat(0.., (word, blank).map(|(word, ())| word));
    (blank, words, comment).map(|(_, words, _)| words).parse_next(input)
}

/// Blanks, and line ends with a backslash in front.
fn blank(input: &mut &str) -> winnow::Result<()> {
    let gap = take_while(1.., |c| c == ' ' || c == '\t');
    repeat(0.., alt((gap, "\\\n"))).parse_next(input)
}

/// Quotes join what they hold; `$((...))` is a number, `$(...)` stays as it is.
fn word(input: &mut &str) -> winnow::Result<String> {
    let plain = take_while(1.., |c: char| !c.is_whitespace() && !"'\";&$(#\\".contains(c));
    let inner = alt((
        ("$(", take_while(0.., |c| c != ')'), ')').take(),
        ("${", take_while(0.., |c| c != '}'), '}').take(),
    ));
    let quoted = delimited('\'', take_while(0.., |c| c != '\''), '\'');
    let text = alt((plain, inner, quoted)).map(str::to_owned);
    let parts = repeat(1.., alt((sum, text, double_quoted)));
    parts.map(|parts: Vec<String>| parts.concat()).parse_next(input)
}

fn sum(input: &mut &str) -> winnow::Result<String> {
    let text = delimited("$((", take_until(0.., "))"), "))");
    text.verify_map(arithmetic).map(|sum| sum.to_string()).parse_next(input)
}

fn double_quoted(input: &mut &str) -> winnow::Result<String> {
    let text = alt((take_while(1.., |c| c != '"' && c != '$'), "$")).map(str::to_owned);
    let parts = repeat(0.., alt((sum, text)));
    delimited('"', parts.map(|parts: Vec<String>| parts.concat()), '"').parse_next(input)
}

/// Runs the commands in `text`.
pub(super) fn run(text: &str, shell: &mut Shell<'_>) -> Done {
    let Some(commands) = split(text) else { return Done::Unsupported(command_name(text)) };
    for words in commands.iter().filter(|words| !words.is_empty()) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match shell.pipeline(&words) {
            Done::Well => {}
            other => return other,
        }
    }
    Done::Well
}

fn command_name(text: &str) -> String {
    format!("the command `{}`", text.trim().lines().next().unwrap_or_default())
}

impl Shell<'_> {
    /// A command, or one of the few pipes that scripts have.
    fn pipeline(&mut self, words: &[&str]) -> Done {
        match words {
            ["!", words @ ..] => match self.pipeline(words) {
                Done::Well => Done::Failed(format!("`{}` succeeds", words.join(" "))),
                Done::Failed(_) => Done::Well,
                unsupported => unsupported,
            },
            ["ss", flags, "|", "grep", "-q", word] | ["ss", flags, "|", "grep", word] => {
                self.sockets_listed(flags, word)
            }
            ["nstat", "|", "grep", name, "|", "grep", "-q", value] => {
                self.counter_listed(name, value)
            }
            ["grep", first, files @ .., "|", "grep", second]
                if files.iter().all(|file| ["/proc/net/tcp", "/proc/net/tcp6"].contains(file)) =>
            {
                self.listeners_listed(first, second)
            }
            words => self.command(words),
        }
    }

    /// `ss -M | grep WORD`: MPTCP sockets by their state, with `t` their subflows too.
    fn sockets_listed(&self, flags: &str, word: &str) -> Done {
        let mut lines = Vec::new();
        for connection in self.kernel.connections().filter(|held| held.mode() == Mode::Mptcp) {
            let state = connection.state();
            if flags.contains('M') && state != MetaState::Closed {
                lines.push(format!("mptcp {}", state.name()));
            }
            let subflows = (0..connection.subflow_count()).filter_map(|i| connection.subflow(i));
            let live = subflows
                .filter(|subflow| !matches!(subflow.state(), State::Closed | State::TimeWait));
            if flags.contains('t') {
                lines.extend(live.map(|subflow| format!("tcp {}", subflow.state().name())));
            }
        }
        match lines.iter().any(|line| line.contains(word)) {
            true => Done::Well,
            false => Done::Failed(format!("no socket is {word}: {}", lines.join(", "))),
        }
    }

    /// `grep " 0A " /proc/net/tcp | grep ":1F90"`: sockets that listen (`get_tcp4_sock`).
    fn listeners_listed(&self, first: &str, second: &str) -> Done {
        let lines = self.kernel.listening_ports().map(|port| format!(":{port:04X} :0000 0A "));
        let mut found = lines.filter(|line| line.contains(first) && line.contains(second));
        match found.next() {
            Some(_) => Done::Well,
            None => Done::Failed(format!("no socket that listens is {first} and {second}")),
        }
    }

    /// `nstat | grep NAME | grep -q " 3 "`: counters that have changed since `nstat -n`.
    fn counter_listed(&self, name: &str, value: &str) -> Done {
        match self.count(&format!("$(nstat {name})")) {
            None => Done::Unsupported(format!("the counter {name}")),
            Some(count) if count != 0 && value.trim() == count.to_string() => Done::Well,
            Some(count) => Done::Failed(format!("{name} is {count}")),
        }
    }

    fn command(&mut self, words: &[&str]) -> Done {
        let Some((program, arguments)) = words.split_first() else { return Done::Well };
        let name = program.rsplit('/').next().unwrap_or(program);
        match name {
            // The simulated host has no device that could do without what these set.
            "true" | "echo" | "ethtool" => Done::Well,
            "tc" => self.tc(arguments),
            _ if name.starts_with("sysctl_restore_") => Done::Well,
            "rm" => self.remove_files(arguments),
            "dd" => self.make_file(arguments),
            "sleep" => self.sleep(arguments),
            "sysctl" => self.sysctl(arguments),
            "set_sysctls.py" => self.set_sysctls(arguments),
            "defaults.sh" => self.defaults(program),
            "server.sh" => self.endpoints_of_a_suite(1, &["signal"]),
            "client.sh" => self.endpoints_of_a_suite(0, &[]),
            "multi-ep.sh" => self.multi_endpoints(arguments),
            "nstat" if arguments == ["-n"] => {
                *self.counted = self.kernel.mib.clone();
                Done::Well
            }
            "test" => self.test(arguments),
            "[" => self.test(arguments.strip_suffix(&["]"]).unwrap_or(arguments)),
            "ip" => self.ip(words, arguments),
            _ => Done::Unsupported(command_name(&words.join(" "))),
        }
    }

    /// `tc qdisc replace dev tun0 root fq`: the kind of the root is what connections notice.
    fn tc(&mut self, arguments: &[&str]) -> Done {
        if value_of(arguments, "limit") == Some("0") {
            return Done::Unsupported("a queueing discipline that takes no packet".to_owned());
        }
        let kind = arguments.iter().skip_while(|word| **word != "root").nth(1);
        if let Some(qdisc) = kind.and_then(|kind| Qdisc::from_name(kind)) {
            self.kernel.config.sysctl.default_qdisc = qdisc;
        }
        Done::Well
    }

    /// `rm -f FILE...`.
    fn remove_files(&mut self, arguments: &[&str]) -> Done {
        for path in arguments.iter().filter(|argument| !argument.starts_with('-')) {
            self.files.remove(path);
        }
        Done::Well
    }

    /// `dd bs=1 count=5 if=/dev/zero of=FILE`.
    fn make_file(&mut self, arguments: &[&str]) -> Done {
        let mut given: BTreeMap<&str, &str> =
            arguments.iter().filter_map(|argument| argument.split_once('=')).collect();
        given.remove("status");
        let mut number = |name| given.remove(name)?.parse::<u64>().ok();
        let len = number("bs").zip(number("count")).and_then(|(size, n)| size.checked_mul(n));
        let zeros = given.remove("if") == Some("/dev/zero");
        match (len, given.remove("of")) {
            (Some(len), Some(path)) if zeros && given.is_empty() => self.files.make(path, len),
            _ => return Done::Unsupported(command_name(&format!("dd {}", arguments.join(" ")))),
        }
        Done::Well
    }

    fn sleep(&mut self, arguments: &[&str]) -> Done {
        let seconds = arguments.first().and_then(|text| text.parse::<f64>().ok());
        let Some(seconds) = seconds.filter(|seconds| (0.0..1e6).contains(seconds)) else {
            return Done::Failed("sleep: how long?".to_owned());
        };
        let until = self.kernel.now() + mptcpsim_core::time::Span::from_secs_f64(seconds);
        self.kernel.advance(until);
        Done::Well
    }

    // ---- sysctl --------------------------------------------------------------------------

    fn sysctl(&mut self, arguments: &[&str]) -> Done {
        // `-w a=b c=d`, with spaces inside a quoted value.
        for assignment in arguments.iter().filter(|argument| !argument.starts_with('-')) {
            let Some((name, value)) = assignment.split_once('=') else {
                return Done::Unsupported(format!("reading the sysctl {assignment}"));
            };
            if let Done::Unsupported(what) = self.set_sysctl(name.trim(), value.trim()) {
                return Done::Unsupported(what);
            }
        }
        Done::Well
    }

    fn set_sysctl(&mut self, name: &str, value: &str) -> Done {
        let name = name.replace('/', ".");
        if IRRELEVANT.contains(&name.as_str()) {
            return Done::Well;
        }
        match self.kernel.config.sysctl.set(self.stack, &name, value) {
            Ok(()) => Done::Well,
            Err(error) => Done::Unsupported(error.to_string()),
        }
    }

    /// `set_sysctls.py /proc/sys/net/ipv4/tcp_sack=1 ...`.
    fn set_sysctls(&mut self, arguments: &[&str]) -> Done {
        let named = arguments.iter().map(|argument| argument.trim_start_matches("/proc/sys/"));
        self.sysctl(&named.collect::<Vec<_>>())
    }

    /// What the suites' `defaults.sh` sets, as far as it shows.
    fn defaults(&mut self, program: &str) -> Done {
        let sysctl = &mut self.kernel.config.sysctl;
        sysctl.tcp_rmem = BufferLimits { min: 4_096, default: 540_000, max: 15_728_640 };
        sysctl.tcp_wmem = BufferLimits { min: 4_096, default: 262_144, max: 4_194_304 };
        sysctl.tcp_timestamps = true;
        sysctl.tcp_sack = true;
        sysctl.tcp_reordering = 3;
        sysctl.tcp_ecn = 0;
        // The scripts that come with the kernel lie beside theirs, which lets listeners decide.
        sysctl.tcp_fastopen = if program == "./defaults.sh" { 0x3 } else { 0x70403 };
        sysctl.tcp_slow_start_after_idle = false;
        sysctl.tcp_tso_win_divisor = 3;
        sysctl.enabled = true;
        Done::Well
    }

    // ---- endpoints -----------------------------------------------------------------------

    /// `server.sh`, `client.sh`: fresh endpoints with addresses behind the first, limits of 8.
    fn endpoints_of_a_suite(&mut self, count: u8, kinds: &[&str]) -> Done {
        let limits = endpoints::Limits { subflows: 8, add_addr_accepted: 8 };
        self.kernel.endpoints = endpoints::Config { limits, ..endpoints::Config::default() };
        for number in 1..=count {
            let addr = match self.local {
                IpAddr::V4(addr) => IpAddr::V4((u32::from(addr) + u32::from(number)).into()),
                IpAddr::V6(addr) => IpAddr::V6((u128::from(addr) + u128::from(number)).into()),
            };
            self.add_endpoint(endpoint(addr, number, kinds));
        }
        Done::Well
    }

    /// `multi-ep.sh -e COUNT -m signal|subflow`.
    fn multi_endpoints(&mut self, arguments: &[&str]) -> Done {
        let (mut count, mut kinds) = (1, Vec::new());
        for pair in arguments.chunks(2) {
            match pair {
                ["-e", number] => count = number.parse().unwrap_or(0),
                ["-m", mode @ ("signal" | "subflow" | "backup" | "fullmesh")] => kinds.push(*mode),
                _ => return Done::Unsupported(format!("multi-ep.sh {}", arguments.join(" "))),
            }
        }
        self.endpoints_of_a_suite(count, &kinds)
    }

    fn add_endpoint(&mut self, endpoint: endpoints::Endpoint) {
        if !self.kernel.addresses.contains(&endpoint.addr) {
            self.kernel.addresses.push(endpoint.addr);
        }
        self.kernel.endpoints.endpoints.push(endpoint);
        self.kernel.tell_all(PathEvent::EndpointsChanged);
    }

    fn ip(&mut self, words: &[&str], arguments: &[&str]) -> Done {
        let done = match arguments.strip_prefix(&["-6"]).unwrap_or(arguments) {
            ["mptcp", "endpoint", rest @ ..] => self.ip_endpoint(rest),
            ["mptcp", "limits", "set", rest @ ..] => self.ip_limits(rest),
            // Nothing remembers earlier connections here, and addresses need no interface.
            ["tcp_metrics", ..] | ["link", "set", ..] => Some(()),
            ["addr" | "address" | "a", "add" | "a", addr, ..] => self.ip_addr(addr),
            _ => None,
        };
        match done {
            Some(()) => Done::Well,
            None => Done::Unsupported(command_name(&words.join(" "))),
        }
    }

    fn ip_addr(&mut self, addr: &str) -> Option<()> {
        let addr = addr.split('/').next()?.parse().ok()?;
        if !self.kernel.addresses.contains(&addr) {
            self.kernel.addresses.push(addr);
        }
        Some(())
    }

    fn ip_endpoint(&mut self, words: &[&str]) -> Option<()> {
        match words {
            ["flush"] => {
                let all: Vec<u8> =
                    self.kernel.endpoints.endpoints.iter().map(|endpoint| endpoint.id).collect();
                all.into_iter().for_each(|id| self.remove_endpoint(id));
            }
            ["add", addr, rest @ ..] => {
                let given = value_of(rest, "id").and_then(|id| id.parse().ok());
                let id = given.or_else(|| self.kernel.endpoints.free_id())?;
                let mut endpoint = endpoint(addr.parse().ok()?, id, rest);
                endpoint.port = value_of(rest, "port").and_then(|port| port.parse().ok());
                self.add_endpoint(endpoint);
            }
            ["delete" | "del", "id", id, ..] => self.remove_endpoint(id.parse().ok()?),
            ["change", rest @ ..] => {
                let id = value_of(rest, "id")?.parse().ok()?;
                let backup = rest.contains(&"backup");
                let all = &mut self.kernel.endpoints.endpoints;
                all.iter_mut().find(|endpoint| endpoint.id == id)?.backup = backup;
                self.kernel.tell_all(PathEvent::BackupChanged { id, backup });
            }
            _ => return None,
        }
        Some(())
    }

    fn remove_endpoint(&mut self, id: u8) {
        if id == 0 {
            self.kernel.tell_all(PathEvent::InitialAddressRemoved);
            return;
        }
        self.kernel.endpoints.endpoints.retain(|endpoint| endpoint.id != id);
        self.kernel.tell_all(PathEvent::EndpointsChanged);
    }

    fn ip_limits(&mut self, words: &[&str]) -> Option<()> {
        for pair in words.chunks(2) {
            let [name, value] = pair else { return None };
            let value = value.parse().ok()?;
            let limits = &mut self.kernel.endpoints.limits;
            match *name {
                "subflow" | "subflows" => limits.subflows = value,
                "add_addr_accepted" | "add_addr_accept" => limits.add_addr_accepted = value,
                _ => return None,
            }
        }
        self.kernel.tell_all(PathEvent::EndpointsChanged);
        Some(())
    }

    // ---- counters ------------------------------------------------------------------------

    /// `test $(nstat -zjs | jq '.kernel.NAME') -eq 1`.
    fn test(&mut self, words: &[&str]) -> Done {
        let [left, operator, right] = words else {
            return Done::Unsupported(format!("the command `test {}`", words.join(" ")));
        };
        let (Some(left), Some(right)) = (self.count(left), self.count(right)) else {
            return Done::Unsupported(format!("the command `test {}`", words.join(" ")));
        };
        let holds = match *operator {
            "-eq" | "=" | "==" => left == right,
            "-ne" | "!=" => left != right,
            "-gt" => left > right,
            "-ge" => left >= right,
            "-lt" => left < right,
            "-le" => left <= right,
            _ => return Done::Unsupported(format!("the operator `{operator}` of test")),
        };
        if holds { Done::Well } else { Done::Failed(format!("{left} {operator} {right} is false")) }
    }

    /// A number, or a counter since `nstat -n`.
    fn count(&self, word: &str) -> Option<i64> {
        if let Ok(number) = word.parse() {
            return Some(number);
        }
        let reads = word.starts_with("$(") && word.contains("nstat");
        let name = word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|_| reads);
        let counter = name
            .filter_map(|name| Counter::ALL.iter().find(|counter| counter.name() == name))
            .next()?;
        let since = self.kernel.mib.get(*counter).wrapping_sub(self.counted.get(*counter));
        Some(since as i64)
    }
}

/// Sysctls whose effect cannot be seen here: nothing queues, remembers or forwards.
const IRRELEVANT: [&str; 11] = [
    "net.core.optmem_max",
    "net.core.wmem_max",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_autocorking",
    "net.ipv4.tcp_fastopen_blackhole_timeout_sec",
    "net.ipv4.tcp_limit_output_bytes",
    "net.ipv4.tcp_migrate_req",
    "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_tw_reuse",
];

fn value_of<'w>(words: &[&'w str], name: &str) -> Option<&'w str> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1).copied()
}

fn endpoint(addr: IpAddr, id: u8, flags: &[&str]) -> endpoints::Endpoint {
    endpoints::Endpoint {
        id,
        addr,
        port: None,
        subflow: flags.contains(&"subflow"),
        signal: flags.contains(&"signal"),
        backup: flags.contains(&"backup"),
        fullmesh: flags.contains(&"fullmesh"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_split_like_a_shell_does() {
        let words = |text| split(text).unwrap().concat();
        assert_eq!(words("sysctl -q a=\"1 2\" 'b c'"), ["sysctl", "-q", "a=1 2", "b c"]);
        let test = words("test $(nstat -zjs | jq '.kernel.X') -eq 1");
        assert_eq!(test, ["test", "$(nstat -zjs | jq '.kernel.X')", "-eq", "1"]);
        assert_eq!(split("a # b\n c && d;e").unwrap().iter().filter(|c| !c.is_empty()).count(), 4);
        assert_eq!(words("! a | b"), ["!", "a", "|", "b"]);
        assert_eq!(
            words("sysctl a=$((32 * 1024 + 1)) b=\"4 $((2*3)) $x\""),
            ["sysctl", "a=32769", "b=4 6 $x"]
        );
    }
}
