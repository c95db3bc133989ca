use std::fs::File;
use std::time::Duration;

use super::*;
use crate::reactor::endpoint::Card;
use crate::registry::protocol::{ENTRIES, NAME, REFS, Wanted};
use crate::status::{ExitRecord, Process, State, StatusPage};
use crate::types::exit::ExitReason;

/// Everything but the thread, and the sending end of its uplink.
struct Case {
    keeper: Keeper<OwnedFd>,
    line: OwnedFd,
}

/// An actor without a process.
struct Dummy {
    card: Card,
    receiver: OwnedFd,
    sender: OwnedFd,
    status_page: StatusPage,
}

fn case() -> Case {
    let (receiving, line) = fd::seqpacket_pair().unwrap();
    fd::widen(&line, 4096);
    Case {
        keeper: Keeper { line: receiving, registry: Registry::default(), buffer: seqpacket::buffer() },
        line,
    }
}

fn dummy(id: u64) -> Dummy {
    let (sender, receiver) = fd::seqpacket_pair().unwrap();
    let card = Card { id, name: "dummy".into(), daemon: false, timeout: Duration::from_secs(1), depth: 128 };
    Dummy { card, receiver, sender, status_page: StatusPage::create(1, false).unwrap() }
}

impl Dummy {
    fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.sender.as_fd(), self.status_page.file()]
    }

    fn register(&self, ticket: u64) -> Wanted {
        Wanted::Register { type_name: "Dummy".into(), card: self.card.clone(), ticket }
    }

    fn join(&self) -> Wanted {
        Wanted::Join { type_name: "Dummy".into(), card: self.card.clone() }
    }
}

fn lookup() -> Wanted {
    Wanted::Lookup { type_name: "Dummy".into() }
}

fn members(after: u64) -> Wanted {
    Wanted::Members { type_name: "Dummy".into(), after }
}

