//! Golden bytes: every capture of a real server and a real application is decoded to exactly what it is.
//!
//! `requests` and `responses` are the tables of what each file contains, `reference` compares with what LiteSpeed's own
//! library made of the same bytes, `splits` feeds them piecewise. The bytes are in `tests/captures/`.

// The captures come from x86, where flag 0 says little-endian. Elsewhere the same flag says "not in the order of this
// machine" (see `ByteOrder`), so there they would be another machine's bytes and mean nothing.
#![cfg(any(target_arch = "x86", target_arch = "x86_64"))]

mod capture;
mod reference;
mod requests;
mod responses;
mod splits;
