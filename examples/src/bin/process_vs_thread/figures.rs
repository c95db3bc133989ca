//! Many times become two numbers; what memory costs; which machine this is.

use std::fs;
use std::time::{Duration, Instant};

/// How long something takes.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Does it once more.
    pub(crate) fn time<T>(&mut self, what: impl FnOnce() -> phalanx::Result<T>) -> phalanx::Result<T> {
        let start = Instant::now();
        let done = what()?;
        self.0.push(start.elapsed());
        Ok(done)
    }

    /// Median and 99th percentile.
    pub(crate) fn text(mut self) -> String {
        self.0.sort();
        let at = |hundredths: usize| self.0[(self.0.len() - 1) * hundredths / 100];
        format!("{}, {}", short(at(50)), short(at(99)))
    }
}

pub(crate) fn short(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1e-6 => format!("{:.0} ns", seconds * 1e9),
        seconds if seconds < 1e-3 => format!("{:.1} µs", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.2} s"),
    }
}

/// The private memory of a process that it has written to, in KiB.
pub(crate) fn private_memory(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Processor, cores and kernel.
pub(crate) fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("{model}, {} cores, Linux {}, {build} build", phalanx::parallelism(), kernel.trim_end())
}
