//! The table of names and groups: which actor has which name, and which actors are in which group.
//!
//! An entry is an actor's mailbox and status page: enough to hand out refs, and to see whether it is dead.
//! That is checked whenever an entry is read, and supervisors record a death before they report it; so a
//! caller that has heard of a death finds the name free. An entry that is never read goes when its mailbox
//! hangs up.

pub(crate) mod reservations;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::vec::IntoIter;

use super::protocol::{self, Answer, ENTRIES, Limit, Listing, REFS, Refusal, Request, Wanted};
use crate::reactor::endpoint::Card;
use crate::registry::hangups::Watch;
use crate::registry::table::reservations::Reservation;
use crate::status::{State, StatusPage};
use crate::sys::{fd, process};

#[derive(Default)]
pub(super) struct Registry {
    /// By id: one for each actor, however many names it has.
    actors: HashMap<u64, Listed>,
    names: BTreeMap<String, Entry>,
    groups: BTreeMap<String, Members>,
    /// Names that are reserved, by the number of the reservation.
    tickets: HashMap<u64, String>,
    /// In all groups together.
    memberships: usize,
    /// The place of the last actor that joined any group.
    last_place: u64,
    watch: Watch,
}

/// An actor that has a name or is in a group.
struct Listed {
    card: Card,
    type_name: String,
    mailbox: OwnedFd,
    status_page: StatusPage,
    names: BTreeSet<String>,
    /// With its place in each.
    groups: BTreeMap<String, u64>,
}

enum Entry {
    Actor(u64),
    Reserved(Reservation),
}

/// A group. It exists only while it has members.
struct Members {
    type_name: String,
    /// In the order of joining.
    by_place: BTreeMap<u64, u64>,
    /// The place of the member that was picked last.
    picked: u64,
}

/// What a name stands for at this moment.
enum Found {
    Nobody,
    Actor(u64),
    /// By this reservation.
    Reserved(u64),
}

/// A reply with its descriptors, or why not.
pub(super) type Served<'a> = Result<(Answer, Vec<BorrowedFd<'a>>), Refusal>;

impl Listed {
    fn is_dead(&self) -> bool {
        self.status_page.state() == State::Dead || fd::hung_up(self.mailbox.as_fd())
    }
}

