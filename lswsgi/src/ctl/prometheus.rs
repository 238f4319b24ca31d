//! The status as metrics, in the text format 0.0.4 of Prometheus: base units, counters that end in `_total`.
//!
//! Few series a worker, and by slot: pids come and go, and each would be a series of its own for ever.

use std::fmt::{Display, Write as _};

use crate::control::{Latency, State, Status, Work};

/// The whole of them.
pub(super) fn text(status: &Status) -> String {
    let mut page = Page(String::new());
    about_the_group(&mut page, status);
    about_requests(&mut page, status);
    about_workers(&mut page, status);
    page.0
}

fn about_the_group(page: &mut Page, status: &Status) {
    let application = status.application.as_deref().unwrap_or_default();
    let labels: Labels = &[("version", &status.lswsgi), ("application", application)];
    page.family("lswsgi_info", "gauge", "What runs").sample("", labels, 1);
    page.one(
        "lswsgi_uptime_seconds",
        "gauge",
        "Time since the group was started",
        status.manager.age_seconds,
    );
    let mut family = page.family("lswsgi_state", "gauge", "What the group does: 1 for that");
    for state in [State::Starting, State::Serving, State::Failing, State::Stopping] {
        family.sample("", &[("state", state.name())], u8::from(status.state == state));
    }
    let reloads = &status.reloads;
    let mut family = page.family("lswsgi_reloads_total", "counter", "Reloads that have ended");
    family.sample("", &[("result", "completed")], reloads.completed);
    family.sample("", &[("result", "failed")], reloads.failed);
    page.one("lswsgi_reload_in_progress", "gauge", "Whether one is under way", u8::from(reloads.in_progress));
    let workers = status.workers.iter().filter_map(|worker| worker.rss_bytes).sum::<u64>();
    let help = "Resident memory; what processes share counts in each";
    let mut family = page.family("lswsgi_resident_memory_bytes", "gauge", help);
    let templates = status.template.into_iter().chain(status.next_template);
    let templates: u64 = templates.filter_map(|template| template.rss_bytes).sum();
    for (role, bytes) in
        [("manager", status.manager.rss_bytes), ("template", Some(templates)), ("workers", Some(workers))]
    {
        family.sample("", &[("role", role)], bytes.unwrap_or(0));
    }
}

fn about_requests(page: &mut Page, status: &Status) {
    page.one("lswsgi_requests_total", "counter", "Requests begun", status.requests);
    histogram(page, &status.latency);
    let connections = status.connections;
    page.one("lswsgi_connections_held", "gauge", "Connections that workers have", connections.held);
    let help = "Connections known to wait for a worker";
    page.one("lswsgi_connections_waiting", "gauge", help, connections.waiting);
    let saturation = status.saturation;
    let help = "Whether connections wait because all workers are busy";
    page.one("lswsgi_saturated", "gauge", help, u8::from(saturation.now));
    let help = "Times in which connections waited because all workers were busy";
    page.one("lswsgi_saturations_total", "counter", help, saturation.times);
    page.one("lswsgi_saturated_seconds_total", "counter", "How long these lasted", saturation.seconds);
}

fn histogram(page: &mut Page, latency: &Latency) {
    let help = "How long requests took that have ended";
    let mut family = page.family("lswsgi_request_duration_seconds", "histogram", help);
    let mut sum = 0;
    for bucket in &latency.buckets {
        sum += bucket.count;
        let bound = bucket.up_to_seconds.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
        family.sample("_bucket", &[("le", &bound)], sum);
    }
    family.sample("_sum", &[], latency.sum_seconds);
    family.sample("_count", &[], latency.count);
}

fn about_workers(page: &mut Page, status: &Status) {
    let limits = status.limits;
    page.one("lswsgi_workers_limit", "gauge", "LSAPI_CHILDREN", limits.workers);
    let help = "LSAPI_EXTRA_CHILDREN: more while all are busy";
    page.one("lswsgi_extra_workers_limit", "gauge", help, limits.extra_workers);
    let mut family = page.family("lswsgi_workers", "gauge", "Workers by what they do");
    for work in Work::ALL {
        let count = status.workers.iter().filter(|worker| worker.state == work).count();
        family.sample("", &[("state", work.name())], count);
    }
    let help = "Workers that have been ready";
    page.one("lswsgi_workers_started_total", "counter", help, status.workers_started);
    let mut family =
        page.family("lswsgi_workers_ended_total", "counter", "Workers that have ended, by reason");
    for (reason, count) in &status.workers_ended {
        family.sample("", &[("reason", reason)], count);
    }
    let help = "Resident memory of the worker in a slot";
    let mut family = page.family("lswsgi_worker_resident_memory_bytes", "gauge", help);
    for worker in &status.workers {
        family.sample("", &[("slot", &worker.slot.to_string())], worker.rss_bytes.unwrap_or(0));
    }
    let help = "For how long the worker in a slot has been running its request; 0: none";
    let mut family = page.family("lswsgi_worker_request_seconds", "gauge", help);
    for worker in &status.workers {
        family.sample("", &[("slot", &worker.slot.to_string())], worker.request_seconds.unwrap_or(0.0));
    }
}

type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text so far.
struct Page(String);

/// Samples of one name.
struct Family<'a> {
    page: &'a mut Page,
    name: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.0, "# HELP {name} {help}.\n# TYPE {name} {kind}");
        Family { page: self, name }
    }

    /// A family of one sample.
    fn one(&mut self, name: &'static str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help).sample("", &[], value);
    }
}

impl Family<'_> {
    fn sample(&mut self, suffix: &str, labels: Labels<'_>, value: impl Display) {
        let text = &mut self.page.0;
        let _ = write!(text, "{}{suffix}", self.name);
        for (index, (name, value)) in labels.iter().enumerate() {
            let (before, value) = (if index == 0 { '{' } else { ',' }, escaped(value));
            let _ = write!(text, "{before}{name}=\"{value}\"");
        }
        let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

/// The value of a label: backslash, quote and line feed are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Bucket;

    #[test]
    fn labels_are_escaped_and_buckets_add_up() {
        let bucket = |up_to_seconds, count| Bucket { up_to_seconds, count };
        let buckets = vec![bucket(Some(0.0005), 2), bucket(Some(60.0), 3), bucket(None, 1)];
        let status = Status {
            lswsgi: "1.0".to_owned(),
            application: Some("/a \"b\"\\c\nd.py".into()),
            latency: Latency { count: 6, sum_seconds: 7.5, buckets, ..Latency::default() },
            ..Status::default()
        };
        let text = text(&status);
        for line in [
            "lswsgi_info{version=\"1.0\",application=\"/a \\\"b\\\"\\\\c\\nd.py\"} 1",
            "# TYPE lswsgi_request_duration_seconds histogram",
            "lswsgi_request_duration_seconds_bucket{le=\"0.0005\"} 2",
            "lswsgi_request_duration_seconds_bucket{le=\"60\"} 5",
            "lswsgi_request_duration_seconds_bucket{le=\"+Inf\"} 6",
            "lswsgi_request_duration_seconds_sum 7.5",
            "lswsgi_request_duration_seconds_count 6",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
