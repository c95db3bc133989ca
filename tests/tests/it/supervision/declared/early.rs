//! Refs are there before the children: in cycles, for messages before the start, and for those whose children
//! never start.

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{Db, Mailer, Shop, ShopArgs, billing, db, mailer};

/// Knows one other actor of its kind.
#[actor]
struct Player {
    other: ActorRef<Player>,
}

#[actor]
impl Player {
    fn rally(&self, hits: u32) -> u32 {
        if hits == 0 { 0 } else { 1 + self.other.hit(hits - 1).wait().unwrap() }
    }

    fn hit(&self, hits: u32) -> u32 {
        hits
    }
}

#[supervisor(strategy = one_for_all, name = "game")]
struct Game {
    ping: Player,
    pong: Player,
}

#[test]
fn children_know_each_other_in_a_cycle() {
    alone(|| {
        let game = Game::start_with(|game| GameArgs {
            ping: Player { other: game.pong.clone() },
            pong: Player { other: game.ping.clone() },
        });
        let game = game.unwrap();
        assert_eq!(game.ping.rally(3).wait().unwrap(), 3);
        assert_eq!(game.pong.rally(5).wait().unwrap(), 5);
        processes::kill(game.ping.pid().unwrap());
        eventually("both again", EVENT_TIMEOUT, || game.pong.incarnation() == 2 && game.pong.is_alive());
        assert_eq!(game.pong.rally(7).wait().unwrap(), 7);
    });
}

#[supervisor]
struct Tournament {
    first: Game,
    second: Game,
}

#[test]
fn refs_are_there_before_the_actors_at_all_depths() {
    alone(|| {
        let across = |here: &GameRef, there: &GameRef| GameArgs {
            ping: Player { other: there.pong.clone() },
            pong: Player { other: here.ping.clone() },
        };
        let tournament = Tournament::start_with(|all| TournamentArgs {
            first: across(&all.first, &all.second),
            second: across(&all.second, &all.first),
        });
        let tournament = tournament.unwrap();
        assert_eq!(tournament.first.ping.rally(2).wait().unwrap(), 2);
        assert_eq!(tournament.second.pong.rally(4).wait().unwrap(), 4);
        assert_eq!(
            tournament.first.pid().unwrap(),
            processes::stat(tournament.first.ping.pid().unwrap()).unwrap().parent
        );
    });
}

#[test]
fn what_is_sent_before_the_start_is_served_after_it() {
    alone(|| {
        let mut early = Vec::new();
        let shop = Shop::start_with(|shop| {
            early.push(shop.db.add("early".into()));
            early.push(shop.billing.ledger.len());
            ShopArgs { db: db(), mailer: mailer(), billing: billing(), temporary: db() }
        });
        let answers: Vec<_> = early.into_iter().map(|reply| reply.wait().unwrap()).collect();
        assert_eq!(answers, [1, 0]);
        assert_eq!(shop.unwrap().db.len().wait().unwrap(), 1);
    });
}

#[supervisor]
struct Mall {
    shop: Db,
    office: Office,
    last: Db,
}

#[supervisor]
struct Office {
    desk: Db,
    mailer: Mailer,
}

#[test]
fn a_child_that_fails_undoes_the_others_and_is_named_with_its_path() {
    alone(|| {
        let office = OfficeArgs { desk: db(), mailer: Mailer::builder(String::new()) };
        let error = Mall::start(MallArgs { shop: db(), office, last: db() }).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("nobody to send from"), "{text}");
        let path: Vec<_> = ["Mall", "office", "mailer"].iter().filter_map(|name| text.find(name)).collect();
        assert!(path.len() == 3 && path.is_sorted(), "{text}");
        let root = processes::root_supervisor(std::process::id()).unwrap();
        let left = || {
            processes::children(root).into_iter().filter(|child| !child.name.starts_with("phx-")).collect()
        };
        processes::until_none(EVENT_TIMEOUT, left);
    });
}

#[test]
fn calls_to_children_that_never_start_end_with_an_error() {
    alone(|| {
        let mut early = Vec::new();
        let error = Mall::start_with(|mall| {
            early.extend([mall.shop.len(), mall.office.desk.len(), mall.last.len()]);
            let office = OfficeArgs { desk: db(), mailer: Mailer::builder(String::new()) };
            MallArgs { shop: db(), office, last: db() }
        });
        assert!(error.is_err());
        // The shop has been started, and may have replied before it was stopped again.
        let answers: Vec<_> = early.into_iter().map(|mut reply| reply.wait_timeout(EVENT_TIMEOUT)).collect();
        assert!(!answers.iter().any(|answer| matches!(answer, Err(CallError::Timeout(..)))), "{answers:?}");
        assert!(answers[2].is_err(), "{answers:?}");
        let mut forsaken = None;
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = Mall::start_with(|mall| {
                forsaken = Some(mall.last.len());
                panic!("nothing to start with")
            });
        }));
        assert!(panicked.is_err());
        let answer = forsaken.unwrap().wait_timeout(EVENT_TIMEOUT);
        assert!(matches!(answer, Err(ref error) if !matches!(error, CallError::Timeout(..))), "{answer:?}");
    });
}
