//! Running a function on another stack of the same thread: on x86-64 by the seven instructions that it takes,
//! elsewhere by the crate `stacker`, which brings seven crates and assembles theirs with a C compiler.

#[cfg(target_arch = "x86_64")]
pub(super) use by_hand::grow;

/// Runs `act` on a new stack of at least this size. `None`, and `act` does not run, if there is no memory for
/// it.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn grow<T>(size: usize, act: impl FnOnce() -> T) -> Option<T> {
    use crate::mapping::Mapping;

    // Without memory, the library panics.
    drop(Mapping::anonymous(size, false).ok()?);
    Some(stacker::grow(size, act))
}

#[cfg(target_arch = "x86_64")]
mod by_hand {
    use std::ffi::c_void;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::ptr;
    use std::thread;

    use crate::mapping::Mapping;

    /// What runs on the new stack, and what has come of it.
    struct Job<F, T> {
        act: Option<F>,
        done: Option<thread::Result<T>>,
    }

    /// Runs `act` on a new stack of at least this size, below which no byte can be read or written. `None`,
    /// and `act` does not run, if there is no memory for it.
    pub(crate) fn grow<T, F: FnOnce() -> T>(size: usize, act: F) -> Option<T> {
        let stack = Mapping::stack(size).ok()?;
        let mut job = Job { act: Some(act), done: None };
        // SAFETY: `stack` is memory of ours that nothing else uses, its end is aligned to a page, and it is
        // there until after the call. `run` fits the type of `job`, and does not unwind.
        unsafe { call(ptr::from_mut(&mut job).cast(), run::<F, T>, stack.end()) };
        drop(stack);
        match job.done? {
            Ok(value) => Some(value),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Does a job. Does not unwind: nothing on this stack could go on with that.
    ///
    /// # Safety
    /// `job` is a `Job<F, T>` that nothing else uses meanwhile.
    unsafe extern "sysv64" fn run<F: FnOnce() -> T, T>(job: *mut c_void) {
        // SAFETY: as the caller promises.
        let job = unsafe { &mut *job.cast::<Job<F, T>>() };
        if let Some(act) = job.act.take() {
            job.done = Some(catch_unwind(AssertUnwindSafe(act)));
        }
    }

    /// Calls `run` with `job`, on the stack that ends at `end`, and returns when that has returned. The frame
    /// of this function is found by the register `rbp`, which `run` preserves, so that backtraces go on from
    /// the new stack to the one before.
    ///
    /// # Safety
    /// The memory below `end`, which is a multiple of 16, is a stack that nothing else uses, and large enough
    /// for `run`; `run` may be called with `job`, and does not unwind.
    #[unsafe(naked)]
    unsafe extern "sysv64" fn call(
        job: *mut c_void,
        run: unsafe extern "sysv64" fn(*mut c_void),
        end: *mut c_void,
    ) {
        // `job` stays where it is, in `rdi`, which is where `run` expects it.
        std::arch::naked_asm!(
            ".cfi_startproc",
            "push rbp",
            ".cfi_def_cfa_offset 16",
            ".cfi_offset rbp, -16",
            "mov rbp, rsp",
            ".cfi_def_cfa_register rbp",
            "mov rsp, rdx",
            "call rsi",
            "mov rsp, rbp",
            "pop rbp",
            ".cfi_def_cfa rsp, 8",
            "ret",
            ".cfi_endproc",
        )
    }
}
