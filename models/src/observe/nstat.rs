//! Counters as `nstat -az` prints them.

use std::fmt::Write;

use super::mib::Mib;
use crate::rules::Stack;

/// All counters of a host called `name` of line `stack`, those at zero too. The last column is the
/// rate, which `nstat` too knows only with its daemon.
pub fn text(name: &str, stack: Stack, mib: &Mib) -> String {
    let mut text = format!("#{name}\n");
    for (counter, value) in mib.iter(stack) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{:<32}{value:<16}{:>6.1}", counter.name(), 0.0);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::mib::Counter;

    #[test]
    fn a_line_is_a_counter_as_nstat_prints_it() {
        let mut mib = Mib::default();
        mib.add(Counter::RetransSegs, 12);
        let text = text("phone", Stack::Upstream, &mib);
        assert!(text.starts_with("#phone\n"));
        let line = "TcpRetransSegs                  12                 0.0";
        assert!(text.lines().any(|shown| shown == line), "{text}");
        assert!(text.contains("\nMPTcpExtWinProbe "), "{text}");
        assert!(!text.contains("MPTcpExtRemAddrTx"), "only of the other line");
    }
}
