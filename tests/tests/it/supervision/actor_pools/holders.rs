//! Handles in other processes.

use phalanx::prelude::*;
use phalanx::{ActorPool, SupervisorError};
use phalanx_tests::alone;

use super::super::support::stage::stop;
use super::{Clerk, pool};

/// Has been given the handle, and knows nothing else of the pool.
#[actor]
struct Agent {
    pool: ActorPool<Clerk>,
}

#[actor]
impl Agent {
    fn served_by(&self, calls: u32) -> Result<Vec<u32>, CallError> {
        (0..calls).map(|_| self.pool.index().wait()).collect()
    }

    fn len(&self) -> usize {
        self.pool.len()
    }

    fn resize(&self, members: u32) -> Result<(), SupervisorError> {
        self.pool.resize(members)
    }

    fn owner(&self, key: String) -> ActorRef<Clerk> {
        self.pool.by_key(&key)
    }

    fn pool(&self) -> ActorPool<Clerk> {
        self.pool.clone()
    }
}

#[test]
fn each_holder_knows_of_a_resize_at_once() {
    alone(|| {
        let pool = pool(2..=4).start().unwrap();
        let agent = Agent { pool: pool.clone() }.spawn().unwrap();
        assert_eq!(agent.len().wait(), Ok(2));
        pool.resize(4).unwrap();
        assert_eq!(agent.len().wait(), Ok(4));
        let mut served = agent.served_by(16).wait().unwrap();
        served.sort_unstable();
        served.dedup();
        assert_eq!(served, [0, 1, 2, 3]);
        // And the other way round.
        agent.resize(1).wait().unwrap();
        assert_eq!((pool.len(), pool.index().wait()), (1, Ok(0)));
        let error = agent.resize(5).wait().unwrap_err();
        assert!(matches!(error, CallError::App(SupervisorError::Size { .. })), "{error:?}");
        agent.resize(3).wait().unwrap();
        assert_eq!(pool.len(), 3);
        stop(pool.supervisor());
    });
}

#[test]
fn a_key_has_one_owner_in_all_processes() {
    alone(|| {
        let pool = pool(3).start().unwrap();
        let agent = Agent { pool: pool.clone() }.spawn().unwrap();
        for key in (0..20).map(|number| format!("key {number}")) {
            assert_eq!(agent.owner(key.clone()).wait().unwrap(), pool.by_key(key.as_str()));
        }
        assert_eq!(agent.pool().wait().unwrap(), pool);
        assert_eq!(agent.pool().wait().unwrap().members(), pool.members());
        stop(pool.supervisor());
    });
}

#[test]
fn a_handle_travels_in_a_state_if_the_pool_has_room_for_29_members_and_not_more() {
    alone(|| {
        for (most, travels) in [(29, true), (30, false)] {
            let pool = pool(1..=most).start().unwrap();
            let agent = Agent { pool: pool.clone() }.spawn();
            assert_eq!(agent.is_ok(), travels, "{agent:?}");
            if let Ok(agent) = agent {
                assert_eq!(agent.served_by(2).wait(), Ok(vec![0, 0]));
                assert_eq!(agent.pool().wait().unwrap(), pool);
            }
            stop(pool.supervisor());
        }
    });
}
