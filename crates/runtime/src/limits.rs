use std::time::Duration;

use crate::StartFault;

/// How much a node takes on before it says no. Every queue and wait has its bound here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes of one command's payload: 1 MiB.
    pub command_bytes: usize,
    /// The most bytes of one command's answer, and of each of its events: 1 MiB.
    pub answer_bytes: usize,
    /// How many durable commands may be under way at once on this node: 16,384. One counts again
    /// for every 16 KiB of its payload, so that together they hold at most 256 MiB.
    pub in_flight: usize,
    /// How long a call waits for its turn when that many are under way: 1 s.
    pub queue_wait: Duration,
    /// How long a call may take that does not say otherwise: 10 s.
    pub deadline: Duration,
    /// How long an answer waits for this node's own views, and a session read for its position:
    /// 1 s.
    pub visible_wait: Duration,
    /// How often a handler runs again after a conflict before the command fails: 32.
    pub reruns: u32,
    /// How often a delivery to a subscriber is tried before the subscriber pauses, or its event
    /// becomes a dead letter: 10.
    pub delivery_attempts: u32,
    /// How many dead letters a subscriber of the whole cluster may have before it pauses: 256.
    pub dead_letters: usize,
    /// How many events may wait behind its dead letters before it pauses: 4,096.
    pub parked: usize,
    /// How long a node that starts waits for the journal to take it in: for a leader, and until it
    /// has caught up with what the cluster had acknowledged: 60 s.
    pub start_wait: Duration,
    /// How long a draining node waits for what is under way: 30 s.
    pub drain_wait: Duration,
    /// How many keys from outside may be remembered when a command under a new one comes: 1,000,000,
    /// which are eleven a second, since each is remembered for a day. Past that such commands are
    /// refused. A key takes some 300 bytes of memory on every node, and 120 of every checkpoint.
    pub keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_bytes: 1 << 20,
            answer_bytes: 1 << 20,
            in_flight: 16_384,
            queue_wait: Duration::from_secs(1),
            deadline: Duration::from_secs(10),
            visible_wait: Duration::from_secs(1),
            reruns: 32,
            delivery_attempts: 10,
            dead_letters: 256,
            parked: 4096,
            start_wait: Duration::from_secs(60),
            drain_wait: Duration::from_secs(30),
            keys: 1_000_000,
        }
    }
}

impl Limits {
    /// Adds a fault to `faults` for each limit that cannot work.
    pub(crate) fn check(&self, faults: &mut Vec<StartFault>) {
        let mut refuse_zero = |option: &'static str, is_zero: bool| {
            if is_zero {
                let why = "it must be above zero".to_owned();
                faults.push(StartFault::BadOption { option, value: "0".to_owned(), why });
            }
        };
        refuse_zero("limits.command_bytes", self.command_bytes == 0);
        refuse_zero("limits.answer_bytes", self.answer_bytes == 0);
        refuse_zero("limits.in_flight", self.in_flight == 0);
        refuse_zero("limits.deadline", self.deadline.is_zero());
        refuse_zero("limits.start_wait", self.start_wait.is_zero());
        refuse_zero("limits.delivery_attempts", self.delivery_attempts == 0);
        refuse_zero("limits.dead_letters", self.dead_letters == 0);
        refuse_zero("limits.parked", self.parked == 0);
        refuse_zero("limits.keys", self.keys == 0);
        let most = 1 << 24;
        if self.in_flight > most {
            let why = format!("it must be at most {most}; a node is at its capacity long before");
            let value = self.in_flight.to_string();
            faults.push(StartFault::BadOption { option: "limits.in_flight", value, why });
        }
        // Both stand in one record, which is written anew with each change.
        for (option, held, most) in [
            ("limits.dead_letters", self.dead_letters, 1024),
            ("limits.parked", self.parked, 65_536),
        ] {
            if held > most {
                let why = format!("it must be at most {most}; somebody has to look at them first");
                faults.push(StartFault::BadOption { option, value: held.to_string(), why });
            }
        }
        // One entry carries an answer with its events, and a log takes entries of 16 MiB.
        let most = 4 << 20;
        for (option, bytes) in [
            ("limits.command_bytes", self.command_bytes),
            ("limits.answer_bytes", self.answer_bytes),
        ] {
            if bytes > most {
                let why = format!("it must be at most {most}; keep larger things elsewhere");
                faults.push(StartFault::BadOption { option, value: bytes.to_string(), why });
            }
        }
    }
}
