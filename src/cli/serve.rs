//! `dwarves serve`: runs the pool.

use super::{Failure, ServeArgs};
use crate::config::{Config, origin};
use crate::wiring::sockets::Sockets;
use crate::wiring::standing_by::{self, Waited};
use crate::wiring::{self, service, signals};

/// The exit code of a stop that did not end.
const GAVE_UP: i32 = 1;

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
    // Before there are threads.
    let sockets = Sockets::from_environment()?;
    actix_rt::System::new().block_on(async move {
        let lead = match standing_by::wait_for_lead(&config, &args.data_dir, sockets).await? {
            Waited::Leads(lead) => lead,
            Waited::Stopped(why) => {
                log::info!("stopping because of {why}");
                service::stopping(why);
                return Ok(());
            }
        };
        let pool = wiring::start_on(&config, &args.data_dir, effective, *lead).await?;
        pool.tell_service_manager();
        let why = signals::stop_wanted(pool.stop_wanted.clone()).await?;
        log::info!("stopping because of {why}");
        service::stopping(why);
        let _in_time = service::deadline(wiring::STOP_MAX, give_up)?;
        if pool.stop().await {
            Ok(())
        } else {
            Err("stopping overran its time; nothing that was acknowledged is lost".into())
        }
    })
}

/// Ends the process although something of it does not: what was acknowledged is on disk.
fn give_up() {
    log::error!(
        "stopping takes more than {} s: a thread does not end. The process does; nothing that was acknowledged is lost",
        wiring::STOP_MAX.as_secs()
    );
    std::process::exit(GAVE_UP);
}
