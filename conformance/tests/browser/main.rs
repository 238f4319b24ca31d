//! A headless Chromium in front of everything: of `mock-lsws serve`, lswsgi and Django's admin site behind it, and of the
//! HTML report of a run.
//!
//! Needs `chromium` and `chromedriver` (Debian: chromium, chromium-driver). Without them the test says so and passes on a
//! developer's machine; where CI is set it fails.

mod browser;
mod login;
#[path = "../../../lswsgi/tests/frameworks/packages.rs"]
mod packages;
mod report;
mod site;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "it serves other tests too")]
mod support;
