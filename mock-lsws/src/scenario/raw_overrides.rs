//! Fields of a BEGIN_REQUEST packet set to something of one's own, right or wrong.

use std::path::Path;

use lsapi::{KnownHeader, RawEnv, RawRequest};
use serde::Deserialize;

use super::bytes_spec::{BytesError, BytesSpec};
use super::pairs::Pairs;
use super::request_spec::RequestError;
use super::vars::Vars;

/// Overrides of packet fields, by the protocol's names. What is not mentioned stays right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawOverrides {
    magic: Option<BytesSpec>,
    r#type: Option<u8>,
    flag: Option<u8>,
    /// Bits set in the right flag; the first bit, which has a meaning, is left alone.
    flag_bits: Option<u8>,
    packet_len: Option<i32>,
    /// Added to the right packet length.
    packet_len_off_by: Option<i32>,
    http_header_len: Option<i32>,
    req_body_len: Option<i32>,
    script_file_off: Option<i32>,
    script_name_off: Option<i32>,
    query_string_off: Option<i32>,
    request_method_off: Option<i32>,
    cnt_unknown_headers: Option<i32>,
    cnt_env: Option<i32>,
    cnt_special_env: Option<i32>,
    special_env_terminator: Option<BytesSpec>,
    env_terminator: Option<BytesSpec>,
    padding: Option<BytesSpec>,
    /// What padding of the right length consists of.
    padding_byte: Option<u8>,
    known_hole: Option<BytesSpec>,
    /// Index entries of known headers, by HTTP name.
    known: Pairs<KnownSlot>,
    /// Lengths of variables, by name.
    env: Pairs<EnvLengths>,
    /// The same of special variables.
    special_env: Pairs<EnvLengths>,
    /// Entries of other headers, by HTTP name.
    unknown: Pairs<UnknownSlot>,
    /// Bytes taken off the end of the header block, so that the last header ends with it.
    block_cut: Option<usize>,
}

/// One entry of the known-header index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KnownSlot {
    len: Option<u16>,
    off: Option<i32>,
}

/// The lengths of a variable as the packet says them; right ones count the final NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EnvLengths {
    key_len: Option<u16>,
    value_len: Option<u16>,
}

/// One entry of the array of other headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UnknownSlot {
    name_off: Option<i32>,
    name_len: Option<i32>,
    value_off: Option<i32>,
    value_len: Option<i32>,
}

impl RawOverrides {
    /// Checks what can be checked without a packet.
    pub(crate) fn validate(&self) -> Result<(), String> {
        for (name, _) in &self.known.0 {
            if KnownHeader::from_name(name.as_bytes()).is_none() {
                let known = KnownHeader::ALL.map(|header| format!("`{}`", header.http_name())).join(", ");
                return Err(format!("unknown header `{name}` in `raw.known`, expected one of {known}"));
            }
        }
        if self.padding.is_some() && self.padding_byte.is_some() {
            return Err("`padding` and `padding_byte` both say what the padding is: use one of them".into());
        }
        Ok(())
    }

    /// Writes the overrides into `raw`.
    ///
    /// # Errors
    /// [`RequestError`] if a value cannot be made, or a part is named that the packet does not have.
    pub(crate) fn apply(&self, raw: &mut RawRequest, root: &Path, vars: &Vars) -> Result<(), RequestError> {
        let pair = |spec: &BytesSpec| {
            let bytes = spec.make(root, vars)?;
            let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
            Ok::<_, BytesError>([at(0), at(1)])
        };
        if let Some(magic) = &self.magic {
            raw.header.magic = pair(magic)?;
        }
        set(&mut raw.header.type_byte, self.r#type);
        set(&mut raw.header.flag, self.flag);
        raw.header.flag |= self.flag_bits.unwrap_or_default() & !1;
        raw.http_header_len = self.http_header_len.or(raw.http_header_len);
        set(&mut raw.req_body_len, self.req_body_len);
        let [script_file, script_name, query_string, request_method] = &mut raw.string_offsets;
        set(script_file, self.script_file_off);
        set(script_name, self.script_name_off);
        set(query_string, self.query_string_off);
        set(request_method, self.request_method_off);
        raw.cnt_unknown_headers = self.cnt_unknown_headers.or(raw.cnt_unknown_headers);
        raw.cnt_env = self.cnt_env.or(raw.cnt_env);
        raw.cnt_special_env = self.cnt_special_env.or(raw.cnt_special_env);
        if let Some(bytes) = &self.special_env_terminator {
            raw.special_env_terminator = bytes.make(root, vars)?;
        }
        if let Some(bytes) = &self.env_terminator {
            raw.env_terminator = bytes.make(root, vars)?;
        }
        if let Some(bytes) = &self.padding {
            raw.padding = Some(bytes.make(root, vars)?);
        }
        if let Some(byte) = self.padding_byte {
            let env_end = match raw.env.last() {
                Some(last) => {
                    let value = raw.env_value_offset(raw.env.len() - 1).map_or(0, i32::unsigned_abs);
                    value as usize + last.value.len()
                }
                None => raw.env_offset(),
            };
            let end = env_end + raw.env_terminator.len();
            raw.padding = Some(vec![byte; end.next_multiple_of(8) - end]);
        }
        if let Some(bytes) = &self.known_hole {
            raw.known_hole = pair(bytes)?;
        }
        for (name, slot) in &self.known.0 {
            let header = KnownHeader::from_name(name.as_bytes());
            if let Some((len, off)) = header.and_then(|header| raw.known.get_mut(header.index())) {
                set(len, slot.len);
                set(off, slot.off);
            }
        }
        set_lengths(&mut raw.env, &self.env, "variable")?;
        set_lengths(&mut raw.special_env, &self.special_env, "special variable")?;
        for (name, slot) in &self.unknown.0 {
            let index = raw.unknown.iter().position(|entry| {
                let name_at = usize::try_from(entry.name_off).ok();
                let found = name_at.and_then(|at| raw.block.get(at..)?.get(..name.len()));
                found == Some(name.as_bytes()) && usize::try_from(entry.name_len).ok() == Some(name.len())
            });
            let entry = index.and_then(|index| raw.unknown.get_mut(index));
            let entry = entry.ok_or_else(|| RequestError::Absent(format!("other header `{name}`")))?;
            set(&mut entry.name_off, slot.name_off);
            set(&mut entry.name_len, slot.name_len);
            set(&mut entry.value_off, slot.value_off);
            set(&mut entry.value_len, slot.value_len);
        }
        if let Some(cut) = self.block_cut {
            raw.block.truncate(raw.block.len().saturating_sub(cut));
        }
        raw.header.len = self.packet_len;
        if let Some(off_by) = self.packet_len_off_by {
            let right = i32::try_from(raw.encode().len()).unwrap_or(i32::MAX);
            raw.header.len = Some(right.saturating_add(off_by));
        }
        Ok(())
    }
}

fn set_lengths(list: &mut [RawEnv], lengths: &Pairs<EnvLengths>, what: &str) -> Result<(), RequestError> {
    for (name, lengths) in &lengths.0 {
        let entry = list.iter_mut().find(|entry| entry.key.strip_suffix(b"\0") == Some(name.as_bytes()));
        let entry = entry.ok_or_else(|| RequestError::Absent(format!("{what} `{}`", name.escape_debug())))?;
        entry.key_len = lengths.key_len.or(entry.key_len);
        entry.value_len = lengths.value_len.or(entry.value_len);
    }
    Ok(())
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
