use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use catga_host::BoxFuture;

/// The process of a machine: whether its tasks may run.
#[derive(Default)]
pub(crate) struct Process {
    /// Locked to look at it or to change it, never while a task runs.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_paused: bool,
    /// Which life it is: what was adopted in an earlier one has ended.
    life: u64,
    tasks: u64,
    /// Tasks that were woken while it stood still.
    woken: BTreeMap<u64, Waker>,
    adopted: BTreeMap<u64, Adopted>,
}

/// A task that somebody else spawned, or is about to.
enum Adopted {
    /// It did not run yet, and perhaps never will.
    New(BoxFuture<'static, ()>),
    Running(Waker),
}

/// What a task may do now.
enum Admission {
    Run,
    /// Run for the first time.
    Begin(BoxFuture<'static, ()>),
    StandStill,
    End,
}

impl Process {
    /// Makes a task stand still with the process. Whoever spawns it ends it.
    pub(crate) fn govern(self: &Arc<Self>, task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        let number = self.lock().next_task();
        Box::pin(Governed { process: Arc::clone(self), number, adopted_in: None, task: Some(task) })
    }

    /// Makes a task stand still and end with the process, whoever spawns it.
    pub(crate) fn adopt(self: &Arc<Self>, task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        let mut state = self.lock();
        let (number, life) = (state.next_task(), state.life);
        state.adopted.insert(number, Adopted::New(task));
        drop(state);
        let process = Arc::clone(self);
        Box::pin(Governed { process, number, adopted_in: Some(life), task: None })
    }

    /// True if that changes something.
    pub(crate) fn pause(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_paused, true)
    }

    /// True if that changes something.
    pub(crate) fn resume(&self) -> bool {
        let (was_paused, woken) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.is_paused), std::mem::take(&mut state.woken))
        };
        woken.into_values().for_each(Waker::wake);
        was_paused
    }

    /// Ends everything that was adopted, and lets what comes run. Gives out which tasks
    /// [are still to be dropped](Self::have_ended).
    pub(crate) fn end(&self) -> Vec<u64> {
        self.resume();
        let mut state = self.lock();
        state.life += 1;
        let adopted = std::mem::take(&mut state.adopted);
        let mut ending = Vec::new();
        let mut wakes = Vec::new();
        let mut never_ran = Vec::new();
        for (number, adopted) in adopted {
            match adopted {
                Adopted::New(task) => never_ran.push(task),
                Adopted::Running(waker) => {
                    ending.push(number);
                    wakes.push(waker.clone());
                    state.adopted.insert(number, Adopted::Running(waker));
                }
            }
        }
        drop(state);
        wakes.into_iter().for_each(Waker::wake);
        drop(never_ran);
        ending
    }

    /// True once all of these adopted tasks are dropped.
    pub(crate) fn have_ended(&self, tasks: &[u64]) -> bool {
        let state = self.lock();
        !tasks.iter().any(|number| state.adopted.contains_key(number))
    }

    fn admit(&self, number: u64, adopted_in: Option<u64>, waker: &Waker) -> Admission {
        let mut state = self.lock();
        if adopted_in.is_some_and(|life| life != state.life) {
            return Admission::End;
        }
        if state.is_paused {
            state.woken.insert(number, waker.clone());
            return Admission::StandStill;
        }
        if adopted_in.is_some()
            && let Some(Adopted::New(task)) =
                state.adopted.insert(number, Adopted::Running(waker.clone()))
        {
            return Admission::Begin(task);
        }
        Admission::Run
    }

    fn forget(&self, number: u64) {
        let mut state = self.lock();
        let gone = (state.woken.remove(&number), state.adopted.remove(&number));
        // What they hold may come back here.
        drop(state);
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_task(&mut self) -> u64 {
        self.tasks += 1;
        self.tasks
    }
}

/// A task of a process.
struct Governed {
    process: Arc<Process>,
    number: u64,
    /// The life in which it was adopted, if it was.
    adopted_in: Option<u64>,
    /// None before an adopted task begins, and after the end.
    task: Option<BoxFuture<'static, ()>>,
}

impl Future for Governed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.process.admit(self.number, self.adopted_in, cx.waker()) {
            Admission::Run => {}
            Admission::Begin(task) => self.task = Some(task),
            Admission::StandStill => return Poll::Pending,
            Admission::End => self.task = None,
        }
        let ended = self.task.as_mut().is_none_or(|task| task.as_mut().poll(cx).is_ready());
        if !ended {
            return Poll::Pending;
        }
        self.task = None;
        self.process.forget(self.number);
        Poll::Ready(())
    }
}

impl Drop for Governed {
    fn drop(&mut self) {
        // First what it holds, then the word that it does not any more.
        self.task = None;
        self.process.forget(self.number);
    }
}
