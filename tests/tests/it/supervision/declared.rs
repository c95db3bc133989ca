//! Supervisors declared by `#[supervisor]`, and what `#[actor]` says about restarts.

use std::fs;

use phalanx::prelude::*;
use phalanx::{ChildInfo, Dynamic, Partitioned, Shutdown, StoppedBy};
use phalanx_tests::{alone, eventually, processes};
use serde::{Deserialize, Serialize};

use super::PATIENCE;

/// Keeps words.
#[actor]
struct Db {
    words: Vec<String>,
}

#[actor]
impl Db {
    fn add(&mut self, word: String) -> usize {
        self.words.push(word);
        self.words.len()
    }

    fn len(&self) -> usize {
        self.words.len()
    }

    fn end(&self, code: i32) {
        std::process::exit(code)
    }
}

/// Made by an `#[init]`, which may refuse.
#[actor(restart = transient)]
struct Mailer {
    from: String,
}

#[actor]
impl Mailer {
    #[init]
    fn new(from: String) -> Result<Self, String> {
        if from.is_empty() { Err("nobody to send from".into()) } else { Ok(Mailer { from }) }
    }

    fn from(&self) -> String {
        self.from.clone()
    }

    fn end(&self, code: i32) {
        std::process::exit(code)
    }
}

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

#[supervisor(strategy = one_for_one, intensity = "5 in 10s", name = "shop")]
struct Shop {
    db: Db,
    #[child(name = "post", daemon)]
    mailer: Mailer,
    billing: Billing,
    #[child(restart = temporary, shutdown = "2s")]
    temporary: Db,
}

#[supervisor(strategy = one_for_all, intensity = "3 in 10s")]
struct Billing {
    ledger: Db,
    #[child(builder)]
    archive: Db,
}

fn db() -> Db {
    Db { words: Vec::new() }
}

fn mailer() -> phalanx::ActorBuilder<Mailer> {
    Mailer::builder("shop@example.org".into())
}

fn billing() -> BillingArgs {
    BillingArgs { ledger: db(), archive: db().builder().mailbox(7) }
}

fn shop() -> ShopRef {
    Shop::start(ShopArgs { db: db(), mailer: mailer(), billing: billing(), temporary: db() }).unwrap()
}

fn child(supervisor: &SupervisorRef, id: &str) -> Option<ChildInfo> {
    supervisor.which_children().unwrap().into_iter().find(|child| child.id == id)
}

fn comm(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim().to_owned()
}

