//! Runs a program to which the kernel refuses some system calls, as sandboxes do:
//! `refuse ERROR CALL.. -- PROGRAM [ARGUMENT..]`.
//!
//! ERROR is a number, such as 38 for ENOSYS and 1 for EPERM. What the program starts is refused them too.

#![allow(unsafe_code, reason = "a filter is set up by prctl, for which there is no safe way")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::sock_filter;

fn number(call: &str) -> Option<libc::c_long> {
    Some(match call {
        "clone3" => libc::SYS_clone3,
        "close_range" => libc::SYS_close_range,
        "eventfd2" => libc::SYS_eventfd2,
        "memfd_create" => libc::SYS_memfd_create,
        "pidfd_open" => libc::SYS_pidfd_open,
        "pidfd_send_signal" => libc::SYS_pidfd_send_signal,
        "prctl" => libc::SYS_prctl,
        "socketpair" => libc::SYS_socketpair,
        _ => return None,
    })
}

fn instruction(code: u32, jump_if: u8, jump_else: u8, value: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: jump_if, jf: jump_else, k: value }
}

/// Loads the number of the call, which lies at the beginning of what a filter is shown, and refuses those.
fn filter(error: u32, calls: &[libc::c_long]) -> Vec<sock_filter> {
    let mut filter = vec![instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for &call in calls {
        filter.push(instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call as u32));
        filter.push(instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | error));
    }
    filter.push(instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    filter
}

fn install(filter: &mut [sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: integers only.
    let allowed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the kernel copies a filter of that length, which outlives the call.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if allowed == 0 && done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || "refuse ERROR CALL.. -- PROGRAM [ARGUMENT..]".to_owned();
    let split = arguments.iter().position(|argument| argument == "--").ok_or_else(usage)?;
    let (error, calls) = arguments[..split].split_first().ok_or_else(usage)?;
    let error = error.parse().map_err(|_| usage())?;
    let calls: Vec<_> = calls
        .iter()
        .map(|call| number(call).ok_or(call))
        .collect::<Result<_, _>>()
        .map_err(|call| format!("unknown call {call}"))?;
    let (program, arguments) = arguments[split + 1..].split_first().ok_or_else(usage)?;
    install(&mut filter(error, &calls)).map_err(|error| format!("the filter: {error}"))?;
    Err(format!("{program}: {}", Command::new(program).args(arguments).exec()))
}
