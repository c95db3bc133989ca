//! What supervisors say of actors and tasks.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{Restart, Supervisor};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone, processes};
use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::{Talker, all, hear_of, listen_to, said, talker};

#[task]
fn nothing() {}

#[task]
fn forever() {
    std::thread::sleep(FOREVER);
}

/// Does not come to be.
#[actor]
struct Unborn;

#[actor]
impl Unborn {
    #[init]
    fn new(late: bool) -> Result<Unborn, String> {
        if late {
            std::thread::sleep(FOREVER);
        }
        Err("no wish to".to_owned())
    }
}

#[test]
fn start_and_stop_of_an_actor_are_events() {
    alone(|| {
        listen_to(LevelFilter::DEBUG);
        let talker = talker();
        let pid = u64::from(talker.pid().unwrap());
        let started = hear_of("talker", "started");
        assert_eq!(
            (started.level, started.number("pid"), started.number("incarnation")),
            (Level::DEBUG, pid, 1)
        );
        assert_eq!((started.name.as_str(), started.fields.len()), ("started", 4));
        talker.stop(EVENT_TIMEOUT).unwrap();
        let stopped = hear_of("talker", "stopped");
        assert_eq!((stopped.level, stopped.number("pid")), (Level::DEBUG, pid));
        assert_eq!(stopped.text("reason"), "stopped by a holder of its ref");
    });
}

#[test]
fn the_end_of_a_task_is_an_event() {
    alone(|| {
        listen_to(LevelFilter::DEBUG);
        nothing::builder().name("one").spawn().unwrap().join().unwrap();
        hear_of("one", "started");
        let ended = hear_of("one", "ended");
        assert_eq!((ended.level, ended.text("reason")), (Level::DEBUG, "ended normally"));
    });
}

#[test]
fn a_crash_is_an_event_even_if_nobody_looks() {
    alone(|| {
        listen_to(LevelFilter::INFO);
        let talker = talker();
        let pid = talker.pid().unwrap();
        drop(talker);
        processes::kill(pid);
        let crashed = hear_of("talker", "crashed");
        assert_eq!((crashed.level, crashed.number("pid")), (Level::WARN, u64::from(pid)));
        assert_eq!(crashed.text("reason"), "killed by SIGKILL");
        assert_eq!(all().len(), 1, "what is no more than a detail was not asked for");
    });
}

#[test]
fn an_exit_with_0_has_ended_and_a_stop_that_took_too_long_was_killed() {
    alone(|| {
        listen_to(LevelFilter::DEBUG);
        let leaver = Talker.builder().name("leaver").spawn().unwrap();
        let _ = leaver.exit().wait();
        let ended = hear_of("leaver", "ended");
        assert_eq!((ended.level, ended.text("reason")), (Level::INFO, "exited with code 0"));
        let busy = Talker.builder().name("busy").spawn().unwrap();
        let _busy = busy.sleep(1_000_000);
        phalanx_tests::eventually("the work", EVENT_TIMEOUT, || busy.depth() == 0);
        busy.stop(Duration::from_millis(500)).unwrap();
        let killed = hear_of("busy", "killed");
        assert_eq!((killed.level, killed.text("reason")), (Level::WARN, "did not stop within 500 ms"));
        let talker = talker();
        talker.kill().unwrap();
        let killed = hear_of("talker", "killed");
        assert_eq!((killed.level, killed.text("reason")), (Level::DEBUG, "killed by a holder of its ref"));
        assert!(said("crashed").is_empty());
    });
}

#[test]
fn an_actor_that_is_stopped_by_a_signal_is_an_event() {
    alone(|| {
        listen_to(LevelFilter::INFO);
        let talker = talker();
        let pid = talker.pid().unwrap();
        processes::signal("STOP", i64::from(pid));
        let suspended = hear_of("talker", "suspended");
        assert_eq!((suspended.level, suspended.number("pid")), (Level::WARN, u64::from(pid)));
        assert_eq!(suspended.text("signal"), "SIGSTOP");
        processes::signal("CONT", i64::from(pid));
        talker.say("again".into()).wait().unwrap();
    });
}

#[test]
fn the_death_of_the_root_supervisor_is_an_event() {
    alone(|| {
        listen_to(LevelFilter::ERROR);
        let talker = talker();
        let root = processes::root_supervisor(std::process::id()).unwrap();
        processes::kill(root);
        let died = super::hear(
            "the root supervisor died, and all actors, tasks and supervisors of this program with it",
        );
        assert_eq!(died.level, Level::ERROR);
        assert!(died.text("reason").contains("SIGKILL"), "{}", died.text("reason"));
        assert_eq!(talker.join(), phalanx::ExitReason::SupervisorDied);
    });
}

#[test]
fn the_crash_of_an_actor_of_an_actor_is_an_event_as_well() {
    alone(|| {
        listen_to(LevelFilter::INFO);
        let talker = talker();
        talker.pass_on(2, "hello".into()).wait().unwrap();
        let deep = u32::try_from(super::hear("hello").number("pid")).unwrap();
        processes::kill(deep);
        assert_eq!(hear_of("depth-1", "crashed").number("pid"), u64::from(deep));
    });
}

#[test]
fn what_ends_with_the_end_of_another_is_no_crash_of_its_own() {
    alone(|| {
        listen_to(LevelFilter::DEBUG);
        let talker = talker();
        talker.pass_on(2, "hello".into()).wait().unwrap();
        talker.panic().wait().unwrap_err();
        hear_of("talker", "crashed");
        phalanx::shutdown();
        assert_eq!(said("crashed").len(), 1);
    });
}

