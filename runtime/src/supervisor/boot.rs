//! From a re-executed image to the root supervisor.
//!
//! The program starts itself again with a token as first argument and a socket as standard input; the socket
//! holds a copy of the token's random part. The hook sees the token before `main`, and this module checks it.
//! Such an image never reaches `main`: it becomes a supervisor, or ends with a report to the program.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::{env, io};

use crate::control::step::{Obstacle, Step};
use crate::ipc::uplink;
use crate::status::root_supervisor;
use crate::supervisor::{Config, Equipment, Supervisor, reaper};
use crate::sys::{executable, fd, process, proctitle, rlimit, seqpacket, signal};

executable::before_main!(accept, take_over);

/// The beginning of the first argument of an image that is to become a supervisor.
const SIGN: &str = "phalanx-boot ";

/// A secret that only the program and the image that it starts share.
///
/// It is not in the environment, which all processes below would inherit. The first argument belongs to one
/// image only, and makes room for its title once it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    program: i32,
    secret: String,
}

impl Token {
    pub(crate) fn new() -> Token {
        Token { program: process::pid(), secret: format!("{:016x}", process::random()) }
    }

    /// The first argument of the image, padded to the length of a title.
    pub(crate) fn argument(&self) -> String {
        let text = format!("{SIGN}{} {}", self.program, self.secret);
        format!("{text:width$}", width = proctitle::TITLE)
    }

