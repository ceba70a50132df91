//! A constant load: clients that ask on a connection of their own, again and again.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use http::{Method, Request};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::support::client::{Answer, Client, Protocol, empty};

/// How many clients make a load.
pub(crate) const CLIENTS: usize = 16;

/// An answer that takes longer than this counts as none.
const HANGS: Duration = Duration::from_secs(30);

/// What the clients of a load have got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// How many answers of each status there were.
    pub(crate) statuses: BTreeMap<u16, usize>,
    /// What kept a request from being answered.
    pub(crate) broken: Vec<String>,
    /// The body of the last answer of each status.
    pub(crate) bodies: BTreeMap<u16, String>,
    /// The longest that anybody waited.
    pub(crate) longest: Duration,
    /// How many answers each client has got.
    clients: [usize; CLIENTS],
}

impl Tally {
    pub(crate) fn of(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    /// Every request has been answered, and with one of these.
    #[track_caller]
    pub(crate) fn assert_only(&self, allowed: &[u16]) {
        assert!(self.broken.is_empty(), "{self:?}");
        let good = self.statuses.keys().all(|status| allowed.contains(status));
        assert!(good, "{self:?}");
    }

    fn add(&mut self, asked: Result<Answer, String>, took: Duration) {
        self.longest = self.longest.max(took);
        match asked {
            Ok(answer) => {
                let status = answer.status().as_u16();
                *self.statuses.entry(status).or_default() += 1;
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                self.bodies.insert(status, body);
            }
            Err(error) => self.broken.push(error),
        }
    }
}

/// Clients at work.
pub(crate) struct Load {
    clients: JoinSet<()>,
    stop: CancellationToken,
    tally: watch::Receiver<Tally>,
}

impl Load {
    /// [`CLIENTS`] clients that send `method` to `target` until they are told to end.
    pub(crate) fn begin(address: SocketAddr, method: &Method, target: &'static str) -> Self {
        let (sender, tally) = watch::channel(Tally::default());
        let stop = CancellationToken::new();
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (sender, stop, method) = (sender.clone(), stop.clone(), method.clone());
            clients.spawn(async move {
                let mut client = None;
                while !stop.is_cancelled() {
                    let begin = Instant::now();
                    let asked = ask(&mut client, address, &method, target).await;
                    let took = begin.elapsed();
                    sender.send_modify(|tally| {
                        tally.add(asked, took);
                        tally.clients[number] += 1;
                    });
                }
            });
        }
        Self {
            clients,
            stop,
            tally,
        }
    }

    /// Waits for so many more answers, of whatever kind.
    pub(crate) async fn go_on(&mut self, answers: usize) {
        let count = |tally: &Tally| tally.statuses.values().sum::<usize>() + tally.broken.len();
        let goal = count(&self.tally.borrow()) + answers;
        let reached = self.tally.wait_for(|tally| count(tally) >= goal).await;
        drop(reached.unwrap());
    }

    /// Waits for so many more answers of this status.
    pub(crate) async fn until(&mut self, status: u16, answers: usize) {
        let goal = self.tally.borrow().of(status) + answers;
        let reached = self.tally.wait_for(|tally| tally.of(status) >= goal).await;
        drop(reached.unwrap());
    }

    /// Waits until every client has got an answer to a request that it had not sent yet.
    ///
    /// A request survives the end of one process, not of two: who kills one after the other has to wait this long.
    pub(crate) async fn everybody(&mut self) {
        let before = self.tally.borrow().clients;
        let served = |tally: &Tally| {
            let mut pairs = tally.clients.iter().zip(before);
            pairs.all(|(now, before)| *now >= before + 2)
        };
        drop(self.tally.wait_for(served).await.unwrap());
    }

    /// What was answered so far.
    pub(crate) fn so_far(&self) -> Tally {
        self.tally.borrow().clone()
    }

    /// Lets every client have its last answer.
    pub(crate) async fn end(mut self) -> Tally {
        self.stop.cancel();
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        self.so_far()
    }
}

/// One request on the connection that there is, or else on a new one.
async fn ask(
    client: &mut Option<Client>,
    address: SocketAddr,
    method: &Method,
    target: &str,
) -> Result<Answer, String> {
    let mut at_hand = match client.take() {
        Some(client) => client,
        None => Client::connect(address, Protocol::Http1).await,
    };
    let request = Request::builder().method(method).uri(target);
    let asked = async {
        let response = at_hand.send(request.body(empty()).unwrap()).await?;
        Answer::read(response).await
    };
    match timeout(HANGS, asked).await {
        Ok(Ok(answer)) => {
            // RFC 9112, 9.6: the server says that this was the last one.
            let last = answer.values("connection").contains(&"close");
            *client = (!last).then_some(at_hand);
            Ok(answer)
        }
        Ok(Err(error)) => Err(format!("{error:?}")),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// So many requests at once, each on a connection of its own.
#[cfg(unix)]
pub(crate) async fn all_at_once(
    address: SocketAddr,
    requests: usize,
    target: &'static str,
) -> Tally {
    let mut asking = JoinSet::new();
    for _ in 0..requests {
        asking.spawn(async move {
            let begin = Instant::now();
            let asked = ask(&mut None, address, &Method::GET, target).await;
            (asked, begin.elapsed())
        });
    }
    let mut tally = Tally::default();
    while let Some(asked) = asking.join_next().await {
        let (asked, took) = asked.unwrap();
        tally.add(asked, took);
    }
    tally
}
