//! Processes that only pretend.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use tokio::{
    sync::watch,
    time::{Duration, sleep},
};

use crate::{
    config::Config,
    supervisor::{
        Builder, Supervisor,
        process::{Exit, Launch, Listener, OutputPipe, Process, Spawn},
    },
};

/// What the next process does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    /// Listens after so many milliseconds.
    Listen(u64),
    /// Runs and never listens.
    Hang,
    /// Ends after so many milliseconds.
    Exit(u64),
    /// Finds its port taken.
    Stranger,
    /// Starts a descendant that listens.
    Launcher,
    /// Can't be started.
    Refuse,
}

/// Starts processes as planned; the last plan stands for all that follow.
#[derive(Clone)]
pub(super) struct Fakes {
    plans: Arc<Mutex<Vec<Plan>>>,
    spawned: watch::Sender<Vec<Fake>>,
}

impl Fakes {
    pub(super) fn new(plans: &[Plan]) -> Self {
        let mut plans = plans.to_vec();
        plans.reverse();
        Self {
            plans: Arc::new(Mutex::new(plans)),
            spawned: watch::Sender::default(),
        }
    }

    /// Replaces the plans that are left.
    pub(super) fn plan(&self, plans: &[Plan]) {
        let mut plans = plans.to_vec();
        plans.reverse();
        *self.plans.lock().unwrap() = plans;
    }

    pub(super) fn count(&self) -> usize {
        self.spawned.borrow().len()
    }

    pub(super) fn get(&self, index: usize) -> Fake {
        self.spawned.borrow()[index].clone()
    }

    /// The processes that have not ended.
    pub(super) fn alive(&self) -> usize {
        let spawned = self.spawned.borrow();
        spawned.iter().filter(|fake| fake.is_alive()).count()
    }

    /// Waits until so many processes were started.
    pub(super) async fn reach(&self, count: usize) {
        let mut spawned = self.spawned.subscribe();
        let reached = spawned.wait_for(|spawned| spawned.len() >= count).await;
        drop(reached.unwrap());
    }

    fn next(&self) -> Plan {
        let mut plans = self.plans.lock().unwrap();
        match plans.len() {
            0 => Plan::Listen(0),
            1 => plans[0],
            _ => plans.pop().unwrap(),
        }
    }
}

impl Spawn for Fakes {
    type Process = Fake;

    fn spawn(&self, launch: &Launch) -> io::Result<Fake> {
        let plan = self.next();
        let pid = 1_000 + u32::try_from(self.count()).unwrap();
        let fake = Fake::new(pid, launch, plan);
        self.spawned
            .send_modify(|spawned| spawned.push(fake.clone()));
        if matches!(plan, Plan::Refuse) {
            fake.exit(127);
            return Err(io::ErrorKind::NotFound.into());
        }
        fake.follow(plan);
        Ok(fake)
    }
}

#[derive(Clone, Copy, Debug)]
struct Being {
    exit: Option<Exit>,
    listener: Listener,
}

/// A process that only pretends.
#[derive(Clone)]
pub(super) struct Fake {
    pid: u32,
    pub(super) port: u16,
    pub(super) token: Arc<str>,
    being: watch::Sender<Being>,
    pub(super) terminated: Arc<AtomicU32>,
    pub(super) killed: Arc<AtomicU32>,
    pub(super) memory: Arc<AtomicU64>,
    /// Whether the stop signal ends it.
    pub(super) obedient: Arc<Mutex<bool>>,
}

impl Fake {
    fn new(pid: u32, launch: &Launch, plan: Plan) -> Self {
        let variable = |name: &str| {
            let found = launch.environment.iter().rev().find(|(n, _)| n == name);
            found.unwrap().1.to_str().unwrap().to_owned()
        };
        let listener = match matches!(plan, Plan::Stranger) {
            true => Listener::Stranger(Some(1)),
            false => Listener::None,
        };
        let exit = None;
        Self {
            pid,
            port: variable("ASPNETCORE_PORT").parse().unwrap(),
            token: variable("ASPNETCORE_TOKEN").into(),
            being: watch::Sender::new(Being { exit, listener }),
            terminated: Arc::default(),
            killed: Arc::default(),
            memory: Arc::default(),
            obedient: Arc::new(Mutex::new(true)),
        }
    }

