use crate::{DomainError, FieldFaults, Format, Stream, StreamName, Tag, Wire};

/// Something with a written name that can be stored and sent: a command, a query or an event.
///
/// Write it with `#[derive(Command)]`, `#[derive(Query)]` or `#[derive(Event)]`. The name is what
/// is stored and sent; it never comes from the Rust type, so that types can be renamed and moved.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "not a command, a query or an event",
    note = "derive `Command`, `Query` or `Event` on `{Self}`, for example \
            `#[derive(Command, Serialize, Deserialize)]` with \
            `#[command(name = \"order.create\", reply = Order, error = OrderError)]`"
)]
pub trait Message: Wire {
    /// The stable, written name, such as `order.create`.
    const NAME: &'static str;
    /// The version of the payload's shape, from 1; raise it when old bytes need an upcaster.
    const VERSION: u32 = 1;
    /// How its bytes, and those of its reply and its error, are written.
    type Format: Format;

    /// Names every field that no handler could take, whatever the state: an empty name, a quantity
    /// of zero.
    ///
    /// It is asked once per call, on the node that was called and before anything else; what it
    /// refuses is not recorded. A rule that depends on state is a refusal of the domain.
    fn check(&self, faults: &mut FieldFaults) {
        let _ = faults;
    }
}

/// A command or a query: a message that one handler answers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command or a query",
    note = "derive `Command` or `Query` on `{Self}`; an event is not answered, it is emitted or \
            published"
)]
pub trait Request: Message {
    /// [`CommandKind`] or [`QueryKind`].
    type Kind: Kind;
    /// What a handler answers when it succeeds.
    type Reply: Wire;
    /// What a handler answers when it refuses.
    type Error: DomainError;
}

/// A request to change something. Its handler may take a [`Tx`](crate::Tx).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    label = "`send` takes a command",
    note = "derive `Command` on `{Self}`, or `ask` it if it is a query"
)]
pub trait Command: Request<Kind = CommandKind> {}

/// A request to read something. Its handler never takes a [`Tx`](crate::Tx).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query",
    label = "`ask` takes a query",
    note = "derive `Query` on `{Self}`, or `send` it if it is a command"
)]
pub trait Query: Request<Kind = QueryKind> {
    /// What this query reads unless a call says otherwise.
    const LEVEL: ReadLevel = ReadLevel::Local;
}

/// What a query may answer from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadLevel {
    /// This node's own state, as far as it has got.
    #[default]
    Local,
    /// This node's own state, not before the position that the caller has seen.
    Session,
    /// Everything that was acknowledged anywhere before the query was asked.
    Linearizable,
}

/// Command or query, told apart by the compiler.
pub trait Kind: Send + Sync + 'static {
    /// The kind's word in logs, metrics and errors.
    const WORD: &'static str;
}

/// The [`Kind`] of commands.
#[derive(Debug)]
pub struct CommandKind;

/// The [`Kind`] of queries.
#[derive(Debug)]
pub struct QueryKind;

impl Kind for CommandKind {
    const WORD: &'static str = "command";
}

impl Kind for QueryKind {
    const WORD: &'static str = "query";
}

/// Something that has happened. It is recorded in a stream, or it is ephemeral.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    note = "derive `Event` on `{Self}`, for example \
            `#[event(name = \"order.created\", stream = Order, key = order_id)]`"
)]
pub trait Event: Message {
    /// True for an event that is never recorded: `publish` hands it to this node's subscribers in
    /// place.
    const EPHEMERAL: bool;

    /// The stream that it belongs to; none for an ephemeral event.
    fn stream(&self) -> Option<StreamName>;

    /// Adds the tags by which conditions over several streams find it.
    fn tags(&self, tags: &mut Vec<Tag>) {
        let _ = tags;
    }
}

/// An event with a stream: what a handler can emit.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no stream, so it cannot be recorded",
    label = "an ephemeral event is neither emitted nor folded",
    note = "publish it, or give it `#[event(stream = …, key = …)]` to record it"
)]
pub trait StreamEvent: Event {
    /// The category of its stream, usually the aggregate that folds it.
    type Stream: Stream;
}