#[test]
fn a_declared_supervisor_starts_its_children_in_order_and_stops_them() {
    alone(|| {
        let shop = shop();
        assert_eq!(shop.db.add("to".into()).wait().unwrap(), 1);
        assert_eq!(shop.mailer.from().wait().unwrap(), "shop@example.org");
        assert_eq!(shop.billing.ledger.len().wait().unwrap(), 0);
        assert_eq!(shop.billing.archive.capacity(), 7);
        let ids: Vec<_> = shop.which_children().unwrap().into_iter().map(|child| child.id).collect();
        assert_eq!(ids, ["db", "mailer", "billing", "temporary"]);
        let pids =
            [shop.db.pid(), shop.mailer.pid(), shop.billing.pid(), shop.temporary.pid()].map(Result::unwrap);
        assert!(pids.is_sorted(), "{pids:?}");
        assert_eq!(shop.stop(PATIENCE).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
        assert!(pids.iter().all(|pid| !processes::exists(*pid)));
    });
}

#[test]
fn what_is_declared_of_a_child_holds() {
    alone(|| {
        let shop = shop();
        let facts = |id| {
            let child = child(&shop, id).unwrap();
            (child.restart, child.shutdown, child.daemon, child.is_supervisor)
        };
        let seconds = |seconds| Shutdown::Timeout(std::time::Duration::from_secs(seconds));
        use phalanx::Restart::{Permanent, Temporary, Transient};
        assert_eq!(facts("db"), (Permanent, seconds(5), false, false));
        assert_eq!(facts("mailer"), (Transient, seconds(5), true, false));
        assert_eq!(facts("billing"), (Permanent, Shutdown::Infinity, false, true));
        assert_eq!(facts("temporary"), (Temporary, seconds(2), false, false));
    });
}

#[test]
fn children_are_restarted_as_their_attributes_say() {
    alone(|| {
        let shop = shop();
        let _ = shop.db.end(0).wait();
        eventually("the next db", PATIENCE, || shop.db.incarnation() == 2);
        let _ = shop.mailer.end(1).wait();
        eventually("the next mailer", PATIENCE, || shop.mailer.incarnation() == 2);
        let _ = shop.mailer.end(0).wait();
        assert_eq!(shop.mailer.join(), ExitReason::Exited(0));
        let mailer = child(&shop, "mailer").unwrap();
        assert_eq!((mailer.pid, mailer.incarnation), (None, 2));
        let _ = shop.temporary.end(1).wait();
        assert_eq!(shop.temporary.join(), ExitReason::Exited(1));
        eventually("no spec of it", PATIENCE, || child(&shop, "temporary").is_none());
    });
}

#[test]
fn a_crash_in_a_nested_supervisor_is_its_own_business() {
    alone(|| {
        let shop = shop();
        let (ledger, archive) = (&shop.billing.ledger, &shop.billing.archive);
        archive.add("old".into()).wait().unwrap();
        let _ = ledger.end(1).wait();
        eventually("both again", PATIENCE, || ledger.incarnation() == 2 && archive.incarnation() == 2);
        assert_eq!(archive.len().wait().unwrap(), 0);
        assert_eq!((shop.billing.incarnation(), shop.db.incarnation()), (1, 1));
    });
}

#[test]
fn a_nested_supervisor_that_gives_up_is_restarted_with_its_children() {
    alone(|| {
        let shop = shop();
        for times in 1..=4 {
            let _ = shop.billing.ledger.end(1).wait();
            let next = || shop.billing.ledger.incarnation() == times + 1 && shop.billing.ledger.is_alive();
            eventually("the next ledger", PATIENCE, next);
        }
        eventually("archive too", PATIENCE, || shop.billing.archive.incarnation() == 5);
        eventually("it runs", PATIENCE, || shop.billing.archive.is_alive());
        assert_eq!((shop.billing.incarnation(), shop.db.incarnation()), (2, 1));
        assert_eq!(shop.billing.archive.len().wait().unwrap(), 0);
    });
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
        eventually("both again", PATIENCE, || game.pong.incarnation() == 2 && game.pong.is_alive());
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
        processes::until_none(PATIENCE, left);
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
        // The shop has been started, and may have answered before it was stopped again.
        let answers: Vec<_> = early.into_iter().map(|mut reply| reply.wait_timeout(PATIENCE)).collect();
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
        let answer = forsaken.unwrap().wait_timeout(PATIENCE);
        assert!(matches!(answer, Err(ref error) if !matches!(error, CallError::Timeout(..))), "{answer:?}");
    });
}

#[test]
fn processes_bear_the_names_that_were_declared() {
    alone(|| {
        let shop = shop();
        let names =
            [shop.db.pid(), shop.mailer.pid(), shop.billing.ledger.pid()].map(|pid| comm(pid.unwrap()));
        assert_eq!(names, ["db", "post", "ledger"]);
        assert_eq!((shop.name(), shop.billing.name()), ("shop", "billing"));
        for supervisor in [shop.pid(), shop.billing.pid()] {
            let name = comm(supervisor.unwrap());
            assert!(name.ends_with("shop") || name.ends_with("billing"), "{name}");
        }
        let game = Db { words: Vec::new() }.builder().name("given");
        let billing = Billing::start(BillingArgs { ledger: db(), archive: game }).unwrap();
        assert_eq!((billing.name(), billing.archive.name()), ("Billing", "given"));
    });
}

