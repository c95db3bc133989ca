//! The actors that are killed.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_clumsy::{self as clumsy, forks, pages};

/// One of this many messages of a client takes a while.
const SLOW: u64 = 16;

/// How long a full table of descriptors stays full. A time, and no number of messages: with a full table an actor
/// cannot receive the new reply channel of a caller, and so may get no message at all.
const FULL_FOR: Duration = Duration::from_millis(200);

/// How long a process lives on with a wiped page.
const DAZED: Duration = Duration::from_millis(100);

/// Handles numbered work, and notices messages out of turn.
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

/// An actor's mistake, like one of a careless C library. The actor goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Blunder {
    /// Closes one of its descriptors.
    CloseOne,
    CloseAll,
    /// Comes back from the handler in two processes.
    Fork,
    /// Takes all free descriptors, for a while.
    Fill,
    /// Shuts one of its sockets down: its mailbox, or one shared with a caller.
    ShutDown,
    /// Overwrites the page that it shares with its supervisor and its callers; dies of it a little later.
    Wipe(u8),
}

impl Blunder {
    /// Blunders that cost no more than the process, and so the message in progress.
    pub(crate) const LIGHT: [Blunder; 3] = [Blunder::CloseOne, Blunder::CloseAll, Blunder::Fork];

    /// Blunders that callers notice: a socket stays shut down, and a wiped page cannot tell which messages
    /// are lost.
    pub(crate) const HEAVY: [Blunder; 7] = [
        Blunder::CloseOne,
        Blunder::CloseAll,
        Blunder::Fork,
        Blunder::Fill,
        Blunder::ShutDown,
        Blunder::Wipe(0),
        Blunder::Wipe(0xff),
    ];
}

#[actor]
impl Worker {
    /// Returns whether `number` is later than all earlier ones of this client.
    pub(crate) fn work(&mut self, client: u32, number: u64, payload: String) -> bool {
        std::hint::black_box(payload.len());
        if number.is_multiple_of(SLOW) {
            // So that blows hit messages in progress, too.
            thread::sleep(Duration::from_millis(2));
        }
        let last = self.last.insert(client, number);
        last.is_none_or(|last| last < number)
    }

    /// Blunders; `pick` chooses among its descriptors.
    pub(crate) fn blunder(&mut self, what: Blunder, pick: usize) -> bool {
        let own = clumsy::descriptors();
        // A descriptor that it cannot close or shut down does no harm.
        match what {
            Blunder::CloseOne => {
                // There may be no descriptor left to list them with.
                if let Some(&(number, _)) = own.get(pick % own.len().max(1)) {
                    let _ = clumsy::close(number);
                }
            }
            Blunder::CloseAll => own.iter().for_each(|&(number, _)| {
                let _ = clumsy::close(number);
            }),
            Blunder::Fork => {
                let _ = forks::twice();
            }
            Blunder::Fill => {
                let hoard = clumsy::fill();
                thread::spawn(move || {
                    thread::sleep(FULL_FOR);
                    drop(hoard);
                });
            }
            Blunder::ShutDown => {
                let sockets: Vec<i32> = own
                    .iter()
                    .filter(|(_, what)| what.starts_with("socket:"))
                    .map(|&(number, _)| number)
                    .collect();
                if let Some(&number) = sockets.get(pick % sockets.len().max(1)) {
                    let _ = clumsy::shut_down(number);
                }
            }
            Blunder::Wipe(byte) => {
                pages::overwrite(std::process::id(), &[byte], pages::PAGE);
                thread::spawn(|| {
                    thread::sleep(DAZED);
                    std::process::abort();
                });
            }
        }
        true
    }

    /// Dies.
    pub(crate) fn die(&self, how: Death) {
        // No core files, and no pages of panic on the terminal: thousands of crashes are ordered here.
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
        thread::sleep(Duration::from_secs(1));
    }
}