    /// The bytes that lie in the control channel before the image starts, with the uplinks beside them.
    pub(crate) fn word(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    /// Reads a token from a first argument, if it is one.
    fn parse(argument: &[u8]) -> Option<Token> {
        let text = str::from_utf8(argument).ok().filter(|text| text.len() == proctitle::TITLE)?;
        let (program, secret) = text.strip_prefix(SIGN)?.trim_end().split_once(' ')?;
        let well_formed = secret.len() == 16 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        well_formed.then_some(())?;
        Some(Token { program: program.parse().ok()?, secret: secret.to_owned() })
    }
}

/// Whether this image was started to become a supervisor. Valid before the hook has run, too: an earlier
/// initialiser can ask.
pub(crate) fn is_meant() -> bool {
    executable::is_taken_over()
        || !executable::is_program()
            && executable::first_argument().and_then(|argument| Token::parse(&argument)).is_some()
}

/// Whether the hook, and the runtime with it, is in the program's executable and not in a shared library.
pub(crate) fn is_in_executable() -> bool {
    executable::contains(&HOOK)
}

/// A verified start: the program waits at the other end.
pub(crate) struct Boot {
    control: OwnedFd,
    token: Token,
}

/// Decides whether this image becomes a supervisor. `None`: it is an ordinary program.
///
/// Ends the image if it should become one and cannot.
pub(crate) fn accept(argument: &[u8]) -> Option<Boot> {
    let token = Token::parse(argument)?;
    match Step::Identify.attempt(|| is_genuine(&token)).unwrap_or_else(|obstacle| refuse(&obstacle)) {
        true => {}
        // A copy of another image's token. Below its own program no image may run `main`: that would start
        // the next one.
        false if !process::is_below_own_program() => return None,
        false => {
            eprintln!(
                "phalanx: an image of this program was started to be its supervisor, \
                 but not by the program; it does not run `main`"
            );
            process::exit_now(Step::Identify.code())
        }
    }
    if !Step::Parent.attempt(|| is_below(token.program)).unwrap_or_else(|obstacle| refuse(&obstacle)) {
        // The program has been killed meanwhile.
        process::exit_now(0);
    }
    Some(take_control(token).unwrap_or_else(|obstacle| refuse(&obstacle)))
}

/// Whether the other end of standard input sent the secret of the token and has the credentials of this
/// process.
fn is_genuine(token: &Token) -> io::Result<bool> {
    let socket = fd::standard_input();
    if !fd::is_own_seqpacket(socket)? {
        return Ok(false);
    }
    let mut buffer = [0; 64];
    let len = seqpacket::peek_bytes(socket, &mut buffer)?;
    Ok(buffer.get(..len) == Some(token.word()))
}

/// Whether the program is alive and the parent of this process.
fn is_below(program: i32) -> io::Result<bool> {
    match process::parent() {
        // The parent is 0 only in a pid namespace of its own.
        0 => Err(io::Error::other("it is in another pid namespace (did the program call `unshare`?)")),
        parent => Ok(parent == program),
    }
}

fn take_control(token: Token) -> Result<Boot, Obstacle> {
    let control = Step::Control.attempt(|| fd::duplicate(0))?;
    Step::Standard.attempt(|| {
        fd::put_nothing(0)?;
        fd::fill_standard()
    })?;
    Ok(Boot { control, token })
}

/// Becomes the root supervisor, for good.
pub(crate) fn take_over(boot: Boot) -> ! {
    let Boot { control, token } = boot;
    fd::close_all_except(&[control.as_raw_fd()]);
    signal::reset();
    let Settled { masters, own, descriptors, equipment } =
        settle(&control, token.program).unwrap_or_else(|obstacle| end(control.as_fd(), &obstacle));
    let mut supervisor = Supervisor::new(Config { control, term: 0, masters, descriptors }, equipment);
    // The program's child is the reaper, so the message carries a handle on this process.
    Step::Word
        .attempt(|| seqpacket::send_raw(supervisor.control(), token.word(), &[own.as_fd()]))
        .unwrap_or_else(|obstacle| end(supervisor.control(), &obstacle));
    drop(own);
    supervisor.run()
}

/// The parts of a root supervisor.
struct Settled {
    /// Handles on the program and the reaper.
    masters: Vec<OwnedFd>,
    /// A handle on this process.
    own: OwnedFd,
    /// The soft limit on descriptors as it was.
    descriptors: u64,
    equipment: Equipment,
}

/// How many initialisers of this crate the program has. The unit tests also link the crate as the benchmarks use
/// it, beside the one under test.
const INITIALISERS: usize = if cfg!(test) { 2 } else { 1 };

/// Prepares all that a root supervisor needs. Returns in the child of the reaper, except with an error.
fn settle(control: &OwnedFd, program: i32) -> Result<Settled, Obstacle> {
    Step::Threads.attempt(process::confirm_single_thread)?;
    if executable::may_have_run_foreign_code(INITIALISERS) {
        process::note_foreign_code();
    }
    let descriptors = rlimit::raise_descriptors();
    Step::TakeLines.attempt(|| uplink::take_over(control.as_fd()))?;
    let owner = Step::Owner.attempt(|| process::pidfd(program))?;
    // Without a reaper, the processes that the tree leaves behind when this one is killed could not be found.
    let reaper = Step::Reaper.attempt(reaper::stand_behind)?;
    Step::Subreaper.attempt(process::become_subreaper)?;
    root_supervisor::note(process::pid());
    let own = Step::Own.attempt(|| process::pidfd(process::pid()))?;
    let equipment = Step::Equipment.attempt(Equipment::new)?;
    proctitle::set(&format!("phx-root: {}", program_name()));
    Ok(Settled { masters: vec![owner, reaper], own, descriptors, equipment })
}

/// Ends this image before it has taken over its control channel, which is still standard input.
fn refuse(obstacle: &Obstacle) -> ! {
    end(fd::standard_input(), obstacle)
}

/// Ends this image, and reports the reason to the program.
fn end(control: BorrowedFd<'_>, obstacle: &Obstacle) -> ! {
    // The exit code names the step, in case this report does not arrive. A reaper, if there is one already,
    // ends with this process.
    let _ = seqpacket::send_raw(control, &obstacle.to_bytes(), &[]);
    process::exit_now(obstacle.step.code())
}

/// The file name of the executable.
fn program_name() -> String {
    let path = env::current_exe().ok();
    let name =
        path.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "program".to_owned()).trim_end_matches(" (deleted)").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_program_runs_no_foreign_code_before_main() {
        assert!(!executable::may_have_run_foreign_code(INITIALISERS));
    }
}
