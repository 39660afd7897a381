use std::fmt;

use catga_runtime::StartError;

/// What `main` returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a program could not start or go on serving.
pub struct Error(Kind);

enum Kind {
    Start(StartError),
    #[cfg(feature = "http")]
    Serve(catga_http::ServeError),
    #[cfg(feature = "cluster")]
    Environment(crate::EnvironmentError),
    Fault(catga_core::Fault),
    Io(std::io::Error),
}

impl Error {
    /// The error of the machine, if it is one.
    pub fn io(&self) -> Option<&std::io::Error> {
        match &self.0 {
            Kind::Io(error) => Some(error),
            _ => None,
        }
    }

    fn inner(&self) -> &(dyn std::error::Error + 'static) {
        match &self.0 {
            Kind::Start(error) => error,
            #[cfg(feature = "http")]
            Kind::Serve(error) => error,
            #[cfg(feature = "cluster")]
            Kind::Environment(error) => error,
            Kind::Fault(error) => error,
            Kind::Io(error) => error,
        }
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        Self(Kind::Start(error))
    }
}

#[cfg(feature = "http")]
impl From<catga_http::ServeError> for Error {
    fn from(error: catga_http::ServeError) -> Self {
        Self(Kind::Serve(error))
    }
}

#[cfg(feature = "cluster")]
impl From<crate::EnvironmentError> for Error {
    fn from(error: crate::EnvironmentError) -> Self {
        Self(Kind::Environment(error))
    }
}

impl From<catga_core::Fault> for Error {
    fn from(fault: catga_core::Fault) -> Self {
        Self(Kind::Fault(fault))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self(Kind::Io(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.inner(), f)
    }
}

/// The same as `Display`, since this is what a `main` that returns it prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // Displayed above as a whole, so only what lies behind it is a source.
        self.inner().source()
    }
}
