//! Random histories: what `world` checks holds throughout, every history ends, and independent children do
//! what the plain model says.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;

use super::model::Model;
use super::world::World;
use crate::machine::{ChildRules, Event, Exit, Key, Rules};
use crate::{AutoShutdown, Backoff, Intensity, Restart, Strategy};

/// What happens next. Numbers choose among the processes or children that there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A process that starts or stops gets on with it.
    GoOn(usize, Outcome),
    Exit(usize, Exit),
    Add(ChildRules),
    Terminate(usize),
    Restart(usize),
    Delete(usize),
    Pass(Duration),
    /// Until something is due.
    PassToDue,
    Shutdown,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Up,
    Fails,
    Ignored,
    Exits(Exit),
}

fn exit() -> impl Generator<Value = Exit> {
    prop_oneof![
        6 => Just(Exit::Crash),
        2 => Just(Exit::Success),
        1 => Just(Exit::NoRestart),
        1 => Just(Exit::Recycled),
    ]
}

fn outcome() -> impl Generator<Value = Outcome> {
    prop_oneof![
        10 => Just(Outcome::Up),
        3 => Just(Outcome::Fails),
        1 => Just(Outcome::Ignored),
        2 => exit().prop_map(Outcome::Exits),
    ]
}

fn intensity() -> impl Generator<Value = Intensity> {
    (0..6u32, 1..30u64).prop_map(|(restarts, millis)| Intensity::new(restarts, Duration::from_millis(millis)))
}

fn backoff() -> impl Generator<Value = Backoff> {
    let bounds = (1..5u64, 0..20u64);
    bounds.prop_map(|(min, more)| Backoff::new(Duration::from_millis(min), Duration::from_millis(min + more)))
}

fn child() -> impl Generator<Value = ChildRules> {
    let restart = prop_oneof![
        4 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary),
    ];
    let own = (prop::option::weighted(0.2, intensity()), prop::option::weighted(0.2, backoff()));
    (restart, prop::bool::weighted(0.3), own).prop_map(|(restart, significant, (intensity, backoff))| {
        let significant = significant && restart != Restart::Permanent;
        ChildRules { restart, significant, intensity, backoff }
    })
}

fn strategy() -> impl Generator<Value = Strategy> {
    prop::sample::select(vec![
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
        Strategy::Dynamic,
    ])
}

prop_compose! {
    fn rules()(
        strategy in strategy(),
        intensity in prop::option::weighted(0.7, intensity()),
        backoff in prop::option::of(backoff()),
        auto_shutdown in prop::sample::select(vec![
            AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant,
        ]),
        max_children in prop::option::weighted(0.2, 0..6u32),
        seed: u64,
    ) -> Rules {
        Rules { strategy, intensity, backoff, auto_shutdown, max_children, first: None, forgets: false, seed }
    }
}

fn step() -> impl Generator<Value = Step> {
    prop_oneof![
        40 => (any::<usize>(), outcome()).prop_map(|(which, outcome)| Step::GoOn(which, outcome)),
        16 => (any::<usize>(), exit()).prop_map(|(which, exit)| Step::Exit(which, exit)),
        4 => child().prop_map(Step::Add),
        4 => any::<usize>().prop_map(Step::Terminate),
        4 => any::<usize>().prop_map(Step::Restart),
        2 => any::<usize>().prop_map(Step::Delete),
        6 => (0..12_000u64).prop_map(|micros| Step::Pass(Duration::from_micros(micros))),
        6 => Just(Step::PassToDue),
        1 => Just(Step::Shutdown),
    ]
}

fn pick<T: Copy>(from: &[T], which: usize) -> Option<T> {
    from.get(which.checked_rem(from.len())?).copied()
}

impl World {
    /// The processes that are up and have not been told to stop, or else those that start or stop.
    fn processes_at(&self, up: bool) -> Vec<Key> {
        let chosen =
            self.processes.iter().filter(|(_, process)| (process.is_up && !process.is_stopping) == up);
        chosen.map(|(&key, _)| key).collect()
    }

    fn go_on(&mut self, key: Key, outcome: Outcome) {
        let process = self.processes[&key];
        let event = match outcome {
            // A race: it is ready just when it is told to stop. Once.
            Outcome::Up if !process.is_up => Event::Up(key),
            Outcome::Up => Event::Exited(key, Exit::Success),
            Outcome::Exits(exit) => Event::Exited(key, exit),
            Outcome::Fails | Outcome::Ignored if process.is_up => Event::Exited(key, Exit::Crash),
            Outcome::Fails => Event::StartFailed(key),
            Outcome::Ignored => Event::Ignored(key),
        };
        self.feed(event);
    }

    fn take(&mut self, step: Step) {
        let child = |world: &World, which| pick(&world.keys, which);
        match step {
            Step::GoOn(which, outcome) => {
                let key = pick(&self.processes_at(false), which);
                key.into_iter().for_each(|key| self.go_on(key, outcome));
            }
            Step::Exit(which, exit) => {
                let key = pick(&self.processes_at(true), which);
                key.into_iter().for_each(|key| drop(self.feed(Event::Exited(key, exit))));
            }
            Step::Add(rules) => {
                let (key, ticket) = (self.key(), self.ticket());
                self.feed(Event::Add(ticket, key, rules));
            }
            Step::Terminate(which) => self.ask(child(self, which), Event::Terminate),
            Step::Restart(which) => self.ask(child(self, which), Event::Restart),
            Step::Delete(which) => self.ask(child(self, which), Event::Delete),
            Step::Pass(time) => self.tick_at(self.now + u64::try_from(time.as_nanos()).unwrap()),
            Step::PassToDue => self.policy.due().into_iter().for_each(|due| self.tick_at(due)),
            Step::Shutdown => drop(self.feed(Event::Shutdown)),
        }
    }

    fn ask(&mut self, key: Option<Key>, event: fn(u64, Key) -> Event) {
        if let Some(key) = key {
            let ticket = self.ticket();
            self.feed(event(ticket, key));
        }
    }

    fn tick_at(&mut self, now: u64) {
        self.now = now;
        self.feed(Event::Tick);
    }

    /// Ends the supervisor, with every process getting on with what it does.
    fn finish(&mut self) {
        if self.end.is_none() {
            self.feed(Event::Shutdown);
        }
        while let Some(key) = self.processes_at(false).pop() {
            self.go_on(key, Outcome::Exits(Exit::Crash));
        }
        assert!(self.end.is_some() && self.processes.is_empty());
        assert_eq!((self.unanswered(), self.policy.due()), (0, None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn no_history_leads_astray(
        rules in rules(),
        children in prop::collection::vec(child(), 0..6),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new(rules, &children);
        world.feed(Event::Boot);
        for step in steps {
            if world.end.is_none() {
                world.take(step);
            }
        }
        world.finish();
        if world.is_independent() {
            let mut model = Model::new(rules, &children);
            for (event, now, actions) in &world.log {
                prop_assert_eq!(&model.handle(*event, *now, actions), actions, "{:?}", event);
            }
        }
    }
}
