//! What an evaluator is sent: an object as JSON, with the work as its miner wrote it.

use chrono::SecondsFormat;
use dwarves_ports::evaluator::EvaluationTask;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Sent<'a> {
    id: String,
    hotkey: String,
    worker: &'a str,
    received_at: String,
    work: &'a RawValue,
}

/// The task as it is sent.
pub(crate) fn to_json(task: &EvaluationTask) -> Vec<u8> {
    let received_at = chrono::DateTime::from_timestamp_millis(task.received_at.millis());
    // What was taken as work was JSON. What is none would be told to the evaluator as a text.
    let as_text = serde_json::value::to_raw_value(&task.work);
    let work = serde_json::from_str(&task.work).or(as_text);
    let json = work.and_then(|work: Box<RawValue>| {
        serde_json::to_vec(&Sent {
            id: task.id.to_string(),
            hotkey: task.hotkey.to_string(),
            worker: task.worker.as_str(),
            received_at: received_at
                .unwrap_or_default()
                .to_rfc3339_opts(SecondsFormat::Millis, true),
            work: &work,
        })
    });
    json.expect("texts and JSON can be written as JSON")
}

#[cfg(test)]
pub(crate) mod tests {
    use dwarves_domain::evaluation::{SubmissionId, WorkDigest};
    use dwarves_domain::hotkey::Hotkey;
    use dwarves_domain::time::Timestamp;

    use super::*;

    /// Work as it is submitted.
    pub(crate) fn task(work: &str) -> EvaluationTask {
        let (hotkey, received_at) = (Hotkey::from_bytes([7; 32]), Timestamp::from_millis(1_500));
        EvaluationTask {
            id: SubmissionId::of(&hotkey, &WorkDigest::of(work), received_at),
            hotkey,
            worker: "rig".parse().unwrap(),
            received_at,
            work: work.to_owned(),
        }
    }

    #[test]
    fn the_work_goes_out_as_it_came() {
        let task = task("{\"w\": [1.0e-5, 1e400],\"b\":\"\\u00e9\"}");
        let sent = String::from_utf8(to_json(&task)).unwrap();
        let (id, hotkey) = (task.id, task.hotkey);
        assert_eq!(
            sent,
            format!(
                r#"{{"id":"{id}","hotkey":"{hotkey}","worker":"rig","received_at":"1970-01-01T00:00:01.500Z","work":{}}}"#,
                task.work
            )
        );
    }
}
