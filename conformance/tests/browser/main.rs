//! A browser in front of everything: headless Chromium, `mock-lsws serve`, lswsgi, and Django's admin site behind it.
//!
//! Needs `chromium` and `chromedriver` (Debian: chromium, chromium-driver). Without them the test says so and passes on a
//! developer's machine; where CI is set it fails.

mod browser;
mod login;
#[path = "../../../lswsgi/tests/frameworks/packages.rs"]
mod packages;
mod site;
