//! Who may import whom. A table, laid out by hand: one crate, what it never imports, and why.

/// Crates that something must not import.
#[derive(Debug)]
pub(super) struct Rule {
    /// The crates that the rule is about.
    pub(super) of: Patterns,
    /// What their code never imports. Their tests may import anything.
    pub(super) never: &'static [Patterns],
    pub(super) why: &'static str,
}

/// Names of crates. `*` at the end is any ending, `!` in front excludes from the others, and a
/// pattern with a `/` means the crates of a folder.
pub(super) type Patterns = &'static [&'static str];

const ADAPTERS: Patterns = &[
    "catga-postgres", "catga-mongodb", "catga-nats", "catga-redis", "catga-rabbitmq", "catga-kafka",
];
const CLIENTS: Patterns = &[
    "async-nats", "etcd-client", "fred", "lapin", "mongodb", "postgres", "rdkafka", "redis",
    "reqwest", "rskafka", "sqlx*", "tokio-postgres", "tonic",
];
const FORMATS: Patterns = &[
    "bincode", "bson", "ciborium", "flexbuffers", "postcard", "prost", "rkyv", "rmp*", "ron",
    "serde_json", "serde_yaml", "simd-json", "sonic-rs", "toml",
];
const INPUT_OUTPUT: Patterns = &[
    "async-std", "axum*", "hyper*", "mio", "quinn", "rustix", "smol", "socket2", "tokio*",
];
const CLOCKS_AND_DICE: Patterns = &[
    "chrono", "fastrand", "getrandom", "jiff", "nanorand", "oorandom", "quanta", "rand*", "time",
];

/// Every arrow that is not allowed.
pub(super) const RULES: &[Rule] = &[
    Rule {
        of: &["catga-core"],
        never: &[&["catga*"], INPUT_OUTPUT, FORMATS, CLIENTS],
        why: "a vocabulary must outlive its runtimes",
    },
    Rule {
        of: &["catga-engine"],
        never: &[&["catga*", "!catga-core"], INPUT_OUTPUT, CLOCKS_AND_DICE, CLIENTS],
        why: "every node must decide the same, so it does no I/O, tells no time, draws no randomness",
    },
    Rule {
        of: &["catga-journal", "catga-broker"],
        never: &[&["catga", "catga-runtime", "catga-cluster", "catga-http"], ADAPTERS, CLIENTS],
        why: "ports are promises, not clients",
    },
    Rule {
        of: &["catga-runtime"],
        never: &[&["catga", "catga-cluster", "catga-http"], ADAPTERS, CLIENTS],
        why: "it knows a backend as a trait, and the facade joins the two",
    },
    Rule {
        of: &["catga-cluster"],
        never: &[&["catga", "catga-saga", "catga-http", "catga-dashboard"], ADAPTERS, CLIENTS],
        why: "it orders bytes and knows no domain",
    },
    Rule {
        of: &["catga-http"],
        never: &[&["catga", "catga-cluster"]],
        why: "it accepts a stream and hands it on",
    },
    Rule {
        of: &["catga-saga", "catga-layers"],
        never: &[&["catga", "catga-cluster"], ADAPTERS, CLIENTS],
        why: "they see ports only",
    },
    Rule {
        of: ADAPTERS,
        never: &[&["catga", "catga-runtime", "catga-cluster", "catga-saga"], ADAPTERS],
        why: "a backend is chosen in the builder, and knows of no other",
    },
    Rule {
        of: &["catga-dashboard"],
        never: &[&["catga-cluster"], ADAPTERS, CLIENTS],
        why: "it asks queries, as any user does",
    },
    Rule {
        of: &["*", "!catga-fuzz"],
        never: &[&["catga-fuzz", "bolero*"]],
        why: "it is for tests: no program has it",
    },
    Rule {
        of: &["examples/*"],
        never: &[&["catga-*", "!catga-testkit"]],
        why: "`catga` is the only crate that users name",
    },
    Rule {
        of: &["*", "!catga-cluster"],
        never: &[&["openraft*"]],
        why: "only catga-cluster names it, so that it can be replaced",
    },
];
