//! Actors whose mistakes their callers notice, and the promises that hold all the same.

use std::collections::{BTreeMap, VecDeque};
use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{Limit, Restart};
use serde::{Deserialize, Serialize};

use crate::client::{Account, Pending};
use crate::random::Random;
use crate::worker::{Blunder, Worker};

const BUNGLERS: usize = 4;

/// The pause between two blunders.
const PAUSE: Duration = Duration::from_millis(20);

/// How many calls are under way.
const WINDOW: usize = 16;

/// How long a call may take; some calls to an actor that has wiped its page take that long.
const DEADLINE: Duration = Duration::from_secs(5);

/// A handler that takes longer is stuck.
const STUCK: Duration = Duration::from_millis(250);

/// Low, so that a table of descriptors is soon full.
const DESCRIPTORS: u64 = 256;

/// More restarts than blunders can cause; but each attempt to start an actor whose mailbox is shut down
/// counts, too.
const INTENSITY: (u32, Duration) = (100, Duration::from_secs(1));

/// How long one of them may take to serve again, and how long one call may take then: the first may be lost
/// with a process whose page denies its death.
const RECOVERY: Duration = Duration::from_secs(15);
const TRY: Duration = Duration::from_secs(1);

/// How long an actor that has wiped its page is used after that: it dies, and comes back.
const WIPED_FOR: Duration = Duration::from_secs(1);

/// The outcome of their blunders and of the calls to them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Bungled {
    pub(crate) blunders: u64,
    pub(crate) account: Account,
    /// Errors that no blunder explains, and actors that did not serve again, in words.
    pub(crate) unexplained: BTreeMap<String, u64>,
    /// How often their flawless neighbour had to be started anew.
    pub(crate) bystander_deaths: u64,
}

impl Bungled {
    pub(crate) fn is_ok(&self) -> bool {
        self.unexplained.is_empty() && self.bystander_deaths == 0 && self.account.hangs == 0
    }

    fn complain(&mut self, what: String) {
        *self.unexplained.entry(what).or_default() += 1;
    }
}

struct Bungler {
    actor: ActorRef<Worker>,
    wiped: Option<Instant>,
    is_shut_down: bool,
    is_gone: bool,
}

impl Bungler {
    fn spawn() -> Result<Bungler, SpawnError> {
        let worker = Worker::default().builder().name("bungler").mailbox(1024).deadline(STUCK);
        let worker = worker.restart(Restart::Permanent).intensity(INTENSITY.0, INTENSITY.1);
        let actor = worker.limit(Limit::OpenFiles, DESCRIPTORS).spawn()?;
        Ok(Bungler { actor, wiped: None, is_shut_down: false, is_gone: false })
    }

    fn has_had_its_time(&self) -> bool {
        self.wiped.map_or(self.is_gone, |since| since.elapsed() > WIPED_FOR)
    }

    /// Whether its blunders can end a call in this way. Each such end has a type, and none comes after the
    /// deadline.
    fn explains(&self, error: &CallError) -> bool {
        match error {
            CallError::Died(..) => true,
            // The reply channel is one for all actors: any of them may have shut it down. Or a descriptor is
            // missing.
            CallError::Unreachable(..) => true,
            CallError::Gone(_) => self.is_shut_down || self.wiped.is_some(),
            // A wiped page can claim a full mailbox, or a living process.
            _ => self.wiped.is_some(),
        }
    }
}

struct Stage {
    /// All of them so far; calls to replaced ones may still be under way.
    bunglers: Vec<Bungler>,
    on_stage: [usize; BUNGLERS],
    pending: VecDeque<(usize, Pending)>,
    calls: u64,
    result: Bungled,
}

