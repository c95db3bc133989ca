#[expect(clippy::large_futures)]
/// Serves.
fn main() -> phalanx::Result<()> {
    #[tokio::main(flavor = "current_thread")]
    #[expect(clippy::large_futures)]
    async fn main() -> phalanx::Result<()> {
        serve().await
    }
    ::phalanx::__private::leave_signals();
    ::phalanx::__private::run_main(main)
}