#[test]
fn what_a_builder_says_counts_before_the_attributes() {
    alone(|| {
        let mailer = mailer().name("other").restart(phalanx::Restart::Temporary).daemon(false);
        let shop = Shop::start(ShopArgs { db: db(), mailer, billing: billing(), temporary: db() }).unwrap();
        let info = child(&shop, "mailer").unwrap();
        assert_eq!((shop.mailer.name(), info.restart), ("other", phalanx::Restart::Temporary));
    });
}

#[test]
fn a_declared_supervisor_is_a_child_like_any_other() {
    alone(|| {
        let top = Supervisor::one_for_one().name("top").child("db", db().builder()).start().unwrap();
        let billing: BillingRef = top.start_child("billing", Billing::builder(billing())).unwrap();
        assert_eq!(billing.ledger.add("a".into()).wait().unwrap(), 1);
        let parent = processes::stat(billing.pid().unwrap()).unwrap().parent;
        assert_eq!(parent, top.pid().unwrap());
        let reserved = Billing::builder(self::billing()).name("more").reserve().unwrap();
        let more = reserved.actor_ref();
        top.start_child("more", reserved).unwrap();
        assert_eq!(more.archive.len().wait().unwrap(), 0);
        assert_eq!(top.count_children().unwrap().supervisors, 2);
    });
}

#[actor]
struct Visitor;

#[actor]
impl Visitor {
    fn visit(&self, shop: ShopRef, word: String) -> (usize, ShopRef) {
        (shop.db.add(word).wait().unwrap() + shop.billing.ledger.len().wait().unwrap(), shop)
    }
}

#[test]
fn the_handle_travels() {
    alone(|| {
        let (shop, visitor) = (shop(), Visitor.spawn().unwrap());
        let (answer, back) = visitor.visit(shop.clone(), "word".into()).wait().unwrap();
        assert_eq!((answer, back.billing.archive == shop.billing.archive), (1, true));
        assert_eq!(format!("{back:?}"), format!("{shop:?}"));
        assert!(format!("{shop:?}").starts_with("ShopRef { supervisor: SupervisorRef(shop, "), "{shop:?}");
    });
}

#[supervisor(auto_shutdown = any_significant)]
struct Job {
    log: Db,
    #[child(significant)]
    work: Mailer,
    #[child(restart = transient, significant = false)]
    other: Db,
}

#[test]
fn the_end_of_a_significant_child_ends_the_supervisor() {
    alone(|| {
        let job = Job::start(JobArgs { log: db(), work: mailer(), other: db() }).unwrap();
        let _ = job.other.end(0).wait();
        let _ = job.work.end(1).wait();
        eventually("the next work", PATIENCE, || job.work.incarnation() == 2);
        let _ = job.work.end(0).wait();
        assert_eq!(job.join_timeout(PATIENCE).unwrap(), ExitReason::Normal);
        assert!(!job.log.is_alive());
    });
}

#[supervisor]
struct Plant {
    #[child(shutdown = "3s")]
    workers: Dynamic<Db>,
    #[child(restart = temporary)]
    boiler: phalanx::Command,
    offices: Dynamic<Billing>,
}

fn plant() -> PlantArgs {
    let boiler = phalanx::Command::new("sleep").arg("1000");
    let offices = Supervisor::dynamic();
    PlantArgs { workers: Supervisor::dynamic().max_children(2).intensity(9, PATIENCE), boiler, offices }
}

#[test]
fn dynamic_supervisors_and_commands_can_be_fields() {
    alone(|| {
        let plant = Plant::start(plant()).unwrap();
        let worker = plant.workers.add("a", db()).unwrap();
        plant.workers.start_child("b", db().builder().name("bee")).unwrap();
        assert!(matches!(plant.workers.add("c", db()), Err(SpawnError::MaxChildren { .. })));
        let _ = worker.end(1).wait();
        assert_eq!(worker.len().wait().unwrap(), 0);
        let office = plant.offices.add("one", billing()).unwrap();
        assert_eq!(office.archive.len().wait().unwrap(), 0);
        assert!(plant.boiler.is_alive());
        assert_eq!(plant.workers.name(), "workers");
        let error =
            Plant::start(PlantArgs { workers: Supervisor::one_for_one(), ..self::plant() }).unwrap_err();
        assert!(matches!(&error, SpawnError::Option { actor, .. } if actor == "workers"), "{error}");
    });
}

