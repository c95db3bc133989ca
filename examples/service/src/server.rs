//! From the start of the decoders to the end of the last request.

use std::future::IntoFuture;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use phalanx::ActorPool;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::args::Options;
use crate::decoder::{self, Decoder};
use crate::decoders::Decoders;
use crate::metrics::Counts;
use crate::routes::{self, Service};

/// How long decoders have to end once all requests are answered.
const LAST: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or Ctrl-C; then answers what is under way.
///
/// # Errors
/// If the service cannot start, or its decoders have crashed so often that their supervisor has given up.
pub(crate) async fn run(options: &Options) -> phalanx::Result<()> {
    let served = serve(options, decoder::start(options.decoders).await?).await;
    // What the drain has cut off is not waited for: decoders are stopped, and killed if they are at something.
    phalanx::shutdown_within_async(LAST).await;
    served
}

async fn serve(options: &Options, decoders: ActorPool<Decoder>) -> phalanx::Result<()> {
    let mut stop = Stop::new()?;
    let listener = TcpListener::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let supervisor = decoders.supervisor().clone();
    let decoders = Decoders::new(decoders, options.deadline);
    let service = Arc::new(Service { decoders, answers: Counts::default() });
    let (drain, drained) = oneshot::channel::<()>();
    let server = axum::serve(listener, routes::router(service));
    let server = server.with_graceful_shutdown(async move {
        let _ = drained.await;
    });
    let mut server = tokio::spawn(server.into_future());
    // It may have no reader.
    let _ = writeln!(io::stdout(), "listening on http://{address}");

    let ended = tokio::select! {
        () = stop.asked() => Ok(()),
        reason = supervisor.join_async() => Err(phalanx::Error::new(format!("no decoders any more: {reason}"))),
        server = &mut server => return Ok(server??),
    };
    let _ = drain.send(());
    match tokio::time::timeout(options.drain, server).await {
        Ok(server) => server??,
        Err(_) => eprintln!("service: some connections were cut off after {:?}", options.drain),
    }
    ended
}

/// What asks the service to end: SIGTERM or Ctrl-C. From here on these signals do nothing else.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> io::Result<Stop> {
        Ok(Stop { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
