//! Which member of a pool of actors gets a message.
//!
//! All that decides is read from the status pages of the members, which every holder has mapped: no process
//! is asked. A page that lies misleads the senders of this pool, and no other process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::actor::raw_ref::{Back, Unsent, Wait};
use crate::ipc::capacity;
use crate::ipc::envelope::Outgoing;
use crate::reactor::context;
use crate::reactor::endpoint::{Endpoint, Failure};
use crate::status::{Phase, State, StatusPage};
use crate::sys::{clock, process};

/// How long to sleep at first while all members are full; each sleep after that is twice as long, up to the
/// slice of `capacity`. A sleep watches one member, and another one may have room before it.
const FIRST_SLEEP: Duration = Duration::from_millis(1);
const LONGEST_SLEEP: Duration = Duration::from_millis(20);

/// For how long a full member has done nothing before it is woken, and how often one is woken at most.
const STUCK: Duration = Duration::from_millis(100);

/// Where a member is in its life, in the order in which messages prefer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Presence {
    /// It takes messages.
    Up,
    /// It has no process that takes messages, and gets one by itself.
    Coming,
    /// It was told to stop.
    Leaving,
    /// It has no process, and gets none unless it is asked for.
    Gone,
}

impl Presence {
    pub(crate) fn of(member: &Endpoint) -> Presence {
        let page = &member.status_page;
        match page.state() {
            State::Down | State::Dead => Presence::Gone,
            State::Starting | State::Ready if page.stop_requested().is_some() => Presence::Leaving,
            // It stops without having been told so: it is recycled, or a signal came from outside.
            State::Ready if page.phase() == Phase::Stopping => Presence::Coming,
            State::Ready => Presence::Up,
            State::New | State::Starting | State::Restarting => Presence::Coming,
        }
    }
}

/// What decides between two members; the lesser one gets the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Standing {
    is_full: bool,
    presence: Presence,
    load: u64,
}

/// How many messages a member has before it, the one that it works on included. One whose reply is on its way
/// is done: the caller may have it, and look for the next member, before the member is idle again.
fn load(page: &StatusPage) -> u64 {
    u64::from(depth(page)) + u64::from(page.phase() == Phase::Handling)
}

fn depth(page: &StatusPage) -> u32 {
    page.depth().load(Ordering::SeqCst)
}

/// A message on its way to one of the members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    /// Whether the sender waits for a reply.
    pub(super) ask: bool,
    /// Whether only a member that is up may get it.
    pub(super) only_if_up: bool,
    /// How it waits for room.
    pub(super) wait: Wait,
}

/// Members that could not take the message, by their ids.
#[derive(Default)]
struct Refused {
    full: Vec<u64>,
    gone: Vec<u64>,
    /// One of those that are gone is being restarted.
    comes_back: bool,
}

