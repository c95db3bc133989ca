//! Files that kill their parser, for `--demo-poison`.
//! They exist by name only: the parser process generates the content, so nothing has to be written to a disk,
//! and nothing can be left on one.

use std::process;

use serde::{Deserialize, Serialize};

use crate::count::{self, Counts};

/// One way in which a file can end the process that surveys it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Poison {
    /// Real input for the real parser: nested until the stack overflows.
    DeepNesting,
    /// A handler that never returns.
    Spin,
    /// Aborts, like a failed assertion in a C library.
    Abort,
    /// Exits, like a library that takes the program for its own.
    Exit,
    /// A leak, quick enough to watch.
    Allocate,
}

/// How deep the nesting goes: the smallest stack frame times this is far beyond the usual 8 MiB of stack.
const DEPTH: usize = 500_000;

/// One step of the leak, in bytes.
const LEAK: usize = 16 << 20;

impl Poison {
    /// Every kind there is.
    pub(crate) const ALL: [Poison; 5] =
        [Poison::DeepNesting, Poison::Spin, Poison::Abort, Poison::Exit, Poison::Allocate];

    /// The name under which it appears among the files.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Poison::DeepNesting => "poison://deep-nesting.rs",
            Poison::Spin => "poison://spin.rs",
            Poison::Abort => "poison://abort.rs",
            Poison::Exit => "poison://exit.rs",
            Poison::Allocate => "poison://allocate.rs",
        }
    }

    /// Surveys the poison file. This ends the calling process, in the way that the name says.
    pub(crate) fn take(self) -> Result<Counts, String> {
        match self {
            Poison::DeepNesting => count::count(&nested(DEPTH)),
            Poison::Spin => loop {
                std::hint::spin_loop();
            },
            Poison::Abort => process::abort(),
            Poison::Exit => process::exit(0),
            Poison::Allocate => {
                let mut leak = Vec::new();
                loop {
                    leak.push(vec![0u8; LEAK]);
                    std::hint::black_box(&leak);
                }
            }
        }
    }
}

/// A function whose body is a number in `depth` pairs of parentheses: correct Rust.
fn nested(depth: usize) -> String {
    format!("fn nested() -> u8 {{ {}1{} }}\n", "(".repeat(depth), ")".repeat(depth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_correct_rust_when_shallow() {
        assert_eq!(count::count(&nested(3)).unwrap().functions, 1);
    }

    #[test]
    fn no_two_kinds_share_a_name() {
        for (index, one) in Poison::ALL.iter().enumerate() {
            assert!(Poison::ALL[index + 1..].iter().all(|other| other.file_name() != one.file_name()));
        }
    }
}