#[test]
fn the_end_of_a_daemon_at_the_end_of_the_program_is_no_crash() {
    alone(|| {
        listen_to(LevelFilter::DEBUG);
        forever::builder().name("idle").daemon(true).spawn().unwrap();
        phalanx::shutdown();
        let stopped = hear_of("idle", "stopped");
        assert_eq!((stopped.level, stopped.text("reason")), (Level::DEBUG, "killed by SIGTERM"));
    });
}

#[test]
fn a_kill_by_the_watchdog_is_an_event_and_so_is_the_end_after_it() {
    alone(|| {
        listen_to(LevelFilter::INFO);
        let slow = Talker.builder().name("slow").deadline(Duration::from_millis(100)).spawn().unwrap();
        slow.sleep(1_000_000).wait().unwrap_err();
        let killed = hear_of("slow", "killed by the watchdog");
        assert_eq!((killed.level, killed.text("method")), (Level::WARN, "sleep"));
        assert!(killed.number("after_ms") >= 100);
        assert!(hear_of("slow", "crashed").text("reason").contains("exceeded its deadline"));
    });
}

#[test]
fn dead_letters_are_counted() {
    alone(|| {
        listen_to(LevelFilter::INFO);
        let talker = Talker.builder().name("busy").spawn().unwrap();
        let pid = talker.pid().unwrap();
        let _busy = talker.sleep(1_000_000);
        phalanx_tests::eventually("the work", EVENT_TIMEOUT, || talker.depth() == 0);
        (0..5).for_each(|_| talker.told().unwrap());
        processes::kill(pid);
        let letters = hear_of("busy", "dead letters");
        assert_eq!((letters.level, letters.number("messages")), (Level::WARN, 5));
    });
}

#[test]
fn a_start_that_fails_is_a_detail() {
    alone(|| {
        listen_to(LevelFilter::DEBUG);
        assert!(Unborn::builder(false).name("unborn").spawn().is_err());
        let failed = hear_of("unborn", "not started");
        assert_eq!((failed.level, failed.text("reason")), (Level::DEBUG, "init failed: no wish to"));
        assert!(
            Unborn::builder(true).name("late").start_timeout(Duration::from_millis(100)).spawn().is_err()
        );
        let killed = hear_of("late", "killed by the watchdog");
        assert_eq!((killed.text("method"), killed.number("after_ms")), ("#[init]", 100));
        hear_of("late", "not started");
    });
}

/// Comes back, once.
fn resilient() -> ActorRef<Talker> {
    let builder = Talker.builder().name("resilient").restart(Restart::Permanent);
    builder.intensity(1, Duration::from_secs(1000)).backoff(MOMENT, MOMENT).spawn().unwrap()
}

const MOMENT: Duration = Duration::from_millis(20);

#[test]
fn a_restart_is_an_event_after_that_of_the_crash_and_the_next_process_is_heard() {
    alone(|| {
        listen_to(LevelFilter::INFO);
        let talker = resilient();
        talker.panic().wait().unwrap_err();
        talker.say("again".into()).wait().unwrap();
        let (said, next) = (super::hear("again"), u64::from(talker.pid().unwrap()));
        assert_eq!((said.number("pid"), said.number("incarnation")), (next, 2));
        let waiting = hear_of("resilient", "waiting");
        assert_eq!((waiting.level, waiting.number("incarnation")), (Level::WARN, 1));
        assert!(waiting.number("delay_ms") <= 20);
        let restarted = hear_of("resilient", "restarted");
        assert_eq!((restarted.level, restarted.number("restarts")), (Level::INFO, 1));
        assert_eq!((restarted.number("pid"), restarted.number("incarnation")), (next, 2));
        assert!(restarted.text("reason").contains("no such luck"));
        let messages: Vec<String> = all().iter().map(|heard| heard.message().to_owned()).collect();
        // Two processes say this, each in its order; only an end is said after all that the one that ended
        // has said.
        let of_supervisor: Vec<_> = messages.iter().filter(|text| *text != "again").collect();
        assert_eq!(of_supervisor, ["before the panic", "crashed", "waiting", "restarted"]);
    });
}

#[test]
fn giving_up_is_an_event() {
    alone(|| {
        listen_to(LevelFilter::INFO);
        let talker = resilient();
        (0..2).for_each(|_| drop(talker.abort().wait()));
        let gave_up = hear_of("resilient", "gave up");
        assert_eq!((gave_up.level, gave_up.number("incarnation")), (Level::ERROR, 2));
        assert_eq!(gave_up.text("reason"), "killed by SIGABRT");
    });
}

#[test]
fn an_escalation_is_an_event_of_the_child_and_the_end_of_its_supervisor_another() {
    alone(|| {
        listen_to(LevelFilter::INFO);
        let child = Talker.builder().name("child").reserve().unwrap();
        let talker = child.actor_ref();
        let supervisor = Supervisor::one_for_one().name("sup").intensity(0, MOMENT).child("child", child);
        let supervisor = supervisor.start().unwrap();
        talker.abort().wait().unwrap_err();
        let escalated = hear_of("child", "escalated");
        assert_eq!((escalated.level, escalated.text("reason")), (Level::ERROR, "killed by SIGABRT"));
        assert_eq!(hear_of("sup", "crashed").text("reason"), supervisor.join().to_string());
    });
}

#[test]
fn an_actor_that_is_replaced_in_time_has_not_crashed() {
    alone(|| {
        listen_to(LevelFilter::DEBUG);
        let talker = Talker.builder().name("fresh").recycle_after(1).spawn().unwrap();
        (0..3).for_each(|number| talker.say(number.to_string()).wait().unwrap());
        assert_eq!(hear_of("fresh", "stopped").text("reason"), "recycled");
        assert_eq!(hear_of("fresh", "restarted").level, Level::DEBUG);
        assert!(said("crashed").is_empty());
    });
}
