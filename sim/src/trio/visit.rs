use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use catga::prelude::*;
use catga_host::{Host, timeout};
use catga_testkit::VirtualHost;
use tokio::sync::oneshot;

use super::site::Site;
use crate::client::Reach;

/// Longer than any deadline of a client: after that its node has died.
const CALL_WAIT: Duration = Duration::from_secs(6);

/// A client at a node. It goes on when the node's machine does not.
pub(super) struct Visit<'a> {
    pub(super) site: &'a Site,
    pub(super) node: Node,
    pub(super) outside: Arc<VirtualHost>,
}

impl Reach for Visit<'_> {
    fn call<T, F>(
        &self,
        ask: impl FnOnce(Node) -> F + Send,
    ) -> impl Future<Output = Option<T>> + Send
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let asked = ask(self.node.clone());
        let (done, answered) = oneshot::channel();
        let call = async move {
            // The client may have gone.
            let _ = done.send(asked.await);
        };
        drop(self.site.host.spawn("call", Box::pin(call)));
        let leads = self.site.leads().is_some();
        async move {
            let answer = timeout(&*self.outside, CALL_WAIT, answered).await.ok()?.ok();
            if answer.is_some() && !leads {
                self.site.forwarded.fetch_add(1, Ordering::Relaxed);
            }
            answer
        }
    }

    fn place(&self) -> usize {
        self.site.number
    }
}
