//! The one owner of all processes, and its loop.

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tracing::{debug, error};

use super::{
    answer::Answers,
    begin::Start,
    board::{Board, Ready},
    builder::Settings,
    generation::Generation,
    message::{Message, Restarted},
    process::{Exit, Process},
    slot::Slot,
    start::{Failed, Starter},
    state::{Event, State},
    upkeep::Upkeep,
    window::{self, Window},
};
use crate::{config::StartMode, error::StartFailure};

/// What a job of the task came to.
pub(super) enum Happening<P: Process> {
    /// A process that started listens, failed, or was killed because nobody wants it any more.
    Attempted {
        slot: usize,
        generation: u64,
        outcome: Option<Result<Generation<P>, Box<Failed>>>,
    },
    /// A process that served has ended.
    Ended {
        slot: usize,
        generation: u64,
        exit: Option<Exit>,
    },
    /// A process is gone and cleaned up after.
    Retired { slot: usize, generation: u64 },
}

/// A restart goes from slot to slot, so that the others serve meanwhile.
pub(super) struct Rolling {
    pub(super) slot: usize,
    pub(super) done: Vec<oneshot::Sender<Restarted>>,
}

/// Owns every process of an app: runs the state machine of each slot and does what it says.
pub(super) struct Task<S: Start> {
    pub(super) starter: Starter<S>,
    pub(super) settings: Settings,
    pub(super) slots: Vec<Slot<S::Process>>,
    pub(super) window: Window,
    pub(super) jobs: JoinSet<Happening<S::Process>>,
    pub(super) rolling: Option<Rolling>,
    pub(super) stoppers: Vec<oneshot::Sender<()>>,
    pub(super) answers: Answers,
    pub(super) upkeep: Upkeep,
    pub(super) failures: u64,
    pub(super) stops: u64,
    pub(super) restarts: u64,
    pub(super) last_failure: Option<(Arc<StartFailure>, SystemTime)>,
    events: VecDeque<(usize, Event)>,
    messages: mpsc::Receiver<Message>,
    pub(super) board: Board,
}

impl<S: Start> Task<S> {
    pub(super) fn new(
        starter: Starter<S>,
        settings: Settings,
        board: Board,
        messages: mpsc::Receiver<Message>,
    ) -> Self {
        // Two processes can't listen on one port.
        let slots = match starter.has_one_port() {
            true => 1,
            false => starter.config().processes_per_application.max(1),
        };
        let limit = starter.config().rapid_fails_per_minute;
        Self {
            starter,
            settings,
            slots: (0..slots).map(|_| Slot::new()).collect(),
            window: Window::new(limit, Instant::now()),
            jobs: JoinSet::new(),
            rolling: None,
            stoppers: Vec::new(),
            answers: Answers::default(),
            upkeep: Upkeep::new(Instant::now()),
            failures: 0,
            stops: 0,
            restarts: 0,
            last_failure: None,
            events: VecDeque::new(),
            messages,
            board,
        }
    }

    /// Runs until a shutdown is done, be it that the last handle was dropped.
    pub(super) async fn run(mut self) {
        if self.settings.start == StartMode::Eager {
            self.feed_all(Event::Demand);
        }
        self.settle();
        let mut open = true;
        while !self.is_stopped() {
            let alarm = self.alarm();
            tokio::select! {
                biased;
                Some(job) = self.jobs.join_next() => self.happened(job),
                message = self.messages.recv(), if open => match message {
                    Some(message) => self.receive(message),
                    None => {
                        open = false;
                        self.feed_all(Event::Shutdown);
                    }
                },
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => self.ring(),
            }
            self.settle();
        }
    }

    /// Gives `event` to a slot, after those that wait already.
    pub(super) fn feed(&mut self, slot: usize, event: Event) {
        self.events.push_back((slot, event));
    }

    pub(super) fn feed_all(&mut self, event: Event) {
        (0..self.slots.len()).for_each(|slot| self.feed(slot, event));
    }

