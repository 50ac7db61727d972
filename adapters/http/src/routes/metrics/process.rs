//! Figures of the process, under the names that every client library of Prometheus uses. Linux alone tells them.

use super::page::Page;

#[cfg(target_os = "linux")]
impl Page {
    /// What the system says of this process. What it does not say is left out.
    pub(super) fn process(&mut self) {
        let Ok(process) = procfs::process::Process::myself() else {
            return;
        };
        if let Ok(stat) = process.stat() {
            let ticks = stat.utime + stat.stime;
            let secs = ticks as f64 / procfs::ticks_per_second() as f64;
            let help = "Processor time of the process, user and system.";
            self.counter("process_cpu_seconds_total", help, secs);
            let help = "Resident memory of the process.";
            self.gauge(
                "process_resident_memory_bytes",
                help,
                stat.rss * procfs::page_size(),
            );
            let help = "Virtual memory of the process.";
            self.gauge("process_virtual_memory_bytes", help, stat.vsize);
            self.gauge("process_threads", "Threads of the process.", stat.num_threads);
            if let Ok(boot) = procfs::boot_time_secs() {
                let since_boot = stat.starttime as f64 / procfs::ticks_per_second() as f64;
                let help = "When the process began, in seconds since 1970.";
                self.gauge("process_start_time_seconds", help, boot as f64 + since_boot);
            }
        }
        if let Ok(open) = process.fd_count() {
            self.gauge("process_open_fds", "Open files and sockets of the process.", open);
        }
        if let Ok(limits) = process.limits()
            && let procfs::process::LimitValue::Value(most) = limits.max_open_files.soft_limit
        {
            self.gauge("process_max_fds", "How many it may open.", most);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Page {
    /// Nothing is known of it here.
    pub(super) fn process(&mut self) {}
}
