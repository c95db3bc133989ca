//! One case after the other, most of them those of OTP's own tests (`supervisor_SUITE`).

use std::time::Duration;

use super::world::World;
use crate::machine::Action::{self, *};
use crate::machine::Event::{self, Boot, Exited};
use crate::machine::{Answer, ChildRules, End, Exit, Key, Policy, Rules, Status};
use crate::{AutoShutdown, Backoff, Intensity, Restart, Strategy};

const SECOND: Duration = Duration::from_secs(1);

fn rules(strategy: Strategy, restarts: u32) -> Rules {
    Rules { strategy, intensity: Some(Intensity::new(restarts, 10 * SECOND)), ..Rules::default() }
}

fn child(restart: Restart) -> ChildRules {
    ChildRules { restart, ..ChildRules::default() }
}

const PERMANENT: ChildRules =
    ChildRules { restart: Restart::Permanent, significant: false, intensity: None, backoff: None };

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Without what is only for introspection.
fn deeds(actions: &[Action]) -> Vec<Action> {
    actions.iter().copied().filter(|action| !matches!(action, Waiting(..))).collect()
}

#[test]
fn children_start_in_order_and_stop_in_reverse() {
    let mut world = World::new(rules(Strategy::RestForOne, 1), &[PERMANENT; 5]);
    assert_eq!(world.run(Boot), [Start(1), Start(2), Start(3), Start(4), Start(5), Booted]);
    assert_eq!(world.crash(3), [Stop(5), Stop(4), Start(3), Start(4), Start(5)]);
    let stops: Vec<Action> =
        world.run(Event::Shutdown).into_iter().filter(|a| matches!(a, Stop(_))).collect();
    assert_eq!(stops, [Stop(5), Stop(4), Stop(3), Stop(2), Stop(1)]);
    assert_eq!(world.end, Some(End::Shutdown));
}

#[test]
fn each_starts_when_the_one_before_is_up_and_stops_when_the_one_behind_is_gone() {
    let mut world = World::new(rules(Strategy::OneForOne, 1), &[PERMANENT; 2]);
    assert_eq!(world.feed(Boot), [Start(1)]);
    assert_eq!(world.feed(Event::Up(1)), [Start(2)]);
    assert_eq!(world.feed(Event::Up(2)), [Booted]);
    assert_eq!(world.feed(Event::Shutdown), [Stop(2)]);
    assert_eq!(world.feed(Exited(2, Exit::Success)), [Down(2), Stop(1)]);
    assert_eq!(world.feed(Exited(1, Exit::Success)), [Down(1), End(End::Shutdown)]);
}

#[test]
fn children_beyond_the_first_are_down_until_they_are_asked_for() {
    let mut world = World::new(Rules { first: Some(2), ..rules(Strategy::OneForOne, 5) }, &[PERMANENT; 4]);
    assert_eq!(world.run(Boot), [Down(3), Down(4), Start(1), Start(2), Booted]);
    assert_eq!(world.crash(1), [Start(1)]);
    assert_eq!((world.restart(3), world.restart(3)), (Answer::Done, Answer::Running));
    assert_eq!(world.crash(3), [Start(3)]);
    assert_eq!((world.terminate(3), world.terminate(4)), (Answer::Done, Answer::Done));
    assert_eq!(world.counts(), (4, 2));
    assert_eq!(world.run(Event::Shutdown), [Stop(2), Down(2), Stop(1), Down(1), End(End::Shutdown)]);
    let mut none = World::new(Rules { first: Some(0), ..rules(Strategy::OneForOne, 5) }, &[PERMANENT]);
    assert_eq!(none.run(Boot), [Down(1), Booted]);
}

