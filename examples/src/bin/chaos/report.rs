//! The results, and whether they are as promised.

use std::io::{self, Write};

use serde_json::json;

use crate::args::Options;
use crate::bunglers::Bungled;
use crate::client::Account;

pub(crate) struct Report {
    pub(crate) options: Options,
    pub(crate) kills: u64,
    pub(crate) account: Account,
    /// Messages that processes died in, by the supervisors' counts.
    pub(crate) interrupted: u64,
    /// Replies under way when a process died: only the caller knows whether one got out.
    pub(crate) cut: u64,
    pub(crate) recovered: bool,
    pub(crate) leftovers: usize,
    pub(crate) crashes: Option<Crashes>,
    pub(crate) pool: Option<Pooled>,
    pub(crate) bungled: Option<Bungled>,
}

/// The outcomes of a pool's tasks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pooled {
    pub(crate) tasks: u64,
    pub(crate) idempotent: bool,
    /// Tasks without an outcome, and with more than one.
    pub(crate) missing: u64,
    pub(crate) twice: u64,
    /// Tasks whose outcome contradicts their workers' notes.
    pub(crate) untrue: u64,
    /// How many repetitions there were.
    pub(crate) repeated: u64,
    /// Deaths in tasks that no kill explains.
    pub(crate) unexplained: u64,
    /// By how much the pool's own report differs, in deaths and in tasks lost by them.
    pub(crate) miscounted: u64,
}

/// The calls that were meant to crash the actor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crashes {
    pub(crate) ordered: u64,
    /// Calls that ended by the actor's death, as they should.
    pub(crate) lost: u64,
    pub(crate) other: u64,
    pub(crate) incarnation: u64,
}

impl Report {
    /// Calls that ended by a death, on the callers' side.
    fn lost_calls(&self) -> u64 {
        self.account.died + self.crashes.map_or(0, |crashes| crashes.lost)
    }

    /// Messages that were lost without having been in progress: deaths beyond the counted ones, and calls
    /// that ended in any other error.
    fn lost_queued(&self) -> u64 {
        let errors: u64 = self.account.errors.values().sum();
        let other = errors - self.account.died;
        other + self.lost_calls().saturating_sub(self.interrupted + self.cut)
    }

    /// Deaths in a message whose caller was not told.
    fn untold(&self) -> u64 {
        self.interrupted.saturating_sub(self.lost_calls())
    }

    fn unaccounted(&self) -> u64 {
        let errors: u64 = self.account.errors.values().sum();
        self.account.calls.abs_diff(self.account.replies + errors)
    }

    fn crashes_add_up(&self) -> bool {
        self.crashes.is_none_or(|crashes| {
            crashes.lost == crashes.ordered
                && self.account.died == 0
                && crashes.incarnation == crashes.ordered + 1
                && (self.interrupted, self.cut) == (crashes.ordered, 0)
        })
    }

    fn pool_adds_up(&self) -> bool {
        self.pool.is_none_or(|pool| {
            let as_promised =
                if pool.idempotent { self.account.replies == pool.tasks } else { pool.repeated == 0 };
            (pool.missing, pool.twice, pool.untrue) == (0, 0, 0)
                && (pool.unexplained, pool.miscounted) == (0, 0)
                && as_promised
        })
    }

    fn is_ok(&self) -> bool {
        self.lost_queued() == 0
            && self.untold() == 0
            && self.unaccounted() == 0
            && self.account.order_violations == 0
            && self.account.hangs == 0
            && self.leftovers == 0
            && self.recovered
            && self.crashes_add_up()
            && self.pool_adds_up()
            && self.bungled.as_ref().is_none_or(Bungled::is_ok)
    }

    /// Prints the report; returns whether every promise held.
    pub(crate) fn print(&self, as_json: bool) -> phalanx::Result<bool> {
        let mut out = io::stdout().lock();
        if as_json {
            writeln!(out, "{}", self.json())?;
        } else {
            self.text(&mut out)?;
        }
        Ok(self.is_ok())
    }

