//! From a re-executed image to the root supervisor.
//!
//! The program starts itself again with a token in the environment and a socket as standard input. The hook in
//! `sys::image` sees the token before `main`, and this module decides whether it is meant.

use std::env;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::process::lines;
use crate::process::supervisor::{Office, Supervisor};
use crate::process::warden;
use crate::sys::{fd, frame, process, rlimit, signal, title};

/// The variable that holds the token: the pid of the program, a dash, a random number.
pub(crate) const TOKEN: &str = "PHALANX_BOOT";
pub(crate) const TOKEN_C: &CStr = c"PHALANX_BOOT";

/// The variable that marks every process of a tree, whoever started it, with the tree's random number.
pub(crate) const TREE: &str = "PHALANX_TREE";

/// What is said instead of the token by an image that cannot be a supervisor, because it has more than one thread.
pub(crate) const NOT_SINGLE: &[u8] = b"threads";

/// A start that is meant: the program waits at the other end.
pub(crate) struct Boot {
    control: OwnedFd,
    program: i32,
    token: String,
}

/// Decides whether this image is to become a supervisor. The token is used up either way.
pub(crate) fn accept() -> Option<Boot> {
    let token = env::var(TOKEN).ok()?;
    title::unset_environment(TOKEN_C);
    let program: i32 = token.split_once('-')?.0.parse().ok()?;
    // Without the socket it is a token that somebody copied, and this is a program like any other.
    let socket = fd::duplicate(0).ok()?;
    if !fd::is_seqpacket(socket.as_fd()) {
        return None;
    }
    // The program has been killed meanwhile. Its `main` must not run a second time here.
    if process::parent() != program {
        process::exit_now(0);
    }
    let control = fd::take_stdin().ok()?;
    Some(Boot { control, program, token })
}

/// Becomes the root supervisor, for good.
pub(crate) fn take_over(boot: Boot) -> ! {
    fd::fill_standard();
    fd::close_all_except(&[boot.control.as_raw_fd()]);
    signal::reset();
    if !process::confirm_single_thread() {
        // An initialiser of some library has started a thread; a supervisor that forks must not have any.
        let _ = frame::send_raw(boot.control.as_fd(), NOT_SINGLE, &[]);
        process::exit_now(1);
    }
    let descriptors = rlimit::raise_descriptors();
    if !lines::take_over(boot.control.as_fd()) {
        // At a limit of the system. The program sees that nobody is there.
        process::exit_now(1);
    }
    let owner = process::pidfd(boot.program).ok();
    // Without it, what the tree leaves behind when this process is killed could not be found.
    let Ok(warden) = warden::stand_behind() else { process::exit_now(1) };
    process::become_subreaper();
    title::set(&format!("phx-root: {}", program_name()));
    let masters = owner.into_iter().chain([warden]).collect();
    let supervisor = Supervisor::new(Office { control: boot.control, term: 0, masters, descriptors });
    match supervisor {
        Ok(mut supervisor) => {
            // The program, whose child is the warden, gets a handle on this process with it. Without one it starts no tree.
            let own = process::pidfd(process::pid()).ok();
            let own: Vec<_> = own.iter().map(AsFd::as_fd).collect();
            let _ = frame::send_raw(supervisor.control(), boot.token.as_bytes(), &own);
            supervisor.run()
        }
        Err(_) => process::exit_now(1),
    }
}

/// The file name of the executable.
fn program_name() -> String {
    let path = env::current_exe().ok();
    let name =
        path.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "program".to_owned()).trim_end_matches(" (deleted)").to_owned()
}
