//! How tasks are carried out: each has its effect on the world, and comes back with what it brought.

use std::cmp::Reverse;
use std::time::Duration;

use cos_slice::protocol::Operation;
use cos_slice::upload::failure::{SourceFailure, SourceFault, TaskFailure};
use cos_slice::upload::task::{Done, Reading, Task, Work};

use crate::scenario::Fault;
use crate::signer::Signature;
use crate::world::{Answered, Effect, Event, World};

impl World<'_> {
    pub fn result_of(&mut self, number: u64, work: &Work, answer: Answered) -> Result<Done, TaskFailure> {
        let outcome = match (answer, work) {
            (Answered::Signed(signature), Work::Sign(operation)) => {
                return Ok(self.signer_answered(operation, signature));
            }
            (Answered::Signed(_), work) => panic!("{work:?} was signed"),
            (Answered::Done(done), _) => return Ok(done),
            (Answered::Failed(failure), work) => {
                self.given.failed |= matches!(work, Work::Sign(_));
                return Err(failure);
            }
            (Answered::Said(outcome), _) => outcome,
            (Answered::Executed(distortion), _) => {
                let outcome = self
                    .last_answers
                    .remove(&number)
                    .expect("an answer follows its effect");
                match distortion {
                    Some(distortion) => outcome.map(|answer| distortion.distort(answer)),
                    None => outcome,
                }
            }
        };
        outcome.map(Done::Answered).map_err(TaskFailure::Refused)
    }

    /// Sends a task on its way.
    pub fn send(&mut self, mut task: Task) {
        let at = self.now + Duration::from_millis(1 + self.random.up_to(200));
        self.sending = None;
        if let Some(failure) = self.source_failure(&task.work) {
            return self.later(at, None, task, Answered::Failed(TaskFailure::Source(failure)));
        }
        match &mut task.work {
            Work::Hash { hasher, length } => {
                let start = hasher.position() as usize;
                hasher.update(&self.source[start..start + *length as usize]);
                self.later(at, None, task, Answered::Done(Done::Hashed));
            }
            Work::Save(memory) => {
                let fails = self.random.up_to(99) < self.scenario.checkpoint_loss;
                let effect = (!fails).then(|| Effect::Save(memory.clone()));
                self.note(|| format!("{:?} fails: {fails}", task.work));
                self.later(at, effect, task, Answered::Done(Done::Saved));
            }
            Work::Forget => self.later(at, Some(Effect::Forget), task, Answered::Done(Done::Saved)),
            Work::Spool => {
                let done = self.spool();
                self.later(at, None, task, Answered::Done(done));
            }
            Work::Digest => {
                let done = self.told_digest();
                self.later(at, None, task, Answered::Done(done));
            }
            Work::Sign(operation) => {
                let operation = operation.clone();
                self.ask_signer(task, &operation);
            }
            Work::Request(operation) => {
                let operation = operation.clone();
                self.request(operation, task, at);
            }
        }
    }

    /// Why the source can't give what a task needs of it, where it can't.
    fn source_failure(&mut self, work: &Work) -> Option<SourceFailure> {
        let range = match work {
            Work::Hash { hasher, length } => hasher.position()..hasher.position() + length,
            Work::Request(Operation::Slice(slice)) => slice.offset..slice.offset + slice.length,
            Work::Request(Operation::Upload(upload)) => 0..upload.size,
            _ => return None,
        };
        match self.scenario.source.reading {
            Reading::AfterSpooling => assert!(self.stream.is_spooled, "read before it was spooled"),
            Reading::Once if !range.is_empty() => return self.read_once(range).err(),
            Reading::Once | Reading::AtWill => {}
        }
        self.seen_to_change
            .then(|| SourceFailure::new(SourceFault::Changed, "changed"))
    }

    fn request(&mut self, operation: Operation, task: Task, at: Duration) {
        let number = self.faults_drawn;
        let drawn = self.draw_fault(&operation);
        let fault = if self.suppressed.contains(&number) {
            Fault::None
        } else {
            drawn
        };
        *self.tally.faults.entry(fault).or_default() += 1;
        let signature = self.signature_for(&operation);
        let is_shared = operation.shares_signature();
        self.sending = signature.filter(|_| is_shared).map(Signature::number);
        self.note(|| format!("{:?} -> {fault:?}, signed with {signature:?}", task.work));
        self.watch_request(&operation, fault);
        if signature.is_some_and(|signature| !signature.is_accepted(at)) {
            let refused = self.model.refuse(401, -96);
            return self.later(at, None, task, Answered::Said(refused));
        }
        self.send_request(fault, operation, task, at);
    }

    /// An effect at `at`, if there is one, and the task's return some time after it.
    pub fn later(&mut self, at: Duration, effect: Option<Effect>, task: Task, answer: Answered) {
        let back = at + Duration::from_millis(self.random.up_to(300));
        let number = self.schedule(at);
        if let Some(effect) = effect {
            self.pending.insert(number, Event::Effect(effect));
        }
        let (number, life, task) = (self.schedule(back), self.life, Box::new(task));
        let event = Event::Return {
            life,
            task,
            answer,
            signature: self.sending.take(),
        };
        self.pending.insert(number, event);
    }

    /// An effect that no answer belongs to.
    pub fn unanswered(&mut self, at: Duration, effect: Effect) {
        let number = self.schedule(at);
        self.pending.insert(number, Event::Effect(effect));
        // The next number would be that of its answer.
        self.scheduled += 1;
    }

    fn schedule(&mut self, at: Duration) -> u64 {
        self.scheduled += 1;
        self.events.push(Reverse((at, self.scheduled)));
        self.scheduled
    }
}
