//! What was seen at each server, and how they compare.

use crate::flood::{Expect, Writes};
use crate::pool::Pool;
use crate::report::{Figures, Report, Series, Spread};

/// One run of a flood: at which server, what it must answer, and how it is sent.
pub(crate) struct Turn {
    /// A pool's place among them; the bare server if there is none.
    pub(crate) pool: Option<usize>,
    pub(crate) expect: Expect,
    pub(crate) writes: Writes,
    pub(crate) series: Series,
}

impl Turn {
    pub(crate) fn new(pools: &[Pool], pool: Option<usize>, expect: Expect, writes: Writes) -> Self {
        let what = match (pool.map(|pool| &pools[pool].name), expect) {
            (None, _) => "bare".to_owned(),
            (Some(name), Expect::Accepted) => format!("{name} accepts"),
            (Some(name), Expect::Refused) => format!("{name} refuses"),
        };
        let how = match writes {
            Writes::Many => "",
            Writes::One => ", one a write",
        };
        Self {
            pool,
            expect,
            writes,
            series: Series {
                name: what + how,
                runs: Vec::new(),
            },
        }
    }
}

/// Rows of all turns, and the ratios of this build's: to goals, to the bare server, to other builds, and of the two
/// ways of sending.
pub(crate) fn compare(scenario: &str, turns: &[Turn], goals: [&str; 3], report: &mut Report) {
    for turn in turns {
        report.row(scenario, &turn.series);
    }
    let find = |pool: Option<usize>, expect, writes| {
        turns.iter().find(|turn| {
            turn.pool == pool && turn.writes == writes && (pool.is_none() || turn.expect == expect)
        })
    };
    let cpu = |run: &Figures| run.server_cpu;
    let [rate_goal, cpu_goal, bare_goal] = goals;
    for turn in turns.iter().filter(|turn| turn.pool == Some(0)) {
        let (series, name) = (&turn.series, &turn.series.name);
        report.line(
            &format!("{name}: answers a second"),
            spread(series, |run| run.rate),
            rate_goal,
        );
        report.line("  CPU s of the server a million", spread(series, cpu), cpu_goal);
        if let Some(bare) = find(None, turn.expect, turn.writes) {
            report.line("  answers / bare", series.ratio_to(&bare.series), bare_goal);
        }
        let others = turns.iter().filter(|other| {
            other.pool > Some(0) && other.expect == turn.expect && other.writes == turn.writes
        });
        for Turn { series: other, .. } in others {
            report.line(
                &format!("  answers / {}", other.name),
                series.ratio_to(other),
                "none",
            );
            report.line(
                "    and its CPU time a share",
                series.ratio_of(other, cpu),
                "none",
            );
        }
    }
    for one in turns.iter().filter(|turn| turn.writes == Writes::One) {
        if let Some(many) = find(one.pool, one.expect, Writes::Many) {
            let goal = if one.pool == Some(0) { ">= 0.85" } else { "none" };
            let name = &one.series.name;
            report.line(&format!("{name} / many"), one.series.ratio_to(&many.series), goal);
            report.line(
                "  and its CPU time a share",
                one.series.ratio_of(&many.series, cpu),
                "none",
            );
        }
    }
}

pub(crate) fn spread(series: &Series, figure: impl Fn(&Figures) -> f64) -> Spread {
    Spread::of(series.runs.iter().map(figure).collect())
}
