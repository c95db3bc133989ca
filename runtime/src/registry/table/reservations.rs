//! Names for actors that are about to be started.
//!
//! A reservation is held by keeping a socket open. It ends with the process that has made it, at the latest,
//! and before any other process can hear of that. Others that want the name are given the registry's end of
//! that socket to wait at.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Answer, ENTRIES, Entry, Found, Limit, Refusal, Registry, Served};
use crate::sys::{fd, process};

pub(super) struct Reservation {
    pub(super) ticket: u64,
    /// Hangs up when the process that starts the actor has done so, has given up or has died.
    holder: OwnedFd,
}

impl Reservation {
    pub(super) fn is_held(&self) -> bool {
        !fd::hung_up(self.holder.as_fd())
    }
}

impl Registry {
    pub(super) fn reserve(&mut self, name: String, reply: BorrowedFd<'_>) -> Served<'_> {
        match self.find(&name) {
            Found::Actor(id) => return Err(Refusal::Taken { pid: self.pid(id) }),
            Found::Reserved(_) => return self.wait_for(&name),
            Found::Nobody if self.names.len() >= ENTRIES => return Err(Refusal::Full(Limit::Names)),
            Found::Nobody => {}
        }
        // 0 means none.
        let ticket = process::random() | 1;
        let holder = reply.try_clone_to_owned().map_err(|_| Refusal::Full(Limit::Descriptors))?;
        self.watch.add(holder.as_fd(), ticket).map_err(|_| Refusal::Full(Limit::Descriptors))?;
        self.tickets.insert(ticket, name.clone());
        self.names.insert(name, Entry::Reserved(Reservation { ticket, holder }));
        Ok((Answer::Reserved(ticket), Vec::new()))
    }

    pub(super) fn wait_for(&self, name: &str) -> Served<'_> {
        match self.names.get(name) {
            Some(Entry::Reserved(reservation)) => Ok((Answer::Wait, vec![reservation.holder.as_fd()])),
            _ => Err(Refusal::NotFound),
        }
    }

    /// Frees a name that is only reserved.
    pub(super) fn cancel(&mut self, name: &str) {
        if let Some(Entry::Reserved(reservation)) = self.names.get(name) {
            self.watch.remove(reservation.holder.as_fd());
            self.tickets.remove(&reservation.ticket);
            self.names.remove(name);
        }
    }
}
