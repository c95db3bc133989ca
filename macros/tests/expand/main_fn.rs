fn main() -> phalanx::Result<()> {
    ::phalanx::__private::run_main(|| -> phalanx::Result<()> {
        run()?;
        Ok(())
    })
}