impl Registry {
    /// Serves a request; `reply` is the asker's socket, `fds` came with the request.
    pub(super) fn serve(
        &mut self,
        request: Request,
        reply: BorrowedFd<'_>,
        mut fds: IntoIter<OwnedFd>,
    ) -> Served<'_> {
        let Request { name, wanted } = request;
        if !protocol::is_name(&name) && !matches!(wanted, Wanted::List) {
            return Err(Refusal::Nonsense);
        }
        match wanted {
            Wanted::Lookup { type_name } => self.lookup(&name, &type_name),
            Wanted::Register { type_name, card, ticket } => {
                self.register(name, type_name, card, ticket, &mut fds)
            }
            Wanted::Unregister => done(self.unregister(&name)),
            Wanted::Reserve => self.reserve(name, reply),
            Wanted::List => Ok((self.list(&name), Vec::new())),
            Wanted::Join { type_name, card } => done(self.join(name, type_name, card, &mut fds)?),
            Wanted::Leave { id } => done(self.leave(&name, id)),
            Wanted::Members { type_name, after } => self.members(&name, &type_name, after),
            Wanted::Pick { type_name } => self.pick(&name, &type_name),
        }
    }

    /// Can be read when something has hung up; `None` if there is nothing that could.
    pub(super) fn hang_ups(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_fd()
    }

    /// Removes what has hung up.
    pub(super) fn sweep(&mut self) {
        // Any process may have made these numbers up, so each is only a reason to look.
        for number in self.watch.reported() {
            self.is_alive(number);
            if let Some(name) = self.tickets.get(&number).cloned() {
                self.find(&name);
            }
        }
    }

    // Actors.

    /// Whether it is listed and lives. A dead actor is removed.
    fn is_alive(&mut self, id: u64) -> bool {
        match self.actors.get(&id) {
            None => false,
            Some(listed) if listed.is_dead() => {
                self.forget(id);
                false
            }
            Some(_) => true,
        }
    }

    /// Takes an actor out of everything.
    fn forget(&mut self, id: u64) {
        let Some(listed) = self.actors.remove(&id) else { return };
        self.watch.remove(listed.mailbox.as_fd());
        for name in &listed.names {
            self.names.remove(name);
        }
        for (group, place) in &listed.groups {
            self.take_place(group, *place);
        }
    }

    /// Lists an actor, if it is not listed yet.
    fn enter(
        &mut self,
        type_name: &str,
        card: Card,
        fds: &mut IntoIter<OwnedFd>,
    ) -> Result<&mut Listed, Refusal> {
        let (Some(mailbox), Some(status_page)) = (fds.next(), fds.next()) else {
            return Err(Refusal::Nonsense);
        };
        let id = card.id;
        if !self.is_alive(id) {
            if !fd::is_seqpacket(mailbox.as_fd())
                || card.name.len() > protocol::NAME
                || type_name.len() > protocol::TYPE_NAME
            {
                return Err(Refusal::Nonsense);
            }
            let status_page =
                StatusPage::open(status_page).map_err(|error| match process::limit_of(&error) {
                    Some(_) => Refusal::Full(Limit::Descriptors),
                    None => Refusal::Nonsense,
                })?;
            let (names, groups) = (BTreeSet::new(), BTreeMap::new());
            let listed =
                Listed { card, type_name: type_name.to_owned(), mailbox, status_page, names, groups };
            if listed.is_dead() {
                return Err(Refusal::Dead);
            }
            self.watch.add(listed.mailbox.as_fd(), id).map_err(|_| Refusal::Full(Limit::Descriptors))?;
            self.actors.insert(id, listed);
        }
        let known = self.actors.get_mut(&id).ok_or(Refusal::Dead)?;
        if known.type_name == type_name {
            Ok(known)
        } else {
            Err(Refusal::WrongType { is: known.type_name.clone() })
        }
    }

    /// Forgets an actor that has neither a name nor a group any more.
    fn forget_unlisted(&mut self, id: u64) {
        if self.actors.get(&id).is_some_and(|listed| listed.names.is_empty() && listed.groups.is_empty()) {
            self.forget(id);
        }
    }

    /// A reply with refs.
    fn refs(&self, ids: &[u64], more: u64) -> Served<'_> {
        let listed: Vec<&Listed> = ids.iter().filter_map(|id| self.actors.get(id)).collect();
        let cards = listed.iter().map(|listed| listed.card.clone()).collect();
        let fds = listed.iter().flat_map(|listed| [listed.mailbox.as_fd(), listed.status_page.file()]);
        Ok((Answer::Actors { cards, more }, fds.collect()))
    }

    fn pid(&self, id: u64) -> u32 {
        self.actors.get(&id).map_or(0, |listed| listed.status_page.pid())
    }

    // Names.

    fn find(&mut self, name: &str) -> Found {
        match self.names.get(name) {
            None => Found::Nobody,
            Some(&Entry::Actor(id)) => {
                if self.is_alive(id) {
                    Found::Actor(id)
                } else {
                    Found::Nobody
                }
            }
            Some(Entry::Reserved(reservation)) if reservation.is_held() => {
                Found::Reserved(reservation.ticket)
            }
            Some(Entry::Reserved(_)) => {
                self.cancel(name);
                Found::Nobody
            }
        }
    }

    fn lookup(&mut self, name: &str, type_name: &str) -> Served<'_> {
        let Found::Actor(id) = self.find(name) else { return Err(Refusal::NotFound) };
        match self.actors.get(&id) {
            Some(listed) if listed.type_name == type_name => self.refs(&[id], 0),
            Some(listed) => Err(Refusal::WrongType { is: listed.type_name.clone() }),
            None => Err(Refusal::NotFound),
        }
    }

    fn register(
        &mut self,
        name: String,
        type_name: String,
        card: Card,
        ticket: u64,
        fds: &mut IntoIter<OwnedFd>,
    ) -> Served<'_> {
        match self.find(&name) {
            Found::Actor(id) => return Err(Refusal::Taken { pid: self.pid(id) }),
            Found::Reserved(other) if other != ticket => return self.wait_for(&name),
            Found::Reserved(_) => {}
            Found::Nobody if self.names.len() >= ENTRIES => return Err(Refusal::Full(Limit::Names)),
            Found::Nobody => {}
        }
        let id = card.id;
        self.enter(&type_name, card, fds)?.names.insert(name.clone());
        self.cancel(&name);
        self.names.insert(name, Entry::Actor(id));
        done(true)
    }

    /// Frees the name of an actor. A name that is only reserved stays so: no actor has it yet.
    fn unregister(&mut self, name: &str) -> bool {
        let Found::Actor(id) = self.find(name) else { return false };
        self.names.remove(name);
        if let Some(listed) = self.actors.get_mut(&id) {
            listed.names.remove(name);
        }
        self.forget_unlisted(id);
        true
    }

    fn list(&self, after: &str) -> Answer {
        let (mut list, mut bytes, mut more) = (Vec::new(), 0, false);
        let behind = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        for (name, entry) in self.names.range::<str, _>(behind) {
            let Entry::Actor(id) = entry else { continue };
            let Some(listed) = self.actors.get(id).filter(|listed| !listed.is_dead()) else { continue };
            if bytes > protocol::LIST {
                more = true;
                break;
            }
            bytes += name.len() + listed.type_name.len() + 16;
            let (name, type_name) = (name.clone(), listed.type_name.clone());
            list.push(Listing { name, type_name, pid: listed.status_page.pid() });
        }
        Answer::Names { list, more }
    }

    // Groups.

    /// Up to `most` living members of a group, behind the place `after`; dead ones are removed on the way.
    fn living(
        &mut self,
        group: &str,
        type_name: &str,
        after: u64,
        most: usize,
    ) -> Result<Vec<(u64, u64)>, Refusal> {
        let Some(members) = self.groups.get(group) else { return Ok(Vec::new()) };
        if members.type_name != type_name {
            // The members that gave it this type may all be dead.
            let ids: Vec<u64> = members.by_place.values().copied().collect();
            let is = members.type_name.clone();
            let inhabited = ids.into_iter().any(|id| self.is_alive(id));
            return if inhabited { Err(Refusal::WrongType { is }) } else { Ok(Vec::new()) };
        }
        let behind = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let (mut living, mut dead) = (Vec::new(), Vec::new());
        for (&place, &id) in members.by_place.range(behind) {
            match self.actors.get(&id) {
                Some(listed) if !listed.is_dead() => living.push((place, id)),
                _ => dead.push(id),
            }
            if living.len() == most {
                break;
            }
        }
        dead.into_iter().for_each(|id| self.forget(id));
        Ok(living)
    }

    fn join(
        &mut self,
        group: String,
        type_name: String,
        card: Card,
        fds: &mut IntoIter<OwnedFd>,
    ) -> Result<bool, Refusal> {
        self.living(&group, &type_name, 0, 1)?;
        let (id, full, place) = (card.id, self.memberships >= ENTRIES, self.last_place + 1);
        let listed = self.enter(&type_name, card, fds)?;
        if listed.groups.contains_key(&group) {
            return Ok(false);
        }
        if full {
            self.forget_unlisted(id);
            return Err(Refusal::Full(Limit::Members));
        }
        listed.groups.insert(group.clone(), place);
        let fresh = || Members { type_name, by_place: BTreeMap::new(), picked: 0 };
        self.groups.entry(group).or_insert_with(fresh).by_place.insert(place, id);
        self.memberships += 1;
        self.last_place = place;
        Ok(true)
    }

    fn leave(&mut self, group: &str, id: u64) -> bool {
        let place = self.actors.get_mut(&id).and_then(|listed| listed.groups.remove(group));
        if let Some(place) = place {
            self.take_place(group, place);
            self.forget_unlisted(id);
        }
        place.is_some()
    }

    /// Takes a member out of a group; with the last member, the group goes.
    fn take_place(&mut self, group: &str, place: u64) {
        let Some(members) = self.groups.get_mut(group) else { return };
        if members.by_place.remove(&place).is_some() {
            self.memberships -= 1;
        }
        if members.by_place.is_empty() {
            self.groups.remove(group);
        }
    }

    fn members(&mut self, group: &str, type_name: &str, after: u64) -> Served<'_> {
        let mut living = self.living(group, type_name, after, REFS + 1)?;
        let is_all = living.len() <= REFS;
        living.truncate(REFS);
        let more = living.last().filter(|_| !is_all).map_or(0, |&(place, _)| place);
        let ids: Vec<u64> = living.into_iter().map(|(_, id)| id).collect();
        self.refs(&ids, more)
    }

    /// Picks one member after the other, in the order of joining, and then from the beginning again.
    fn pick(&mut self, group: &str, type_name: &str) -> Served<'_> {
        let picked = self.groups.get(group).map_or(0, |members| members.picked);
        let mut next = self.living(group, type_name, picked, 1)?;
        if next.is_empty() {
            next = self.living(group, type_name, 0, 1)?;
        }
        if let (Some(members), Some(&(place, _))) = (self.groups.get_mut(group), next.first()) {
            members.picked = place;
        }
        let ids: Vec<u64> = next.into_iter().map(|(_, id)| id).collect();
        self.refs(&ids, 0)
    }
}

fn done<'a>(changed: bool) -> Served<'a> {
    Ok((Answer::Done(changed), Vec::new()))
}