/// Its former supervisor is gone: the next one goes on with the restart, and no request waits for an answer.
#[test]
fn a_child_that_is_resumed_is_restarted_within_its_allowance() {
    let allowance = Some(Intensity::new(2, Duration::from_secs(1)));
    let resumed = ChildRules { intensity: allowance, ..PERMANENT };
    let mut policy = Policy::new(Rules { forgets: true, ..Rules::default() }, Vec::new());
    let mut feed = |event| policy.handle(event, 1);
    feed(Boot);
    assert_eq!(feed(Event::Resume(7, resumed)), [Start(7)]);
    for _ in 0..2 {
        assert_eq!(feed(Event::StartFailed(7)), [Start(7)]);
    }
    assert_eq!(feed(Event::StartFailed(7)), [GiveUp(7), Forget(7)]);
    feed(Event::Shutdown);
    assert_eq!(feed(Event::Resume(8, resumed)), []);
}

/// Whatever the cause of such a report: no child is left `Up` without a process.
#[test]
fn a_failed_start_of_a_child_that_is_up_is_its_end() {
    let mut world = World::new(rules(Strategy::OneForOne, 1), &[PERMANENT, child(Restart::Temporary)]);
    world.run(Boot);
    assert_eq!(deeds(&world.feed(Event::StartFailed(1))), [Start(1)]);
    assert_eq!(world.feed(Event::Up(1)), []);
    assert_eq!(world.feed(Event::StartFailed(2)), [Forget(2)]);
}

#[test]
fn a_failed_boot_stops_the_earlier_ones_in_reverse() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let mut world = World::new(rules(strategy, 5), &[PERMANENT; 4]);
        world.failing.insert(3, 1);
        let done = world.run(Boot);
        assert_eq!(
            done,
            [Start(1), Start(2), Start(3), Stop(2), Down(2), Stop(1), Down(1), End(End::BootFailed(3))]
        );
    }
}

#[test]
fn a_failed_boot_of_a_dynamic_supervisor_stops_all_at_once() {
    let mut world = World::new(rules(Strategy::Dynamic, 5), &[PERMANENT; 3]);
    assert_eq!(world.feed(Boot), [Start(1), Start(2), Start(3)]);
    assert_eq!(world.feed(Event::Up(1)), []);
    assert_eq!(world.feed(Event::StartFailed(2)), [Stop(1), Stop(3)]);
    assert_eq!(world.feed(Exited(1, Exit::Success)), [Forget(1)]);
    assert_eq!(world.feed(Event::StartFailed(3)), [Forget(3), End(End::BootFailed(2))]);
}

#[test]
fn children_are_added_terminated_restarted_and_deleted() {
    let mut world = World::booted(rules(Strategy::OneForOne, 1), &[PERMANENT]);
    assert_eq!(world.policy.presence(1), Some(Answer::AlreadyStarted));
    assert_eq!((world.terminate(1), world.terminate(1)), (Answer::Done, Answer::Done));
    assert_eq!(world.policy.presence(1), Some(Answer::AlreadyPresent));
    assert_eq!(world.restart(1), Answer::Done);
    assert_eq!((world.restart(1), world.delete(1)), (Answer::Running, Answer::Running));
    assert_eq!((world.terminate(1), world.delete(1)), (Answer::Done, Answer::Done));
    assert_eq!(world.policy.presence(1), None);
    let after = (world.terminate(1), world.restart(1), world.delete(1));
    assert_eq!(after, (Answer::NotFound, Answer::NotFound, Answer::NotFound));
    world.run(Event::Shutdown);
    world.end = None;
    assert_eq!((world.terminate(1), world.add(PERMANENT).1), (Answer::ShuttingDown, Answer::ShuttingDown));
}

#[test]
fn a_failed_addition_leaves_no_spec_and_a_failed_restart_keeps_it() {
    let mut world = World::booted(rules(Strategy::OneForOne, 0), &[PERMANENT]);
    world.failing.insert(2, 1);
    assert_eq!(world.add(PERMANENT), (2, Answer::StartFailed));
    assert_eq!(world.status(2), None);
    assert_eq!(world.terminate(1), Answer::Done);
    world.failing.insert(1, 1);
    assert_eq!(world.restart(1), Answer::StartFailed);
    assert_eq!((world.status(1), world.policy.due()), (Some(Status::Down), None));
    assert_eq!(world.restart(1), Answer::Done);
}

