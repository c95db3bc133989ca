//! Waiting for hang-ups.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::sys::poll::{self, Epoll};

/// Descriptors whose hang-up is waited for; costs nothing while there are none.
#[derive(Default)]
pub(super) struct Watch {
    epoll: Option<Epoll>,
    members: usize,
}

impl Watch {
    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.epoll.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn add(&mut self, fd: BorrowedFd<'_>, number: u64) -> io::Result<()> {
        let epoll = match &mut self.epoll {
            Some(epoll) => epoll,
            none => none.insert(Epoll::new()?),
        };
        epoll.add_hang_up(fd, number)?;
        self.members += 1;
        Ok(())
    }

    /// Call this before the descriptor is closed: a membership ends only with the last descriptor of the
    /// socket, in whichever process that is.
    pub(super) fn remove(&mut self, fd: BorrowedFd<'_>) {
        if let Some(epoll) = &self.epoll {
            epoll.remove(fd);
        }
        self.members = self.members.saturating_sub(1);
        if self.members == 0 {
            self.epoll = None;
        }
    }

    /// The numbers of some that have hung up; never blocks.
    pub(super) fn reported(&self) -> Vec<u64> {
        let mut events = poll::no_events();
        self.epoll
            .iter()
            // A broken set reports nothing: its members are found dead when they are asked for.
            .filter_map(|epoll| epoll.wait(&mut events, Some(Duration::ZERO)).map(Vec::from_iter).ok())
            .flatten()
            .collect()
    }
}
