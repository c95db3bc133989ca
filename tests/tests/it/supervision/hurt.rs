//! A supervisor cannot be hurt by its children, and does not wear out.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{ChildState, Restart};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes, until_seen};

use super::support::grabber;
use super::support::stage::{Crash, Stage, counts, settled, state, stop};

/// Does its worst.
#[actor]
struct Vandal;

#[actor]
impl Vandal {
    /// Overwrites every memory file that it has open, its status page among them.
    fn scribble(&self, seed: u64) -> usize {
        scribble(std::process::id(), seed)
    }

    fn hang(&self) {
        loop {
            thread::park();
        }
    }

    fn answer(&self) -> u32 {
        42
    }
}

/// Random bytes into all memory files of a process, through `/proc`; returns the number of files.
fn scribble(pid: u32, seed: u64) -> usize {
    let mut random = seed | 1;
    let mut files = 0;
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let is_memory =
            fs::read_link(entry.path()).is_ok_and(|path| path.to_string_lossy().starts_with("/memfd:"));
        let Ok(mut file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
        if !is_memory {
            continue;
        }
        let size = file.metadata().unwrap().len();
        let bytes: Vec<u8> = (0..size)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random as u8
            })
            .collect();
        file.seek(SeekFrom::Start(0)).unwrap();
        files += usize::from(file.write_all(&bytes).is_ok());
    }
    files
}

/// It goes on: others are served, crash, come back, are added and ended.
#[track_caller]
fn still_supervises(
    supervisor: &SupervisorRef,
    stage: &Stage,
    witness: &ActorRef<super::support::stage::Worker>,
    round: u64,
) {
    assert_eq!(supervisor.incarnation(), 1);
    let before = witness.incarnation();
    Crash::Panic.hit(witness);
    eventually("the next", EVENT_TIMEOUT, || witness.incarnation() == before + 1);
    assert_eq!(witness.count().wait(), Ok(1));
    let id = format!("new-{round}");
    let new = supervisor.start_child(&*id, stage.worker(&id)).unwrap();
    assert_eq!(new.count().wait(), Ok(1));
    supervisor.terminate_child(&id).unwrap();
    supervisor.delete_child(&id).unwrap();
}

/// The vandal itself may be believed dead, alive or anything else; it is killed by its pid at last.
#[test]
fn a_child_that_overwrites_its_status_page_hurts_only_itself() {
    alone(|| {
        for seed in 1..9 {
            let stage = Stage::new();
            let supervisor = Supervisor::one_for_one().intensity(1000, RESTART_WINDOW);
            let (supervisor, [witness]) = stage.cast(supervisor, ["witness"]);
            let vandal = Vandal.builder().restart(Restart::Temporary).reserve().unwrap();
            let its_ref = vandal.actor_ref();
            let supervisor = supervisor.child("vandal", vandal).start().unwrap();
            let pid = its_ref.pid().unwrap();
            drop(its_ref.within(Duration::from_millis(200)).scribble(seed).wait());
            still_supervises(&supervisor, &stage, &witness, seed);
            // More than once, while it works and while it is dead.
            scribble_on(pid, seed + 100);
            still_supervises(&supervisor, &stage, &witness, seed + 100);
            processes::kill(pid);
            eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid));
            still_supervises(&supervisor, &stage, &witness, seed + 200);
            eventually("no vandal", EVENT_TIMEOUT, || counts(&supervisor) == [1, 1, 0, 1]);
            stop(&supervisor);
        }
    });
}

fn scribble_on(pid: u32, seed: u64) {
    if processes::runs(pid) {
        scribble(pid, seed);
    }
}

/// A permanent vandal is killed and started again and again; what it left is on its page still.
#[test]
fn an_overwritten_status_page_does_not_keep_an_actor_from_being_restarted() {
    alone(|| {
        let stage = Stage::new();
        let (supervisor, witness) = stage.witnessed();
        let vandal = supervisor.start_child("vandal", Vandal.builder()).unwrap();
        for round in 1..9 {
            let pid = super::support::stage::child(&supervisor, "vandal").pid.unwrap();
            scribble(pid, round * 7919);
            processes::kill(pid);
            eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid));
            still_supervises(&supervisor, &stage, &witness, round);
            eventually("the next, or none", EVENT_TIMEOUT, || {
                // Rubbish may say that it must stay down.
                matches!(state(&supervisor, "vandal"), ChildState::Up | ChildState::Down)
            });
            if state(&supervisor, "vandal") == ChildState::Down {
                supervisor.restart_child("vandal").unwrap();
            }
        }
        drop(vandal);
        stop(&supervisor);
    });
}

