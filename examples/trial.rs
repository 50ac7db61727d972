//! Trial.
fn main() {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let config = dwarves::config::Config::load(None).unwrap();
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let ok = actix_rt::System::new().block_on(async move {
        let pool = dwarves::wiring::start(&config, &dir).await.unwrap();
        let why = dwarves::wiring::signals::stop_wanted(pool.stop_wanted.clone()).await.unwrap();
        log::info!("stopping: {why}");
        pool.stop().await
    });
    println!("clean stop: {ok}");
}
