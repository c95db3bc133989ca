//! Pools, alone and with queues.

use std::collections::BTreeSet;

use crate::ran::{numbers, paced, paced_aloud, ran, ran_aloud, sorted, units};

#[test]
fn more_jobs_than_workers_take_waves_and_a_pool_is_closed_before_it_is_joined() {
    paced(env!("CARGO_BIN_EXE_pool_submit"), &[], |ran| {
        let end = ran.at("12 of 12 jobs are done");
        let (waves, lengths) = ran.lines.split_at(end);
        assert!(jobs(waves, "ends").into_iter().map(|job| job[0]).eq(1..=12));
        let started = jobs(waves, "starts");
        assert!(started.iter().map(|job| job[0]).eq(1..=12));
        assert!(started.iter().map(|job| job[1]).collect::<BTreeSet<_>>().len() <= 8, "{waves:#?}");
        let took = units(&ran.lines[end]["12 of 12".len()..]);
        assert!((6.0..9.0).contains(&took), "{took}");

        assert!(jobs(lengths, "ends").into_iter().map(|job| job[0]).eq(1..=10));
        let pids: BTreeSet<_> = jobs(lengths, "starts").iter().map(|job| job[1]).collect();
        assert!(
            pids.len() <= 3 && pids.is_disjoint(&started.iter().map(|job| job[1]).collect()),
            "{lengths:#?}"
        );
        ran.in_order(&[
            "a pool that is open cannot be joined: true",
            "a pool that is closed takes no more: true",
        ]);
        // A free worker takes the next job: none is idle while jobs wait, so only the very last job can run
        // alone.
        let last = ran.lines.last().expect("a last line");
        let work = f64::from(numbers(last)[0]);
        let took = units(last.split_once("three, in").expect("two numbers").1);
        assert!(work / 3.0 <= took && took <= work / 3.0 + 3.0 + 1.5, "{last}");
    });
}

/// The numbers in lines of jobs that start or end: job and process, in the order of the jobs.
fn jobs(lines: &[String], what: &str) -> Vec<Vec<u32>> {
    sorted(
        lines
            .iter()
            .filter(|line| line.starts_with("job ") && line.contains(what))
            .map(|line| numbers(line))
            .collect(),
    )
}

#[test]
fn tasks_are_waited_for_and_a_map_keeps_the_order() {
    paced(env!("CARGO_BIN_EXE_pool_futures"), &[], |ran| {
        let expected = [
            "the first is done: false",
            "4 are done, the first too: true",
            "hello ann",
            "hello bob",
            "hello cyd",
            "hello dan",
        ];
        assert_eq!(ran.lines[..6], expected);
        // Two at a time, and the scope waits for the fifth, too.
        let took = units(&ran.lines[6]);
        assert!((3.0..5.0).contains(&took), "{took}");
        let expected =
            ["1.000", "0.500", "0.333", "four is not wanted", "0.200", "0.167", "0.143", "0.125", "0.111"];
        assert_eq!(ran.lines[7..16], expected);
        let took = units(&ran.lines[16]);
        assert!((3.0..5.0).contains(&took), "{took}");
    });
}

#[test]
fn commands_run_three_at_a_time_and_the_log_has_whole_lines() {
    paced_aloud(env!("CARGO_BIN_EXE_pool_commands"), &[], |ran| {
        assert_eq!(ran.lines[..3], ["said: slow", "said: quick", "failed: code Some(3), no such luck"]);
        let took = units(&ran.lines[3]);
        assert!((4.0..6.0).contains(&took), "{took}");
        // Process and worker, time, level, and message.
        let log: Vec<_> = ran.said.iter().filter(|line| line.contains("pool_commands: ")).collect();
        assert_eq!(log.len(), 6, "{:#?}", ran.said);
        let workers: BTreeSet<_> =
            log.iter().map(|line| line.split(']').next().expect("who says it")).collect();
        assert!(workers.len() == 3 && workers.iter().all(|worker| worker.contains("shells-")), "{workers:?}");
        assert!(workers.iter().all(|worker| numbers(worker).len() == 2), "{workers:?}");
        for line in &log {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            assert!(words[2].ends_with('Z') && words[3] == "INFO" && line.contains("line=\"sleep"), "{line}");
            assert!(line.contains("begins") != (line.contains("ends") && line.contains("took=")), "{line}");
        }
        // All of them have begun before the quickest has ended, which takes a unit.
        assert!(log[..3].iter().all(|line| line.contains("begins")), "{log:#?}");
    });
}

#[test]
fn a_pool_grows_and_shrinks_and_refuses_what_is_too_much() {
    paced(env!("CARGO_BIN_EXE_pool_elastic"), &[], |ran| {
        let expected = [
            "at first: 1 worker",
            "refused: the pool's queue is full",
            "when there was work: 3 workers",
            "idle: 1 worker",
        ];
        assert_eq!(ran.lines, expected);
    });
}

#[test]
fn errors_in_a_pool_are_values_and_are_said_if_nobody_looks() {
    let ran = ran_aloud(env!("CARGO_BIN_EXE_pool_errors"), &[]);
    assert_eq!(ran.lines[..3], ["4: 2", "-4: -4 has no root", "13: its worker was killed by SIGABRT"]);
    assert_eq!(ran.lines[3..5], ["2 done, 3 failed, 1 lost", "unread task errors: 2"]);
    assert!(
        ran.lines[5..].len() == 2 && ran.lines[5..].iter().all(|line| line.contains("root")),
        "{:#?}",
        ran.lines
    );
    for task in ["task 5", "task 6"] {
        let said = ran.said.iter().filter(|line| line.contains("ERROR") && line.contains(task));
        assert_eq!(said.count(), 1, "each is logged once: {:#?}", ran.said);
    }
}

#[test]
fn a_queue_is_an_argument_like_any_other() {
    let ran = ran(env!("CARGO_BIN_EXE_pool_queue"), &[]);
    let expected = ["written", "6 letters", "A", "B", "C", "D", "E", "F", "both were spawned by main: true"];
    assert_eq!(ran.lines, expected);
}

#[test]
fn a_page_that_panics_costs_one_page() {
    let ran = ran_aloud(env!("CARGO_BIN_EXE_pool_crawler"), &[]);
    let pages = sorted(ran.rests("page "));
    let expected: BTreeSet<_> = [1, 2, 3, 4, 5, 6, 8, 9, 10].map(|page| format!("{page} is parsed")).into();
    assert!(pages.into_iter().eq(expected.iter()), "{:#?}", ran.lines);
    assert!(ran.rest("a page is lost: its parser panicked at ").contains("page 7 is not complete"));
    assert_eq!(ran.at("18 rows are stored"), ran.lines.len() - 1);
}
