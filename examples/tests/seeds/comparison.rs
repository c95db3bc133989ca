//! Threads beside processes. The speeds are for the user to read.

use crate::ran::{numbers, ran};

#[test]
fn threads_and_processes_come_to_the_same_sums() {
    let ran = ran(env!("CARGO_BIN_EXE_process_vs_thread"), &["3"]);
    for kind in 0..2 {
        let [head, lines @ ..] = &ran.lines[5 * kind..5 * kind + 5] else { panic!("five lines") };
        assert!(
            head.starts_with(["CPU-bound, ", "I/O-bound, "][kind]) && head.ends_with(" workers"),
            "{head}"
        );
        assert!(numbers(head)[0] >= 2, "{head}");
        let sum = |line: &str| line.split_once("the sum is ").expect("a sum").1.to_owned();
        for (line, who) in lines.iter().zip(["one by one", "threads", "processes", "pool"]) {
            assert!(line.trim_start().starts_with(&format!("{who}: start ")), "{line}");
            assert!([", compute ", ", total "].iter().all(|word| line.contains(word)), "{line}");
            assert_eq!(sum(line), sum(&lines[0]));
        }
    }
    assert!(ran.lines[11].contains("Linux") && ran.lines[11].contains("cores"), "{}", ran.lines[11]);
    let rows: Vec<Vec<&str>> = ran.lines[15..]
        .iter()
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 9, "{:#?}", ran.lines);
    assert!(rows.iter().all(|row| row.len() == 4 && row.iter().all(|cell| !cell.is_empty())), "{rows:?}");
    let deaths = &rows[5];
    assert!(deaths[1].starts_with("ends all: signal: 11"), "{deaths:?}");
    assert!(deaths[2].starts_with("ends one: killed by SIGSEGV"), "{deaths:?}");
    assert!(deaths[3].starts_with("ends one: signal: 11"), "{deaths:?}");
    assert!(rows[6][2].starts_with("ends one of 100 tasks: killed by SIGSEGV"), "{:?}", rows[6]);
    assert!(rows[6][2].ends_with("; 99 have their results"), "{:?}", rows[6]);
    assert!(rows[7][2].starts_with("ends one: `hang` exceeded its deadline"), "{:?}", rows[7]);
}
