//! Applies the spawn attributes in the new process.

use crate::child::panic;
use crate::control::attributes::SpawnAttributes;
use crate::control::boot_env::TREE;
use crate::control::{entry, output};
use crate::ipc::user_code;
use crate::reactor::context;
use crate::status::{ExitNotice, StatusPage};
use crate::sys::{attributes, fd};
use crate::types::exit::PANIC_CODE;
use crate::types::output::{Channel, Output};

/// Applies the attributes and calls the hooks. After an error, notes it in the status page and returns the
/// code to exit with.
pub(crate) fn enter(attributes: &SpawnAttributes, status_page: &StatusPage) -> Result<(), i32> {
    if let Err(error) = apply(attributes) {
        status_page.last_words(&error, "", None);
        status_page.note_exit(ExitNotice::NoOption);
        return Err(1);
    }
    for (offset, type_name) in &attributes.hooks {
        let ran = user_code::caught(|| entry::run_hook(*offset, type_name));
        context::leave_if_copy();
        match ran {
            Ok(true) => {}
            Ok(false) => {
                status_page.last_words("the option `before_start`: the function is not there", "", None);
                status_page.note_exit(ExitNotice::NoOption);
                return Err(1);
            }
            Err(payload) => {
                panic::correct(status_page, &*payload);
                status_page.note_exit(ExitNotice::Panicked);
                return Err(PANIC_CODE);
            }
        }
    }
    Ok(())
}

fn apply(of: &SpawnAttributes) -> Result<(), String> {
    attributes::change_environment(of.is_cleared.then_some(TREE), &of.environment);
    if let Some(directory) = &of.directory {
        let told = |error: std::io::Error| {
            format!("the option `current_dir`: {error}: {}", directory.to_string_lossy())
        };
        std::env::set_current_dir(directory).map_err(told)?;
    }
    redirect(&of.streams)?;
    attributes::set(of.nice, of.affinity.as_deref(), &of.limits)
        .map_err(|(attribute, error)| of.explain(attribute, &error))
}

/// Opens what the streams go to. Those of the log were put in their places before, see
/// [`Writers`](crate::control::output::Writers).
fn redirect(streams: &[Option<Output>; 2]) -> Result<(), String> {
    for channel in Channel::BOTH {
        let file = match &streams[channel as usize] {
            Some(Output::Null) => output::open_null(),
            Some(Output::File(path)) => output::open(path),
            None | Some(Output::Inherit | Output::Log | Output::Pipe) => continue,
        };
        let put =
            file.and_then(|file| fd::put(file.into(), channel.number()).map_err(|error| error.to_string()));
        put.map_err(|error| format!("the option `{}`: {error}", channel.name()))?;
    }
    Ok(())
}
