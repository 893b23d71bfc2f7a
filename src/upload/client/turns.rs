//! Whose turn it is: the queues and the timers in which jobs stand, and what lets one out of each.

use super::*;

impl Client {
    /// When the next request may begin, where one waits for nothing but that.
    pub(super) fn pause_until(&self, now: Duration) -> Option<Duration> {
        let queues = [(&self.place_queue, false), (&self.reading_place_queue, true)];
        let waiting = queues.into_iter().filter(|(queue, _)| !queue.is_empty());
        let pauses = waiting.filter_map(|(_, reads)| match self.window.place(now, reads) {
            Place::At(at) => Some(at),
            Place::Free | Place::AfterAnother => None,
        });
        pauses.min()
    }

    pub(super) fn timer_fired(&mut self, id: JobId, now: Duration) {
        let Some(entry) = self.jobs.get_mut(&id) else {
            return;
        };
        entry.timer_at = None;
        if let Job::Upload(machine) = &mut entry.job {
            machine.check_deadline(now);
        }
        if let Some(deadline) = entry.job.deadline_at().filter(|&deadline| deadline > now) {
            self.set_timer(id, deadline);
        }
        self.announce(id);
        self.enqueue(id);
    }

    pub(super) fn set_timer(&mut self, id: JobId, at: Duration) {
        let Some(entry) = self.jobs.get_mut(&id) else {
            return;
        };
        if entry.timer_at.is_none_or(|earlier| at < earlier) {
            if let Some(later) = entry.timer_at.replace(at) {
                self.timers.remove(&(later, id));
            }
            self.timers.insert((at, id));
        }
    }

    /// Whose turn it is; it stands in no queue for this turn any more.
    pub(super) fn next_ready(&mut self, now: Duration) -> Option<JobId> {
        if self.others_in_flight + self.hashes_in_flight >= self.options.connections.most() {
            return None;
        }
        if let Some(id) = self.next_for_place(now) {
            if let Some(entry) = self.jobs.get_mut(&id) {
                entry.waits_for_place = false;
            }
            return Some(id);
        }
        let may_hash = self.hashes_in_flight < self.options.hashers;
        let hashing = may_hash.then(|| self.hashing_queue.pop_front()).flatten();
        let (may_ask, may_read) = (self.may_ask(), self.may_read());
        let signing = || may_ask.then(|| self.signing_queue.pop_front()).flatten();
        let parked = hashing.or_else(signing);
        let parked = parked.or_else(|| may_read.then(|| self.blocking_queue.pop_front()).flatten());
        let id = parked.or_else(|| self.ready.pop_front())?;
        if let Some(entry) = self.jobs.get_mut(&id) {
            entry.queued = false;
        }
        Some(id)
    }

    fn next_for_place(&mut self, now: Duration) -> Option<JobId> {
        let is_free = |reads| self.window.place(now, reads) == Place::Free;
        let reading = is_free(true)
            .then(|| self.reading_place_queue.pop_front())
            .flatten();
        reading.or_else(|| is_free(false).then(|| self.place_queue.pop_front()).flatten())
    }

    /// Half of the workers, at least one: so many may be in what takes as long as somebody else likes.
    fn half(&self) -> u32 {
        (self.options.connections.most() / 2).max(1)
    }

    /// Whether one more task that may block may begin at all. Where half of the workers is one, a second one may, so that a source
    /// that gives nothing does not keep the signer from being asked.
    fn may_block(&self) -> bool {
        let most = self.half().max(2).min(self.options.connections.most());
        self.blocked.sources + self.blocked.signers < most
    }

    /// Whether the signer may be asked once more.
    pub(super) fn may_ask(&self) -> bool {
        self.blocked.signers < self.half() && self.may_block()
    }

    /// Whether one more task of a source that may block may begin. One of the places is the signer's where it is asked.
    pub(super) fn may_read(&self) -> bool {
        let signers = u32::from(self.options.asks_signer);
        let most = self.half().saturating_sub(signers).max(1);
        self.blocked.sources < most && self.may_block()
    }

    pub(super) fn wait_for_place(&mut self, id: JobId) -> Option<Task> {
        let entry = self.jobs.get_mut(&id)?;
        if !std::mem::replace(&mut entry.waits_for_place, true) {
            match entry.blocks() {
                true => self.reading_place_queue.push_back(id),
                false => self.place_queue.push_back(id),
            }
        }
        None
    }

    pub(super) fn enqueue(&mut self, id: JobId) {
        if let Some(entry) = self.jobs.get_mut(&id) {
            if !entry.queued && !entry.job.is_over() {
                entry.queued = true;
                self.ready.push_back(id);
            }
        }
    }
}
