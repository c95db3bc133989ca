//! Processes and their arguments.

use std::collections::BTreeSet;

use crate::ran::{numbers, paced, ran, sorted, units};

#[test]
fn own_pid_and_parents() {
    let ran = ran(env!("CARGO_BIN_EXE_fork_pid"), &[]);
    assert_eq!(ran.lines.len(), 8, "{:#?}", ran.lines);
    let main = numbers(ran.rest("main: process"));
    assert!(ran.rest("main: process").ends_with("spawned by None"));
    let [child, spawner, supervisor] = *numbers(ran.rest("child: process")) else { panic!("three pids") };
    assert_eq!(main, [spawner]);
    assert_eq!(numbers(ran.rest("main: has spawned process")), [child]);
    assert_eq!(BTreeSet::from([child, spawner, supervisor]).len(), 3);
    ran.in_order(&["child: process", "main: the child has ended with code Some(0)"]);
    assert!(ran.lines[4..].iter().all(|line| line.ends_with(": true")), "{:#?}", ran.lines);
}

#[test]
fn a_join_waits_for_the_end() {
    let ran = ran(env!("CARGO_BIN_EXE_process_join"), &[]);
    let (about, mails) = ran.lines.split_at(8);
    ran.in_order(&["main: about to start two", "child `one`", "main: both"]);
    ran.in_order(&["main: about to start two", "child `two`", "main: both"]);
    ran.in_order(&["main: process", "main: about to start a", "child `test`", "main: the child has ended"]);
    let pids: BTreeSet<_> = about.iter().flat_map(|line| numbers(line)).collect();
    assert_eq!(pids.len(), 4, "main and three children: {about:#?}");
    assert_eq!(mails.len(), 200);
    assert!(mails.chunks(2).all(|two| two == ["mail: the first", "mail: the second"]), "{mails:#?}");
}

#[test]
fn arguments_arrive_while_main_goes_on() {
    let ran = ran(env!("CARGO_BIN_EXE_process_args"), &[]);
    assert_eq!(ran.rests("main: "), ["*", "**", "***", "****", "*****"]);
    let sung = ran.rests("child (");
    let pid = sung[0].split_once(')').expect("a pid").0;
    assert_eq!(sung, [1, 2, 3, 4, 5].map(|time| format!("{pid}): la {time}")));
    assert_eq!(ran.lines.len(), 10);
}

#[test]
fn a_struct_runs_in_a_process_of_its_own() {
    paced(env!("CARGO_BIN_EXE_process_struct"), &[], |ran| {
        ran.in_order(&["hello from another process", "not in main: true"]);
        let last = ran.at("all workers have run, and answered numbers with the sum 55");
        let workers = sorted(ran.rests("worker ").iter().flat_map(|line| numbers(line)).collect());
        assert_eq!(workers, (1..=10).collect::<Vec<_>>());
        assert!(ran.lines[..last].iter().filter(|line| line.starts_with("worker ")).count() == 10);
        let (child, main) = (units(ran.rest("the child took")), units(ran.rest("main took")));
        assert!((2.0..4.0).contains(&child) && (child..4.0).contains(&main), "{child} {main}");
    });
}

#[test]
fn ten_children_run_at_once_and_have_names_and_ends() {
    paced(env!("CARGO_BIN_EXE_process_many"), &[], |ran| {
        let at_once = ran.at("together:");
        let (together, in_turn) = ran.lines.split_at(at_once);
        let children = |lines: &[String]| -> Vec<Vec<u32>> {
            sorted(lines.iter().filter_map(|line| Some(numbers(line.strip_prefix("child ")?))).collect())
        };
        let both = [children(together), children(in_turn)];
        for children in &both {
            assert!(children.iter().map(|child| child[0]).eq(1..=10), "{children:?}");
            let spawners: BTreeSet<_> = children.iter().map(|child| child[2]).collect();
            assert_eq!(spawners.len(), 1, "{children:?}");
        }
        let pids: BTreeSet<_> = both.iter().flatten().map(|child| child[1]).collect();
        assert_eq!(pids.len(), 20);
        // The handle in words: name, pid, and state.
        for child in &both[0] {
            let (number, pid) = (child[0].to_string(), child[1].to_string());
            let words = |line: &&String| {
                !line.starts_with("child") && line.contains(&pid) && line.contains(&format!("-{number}`"))
            };
            let said: Vec<_> = together.iter().filter(words).collect();
            assert!(
                said.len() == 2 && said[0].contains("started") && !said[1].contains("started"),
                "{said:?}"
            );
        }
        assert_eq!(ran.at("main ends"), ran.lines.len() - 1);
        let (together, in_turn) = (units(ran.rest("together:")), units(ran.rest("one after the other:")));
        assert!(in_turn >= 10.0 && in_turn >= 3.0 * together, "{in_turn} {together}");
    });
}

