//! Requests without a reply yet: where the reply goes, and which child the request is about.
//!
//! Each has a ticket, by which the policy replies to it. A request is removed before its only reply is sent.
//! A ticket that is not here belongs to a request of the supervisor's own, and gets no reply.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use crate::policy::{Key, Ticket};

#[derive(Debug, Default)]
pub(super) struct PendingRequests {
    by_ticket: BTreeMap<Ticket, Pending>,
}

/// A request that waits for its reply.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) reply_to: OwnedFd,
    /// The child that it is about.
    pub(super) subject: Key,
}

impl PendingRequests {
    pub(super) fn add(&mut self, ticket: Ticket, reply_to: OwnedFd, subject: Key) {
        self.by_ticket.insert(ticket, Pending { reply_to, subject });
    }

    /// Whether a caller waits for the reply to this ticket.
    pub(super) fn is_waited_for(&self, ticket: Ticket) -> bool {
        self.by_ticket.contains_key(&ticket)
    }

    /// The request that a reply is for; `None` if no caller waits for one.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Pending> {
        self.by_ticket.remove(&ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd;

    #[test]
    fn a_request_has_one_reply() {
        let (end, _other) = fd::seqpacket_pair().unwrap();
        let mut requests = PendingRequests::default();
        assert!(!requests.is_waited_for(3));
        requests.add(3, end, 8);
        assert!(requests.is_waited_for(3));
        assert!(requests.take(4).is_none());
        assert_eq!(requests.take(3).map(|pending| pending.subject), Some(8));
        assert!(requests.take(3).is_none() && !requests.is_waited_for(3));
    }
}
