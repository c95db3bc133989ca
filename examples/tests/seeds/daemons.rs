//! What the end of main does to daemons and others.

use phalanx_tests::{Program, processes};

use crate::ran::{numbers, paced};

const EXIT: &str = env!("CARGO_BIN_EXE_daemon_exit");

#[test]
fn main_waits_for_a_child_that_is_no_daemon() {
    paced(EXIT, &["normal"], |ran| {
        assert_eq!(ran.rests("* normal").len(), 3);
        ran.in_order(&["normal starts", "main ends", "normal ends"]);
        assert_eq!(ran.at("normal ends"), ran.lines.len() - 1);
        assert!(ran.units >= 3.0, "{}", ran.units);
    });
}

#[test]
fn a_daemon_ends_with_main_and_has_no_last_word() {
    paced(EXIT, &["daemon"], |ran| {
        assert_eq!(ran.lines[1..], ["* daemon", "main ends"]);
        assert!(ran.lines[0].starts_with("daemon starts"), "{:#?}", ran.lines);
    });
}

#[test]
fn the_process_of_a_daemon_is_gone_before_that_of_the_program() {
    let mut run = Program::new(EXIT).args(["50ms", "daemon"]).start();
    let pid = numbers(&run.line())[0];
    assert_eq!(run.wait(), 0);
    assert!(!processes::exists(pid));
    run.finish();
}

#[test]
fn daemons_stop_first_and_others_finish() {
    paced(EXIT, &[], |ran| {
        let end = ran.at("main ends");
        assert!(!ran.lines[end..].iter().any(|line| line.contains("daemon")), "{:#?}", ran.lines);
        assert!(!ran.lines.iter().any(|line| line == "daemon ends"));
        ran.in_order(&["daemon starts", "main ends", "normal ends"]);
        assert_eq!(ran.at("normal ends"), ran.lines.len() - 1);
    });
}

#[test]
fn a_heartbeat_goes_on_over_the_death_of_the_worker() {
    paced(env!("CARGO_BIN_EXE_daemon_heartbeat"), &[], |ran| {
        let beats =
            |from: usize, to: usize| ran.lines[from..to].iter().filter(|line| *line == "beat").count();
        ran.in_order(&[
            "work begins",
            "work ends",
            "worked, in process 1",
            "the worker was",
            "worked, in process 2",
        ]);
        let (killed, last) = (ran.at("the worker was killed by SIGKILL"), ran.at("main ends"));
        assert!(beats(0, ran.at("work ends")) >= 5, "{:#?}", ran.lines);
        assert!(beats(killed, last) >= 1, "{:#?}", ran.lines);
        assert_eq!(last, ran.lines.len() - 1, "no beat after the last line: {:#?}", ran.lines);
    });
}