#[test]
fn two_loops_take_as_long_as_the_longer_one() {
    paced(env!("CARGO_BIN_EXE_two_workers"), &[], |ran| {
        assert_eq!(ran.rests("reads "), ["1", "2", "3", "4", "5"]);
        assert_eq!(ran.rests("writes "), ["1", "2", "3", "4", "5"]);
        let took = units(&ran.lines[10]);
        assert!((7.5..10.0).contains(&took), "{took}");
    });
}

#[test]
fn a_process_is_watched_ended_and_asked_how_it_ended() {
    let ran = ran(env!("CARGO_BIN_EXE_process_control"), &[]);
    assert!(ran.lines[2].starts_with("terminated: alive or not yet, "), "{:#?}", ran.lines);
    let expected = [
        "started: alive true, exit code None",
        "not joined within a unit: true; alive true",
        &ran.lines[2],
        "joined: killed by SIGTERM",
        "joined again: killed by SIGTERM",
        "ended: alive false, exit code Some(-15)",
    ];
    assert_eq!(ran.lines, expected);
    assert!(ran.units >= 1.0, "a wait of a unit was over too early: {}", ran.units);
}

#[test]
fn a_process_has_memory_of_its_own_and_a_thread_has_not() {
    let ran = ran(env!("CARGO_BIN_EXE_memory_isolation"), &[]);
    assert_eq!(ran.lines, ["a child says 101, main says 100", "a thread says 101, main says 101"]);
}

#[test]
fn two_processes_talk_over_a_socket() {
    let ran = ran(env!("CARGO_BIN_EXE_ipc_socket"), &[]);
    assert_eq!(ran.rests("ann is told: "), ["HELLO FROM ANN", "GOODBYE FROM ANN"]);
    assert_eq!(ran.rests("bob is told: "), ["HELLO FROM BOB", "GOODBYE FROM BOB"]);
    assert_eq!(ran.at("both have been served"), 4);
}

#[test]
fn processes_share_a_file_and_nobody_reads_half_of_it() {
    let ran = ran(env!("CARGO_BIN_EXE_ipc_file"), &[]);
    assert_eq!(ran.lines, ["60 lines of three writers; always a whole file: true"]);
}

#[test]
fn the_table_of_processes_says_what_the_system_says() {
    paced(env!("CARGO_BIN_EXE_process_table"), &[], |ran| {
        let row = |name: &str| -> Vec<String> {
            ran.lines[ran.at(name)].split_ascii_whitespace().map(str::to_owned).collect()
        };
        // Name, pid, parent, supervisor, state, incarnation, age, queue, memory and its unit, processor time,
        // method, last end.
        let (idle, fallen, busy) = (row("idle "), row("fallen "), row("busy "));
        for row in [&idle, &fallen, &busy] {
            assert_eq!((&*row[4], &row[2], &row[3]), ("Up", &idle[2], &idle[3]));
            assert!(row[8].parse::<u32>().is_ok_and(|mib| mib > 0), "{row:?}");
        }
        assert_eq!(BTreeSet::from([&idle[1], &fallen[1], &busy[1], &idle[2], &idle[3]]).len(), 5);
        assert_eq!((&*idle[5], &*idle[7], &*idle[11], &idle[12..]), ("1", "0", "-", &["-".to_owned()][..]));
        assert_eq!(
            (&*fallen[5], &*fallen[7], &*fallen[11], &*fallen[12..].join(" ")),
            ("2", "0", "-", "killed by SIGABRT")
        );
        assert_eq!((&*busy[5], &*busy[7], &*busy[11]), ("1", "3", "file"));
        assert!(ran.lines.iter().any(|line| line == "the system has the same parents: true"));
    });
}
