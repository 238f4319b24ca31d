//! The head of a response, line by line (lsapi 4.3.2).

use super::piece::ReplyHead;
use super::{Framing, status};

/// A header line from here on makes the server lose its way. Bytes, without the NUL.
const LONGEST_LINE: usize = 16_384;

/// A head while its lines come in, and after that.
#[derive(Clone, Debug)]
pub(super) struct Head {
    status: u16,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the server shall lead the client, by Location.
    location: Option<Vec<u8>>,
    /// Where the server shall go on, by X-LiteSpeed-Location.
    internal: Option<Vec<u8>>,
    content_length: Option<u64>,
    /// The application asked for chunks.
    chunked: bool,
}

/// A line the server does not get past: it goes on waiting, and says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stuck(pub(super) &'static str);

impl Head {
    /// The head of a response with this status, as RESP_HEADER has it.
    pub(super) fn new(status: i32) -> Self {
        Self {
            status: status::accepted(status),
            headers: Vec::new(),
            location: None,
            internal: None,
            content_length: None,
            chunked: false,
        }
    }

    /// Takes one line, without its end. One without a colon is dropped.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), Stuck> {
        if line.len() >= LONGEST_LINE {
            return Err(Stuck("a header line of 16384 bytes or more"));
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return Ok(()) };
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let name = name.trim_ascii().to_ascii_lowercase();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        match name.as_slice() {
            b"status" => self.status = status_of(value),
            b"location" => self.location = Some(value.to_vec()),
            b"x-litespeed-location" => {
                self.internal = Some(value.to_vec());
                return Ok(());
            }
            b"content-length" => {
                let length = number(value).ok_or(Stuck("a Content-Length that is no number"))?;
                self.content_length.get_or_insert(length);
            }
            b"transfer-encoding" => self.chunked |= value.eq_ignore_ascii_case(b"chunked"),
            _ => {}
        }
        let own: [&[u8]; 7] = [
            b"status",
            b"content-length",
            b"transfer-encoding",
            b"server",
            b"date",
            b"connection",
            b"keep-alive",
        ];
        if !own.contains(&name.as_slice()) {
            self.headers.push((name, value.to_vec()));
        }
        Ok(())
    }

    /// The path the server goes on with by itself, if it does.
    pub(super) fn redirect(&self) -> Option<&[u8]> {
        let location = self.location.as_deref().filter(|path| self.status == 200 && path.starts_with(b"/"));
        self.internal.as_deref().or(location)
    }

    /// The status as it is now.
    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    /// Whether it is the head of an interim response.
    pub(super) const fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// Whether a response with this head has no body, whatever the application sends.
    pub(super) const fn is_bodiless(&self) -> bool {
        matches!(self.status, 204 | 304)
    }

    /// The head for the client. `whole`: the length of the body, if all of it is there.
    pub(super) fn finish(mut self, head_only: bool, whole: Option<u64>) -> ReplyHead {
        if self.status == 200 && self.location.is_some() {
            self.status = 302;
        }
        if self.status == 304 {
            self.headers.retain(|(name, _)| name != b"content-type");
        }
        let framing = if self.is_bodiless() {
            Framing::None
        } else if head_only {
            self.content_length.map_or(Framing::None, Framing::Length)
        } else if self.chunked {
            Framing::Open
        } else {
            // The server knows better than the application how long a body is that it has in hand.
            whole.or(self.content_length).map_or(Framing::Open, Framing::Length)
        };
        ReplyHead { status: self.status, headers: self.headers, framing }
    }
}

fn status_of(value: &[u8]) -> u16 {
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = value.get(..digits).and_then(number).and_then(|number| i32::try_from(number).ok());
    status::accepted(number.unwrap_or(0))
}

fn number(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: i32, lines: &[&str]) -> Head {
        let mut head = Head::new(status);
        for line in lines {
            head.line(line.as_bytes()).unwrap();
        }
        head
    }

    fn finished(status: i32, lines: &[&str], whole: Option<u64>) -> (u16, Vec<String>, Framing) {
        let head = head(status, lines).finish(false, whole);
        let line = |(name, value): (Vec<u8>, Vec<u8>)| {
            format!("{}: {}", String::from_utf8(name).unwrap(), String::from_utf8(value).unwrap())
        };
        (head.status, head.headers.into_iter().map(line).collect(), head.framing)
    }

    #[test]
    fn names_are_lowered_and_the_servers_own_headers_dropped() {
        let lines =
            ["X-A: 1", "Server: mine", "NoColon", "Date: x", "X-a:2", "Connection: close", "Keep-Alive: 1"];
        assert_eq!(finished(200, &lines, None), (200, vec!["x-a: 1".into(), "x-a: 2".into()], Framing::Open));
    }

    #[test]
    fn locations_redirect_only_with_200() {
        let to = |status, lines: &[&str]| head(status, lines).redirect().map(<[u8]>::to_vec);
        assert_eq!(to(200, &["Location: /x"]), Some(b"/x".to_vec()));
        assert_eq!(to(299, &["Location: /x"]), Some(b"/x".to_vec()));
        assert_eq!(to(302, &["Location: /x"]), None);
        assert_eq!(to(200, &["Location: /x", "Status: 301 Gone"]), None);
        assert_eq!(to(404, &["X-LiteSpeed-Location: /y"]), Some(b"/y".to_vec()));
        let absolute = finished(200, &["Location: http://a/"], None);
        assert_eq!((absolute.0, absolute.1), (302, vec!["location: http://a/".into()]));
    }

    #[test]
    fn lengths_are_repaired_only_while_all_of_the_body_is_in_hand() {
        let length = |lines: &[&str], whole| finished(200, lines, whole).2;
        assert_eq!(length(&["Content-Length: 9"], Some(4)), Framing::Length(4));
        assert_eq!(length(&["Content-Length: 9"], None), Framing::Length(9));
        assert_eq!(length(&["Content-Length: 4", "Content-Length: 5"], None), Framing::Length(4));
        assert_eq!(length(&[], Some(0)), Framing::Length(0));
        assert_eq!(length(&["Transfer-Encoding: chunked"], Some(4)), Framing::Open);
        assert_eq!(length(&["Status: 204"], Some(4)), Framing::None);
    }

    #[test]
    fn some_lines_are_more_than_the_server_can_take() {
        for line in
            ["Content-Length: abc".into(), "Content-Length: -1".into(), format!("X: {}", "x".repeat(16_381))]
        {
            assert!(Head::new(200).line(line.as_bytes()).is_err());
        }
        assert_eq!(Head::new(200).line(format!("X: {}", "x".repeat(16_380)).as_bytes()), Ok(()));
    }
}
