//! Looking up a field of a request head.

use super::head::RequestHead;

impl RequestHead {
    /// The value of the first field with this name, in lower case; trimmed.
    pub(super) fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find_map(|(field, value)| {
            let field = self.raw.get(field.clone())?;
            if field.eq_ignore_ascii_case(name.as_bytes()) { self.raw.get(value.clone()) } else { None }
        })
    }

    /// Whether the method is `name`.
    pub(super) fn is_method(&self, name: &str) -> bool {
        self.raw.get(self.method.clone()) == Some(name.as_bytes())
    }
}
