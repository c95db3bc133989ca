//! When an actor wants a fresh process: after so many messages, at a certain age, or above a certain size.

use std::time::Duration;

use crate::sys::{clock, process, procfs};
use crate::types::options::Recycle;

/// The least time between two looks at the size, in nanoseconds.
const LOOK: u64 = 10_000_000;

/// The limits of one process, with their jitter, so that actors which were started together do not all pause
/// together.
#[derive(Default)]
pub(super) struct Recycling {
    messages_left: Option<u64>,
    memory: Option<u64>,
    /// How old it may become, in nanoseconds.
    age: Option<u64>,
    /// When it is too old; not known before it is ready.
    at: Option<u64>,
    /// Whether it has handled a message. Before that no limit counts: a process that is replaced without
    /// having served one would be started for nothing, and so would all that follow it.
    has_served: bool,
    look_at: u64,
    due: bool,
}

impl Recycling {
    pub(super) fn new(limits: Option<&Recycle>) -> Recycling {
        let Some(limits) = limits else { return Recycling::default() };
        Recycling {
            messages_left: limits.messages.map(|messages| jittered(messages, limits.jitter).max(1)),
            memory: limits.memory,
            age: limits.age.map(|age| jittered(clock::nanos(age), limits.jitter)),
            ..Recycling::default()
        }
    }

    /// The process is ready: its age counts from now, however long its start took.
    pub(super) fn begin(&mut self) {
        self.at = self.age.map(|age| clock::now().saturating_add(age));
    }

    pub(super) fn handled_one(&mut self) {
        self.has_served = true;
        if let Some(left) = &mut self.messages_left {
            *left = left.saturating_sub(1);
            self.due |= *left == 0;
        }
        if let Some(memory) = self.memory {
            let now = clock::now();
            if now >= self.look_at {
                self.look_at = now + LOOK;
                self.due |= procfs::resident_bytes(process::pid()) > memory;
            }
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.due || self.age_counts().is_some_and(|at| at <= clock::now())
    }

    /// How long until it is too old, if it can be.
    pub(super) fn due_in(&self) -> Option<Duration> {
        self.age_counts().map(clock::until)
    }

    fn age_counts(&self) -> Option<u64> {
        self.at.filter(|_| self.has_served)
    }
}

/// Up to `percent` less.
fn jittered(number: u64, percent: u8) -> u64 {
    let most = (u128::from(number) * u128::from(percent.min(100)) / 100) as u64;
    number - if most == 0 { 0 } else { process::random() % (most + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_and_jitter_only_makes_it_earlier() {
        let limits = Recycle { messages: Some(100), jitter: 20, ..Recycle::default() };
        for _ in 0..50 {
            let mut recycling = Recycling::new(Some(&limits));
            let handled = (1..=100).find(|_| {
                recycling.handled_one();
                recycling.is_due()
            });
            assert!((80..=100).contains(&handled.unwrap()));
        }
    }

    #[test]
    fn an_age_counts_from_the_beginning_and_for_who_has_served() {
        let limits = Recycle { age: Some(Duration::ZERO), ..Recycle::default() };
        let mut recycling = Recycling::new(Some(&limits));
        recycling.handled_one();
        assert!(!recycling.is_due() && recycling.due_in().is_none());
        let mut recycling = Recycling::new(Some(&limits));
        recycling.begin();
        assert!(!recycling.is_due() && recycling.due_in().is_none());
        recycling.handled_one();
        assert!(recycling.is_due());
    }

    #[test]
    fn without_limits_it_is_never_due() {
        let mut recycling = Recycling::new(None);
        (0..1000).for_each(|_| recycling.handled_one());
        assert!(!recycling.is_due() && recycling.due_in().is_none());
    }
}