enum Choice<'a> {
    /// It has room.
    Member(&'a Arc<Endpoint>),
    /// This one is preferred, and as full as all others.
    Full(&'a Arc<Endpoint>),
    /// There is none for this message.
    None(Unsent),
}

/// The members of a pool, and the turn among equals.
pub(crate) struct Router {
    name: String,
    /// How deep a message may be, whichever member gets it.
    depth: u32,
    /// Never empty.
    members: Box<[Arc<Endpoint>]>,
    /// The place of the member that was chosen last.
    last: AtomicUsize,
    /// When a full member was last woken.
    woken: AtomicU64,
}

impl Router {
    /// `members` is not empty.
    pub(crate) fn new(name: &str, members: Vec<Arc<Endpoint>>) -> Router {
        // Not all holders begin with the same member.
        let last = process::random() as usize % members.len().max(1);
        let depths = members.iter().map(|member| member.card.depth);
        Router {
            name: name.to_owned(),
            depth: depths.min().unwrap_or_default(),
            members: members.into(),
            last: AtomicUsize::new(last),
            woken: AtomicU64::new(0),
        }
    }

    /// That of the pool.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// All that there can be, those that are down included.
    pub(crate) fn members(&self) -> &[Arc<Endpoint>] {
        &self.members
    }

    /// How deep a message may be, whichever member gets it.
    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    /// The member that would get a message sent now; one that is gone if all are.
    pub(crate) fn least_busy(&self) -> &Arc<Endpoint> {
        let delivery = Delivery { ask: false, only_if_up: false, wait: Wait::No };
        match self.choose(delivery, &Refused::default()) {
            Choice::Member(member) | Choice::Full(member) => member,
            Choice::None(_) => self.anyone(),
        }
    }

    /// One of the members, for what is alike in all of them.
    pub(super) fn anyone(&self) -> &Arc<Endpoint> {
        &self.members[0]
    }

    /// Has `send` send the message to the member that is to get it, and to another one if that cannot take
    /// it. While all are full, waits for room as the delivery says: one that is parked has a member then, and
    /// keeps it.
    ///
    /// # Errors
    /// Why it was not sent, and which member that is about.
    pub(super) fn send<T>(
        &self,
        delivery: Delivery,
        mut outgoing: Outgoing,
        mut send: impl FnMut(&Arc<Endpoint>, Outgoing, Wait) -> Result<T, Back>,
    ) -> Result<T, (&Arc<Endpoint>, Unsent)> {
        let mut refused = Refused::default();
        let mut sleep = FIRST_SLEEP;
        loop {
            let choice = self.choose(delivery, &refused);
            let (member, wait) = match (choice, delivery.wait) {
                (Choice::Member(member), _) => (member, Wait::No),
                (Choice::Full(member), Wait::Parked(_)) => (member, delivery.wait),
                (Choice::Full(member), Wait::Until(until)) if until > clock::now() => {
                    let seen = depth(&member.status_page);
                    let is_so = seen >= member.status_page.capacity();
                    if is_so || refused.full.contains(&member.card.id) {
                        let until = until.min(clock::after(sleep));
                        capacity::wait_for_change(&member.status_page, seen, until);
                        sleep = (2 * sleep).min(LONGEST_SLEEP);
                    }
                    refused = Refused::default();
                    continue;
                }
                (Choice::Full(member), _) => return Err((member, Unsent::Failure(Failure::Full))),
                (Choice::None(unsent), _) => return Err((self.anyone(), unsent)),
            };
            let (unsent, back) = match send(member, outgoing, wait) {
                Ok(sent) => return Ok(sent),
                Err(back) => back,
            };
            if wait != Wait::No && matches!(unsent, Unsent::Failure(Failure::Full)) {
                // No more can be parked in front of the least busy one.
                return Err((member, unsent));
            }
            outgoing = back;
            if let Err(unsent) = refused.note(member.card.id, unsent) {
                return Err((member, unsent));
            }
        }
    }

    /// The least busy member; of equals, the next one after that which was chosen last.
    fn choose(&self, delivery: Delivery, refused: &Refused) -> Choice<'_> {
        let (count, last) = (self.members.len(), self.last.load(Ordering::Relaxed));
        let mut best: Option<(Standing, usize)> = None;
        let (mut comes_back, mut is_own) = (refused.comes_back, false);
        for place in (1..=count).map(|step| last.wrapping_add(step) % count) {
            let member = &*self.members[place];
            let Some(standing) = self.standing(member, refused) else { continue };
            if delivery.only_if_up && member.status_page.state() != State::Ready {
                comes_back = true;
            } else if is_waiting_for_itself(member, delivery, standing) {
                is_own = true;
            } else if best.is_none_or(|(least, _)| standing < least) {
                best = Some((standing, place));
            }
        }
        let Some((standing, place)) = best else {
            return Choice::None(match (comes_back, is_own) {
                (true, _) => Unsent::Unavailable,
                (_, true) if delivery.ask || delivery.wait != Wait::No => Unsent::CallingSelf,
                (_, true) => Unsent::Failure(Failure::Full),
                _ => Unsent::Failure(Failure::Gone),
            });
        };
        self.last.store(place, Ordering::Relaxed);
        let member = &self.members[place];
        if standing.is_full { Choice::Full(member) } else { Choice::Member(member) }
    }

    /// `None`: it is gone.
    fn standing(&self, member: &Endpoint, refused: &Refused) -> Option<Standing> {
        let (page, presence) = (&member.status_page, Presence::of(member));
        if presence == Presence::Gone || refused.gone.contains(&member.card.id) {
            return None;
        }
        let is_full = depth(page) >= page.capacity();
        if is_full && presence == Presence::Up && page.phase() == Phase::Idle {
            self.wake(member);
        }
        let is_full = is_full || refused.full.contains(&member.card.id);
        Some(Standing { is_full, presence, load: load(page) })
    }

    /// Wakes a member that is full and does nothing: senders that were killed may have left its count too
    /// high, and it is passed over, so that no sender to it would wake it.
    fn wake(&self, member: &Endpoint) {
        let (now, woken) = (clock::now(), self.woken.load(Ordering::Relaxed));
        let before = now.saturating_sub(clock::nanos(STUCK));
        let is_stuck = member.status_page.since() <= before && woken <= before;
        if is_stuck && self.woken.compare_exchange(woken, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            member.wake_if_idle();
        }
    }
}

