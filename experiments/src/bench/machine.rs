//! What the machine tells of a process: CPU time and memory.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// Measures CPU time, user and system, of the whole process.
pub(super) struct CpuTimer(f64);

impl CpuTimer {
    pub(super) fn start() -> Self {
        Self(cpu_seconds())
    }

    pub(super) fn seconds(&self) -> f64 {
        cpu_seconds() - self.0
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Memory in use, in bytes; `None` where there is no Linux to ask.
pub(super) fn memory() -> Option<u64> {
    status("VmRSS:")
}

/// The largest memory since the start of the process.
pub(super) fn peak_memory() -> Option<u64> {
    status("VmHWM:")
}

fn status(key: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}
