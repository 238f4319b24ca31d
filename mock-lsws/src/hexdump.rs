//! Bytes as offset, hex and ASCII, sixteen a line.

use std::fmt;

/// Bytes a line.
const WIDTH: usize = 16;

/// Shows its bytes as a dump, one line for sixteen, without a final line break.
#[derive(Clone, Copy, Debug)]
pub struct Hexdump<'a> {
    bytes: &'a [u8],
    indent: usize,
}

impl<'a> Hexdump<'a> {
    /// A dump of `bytes`, offsets from 0.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, indent: 0 }
    }

    /// The same, each line moved right by `indent` blanks.
    #[must_use]
    pub const fn indented(bytes: &'a [u8], indent: usize) -> Self {
        Self { bytes, indent }
    }
}

impl fmt::Display for Hexdump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.bytes.chunks(WIDTH).enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{:indent$}{:04x}  ", "", number * WIDTH, indent = self.indent)?;
            for column in 0..WIDTH {
                match line.get(column) {
                    Some(byte) => write!(f, "{byte:02x} ")?,
                    None => f.write_str("   ")?,
                }
                if column == WIDTH / 2 - 1 {
                    f.write_str(" ")?;
                }
            }
            f.write_str(" |")?;
            for &byte in line {
                let shown = if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' };
                write!(f, "{shown}")?;
            }
            f.write_str("|")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_offset_hex_and_text() {
        let bytes = b"LS\x01\0\xffabcdefghijklmno";
        let expected = "\
0000  4c 53 01 00 ff 61 62 63  64 65 66 67 68 69 6a 6b  |LS...abcdefghijk|
0010  6c 6d 6e 6f                                       |lmno|";
        assert_eq!(Hexdump::new(bytes).to_string(), expected);
        assert_eq!(Hexdump::new(b"").to_string(), "");
        assert!(Hexdump::indented(b"a", 3).to_string().starts_with("   0000  61 "));
    }
}