impl Case {
    /// Asks; returns the reply, its descriptors, and the asker's end of the conversation.
    fn ask(&mut self, name: &str, wanted: Wanted, fds: &[BorrowedFd<'_>]) -> (Answer, Vec<OwnedFd>, OwnedFd) {
        let (ours, theirs) = fd::seqpacket_pair().unwrap();
        let mut bytes = packet(&Request { name: name.to_owned(), wanted }).unwrap();
        let fds: Vec<_> = std::iter::once(theirs.as_fd()).chain(fds.iter().copied()).collect();
        seqpacket::send(self.line.as_fd(), &mut bytes, &fds).unwrap();
        drop(theirs);
        assert!(self.keeper.take_requests());
        let mut buffer = seqpacket::buffer();
        let packet = seqpacket::receive(ours.as_fd(), &mut buffer, false).unwrap().expect("an answer");
        (parse(&buffer[..packet.len]).unwrap(), packet.fds, ours)
    }

    fn answer(&mut self, name: &str, wanted: Wanted, fds: &[BorrowedFd<'_>]) -> Answer {
        self.ask(name, wanted, fds).0
    }

    /// Takes everything that lies in the uplink.
    fn digest(&mut self) {
        while poll::readable(self.keeper.line.as_fd(), Some(Duration::ZERO)).unwrap() {
            assert!(self.keeper.take_requests());
        }
    }

    fn hangs_nothing(&self) -> bool {
        self.keeper.registry.hang_ups().is_none()
    }
}

fn refused(refusal: Refusal) -> Answer {
    Answer::Refused(refusal)
}

const NOBODY: Process = Process { incarnation: 0, pid: 0 };

fn dead() -> ExitRecord {
    ExitRecord { reason: ExitReason::SupervisorDied, ..ExitRecord::orphaned() }
}

#[test]
fn a_death_in_the_status_page_frees_the_name_before_any_hang_up() {
    let (mut case, one, two) = (case(), dummy(1), dummy(2));
    assert_eq!(case.answer("n", one.register(0), &one.fds()), Answer::Done(true));
    assert_eq!(case.answer("n", two.register(0), &two.fds()), refused(Refusal::Taken { pid: 0 }));
    assert_eq!(case.answer("g", one.join(), &one.fds()), Answer::Done(true));
    one.status_page.record_exit(NOBODY, &dead(), State::Dead);
    assert_eq!(case.answer("n", lookup(), &[]), refused(Refusal::NotFound));
    assert_eq!(case.answer("g", members(0), &[]), Answer::Actors { cards: Vec::new(), more: 0 });
    assert_eq!(case.answer("n", two.register(0), &two.fds()), Answer::Done(true));
    assert_eq!(case.answer("m", one.register(0), &one.fds()), refused(Refusal::Dead));
}

#[test]
fn what_hangs_up_is_swept_although_nobody_asks() {
    let (mut case, one) = (case(), dummy(1));
    case.answer("n", one.register(0), &one.fds());
    case.answer("g", one.join(), &one.fds());
    let (reserved, _, conversation) = case.ask("r", Wanted::Reserve, &[]);
    assert!(matches!(reserved, Answer::Reserved(_)));
    assert!(!case.hangs_nothing());
    drop((one.receiver, conversation));
    assert!(case.keeper.turn());
    assert!(case.hangs_nothing());
    assert_eq!(case.answer("n", lookup(), &[]), refused(Refusal::NotFound));
}

#[test]
fn a_reservation_lasts_as_long_as_its_conversation() {
    let (mut case, one, two) = (case(), dummy(1), dummy(2));
    let (_, _, conversation) = case.ask("n", Wanted::Reserve, &[]);
    let (wait, fds, _) = case.ask("n", Wanted::Reserve, &[]);
    assert_eq!((wait, fds.len()), (Answer::Wait, 1));
    assert_eq!(case.answer("n", two.register(1), &two.fds()), Answer::Wait);
    assert_eq!(case.answer("n", lookup(), &[]), refused(Refusal::NotFound));
    assert!(!fd::hung_up(fds[0].as_fd()));
    drop(conversation);
    assert!(fd::hung_up(fds[0].as_fd()));
    let (granted, _, _conversation) = case.ask("n", Wanted::Reserve, &[]);
    let Answer::Reserved(ticket) = granted else { panic!("{granted:?}") };
    assert_eq!(case.answer("n", one.register(ticket), &one.fds()), Answer::Done(true));
    assert_eq!(case.answer("n", Wanted::Reserve, &[]), refused(Refusal::Taken { pid: 0 }));
}

#[test]
fn one_who_has_given_up_is_not_served() {
    let (mut case, one) = (case(), dummy(1));
    let (ours, theirs) = fd::seqpacket_pair().unwrap();
    let mut bytes = packet(&Request { name: "n".into(), wanted: one.register(0) }).unwrap();
    let fds = [theirs.as_fd(), one.sender.as_fd(), one.status_page.file()];
    seqpacket::send(case.line.as_fd(), &mut bytes, &fds).unwrap();
    drop(ours);
    case.digest();
    assert_eq!(case.answer("n", lookup(), &[]), refused(Refusal::NotFound));
}

#[test]
fn an_actor_is_kept_once_and_only_as_long_as_it_is_listed() {
    let (mut case, one) = (case(), dummy(1));
    for name in ["a", "b", "c"] {
        assert_eq!(case.answer(name, one.register(0), &one.fds()), Answer::Done(true));
        assert_eq!(case.answer(name, one.join(), &one.fds()), Answer::Done(true));
        assert_eq!(case.answer(name, one.join(), &one.fds()), Answer::Done(false));
    }
    let Answer::Names { list, more: false } = case.answer("a", Wanted::List, &[]) else { panic!() };
    assert!(list.iter().map(|known| known.name.as_str()).eq(["b", "c"]));
    for name in ["a", "b", "c"] {
        assert!(!case.hangs_nothing());
        assert_eq!(case.answer(name, Wanted::Unregister, &[]), Answer::Done(true));
        assert_eq!(case.answer(name, Wanted::Leave { id: 1 }, &[]), Answer::Done(true));
    }
    assert!(case.hangs_nothing());
}

#[test]
fn members_come_in_portions_and_are_picked_in_turn() {
    let mut case = case();
    let dummies: Vec<Dummy> = (1..=75).map(dummy).collect();
    for one in &dummies {
        assert_eq!(case.answer("g", one.join(), &one.fds()), Answer::Done(true));
    }
    dummies[40].status_page.record_exit(NOBODY, &dead(), State::Dead);
    let (mut ids, mut after) = (Vec::new(), 0);
    loop {
        let (answer, fds, _) = case.ask("g", members(after), &[]);
        let Answer::Actors { cards, more } = answer else { panic!("{answer:?}") };
        assert!(cards.len() <= REFS && fds.len() == 2 * cards.len());
        ids.extend(cards.into_iter().map(|card| card.id));
        after = more;
        if after == 0 {
            break;
        }
    }
    assert!(ids.into_iter().eq((1..=75).filter(|&id| id != 41)));
    for id in (1..=75).filter(|&id| id != 41).chain(1..3) {
        let picked = case.answer("g", Wanted::Pick { type_name: "Dummy".into() }, &[]);
        let Answer::Actors { cards, .. } = picked else { panic!("{picked:?}") };
        assert_eq!(cards[0].id, id);
    }
}

#[test]
fn another_type_is_refused_for_as_long_as_somebody_of_the_first_lives() {
    let (mut case, one) = (case(), dummy(1));
    let other = |after| Wanted::Members { type_name: "Other".into(), after };
    case.answer("n", one.register(0), &one.fds());
    case.answer("g", one.join(), &one.fds());
    let wrong = || refused(Refusal::WrongType { is: "Dummy".into() });
    assert_eq!(case.answer("n", Wanted::Lookup { type_name: "Other".into() }, &[]), wrong());
    assert_eq!(case.answer("g", other(0), &[]), wrong());
    assert_eq!(case.answer("g", Wanted::Pick { type_name: "Other".into() }, &[]), wrong());
    let lie = Wanted::Join { type_name: "Other".into(), card: one.card.clone() };
    assert_eq!(case.answer("h", lie, &one.fds()), wrong());
    one.status_page.record_exit(NOBODY, &dead(), State::Dead);
    let two = dummy(2);
    let join = Wanted::Join { type_name: "Other".into(), card: two.card.clone() };
    assert_eq!(case.answer("g", join, &two.fds()), Answer::Done(true));
}

#[test]
fn there_is_an_end_to_names_and_memberships() {
    let (mut case, one) = (case(), dummy(1));
    let (_ours, reply) = fd::seqpacket_pair().unwrap();
    let mut serve = |name: String, wanted: Wanted| {
        let fds: Vec<OwnedFd> = one.fds().iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
        let served = case.keeper.registry.serve(Request { name, wanted }, reply.as_fd(), fds.into_iter());
        served.map(|(answer, _)| answer)
    };
    for number in 0..ENTRIES {
        assert_eq!(serve(format!("name {number}"), one.register(0)), Ok(Answer::Done(true)));
        assert_eq!(serve(format!("group {number}"), one.join()), Ok(Answer::Done(true)));
    }
    assert_eq!(serve("one more".into(), one.register(0)), Err(Refusal::Full(Limit::Names)));
    assert_eq!(serve("one more".into(), Wanted::Reserve), Err(Refusal::Full(Limit::Names)));
    assert_eq!(serve("one more".into(), one.join()), Err(Refusal::Full(Limit::Members)));
    assert_eq!(serve("name 7".into(), Wanted::Unregister), Ok(Answer::Done(true)));
    assert_eq!(serve("one more".into(), one.register(0)), Ok(Answer::Done(true)));
    // A portion of the list fits into a packet.
    one.status_page.record_exit(NOBODY, &dead(), State::Dead);
    assert_eq!(serve("n".into(), lookup()), Err(Refusal::NotFound));
    drop(one.receiver);
    case.keeper.registry.sweep();
    assert!(case.hangs_nothing());
}

#[test]
fn long_lists_come_in_portions_that_fit_into_a_packet() {
    let (mut case, one) = (case(), dummy(1));
    let register =
        |type_name: &str| Wanted::Register { type_name: type_name.into(), card: one.card.clone(), ticket: 0 };
    let long = "T".repeat(crate::registry::protocol::TYPE_NAME);
    let name = |number: usize| format!("{number:0NAME$}");
    for number in 0..100 {
        assert_eq!(case.answer(&name(number), register(&long), &one.fds()), Answer::Done(true));
    }
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let Answer::Names { list, more } = case.answer(&after, Wanted::List, &[]) else { panic!() };
        all.extend(list.into_iter().map(|known| known.name));
        after.clone_from(all.last().unwrap());
        if !more {
            break;
        }
    }
    assert!(all.into_iter().eq((0..100).map(name)));
    let longer = format!("{long}T");
    let two = dummy(2);
    let register = Wanted::Register { type_name: longer, card: two.card.clone(), ticket: 0 };
    assert_eq!(case.answer("n", register, &two.fds()), refused(Refusal::Nonsense));
}

#[test]
fn names_that_cannot_be_are_refused() {
    let (mut case, one) = (case(), dummy(1));
    for name in [String::new(), "x".repeat(NAME + 1), "x".repeat(50_000)] {
        assert_eq!(case.answer(&name, one.register(0), &one.fds()), refused(Refusal::Nonsense));
        assert_eq!(case.answer(&name, one.join(), &one.fds()), refused(Refusal::Nonsense));
        assert_eq!(case.answer(&name, Wanted::Reserve, &[]), refused(Refusal::Nonsense));
    }
    assert_eq!(case.answer(&"x".repeat(NAME), one.register(0), &one.fds()), Answer::Done(true));
}

#[test]
fn a_ref_that_is_none_is_refused() {
    let (mut case, one) = (case(), dummy(1));
    let null = File::open("/dev/null").unwrap();
    let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let wrong = [
        vec![],
        vec![one.sender.as_fd()],
        vec![null.as_fd(), one.status_page.file()],
        vec![stream.as_fd(), one.status_page.file()],
        vec![one.sender.as_fd(), null.as_fd()],
        vec![one.sender.as_fd(), one.sender.as_fd()],
        vec![one.status_page.file(), one.sender.as_fd()],
    ];
    for fds in wrong {
        assert_eq!(case.answer("n", one.register(0), &fds), refused(Refusal::Nonsense));
        assert_eq!(case.answer("n", one.join(), &fds), refused(Refusal::Nonsense));
    }
    assert!(case.hangs_nothing());
}

#[test]
fn rubbish_on_the_line_harms_nobody() {
    let (mut case, one) = (case(), dummy(1));
    case.answer("n", one.register(0), &one.fds());
    let (_ours, reply) = fd::seqpacket_pair().unwrap();
    let requests = [
        Request { name: "n".into(), wanted: one.register(1) },
        Request { name: "n".into(), wanted: one.join() },
        Request { name: "n".into(), wanted: lookup() },
        Request { name: "n".into(), wanted: members(0) },
        Request { name: String::new(), wanted: Wanted::List },
    ];
    let mut random = 1_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    for request in &requests {
        let mut whole = packet(request).unwrap();
        let (total, data) = (whole.len(), whole.len() - seqpacket::HEADER);
        whole[..seqpacket::HEADER / 2].copy_from_slice(&total.to_ne_bytes());
        whole[seqpacket::HEADER / 2..seqpacket::HEADER].copy_from_slice(&data.to_ne_bytes());
        // Cut anywhere, with right sizes and with wrong ones.
        for len in 0..whole.len() {
            seqpacket::send_raw(case.line.as_fd(), &whole[..len], &[reply.as_fd()]).unwrap();
            if len >= seqpacket::HEADER {
                seqpacket::send(case.line.as_fd(), &mut whole[..len].to_vec(), &[reply.as_fd()]).unwrap();
            }
            case.digest();
        }
        // Changed anywhere.
        for _ in 0..5000 {
            let mut changed = whole.clone();
            for _ in 0..=next() % 3 {
                let at = next() % changed.len();
                changed[at] = next() as u8;
            }
            let fds = [reply.as_fd(), one.sender.as_fd(), one.status_page.file()];
            let _ = seqpacket::send_raw(case.line.as_fd(), &changed, &fds[..next() % 4]);
            case.digest();
        }
    }
    // Nothing at all, too much, and descriptors of every kind and number.
    let null = File::open("/dev/null").unwrap();
    for fds in [&[][..], &[null.as_fd()], &[null.as_fd(); 64], &[case.line.as_fd(), one.status_page.file()]] {
        for bytes in [&[][..], &[0], &[0xff; 16], &vec![0x80; 200_000]] {
            let _ = seqpacket::send_raw(case.line.as_fd(), bytes, fds);
        }
    }
    case.digest();
    // What rubbish with the right form has taken away can be given again.
    case.answer("n", Wanted::Unregister, &[]);
    assert_eq!(case.answer("n", one.register(0), &one.fds()), Answer::Done(true));
    assert!(matches!(case.answer("n", lookup(), &[]), Answer::Actors { .. }));
}

#[test]
fn a_line_that_was_shut_down_ends_the_thread_and_an_empty_packet_does_not() {
    for how in [std::net::Shutdown::Write, std::net::Shutdown::Both] {
        let mut case = case();
        seqpacket::send_raw(case.line.as_fd(), &[], &[]).unwrap();
        assert!(case.keeper.turn());
        std::os::unix::net::UnixStream::from(case.line.try_clone().unwrap()).shutdown(how).unwrap();
        assert!(!case.keeper.turn());
    }
}
