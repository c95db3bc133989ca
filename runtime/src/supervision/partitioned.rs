//! Copies of one actor, and a key that picks one of them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::actor::actor_ref::ActorRef;
use crate::actor::builder::{ActorBuilder, name_of};
use crate::actor::traits::Actor;
use crate::spawn::plan::{Found, Plan};
use crate::supervision::{IntoChild, Reachable, Supervisor, SupervisorBuilder, SupervisorRef};
use crate::types::escape::escaped;

impl Supervisor {
    /// `count` copies of an actor, each a process of its own, below one supervisor; each key belongs to one
    /// of them. `make` gets the index of each, from 0. (Elixir's
    /// [`PartitionSupervisor`](https://hexdocs.pm/elixir/PartitionSupervisor.html).)
    ///
    /// The strategy is one_for_one; the ids of the children are their indexes; their processes are named
    /// `name-index`, unless `make` sets another name. A `count` of 0 is refused at the start.
    ///
    /// ```
    /// use phalanx::prelude::*;
    ///
    /// #[actor]
    /// struct Visits { by_page: std::collections::BTreeMap<String, u64> }
    ///
    /// #[actor]
    /// impl Visits {
    ///     fn visit(&mut self, page: String) -> u64 {
    ///         let count = self.by_page.entry(page).or_default();
    ///         *count += 1;
    ///         *count
    ///     }
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let make = |_: u32| Visits { by_page: Default::default() }.builder();
    /// let visits = Supervisor::partitioned("visits", 4, make).start()?;
    /// assert_eq!(visits.of("/about").visit("/about".into()).wait()?, 1);
    /// assert_eq!(visits.of("/about").visit("/about".into()).wait()?, 2); // the same process
    /// assert_eq!(visits.all().len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn partitioned<A: Actor>(
        name: impl Into<String>,
        count: u32,
        make: impl FnMut(u32) -> ActorBuilder<A>,
    ) -> SupervisorBuilder<Partitioned<A>> {
        let name = name.into();
        let mut plan = Supervisor::one_for_one().plan;
        plan.children = copies(&name, count, make);
        if count == 0 {
            plan.fault = Some("there is at least one partition");
        }
        SupervisorBuilder::of(plan).name(name)
    }
}

/// So many copies of an actor, as children: their ids are their indexes, and so are their names, behind
/// `name`, unless `make` sets another one.
pub(super) fn copies<A: Actor>(
    name: &str,
    count: u32,
    make: impl FnMut(u32) -> ActorBuilder<A>,
) -> Vec<Plan> {
    let child = |(index, builder): (usize, ActorBuilder<A>)| {
        let mut child = builder.into_child();
        if child.plan.name.as_deref() == Some(name_of::<A>()) {
            child.plan.name = Some(format!("{name}-{index}"));
        }
        child.named(index.to_string())
    };
    (0..count).map(make).enumerate().map(child).collect()
}

/// The handle on the copies of an actor that [`Supervisor::partitioned`] has started.
///
/// It derefs to the [`SupervisorRef`] of their supervisor, is cheap to clone, and travels in messages, as
/// long as there are not more than 30 partitions: a message takes 31 refs.
pub struct Partitioned<A: Actor> {
    supervisor: SupervisorRef,
    partitions: Arc<[ActorRef<A>]>,
}

impl<A: Actor> Partitioned<A> {
    /// The partition that `key` belongs to: one and the same in every process of the program.
    ///
    /// That is the key's [`Hash`], fed into 64-bit FNV-1a (offset basis `cbf29ce484222325`, prime
    /// `100000001b3`), mixed by the finalizer of MurmurHash3, modulo the number of partitions. There is no
    /// seed. What a type feeds into its hash may differ between versions of Rust and between machines, so the
    /// place of a key must not be kept on disk.
    pub fn of<K: Hash + ?Sized>(&self, key: &K) -> &ActorRef<A> {
        let count = self.partitions.len() as u64;
        &self.partitions[(hash(key) % count) as usize]
    }

    /// All partitions, in the order of their indexes.
    pub fn all(&self) -> &[ActorRef<A>] {
        &self.partitions
    }
}

/// FNV-1a, as its authors publish it.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The low bits of FNV alone depend only on the low bits of the bytes, and the low bits decide.
        mixed(self.0)
    }
}

/// The finalizer of MurmurHash3: each bit of the result depends on every bit of the number.
pub(super) fn mixed(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

pub(super) fn hash<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    key.hash(&mut hasher);
    hasher.finish()
}

impl<A: Actor> Deref for Partitioned<A> {
    type Target = SupervisorRef;

    fn deref(&self) -> &SupervisorRef {
        &self.supervisor
    }
}

impl<A: Actor> Reachable for Partitioned<A> {
    fn at(found: Found) -> Self {
        let (supervisor, partitions) = found.open();
        Partitioned { supervisor, partitions: partitions.rest().into() }
    }
}

impl<A: Actor> Clone for Partitioned<A> {
    fn clone(&self) -> Self {
        Partitioned { supervisor: self.supervisor.clone(), partitions: Arc::clone(&self.partitions) }
    }
}

impl<A: Actor> fmt::Debug for Partitioned<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            write!(
                f,
                "Partitioned({}, {} x {})",
                self.supervisor.name(),
                self.partitions.len(),
                name_of::<A>()
            )
        })
    }
}

impl<A: Actor> Serialize for Partitioned<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.supervisor, &*self.partitions).serialize(serializer)
    }
}

impl<'de, A: Actor> Deserialize<'de> for Partitioned<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (supervisor, partitions) = <(SupervisorRef, Vec<ActorRef<A>>)>::deserialize(deserializer)?;
        if partitions.is_empty() {
            return Err(D::Error::custom("a `Partitioned` without partitions"));
        }
        Ok(Partitioned { supervisor, partitions: partitions.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_and_has_no_seed() {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        hasher.write(b"foobar");
        // From the test vectors of the FNV page.
        assert_eq!(hasher.0, 0x8594_4171_f739_67e8);
        assert_eq!(hash("a"), hash(&"a".to_owned()));
    }

    #[test]
    fn keys_spread_over_few_places() {
        for count in [2_u64, 3, 4, 8] {
            let mut places = vec![0_u32; count as usize];
            (0..1000_u64 * count).for_each(|key| places[(hash(&key) % count) as usize] += 1);
            assert!(places.iter().all(|keys| (850..1150).contains(keys)), "{places:?}");
        }
    }
}
