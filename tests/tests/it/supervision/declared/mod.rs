//! Supervisors declared by `#[supervisor]`.

mod attributes;
mod early;
mod fields;

use std::fs;

use phalanx::prelude::*;
use phalanx::{ChildInfo, Shutdown, StoppedBy};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

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
        assert_eq!(shop.stop(EVENT_TIMEOUT).unwrap(), ExitReason::Stopped(StoppedBy::Ref));
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
        eventually("the next db", EVENT_TIMEOUT, || shop.db.incarnation() == 2);
        let _ = shop.mailer.end(1).wait();
        eventually("the next mailer", EVENT_TIMEOUT, || shop.mailer.incarnation() == 2);
        let _ = shop.mailer.end(0).wait();
        assert_eq!(shop.mailer.join(), ExitReason::Exited(0));
        let mailer = child(&shop, "mailer").unwrap();
        assert_eq!((mailer.pid, mailer.incarnation), (None, 2));
        let _ = shop.temporary.end(1).wait();
        assert_eq!(shop.temporary.join(), ExitReason::Exited(1));
        eventually("no spec of it", EVENT_TIMEOUT, || child(&shop, "temporary").is_none());
    });
}

#[test]
fn a_crash_in_a_nested_supervisor_is_its_own_business() {
    alone(|| {
        let shop = shop();
        let (ledger, archive) = (&shop.billing.ledger, &shop.billing.archive);
        archive.add("old".into()).wait().unwrap();
        let _ = ledger.end(1).wait();
        eventually("both again", EVENT_TIMEOUT, || ledger.incarnation() == 2 && archive.incarnation() == 2);
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
            eventually("the next ledger", EVENT_TIMEOUT, next);
        }
        eventually("archive too", EVENT_TIMEOUT, || shop.billing.archive.incarnation() == 5);
        eventually("it runs", EVENT_TIMEOUT, || shop.billing.archive.is_alive());
        assert_eq!((shop.billing.incarnation(), shop.db.incarnation()), (2, 1));
        assert_eq!(shop.billing.archive.len().wait().unwrap(), 0);
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
        eventually("the next work", EVENT_TIMEOUT, || job.work.incarnation() == 2);
        let _ = job.work.end(0).wait();
        assert_eq!(job.join_timeout(EVENT_TIMEOUT).unwrap(), ExitReason::Normal);
        assert!(!job.log.is_alive());
    });
}
