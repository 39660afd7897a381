//! A new node gets its certificate by a token, and joins: real processes, by the command line.

mod operator;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catga::enrolment::{Base64, JoinRequest, JoinToken};
use operator::{PROGRAM, run, run_at};
use order_cluster::certificates::{CA, CA_KEY, CLUSTER};
use order_cluster::client::{Call, Client};
use order_cluster::fleet::{Server, ServerOptions, Servers, Status, free_port};
use order_cluster::messages::CreateOrder;

/// A cluster whose nodes meet by certificates; all but the third can sign.
struct Cluster {
    dir: tempfile::TempDir,
    servers: Servers,
}

impl Cluster {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (tls, no_key) = (dir.path().join("tls"), dir.path().join("tls-without-key"));
        run(&["certificates", text(&tls), "--keep-ca-key"], &[]).expect("they are made");
        assert_eq!(mode(&tls.join(CA_KEY)), 0o600);
        fs::create_dir(&no_key).expect("a directory");
        for file in [CA, "node3.pem", "node3.key"] {
            fs::copy(tls.join(file), no_key.join(file)).expect("it is copied");
        }
        let options = ServerOptions::cluster(PROGRAM, dir.path()).into_iter().enumerate();
        let options = options.map(|(number, options)| {
            options.tls(if number == 2 { &no_key } else { &tls }).variable("RUST_LOG", LOGGED)
        });
        let servers = Servers::start(options.collect()).await.expect("it starts");
        Self { dir, servers }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn url(&self, number: usize) -> String {
        format!("http://{}", self.servers.all()[number].address())
    }

    /// Makes a token at the first node, as its operator.
    fn token(&self, words: &[&str]) -> Result<String, String> {
        let ca = self.path("tls").join(CA);
        let words = [&["--ca", text(&ca)], words].concat();
        run_at(&self.servers.all()[0], &["token", "create"], &words)
    }

    /// Asks one of the nodes over HTTP, with a new key for node4: what it refuses with.
    async fn ask(&self, at: usize, token: &str) -> (u16, String) {
        let token = JoinToken::parse(token).expect("a token");
        let request = token.request(CLUSTER, "node4").expect("a request");
        let call = Call::post(JoinRequest::PATH, request.command());
        let mut client = Client::new(vec![self.servers.all()[at].address()]);
        let answer = client.send(&call).await.expect("it answers");
        let problem: serde_json::Value = answer.json().expect("problem details");
        (answer.status.as_u16(), problem["code"].as_str().expect("a code").to_owned())
    }

    /// Gets the certificate of `name` into a directory, from one of the nodes.
    fn enroll(&self, token: &str, at: usize, name: &str, into: &str) -> Result<String, String> {
        let (at, into) = (self.url(at), self.path(into));
        let words = ["enroll", "--at", &at, "--name", name, "--into", text(&into)];
        run(&words, &[("JOIN_TOKEN", token)])
    }
}

/// Everything that the program itself would ever say.
const LOGGED: &str = "debug,openraft=warn";

fn text(path: &Path) -> &str {
    path.to_str().expect("a text")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

async fn order(server: &Server, key: &str) {
    let (product_id, customer_id) = ("PROD-001".to_owned(), "ann".to_owned());
    let order = CreateOrder { product_id, quantity: 1, customer_id };
    let call = Call::post("/orders", &order).keyed(key);
    let answer = Client::new(vec![server.address()]).send(&call).await.expect("it answers");
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// Waits until the node says of the cluster what is wanted.
async fn wait_until(server: &Server, what: &str, holds: impl Fn(&Status) -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !server.status().await.as_ref().is_some_and(&holds) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// Every file below `dir`.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(&path).expect("it is read"))),
        }
    }
    found
}

