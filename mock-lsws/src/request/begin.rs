//! The BEGIN_REQUEST packet of one HTTP request.

/// What is known of the body at the moment the packet is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyState {
    /// There is none.
    None,
    /// The client declared its length.
    Declared(u64),
    /// It came in chunks and is complete: the chunked head is rewritten to this length.
    Collected(u64),
    /// It comes in chunks and its end is not known: -1.
    Streaming,
}

/// Everything the packet is made of, but the state of the body.
#[derive(Clone, Debug)]
pub(crate) struct Begin {}

impl Begin {
    /// The bytes of the packet.
    pub(crate) fn encode(&self, body: BodyState) -> Vec<u8> {
        let _ = body;
        Vec::new()
    }

    /// Whether the method is HEAD.
    pub(crate) fn is_head(&self) -> bool {
        false
    }
}
