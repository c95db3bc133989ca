//! The actors that are killed.

use std::collections::HashMap;

use phalanx::prelude::*;

/// Every so many messages of a client, one takes a while.
const SLOW: u64 = 16;

/// Handles numbered work, and notices what comes out of turn.
#[actor]
#[derive(Default)]
pub(crate) struct Worker {
    last: HashMap<u32, u64>,
}

/// How an actor dies by its own hand.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Death {
    Abort,
    Panic,
    Exit,
    Segfault,
    Kill,
}

impl Death {
    pub(crate) const ALL: [Death; 5] =
        [Death::Abort, Death::Panic, Death::Exit, Death::Segfault, Death::Kill];
}

#[actor]
impl Worker {
    /// Answers whether `number` is later than all that came from this client before.
    pub(crate) fn work(&mut self, client: u32, number: u64, payload: String) -> bool {
        std::hint::black_box(payload.len());
        if number.is_multiple_of(SLOW) {
            // So that blows hit messages in progress, too.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let last = self.last.insert(client, number);
        last.is_none_or(|last| last < number)
    }

    /// Dies.
    pub(crate) fn die(&self, how: Death) {
        // No core files, and no pages of panic on the terminal: they are ordered here by the thousand.
        std::panic::set_hook(Box::new(|_| ()));
        match how {
            Death::Abort => std::process::abort(),
            Death::Panic => panic!("chaos"),
            Death::Exit => std::process::exit(3),
            Death::Segfault => signal_self("SEGV"),
            Death::Kill => signal_self("KILL"),
        }
    }
}

/// As the kernel or an operator would send it; examples hold no unsafe code.
fn signal_self(name: &str) -> ! {
    let pid = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-s", name, &pid]).status();
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}
