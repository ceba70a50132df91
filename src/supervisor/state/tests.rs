use super::{Action::*, *};

const EVENTS: [Event; 15] = [
    Event::Demand,
    Event::Listening,
    Event::StartFailed { critical: false },
    Event::StartFailed { critical: true },
    Event::Refused,
    Event::Exited { settled: false },
    Event::Exited { settled: true },
    Event::Restart { overlap: true },
    Event::Restart { overlap: false },
    Event::BackOffElapsed,
    Event::WindowElapsed,
    Event::Unused,
    Event::Stop,
    Event::Gone,
    Event::Shutdown,
];

/// A number of failures that is neither the first nor the reset one.
const F: u32 = 3;

const fn s(attempt: u8, failures: u32) -> State {
    State::Starting { attempt, failures }
}
const fn r(attempt: u8, failures: u32) -> State {
    State::Replacing { attempt, failures }
}
const fn ready(failures: u32) -> State {
    State::Ready { failures }
}
const fn back(failures: u32) -> State {
    State::BackingOff { failures }
}
const fn refused(failures: u32) -> State {
    State::Refused { failures }
}
const fn halt(then: Then) -> State {
    State::Stopping { then }
}

/// What a state makes of an event; `None`: nothing.
type Cell = Option<(State, &'static [Action])>;

const BACK_1: Action = BackOff { failures: 1 };
const BACK_4: Action = BackOff { failures: F + 1 };
const IDLE: State = halt(Then::Idle);
const START: State = halt(Then::Start);
const CLOSE: State = halt(Then::Close);

#[rustfmt::skip]
const TABLE: [(State, [Cell; EVENTS.len()]); 12] = [
    (State::Idle, [
        /* demand    */ Some((s(1, 0), &[Spawn])),
        /* listening */ None,
        /* failed    */ None,
        /* critical  */ None,
        /* refused   */ None,
        /* exited    */ None,
        /* settled   */ None,
        /* restart   */ Some((State::Idle, &[TellIdle])),
        /* alone     */ Some((State::Idle, &[TellIdle])),
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((IDLE, &[TurnAway, Hurry])),
        /* gone      */ None,
        /* shutdown  */ Some((CLOSE, &[TurnAway, Hurry])),
    ]),
    (s(1, F), [
        /* demand    */ None,
        /* listening */ Some((ready(F), &[Promote])),
        /* failed    */ Some((s(2, F), &[Spawn])),
        /* critical  */ Some((back(F + 1), &[Fail, BACK_4])),
        /* refused   */ Some((refused(F), &[Refuse])),
        /* exited    */ None,
        /* settled   */ None,
        /* restart   */ Some((s(1, 0), &[Abandon, Forgive, Spawn])),
        /* alone     */ Some((START, &[Abandon, Forgive, Hurry])),
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((IDLE, &[TurnAway, Abandon, Hurry])),
        /* gone      */ None,
        /* shutdown  */ Some((CLOSE, &[TurnAway, Abandon, Hurry])),
    ]),
    (s(2, F), [
        /* demand    */ None,
        /* listening */ Some((ready(F), &[Promote])),
        /* failed    */ Some((back(F + 1), &[Fail, BACK_4])),
        /* critical  */ Some((back(F + 1), &[Fail, BACK_4])),
        /* refused   */ Some((refused(F), &[Refuse])),
        /* exited    */ None,
        /* settled   */ None,
        /* restart   */ Some((s(1, 0), &[Abandon, Forgive, Spawn])),
        /* alone     */ Some((START, &[Abandon, Forgive, Hurry])),
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((IDLE, &[TurnAway, Abandon, Hurry])),
        /* gone      */ None,
        /* shutdown  */ Some((CLOSE, &[TurnAway, Abandon, Hurry])),
    ]),
    (ready(F), [
        /* demand    */ None,
        /* listening */ None,
        /* failed    */ None,
        /* critical  */ None,
        /* refused   */ None,
        /* exited    */ Some((back(F + 1), &[Bury, BACK_4])),
        /* settled   */ Some((back(1), &[Bury, BACK_1])),
        /* restart   */ Some((r(1, F), &[Forgive, Spawn])),
        /* alone     */ Some((START, &[Retire, Forgive, Hurry])),
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ Some((IDLE, &[Rest])),
        /* stop      */ Some((IDLE, &[TurnAway, Retire, Hurry])),
        /* gone      */ None,
        /* shutdown  */ Some((CLOSE, &[TurnAway, Retire, Hurry])),
    ]),
    (r(1, F), [
        /* demand    */ None,
        /* listening */ Some((ready(0), &[Promote])),
        /* failed    */ Some((r(2, F), &[Spawn])),
        /* critical  */ Some((ready(F), &[Keep])),
        /* refused   */ Some((ready(F), &[Keep])),
        /* exited    */ Some((s(1, 0), &[Bury])),
        /* settled   */ Some((s(1, 0), &[Bury])),
        /* restart   */ Some((r(1, F), &[Abandon, Forgive, Spawn])),
        /* alone     */ Some((START, &[Abandon, Retire, Forgive, Hurry])),
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((IDLE, &[TurnAway, Abandon, Retire, Hurry])),
        /* gone      */ None,
        /* shutdown  */ Some((CLOSE, &[TurnAway, Abandon, Retire, Hurry])),
    ]),
    (r(2, F), [
        /* demand    */ None,
        /* listening */ Some((ready(0), &[Promote])),
        /* failed    */ Some((ready(F), &[Keep])),
        /* critical  */ Some((ready(F), &[Keep])),
        /* refused   */ Some((ready(F), &[Keep])),
        /* exited    */ Some((s(2, 0), &[Bury])),
        /* settled   */ Some((s(2, 0), &[Bury])),
        /* restart   */ Some((r(1, F), &[Abandon, Forgive, Spawn])),
        /* alone     */ Some((START, &[Abandon, Retire, Forgive, Hurry])),
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((IDLE, &[TurnAway, Abandon, Retire, Hurry])),
        /* gone      */ None,
        /* shutdown  */ Some((CLOSE, &[TurnAway, Abandon, Retire, Hurry])),
    ]),
    (back(F), [
        /* demand    */ None,
        /* listening */ None,
        /* failed    */ None,
        /* critical  */ None,
        /* refused   */ None,
        /* exited    */ None,
        /* settled   */ None,
        /* restart   */ Some((s(1, 0), &[Forgive, Spawn])),
        /* alone     */ Some((START, &[Forgive, Hurry])),
        /* back-off  */ Some((s(1, F), &[Spawn])),
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((IDLE, &[TurnAway, Hurry])),
        /* gone      */ None,
        /* shutdown  */ Some((CLOSE, &[TurnAway, Hurry])),
    ]),
    (refused(F), [
        /* demand    */ None,
        /* listening */ None,
        /* failed    */ None,
        /* critical  */ None,
        /* refused   */ None,
        /* exited    */ None,
        /* settled   */ None,
        /* restart   */ Some((s(1, 0), &[Forgive, Spawn])),
        /* alone     */ Some((START, &[Forgive, Hurry])),
        /* back-off  */ None,
        /* window    */ Some((s(1, F), &[Spawn])),
        /* unused    */ None,
        /* stop      */ Some((IDLE, &[TurnAway, Hurry])),
        /* gone      */ None,
        /* shutdown  */ Some((CLOSE, &[TurnAway, Hurry])),
    ]),
    (IDLE, [
        /* demand    */ Some((START, &[])),
        /* listening */ None,
        /* failed    */ None,
        /* critical  */ None,
        /* refused   */ None,
        /* exited    */ None,
        /* settled   */ None,
        /* restart   */ Some((START, &[])),
        /* alone     */ Some((START, &[])),
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((IDLE, &[TurnAway])),
        /* gone      */ Some((State::Idle, &[TellStopped])),
        /* shutdown  */ Some((CLOSE, &[TurnAway])),
    ]),
    (START, [
        /* demand    */ None,
        /* listening */ None,
        /* failed    */ None,
        /* critical  */ None,
        /* refused   */ None,
        /* exited    */ None,
        /* settled   */ None,
        /* restart   */ None,
        /* alone     */ None,
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((IDLE, &[TurnAway])),
        /* gone      */ Some((s(1, 0), &[TellStopped, Spawn])),
        /* shutdown  */ Some((CLOSE, &[TurnAway])),
    ]),
    (CLOSE, [
        /* demand    */ None,
        /* listening */ None,
        /* failed    */ None,
        /* critical  */ None,
        /* refused   */ None,
        /* exited    */ None,
        /* settled   */ None,
        /* restart   */ Some((CLOSE, &[TurnAway])),
        /* alone     */ Some((CLOSE, &[TurnAway])),
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((CLOSE, &[TurnAway])),
        /* gone      */ Some((State::Stopped, &[TellStopped])),
        /* shutdown  */ Some((CLOSE, &[TurnAway])),
    ]),
    (State::Stopped, [
        /* demand    */ None,
        /* listening */ None,
        /* failed    */ None,
        /* critical  */ None,
        /* refused   */ None,
        /* exited    */ None,
        /* settled   */ None,
        /* restart   */ Some((State::Stopped, &[TurnAway])),
        /* alone     */ Some((State::Stopped, &[TurnAway])),
        /* back-off  */ None,
        /* window    */ None,
        /* unused    */ None,
        /* stop      */ Some((State::Stopped, &[TellStopped])),
        /* gone      */ None,
        /* shutdown  */ Some((State::Stopped, &[TellStopped])),
    ]),
];

#[test]
fn every_state_and_event() {
    for (state, row) in TABLE {
        for (event, cell) in EVENTS.into_iter().zip(row) {
            let (next, actions) = cell.unwrap_or((state, &[]));
            assert_eq!(
                state.on(event),
                (next, actions.to_vec()),
                "{state:?} at {event:?}"
            );
        }
    }
}

#[test]
fn a_start_that_failed_is_not_tried_again_at_once() {
    let critical = true;
    let (_, actions) = s(1, 0).on(Event::StartFailed { critical });
    assert_eq!(actions, [Fail, BackOff { failures: 2 }]);
}

/// The compiler holds this match, and with it the table, to every state that there is.
#[test]
fn the_table_has_every_state_and_every_event() {
    let kind = |state: State| match state {
        State::Idle => 0,
        State::Starting { attempt, .. } => attempt.into(),
        State::Ready { .. } => 3,
        State::Replacing { attempt, .. } => 3 + usize::from(attempt),
        State::BackingOff { .. } => 6,
        State::Refused { .. } => 7,
        State::Stopping { then: Then::Idle } => 8,
        State::Stopping { then: Then::Start } => 9,
        State::Stopping { then: Then::Close } => 10,
        State::Stopped => 11,
    };
    assert_eq!(
        TABLE.map(|(state, _)| kind(state)),
        std::array::from_fn(|i| i)
    );

    let kind = |event: Event| match event {
        Event::Demand => 0,
        Event::Listening => 1,
        Event::StartFailed { critical } => 2 + usize::from(critical),
        Event::Refused => 4,
        Event::Exited { settled } => 5 + usize::from(settled),
        Event::Restart { overlap } => 8 - usize::from(overlap),
        Event::BackOffElapsed => 9,
        Event::WindowElapsed => 10,
        Event::Unused => 11,
        Event::Stop => 12,
        Event::Gone => 13,
        Event::Shutdown => 14,
    };
    assert_eq!(EVENTS.map(kind), std::array::from_fn(|i| i));
}

mod model {
    //! A slot in which processes are numbers and time is counted in seconds.

    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;
    use crate::supervisor::{backoff, window::Window};

    const LIMIT: u32 = 2;

    /// What the world does next; whether it can, is up to how the slot stands.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Demand,
        Listen,
        Fail {
            critical: bool,
        },
        Crash,
        Restart {
            overlap: bool,
        },
        Unused,
        Stop,
        Shutdown,
        /// One that retires, or that nobody wants, is gone.
        Leave,
        Wait {
            seconds: u64,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Demand),
            4 => Just(Step::Listen),
            4 => any::<bool>().prop_map(|critical| Step::Fail { critical }),
            4 => Just(Step::Crash),
            2 => any::<bool>().prop_map(|overlap| Step::Restart { overlap }),
            1 => Just(Step::Unused),
            1 => Just(Step::Stop),
            1 => Just(Step::Shutdown),
            4 => Just(Step::Leave),
            4 => (0_u64..40).prop_map(|seconds| Step::Wait { seconds }),
        ]
    }

    struct Slot {
        state: State,
        now: Instant,
        window: Window,
        alarm: Option<Instant>,
        starting: bool,
        current: bool,
        leaving: u32,
        spawned: u32,
        ended: u32,
        /// Spawns since the window was last forgiven or turned.
        budget: Vec<Instant>,
        waiting: bool,
    }

    impl Slot {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                state: State::Idle,
                now,
                window: Window::new(LIMIT, now),
                alarm: None,
                starting: false,
                current: false,
                leaving: 0,
                spawned: 0,
                ended: 0,
                budget: Vec::new(),
                waiting: false,
            }
        }

        fn feed(&mut self, event: Event) {
            let (next, actions) = self.state.on(event);
            if next != self.state {
                self.alarm = None;
            }
            self.state = next;
            for action in actions {
                self.perform(action);
            }
            self.check();
            let left = self.starting || self.current || self.leaving > 0;
            if matches!(self.state, State::Stopping { .. }) && !left {
                self.feed(Event::Gone);
            }
        }

        fn perform(&mut self, action: Action) {
            match action {
                Spawn => self.spawn(),
                Promote => {
                    assert!(self.starting, "nothing to promote");
                    self.leaving += u32::from(self.current);
                    (self.starting, self.current, self.waiting) = (false, true, false);
                }
                Abandon => {
                    self.leaving += u32::from(self.starting);
                    self.starting = false;
                }
                Retire | Rest => {
                    self.leaving += u32::from(self.current);
                    self.current = false;
                }
                Bury => {
                    assert!(self.current, "nothing to bury");
                    self.window.record(self.now);
                    (self.current, self.leaving) = (false, self.leaving + 1);
                }
                Fail => {
                    self.window.record(self.now);
                    self.waiting = false;
                }
                Refuse => {
                    self.waiting = false;
                    self.alarm = Some(self.window.refuses(self.now).unwrap());
                }
                BackOff { failures } => self.alarm = Some(self.now + backoff::delay(failures)),
                Forgive => {
                    self.window.forgive();
                    self.budget.clear();
                }
                TurnAway => self.waiting = false,
                Keep | Hurry | TellStopped | TellIdle => {}
            }
        }

        fn spawn(&mut self) {
            let first = matches!(self.state, State::Starting { attempt: 1, .. });
            if first && self.window.refuses(self.now).is_some() {
                return self.feed(Event::Refused);
            }
            assert!(!self.starting, "two processes start at once");
            self.starting = true;
            self.spawned += 1;
            self.budget.push(self.now);
        }

        fn step(&mut self, step: Step) {
            match step {
                Step::Demand => {
                    self.waiting |= !self.current && !self.is_closed() && !self.is_refused();
                    self.feed(Event::Demand);
                }
                Step::Listen if self.starting => self.feed(Event::Listening),
                Step::Fail { critical } if self.starting => {
                    self.starting = false;
                    self.ended += 1;
                    self.feed(Event::StartFailed { critical });
                }
                Step::Crash if self.current => self.feed(Event::Exited { settled: false }),
                Step::Restart { overlap } => self.feed(Event::Restart { overlap }),
                Step::Unused => self.feed(Event::Unused),
                Step::Stop => self.feed(Event::Stop),
                Step::Shutdown => self.feed(Event::Shutdown),
                Step::Leave if self.leaving > 0 => {
                    self.leaving -= 1;
                    self.ended += 1;
                    self.check();
                    if !(self.starting || self.current || self.leaving > 0) {
                        self.feed(Event::Gone);
                    }
                }
                Step::Wait { seconds } => self.wait(Duration::from_secs(seconds)),
                Step::Listen | Step::Fail { .. } | Step::Crash | Step::Leave => {}
            }
        }

        fn wait(&mut self, time: Duration) {
            self.now += time;
            if self.alarm.take_if(|alarm| *alarm <= self.now).is_some() {
                let event = match self.is_refused() {
                    true => Event::WindowElapsed,
                    false => Event::BackOffElapsed,
                };
                self.feed(event);
            }
        }

        fn is_closed(&self) -> bool {
            matches!(
                self.state,
                State::Stopped | State::Stopping { then: Then::Close }
            )
        }

        fn is_refused(&self) -> bool {
            matches!(self.state, State::Refused { .. })
        }

        fn check(&self) {
            let alive = u32::from(self.starting) + u32::from(self.current) + self.leaving;
            assert_eq!(self.spawned, self.ended + alive, "a process is lost");
            let serves = matches!(self.state, State::Ready { .. } | State::Replacing { .. });
            assert_eq!(self.current, serves, "{:?}", self.state);
        }
    }

    proptest! {
        #[test]
        fn no_process_is_lost_and_nobody_waits_in_vain(
            steps in proptest::collection::vec(step(), 0..200),
        ) {
            let mut slot = Slot::new();
            for step in steps {
                slot.step(step);
                // Whoever waits, waits for something that will happen.
                let hope = slot.starting
                    || slot.alarm.is_some()
                    || slot.state == State::Stopping { then: Then::Start };
                prop_assert!(!slot.waiting || hope, "{:?}", slot.state);
            }
            // Whatever happened, an end comes to an end.
            slot.step(Step::Shutdown);
            for _ in 0..slot.leaving {
                slot.step(Step::Leave);
            }
            prop_assert_eq!(slot.state, State::Stopped);
            prop_assert_eq!(slot.spawned, slot.ended);
        }

        #[test]
        fn an_app_that_only_fails_stays_within_its_budget(
            steps in proptest::collection::vec(
                prop_oneof![
                    Just(Step::Demand),
                    Just(Step::Listen),
                    any::<bool>().prop_map(|critical| Step::Fail { critical }),
                    Just(Step::Crash),
                    Just(Step::Leave),
                    (0_u64..8).prop_map(|seconds| Step::Wait { seconds }),
                ],
                0..400,
            ),
        ) {
            let mut slot = Slot::new();
            for step in steps {
                slot.step(step);
            }
            // A minute of any place touches two windows; a start may make two attempts.
            let most = 2 * usize::from(ATTEMPTS) * (LIMIT as usize + 1);
            for (index, begin) in slot.budget.iter().enumerate() {
                let minute = slot.budget.iter().skip(index);
                let minute = minute.take_while(|at| at.duration_since(*begin).as_secs() < 60);
                prop_assert!(minute.count() <= most);
            }
        }
    }
}
