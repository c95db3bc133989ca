//! What a process records of its own end: why the runtime ends it, its panic message, and that memory ran
//! out.

use std::sync::atomic::{
    AtomicU32,
    Ordering::{Relaxed, SeqCst},
};

use super::layout::{PLACE, WORDS};
use super::{StatusPage, cut, read_text, write_text};
use crate::sys::memfd::word_enum;

word_enum! {
    /// Why the runtime in an actor ended it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum ExitNotice {
        Stopped = 1,
        /// A task that returned.
        Returned = 2,
        /// A panic that unwound to the runtime.
        Panicked = 3,
        /// Its `init` returned an error.
        InitFailed = 4,
        /// Its init arguments could not be decoded.
        Undecodable = 5,
        /// To be replaced by a fresh process.
        Recycled = 6,
        /// Ended by its own code, in order.
        Itself = 7,
        /// Ended by its own code, without a restart.
        ForGood = 8,
        /// Its `init` declined to start.
        Ignored = 9,
        /// A supervisor that exceeded its restart intensity.
        Intensity = 10,
        /// A linked actor crashed.
        Linked = 11,
        /// An option could not be applied: an environment, a limit.
        NoOption = 12,
        /// Its mailbox, or another descriptor that it cannot do without, was closed or shut down.
        Broken = 13,
    }
}

impl StatusPage {
    pub(crate) fn note_exit(&self, exit_notice: ExitNotice) {
        self.0.exit_notice.store(exit_notice.to_word(), SeqCst);
    }

    /// The word in which a failed allocation is noted. It lies in the page, so the page must never be
    /// unmapped.
    pub(crate) fn out_of_memory_word(&'static self) -> &'static AtomicU32 {
        &self.0.out_of_memory
    }

    /// Stores the message of a panic (or the error of an `init`), cut to fit.
    pub(crate) fn last_words(&self, message: &str, place: &str, method: Option<u32>) {
        self.0.words_method.store(method.map_or(0, |index| index.saturating_add(1)), Relaxed);
        write_text(&self.0.place, &self.0.place_len, cut(place, PLACE).as_bytes());
        write_text(&self.0.words, &self.0.words_len, cut(message, WORDS).as_bytes());
    }

    pub(crate) fn exit_notice(&self) -> Option<ExitNotice> {
        ExitNotice::from_word(self.0.exit_notice.load(SeqCst))
    }

    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.0.out_of_memory.load(SeqCst) != 0
    }

    /// Message, place and method index of the panic, if one was stored.
    pub(crate) fn words(&self) -> Option<(String, String, Option<u32>)> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let message = read_text(&self.0.words, &self.0.words_len);
        let place = read_text(&self.0.place, &self.0.place_len);
        let said = self.0.words_len.load(Relaxed) != 0 || !place.is_empty();
        said.then(|| (text(message), text(place), self.0.words_method.load(Relaxed).checked_sub(1)))
    }
}
