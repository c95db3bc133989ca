//! The parts of the shop.

use std::process;

use phalanx::prelude::*;
use serde::{Deserialize, Serialize};

/// How a part ends on request.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Trouble {
    Abort,
    Exit(i32),
    /// It has no work left, which is no crash.
    Done,
}

impl Trouble {
    fn strike(self) -> ! {
        match self {
            Trouble::Abort => process::abort(),
            Trouble::Exit(code) => process::exit(code),
            Trouble::Done => phalanx::exit_actor(),
        }
    }
}

/// Keeps the orders, in memory only: a new process begins with the state of the first one.
#[actor]
#[derive(Default)]
pub(crate) struct Db {
    orders: Vec<String>,
}

impl Db {
    /// The order that it dies of.
    pub(crate) const BAD: &str = "something bad";
}

#[actor]
impl Db {
    pub(crate) fn order(&mut self, order: String) -> String {
        if order == Self::BAD {
            Trouble::Abort.strike()
        }
        self.orders.push(order);
        let (count, process) = (self.orders.len(), phalanx::current().incarnation());
        format!("order {count} of process {process}")
    }

    pub(crate) fn count(&self) -> usize {
        self.orders.len()
    }

    #[on_stop]
    fn close(&mut self) {
        println!("    the database closes");
    }
}

/// Asks the database, whose ref it was given before either of them ran.
#[actor]
pub(crate) struct Mailer {
    pub(crate) db: ActorRef<Db>,
}

#[actor]
impl Mailer {
    pub(crate) fn report(&self) -> phalanx::Result<String> {
        Ok(format!("{} orders, says process {}", self.db.count().wait()?, phalanx::current().incarnation()))
    }

    pub(crate) fn fail(&self, trouble: Trouble) {
        trouble.strike()
    }

    #[on_stop]
    fn close(&mut self) {
        println!("    the mailer closes");
    }
}

/// Exists for the others, and ends before them.
#[actor]
pub(crate) struct Heartbeat;

#[actor]
impl Heartbeat {
    #[on_stop]
    fn close(&mut self) {
        println!("    the heartbeat closes");
    }
}

#[actor]
#[derive(Default)]
pub(crate) struct Accounts {
    balance: u64,
}

#[actor]
impl Accounts {
    pub(crate) fn book(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }

    pub(crate) fn fail(&self, trouble: Trouble) {
        trouble.strike()
    }

    #[on_stop]
    fn close(&mut self) {
        println!("    the accounts close");
    }
}

#[actor]
pub(crate) struct Invoices {
    pub(crate) accounts: ActorRef<Accounts>,
    pub(crate) written: u64,
}

#[actor]
impl Invoices {
    pub(crate) fn write(&mut self, goods: String, amount: u64) -> phalanx::Result<String> {
        let balance = self.accounts.book(amount).wait()?;
        self.written += 1;
        Ok(format!("invoice {} for {goods}, the balance is {balance}", self.written))
    }

    #[on_stop]
    fn close(&mut self) {
        println!("    the invoices close");
    }
}