/// Intensity 8, backoff 200 ms, and a child that crashes and cannot be started from then on.
fn in_restart_loop(strategy: Strategy) -> World {
    let backoff = Some(Backoff::new(millis(200), millis(200)));
    let mut world = World::booted(Rules { backoff, ..rules(strategy, 8) }, &[PERMANENT]);
    world.failing.insert(1, u32::MAX);
    world.crash(1);
    assert_eq!(world.pass(millis(500)).iter().filter(|action| **action == Start(1)).count(), 2);
    world
}

#[test]
fn a_restart_loop_deafens_nobody() {
    let mut world = in_restart_loop(Strategy::OneForOne);
    assert_eq!(world.policy.presence(1), Some(Answer::AlreadyPresent));
    assert_eq!((world.restart(1), world.delete(1)), (Answer::Restarting, Answer::Restarting));
    assert_eq!(world.status(1), Some(Status::Restarting));
    assert_eq!(world.counts(), (1, 0));
    assert_eq!(world.terminate(1), Answer::Done);
    assert_eq!((world.policy.due(), world.pass(10 * SECOND)), (None, vec![]));
    assert_eq!((world.status(1), world.end), (Some(Status::Down), None));
    world.failing.clear();
    assert_eq!((world.restart(1), world.status(1)), (Answer::Done, Some(Status::Up)));
}

#[test]
fn a_restart_loop_is_restarting_also_while_it_tries() {
    let mut world = in_restart_loop(Strategy::OneForOne);
    world.now = world.policy.due().unwrap();
    assert_eq!(world.feed(Event::Tick), [Start(1)]);
    assert_eq!((world.restart(1), world.delete(1)), (Answer::Restarting, Answer::Restarting));
    assert_eq!(world.status(1), Some(Status::Restarting));
    assert_eq!(world.policy.presence(1), Some(Answer::AlreadyPresent));
    assert_eq!(world.terminate(1), Answer::Done);
    assert_eq!((world.policy.due(), world.status(1)), (None, Some(Status::Down)));
}

#[test]
fn a_stop_in_a_restart_loop_is_prompt() {
    let mut world = in_restart_loop(Strategy::OneForOne);
    assert_eq!(world.run(Event::Shutdown), [End(End::Shutdown)]);
    // No attempt is left behind.
    assert_eq!((world.policy.due(), world.pass(10 * SECOND)), (None, vec![]));
}

#[test]
fn a_restart_loop_ends_with_the_intensity() {
    let mut world = in_restart_loop(Strategy::OneForOne);
    // The crash and two failures have been counted. Six more attempts, and the ninth restart is too many.
    let done = deeds(&world.pass(10 * SECOND));
    assert_eq!(done, [[Start(1); 6].as_slice(), &[End(End::Intensity(1))]].concat());
}

#[test]
fn later_siblings_wait_with_a_child_that_cannot_restart() {
    for backoff in [None, Some(Backoff::new(millis(200), millis(200)))] {
        let mut world = World::booted(Rules { backoff, ..rules(Strategy::RestForOne, 8) }, &[PERMANENT; 3]);
        assert_eq!(deeds(&world.feed(Exited(2, Exit::Crash)))[0], Stop(3));
        let done = world.feed(Exited(3, Exit::Success));
        if backoff.is_some() {
            assert_eq!(done, []);
            world.now = world.policy.due().unwrap();
            assert_eq!(world.feed(Event::Tick), [Start(2)]);
            world.feed(Event::StartFailed(2));
        } else {
            assert_eq!(done, [Start(2)]);
            assert_eq!(world.feed(Event::StartFailed(2)), [Start(2)]);
        }
        let statuses = [1, 2, 3].map(|key| world.status(key).unwrap());
        assert_eq!(statuses, [Status::Up, Status::Restarting, Status::Down]);
        assert_eq!(world.counts(), (3, 1));
        assert_eq!(world.terminate(2), Answer::Done);
        assert_eq!((world.policy.due(), world.pass(10 * SECOND)), (None, vec![]));
        let statuses = [1, 2, 3].map(|key| world.status(key).unwrap());
        assert_eq!(statuses, [Status::Up, Status::Down, Status::Down]);
        assert_eq!(world.counts(), (3, 1));
        // They come back on request.
        assert_eq!((world.restart(2), world.restart(3)), (Answer::Done, Answer::Done));
        assert_eq!(world.counts(), (3, 3));
    }
}

