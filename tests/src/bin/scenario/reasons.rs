//! How actors end, each in its own way: what a build that is optimised, or cannot unwind, must report as
//! every other one does.

use phalanx::ExitReason;
use phalanx::prelude::*;

#[actor]
struct Mortal {
    hoard: Vec<u8>,
}

#[actor]
impl Mortal {
    /// Takes so many bytes, in a way that the optimiser must keep.
    fn take(&mut self, bytes: usize) -> u8 {
        self.hoard = vec![1_u8; bytes];
        self.hoard.iter().fold(0, |sum, byte| sum ^ byte)
    }

    /// Asks first, and is refused.
    fn try_to_take(&mut self, bytes: usize) -> bool {
        self.hoard.try_reserve_exact(bytes).is_ok()
    }

    fn abort(&self) {
        std::process::abort();
    }

    fn exit(&self, code: i32) {
        std::process::exit(code);
    }

    fn fail(&self, text: String) {
        panic!("{text}");
    }

    fn overflow_the_stack(&self, depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 512]);
        if room[0] == u64::MAX { 0 } else { self.overflow_the_stack(depth + 1) + room[7] }
    }
}

type Deed = fn(&ActorRef<Mortal>) -> Option<ExitReason>;

const DEEDS: [(&str, Deed); 6] = [
    ("allocates", |actor| reason(actor.take(1 << 30).wait())),
    ("is refused, and aborts", |actor| {
        let _ = actor.try_to_take(1 << 30).wait();
        reason(actor.abort().wait())
    }),
    ("aborts", |actor| reason(actor.abort().wait())),
    ("exits", |actor| reason(actor.exit(7).wait())),
    ("panics", |actor| reason(actor.fail("on purpose".to_owned()).wait())),
    ("overflows its stack", |actor| reason(actor.overflow_the_stack(0).wait())),
];

/// Prints the reason for each, under a limit on memory.
#[phalanx::main]
pub(crate) fn all() -> phalanx::Result<()> {
    for (name, deed) in DEEDS {
        let actor = Mortal { hoard: Vec::new() }.builder().memory(256 << 20).spawn()?;
        let reason = deed(&actor).map_or("none".to_owned(), |reason| reason.to_string());
        println!("{name}: {reason}");
    }
    Ok(())
}

fn reason<T>(result: Result<T, CallError>) -> Option<ExitReason> {
    result.err().and_then(|error| error.exit_reason().cloned())
}
