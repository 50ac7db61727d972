//! The demo of evaluated work: a pool, an evaluator in Python, and three miners that train a small model at different speeds.
//!
//! The task is that of `examples/evaluator.py`: to say by a polynomial what sin(x) is. Each miner descends its own gradient,
//! submits what it has, and is paid by 1/loss.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dwarves_api_types::books::Rounds;
use dwarves_api_types::miners::MinerStatus;
use dwarves_api_types::submissions::Submission;
use dwarves_domain::hotkey::Hotkey;
use dwarves_domain::rewards::{Scheme, Source};
use dwarves_domain::time::Span;
use dwarves_domain::units::Amount;
use dwarves_miner::api::PoolClient;
use dwarves_miner::transport::{ApiError, Transport};
use serde_json::json;
use ureq::http::Method;

use super::story::Story;
use super::{DemoError, DemoMiner, DemoOptions, end, make_miners, url_of};
use crate::config::{Config, WorkKind};
use crate::terminal::{Align, Table, amount, width};
use crate::wiring::{self, RunningPool};

/// The miners: a name, and steps of descent between two submissions.
const MINERS: [(&str, u32); 3] = [("fast", 60), ("middle", 20), ("slow", 6)];
/// Between two submissions of a miner.
const SUBMIT_EVERY: Duration = Duration::from_secs(3);
/// Coefficients of the polynomials.
const COEFFICIENTS: usize = 8;
/// Points that a miner learns from. The evaluator has others.
const POINTS: u32 = 64;
/// How far a step goes against the gradient.
const RATE: f64 = 0.4;
const RUN_INTERVAL: Span = Span::from_secs(10);
/// How often the miners' standing is told.
const STANDING_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The unit in which the demo pays, with nine decimal places: 10 of it each round.
const UNIT: &str = "DEMO";
const DECIMALS: u8 = 9;
const EMISSION: u64 = 10_000_000_000;
/// The evaluator, which stands in the binary.
const EVALUATOR: &str = include_str!("../../examples/evaluator.py");

/// The settings: an evaluated pool whose evaluator is a command.
fn config(options: &DemoOptions, data_dir: &Path) -> Result<Config, DemoError> {
    let evaluator = data_dir.join("evaluator.py");
    std::fs::write(&evaluator, EVALUATOR)?;
    let mut config = Config::default();
    config.http.listen = options.listen.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    config.work.kind = WorkKind::Evaluated;
    config.evaluator.command = vec!["python3".to_owned(), evaluator.display().to_string()];
    config.evaluator.at_once = 2;
    config.evaluator.task = Some(json!({ "approximate": "sin(x)", "from": -3, "to": 3 }).to_string());
    config.pool.unit = Some(UNIT.to_owned());
    config.pool.decimals = DECIMALS;
    config.rewards.scheme = Scheme::InverseLoss;
    config.rewards.source = Source::Emission;
    config.rewards.run_interval = RUN_INTERVAL;
    config.rewards.emission = Amount::from_sats(EMISSION).unwrap_or_default();
    Ok(config)
}

/// Runs the demo until Ctrl-C or its duration is over.
///
/// # Errors
/// See [`DemoError`].
pub(super) async fn run(options: &DemoOptions, data_dir: &Path, story: Story) -> Result<(), DemoError> {
    let miners = make_miners(data_dir, &MINERS)?;
    let pool = wiring::start(&config(options, data_dir)?, data_dir, Vec::new()).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let names = miners.iter().map(|miner| (miner.key.hotkey(), miner.name));
    let teller = start_teller(&pool, data_dir, names.collect(), story, Arc::clone(&stop))?;
    let trainers = miners
        .into_iter()
        .map(|miner| start_trainer(&pool, miner, Arc::clone(&stop)))
        .collect::<Result<Vec<_>, _>>()?;
    end(
        options,
        pool,
        &stop,
        trainers.into_iter().chain([teller]).collect(),
    )
    .await
}

/// A polynomial on its way to sin(x).
struct Model([f64; COEFFICIENTS]);

impl Model {
    /// One step against the gradient of the mean squared error.
    fn step(&mut self) {
        let mut gradient = [0.0; COEFFICIENTS];
        for n in 0..POINTS {
            let x = f64::from(n) / f64::from(POINTS - 1) * 2.0 - 1.0;
            let said = self.0.iter().rev().fold(0.0, |sum, c| sum * x + c);
            let error = said - (3.0 * x).sin();
            let mut power = 1.0;
            for of in &mut gradient {
                *of += 2.0 * error * power / f64::from(POINTS);
                power *= x;
            }
        }
        for (coefficient, slope) in self.0.iter_mut().zip(gradient) {
            *coefficient -= RATE * slope;
        }
    }
}

fn start_trainer(
    pool: &RunningPool,
    miner: DemoMiner,
    stop: Arc<AtomicBool>,
) -> std::io::Result<thread::JoinHandle<()>> {
    let url = url_of(pool.http);
    let name = format!("miner-{}", miner.name);
    thread::Builder::new().name(name).spawn(move || {
        let mut client = match PoolClient::new(&url, Arc::clone(&miner.key), None) {
            Ok(client) => client,
            Err(error) => return log::error!("miner {} stopped: {error}", miner.name),
        };
        let mut model = Model([0.0; COEFFICIENTS]);
        while !stop.load(Ordering::Relaxed) {
            for _ in 0..miner.speed {
                model.step();
            }
            let work = json!({ "coefficients": model.0 });
            if let Err(error) = client.submit_to_be_evaluated(&work) {
                log::debug!("miner {} is not heard: {error}", miner.name);
            }
            nap(SUBMIT_EVERY, &stop);
        }
    })
}