/// What the end of a single child by itself leads to, and the intensity's share in it.
fn ends(restart: Restart, exit: Exit) -> (Vec<Action>, World) {
    let mut world = World::booted(rules(Strategy::OneForOne, 1), &[child(restart)]);
    let done = world.run(Exited(1, exit));
    (done, world)
}

#[test]
fn a_permanent_child_is_restarted_after_every_end() {
    for exit in [Exit::Success, Exit::Crash, Exit::Recycled] {
        assert_eq!(ends(Restart::Permanent, exit).0, [Start(1)], "{exit:?}");
    }
}

#[test]
fn a_transient_child_is_restarted_after_a_crash_only() {
    assert_eq!(ends(Restart::Transient, Exit::Crash).0, [Start(1)]);
    for exit in [Exit::Success, Exit::NoRestart] {
        let (done, mut world) = ends(Restart::Transient, exit);
        assert_eq!((done, world.counts()), (vec![Down(1)], (1, 0)));
        assert_eq!((world.restart(1), world.status(1)), (Answer::Done, Some(Status::Up)));
    }
}

#[test]
fn a_temporary_child_is_never_restarted_and_leaves_no_spec() {
    for exit in [Exit::Success, Exit::NoRestart, Exit::Crash] {
        let (done, world) = ends(Restart::Temporary, exit);
        assert_eq!((done, world.counts()), (vec![Forget(1)], (0, 0)));
    }
}

#[test]
fn a_temporary_bystander_goes_with_its_spec() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut world =
            World::booted(rules(strategy, 1), &[child(Restart::Permanent), child(Restart::Temporary)]);
        assert_eq!(world.crash(1), [Stop(2), Forget(2), Start(1)]);
        assert_eq!((world.status(1), world.status(2)), (Some(Status::Up), None));
    }
}

#[test]
fn one_for_one_restarts_only_the_child_that_crashed() {
    let mut world = World::booted(rules(Strategy::OneForOne, 2), &[PERMANENT; 2]);
    assert_eq!(world.crash(1), [Start(1)]);
    assert_eq!(world.crash(2), [Start(2)]);
    assert_eq!(world.crash(1), [Stop(2), Down(2), End(End::Intensity(1))]);
}

/// Both sides of OTP's `multiple_restarts`: restarts that have expired, and those that have not.
#[test]
fn old_restarts_expire_exactly() {
    let one_in_a_second = Rules { intensity: Some(Intensity::new(1, SECOND)), ..Rules::default() };
    let mut world = World::booted(one_in_a_second, &[PERMANENT]);
    for _ in 0..4 {
        assert_eq!(world.crash(1), [Start(1)]);
        world.pass(millis(1200));
    }
    assert_eq!((world.end, world.status(1)), (None, Some(Status::Up)));
    for (apart, end) in [(millis(900), true), (SECOND - Duration::from_nanos(1), true), (SECOND, false)] {
        let mut world = World::booted(one_in_a_second, &[PERMANENT]);
        world.crash(1);
        world.pass(apart);
        world.crash(1);
        assert_eq!(world.end, end.then_some(End::Intensity(1)), "{apart:?}");
    }
}

#[test]
fn one_for_all_counts_crashes_and_not_children() {
    let mut world = World::booted(rules(Strategy::OneForAll, 2), &[PERMANENT; 2]);
    assert_eq!(world.crash(1), [Stop(2), Start(1), Start(2)]);
    assert_eq!(world.crash(1), [Stop(2), Start(1), Start(2)]);
    assert_eq!(world.crash(1), [Stop(2), Down(2), End(End::Intensity(1))]);
}

