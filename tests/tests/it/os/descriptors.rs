//! The numbers of descriptors that phalanx takes.

use phalanx::prelude::*;
use phalanx::{AnyRef, Blob};
use phalanx_clumsy as clumsy;
use phalanx_tests::alone;

fn close_standard() {
    for number in 0..=2 {
        // One that is closed already is as it must be.
        let _ = clumsy::close(number);
    }
}

/// What lies at 0, 1 and 2, but for the descriptor that reads the list.
fn standard() -> Vec<String> {
    let lies = |number: i32| std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
    (0..=2)
        .filter_map(lies)
        .map(|path| path.display().to_string())
        .filter(|path| !path.starts_with("/proc/"))
        .collect()
}

/// What it found, with the ref and the memory that came in its arguments open.
fn hold(_received: (AnyRef, Blob)) -> Vec<String> {
    close_standard();
    standard()
}

/// Mailboxes, status pages, a control channel, an epoll set and what comes with messages: code that prints would
/// write into it.
fn use_a_tree_without_standard_ones(received: (AnyRef, Blob)) -> Result<Vec<String>, String> {
    close_standard();
    let below = Process::spawn(hold, received).map_err(|error| error.to_string())?;
    let found = below.join().map_err(|reason| reason.to_string())?;
    Ok([found, standard()].concat())
}

#[test]
fn no_descriptor_of_a_tree_is_a_standard_one() {
    alone(|| {
        let own = phalanx::current().any().unwrap();
        let blob = Blob::build(100_000, |bytes| bytes.fill(7)).unwrap();
        let process = Process::spawn(use_a_tree_without_standard_ones, (own, blob)).unwrap();
        assert_eq!(process.join().unwrap(), Ok(Vec::new()));
    });
}
