//! Queues.

use crate::ran::{paced, ran, units};

#[test]
fn producer_and_consumer_come_to_an_end() {
    let ran = ran(env!("CARGO_BIN_EXE_queue_producer_consumer"), &[]);
    let items: Vec<u32> = ran.rests("item ").iter().map(|item| item.parse().expect("a number")).collect();
    assert!(items.into_iter().eq(1..=100));
    assert_eq!(ran.at("all 100 items have been consumed"), 100);
    let expected = ["the writer has ended", "read A", "read B", "read C", "read 1048576 bytes"];
    assert_eq!(ran.lines[101..], expected);
}

#[test]
fn a_timeout_is_never_early_and_loses_what_comes_late_and_a_close_does_not() {
    paced(env!("CARGO_BIN_EXE_queue_timeout"), &[], |ran| {
        let second = ran.at("a pause of 3.0 units");
        for (lines, read) in [(&ran.lines[..second], "[1, 2, 3, 4, 5]"), (&ran.lines[second..], "[1, 2, 3]")]
        {
            let grown: Vec<_> = lines.iter().filter(|line| line.starts_with('[')).collect();
            let all = ["[1]", "[1, 2]", "[1, 2, 3]", "[1, 2, 3, 4]", "[1, 2, 3, 4, 5]"];
            let as_far = all.iter().position(|&list| list == read).expect("one of these") + 1;
            assert_eq!(grown, all[..as_far]);
            assert!(lines.iter().any(|line| *line == format!("until the timeout: {read}")), "{lines:#?}");
            assert!(lines.iter().any(|line| line == "until the close: [1, 2, 3, 4, 5]"), "{lines:#?}");
        }
        let timeouts = ran.rests("after ");
        assert!(timeouts.len() == 2 && timeouts.iter().all(|line| units(line) >= 2.0), "{timeouts:?}");
    });
}