/// Whether this thread would wait for what only itself can do: reply to the call, or make room.
fn is_waiting_for_itself(member: &Endpoint, delivery: Delivery, standing: Standing) -> bool {
    let id = member.card.id;
    let waits_for_room = standing.is_full && !matches!(delivery.wait, Wait::Parked(_));
    if delivery.ask { context::is_handling(id) } else { waits_for_room && context::serves(id) }
}

impl Refused {
    /// Notes that a member did not take the message.
    ///
    /// # Errors
    /// If no other member should get it.
    fn note(&mut self, id: u64, unsent: Unsent) -> Result<(), Unsent> {
        match unsent {
            Unsent::Failure(Failure::Full) => self.full.push(id),
            Unsent::Failure(Failure::Gone | Failure::Died) => self.gone.push(id),
            Unsent::Unavailable => {
                self.gone.push(id);
                self.comes_back = true;
            }
            other => return Err(other),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use super::*;
    use crate::ipc::channel;
    use crate::ipc::envelope::Envelope;
    use crate::reactor::endpoint::Card;
    use crate::status::StopMode;
    use crate::sys::seqpacket;
    use crate::types::exit::StoppedBy;

    const NOW: Delivery = Delivery { ask: true, only_if_up: false, wait: Wait::No };

    /// So many members that are up and have room for two messages, and the receiving ends of their mailboxes.
    fn members(count: u64) -> (Router, Vec<OwnedFd>) {
        let (members, receivers) = (1..=count).map(member).unzip();
        (Router::new("members", members), receivers)
    }

    fn member(id: u64) -> (Arc<Endpoint>, OwnedFd) {
        let (sender, receiver) = channel::pair::<Envelope>().unwrap();
        let page = StatusPage::create(2, false).unwrap();
        page.settle(State::Ready);
        let card =
            Card { id, name: "member".into(), daemon: false, timeout: Duration::from_secs(1), depth: 128 };
        (Arc::new(Endpoint::new(card, sender, page)), receiver)
    }

    fn page(router: &Router, place: usize) -> &StatusPage {
        &router.members[place].status_page
    }

    fn chosen(router: &Router, delivery: Delivery) -> Option<u64> {
        match router.choose(delivery, &Refused::default()) {
            Choice::Member(member) => Some(member.card.id),
            Choice::Full(_) | Choice::None(_) => None,
        }
    }

    #[test]
    fn the_fewest_messages_decide_and_among_equals_the_turn() {
        let (router, _receivers) = members(3);
        let turns: Vec<_> = (0..6).map(|_| chosen(&router, NOW).unwrap()).collect();
        assert_eq!(turns[..3], turns[3..]);
        assert_eq!(turns[..3].iter().sum::<u64>(), 6);
        assert!(capacity::reserve(page(&router, 0)));
        page(&router, 1).begin(1, 1, 0, 0);
        assert_eq!([chosen(&router, NOW), chosen(&router, NOW)], [Some(3), Some(3)]);
        assert!(capacity::reserve(page(&router, 2)) && capacity::reserve(page(&router, 2)));
        let turns: Vec<_> = (0..4).map(|_| chosen(&router, NOW).unwrap()).collect();
        assert!(turns == [1, 2, 1, 2] || turns == [2, 1, 2, 1], "{turns:?}");
    }

    #[test]
    fn who_is_not_ready_gets_a_message_only_if_no_ready_one_has_room() {
        for away in [State::New, State::Starting, State::Restarting] {
            let (router, _receivers) = members(2);
            page(&router, 0).settle(away);
            assert!(capacity::reserve(page(&router, 1)));
            assert_eq!(chosen(&router, NOW), Some(2));
            assert!(capacity::reserve(page(&router, 1)));
            assert_eq!(chosen(&router, NOW), Some(1));
            assert_eq!(chosen(&router, Delivery { only_if_up: true, ..NOW }), None);
        }
        let (router, _receivers) = members(2);
        page(&router, 0).enter(Phase::Stopping);
        page(&router, 1).request_stop(0, StopMode::Stop, StoppedBy::Ref);
        assert_eq!([chosen(&router, NOW), chosen(&router, NOW)], [Some(1), Some(1)]);
        page(&router, 0).settle(State::Down);
        assert_eq!(chosen(&router, NOW), Some(2));
    }

    #[test]
    fn what_is_wrong_with_all_of_them_is_said() {
        let (router, _receivers) = members(2);
        let up = Delivery { only_if_up: true, ..NOW };
        page(&router, 0).settle(State::Dead);
        page(&router, 1).settle(State::Restarting);
        assert!(matches!(router.choose(up, &Refused::default()), Choice::None(Unsent::Unavailable)));
        page(&router, 1).settle(State::Down);
        for delivery in [up, NOW] {
            let choice = router.choose(delivery, &Refused::default());
            assert!(matches!(choice, Choice::None(Unsent::Failure(Failure::Gone))));
        }
        let gone = Refused { gone: vec![1], ..Refused::default() };
        page(&router, 0).settle(State::Ready);
        assert!(matches!(router.choose(NOW, &gone), Choice::None(Unsent::Failure(Failure::Gone))));
    }

    #[test]
    fn a_message_that_one_member_refuses_goes_to_the_next_one_as_a_whole() {
        let (router, _receivers) = members(3);
        let mut tried = Vec::new();
        let sent = router.send(NOW, Outgoing::text("payload"), |member, outgoing, _| {
            assert_eq!(&outgoing.bytes()[..], b"payload");
            tried.push(member.card.id);
            let failure = if tried.len() == 1 { Failure::Gone } else { Failure::Full };
            if tried.len() < 3 { Err((Unsent::Failure(failure), outgoing)) } else { Ok(member.card.id) }
        });
        assert_eq!(sent.ok(), Some(tried[2]));
        tried.sort_unstable();
        assert_eq!(tried, [1, 2, 3]);
        let full = |_: &Arc<Endpoint>, outgoing, _| Err::<(), _>((Unsent::Failure(Failure::Full), outgoing));
        let refused = router.send(NOW, Outgoing::text(""), full);
        assert!(matches!(refused, Err((_, Unsent::Failure(Failure::Full)))));
    }

    #[test]
    fn a_message_that_is_parked_gets_the_least_busy_of_the_full_members() {
        let (router, _receivers) = members(2);
        let park = Delivery { wait: Wait::Parked(u64::MAX), ..NOW };
        let send = |delivery| {
            let sent =
                router.send(delivery, Outgoing::text(""), |member, _, wait| Ok((member.card.id, wait)));
            sent.ok().unwrap()
        };
        for place in 0..2 {
            assert!(capacity::reserve(page(&router, place)));
        }
        assert_eq!(send(park).1, Wait::No);
        for place in 0..2 {
            assert!(capacity::reserve(page(&router, place)));
        }
        page(&router, 0).begin(1, 1, 0, 0);
        assert_eq!([send(park), send(park)], [(2, park.wait); 2]);
        // The others are full as well: a message that finds no place in front of it waits nowhere.
        let full = |_: &Arc<Endpoint>, outgoing, _| Err::<(), _>((Unsent::Failure(Failure::Full), outgoing));
        let refused = router.send(park, Outgoing::text(""), full);
        assert!(matches!(refused, Err((_, Unsent::Failure(Failure::Full)))));
    }

    #[test]
    fn a_member_that_sleeps_while_it_counts_as_full_is_woken_though_it_is_passed_over() {
        let (router, receivers) = members(2);
        assert!(capacity::reserve(page(&router, 0)) && capacity::reserve(page(&router, 0)));
        assert_eq!(chosen(&router, NOW), Some(2));
        let mut buffer = [0; 16];
        let woken = seqpacket::receive(receivers[0].as_fd(), &mut buffer, false).unwrap().unwrap();
        assert_eq!(&buffer[..woken.len], b"w");
        // Not by every message.
        assert_eq!(chosen(&router, NOW), Some(2));
        assert!(seqpacket::receive(receivers[0].as_fd(), &mut buffer, false).is_err());
    }
}