#[test]
fn children_that_die_together_are_one_crash() {
    let mut world = World::booted(rules(Strategy::OneForAll, 1), &[PERMANENT; 3]);
    assert_eq!(world.feed(Exited(2, Exit::Crash)), [Stop(3)]);
    assert_eq!(world.feed(Exited(1, Exit::Crash)), []);
    assert_eq!(world.run(Exited(3, Exit::Crash)), [Start(1), Start(2), Start(3)]);
}

#[test]
fn a_start_that_fails_in_a_group_begins_it_again() {
    let mut world = World::booted(rules(Strategy::OneForAll, 2), &[PERMANENT; 2]);
    world.failing.insert(2, 1);
    assert_eq!(world.crash(1), [Stop(2), Start(1), Start(2), Stop(1), Start(1), Start(2)]);
    // Crash and failure have been counted, the stop of 1 has not.
    assert_eq!(world.end, None);
    world.crash(1);
    assert_eq!(world.end, Some(End::Intensity(1)));
}

#[test]
fn a_group_waits_together() {
    let backoff = Some(Backoff::new(millis(200), millis(200)));
    let mut world = World::booted(Rules { backoff, ..rules(Strategy::OneForAll, 5) }, &[PERMANENT; 2]);
    world.failing.insert(2, 1);
    assert_eq!(deeds(&world.crash(1)), [Stop(2)]);
    assert_eq!(deeds(&world.pass(millis(200))), [Start(1), Start(2), Stop(1)]);
    assert_eq!((world.status(1), world.status(2)), (Some(Status::Down), Some(Status::Restarting)));
    assert_eq!(deeds(&world.pass(millis(200))), [Start(1), Start(2)]);
}

#[test]
fn rest_for_one_restarts_the_child_and_those_after_it() {
    let mut world = World::booted(rules(Strategy::RestForOne, 1), &[PERMANENT; 3]);
    assert_eq!(world.crash(2), [Stop(3), Start(2), Start(3)]);
}

/// Two supervisors with one static child each, below a root.
#[test]
fn a_tree_restarts_what_its_specs_say() {
    let mut root = World::booted(rules(Strategy::OneForAll, 1), &[PERMANENT; 2]);
    let lower = || World::booted(rules(Strategy::OneForOne, 0), &[PERMANENT]);
    let mut both = [lower(), lower()];
    both.iter_mut().for_each(|lower| assert_eq!(lower.add(PERMANENT), (2, Answer::Done)));
    assert_eq!(both.each_ref().map(World::counts), [(2, 2); 2]);
    assert_eq!(both[0].crash(1), [Stop(2), Down(2), End(End::Intensity(1))]);
    assert_eq!(root.crash(1), [Stop(2), Start(1), Start(2)]);
    both[1].run(Event::Shutdown);
    assert_eq!(both[1].end, Some(End::Shutdown));
    assert_eq!([lower(), lower()].each_ref().map(World::counts), [(1, 1); 2]);
    assert_eq!(root.counts(), (2, 2));
}

#[test]
fn dynamic_children_are_stopped_all_at_once() {
    let mut world = World::booted(rules(Strategy::Dynamic, 1), &[]);
    for _ in 0..10 {
        assert_eq!(world.add(PERMANENT).1, Answer::Done);
    }
    let stops: Vec<Action> = (1..=10).map(Stop).collect();
    assert_eq!(world.feed(Event::Shutdown), stops);
}

#[test]
fn children_that_end_while_they_are_stopped_are_not_started() {
    let exits = [Exit::Success, Exit::Crash, Exit::NoRestart, Exit::Recycled];
    let restarts = [Restart::Permanent, Restart::Transient, Restart::Temporary];
    let children = restarts.map(child).repeat(4);
    let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne, Strategy::Dynamic];
    for strategy in strategies {
        let mut world = World::booted(rules(strategy, 0), &children);
        world.feed(Event::Shutdown);
        // Some before their turn, some in it.
        for key in [5, 12, 1, 2, 11, 10, 3, 4, 9, 6, 8, 7] {
            let done = world.feed(Exited(key, exits[(key as usize - 1) / 3]));
            assert!(!done.iter().any(|action| matches!(action, Start(_))));
        }
        assert_eq!(world.end, Some(End::Shutdown));
    }
}

