//! Runs the only user code of a supervisor, on request: before it forks, so that its children share what was
//! loaded.

use crate::control::function::FunctionName;
use crate::ipc::bounds::DEPTH;
use crate::ipc::user_code;
use crate::sys::per_process::Home;
use crate::sys::process;

/// Runs the preload function.
///
/// # Errors
/// A message, if it panicked or left threads behind: a process with threads cannot be forked safely.
pub(super) fn run(function: &FunctionName, args: &[u8]) -> Result<(), String> {
    let runner = function.find().ok_or("the function to preload is not in this program")?;
    process::note_foreign_code();
    let home = Home::here();
    let kept = user_code::caught(|| runner.keep(args, Vec::new(), DEPTH));
    if !home.is_here() {
        process::say(
            "phalanx: a preload has forked, and the copy of its supervisor has come back from it: \
             it ends here\n",
        );
        process::exit_now(1);
    }
    match kept {
        Ok(loaded) => std::mem::forget(loaded?),
        Err(payload) => return Err(format!("the preload panicked: {}", words(&*payload))),
    }
    process::confirm_single_thread().map_err(|error| {
        format!(
            "the preload has left threads behind: {error}; children are forked, \
             and only a process with one thread can be forked safely"
        )
    })
}

fn words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
