use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use order_cluster::client::{Answer, Call, Client, NoAnswer};
use order_cluster::fleet::{Server, ServerError, ServerOptions};
use order_cluster::messages::CreateOrder;
use order_cluster::order::Order;

use tempfile::TempDir;

use crate::frames::Frames;

/// A process on a data directory of its own, and what it acknowledged.
pub(crate) struct Rig {
    _dir: TempDir,
    pub(crate) data: PathBuf,
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) orders: Vec<Order>,
    /// How long the name of a product is.
    pub(crate) product_len: usize,
}

pub(crate) fn options(data: &Path) -> ServerOptions {
    ServerOptions::new(env!("CARGO_BIN_EXE_order-cluster"), data)
}

impl Rig {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("node1");
        let options = options(&data);
        Self::start_with(dir, options).await
    }

    pub(crate) async fn start_with(dir: TempDir, options: ServerOptions) -> Self {
        let data = options.dir.clone();
        let server = Server::start(options).await.expect("it starts");
        let client = Client::new(vec![server.address()]);
        Self { _dir: dir, data, server, client, orders: Vec::new(), product_len: 8 }
    }

    /// Tries to place one more order.
    pub(crate) async fn try_order(&mut self) -> Result<Answer, NoAnswer> {
        let order = CreateOrder {
            product_id: "p".repeat(self.product_len),
            quantity: 1,
            customer_id: "ann".to_owned(),
        };
        let answer = self.client.send(&Call::post("/orders", &order)).await?;
        if answer.status == 201 {
            self.orders.push(answer.json().expect("an order"));
        }
        Ok(answer)
    }

    /// Places `count` orders.
    pub(crate) async fn order(&mut self, count: usize) {
        for _ in 0..count {
            let answer = self.try_order().await.expect("an answer");
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    }

    /// Reads every order back.
    pub(crate) async fn expect_all_orders(&mut self) {
        for order in &self.orders {
            let call = Call::get(format!("/orders/{}", order.order_id));
            let read = self.client.send(&call).await.expect("an answer");
            assert_eq!(read.json::<Order>().as_ref(), Some(order), "{}", read.status);
        }
    }

    /// Kills it when it has been at rest for a while, so that all that it wrote is durable.
    pub(crate) async fn kill_at_rest(&mut self) {
        let at_rest = || {
            let frames = Frames::of_log(&self.data);
            let written = fs::metadata(&frames.path).and_then(|file| file.modified());
            let since = SystemTime::now().duration_since(written.expect("a time"));
            frames.is_at_rest() && since.is_ok_and(|since| since > Duration::from_millis(250))
        };
        wait_until("the log is at rest", at_rest).await;
        self.server.kill().expect("killed");
    }

    /// Starts it again, and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        self.server.spawn().expect("it starts");
        self.server.until_ready().await.expect("it is ready");
    }

    /// Starts it, and expects that it refuses to: what it said.
    pub(crate) async fn expect_refusal(&mut self) -> String {
        self.server.spawn().expect("it starts");
        refusal(self.server.until_ready().await)
    }
}

/// What a process said that did not start.
pub(crate) fn refusal<T: std::fmt::Debug>(started: Result<T, ServerError>) -> String {
    match started {
        Err(ServerError::Ended { status, said, .. }) if !status.success() => said,
        other => panic!("it must refuse to start, and gave {other:?}"),
    }
}

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Every file below `dir`, with its bytes.
pub(crate) fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            files.insert(path, bytes);
        }
    }
    files
}
