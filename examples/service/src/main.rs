//! An HTTP service in front of a C library that crashes, hangs and leaks.
//!
//! The library decodes pictures, in actors of which each has a process of its own. Whatever a stranger's file
//! does to the library there, the service answers: this request with the cause, the next one as ever.
//!
//! `cargo run --bin service -- --listen 127.0.0.1:8080`, then `curl --data-binary @FILE
//! http://127.0.0.1:8080/decode`

mod args;
mod decoder;
mod decoders;
mod metrics;
mod routes;
mod server;

use std::env;
use std::process::ExitCode;

#[phalanx::main]
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let options = match args::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("service: {message}");
            return ExitCode::from(2);
        }
    };
    match server::run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("service: {error}");
            ExitCode::FAILURE
        }
    }
}
