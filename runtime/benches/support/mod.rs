//! What the benchmarks share: rounds in which all rivals take turns, medians, ratios.

use std::time::{Duration, Instant};

/// How much is measured: a full run under `cargo bench`, else just enough to show that it works.
pub(crate) struct Size {
    /// How many times every rival takes its turn.
    pub(crate) rounds: usize,
    /// How many times each thing is done in a turn.
    pub(crate) times: usize,
}

impl Size {
    /// The size of a full run, or of a short one without `cargo bench`.
    pub(crate) fn of(times: usize) -> Size {
        let full = std::env::args().any(|argument| argument == "--bench");
        if full { Size { rounds: 7, times } } else { Size { rounds: 1, times: times.div_ceil(100) } }
    }
}

/// One measured thing: the medians of its rounds.
pub(crate) struct Row {
    name: &'static str,
    medians: Vec<Duration>,
    tails: Vec<Duration>,
}

impl Row {
    /// A row without figures.
    pub(crate) fn new(name: &'static str) -> Row {
        Row { name, medians: Vec::new(), tails: Vec::new() }
    }

    /// One round: does it `times` times, after a tenth for warming up; `undo` is not measured.
    #[allow(dead_code, reason = "not every benchmark measures without preparation")]
    pub(crate) fn round<T>(&mut self, times: usize, mut measured: impl FnMut() -> T, undo: impl FnMut(T)) {
        self.measure(times, || (), |()| measured(), undo);
    }

    /// Measures a round as [`round`](Self::round) does, with a preparation each time, which is not measured.
    ///
    /// # Panics
    /// If a preparation or a measured call fails.
    #[allow(dead_code, reason = "not every benchmark prepares")]
    pub(crate) fn prepared<P, T, E: std::fmt::Debug, F: std::fmt::Debug>(
        &mut self,
        times: usize,
        mut prepare: impl FnMut() -> Result<P, E>,
        mut measured: impl FnMut(P) -> Result<T, F>,
    ) {
        let prepare = || prepare().expect("a preparation");
        self.measure(times, prepare, |prepared| measured(prepared).expect("what is measured"), drop);
    }

    /// Measures `times` calls of `once`, which returns its own duration.
    #[allow(dead_code, reason = "most times are from call to return")]
    pub(crate) fn timed(&mut self, times: usize, mut once: impl FnMut() -> Duration) {
        for _ in 0..times.div_ceil(10) {
            once();
        }
        let mut taken: Vec<Duration> = (0..times).map(|_| once()).collect();
        taken.sort_unstable();
        self.medians.push(taken[taken.len() / 2]);
        self.tails.push(taken[taken.len() * 99 / 100]);
    }

    fn measure<P, T>(
        &mut self,
        times: usize,
        mut prepare: impl FnMut() -> P,
        mut measured: impl FnMut(P) -> T,
        mut undo: impl FnMut(T),
    ) {
        self.timed(times, || {
            let prepared = prepare();
            let start = Instant::now();
            let done = measured(prepared);
            let taken = start.elapsed();
            undo(done);
            taken
        });
    }

    /// The median of the rounds' medians.
    pub(crate) fn median(&self) -> Duration {
        middle(&self.medians)
    }

    /// The row of one thing, if `count` of them were measured together.
    #[allow(dead_code, reason = "not every benchmark measures several at once")]
    pub(crate) fn divided_by(mut self, count: u32) -> Row {
        self.medians.iter_mut().chain(&mut self.tails).for_each(|taken| *taken /= count);
        self
    }

    /// Prints the row, and how it compares with `floor`.
    pub(crate) fn print(&self, floor: Option<(&Row, f64)>) {
        let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
        let (least, most) = (self.medians.iter().min(), self.medians.iter().max());
        let ratio = floor.map_or(String::new(), |(floor, target)| {
            let ratio = self.median().as_secs_f64() / floor.median().as_secs_f64();
            let verdict = if ratio <= target { "kept" } else { "MISSED" };
            format!("{ratio:.2}x (target {target}x, {verdict})")
        });
        println!(
            "{:<62} {:>8.1} us  ({:.1} to {:.1})  p99 {:>8.1} us  {ratio}",
            self.name,
            micros(self.median()),
            least.map_or(0.0, |&least| micros(least)),
            most.map_or(0.0, |&most| micros(most)),
            micros(middle(&self.tails)),
        );
    }
}

fn middle(durations: &[Duration]) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
