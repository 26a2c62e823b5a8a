//! Any text is a packet script that ends somehow: it passes, fails, or is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mptcpsim_models::packetdrill::{self, Options};

fuzz_target!(|text: &str| {
    packetdrill::run(text, &Options::default());
});
