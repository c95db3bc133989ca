//! A call of the decoders, and what can become of it.

use std::fmt;
use std::time::Duration;

use phalanx::ActorPool;
use phalanx::prelude::*;

use crate::decoder::{Decoder, Summary};
use crate::metrics::Counts;

/// The decoders, and what calls of them have cost.
pub(crate) struct Decoders {
    pool: ActorPool<Decoder>,
    deadline: Duration,
    /// Calls that ended with a crash of their decoder, by a word for its reason.
    crashes: Counts,
}

/// Why a file has no summary.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The library refuses the file.
    Refused(String),
    /// The file has killed its decoder.
    Killed(ExitReason),
    /// There was no summary by the deadline. A decoder that was at it has been killed.
    Late,
    /// No decoder is up that has room.
    Busy,
    /// The decoder ended for another reason than the file, which is as good as before.
    Lost(String),
}

impl Decoders {
    pub(crate) fn new(pool: ActorPool<Decoder>, deadline: Duration) -> Decoders {
        Decoders { pool, deadline, crashes: Counts::default() }
    }

    pub(crate) fn pool(&self) -> &ActorPool<Decoder> {
        &self.pool
    }

    pub(crate) fn crashes(&self) -> &Counts {
        &self.crashes
    }

    /// How many have a process at the moment.
    pub(crate) fn up(&self) -> usize {
        self.pool.members().iter().filter(|decoder| decoder.is_alive()).count()
    }

    /// Has the least busy decoder decode the file. No thread waits: a file is sent to a decoder that is up and
    /// has room, or to none, and the reply is awaited. If the future is dropped, a call that no decoder has
    /// begun is taken back.
    pub(crate) async fn decode(&self, file: Vec<u8>) -> Result<Summary, Failure> {
        let decoders = self.pool.if_up().within_or_kill(self.deadline);
        let Ok(reply) = decoders.try_decode(file) else { return Err(Failure::Busy) };
        reply.cancel_on_drop().await.map_err(|error| {
            if let CallError::Died(reason, _) = &error {
                self.crashes.count(word(reason));
            }
            Failure::of(error)
        })
    }
}

impl Failure {
    fn of(error: CallError<String>) -> Failure {
        match error {
            CallError::App(refused) => Failure::Refused(refused),
            // The caller's clock, or that of the decoder's supervisor: whichever was first.
            CallError::Timeout(_) => Failure::Late,
            CallError::Died(ExitReason::DeadlineExceeded { .. }, _) => Failure::Late,
            CallError::Died(reason, _) if is_of_the_file(&reason) => Failure::Killed(reason),
            other => Failure::Lost(other.to_string()),
        }
    }
}

/// Whether a decoder may have ended like this because of what it read. A SIGKILL comes from a person, or from
/// a kernel without memory.
fn is_of_the_file(reason: &ExitReason) -> bool {
    match reason {
        ExitReason::Signaled { signal, .. } => *signal != 9,
        ExitReason::Exited(_) | ExitReason::Panicked { .. } => true,
        ExitReason::OutOfMemory | ExitReason::Broken(_) => true,
        _ => false,
    }
}

/// One word, of a small number of words: labels of metrics must not be as many as there are strangers' files.
fn word(reason: &ExitReason) -> String {
    match reason {
        ExitReason::Signaled { signal, .. } => {
            let signal = ExitReason::Signaled { signal: *signal, core_dumped: false }.to_string();
            signal.trim_start_matches("killed by ").to_owned()
        }
        ExitReason::Panicked { .. } => "panic".to_owned(),
        ExitReason::Exited(_) => "exit".to_owned(),
        ExitReason::DeadlineExceeded { .. } => "deadline".to_owned(),
        ExitReason::OutOfMemory => "memory".to_owned(),
        ExitReason::Stopped(_) | ExitReason::Killed { .. } => "stopped".to_owned(),
        _ => "other".to_owned(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(refused) => f.write_str(refused),
            Failure::Killed(reason) => write!(f, "the file has cost its decoder: {reason}"),
            Failure::Late => f.write_str("the deadline has passed"),
            Failure::Busy => f.write_str("all decoders are busy or down"),
            Failure::Lost(why) => f.write_str(why),
        }
    }
}
