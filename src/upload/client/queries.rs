//! What can be asked about a client and its jobs; nothing here changes anything.

use super::*;

impl Client {
    /// How an upload ended; `None` while it has not.
    pub fn result(&self, id: JobId) -> Option<&Result<Object, Error>> {
        self.machine(id)?.result()
    }

    /// How a call ended; `None` while it has not.
    pub fn answer(&self, id: JobId) -> Option<&Result<Answer, Error>> {
        match &self.jobs.get(&id)?.job {
            Job::Call(call) => call.result(),
            Job::Upload(_) => None,
        }
    }

    /// How far an upload is.
    pub fn progress(&self, id: JobId) -> Option<&Progress> {
        Some(self.machine(id)?.progress())
    }

    /// What the next run of the same upload should know.
    pub fn memory(&self, id: JobId) -> Option<&Memory> {
        Some(self.machine(id)?.memory())
    }

    /// Whether the server has these bytes of an upload under way for good, so that nobody will ask for them again unless it loses
    /// them.
    pub fn is_stored(&self, id: JobId, range: Range<u64>) -> bool {
        self.machine(id).is_some_and(|machine| machine.is_stored(range))
    }

    fn machine(&self, id: JobId) -> Option<&Machine> {
        match &self.jobs.get(&id)?.job {
            Job::Upload(machine) => Some(machine),
            Job::Call(_) => None,
        }
    }

    /// How many requests may be in flight now, all jobs together, where that number adapts to the link and the server. Below 1
    /// there is one at a time, with pauses.
    pub fn window(&self) -> Option<f64> {
        self.window.size()
    }

    /// How many tasks of a job have not been reported.
    pub fn in_flight(&self, id: JobId) -> u32 {
        self.jobs.get(&id).map_or(0, |entry| entry.in_flight)
    }

    /// When an upload must be over; `None` where it has no deadline.
    pub fn deadline_at(&self, id: JobId) -> Option<Duration> {
        self.jobs.get(&id)?.job.deadline_at()
    }
}
