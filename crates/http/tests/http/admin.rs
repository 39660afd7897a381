//! What only operators may do, and that nobody else can.

use std::sync::Arc;

use catga::{Backups, Limits, OnDisk};
use catga_http::{AdminToken, AdminTokenError};
use serde_json::{Value, json};

use crate::pages::check_references;
use crate::serving::{Serving, serve, serve_node};
use crate::shop::{Gate, builder};
use crate::stream::rest;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn token() -> AdminToken {
    AdminToken::new(TOKEN).expect("it is long enough")
}

fn request(method: &str, path: &str, header: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\
         {header}\r\n"
    )
}

const ROUTES: [(&str, &str); 3] = [
    ("DELETE", "/cluster/members/node1"),
    ("POST", "/cluster/members/node1/promote"),
    ("POST", "/cluster/members/node1/lead"),
];

const BACKUP: (&str, &str) = ("POST", "/cluster/backup");

#[tokio::test]
async fn without_a_token_there_are_no_routes_for_operators() {
    let serving = serve(Limits::default(), |server| server).await;
    let header = format!("authorization: Bearer {TOKEN}\r\n");
    for (method, path) in ROUTES.into_iter().chain([BACKUP]) {
        let answer = rest(&mut serving.say(&request(method, path, &header)).await).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
}

#[tokio::test]
async fn nobody_comes_through_but_with_the_token() {
    let serving = serve(Limits::default(), |server| server.admin(token())).await;
    let wrong = [
        String::new(),
        "authorization: Bearer \r\n".to_owned(),
        format!("authorization: Bearer {TOKEN}0\r\n"),
        format!("authorization: Bearer {}\r\n", &TOKEN[1..]),
        format!("authorization: Basic {TOKEN}\r\n"),
        format!("authorization: {TOKEN}\r\n"),
    ];
    for (method, path) in ROUTES {
        for header in &wrong {
            let answer = rest(&mut serving.say(&request(method, path, header)).await).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
            assert!(!answer.contains(TOKEN), "{answer}");
        }
        // A process of its own has nobody to take out.
        let header = format!("authorization: Bearer {TOKEN}\r\n");
        let answer = rest(&mut serving.say(&request(method, path, &header)).await).await;
        assert!(answer.starts_with("HTTP/1.1 409 "), "{answer}");
        assert!(answer.contains("belongs to no cluster"), "{answer}");
    }
}

/// What a server answers to an operator who wants a backup.
async fn back_up(serving: &Serving, header: &str) -> (u16, Value) {
    let (method, path) = BACKUP;
    let answer = rest(&mut serving.say(&request(method, path, header)).await).await;
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    (status, serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_a_backup_made_where_the_server_was_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let backups = dir.path().join("backups");
    let start = async |data: &str, backups: Option<Backups>| {
        let gate = Arc::new(Gate::default());
        let node = builder(Limits::default(), gate.clone()).data_dir(dir.path().join(data));
        let node = node.start().await.expect("it starts");
        let with = |server: catga_http::Server| match backups {
            Some(backups) => server.admin(token()).backups(backups),
            None => server.admin(token()),
        };
        serve_node(node, gate, with).await
    };
    let right = format!("authorization: Bearer {TOKEN}\r\n");
    let serving = start("data", Some(Backups::new(&backups).keep(2))).await;
    let (status, problem) = back_up(&serving, "").await;
    assert_eq!((status, &problem["code"]), (401, &"unauthorized".into()), "{problem}");
    assert!(!backups.exists());

    let (status, made) = back_up(&serving, &right).await;
    assert_eq!((status, &made["number"], &made["cluster"]), (201, &1.into(), &"".into()), "{made}");
    assert!(made["bytes"].as_u64() > Some(100) && made["position"].is_string(), "{made}");
    let (status, again) = back_up(&serving, &right).await;
    assert_eq!((status, &again["newPieces"], &again["newBytes"]), (201, &0.into(), &0.into()));
    back_up(&serving, &right).await;
    let list = catga::tools::backups(&backups).expect("backups");
    assert_eq!(list.into_keys().collect::<Vec<_>>(), [2, 3]);

    let lock = std::fs::File::open(backups.join("lock")).expect("it is there");
    lock.try_lock().expect("nobody has it");
    let (status, problem) = back_up(&serving, &right).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().expect("a text").contains("are in use"), "{problem}");
    drop(lock);
    // The directory of another node is none for backups.
    let serving = start("other", Some(Backups::new(dir.path().join("data")))).await;
    let (status, problem) = back_up(&serving, &right).await;
    assert_eq!(status, 409, "{problem}");

    // Nor is what is below a file.
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("written");
    let below = file.join("backups");
    let serving = start("fourth", Some(Backups::new(&below))).await;
    let (status, problem) = back_up(&serving, &right).await;
    let told = (&problem["code"], &problem["retryable"]);
    assert_eq!((status, told), (500, (&"backup-failed".into(), &true.into())), "{problem}");
    let detail = problem["detail"].as_str().expect("a text");
    let names = format!("in {}, which BACKUP_DIR ", below.display());
    assert!(detail.contains(&names) && detail.contains("(os error 20)"), "{detail}");

    let serving = start("third", None).await;
    let (status, problem) = back_up(&serving, &right).await;
    assert_eq!(status, 404, "{problem}");
    assert!(problem["detail"].as_str().expect("a text").contains("BACKUP_DIR"), "{problem}");
    let serving = serve(Limits::default(), |it| it.admin(token()).backups(&backups)).await;
    let (status, problem) = back_up(&serving, &right).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().expect("a text").contains("nothing on disk"), "{problem}");
}