#[supervisor(strategy = dynamic, max_children = 1)]
struct Empty;

#[test]
fn a_supervisor_may_be_declared_without_children() {
    alone(|| {
        let empty = Empty::start(EmptyArgs {}).unwrap();
        let db = empty.start_child("db", db().builder()).unwrap();
        assert_eq!(db.len().wait().unwrap(), 0);
    });
}

mod elsewhere {
    use phalanx::prelude::*;

    use super::Db;

    /// Declared in another module.
    #[supervisor]
    pub(super) struct Odd {
        #[cfg(any())]
        never: Nothing,
        /// A word of the language.
        pub(super) r#type: Db,
        #[cfg(unix)]
        #[child(name = "in time")]
        pub(super) always: Db,
        pub(super) frame: phalanx::Dynamic<Odd>,
    }
}

#[test]
fn fields_may_be_under_cfg_and_have_any_name() {
    alone(|| {
        let args = || elsewhere::OddArgs { r#type: db(), always: db(), frame: Supervisor::dynamic() };
        let odd = elsewhere::Odd::start(args()).unwrap();
        let ids: Vec<_> = odd.which_children().unwrap().into_iter().map(|child| child.id).collect();
        assert_eq!(ids, ["type", "always", "frame"]);
        assert_eq!((odd.r#type.name(), odd.always.name()), ("type", "in time"));
        // A tree of its own kind below it.
        let below: elsewhere::OddRef = odd.frame.add("below", args()).unwrap();
        assert_eq!(below.always.len().wait().unwrap(), 0);
    });
}

#[actor]
struct Router {
    routes: Partitioned<Db>,
}

#[actor]
impl Router {
    fn pid_of(&self, key: String) -> u32 {
        self.routes.of(&key).pid().unwrap()
    }
}

#[derive(Hash, Serialize, Deserialize)]
struct Key(u8, String);

#[test]
fn partitions_are_found_by_key_from_everywhere() {
    alone(|| {
        let db = Supervisor::partitioned("words", 4, |_| db().builder()).start().unwrap();
        assert_eq!(db.all().len(), 4);
        let names: Vec<_> = db.all().iter().map(|part| comm(part.pid().unwrap())).collect();
        assert_eq!(names, ["words-0", "words-1", "words-2", "words-3"]);
        let router = Router { routes: db.clone() }.spawn().unwrap();
        let mut used = std::collections::BTreeSet::new();
        for key in (0..40).map(|number| format!("key {number}")) {
            let part = db.of(&key);
            assert_eq!(part, db.of(key.as_str()));
            assert_eq!(router.pid_of(key).wait().unwrap(), part.pid().unwrap());
            used.insert(part.pid().unwrap());
        }
        assert_eq!(used.len(), 4);
        let key = Key(1, "a".into());
        let before = db.of(&key).add("kept with its key".into()).wait().unwrap();
        let _ = db.of(&key).end(1).wait();
        assert_eq!((before, db.of(&key).len().wait().unwrap()), (1, 0));
        assert_eq!(db.which_children().unwrap().len(), 4);
        let error = Supervisor::partitioned("none", 0, |_| self::db().builder()).start().unwrap_err();
        assert!(matches!(error, SpawnError::Option { .. }), "{error}");
    });
}

/// SUP-47: its continuation runs before the first message, and nobody waits for it.
#[actor]
struct Eager {
    steps: Vec<String>,
    go: std::path::PathBuf,
}

#[actor]
impl Eager {
    #[on_start]
    fn warm_up(&mut self) {
        phalanx_tests::eventually("the word to go on", PATIENCE, || self.go.exists());
        self.steps.push("on_start".into());
    }

    fn step(&mut self, name: String) -> Vec<String> {
        self.steps.push(name);
        self.steps.clone()
    }

    fn abort(&self) {
        std::process::abort()
    }
}

#[supervisor]
struct Early {
    eager: Eager,
}

#[test]
fn sup_47_on_start_runs_after_ready_and_before_the_first_message() {
    alone(|| {
        let go = std::env::temp_dir().join("go");
        let mut queued = None;
        let early = Early::start_with(|early| {
            queued = Some(early.eager.step("queued".into()));
            EarlyArgs { eager: Eager { steps: Vec::new(), go: go.clone() } }
        });
        // The start returns although the continuation waits for us.
        let early = early.unwrap();
        fs::write(&go, "").unwrap();
        assert_eq!(queued.unwrap().wait().unwrap(), ["on_start", "queued"]);
        let _ = early.eager.abort().wait();
        assert_eq!(early.eager.step("again".into()).wait().unwrap(), ["on_start", "again"]);
        fs::remove_file(go).unwrap();
    });
}

/// Imports rows, and writes down which.
#[actor(restart = permanent, mailbox = 200, intensity = "9 in 10s")]
struct Import {
    notes: std::path::PathBuf,
}

#[actor]
impl Import {
    #[idempotent]
    fn row(&mut self, number: u32) -> u32 {
        let mut earlier = fs::read_to_string(&self.notes).unwrap_or_default();
        earlier.push_str(&format!("{number} "));
        fs::write(&self.notes, &earlier).unwrap();
        // The first time that row 50 is begun, it stays there until it is killed.
        if number == 50 && earlier.split(' ').filter(|row| *row == "50").count() == 1 {
            std::thread::sleep(PATIENCE);
        }
        number
    }

    #[idempotent(5)]
    fn fatal(&mut self) {
        let earlier = fs::read_to_string(&self.notes).unwrap_or_default();
        fs::write(&self.notes, format!("{earlier}x")).unwrap();
        std::process::abort()
    }

    fn once(&mut self) {
        self.fatal()
    }
}

#[test]
fn sup_53_an_idempotent_message_is_handled_again_and_what_was_answered_is_not() {
    alone(|| {
        let notes = std::env::temp_dir().join("notes");
        let import = Import { notes: notes.clone() }.spawn().unwrap();
        let replies: Vec<_> = (1..=100).map(|number| import.row(number)).collect();
        let is_at_50 = || fs::read_to_string(&notes).is_ok_and(|text| text.ends_with(" 50 "));
        eventually("row 50", PATIENCE, is_at_50);
        processes::kill(import.pid().unwrap());
        for (number, reply) in (1..=100).zip(replies) {
            assert_eq!(reply.wait().unwrap(), number);
        }
        assert_eq!(import.incarnation(), 2);
        let begun: String = (1..=50).chain(50..=100).map(|number| format!("{number} ")).collect();
        assert_eq!(fs::read_to_string(&notes).unwrap(), begun);
        fs::remove_file(notes).unwrap();
    });
}

#[test]
fn an_idempotent_message_is_begun_as_often_as_its_attribute_says() {
    alone(|| {
        let notes = std::env::temp_dir().join("notes");
        let import = Import { notes: notes.clone() }.spawn().unwrap();
        let dies = |call: Reply<()>, times| {
            let error = call.wait().unwrap_err();
            assert_eq!(error.exit_reason().and_then(ExitReason::signal), Some(6), "{error}");
            assert_eq!(fs::read_to_string(&notes).unwrap(), "x".repeat(times));
        };
        dies(import.fatal(), 5);
        dies(import.once(), 6);
        fs::remove_file(notes).unwrap();
    });
}

/// Counts in this process.
#[actor(recycle_after = 10, recycle_jitter = 0, mailbox = 200)]
struct Counter {
    count: u32,
}

#[actor]
impl Counter {
    fn next(&mut self) -> u32 {
        self.count += 1;
        self.count
    }
}

#[supervisor]
struct Counters {
    ten: Counter,
    #[child(recycle_after = 5)]
    five: Counter,
    #[child(recycle_at_age = "20ms", recycle_after = 1000)]
    aged: Counter,
}

#[test]
fn actors_are_recycled_as_their_attributes_say() {
    alone(|| {
        let alone = Counter { count: 0 }.spawn().unwrap();
        let counter = || Counter { count: 0 };
        let all = Counters::start(CountersArgs { ten: counter(), five: counter(), aged: counter() }).unwrap();
        for (counter, after) in [(&alone, 10), (&all.ten, 10), (&all.five, 5)] {
            let replies: Vec<_> = (0..52).map(|_| counter.next()).collect();
            for (number, reply) in (0..).zip(replies) {
                assert_eq!(reply.wait().unwrap(), number % after + 1);
            }
            assert_eq!(counter.incarnation(), u64::from(51 / after + 1));
        }
        eventually("a fresh one", PATIENCE, || all.aged.incarnation() > 2);
    });
}

/// Hears of the ends of others.
#[actor(drain = always)]
struct Heir {
    heard: Vec<String>,
    notes: std::path::PathBuf,
}

#[actor]
impl Heir {
    #[on_exit]
    fn inherit(&mut self, down: phalanx::Down) {
        self.heard.push(down.reason.to_string());
    }

    fn heard(&self) -> Vec<String> {
        self.heard.clone()
    }

    fn wait_for(&self, path: std::path::PathBuf) {
        eventually("the file", PATIENCE, || path.exists());
    }

    #[tell]
    fn note(&self) {
        fs::write(&self.notes, "noted").unwrap();
    }
}

#[test]
fn an_actor_with_an_on_exit_hook_hears_of_the_end_of_those_it_is_linked_to() {
    alone(|| {
        let heir = Heir { heard: Vec::new(), notes: "unused".into() }.spawn().unwrap();
        let db = db().spawn().unwrap();
        phalanx::link(&heir, &db).unwrap();
        assert_eq!(db.len().wait().unwrap(), 0);
        assert!(heir.heard().wait().unwrap().is_empty());
        processes::kill(db.pid().unwrap());
        eventually("the news", PATIENCE, || !heir.heard().wait().unwrap().is_empty());
        assert_eq!(heir.heard().wait().unwrap(), [db.join().to_string()]);
        assert!(heir.is_alive());
    });
}

#[test]
fn what_is_queued_is_drained_as_the_attribute_says() {
    alone(|| {
        let place = std::env::temp_dir();
        let (go, notes) = (place.join("go"), place.join("notes"));
        let heir = Heir { heard: Vec::new(), notes: notes.clone() }.spawn().unwrap();
        let waiting = heir.wait_for(go.clone());
        eventually("the wait has begun", PATIENCE, || heir.depth() == 0);
        heir.note().unwrap();
        heir.terminate().unwrap();
        fs::write(&go, "").unwrap();
        waiting.wait().unwrap();
        assert_eq!(heir.join(), ExitReason::Stopped(StoppedBy::Ref));
        assert_eq!(fs::read_to_string(&notes).unwrap(), "noted");
        for file in [go, notes] {
            fs::remove_file(file).unwrap();
        }
    });
}

#[task(restart = transient, intensity = "2 in 10s")]
fn persistent(tries: std::path::PathBuf) -> usize {
    let earlier = fs::read_to_string(&tries).unwrap_or_default();
    fs::write(&tries, format!("{earlier}x")).unwrap();
    if earlier.len() < 2 { std::process::abort() } else { earlier.len() }
}

#[test]
fn a_task_is_restarted_as_its_attribute_says() {
    alone(|| {
        let tries = std::env::temp_dir().join("tries");
        let task = persistent::spawn(tries.clone()).unwrap();
        assert_eq!(task.join().unwrap(), 2);
        fs::remove_file(tries).unwrap();
    });
}
