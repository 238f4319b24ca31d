//! All faults of a connection.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::str::FromStr;

use super::direction::Direction;
use super::kind::Fault;
use super::lane::Lane;
use super::relay::relay;
use crate::connection::Socket;

/// Faults of each connection that is made with them. Written `app:latency=20ms` towards the application, or
/// `server:cut=100` towards the server.
///
/// ```no_run
/// use mock_lsws::fault::Faults;
///
/// # fn example(socket: std::os::fd::OwnedFd) -> Result<(), Box<dyn std::error::Error>> {
/// let faults = Faults::none().with("app:slice=1".parse()?)?.with("server:latency=20ms~5ms".parse()?)?;
/// let socket = faults.wrap(socket)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    list: Vec<DirectedFault>,
    seed: u64,
}

/// A fault and the direction it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectedFault {
    /// The direction.
    pub direction: Direction,
    /// The fault.
    pub fault: Fault,
}

/// A fault that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault `{text}`: {reason}")]
pub struct FaultError {
    /// What was written.
    pub text: String,
    /// Why it cannot be, and what can.
    pub reason: String,
}

impl FromStr for DirectedFault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let error = |reason: String| FaultError { text: text.to_owned(), reason };
        let parts = text.split_once(':').and_then(|(name, fault)| Some((Direction::named(name)?, fault)));
        let (direction, fault) = parts.ok_or_else(|| {
            error("it begins with its direction, `app:` or `server:`, as in app:latency=20ms".to_owned())
        })?;
        Ok(Self { direction, fault: fault.parse().map_err(error)? })
    }
}

impl fmt::Display for DirectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.direction, self.fault)
    }
}

impl Faults {
    /// None at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { list: Vec::new(), seed: 0 }
    }

    /// The faults of these texts.
    ///
    /// # Errors
    /// The first that cannot be.
    pub fn parse<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self, FaultError> {
        texts.into_iter().try_fold(Self::none(), |faults, text| faults.with(text.as_ref().parse()?))
    }

    /// These faults together.
    ///
    /// # Errors
    /// As for [`with`](Self::with).
    pub fn of(faults: impl IntoIterator<Item = DirectedFault>) -> Result<Self, FaultError> {
        faults.into_iter().try_fold(Self::none(), Self::with)
    }

    /// Adds a fault.
    ///
    /// # Errors
    /// When there is one of its kind in this direction, or another that ends the direction.
    pub fn with(mut self, fault: DirectedFault) -> Result<Self, FaultError> {
        let rival = self.list.iter().find(|other| {
            other.direction == fault.direction
                && (other.fault.name() == fault.fault.name() || ends(&other.fault) && ends(&fault.fault))
        });
        if let Some(rival) = rival {
            return Err(FaultError {
                text: fault.to_string(),
                reason: format!("there is `{rival}` already; one of them has to go"),
            });
        }
        self.list.push(fault);
        Ok(self)
    }

    /// Sets what jitter is drawn with: the same numbers make the same delays.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &DirectedFault> {
        self.list.iter()
    }

    /// Puts the faults between the connection `socket`, which leads to the application, and whoever uses the socket that is
    /// returned. Without faults it is the same one.
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled: a task there carries the bytes. It ends with the
    /// connection.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn wrap(&self, socket: OwnedFd) -> io::Result<OwnedFd> {
        if self.is_empty() {
            return Ok(socket);
        }
        let application = Socket::new(socket)?;
        let (ours, theirs) = self.pair()?;
        let server = Socket::new(theirs)?;
        let [app, back] = Direction::ALL.map(|direction| self.lane(direction));
        tokio::spawn(relay(server, application, app, back));
        Ok(ours)
    }

    /// Two ends of a connection. One over TCP can be reset at any time, others cannot.
    fn pair(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        let resets = |one: &DirectedFault| {
            one.direction == Direction::Server && matches!(one.fault, Fault::Reset { .. })
        };
        if !self.list.iter().any(resets) {
            let (ours, theirs) = UnixStream::pair()?;
            return Ok((ours.into(), theirs.into()));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let ours = TcpStream::connect(listener.local_addr()?)?;
        let own = ours.local_addr()?;
        loop {
            // Somebody else may have found the port.
            let (theirs, peer) = listener.accept()?;
            if peer == own {
                return Ok((ours.into(), theirs.into()));
            }
        }
    }

    fn lane(&self, direction: Direction) -> Lane {
        let faults = self.list.iter().filter(|one| one.direction == direction).map(|one| one.fault);
        Lane::new(direction, faults, self.seed)
    }
}

/// Whether nothing comes behind it.
const fn ends(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Cut { .. } | Fault::Reset { .. } | Fault::HalfClose { .. } | Fault::NeverRead { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_with_their_direction() {
        let faults = Faults::parse(["app:latency=20ms", "server:latency=10ms", "server:slice=3"]).unwrap();
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["app:latency=0.02s", "server:latency=0.01s", "server:slice=3"]);
        assert_eq!(Faults::parse(&texts), Ok(faults));
    }

    #[test]
    fn what_cannot_be_is_told_with_what_was_written() {
        let cases = [
            (&["latency=20ms"][..], "begins with its direction"),
            (&["client:latency=20ms"], "begins with its direction"),
            (&["app:latency=1"], "fault `app:latency=1`: `latency` takes 20ms"),
            (&["app:slice=1", "app:slice=2"], "there is `app:slice=1` already"),
            (&["app:cut=1", "app:reset=2"], "there is `app:cut=1` already"),
        ];
        for (texts, said) in cases {
            let error = Faults::parse(texts).unwrap_err().to_string();
            assert!(error.contains(said), "{texts:?}: {error}");
        }
        assert!(Faults::parse(["app:cut=1", "server:reset=2", "app:slice=1"]).is_ok());
    }
}