    fn follow(&self, plan: Plan) {
        let fake = self.clone();
        let (after, then): (u64, fn(&Self)) = match plan {
            Plan::Listen(0) => return fake.listen(fake.pid),
            Plan::Launcher => return fake.listen(fake.pid + 1_000),
            Plan::Exit(0) => return fake.exit(1),
            Plan::Listen(after) => (after, |fake| fake.listen(fake.pid)),
            Plan::Exit(after) => (after, |fake| fake.exit(1)),
            Plan::Hang | Plan::Stranger | Plan::Refuse => return,
        };
        tokio::spawn(async move {
            sleep(Duration::from_millis(after)).await;
            then(&fake);
        });
    }

    pub(super) fn listen(&self, pid: u32) {
        self.being
            .send_modify(|being| being.listener = Listener::Own(pid));
    }

    /// Stops listening, be it a descendant that did.
    pub(super) fn deafen(&self) {
        self.being
            .send_modify(|being| being.listener = Listener::None);
    }

    pub(super) fn exit(&self, code: i32) {
        self.end(Exit::code(code));
        self.deafen();
    }

    /// Ends while its descendant goes on.
    pub(super) fn leave_descendant(&self) {
        self.end(Exit::code(0));
    }

    fn end(&self, exit: Exit) {
        self.being.send_modify(|being| {
            being.exit.get_or_insert(exit);
        });
    }

    pub(super) fn is_alive(&self) -> bool {
        self.being.borrow().exit.is_none()
    }

    pub(super) fn terminations(&self) -> u32 {
        self.terminated.load(Ordering::SeqCst)
    }

    pub(super) fn kills(&self) -> u32 {
        self.killed.load(Ordering::SeqCst)
    }

    pub(super) fn disobey(&self) {
        *self.obedient.lock().unwrap() = false;
    }
}

impl Process for Fake {
    fn id(&self) -> u32 {
        self.pid
    }

    fn exited(&self) -> impl Future<Output = Exit> + Send {
        let mut being = self.being.subscribe();
        async move {
            let ended = being.wait_for(|being| being.exit.is_some()).await;
            ended.unwrap().exit.unwrap()
        }
    }

    fn take_output(&self) -> Option<OutputPipe> {
        None
    }

    fn terminate(&self) {
        self.terminated.fetch_add(1, Ordering::SeqCst);
        if *self.obedient.lock().unwrap() {
            self.exit(143);
        }
    }

    fn kill(&self) {
        if self.is_alive() {
            self.killed.fetch_add(1, Ordering::SeqCst);
        }
        self.end(Exit::signal(9));
        self.deafen();
    }

    fn memory(&self) -> io::Result<u64> {
        Ok(self.memory.load(Ordering::SeqCst))
    }

    fn listener(&self, address: SocketAddr) -> io::Result<Listener> {
        assert_eq!(address.port(), self.port);
        if address.is_ipv6() {
            return Ok(Listener::None);
        }
        Ok(self.being.borrow().listener)
    }
}

/// A configuration with round numbers.
pub(super) fn config() -> Config {
    let builder = Config::builder(std::env::temp_dir());
    let builder = builder.program("app").arguments(["--quiet"]);
    builder.build().unwrap()
}

pub(super) fn builder(config: Config) -> Builder {
    Supervisor::builder(
        Arc::new(config),
        Arc::new(BTreeMap::<String, String>::new()),
    )
}

/// A supervisor whose task runs on the test's own runtime, and time.
pub(super) fn run(builder: Builder, fakes: &Fakes) -> Supervisor {
    let (supervisor, task) = builder.parts(fakes.clone());
    tokio::spawn(task.run());
    supervisor
}

/// A supervisor of the default configuration.
pub(super) fn supervise(fakes: &Fakes) -> Supervisor {
    run(builder(config()), fakes)
}

/// Lets everything that can happen now happen.
pub(super) async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// A boxed future, to hold several of one kind.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
