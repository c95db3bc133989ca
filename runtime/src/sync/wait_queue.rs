//! A fair FIFO queue for a number of permits. Pure data: it neither blocks nor sends.

use std::collections::{HashMap, VecDeque};

use super::clients::Ticket;

/// `A` is how a caller that waits gets its reply.
#[derive(Debug)]
pub(super) struct WaitQueue<A> {
    total: u32,
    free: u32,
    held: HashMap<Ticket, Held>,
    /// Strictly in order: a request for many permits is not overtaken by one for few.
    queue: VecDeque<Waiting<A>>,
    /// Callers that wait until something has changed.
    parked: Vec<Waiting<A>>,
}

#[derive(Debug)]
pub(super) struct Waiting<A> {
    pub(super) ticket: Ticket,
    pub(super) permits: u32,
    pub(super) answer: A,
}

/// What a ticket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) permits: u32,
    /// The holder has confirmed that it received them.
    pub(super) confirmed: bool,
}

impl<A> WaitQueue<A> {
    pub(super) fn new(total: u32) -> WaitQueue<A> {
        WaitQueue { total, free: total, held: HashMap::new(), queue: VecDeque::new(), parked: Vec::new() }
    }

    pub(super) fn total(&self) -> u32 {
        self.total
    }

    pub(super) fn free(&self) -> u32 {
        self.free
    }

    pub(super) fn holds(&self, ticket: Ticket) -> bool {
        self.held.contains_key(&ticket)
    }

    /// Whether so many permits would be granted at once.
    pub(super) fn is_open_for(&self, permits: u32) -> bool {
        self.queue.is_empty() && permits <= self.free
    }

    pub(super) fn queue(&mut self, waiting: Waiting<A>) {
        self.queue.push_back(waiting);
    }

    pub(super) fn park(&mut self, waiting: Waiting<A>) {
        self.parked.push(waiting);
    }

    /// Moves the parked callers to the end of the queue.
    pub(super) fn wake(&mut self) {
        self.queue.extend(self.parked.drain(..));
    }

    /// Grants the head of the queue its permits, if enough are free.
    pub(super) fn admit(&mut self) -> Option<Waiting<A>> {
        if self.queue.front()?.permits > self.free {
            return None;
        }
        let waiting = self.queue.pop_front()?;
        self.free -= waiting.permits;
        self.held.insert(waiting.ticket, Held { permits: waiting.permits, confirmed: false });
        Some(waiting)
    }

    /// Returns whether the ticket was granted and not confirmed before.
    pub(super) fn confirm(&mut self, ticket: Ticket) -> bool {
        self.held.get_mut(&ticket).is_some_and(|held| !std::mem::replace(&mut held.confirmed, true))
    }

    /// Ends a ticket, wherever it is. Returns what it held.
    pub(super) fn give(&mut self, ticket: Ticket) -> Option<Held> {
        let held = self.held.remove(&ticket);
        match held {
            Some(held) => self.free += held.permits,
            None => {
                self.queue.retain(|waiting| waiting.ticket != ticket);
                self.parked.retain(|waiting| waiting.ticket != ticket);
            }
        }
        held
    }

    /// Ends all tickets for which `is_over` is true. Returns what they held.
    pub(super) fn give_all(&mut self, is_over: impl Fn(Ticket) -> bool) -> Vec<Held> {
        self.queue.retain(|waiting| !is_over(waiting.ticket));
        self.parked.retain(|waiting| !is_over(waiting.ticket));
        let held: Vec<Held> =
            self.held.extract_if(|ticket, _| is_over(*ticket)).map(|(_, held)| held).collect();
        self.free += held.iter().map(|held| held.permits).sum::<u32>();
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(number: u64) -> Ticket {
        Ticket::for_tests(number)
    }

    fn wait_queue(total: u32, wanted: &[u32]) -> WaitQueue<()> {
        let mut wait_queue = WaitQueue::new(total);
        for (number, &permits) in wanted.iter().enumerate() {
            wait_queue.queue(Waiting { ticket: ticket(number as u64), permits, answer: () });
        }
        wait_queue
    }

    fn admitted(wait_queue: &mut WaitQueue<()>) -> Vec<Ticket> {
        std::iter::from_fn(|| wait_queue.admit().map(|waiting| waiting.ticket)).collect()
    }

    #[test]
    fn nobody_overtakes() {
        let mut wait_queue = wait_queue(3, &[1, 3, 1]);
        assert_eq!(admitted(&mut wait_queue), [ticket(0)]);
        assert!(!wait_queue.is_open_for(1));
        wait_queue.give(ticket(0));
        assert_eq!(admitted(&mut wait_queue), [ticket(1)]);
        wait_queue.give(ticket(1));
        assert_eq!(admitted(&mut wait_queue), [ticket(2)]);
        assert_eq!(wait_queue.free(), 2);
    }

    #[test]
    fn a_ticket_that_is_given_back_while_it_waits_never_holds_anything() {
        let mut wait_queue = wait_queue(1, &[1, 1, 1]);
        assert_eq!(admitted(&mut wait_queue), [ticket(0)]);
        assert_eq!(wait_queue.give(ticket(1)), None);
        wait_queue.give(ticket(0));
        assert_eq!(admitted(&mut wait_queue), [ticket(2)]);
        assert_eq!(wait_queue.give(ticket(1)), None);
        assert_eq!(
            (wait_queue.free(), wait_queue.give(ticket(2)).is_some(), wait_queue.free()),
            (0, true, 1)
        );
    }

    #[test]
    fn the_parked_wait_for_a_change_and_then_for_their_turn() {
        let mut wait_queue = wait_queue(1, &[1, 1]);
        assert_eq!(admitted(&mut wait_queue), [ticket(0)]);
        wait_queue.give(ticket(0));
        wait_queue.park(Waiting { ticket: ticket(0), permits: 1, answer: () });
        assert_eq!(admitted(&mut wait_queue), [ticket(1)]);
        wait_queue.wake();
        assert_eq!(admitted(&mut wait_queue), []);
        wait_queue.give(ticket(1));
        assert_eq!(admitted(&mut wait_queue), [ticket(0)]);
    }

    #[test]
    fn everything_of_the_dead_is_given_back_and_nothing_else() {
        let mut wait_queue = wait_queue(5, &[1, 2, 2, 4]);
        assert_eq!(admitted(&mut wait_queue).len(), 3);
        assert!(wait_queue.confirm(ticket(1)));
        assert!(!wait_queue.confirm(ticket(1)));
        let held = wait_queue.give_all(|other| other == ticket(1) || other == ticket(3));
        assert_eq!(held, [Held { permits: 2, confirmed: true }]);
        assert_eq!((wait_queue.free(), admitted(&mut wait_queue)), (2, vec![]));
        assert!(wait_queue.is_open_for(2));
    }
}
