//! What Linux tells of a process.

use std::time::Duration;

use crate::Error;

/// Ticks of `/proc/PID/stat` in a second: fixed for user space on every Linux platform.
const TICKS_PER_SEC: u64 = 100;

/// CPU time of a process so far, user and system, all of its threads.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration, Error> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; behind it utime and stime are the 12th and 13th field.
    let (_, fields) = stat.rsplit_once(')').ok_or("an unknown form of /proc/PID/stat")?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || -> Result<u64, Error> { Ok(fields.next().ok_or("a short /proc/PID/stat")?.parse()?) };
    let ticks = ticks()? + ticks()?;
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SEC))
}

/// The most memory that a process held, in bytes (VmHWM).
pub(crate) fn peak_memory(pid: u32) -> Result<u64, Error> {
    status(pid, "VmHWM:")
}

/// The kernel's release.
pub(crate) fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// What matters for hashing among the features of a processor, as Linux names them: of x86-64 and of ARM.
const FEATURES: [&[&str]; 2] = [&["sha_ni", "avx2", "avx512f"], &["sha2", "asimd"]];

/// The processor's model, and with which of the instructions that matter for hashing.
pub(crate) fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        info.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(field, _)| field.trim() == name)
            .map(|(_, value)| value.trim())
    };
    // ARM's has numbers for a name.
    let model = match (field("model name"), field("CPU implementer"), field("CPU part")) {
        (Some(name), ..) => name.to_owned(),
        (None, Some(implementer), Some(part)) => format!("ARM {implementer}, part {part}"),
        _ => "an unknown processor".to_owned(),
    };
    let flags: Vec<&str> = field("flags")
        .or_else(|| field("Features"))
        .unwrap_or_default()
        .split_ascii_whitespace()
        .collect();
    let asked = FEATURES[usize::from(cfg!(target_arch = "aarch64"))];
    let (with, without): (Vec<&str>, Vec<&str>) = asked.iter().partition(|name| flags.contains(name));
    let listed = |names: Vec<&str>| match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    format!("{model}; has {}; lacks {}", listed(with), listed(without))
}

/// The memory that is a process's own now, in bytes (RssAnon): without its program and files.
#[allow(dead_code, reason = "not every benchmark asks for it")]
pub(crate) fn own_memory(pid: u32) -> Result<u64, Error> {
    status(pid, "RssAnon:")
}

fn status(pid: u32, field: &str) -> Result<u64, Error> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|value| value.trim().strip_suffix("kB"))
        .ok_or_else(|| format!("no {field} in /proc/PID/status"))?
        .trim()
        .parse()?;
    Ok(kib * 1024)
}
