//! What a line of the access log looks like.

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[repr(u8)]
pub enum AccessFormat {
    /// The Common Log Format.
    Common,
    /// The same with Referer and User-Agent.
    #[default]
    Combined,
    /// An object with all of these by name.
    Json,
}
