//! What stands in the place of TLS in a build without it: nothing that could be made.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use catga_host::Connection;

use super::handshake::Unmet;

/// There are none.
#[derive(Debug)]
pub(super) enum Credentials {}

/// Nobody is.
#[derive(Debug)]
pub(super) enum Certified {}

/// There are none.
pub(super) enum Changes {}

impl Credentials {
    pub(super) async fn look_after(self: std::sync::Arc<Self>) {
        match *self {}
    }

    pub(super) fn link_age_max(&self) -> Duration {
        match *self {}
    }

    pub(super) fn changes(&self) -> Changes {
        match *self {}
    }

    pub(super) async fn dial(
        &self,
        _: Connection,
        _: &BytesMut,
    ) -> Result<(Connection, Certified), Unmet> {
        match *self {}
    }

    pub(super) async fn accept(&self, _: Connection) -> Result<(Connection, Certified), Unmet> {
        match *self {}
    }
}

impl Certified {
    pub(super) fn must_name(&self, _: &str, _: &str) -> Result<(), String> {
        match *self {}
    }
}

impl Changes {
    pub(super) async fn next(&mut self) {
        match *self {}
    }
}

/// Why TLS has failed: it has not.
pub(super) fn trouble(_: &io::Error) -> Option<String> {
    None
}