fn holds(content: &[u8], what: &[u8]) -> bool {
    content.windows(what.len()).any(|part| part == what)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_let_in_by_a_token_that_is_good_once_and_kept_nowhere() {
    let mut cluster = Cluster::start().await;
    order(&cluster.servers.all()[0], "a-1").await;
    let made = cluster.token(&["--name", "node4", "--ttl", "30m"]).expect("it is made");
    let token = made.trim();
    assert_eq!(made, format!("{token}\n"), "nothing else is written");

    // A node without the CA's key says so, and the token is as good as before.
    let problem = cluster.ask(2, token).await;
    assert_eq!(problem, (503, "catga.certificate.no-authority".to_owned()));
    let why = cluster.enroll(token, 2, "node4", "joined").expect_err("it cannot sign");
    assert!(why.contains("CLUSTER_TLS_CA_KEY is not set"), "{why}");
    let why = cluster.enroll(token, 1, "node5", "joined").expect_err("it is node4's");
    assert!(why.contains("for the node `node4`"), "{why}");
    let key = fs::read(cluster.path("joined/node4.key")).expect("its key is kept");
    let said = cluster.enroll(token, 1, "node4", "joined").expect("it gets a certificate");
    assert!(said.contains("--join --tls") && !said.contains(token), "{said}");
    assert_eq!(fs::read(cluster.path("joined/node4.key")).expect("it is there"), key);
    assert_eq!(mode(&cluster.path("joined/node4.key")), 0o600);
    let again = cluster.enroll(token, 1, "node4", "joined").expect_err("it is there");
    assert!(again.contains("nothing is written over"), "{again}");

    // Another key is refused, and the same one is heard again, as when an answer was lost.
    let problem = cluster.ask(0, token).await;
    assert_eq!(problem, (403, "catga.join-token.used".to_owned()));
    let stolen = cluster.enroll(token, 0, "node4", "stolen").expect_err("it was used");
    assert!(stolen.contains("was used"), "{stolen}");
    assert!(!cluster.path("stolen/node4.pem").exists());
    for file in ["node4.pem", CA] {
        fs::remove_file(cluster.path("joined").join(file)).expect("it is removed");
    }
    cluster.enroll(token, 0, "node4", "joined").expect("it is answered again");

    let options = ServerOptions::new(PROGRAM, cluster.path("node4")).node("node4").joins();
    let options = options.tls(cluster.path("joined")).variable("RUST_LOG", LOGGED);
    let mut joined = Server::member(options, free_port(1), cluster.servers.addresses());
    joined.spawn().expect("it starts");
    joined.until_ready().await.expect("it joins");
    let first = &cluster.servers.all()[0];
    run_at(first, &["members"], &["promote", "node4"]).expect("it gets its vote");
    let four = |status: &Status| status.members.iter().filter(|it| it.has_vote).count() == 4;
    wait_until(&joined, "four vote", four).await;
    order(&joined, "a-2").await;

    // It is a member now.
    let why = cluster.token(&["--name", "node4"]).expect_err("there is one of that name");
    assert!(why.contains("is a member already"), "{why}");
    let renewal = cluster.token(&["--name", "node4", "--renews"]).expect("it is made");
    let (renewed, file) = (cluster.path("renewed"), cluster.path("renewal"));
    fs::write(&file, &renewal).expect("it is written");
    let first = cluster.url(0);
    let words = ["enroll", "--at", &first, "--name", "node4", "--into", text(&renewed)];
    let by_file = [&words[..], &["--token-file", text(&file)]].concat();
    let said = run(&by_file, &[]).expect("it gets another");
    assert!(said.contains("node4.key and node4.pem in the place of"), "{said}");
    fs::remove_file(file).expect("it is removed");
    let by_argument = [&words[..], &[renewal.trim()]].concat();
    let again = run(&by_argument, &[]).expect_err("it is there");
    assert!(again.contains("nothing is written over"), "{again}");
    let none = run(&words, &[]).expect_err("there is no token");
    assert!(none.contains("JOIN_TOKEN") && none.contains("--token-file"), "{none}");

    joined.stop().await.expect("it stops");
    cluster.servers.stop().await.expect("they stop");
    is_nowhere(&cluster, token);
}

/// What it takes to use the token is in no file of any node, nor in what they have said; its public
/// key is, so that this would have been seen.
fn is_nowhere(cluster: &Cluster, token: &str) {
    let seed = token.split('.').nth(1).expect("a seed");
    let bytes: Base64<32> = seed.parse().expect("32 bytes");
    let public = JoinToken::parse(token).expect("a token").public_key().to_string();
    let (mut known, mut logged) = (0, 0);
    for (path, content) in files(cluster.dir.path()) {
        for secret in [token.as_bytes(), seed.as_bytes(), &bytes.0] {
            assert!(!holds(&content, secret), "{}", path.display());
        }
        let is_log = path.extension().is_some_and(|ending| ending == "log");
        let is_known = usize::from(holds(&content, public.as_bytes()));
        *(if is_log { &mut logged } else { &mut known }) += is_known;
    }
    assert!(known >= 4 && logged >= 1, "the public key is in {known} files, and {logged} logs");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_operator_makes_no_token_and_who_is_late_gets_nothing() {
    let cluster = Cluster::start().await;
    let ca = fs::read(cluster.path("tls").join(CA)).expect("a CA");
    let unmade = JoinToken::make(&ca).expect("a token");
    let creation = unmade.creation("node4", Duration::from_secs(60));
    let create = Call::post("/cluster/join-tokens", &creation);
    let another = cluster.servers.all()[1].options().dir.join("admin-token");
    let another = fs::read_to_string(another).expect("it has a token");
    let bearer = |token: &str| create.clone().header("authorization", format!("Bearer {token}"));
    for call in [create.clone(), bearer("guessed"), bearer(another.trim())] {
        let mut client = Client::new(vec![cluster.servers.all()[0].address()]);
        let answer = client.send(&call).await.expect("it answers");
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let why = cluster.enroll(&unmade.reveal(), 0, "node4", "guessed").expect_err("nobody's");
    assert!(why.contains("nobody has made this token"), "{why}");
    for (words, said) in [
        (&["--name", "node4", "--ttl", "8d"][..], "'--ttl <TTL>': it must be from 1s to 7d"),
        (&["--name", "node4", "--ttl", "0s"], "'--ttl <TTL>': it must be from 1s to 7d"),
        (&["--name", "node1"], "is a member already"),
        (&["--name", ""], "'--name <NAME>': it must be the name of a node"),
    ] {
        let why = cluster.token(words).expect_err(said);
        assert!(why.contains(said), "{why}");
    }
    // A token whose CA is another one than the cluster's: the new node believes nobody.
    run(&["certificates", text(&cluster.path("others"))], &[]).expect("they are made");
    let other = fs::read(cluster.path("others").join(CA)).expect("a CA");
    let (own, other) = (unmade.reveal(), JoinToken::make(&other).expect("a token").reveal());
    let own = own.rsplit_once('.').expect("three parts").1;
    let swapped = cluster.token(&["--name", "node5"]).expect("it is made").trim().to_owned();
    let swapped = swapped.replace(own, other.rsplit_once('.').expect("three parts").1);
    let why = cluster.enroll(&swapped, 0, "node5", "deceived").expect_err("it is another CA");
    assert!(why.contains("not the one that the token is bound to"), "{why}");
    assert!(!cluster.path("deceived/node5.pem").exists());

    // The same key is answered until the token expires.
    let short = cluster.token(&["--name", "node6", "--ttl", "1s"]).expect("it is made");
    let late = loop {
        match cluster.enroll(short.trim(), 0, "node6", "late") {
            Ok(_) => fs::remove_file(cluster.path("late/node6.pem")).expect("it is there"),
            Err(why) => break why,
        }
    };
    assert!(late.contains("the token has expired"), "{late}");
}
