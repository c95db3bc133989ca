//! The status page: one shared page per actor, with the facts that other processes read without asking it.
//! Nothing in this folder imports `ipc` or a layer above it, and nothing in it handles a socket.
//!
//! The actor, its supervisor and every holder of a ref map the page. Each field has one writer, named in its
//! comment in [`layout`]; only the depth is counted by senders and actor together. Every holder of a ref can
//! write nonsense here, and nonsense must stay harmless: readers bound what they read, and arithmetic wraps
//! or saturates. A supervisor acts on what it knows and on wait statuses, and publishes that here.
//! `supervisor/knowledge.rs` lists the little that it reads from here.

pub(crate) mod exit_notice;
pub(crate) mod exit_record;
pub(crate) mod identity;
pub(crate) mod layout;
mod progress;
pub(crate) mod register;
pub(crate) mod root_supervisor;
mod stop;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU8, AtomicU32};

use layout::Facts;

use crate::sys::memfd::Page;

pub(crate) use exit_notice::ExitNotice;
pub(crate) use exit_record::{End, ExitRecord, InProgressRecord, Process};
pub(crate) use identity::State;
pub(crate) use layout::{HISTORY, WORDS};
pub(crate) use progress::{Phase, Progress};
pub(crate) use stop::StopMode;

/// One actor's status page, mapped.
#[derive(Debug)]
pub(crate) struct StatusPage(Page<Facts>);

impl StatusPage {
    pub(crate) fn create(capacity: u32, growable: bool) -> io::Result<StatusPage> {
        let page = Page::<Facts>::create(growable)?;
        page.capacity.store(capacity, Relaxed);
        Ok(StatusPage(page))
    }

    pub(crate) fn open(file: OwnedFd) -> io::Result<StatusPage> {
        Page::open(file).map(StatusPage)
    }

    /// Opens a page for a supervisor: it is mapped when it is looked at.
    pub(crate) fn accept(file: OwnedFd) -> io::Result<StatusPage> {
        Page::accept(file).map(StatusPage)
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.0.file()
    }

    /// Maps the page ahead of its use, in a supervisor that will read it without delay.
    pub(crate) fn prefault(&self) {
        self.0.prefault();
    }

    /// Unmaps the page, in a supervisor that does not read it for some time.
    pub(crate) fn unmap(&mut self) {
        self.0.unmap();
    }

    /// Forgets the mapping, in a child: it did not inherit what its supervisor had mapped.
    pub(crate) fn reset_after_fork(&mut self) {
        self.0.reset_after_fork();
    }

    /// The file, to be moved to another number.
    pub(crate) fn file_mut(&mut self) -> &mut OwnedFd {
        self.0.file_mut()
    }

    /// Readies the page for the next process: clears what the last one wrote about itself.
    pub(crate) fn renew(&self) {
        let page = &self.0;
        for word in [&page.exit_notice, &page.out_of_memory] {
            word.store(0, SeqCst);
        }
        for word in [&page.words_len, &page.place_len, &page.words_method, &page.wants_supervisor] {
            word.store(0, SeqCst);
        }
        page.unanswered_len.store(0, SeqCst);
        page.phase.store(Phase::Idle.to_word(), SeqCst);
        // A process that was killed while it wrote left an odd number.
        let odd = |count: u64| (!count.is_multiple_of(2)).then(|| count.wrapping_add(1));
        let _ = page.progress.fetch_update(SeqCst, SeqCst, odd);
    }
}

fn write_text<const N: usize>(room: &[AtomicU8; N], len: &AtomicU32, bytes: &[u8]) {
    for (slot, byte) in room.iter().zip(bytes) {
        slot.store(*byte, Relaxed);
    }
    len.store(bytes.len().min(N) as u32, SeqCst);
}

fn read_text<const N: usize>(room: &[AtomicU8; N], len: &AtomicU32) -> Vec<u8> {
    let len = (len.load(SeqCst) as usize).min(N);
    room[..len].iter().map(|byte| byte.load(Relaxed)).collect()
}

/// The longest prefix of `text` that fits into `room` bytes.
pub(crate) fn cut(text: &str, room: usize) -> &str {
    &text[..text.floor_char_boundary(room)]
}
