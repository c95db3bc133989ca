//! The load: a process that calls actors at random, several calls at a time, and keeps account of their
//! outcomes.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::worker::Worker;

/// How long a call may take; longer than any delay of an actor here.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// How much later than its deadline a call may end, on a machine that is busy with other things.
const SLACK: Duration = Duration::from_secs(2);

/// How many calls are under way.
const WINDOW: usize = 16;

/// The outcomes of a client's calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) calls: u64,
    pub(crate) replies: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    /// Calls whose actor died in them.
    pub(crate) died: u64,
    pub(crate) order_violations: u64,
    pub(crate) hangs: u64,
}

impl Account {
    pub(crate) fn add(&mut self, other: &Account) {
        self.calls += other.calls;
        self.replies += other.replies;
        self.died += other.died;
        self.order_violations += other.order_violations;
        self.hangs += other.hangs;
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
    }
}

/// A call that is under way.
pub(crate) struct Pending {
    pub(crate) reply: Reply<bool>,
    pub(crate) since: Instant,
    pub(crate) deadline: Duration,
}

/// Calls the workers until the time is up, then waits for the calls under way.
#[task]
pub(crate) fn client(workers: Vec<ActorRef<Worker>>, number: u32, seed: u64, time: Duration) -> Account {
    let end = Instant::now() + time;
    load(&workers, number, seed, || Instant::now() < end)
}

/// Calls one worker until this file is gone.
#[task]
pub(crate) fn until_gone(worker: ActorRef<Worker>, number: u32, seed: u64, file: PathBuf) -> Account {
    load(&[worker], number, seed, || file.exists())
}

fn load(workers: &[ActorRef<Worker>], number: u32, seed: u64, goes_on: impl Fn() -> bool) -> Account {
    let mut random = Random::new(seed ^ u64::from(number).wrapping_mul(0x1234_5678_9abc_def1));
    let mut account = Account::default();
    let mut pending: VecDeque<Pending> = VecDeque::new();
    while goes_on() {
        let worker = workers[random.below(workers.len())].within(DEADLINE);
        account.calls += 1;
        let payload = "x".repeat(random.below(200));
        let since = Instant::now();
        let reply = worker.work(number, account.calls, payload);
        pending.push_back(Pending { reply, since, deadline: DEADLINE });
        if pending.len() >= WINDOW
            && let Some(first) = pending.pop_front()
        {
            account.settle(first).ok();
        }
    }
    pending.into_iter().for_each(|call| drop(account.settle(call)));
    account
}

impl Account {
    /// Waits for the outcome of a call.
    pub(crate) fn settle(&mut self, call: Pending) -> Result<bool, CallError> {
        let Pending { reply, since, deadline } = call;
        let result = reply.wait();
        if since.elapsed() > deadline + SLACK {
            self.hangs += 1;
        }
        match &result {
            Ok(in_order) => {
                self.replies += 1;
                self.order_violations += u64::from(!in_order);
            }
            Err(error) => {
                self.died += u64::from(matches!(error, CallError::Died(..)));
                *self.errors.entry(kind(error).to_owned()).or_default() += 1;
            }
        }
        result
    }
}

fn kind(error: &CallError) -> &'static str {
    match error {
        CallError::App(never) => match *never {},
        CallError::Died(..) => "died",
        CallError::Timeout(_) => "timeout",
        CallError::Full(_) => "full",
        CallError::Stopped(_) => "stopped",
        CallError::Gone(_) => "gone",
        CallError::Unavailable(_) => "unavailable",
        CallError::Codec(..) => "codec",
        CallError::Unreachable(..) => "unreachable",
        _ => "other",
    }
}
