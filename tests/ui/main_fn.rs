//! `#[phalanx::main]` stands on a plain function without arguments.

#[phalanx::main]
fn arguments(_args: Vec<String>) {}

#[phalanx::main]
async fn asynchronous() {}

#[phalanx::main]
fn generic<T>() {}

#[phalanx::main]
const fn constant() {}

#[phalanx::main]
unsafe fn dangerous() {}

#[phalanx::main]
extern "C" fn foreign() {}

#[phalanx::main(threads = 4)]
fn options() {}

#[phalanx::main]
struct Program;

#[phalanx::main]
async fn main() {
    let _ = Program;
}
