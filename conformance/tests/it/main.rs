//! Tests that drive the `conformance` program the way people do, and look at the scenarios of the checkout.

mod broken_scenarios;
mod broken_subjects;
mod catalogue;
mod ci_kit;
mod compare;
mod damage;
mod exit_codes;
mod failures;
mod faults;
mod flaws;
mod fmt;
mod hygiene;
mod language;
mod leftovers;
mod mutants;
mod processes;
mod readme;
mod reports;
mod runs;
mod schema;
mod soak;
mod subjects;
mod support;
mod waivers;