    /// Lets the state machines take what happened, does what they say, and shows how things stand.
    fn settle(&mut self) {
        while let Some((index, event)) = self.events.pop_front() {
            let Some(slot) = self.slots.get_mut(index) else {
                continue;
            };
            let (next, actions) = slot.state.on(event);
            if next != slot.state {
                debug!(slot = index, ?event, from = ?slot.state, to = ?next, "State changed");
                slot.alarm = None;
                slot.state = next;
            }
            for action in actions {
                self.perform(index, action);
            }
            self.check_gone(index);
        }
        self.show();
        self.answers.send();
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Demand { stops } if stops == self.stops => self.feed_all(Event::Demand),
            // Whoever sent it has been turned away since.
            Message::Demand { .. } => {}
            Message::Restart { config, done } => self.roll(config, done),
            Message::Stop { done } => {
                self.stoppers.push(done);
                self.stops += 1;
                self.feed_all(Event::Stop);
            }
            Message::Shutdown { done } => {
                self.stoppers.push(done);
                self.stops += 1;
                self.feed_all(Event::Shutdown);
            }
        }
    }

    fn happened(&mut self, job: Result<Happening<S::Process>, tokio::task::JoinError>) {
        match job {
            Ok(Happening::Attempted {
                slot,
                generation,
                outcome,
            }) => self.attempted(slot, generation, outcome),
            Ok(Happening::Ended {
                slot,
                generation,
                exit,
            }) => self.ended(slot, generation, exit),
            Ok(Happening::Retired { slot, generation }) => {
                if let Some(place) = self.slots.get_mut(slot) {
                    place.forget_retired(generation);
                }
                self.check_gone(slot);
            }
            // Its processes were killed when it was dropped.
            Err(error) => error!(%error, "A job of the supervisor broke off"),
        }
    }

    fn ended(&mut self, index: usize, generation: u64, exit: Option<Exit>) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let Some(current) = slot
            .current
            .as_ref()
            .filter(|_| slot.is_current(generation))
        else {
            return;
        };
        let failure = self.starter.crash(current, exit);
        let settled = current.served() >= window::LENGTH;
        slot.failure = Some(Arc::new(failure));
        self.feed(index, Event::Exited { settled });
    }

    /// The state may be waiting for the last process to go.
    pub(super) fn check_gone(&mut self, slot: usize) {
        if self.slots.get(slot).is_some_and(Slot::is_gone) {
            self.feed(slot, Event::Gone);
        }
    }

    /// When the next wait is over.
    fn alarm(&self) -> Option<Instant> {
        let alarms = self.slots.iter().filter_map(|slot| slot.alarm);
        alarms.chain(self.next_look()).min()
    }

    fn ring(&mut self) {
        let now = Instant::now();
        self.look(now);
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(index) else {
                continue;
            };
            if slot.alarm.take_if(|alarm| *alarm <= now).is_none() {
                continue;
            }
            match slot.state {
                State::Refused { .. } => self.feed(index, Event::WindowElapsed),
                State::BackingOff { .. } => self.feed(index, Event::BackOffElapsed),
                State::Idle
                | State::Starting { .. }
                | State::Ready { .. }
                | State::Replacing { .. }
                | State::Stopping { .. }
                | State::Stopped => {}
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.slots.iter().all(|slot| slot.state == State::Stopped)
    }

    /// Whether a worker that takes requests takes connections by itself.
    fn serves_directly(&self) -> bool {
        #[cfg(all(unix, feature = "in-process"))]
        return {
            let mut serving = self.slots.iter().filter_map(|slot| slot.current.as_ref());
            serving.any(|one| one.place().is_direct())
        };
        #[cfg(not(all(unix, feature = "in-process")))]
        false
    }

    /// Shows the handles how things stand.
    fn show(&self) {
        let slots = &self.slots;
        let backends: Ready = slots
            .iter()
            .filter_map(|slot| Some(slot.current.as_ref()?.backend().clone()))
            .collect();
        let refused = |slot: &Slot<_>| matches!(slot.state, State::Refused { .. });
        let refusal = match slots.iter().all(refused) {
            true => slots.iter().find_map(|slot| slot.failure.clone()),
            false => None,
        };
        self.board.show(backends, |outlook| {
            outlook.needs_demand = slots.iter().any(|slot| slot.state.needs_demand());
            outlook.closed = slots.iter().all(Slot::is_closed);
            outlook.refusal = refusal;
            outlook.failures = self.failures;
            outlook.stops = self.stops;
            outlook.last_failure.clone_from(&self.last_failure);
            outlook.restarts = self.restarts;
            outlook.config = Some(Arc::clone(self.starter.config()));
            outlook.direct = self.serves_directly();
            outlook.states = slots.iter().map(|slot| slot.state.as_str()).collect();
            let entries = slots.iter().enumerate();
            outlook.processes = entries
                .flat_map(|(index, slot)| slot.entries(index))
                .collect();
        });
    }
}
