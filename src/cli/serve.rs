//! `dwarves serve`: runs the pool.

use super::{Failure, ServeArgs};
use crate::config::{Config, origin};
use crate::wiring::{self, signals};

/// Runs the pool until it is told to stop.
///
/// # Errors
/// If it cannot start, or a step of stopping overran.
pub fn run(args: ServeArgs) -> Result<(), Failure> {
    let ServeArgs {
        pool: args,
        payouts_held,
    } = args;
    let mut config = Config::load(args.config.as_deref())?;
    config.payouts.start_held |= payouts_held;
    let effective = origin::effective(args.config.as_deref())?;
    for setting in origin::changed(&effective) {
        log::info!(
            "setting {} = {} from {}",
            setting.key,
            setting.value,
            setting.origin
        );
    }
    log::info!("all other settings are the program's own; `status` and config.toml list them");
    actix_rt::System::new().block_on(async move {
        let pool = wiring::start(&config, &args.data_dir, effective).await?;
        let why = signals::stop_wanted(pool.stop_wanted.clone()).await?;
        log::info!("stopping because of {why}");
        if pool.stop().await {
            Ok(())
        } else {
            Err("stopping overran its time; nothing that was acknowledged is lost".into())
        }
    })
}