#[test]
fn a_dynamic_supervisor_ends_with_its_slowest_child() {
    let mut world = World::booted(rules(Strategy::Dynamic, 1), &[PERMANENT; 3]);
    assert_eq!(world.feed(Event::Shutdown), [Stop(1), Stop(2), Stop(3)]);
    assert_eq!(world.feed(Exited(3, Exit::Success)), [Forget(3)]);
    assert_eq!(world.feed(Exited(1, Exit::Success)), [Forget(1)]);
    assert_eq!(world.feed(Exited(2, Exit::Crash)), [Forget(2), End(End::Shutdown)]);
}

#[test]
fn the_supervisor_ends_with_significant_children() {
    let significant = ChildRules { significant: true, ..child(Restart::Transient) };
    let any = Rules { auto_shutdown: AutoShutdown::AnySignificant, ..rules(Strategy::OneForOne, 5) };
    let mut world = World::booted(any, &[PERMANENT, significant, significant]);
    assert_eq!((world.terminate(2), world.end), (Answer::Done, None));
    assert_eq!(world.crash(3), [Start(3)]);
    let ended = [Down(3), Stop(1), Down(1), End(End::Auto)];
    assert_eq!(world.run(Exited(3, Exit::Success)), ended);

    let all = Rules { auto_shutdown: AutoShutdown::AllSignificant, ..any };
    let mut world = World::booted(all, &[PERMANENT, significant, significant]);
    assert_eq!(world.run(Exited(2, Exit::Success)), [Down(2)]);
    assert_eq!(world.run(Exited(3, Exit::Success)), ended);
}

#[test]
fn a_terminated_child_that_ends_by_itself_first_ends_nobody() {
    let significant = ChildRules { significant: true, ..child(Restart::Transient) };
    let any = Rules { auto_shutdown: AutoShutdown::AnySignificant, ..rules(Strategy::OneForAll, 5) };
    let mut world = World::booted(any, &[PERMANENT, significant, PERMANENT]);
    assert_eq!(world.feed(Exited(1, Exit::Crash)), [Stop(3)]);
    // Its turn to stop has not come.
    let ticket = world.ticket();
    assert_eq!(world.feed(Event::Terminate(ticket, 2)), []);
    assert_eq!(world.feed(Exited(2, Exit::Success)), [Down(2), Answer(ticket, Answer::Done)]);
    assert_eq!(world.run(Exited(3, Exit::Success)), [Start(1), Start(3)]);
}

#[test]
fn a_restarting_child_counts_as_a_child() {
    let backoff = Some(Backoff::new(millis(200), millis(200)));
    let one = Rules { max_children: Some(1), backoff, ..rules(Strategy::Dynamic, 8) };
    let mut world = World::booted(one, &[PERMANENT]);
    world.failing.insert(1, u32::MAX);
    world.crash(1);
    assert_eq!((world.status(1), world.add(PERMANENT).1), (Some(Status::Restarting), Answer::MaxChildren));
    assert_eq!((world.terminate(1), world.add(PERMANENT).1), (Answer::Done, Answer::Done));
    let mut world = World::booted(Rules { max_children: Some(0), ..one }, &[]);
    assert_eq!(world.add(PERMANENT).1, Answer::MaxChildren);
}

#[test]
fn a_child_that_wants_no_restart_keeps_its_spec() {
    let (done, mut world) = ends(Restart::Permanent, Exit::NoRestart);
    assert_eq!((done, world.status(1)), (vec![Down(1)], Some(Status::Down)));
    assert_eq!(world.restart(1), Answer::Done);
}