/// Sleeps, but not beyond the end.
fn nap(time: Duration, stop: &AtomicBool) {
    let piece = Duration::from_millis(100);
    let mut slept = Duration::ZERO;
    while slept < time && !stop.load(Ordering::Relaxed) {
        thread::sleep(piece);
        slept += piece;
    }
}

/// Tells what happens, from what the API shows to anybody.
struct Teller {
    transport: Transport,
    names: Vec<(Hotkey, &'static str)>,
    story: Story,
    last_round: u64,
}

fn start_teller(
    pool: &RunningPool,
    data_dir: &Path,
    names: Vec<(Hotkey, &'static str)>,
    mut story: Story,
    stop: Arc<AtomicBool>,
) -> Result<thread::JoinHandle<()>, DemoError> {
    let url = url_of(pool.http);
    story.write(&format!(
        "A pool that has work evaluated, its evaluator in Python, and three miners that train a model of sin(x). Ctrl-C ends \
         it.\n\n  pool    {url}\n  data    {}\n  look    curl -s {url}/v1/pool\n          curl -s {url}/v1/rounds\n\n",
        data_dir.display()
    ));
    let transport = Transport::new(&url).map_err(|error| std::io::Error::other(error.to_string()))?;
    let mut teller = Teller {
        transport,
        names,
        story,
        last_round: 0,
    };
    let told = thread::Builder::new().name("narrator".to_owned()).spawn(move || {
        let mut waited = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
            teller.look(waited >= STANDING_EVERY);
            if waited >= STANDING_EVERY {
                waited = Duration::ZERO;
            }
        }
        teller.look(true);
        teller
            .story
            .write("\nStopping: every submission that was acknowledged is on disk.\n");
    });
    Ok(told?)
}

impl Teller {
    fn look(&mut self, is_standing_due: bool) {
        let told = self.tell_rounds().and_then(|()| match is_standing_due {
            true => self.tell_standing(),
            false => Ok(()),
        });
        if let Err(error) = told {
            log::debug!("the narrator sees nothing: {error}");
        }
    }

    fn get<T: serde::de::DeserializeOwned>(&self, route: &str) -> Result<T, ApiError> {
        let path = self.transport.path(route);
        self.transport
            .call(Method::GET, &path, &[], None, ANSWER_WITHIN)?
            .read()
    }

    fn tell_rounds(&mut self) -> Result<(), ApiError> {
        let rounds: Rounds = self.get("/v1/rounds?limit=20")?;
        for round in rounds.rounds.iter().rev() {
            if round.id <= self.last_round {
                continue;
            }
            self.last_round = round.id;
            let credited = amount(i128::from(round.credited_sats), DECIMALS);
            self.story
                .tell(&format!("round {} paid {credited} {UNIT}", round.id));
        }
        Ok(())
    }

    fn tell_standing(&mut self) -> Result<(), ApiError> {
        let columns = [
            ("miner", Align::Left),
            ("best loss", Align::Right),
            ("latest", Align::Right),
            (UNIT, Align::Right),
        ];
        let mut rows = Vec::new();
        for (hotkey, name) in &self.names {
            let status: MinerStatus = match self.get(&format!("/v1/miners/{hotkey}")) {
                Ok(status) => status,
                // It has not registered yet.
                Err(ApiError::Problem { status: 404, .. }) => continue,
                Err(error) => return Err(error),
            };
            let loss = |submission: Option<&Submission>| {
                submission.map_or_else(String::new, |submission| match submission.loss {
                    Some(loss) => loss.0.to_string(),
                    None => submission.state.to_string(),
                })
            };
            let results = status.results.as_ref();
            rows.push(vec![
                (*name).to_owned(),
                loss(results.and_then(|results| results.best.as_ref())),
                loss(results.and_then(|results| results.latest.as_ref())),
                status.balance_sats.map_or_else(String::new, |balances| {
                    amount(i128::from(balances.payable), DECIMALS)
                }),
            ]);
        }
        let table = Table::new(&columns, rows).fit(width());
        self.story.write(&format!("\n{table}\n"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_brings_the_model_nearer_to_what_it_learns() {
        let mut model = Model([0.0; COEFFICIENTS]);
        let loss = |model: &Model| {
            let points = (0..100).map(|n| f64::from(n) / 50.0 - 1.0);
            let error = |x: f64| model.0.iter().rev().fold(0.0, |sum, c| sum * x + c) - (3.0 * x).sin();
            points.map(|x| error(x).powi(2)).sum::<f64>() / 100.0
        };
        let mut before = loss(&model);
        for _ in 0..5 {
            for _ in 0..40 {
                model.step();
            }
            let now = loss(&model);
            assert!(now < before, "{now} is not below {before}");
            before = now;
        }
        assert!(before < 0.05, "{before}");
    }
}
