//! What the errors say to a human: actor, process, method and cause.

use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually};

use super::{Mortal, busy};

fn named() -> (ActorRef<Mortal>, u32) {
    let mortal = Mortal.builder().name("mortal-1").mailbox(1).spawn().unwrap();
    let pid = mortal.pid().unwrap();
    (mortal, pid)
}

/// The beginning of every text.
fn at(method: &str, pid: u32) -> String {
    format!("`{method}` of actor `mortal-1` (process {pid}, incarnation 1)")
}

#[test]
fn a_death_says_who_where_and_how() {
    alone(|| {
        let (mortal, pid) = named();
        let error = mortal.exit(3).wait().unwrap_err();
        assert_eq!(error.to_string(), format!("{}: the actor died: exited with code 3", at("exit", pid)));
        let (mortal, pid) = named();
        let text = mortal.panic("no luck".into()).wait().unwrap_err().to_string();
        let start = format!("{}: the actor died: panicked at ", at("panic", pid));
        assert!(text.starts_with(&start), "{text}");
        assert!(text.ends_with(": no luck (in `panic`)") && text.contains("exits/mod.rs:"), "{text}");
        let (mortal, pid) = named();
        let text = mortal.abort().wait().unwrap_err().to_string();
        let start = format!("{}: the actor died: killed by SIGABRT", at("abort", pid));
        assert!(text.starts_with(&start), "{text}");
    });
}

/// A process that reads of a death when the next process is there already is told which one it was.
#[test]
fn a_death_names_the_process_that_died_and_not_the_one_that_came_after_it() {
    alone(|| {
        let mortal = Mortal.builder().name("mortal-1").restart(phalanx::Restart::Permanent);
        let mortal = mortal.intensity(10, RESTART_WINDOW).spawn().unwrap();
        let first = mortal.pid().unwrap();
        let (one, two) = (mortal.exit(3), mortal.exit(4));
        eventually("the third process", EVENT_TIMEOUT, || mortal.incarnation() == 3);
        let error = one.wait().unwrap_err();
        assert_eq!(error.to_string(), format!("{}: the actor died: exited with code 3", at("exit", first)));
        let at = two.wait().unwrap_err().at().cloned().unwrap();
        assert_eq!(at.incarnation(), Some(2));
        assert!(at.pid().is_some_and(|pid| pid != first && Ok(pid) != mortal.pid()));
    });
}

#[test]
fn what_comes_after_a_death_says_how_it_was() {
    alone(|| {
        let (mortal, pid) = named();
        let _ = mortal.exit(3).wait();
        let ended = "the actor is gone (exited with code 3)";
        let texts = [
            (mortal.answer().wait().unwrap_err().to_string(), "answer"),
            (mortal.try_answer().unwrap_err().to_string(), "answer"),
            (mortal.kill().unwrap_err().to_string(), "kill"),
            (mortal.terminate().unwrap_err().to_string(), "terminate"),
            (mortal.pid().unwrap_err().to_string(), "pid"),
        ];
        for (text, method) in texts {
            assert_eq!(text, format!("{}: {ended}", at(method, pid)));
        }
        let own = std::process::id();
        assert_eq!(
            mortal.to_string(),
            format!("`mortal-1`, process {pid}, child of {own}, exited with code 3")
        );
    });
}

#[test]
fn a_full_mailbox_and_a_missed_deadline_say_where() {
    alone(|| {
        let (mortal, pid) = named();
        let hanging = mortal.hang();
        busy(&mortal, 0);
        let queued = mortal.answer();
        let short = Duration::from_millis(20);
        let full = mortal.try_answer().unwrap_err();
        assert_eq!(full.to_string(), format!("{}: the mailbox is full", at("answer", pid)));
        let mut hanging = hanging;
        let timeout = hanging.wait_timeout(short).unwrap_err();
        assert_eq!(timeout.to_string(), format!("{}: no reply within the deadline", at("hang", pid)));
        assert_eq!(hanging.wait_timeout(short).unwrap_err().at().and_then(phalanx::At::pid), Some(pid));
        mortal.kill().unwrap();
        let died = queued.wait().unwrap_err();
        assert_eq!(
            died.to_string(),
            format!("{}: the actor died: killed by a holder of its ref", at("answer", pid))
        );
    });
}

#[test]
fn a_stop_says_that_it_was_one() {
    alone(|| {
        let (mortal, pid) = named();
        let latch = super::Note::new("latch");
        let held = mortal.wait_for(latch.clone());
        busy(&mortal, 0);
        let queued = mortal.answer();
        mortal.terminate().unwrap();
        latch.write();
        held.wait().unwrap();
        let stopped = queued.wait().unwrap_err();
        assert_eq!(stopped.to_string(), format!("{}: the actor was stopped first", at("answer", pid)));
        assert_eq!(mortal.join_timeout(EVENT_TIMEOUT).unwrap().to_string(), "stopped by a holder of its ref");
        let gone = mortal.answer().wait().unwrap_err();
        assert!(gone.to_string().ends_with("the actor is gone (stopped by a holder of its ref)"), "{gone}");
        assert!(latch.remove());
    });
}

#[test]
fn errors_are_errors_of_the_standard_kind() {
    fn as_text(error: impl std::error::Error + Send + Sync + 'static) -> String {
        phalanx::Error::from(error).to_string()
    }
    alone(|| {
        let (mortal, pid) = named();
        let _ = mortal.exit(1).wait();
        assert!(as_text(mortal.answer().wait().unwrap_err()).contains(&at("answer", pid)));
        assert!(as_text(mortal.kill().unwrap_err()).contains(&at("kill", pid)));
        assert!(as_text(mortal.try_answer().unwrap_err()).contains(&at("answer", pid)));
        assert!(as_text(Mortal.builder().mailbox(0).spawn().unwrap_err()).contains("cannot start `Mortal`"));
    });
}
