//! Waiting for several descriptors at a time, of whatever kind.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::sys::{clock, poll};

/// Waits until at least one of these can be read, or has hung up; returns the indices of all that are so, in
/// order (Python's `connection.wait`).
///
/// Anything that is [`AsFd`] can be waited for: an end of a [`pipe`](crate::pipe()) with a message, a
/// [`Process`](crate::Process) that has ended, a socket, a timer. Different kinds go together as `&dyn AsFd`.
/// After `limit`, the result is empty; without a limit, the wait takes as long as it takes. With no things at
/// all, it lasts until the limit has passed. Signals do not end the wait early.
///
/// ```
/// use phalanx::prelude::*;
/// use std::os::fd::AsFd;
/// use std::time::Duration;
///
/// #[task]
/// fn work(mut results: phalanx::Pipe<u32>) -> phalanx::Result<()> {
///     Ok(results.send(&42)?)
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let (mut results, theirs) = phalanx::pipe::<u32, u32>()?;
/// let worker = work::spawn(theirs)?;
/// let both: [&dyn AsFd; 2] = [&results, &worker];
/// assert!(phalanx::wait_any(&both, Some(Duration::from_secs(10)))?.contains(&0) || !worker.is_alive());
/// assert_eq!(phalanx::wait_all(&both, Some(Duration::from_secs(10)))?, [0, 1]);
/// assert_eq!(results.recv()?, 42); // it has ended, and what it has sent is there
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `InvalidInput` for more things than the limit on descriptors, and for no things without a limit, because
/// that wait would never end.
pub fn wait_any<T: AsFd>(things: &[T], limit: Option<Duration>) -> io::Result<Vec<usize>> {
    wait(things, limit, |ready, _| ready > 0)
}

/// Like [`wait_any`], but waits until each of them has been ready. Returns those that have been, which is all
/// of them unless the limit has passed.
///
/// # Errors
/// As [`wait_any`].
pub fn wait_all<T: AsFd>(things: &[T], limit: Option<Duration>) -> io::Result<Vec<usize>> {
    wait(things, limit, |ready, all| ready == all && all > 0)
}

/// Waits until enough are ready.
fn wait<T: AsFd>(
    things: &[T],
    limit: Option<Duration>,
    enough: impl Fn(usize, usize) -> bool,
) -> io::Result<Vec<usize>> {
    if things.is_empty() && limit.is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "nothing to wait for, without a limit"));
    }
    let deadline = limit.map(clock::after);
    let (mut ready, mut waiting): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..things.len()).collect());
    loop {
        let left = deadline.map(clock::until);
        let fds: Vec<(BorrowedFd<'_>, bool)> =
            waiting.iter().map(|&place| (things[place].as_fd(), false)).collect();
        match poll::wait(&fds, left, None) {
            Ok(seen) => {
                let mut seen = seen.into_iter();
                waiting.retain(|&place| {
                    let is_ready = seen.next().unwrap_or_default();
                    ready.extend(is_ready.then_some(place));
                    !is_ready
                });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if enough(ready.len(), things.len()) || left == Some(Duration::ZERO) {
            ready.sort_unstable();
            return Ok(ready);
        }
    }
}
