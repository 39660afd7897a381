use std::time::Duration;

/// What a trial does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many clients place orders, each for a customer of its own.
    pub clients: usize,
    /// How many orders are acknowledged in all, at least.
    pub orders: usize,
    /// When the service is killed, one kill after the other.
    pub kills: Vec<Kill>,
    /// What all random choices follow from, though not what the machine makes of them.
    pub seed: u64,
}

/// A moment to kill the service: when so many more `orders` were acknowledged, and then as it says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kill {
    /// So many more orders are acknowledged first.
    pub orders: usize,
    /// Who is killed.
    pub whom: Whom,
    /// What then happens.
    pub at: Moment,
}

/// Whom a kill hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whom {
    /// The node that leads, which one alone always does.
    Leader,
    /// A node that does not lead.
    Follower,
    /// All nodes at once.
    All,
}

/// In which state the service is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Moment {
    /// At work, at once.
    AtWork,
    /// Everybody holds until nothing is under way and the service is at rest; then all ask at once,
    /// and so much later it is killed.
    InBurst(Duration),
    /// Twice: at once, and again while it starts, when this part of the time has passed that the
    /// last start took.
    WhileStarting(f64),
    /// At work, and it stays down until so many more orders were acknowledged: what it lacks is not
    /// in the log of the others any more, if that is short.
    Behind(usize),
    /// The same, and it is killed again, so often, while it takes over what the others have.
    BehindAgain(usize, u8),
}

impl Plan {
    /// A plan for `clients` that place `orders`: the service is killed `kills` times, at random
    /// times that are spread over the orders, each as `strike` says.
    pub fn spread(
        clients: usize,
        orders: usize,
        kills: usize,
        seed: u64,
        mut strike: impl FnMut(&mut fastrand::Rng) -> (Whom, Moment),
    ) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let part = orders / (kills + 1);
        let mut kill = || {
            // None comes at once, so that each hits clients at work.
            let orders = rng.usize(part / 2..=part + part / 2).max(1);
            let (whom, at) = strike(&mut rng);
            Kill { orders, whom, at }
        };
        Self { clients, orders, kills: (0..kills).map(|_| kill()).collect(), seed }
    }
}