async fn described(serving: &Serving) -> Value {
    let answer = rest(&mut serving.say(&request("GET", "/openapi.json", "")).await).await;
    let document = answer.split_once("\r\n\r\n").expect("a body").1;
    serde_json::from_str(document).expect("a document")
}

#[tokio::test]
async fn openapi_describes_what_operators_may_do() {
    let without = described(&serve(Limits::default(), |server| server).await).await;
    let serving = serve(Limits::default(), |server| server.admin(token())).await;
    let document = described(&serving).await;
    check_references(&document, &document);
    for (method, path) in ROUTES.into_iter().chain([BACKUP]) {
        let path = path.replace("node1", "{name}");
        assert!(without["paths"][&path].is_null(), "{path}");
        let operation = &document["paths"][&path][method.to_lowercase()];
        assert_eq!(operation["security"], json!([{"operators": []}]), "{method} {path}");
        let refused = &operation["responses"]["4XX"]["content"]["application/problem+json"];
        assert_eq!(refused["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path}");
        assert!(operation["responses"]["5XX"].is_object(), "{method} {path}");
        let mut parameters = operation["parameters"].as_array().expect("parameters").iter();
        let name = parameters.find(|it| it["in"] == "path");
        assert_eq!(name.map(|it| &it["name"]), path.contains('{').then_some(&json!("name")));
    }
    let remove = &document["paths"]["/cluster/members/{name}"]["delete"];
    assert_eq!(remove["operationId"], "RemoveMember");
    let done = &remove["responses"]["204"];
    assert!(done.is_object() && done["content"].is_null(), "{done}");
    let made = &document["paths"]["/cluster/backup"]["post"]["responses"]["201"];
    let schema = &made["content"]["application/json"]["schema"];
    assert_eq!(schema, &json!({"$ref": "#/components/schemas/BackupMade"}));
    assert_eq!(
        document["components"]["schemas"]["BackupMade"]["required"],
        json!([
            "number",
            "position",
            "at",
            "cluster",
            "node",
            "pieces",
            "bytes",
            "newPieces",
            "newBytes"
        ])
    );
}

fn echo(header: &str) -> String {
    let head = "POST /operators/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    format!("{head}content-type: application/json\r\ncontent-length: 2\r\n{header}\r\n{{}}")
}

#[tokio::test]
async fn a_route_of_the_program_may_be_for_operators() {
    let operator = format!("authorization: Bearer {TOKEN}\r\n");
    let document = "GET /openapi.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let without = serve(Limits::default(), |server| server).await;
    let answer = rest(&mut without.say(&echo(&operator)).await).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let described = rest(&mut without.say(document).await).await;
    assert!(!described.contains("EchoForOperators") && !described.contains("security"));

    let serving = serve(Limits::default(), |server| server.admin(token())).await;
    for header in ["", "authorization: Bearer \r\n", "authorization: Bearer guessed\r\n"] {
        let answer = rest(&mut serving.say(&echo(header)).await).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    let answer = rest(&mut serving.say(&echo(&operator)).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("deadline_ms"), "{answer}");
    let described = rest(&mut serving.say(document).await).await;
    assert!(described.contains(r#""security":[{"operators":[]}]"#), "{described}");
    assert!(described.contains(r#""securitySchemes":{"operators":"#), "{described}");
    let metrics = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let metrics = rest(&mut serving.say(metrics).await).await;
    let counted = r#"route="/operators/echo",status="401""#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn a_token_that_could_be_guessed_is_refused() {
    let short = AdminToken::new("  0123456789abcde \n").expect_err("15 bytes");
    assert!(matches!(short, AdminTokenError::TooShort(15)), "{short}");
    assert!(!format!("{:?}", token()).contains("01234"));
}

#[cfg(unix)]
#[test]
fn a_token_in_a_file_is_made_once_and_for_its_owner() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("data").join("admin-token");
    AdminToken::kept_in(&path).expect("it is made");
    let made = std::fs::read_to_string(&path).expect("it is there");
    assert_eq!(made.trim().len(), 64, "{made}");
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    AdminToken::kept_in(&path).expect("it is read");
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), made);
    std::fs::write(&path, "short").expect("it is written");
    let why = AdminToken::kept_in(&path).expect_err("it is too short").to_string();
    assert!(why.contains("16 at least"), "{why}");
    let nowhere = AdminToken::kept_in(dir.path()).expect_err("a directory").to_string();
    assert!(nowhere.contains(&*dir.path().display().to_string()), "{nowhere}");
}