    fn json(&self) -> serde_json::Value {
        let mut report = json!({
            "seed": self.options.seed,
            "seconds": self.options.time.as_secs(),
            "kills": self.kills,
            "calls": self.account.calls,
            "replies": self.account.replies,
            "errors": self.account.errors,
            "lost_in_progress": self.interrupted,
            "cut_answers": self.cut,
            "lost_queued": self.lost_queued(),
            "order_violations": self.account.order_violations,
            "hangs": self.account.hangs,
            "recovered": self.recovered,
            "leftovers": self.leftovers,
            "ok": self.is_ok(),
        });
        if let Some(crashes) = self.crashes {
            report["crashes"] = json!({
                "ordered": crashes.ordered,
                "calls_lost": crashes.lost,
                "incarnations": crashes.incarnation,
            });
        }
        if let Some(pool) = self.pool {
            report["pool"] = json!({
                "tasks": pool.tasks,
                "idempotent": pool.idempotent,
                "without_outcome": pool.missing,
                "with_several": pool.twice,
                "untrue_outcomes": pool.untrue,
                "repeated": pool.repeated,
                "unexplained_deaths": pool.unexplained,
                "miscounted": pool.miscounted,
            });
        }
        if let Some(bungled) = &self.bungled {
            report["bungled"] = json!({
                "blunders": bungled.blunders,
                "calls": bungled.account.calls,
                "replies": bungled.account.replies,
                "errors": bungled.account.errors,
                "hangs": bungled.account.hangs,
                "order_violations": bungled.account.order_violations,
                "unexplained": bungled.unexplained,
                "bystander_deaths": bungled.bystander_deaths,
            });
        }
        report
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let account = &self.account;
        writeln!(out, "seed                        {}", self.options.seed)?;
        writeln!(out, "blows                       {}", self.kills)?;
        writeln!(out, "calls                       {}", account.calls)?;
        writeln!(out, "  answered                  {}", account.replies)?;
        for (kind, count) in &account.errors {
            writeln!(out, "  ended as {kind:<16} {count}")?;
        }
        if let Some(crashes) = self.crashes {
            writeln!(out, "calls that crashed it       {} of {}", crashes.lost, crashes.ordered)?;
            writeln!(out, "processes of the actor      {}", crashes.incarnation)?;
        }
        if let Some(pool) = self.pool {
            writeln!(out, "tasks without an outcome    {} (and {} with several)", pool.missing, pool.twice)?;
            writeln!(out, "outcomes that are not true  {} (by what the workers have noted)", pool.untrue)?;
            writeln!(out, "tasks begun once more       {}", pool.repeated)?;
            writeln!(
                out,
                "deaths without a kill       {} (and {} miscounted)",
                pool.unexplained, pool.miscounted
            )?;
        }
        if let Some(bungled) = &self.bungled {
            let account = &bungled.account;
            writeln!(out, "blunders of other actors    {}", bungled.blunders)?;
            writeln!(out, "calls to them               {}", account.calls)?;
            writeln!(out, "  answered                  {}", account.replies)?;
            for (kind, count) in &account.errors {
                writeln!(out, "  ended as {kind:<16} {count}")?;
            }
            for (what, count) in &bungled.unexplained {
                writeln!(out, "  not explained: {what} ({count} times)")?;
            }
            writeln!(out, "  hung past their deadline  {}", account.hangs)?;
            writeln!(out, "deaths of one beside them   {}", bungled.bystander_deaths)?;
        }
        writeln!(out, "messages processes died in  {} (and {} while answering)", self.interrupted, self.cut)?;
        writeln!(out, "queued messages lost        {}", self.lost_queued())?;
        writeln!(out, "callers not told            {}", self.untold())?;
        writeln!(out, "out of order                {}", account.order_violations)?;
        writeln!(out, "hung past their deadline    {}", account.hangs)?;
        writeln!(out, "all actors answer again     {}", self.recovered)?;
        writeln!(out, "left behind                 {}", self.leftovers)?;
        writeln!(out, "{}", if self.is_ok() { "every promise held" } else { "A PROMISE BROKE" })
    }
}