/// Calls actors that blunder until the time is up. Their supervisor has another child, which does not
/// blunder.
#[task]
pub(crate) fn bunglers(seed: u64, time: Duration) -> Bungled {
    let mut random = Random::new(!seed);
    let bystander = match Worker::default().builder().name("bystander").restart(Restart::Permanent).spawn() {
        Ok(bystander) => bystander,
        Err(error) => return failed(&error),
    };
    let bunglers = match (0..BUNGLERS).map(|_| Bungler::spawn()).collect() {
        Ok(bunglers) => bunglers,
        Err(error) => return failed(&error),
    };
    let on_stage = std::array::from_fn(|place| place);
    let mut stage =
        Stage { bunglers, on_stage, pending: VecDeque::new(), calls: 0, result: Bungled::default() };
    let end = Instant::now() + time;
    let mut next = Instant::now();
    while Instant::now() < end {
        stage.call(random.below(BUNGLERS));
        if Instant::now() >= next {
            next = Instant::now() + PAUSE;
            let blunder = Blunder::HEAVY[random.below(Blunder::HEAVY.len())];
            stage.blunder(random.below(BUNGLERS), blunder, random.below(1024));
            stage.replace();
        }
    }
    while stage.settle() {}
    for place in 0..BUNGLERS {
        stage.look_at_the_end(stage.on_stage[place]);
    }
    let mut result = stage.result;
    if !serves(&bystander) {
        result.complain("the bystander does not serve".to_owned());
    }
    result.bystander_deaths = bystander.incarnation() - 1;
    result
}

fn failed(error: &SpawnError) -> Bungled {
    let mut result = Bungled::default();
    result.complain(format!("a spawn: {error}"));
    result
}

impl Stage {
    fn call(&mut self, place: usize) {
        self.calls += 1;
        let calls = self.calls;
        self.send(place, |actor| actor.within(DEADLINE).work(0, calls, String::new()));
    }

    fn blunder(&mut self, place: usize, what: Blunder, pick: usize) {
        let bungler = &mut self.bunglers[self.on_stage[place]];
        match what {
            Blunder::Wipe(_) => bungler.wiped = bungler.wiped.or_else(|| Some(Instant::now())),
            Blunder::ShutDown => bungler.is_shut_down = true,
            _ => {}
        }
        self.result.blunders += 1;
        self.send(place, |actor| actor.within(DEADLINE).blunder(what, pick));
    }

    fn send(&mut self, place: usize, call: impl FnOnce(&ActorRef<Worker>) -> Reply<bool>) {
        let index = self.on_stage[place];
        self.result.account.calls += 1;
        let since = Instant::now();
        let reply = call(&self.bunglers[index].actor);
        self.pending.push_back((index, Pending { reply, since, deadline: DEADLINE }));
        if self.pending.len() >= WINDOW {
            self.settle();
        }
    }

    /// Settles the oldest call; returns whether one was pending.
    fn settle(&mut self) -> bool {
        let Some((index, call)) = self.pending.pop_front() else { return false };
        let bungler = &mut self.bunglers[index];
        if let Err(error) = self.result.account.settle(call) {
            bungler.is_gone |= matches!(error, CallError::Gone(_));
            if !bungler.explains(&error) {
                self.result.complain(error.to_string());
            }
        }
        true
    }

    /// Replaces the bunglers that are gone, and those whose page has lied.
    fn replace(&mut self) {
        for place in 0..BUNGLERS {
            let index = self.on_stage[place];
            if !self.bunglers[index].has_had_its_time() {
                continue;
            }
            // First, because the replacement takes its time: the deadline of a call runs from its sending.
            while self.settle() {}
            self.look_at_the_end(index);
            // It may be gone already.
            drop(self.bunglers[index].actor.stop(STUCK));
            match Bungler::spawn() {
                Ok(other) => self.bunglers.push(other),
                Err(error) => return self.result.complain(format!("a spawn: {error}")),
            }
            self.on_stage[place] = self.bunglers.len() - 1;
        }
    }

    /// Checks that it serves or that its end is known, whatever its blunders were.
    fn look_at_the_end(&mut self, index: usize) {
        let bungler = &self.bunglers[index];
        let has_ended = || bungler.is_shut_down && bungler.actor.join_timeout(TRY).is_some();
        let is_settled = has_ended() || serves(&bungler.actor) || has_ended();
        if !is_settled {
            let done = (bungler.wiped.is_some(), bungler.is_shut_down);
            self.result.complain(format!("does not serve (wiped, shut down: {done:?})"));
        }
    }
}

/// Whether it serves soon. Until the next process starts, a wiped page contains anything; a reply channel
/// that was shut down costs the calls under way, and the next one.
fn serves(actor: &ActorRef<Worker>) -> bool {
    let end = Instant::now() + RECOVERY;
    loop {
        if actor.within(TRY).work(0, u64::MAX, String::new()).wait().is_ok() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(PAUSE);
    }
}
