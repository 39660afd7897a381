/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Something that a client saw acknowledged is not there (I1).
    #[error("lost: {0}")]
    Lost(String),
    /// One command had two effects (I2).
    #[error("doubled: {0}")]
    Doubled(String),
    /// The same command was answered in two ways (I2, I5).
    #[error("two answers: {0}")]
    TwoAnswers(String),
    /// The service refused or failed what it must do.
    #[error("wrong answer: {0}")]
    WrongAnswer(String),
    /// The journal says two things of one position (I3, I8).
    #[error("the journal contradicts itself: {0}")]
    Contradiction(String),
    /// A part of the history cannot be read, and another node is asked for it.
    #[error("damaged: {0}")]
    Damaged(String),
    /// A node did not start on what a machine was left with (I14).
    #[error("it does not start: {0}")]
    NoStart(String),
    /// A node did not serve although nothing was wrong any more (I14).
    #[error("it does not serve: {0}")]
    NotServing(String),
    /// A node that was removed from the cluster goes on (I13).
    #[error("it goes on although it was removed: {0}")]
    ServesOn(String),
    /// It shows after a loss of power at some moment.
    #[error("after {0}")]
    After(String),
    /// Something panicked (I17).
    #[error("panicked: {0}")]
    Panicked(String),
}