/// Into its mailbox, the supervisor's doorbell, the lines of log and names, the descriptor store, its status
/// page.
#[test]
fn rubbish_in_every_descriptor_of_a_child_hurts_nobody_else() {
    alone(|| {
        for seed in 1..4 {
            let stage = Stage::new();
            let supervisor = Supervisor::one_for_one().intensity(1000, RESTART_WINDOW);
            let (supervisor, [witness]) = stage.cast(supervisor, ["witness"]);
            let vandal = Vandal.builder().reserve().unwrap();
            let its_ref = vandal.actor_ref();
            let supervisor = supervisor.child("vandal", vandal).start().unwrap();
            let held = its_ref.hang();
            eventually("the call", EVENT_TIMEOUT, || its_ref.depth() == 0);
            let pid = its_ref.pid().unwrap();
            if !grabber::spoil_descriptors_of(pid, seed) {
                eprintln!("skipped: a process cannot get at the descriptors of another one here");
                return;
            }
            still_supervises(&supervisor, &stage, &witness, u64::from(seed));
            if processes::runs(pid) {
                processes::kill(pid);
            }
            eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid));
            still_supervises(&supervisor, &stage, &witness, u64::from(seed) + 10);
            drop(held);
            stop(&supervisor);
        }
    });
}

/// What a process holds: descriptors by kind, mapped memory files, children.
fn holdings(pid: u32) -> (BTreeMap<String, usize>, usize, usize) {
    let mut kinds = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let kind = target.to_string_lossy().split(['[', ' ']).next().unwrap_or_default().to_owned();
        *kinds.entry(kind).or_default() += 1;
    }
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mappings = maps.lines().filter(|line| line.contains("memfd:")).count();
    (kinds, mappings, processes::children(pid).len())
}

/// What a look shows several times in a row: the end of the last reply may still be open at the first.
fn steady<T: PartialEq>(look: impl Fn() -> T) -> T {
    let (mut last, mut same) = (look(), 0);
    // The pace is part of it: five looks at once would be one.
    while same < 5 {
        thread::sleep(Duration::from_millis(10));
        let now = look();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

/// Crashes, orderly ends, failed starts, children that are added and go, requests with and without a reply.
#[test]
fn a_thousand_restarts_leave_nothing_in_the_supervisor() {
    alone(|| {
        let stage = Stage::new();
        let supervisor = Supervisor::one_for_one().intensity(10_000, RESTART_WINDOW);
        let frail = Frail.builder().reserve().unwrap();
        let its_ref = frail.actor_ref();
        let supervisor = supervisor.child("frail", frail).start().unwrap();
        let pid = supervisor.pid().unwrap();
        let root = processes::root_supervisor(std::process::id()).unwrap();
        its_ref.end(1).wait().unwrap_err();
        settled(&supervisor, 1);
        let now = || (holdings(pid), holdings(root), holdings(std::process::id()));
        let before = steady(now);
        let mut restarts = 1;
        while restarts < 1000 {
            for code in [0, 1, 2, 3] {
                let _ = its_ref.end(code).wait();
            }
            restarts += 4;
            if restarts % 100 == 1 {
                let added = supervisor.start_child("added", stage.worker("added")).unwrap();
                Crash::Panic.hit(&added);
                settled(&supervisor, 2);
                supervisor.terminate_child("added").unwrap();
                supervisor.delete_child("added").unwrap();
                stage.spoil("added", super::support::stage::Trouble::Refuses, 1);
                supervisor.start_child("added", stage.worker("added")).unwrap_err();
                supervisor.restart_child("nobody").unwrap_err();
            }
        }
        assert_eq!(its_ref.number().wait().unwrap(), restarts + 1);
        settled(&supervisor, 1);
        until_seen(&format!("what was there before: {before:#?}"), EVENT_TIMEOUT, now, |now| *now == before);
        assert_eq!(super::support::stage::child(&supervisor, "frail").restarts as u64, restarts);
        stop(&supervisor);
    });
}

#[actor]
struct Frail;

#[actor]
impl Frail {
    fn end(&self, how: u32) {
        match how {
            0 => std::process::exit(0),
            1 => std::process::abort(),
            2 => phalanx::exit_actor(),
            _ => std::panic::resume_unwind(Box::new("quietly")),
        }
    }

    fn number(&self) -> u64 {
        phalanx::current().incarnation()
    }
}