#[test]
fn recycling_does_not_count_and_concerns_nobody_else() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne, Strategy::Dynamic] {
        let patient = Rules { backoff: Some(Backoff::new(SECOND, SECOND)), ..rules(strategy, 0) };
        let children = [Restart::Permanent, Restart::Transient, Restart::Temporary].map(child);
        let mut world = World::booted(patient, &children);
        for key in [1, 2, 3, 1, 2, 3] {
            assert_eq!(world.run(Exited(key, Exit::Recycled)), [Start(key)]);
        }
    }
}

#[test]
fn a_child_that_uses_up_its_own_allowance_gives_up_alone() {
    let own = ChildRules { intensity: Some(Intensity::new(1, SECOND)), ..PERMANENT };
    let alone = Rules { intensity: None, ..Rules::default() };
    let mut world = World::booted(alone, &[own, PERMANENT]);
    assert_eq!(world.crash(1), [Start(1)]);
    assert_eq!(world.crash(1), [GiveUp(1), Down(1)]);
    assert_eq!((world.counts(), world.end), ((2, 1), None));
    // Asked for, it begins anew.
    assert_eq!(world.restart(1), Answer::Done);
    assert_eq!(world.crash(1), [Start(1)]);
}

#[test]
fn a_child_that_gives_up_while_its_group_waits_leaves_those_behind_it_down() {
    let own = ChildRules { intensity: Some(Intensity::new(1, SECOND)), ..PERMANENT };
    let alone = Rules { intensity: None, ..rules(Strategy::RestForOne, 0) };
    let mut world = World::booted(alone, &[PERMANENT, own, PERMANENT]);
    world.failing.insert(2, 1);
    assert_eq!(world.crash(2), [Stop(3), Start(2), Down(3), GiveUp(2), Down(2)]);
    // If no sibling waits for it, it gives up alone.
    let mut world = World::booted(alone, &[PERMANENT, own, PERMANENT]);
    assert_eq!(world.crash(2), [Stop(3), Start(2), Start(3)]);
    assert_eq!(world.crash(2), [GiveUp(2), Down(2)]);
}

#[test]
fn one_for_all_goes_on_before_a_child_that_is_taken_out() {
    let backoff = Some(Backoff::new(millis(200), millis(200)));
    let mut world = World::booted(Rules { backoff, ..rules(Strategy::OneForAll, 5) }, &[PERMANENT; 3]);
    assert_eq!(deeds(&world.crash(2)), [Stop(3), Stop(1)]);
    let ticket = world.ticket();
    let done = world.run(Event::Terminate(ticket, 2));
    assert_eq!(done, [Down(3), Down(2), Answer(ticket, Answer::Done), Start(1)]);
}

#[test]
fn an_allowance_of_its_own_is_counted_apart_and_escalates_where_the_supervisor_has_one() {
    let own = ChildRules { intensity: Some(Intensity::new(2, SECOND)), ..PERMANENT };
    let mut world = World::booted(rules(Strategy::OneForOne, 0), &[own, PERMANENT]);
    assert_eq!((world.crash(1), world.crash(1)), (vec![Start(1)], vec![Start(1)]));
    assert_eq!(world.crash(1), [Stop(2), Down(2), End(End::Intensity(1))]);
}

#[test]
fn waits_grow_until_the_child_is_healthy() {
    let backoff = Some(Backoff::new(millis(100), 10 * SECOND));
    let mut world = World::booted(Rules { backoff, ..rules(Strategy::OneForOne, 100) }, &[PERMANENT]);
    let wait = |world: &mut World| match world.crash(1)[..] {
        [Waiting(1, until)] => Duration::from_nanos(until - world.now),
        ref other => panic!("{other:?}"),
    };
    let mut expected = millis(100);
    for _ in 0..6 {
        let wait = wait(&mut world);
        assert!((expected..=2 * expected).contains(&wait), "{wait:?} instead of {expected:?}");
        assert_eq!(world.pass(wait), [Start(1)]);
        expected *= 2;
    }
    world.pass(10 * SECOND);
    assert!(wait(&mut world) <= millis(200));
}

