//! Many uploads of one client, some of whose sources or signers take as long as they like: who is served meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use cos_slice::protocol::digest::Sha1Digest;
use cos_slice::protocol::{Api, Operation};
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::random::Random;
use cos_slice::upload::task::{Done, JobId, Memory, Reading, Specification, Task, Work};
use cos_slice::upload::{Client, Next};

use crate::model::{Model, digest_of};
use crate::scenario::{draw_connections, draw_manner};

/// More than any run needs.
const MOST_STEPS: u32 = 20_000;

struct Member {
    content: Vec<u8>,
    model: Model,
    /// Its source counts as one that may block,
    blocks: bool,
    /// and does so until nothing else is left to be done.
    hangs: bool,
    /// Until when its signature is good.
    good_until: Option<Duration>,
}

pub struct Crowd {
    random: Random,
    options: ClientOptions,
    client: Client,
    members: BTreeMap<JobId, Member>,
    now: Duration,
    under_way: BTreeMap<(Duration, u64), Task>,
    hanging: Vec<Task>,
    taken: u64,
}

impl Crowd {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let options = ClientOptions {
            connections: draw_connections(&mut random),
            hashers: 1 + random.up_to(1) as u32,
            api: [Api::FilesV2, Api::FilesV1][random.up_to(1) as usize],
            asks_signer: random.up_to(1) == 0,
            ..ClientOptions::default()
        };
        Self {
            client: Client::new(options, random.draw()),
            random,
            options,
            members: BTreeMap::new(),
            now: Duration::ZERO,
            under_way: BTreeMap::new(),
            hanging: Vec::new(),
            taken: 0,
        }
    }

    /// Runs every upload to its end.
    pub fn run(mut self) {
        for _ in 0..=self.random.up_to(7) {
            self.join();
        }
        for _ in 0..MOST_STEPS {
            match self.client.next(self.now) {
                Next::Task(task) => self.take(task),
                Next::WakeAt(at) if self.under_way.is_empty() => self.now = at,
                _ if !self.under_way.is_empty() => self.come_back(),
                _ if !self.hanging.is_empty() => self.let_go(),
                _ => return self.check_the_end(),
            }
        }
        panic!("no end after {MOST_STEPS} steps");
    }

    fn join(&mut self) {
        let mut manner = draw_manner(&mut self.random);
        (manner.api, manner.directories) = (self.options.api, None);
        manner.rotates_on_list = false;
        let size = 1 + self.random.up_to(1500) as usize;
        let blocks = self.random.up_to(1) == 0;
        let hash = self.options.api == Api::FilesV1 || self.random.up_to(1) == 0;
        let specification = Specification {
            name: "cos://bucket/path".into(),
            size: size as u64,
            reading: Reading::AtWill,
            blocks,
            depth: 0,
            options: UploadOptions {
                hash,
                ..UploadOptions::default()
            },
            memory: Memory::default(),
            checkpoint: false,
        };
        let id = self.client.begin(specification, self.now);
        let member = Member {
            content: vec![self.random.draw() as u8; size],
            model: Model::new(manner, 0),
            blocks,
            hangs: blocks && self.random.up_to(1) == 0,
            good_until: None,
        };
        self.members.insert(id, member);
    }

    fn take(&mut self, task: Task) {
        let member = &self.members[&task.job];
        let reads = match &task.work {
            Work::Hash { .. } => true,
            Work::Request(operation) => matches!(operation, Operation::Slice(_) | Operation::Upload(_)),
            _ => false,
        };
        if let (Work::Request(_), true) = (&task.work, self.options.asks_signer) {
            let is_good = member.good_until.is_some_and(|until| self.now < until);
            assert!(is_good, "a request begins with a signature whose time is over");
        }
        if reads && member.hangs {
            self.hanging.push(task);
        } else {
            self.taken += 1;
            let back = self.now + Duration::from_millis(1 + self.random.up_to(300));
            self.under_way.insert((back, self.taken), task);
        }
        self.check_places();
    }

    /// Of the workers no more than half do what may take as long as somebody else likes, or one of two where a signer is asked.
    fn check_places(&self) {
        let tasks = || self.under_way.values().chain(&self.hanging);
        let may_block = |task: &&Task| self.members[&task.job].blocks || matches!(task.work, Work::Sign(_));
        let (all, blocking) = (tasks().count(), tasks().filter(may_block).count());
        let connections = self.options.connections.most() as usize;
        assert!(all <= connections, "{all} tasks for {connections} workers");
        let most = match self.options.asks_signer {
            true => (connections / 2).max(2).min(connections),
            false => (connections / 2).max(1),
        };
        assert!(
            blocking <= most,
            "{blocking} tasks that may block for {connections} workers"
        );
    }

    /// The task that is done first comes back.
    fn come_back(&mut self) {
        let Some(((at, _), mut task)) = self.under_way.pop_first() else {
            return;
        };
        self.now = self.now.max(at);
        let done = self.carry_out(&mut task);
        self.client.report(task, done, self.now);
    }

    fn carry_out(&mut self, task: &mut Task) -> Result<Done, TaskFailure> {
        let good_for = Duration::from_millis(200 << self.random.up_to(6));
        let now = self.now;
        let Some(member) = self.members.get_mut(&task.job) else {
            panic!("{task:?} is nobody's");
        };
        match &mut task.work {
            Work::Hash { hasher, length } => {
                let start = hasher.position() as usize;
                hasher.update(&member.content[start..start + *length as usize]);
                Ok(Done::Hashed)
            }
            Work::Sign(_) => {
                member.good_until = Some(now + good_for);
                Ok(Done::Signed { good_for })
            }
            Work::Request(operation) => {
                let bytes = match operation {
                    Operation::Slice(slice) => {
                        let end = slice.offset + slice.length;
                        member.content[slice.offset as usize..end as usize].to_vec()
                    }
                    _ => Vec::new(),
                };
                let answer = member.model.execute(operation, &bytes);
                answer.map(Done::Answered).map_err(TaskFailure::Refused)
            }
            work => panic!("{work:?} was not set up"),
        }
    }

    /// Nothing is left to be done but what hangs: now it goes on.
    fn let_go(&mut self) {
        let is_done = |id: &JobId| self.client.result(*id).is_some();
        let waits = |(id, member): &(&JobId, &Member)| !member.blocks && !is_done(id);
        // Where each question to the signer may block too, nobody can do without the places for that.
        let all_are_served = self.options.connections.most() > 1 && !self.options.asks_signer;
        let waiting = self.members.iter().filter(waits).count();
        assert!(
            waiting == 0 || !all_are_served,
            "{waiting} uploads wait for those that hang"
        );
        for task in std::mem::take(&mut self.hanging) {
            self.taken += 1;
            let back = self.now + Duration::from_millis(self.random.up_to(300));
            self.under_way.insert((back, self.taken), task);
        }
    }

    fn check_the_end(&self) {
        for (id, member) in &self.members {
            let result = self.client.result(*id);
            assert!(matches!(result, Some(Ok(_))), "each succeeds: {result:?}");
            let sha: Option<Sha1Digest> = member.model.object.as_deref().map(digest_of);
            assert_eq!(sha, Some(digest_of(&member.content)));
        }
    }
}