#[test]
fn a_child_that_is_done_is_not_revived_by_its_siblings() {
    let mut world =
        World::booted(rules(Strategy::OneForAll, 5), &[child(Restart::Transient), PERMANENT, PERMANENT]);
    world.run(Exited(1, Exit::Success));
    assert_eq!(world.terminate(2), Answer::Done);
    assert_eq!(world.crash(3), [Start(3)]);
}

#[test]
fn init_may_say_ignore() {
    let mut world =
        World::new(rules(Strategy::RestForOne, 0), &[PERMANENT, child(Restart::Temporary), PERMANENT]);
    assert_eq!(world.feed(Boot), [Start(1)]);
    assert_eq!(world.feed(Event::Ignored(1)), [Down(1), Start(2)]);
    assert_eq!(world.feed(Event::Ignored(2)), [Forget(2), Start(3)]);
    assert_eq!(world.feed(Event::Up(3)), [Booted]);
    assert_eq!(world.restart(1), Answer::Done);
}

#[test]
fn a_shutdown_during_the_boot_stops_also_the_one_that_starts() {
    let mut world = World::new(rules(Strategy::OneForOne, 0), &[PERMANENT; 3]);
    world.feed(Boot);
    world.feed(Event::Up(1));
    assert_eq!(world.feed(Event::Shutdown), [Stop(2)]);
    // It became ready before the order reached it.
    assert_eq!(world.feed(Event::Up(2)), []);
    assert_eq!(world.run(Exited(2, Exit::Success)), [Down(2), Stop(1), Down(1), End(End::Shutdown)]);
}

#[test]
fn who_asks_for_a_start_is_answered_also_when_a_shutdown_comes_first() {
    let mut world = World::booted(rules(Strategy::OneForOne, 0), &[]);
    let (key, ticket): (Key, _) = (world.key(), world.ticket());
    assert_eq!(world.feed(Event::Add(ticket, key, PERMANENT)), [Start(1)]);
    assert_eq!(world.feed(Event::Shutdown), [Answer(ticket, Answer::ShuttingDown), Stop(1)]);
    assert_eq!(world.unanswered(), 0);
}

#[test]
fn a_child_that_is_ready_before_it_is_told_to_stop_has_been_added() {
    let mut world = World::booted(rules(Strategy::OneForAll, 5), &[PERMANENT]);
    let (key, added): (Key, _) = (world.key(), world.ticket());
    assert_eq!(world.feed(Event::Add(added, key, PERMANENT)), [Start(key)]);
    assert_eq!(deeds(&world.feed(Exited(1, Exit::Crash))), [Stop(key)]);
    // The request that added it is fulfilled, although the order to stop came first.
    assert_eq!(world.feed(Event::Up(key)), [Answer(added, Answer::Done)]);
    let terminated = world.ticket();
    assert_eq!(world.feed(Event::Terminate(terminated, key)), []);
    let done = world.feed(Exited(key, Exit::Success));
    assert_eq!(done, [Down(key), Answer(terminated, Answer::Done), Start(1)]);
}

#[test]
fn an_earlier_sibling_that_crashes_widens_the_restart() {
    let mut world = World::booted(rules(Strategy::RestForOne, 2), &[PERMANENT; 4]);
    assert_eq!(world.feed(Exited(3, Exit::Crash)), [Stop(4)]);
    assert_eq!(world.feed(Exited(1, Exit::Crash)), []);
    assert_eq!(world.feed(Exited(4, Exit::Success)), [Stop(2)]);
    assert_eq!(world.run(Exited(2, Exit::Success)), [Start(1), Start(2), Start(3), Start(4)]);
}

#[test]
fn an_empty_supervisor_boots_and_ends() {
    let mut world = World::new(Rules::default(), &[]);
    assert_eq!(world.run(Boot), [Booted]);
    assert_eq!(world.run(Event::Shutdown), [End(End::Shutdown)]);
}
